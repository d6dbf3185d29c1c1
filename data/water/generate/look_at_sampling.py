"""Look at the sampling: what training, validation and pool frames are like, and how independent.

One figure (energies, forces, O-H bonds, tetrahedral order, g(OO), and the correlation of frames of
one trajectory) and one table with its numbers. Only frames that have labels count for energies and
forces. No random numbers: no --seed.

Example:
    python data/water/generate/look_at_sampling.py --labels data/water/generate/labels \\
        --figure data/water/generate/sampling.png --output data/water/generate/sampling.csv
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from assemble import TRAINING_SETS, read_set

from helpers.files import check_writable, write_table
from helpers.md import judge_phase, radial_distributions, tetrahedral_order
from helpers.plots import BLACK, GREEN, SET_COLORS, style
from helpers.terminal import teaching_script
from helpers.water import bonds

INTERVAL_PS = 0.5  # between frames of one trajectory in train_gap1
FEWEST_PAIRS = 45  # below which a correlation is not told


def sets(folder: Path) -> dict[str, list[Atoms]]:
    """Return training, validation and pool frames, by name."""
    return {
        "training": [atoms for name in TRAINING_SETS for atoms in read_set(folder, name)],
        "validation": read_set(folder, "validate"),
        "pool": read_set(folder, "pool"),
    }


def energies(frames: Sequence[Atoms]) -> np.ndarray:
    """Return DFT energies in meV/atom, of the frames that have one."""
    known = [atoms.info["dft_energy"] / len(atoms) for atoms in frames if _labeled(atoms)]
    return 1000 * np.array(known)


def forces(frames: Sequence[Atoms]) -> np.ndarray:
    """Return all components of DFT forces, eV/Å, of the frames that have them."""
    return np.concatenate([a.arrays["dft_forces"].ravel() for a in frames if _labeled(a)])


def bond_lengths(frames: Sequence[Atoms]) -> np.ndarray:
    """Return all O-H bond lengths in Å."""
    return np.concatenate(
        [[atoms.get_distance(o, h, mic=True) for o, h in bonds(atoms)] for atoms in frames]
    )


def orders(frames: Sequence[Atoms]) -> np.ndarray:
    """Return the tetrahedral order of all molecules."""
    return np.concatenate([tetrahedral_order(atoms) for atoms in frames])


def _labeled(atoms: Atoms) -> bool:
    return "dft_energy" in atoms.info


def correlation(frames: Sequence[Atoms], value: Callable[[Atoms], float]) -> pd.Series:
    """Return the correlation of a property between frames of one trajectory, by their distance.

    The mean of each temperature is taken out, so that what remains is the memory of the trajectory.

    Returns
    -------
    Series
        By distance in ps, as far as there are enough pairs.
    """
    values: dict[int, dict[int, float]] = defaultdict(dict)
    by_temperature: dict[float, list[tuple[int, int, float]]] = defaultdict(list)
    for atoms in frames:
        place = int(atoms.info.get("frame", atoms.info.get("index")))
        row = (int(atoms.info["trajectory"]), place, value(atoms))
        by_temperature[atoms.info["temperature_K"]].append(row)
    for rows in by_temperature.values():
        mean = np.mean([number for *_, number in rows])
        for trajectory, place, number in rows:
            values[trajectory][place] = number - mean
    variance = np.mean([v**2 for run in values.values() for v in run.values()])
    found = {}
    for lag in range(1, max(place for run in values.values() for place in run) + 1):
        products = [
            run[place] * run[place + lag]
            for run in values.values()
            for place in run
            if place + lag in run
        ]
        if len(products) >= FEWEST_PAIRS:
            found[lag * INTERVAL_PS] = float(np.mean(products) / variance)
    return pd.Series(found, dtype=float)


def table(by_set: dict[str, list[Atoms]]) -> pd.DataFrame:
    """Return one row per set: what its frames are like."""
    rows = []
    for name, frames in by_set.items():
        energy, force, bond = energies(frames), forces(frames), bond_lengths(frames)
        temperatures = [a.info["temperature_K"] for a in frames if "temperature_K" in a.info]
        measured = judge_phase(frames, n_frames=len(frames))
        rows.append(
            {
                "set": name,
                "n_frames": len(frames),
                "n_labeled": len(energy),
                "temperature_K": np.mean(temperatures) if temperatures else np.nan,
                "energy_meV_per_atom": energy.mean(),
                "energy_std_meV_per_atom": energy.std(),
                "forces_rms_eV_per_A": np.sqrt((force**2).mean()),
                "forces_largest_eV_per_A": np.abs(force).max(),
                "OH_mean_A": bond.mean(),
                "OH_std_A": bond.std(),
                "OH_longest_A": bond.max(),
                "tetrahedral_order": measured.tetrahedral_order,
                "first_minimum_OO": measured.first_minimum_OO,
            }
        )
    return pd.DataFrame(rows)


def draw(by_set: dict[str, list[Atoms]], correlations: dict[str, pd.Series], path: Path) -> None:
    """Draw six panels into a file."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colors = {**SET_COLORS, "pool": GREEN}
    with style():
        figure, axes = plt.subplots(2, 3, figsize=(13, 7.5))
        panels = (
            (energies, "energy − mean of training (meV/atom)", 30),
            (forces, "force component (eV/Å)", 60),
            (bond_lengths, "O–H bond (Å)", 60),
            (orders, "tetrahedral order q", 40),
        )
        zero = energies(by_set["training"]).mean()
        for (measure, label, n_bins), ax in zip(panels, axes.flat, strict=False):
            offset = zero if measure is energies else 0.0
            numbers = {name: measure(frames) - offset for name, frames in by_set.items()}
            edges = np.histogram_bin_edges(np.concatenate(list(numbers.values())), n_bins)
            for name, values in numbers.items():
                options = {"density": True, "histtype": "step", "linewidth": 2}
                ax.hist(values, edges, color=colors[name], label=name, **options)
            ax.set(xlabel=label, ylabel="density", yscale="log" if measure is forces else "linear")
        for name, frames in by_set.items():
            rdf = radial_distributions(frames, [("O", "O")], bin_A=0.1, n_frames=len(frames))
            axes[1, 1].plot(rdf["r_A"], rdf["OO"], color=colors[name])
        axes[1, 1].set(xlabel="O–O distance (Å)", ylabel="g(r)", xlim=(2, None))
        for (name, series), marker in zip(correlations.items(), "os", strict=True):
            axes[1, 2].plot(series.index, series, marker, color=BLACK, label=name, ls="-", lw=1)
        axes[1, 2].axhline(0, color=BLACK, lw=1)
        axes[1, 2].set(xlabel="time between frames (ps)", ylabel="correlation", ylim=(-0.5, 1))
        axes[0, 0].legend()
        axes[1, 2].legend()
        figure.savefig(path, dpi=100)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--labels", type=Path, required=True, help="folder of frames and labels")
    parser.add_argument("--figure", type=Path, required=True, help="PNG to write")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser


def main(options: argparse.Namespace) -> int:
    check_writable(options.figure)
    by_set = sets(options.labels)
    result = table(by_set)
    runs = read_set(options.labels, TRAINING_SETS[0])
    correlations = {
        "energy": correlation(
            [atoms for atoms in runs if _labeled(atoms)], lambda a: a.info["dft_energy"]
        ),
        "tetrahedral order": correlation(runs, lambda a: float(tetrahedral_order(a).mean())),
    }
    draw(by_set, correlations, options.figure)
    write_table(options.output, result, digits=9)
    print(result.T.to_string(header=False))
    for name, series in correlations.items():
        text = ", ".join(f"{value:.2f} after {ps:g} ps" for ps, value in series.items())
        print(f"correlation of the {name} in one trajectory: {text}")
    print(f"{options.figure} and {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
