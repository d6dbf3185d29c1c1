"""Write the numbers of the data's README: what the files hold, and how good the labels are.

They stand between two comment lines of the README and are made anew as a whole, from the files of
the data set, from label_checks.csv (check_labels.py) and from nothing else. No random numbers.

Example:
    python data/water/generate/describe.py data/water
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from manifest import CHECKS, VALIDATION_FILE, data_files

from helpers.errors import DataError
from helpers.files import write_atomic
from helpers.frames import label_arrays, read_frames
from helpers.md import judge_phase, recorded_dft_seconds
from helpers.terminal import teaching_script

BEGIN = "<!-- made by generate/describe.py -->"
END = "<!-- end -->"
# check, setting and quantity in label_checks.csv: what the README says of it.
CHECKED = (
    ("cutoff", "300", "forces_rms", "forces at 300 Ry against 1200 Ry, RMS of three frames"),
    ("cutoff", "400", "forces_rms", "the same at 400 Ry"),
    ("cutoff", "600", "forces_rms", "the same at 600 Ry"),
    ("cutoff", "900", "forces_rms", "the same at 900 Ry, the cutoff of the labels"),
    ("shift", "900", "forces_rms", "forces of a frame moved against the grid, RMS"),
    ("shift", "900", "energy", "energies of a frame moved against the grid, RMS"),
    ("scf", "900", "forces_rms", "forces at EPS_SCF 1e-7 against the 5e-6 of the labels, RMS"),
    ("work", "900", "force_error", "force along a random direction against energies, RMS"),
    ("response", "360", "polarizability_rms", "polarizability at 360 Ry against 900 Ry, RMS"),
    ("net_force", "900", "rms", "net force on a frame, RMS of a component"),
    ("asymmetry", "360", "antisymmetric_rms", "antisymmetric part of the polarizability, RMS"),
    ("asymmetry", "360", "anisotropic_rms", "its anisotropic part, RMS"),
)


def file_table(folder: Path) -> Iterator[str]:
    """Yield the rows of a table of all files."""
    yield "| file | frames | trajectories | energies, forces | polarizability | K |"
    yield "|---|---|---|---|---|---|"
    for name in data_files(folder):
        frames = read_frames(folder / name)
        temperatures = ", ".join(f"{kelvin:g}" for kelvin in _values(frames, "temperature_K"))
        cells = [
            name,
            str(len(frames)),
            str(len(_values(frames, "trajectory")) or "–"),
            *(_part(key, frames) for key in ("dft_energy", "Polarizability")),
            temperatures or "–",
        ]
        yield _row(*cells)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _values(frames: Sequence[Atoms], key: str) -> list[float]:
    return sorted({atoms.info[key] for atoms in frames if key in atoms.info})


def _part(key: str, frames: Sequence[Atoms]) -> str:
    labeled = [number for number, atoms in enumerate(frames) if key in atoms.info]
    if len(labeled) in (0, len(frames)):
        return "all" if labeled else "–"
    first = labeled == list(range(len(labeled)))
    return f"{'the first ' if first else ''}{len(labeled)}"


def numbers_table(folder: Path, checks: pd.DataFrame) -> Iterator[str]:
    """Yield the rows of a table of what the labels are like."""
    largest = [name for name in data_files(folder) if name.startswith("gap_input_")][-1]
    frames, validation = (read_frames(folder / name) for name in (largest, VALIDATION_FILE))
    n_atoms, energies, forces = label_arrays(frames)
    per_atom = pd.DataFrame({"kelvin": [a.info["temperature_K"] for a in frames]})
    per_atom["meV"] = 1000 * energies / n_atoms
    at_one_temperature = per_atom.groupby("kelvin")["meV"].std().mean()
    tensors = [a.info["Polarizability"] for a in frames if "Polarizability" in a.info]
    isotropic = np.trace(np.reshape(tensors, (-1, 3, 3)), axis1=1, axis2=2) / 3
    yield _row(largest, "")
    yield "|---|---|"
    yield _row("energies, standard deviation", f"{per_atom['meV'].std():.1f} meV/atom")
    yield _row("the same at one temperature, mean", f"{at_one_temperature:.1f} meV/atom")
    yield _row("forces, RMS of a component", f"{1000 * np.sqrt(np.mean(forces**2)):.0f} meV/Å")
    yield _row("largest component of a force", f"{np.abs(forces).max():.1f} eV/Å")
    yield _row("isotropic polarizability of the cell, mean", f"{isotropic.mean():.2f} Å³")
    yield _row("its standard deviation", f"{isotropic.std():.2f} Å³")
    for polarizability, what in ((False, "without"), (True, "with")):
        seconds = recorded_dft_seconds(frames, polarizability=polarizability)
        yield _row(f"DFT of a frame {what} polarizability, one core", f"{seconds:.0f} s")
    yield _row(f"phase of {VALIDATION_FILE}", str(judge_phase(validation, n_frames=99)))
    for *key, what in CHECKED:
        rows = checks[(checks[["check", "setting", "quantity"]] == key).all(axis=1)]
        if not rows.empty:
            value = float(np.sqrt((rows["value"] ** 2).mean()))
            text = f"{value:.0f}" if value >= 10 else f"{value:.2g}"
            yield _row(what, f"{text} {rows['unit'].iloc[0]}")


def numbers(folder: Path, checks: Path = CHECKS) -> str:
    """Return everything that stands between the two comment lines."""
    table = pd.read_csv(checks, dtype={"setting": str})
    lines = [*file_table(folder), "", *numbers_table(folder, table)]
    return "\n".join(lines)


def with_numbers(text: str, new: str) -> str:
    """Return the text of a README with new numbers in place of the old ones.

    Raises
    ------
    DataError
        If it has not one place for them.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or END in after:
        raise DataError("The README has no place for its numbers", expected=f"{BEGIN} … {END}")
    return f"{before}{BEGIN}\n{new}\n{END}{after}"


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of the data set, with its README.md")
    parser.add_argument("--checks", type=Path, default=CHECKS, help="default: beside this script")
    return parser


def main(options: argparse.Namespace) -> int:
    readme = options.folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    write_atomic(readme, with_numbers(text, numbers(options.folder, options.checks)))
    print(readme)
    return 0


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
