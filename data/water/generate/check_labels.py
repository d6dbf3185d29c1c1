"""How good are the labels? Settings varied on three frames, and what all labels say themselves.

cutoff         energy and forces at 300, 400, 600 and 900 Ry against 1200 Ry
repeat         the 900 Ry run against the stored label of that frame
shift          the frame moved against the grid, by a part of its spacing
scf            EPS_SCF 1e-7 against the 5e-6 of the labels
work           force along a random direction against the difference of energies, 0.05 Å either way
response       polarizability at 900 Ry and EPS 1e-5 against the 360 Ry and 2e-5 of the labels
net_force      sum of the forces, all labeled frames
asymmetry      antisymmetric part of the polarizability, all labeled frames
dispersion     energy of D3(0), and that of the program dftd3 (--write-d3); see dispersion.py

CP2K's results go to the working folder, one JSON file each, and are not computed again; the table
holds what is there. Without --run only the table is made.

Example (33 runs, about half an hour of two idle cores):
    python data/water/generate/check_labels.py --run --workers 2 --work results/water/checks \\
        --output results/water/label_checks.csv
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms, units
from cp2k_files import LABELS, RESPONSE, START, Stage
from cp2k_run import Cp2k
from dispersion import COORDINATION_RANGE_A, RANGE_A
from label import Job, label_frames
from label_store import Label, check_label, read_labels

from helpers.checks import whole
from helpers.errors import DataError, WorkshopError
from helpers.files import write_atomic, write_table
from helpers.frames import read_frames
from helpers.terminal import teaching_script

STORED = Path(__file__).with_name("labels")
FRAMES = (0, 5, 15)  # of train_gap1: 360, 300 and 450 K
CUTOFFS_RY = (300, 400, 600, 900, 1200)
SHIFT_A = (0.013, 0.021, 0.034)  # the finest grid of 900 Ry has a spacing of 0.055 Å
STEP_A = 0.05  # length of the displacement of all coordinates together
COLUMNS = ["check", "setting", "frame", "quantity", "value", "unit"]
Row = tuple[str, str, int, str, float, str]


def variations(atoms: Atoms, frame: int) -> dict[str, tuple[Atoms, tuple[Stage, ...]]]:
    """Return what is computed for one frame: atoms and stages, by name."""
    moved = {name: atoms.copy() for name in ("shift", "work_plus", "work_minus")}
    moved["shift"].positions += SHIFT_A
    moved["work_plus"].positions += STEP_A * direction(frame, len(atoms))
    moved["work_minus"].positions -= STEP_A * direction(frame, len(atoms))
    usual = (START, LABELS)
    fine = replace(
        RESPONSE, cutoff_Ry=900, eps_default="1e-10", eps_scf="1e-6", response_eps="1e-5"
    )
    return {
        **{
            f"cutoff_{cutoff}": (atoms, (START, replace(LABELS, cutoff_Ry=cutoff)))
            for cutoff in CUTOFFS_RY
        },
        "scf": (atoms, (START, replace(LABELS, eps_scf="1e-7"))),
        **{name: (other, usual) for name, other in moved.items()},
        "response": (atoms, (START, LABELS, fine)),
    }


def direction(frame: int, n_atoms: int) -> np.ndarray:
    """Return a random unit vector of all coordinates, shape (n_atoms, 3), the same every time."""
    vector = np.random.default_rng([frame, 15]).normal(size=(n_atoms, 3))
    return vector / np.linalg.norm(vector)


def jobs(frames: list[Atoms], work: Path) -> list[Job]:
    """Return the runs whose results are not there, the cheapest checks first."""
    wanted = {
        f"{name}.{frame}": Job(f"{name}.{frame}", atoms, stages)
        for frame in FRAMES
        for name, (atoms, stages) in variations(frames[frame], frame).items()
    }
    names = [f"{name}.{frame}" for name in variations(frames[0], 0) for frame in FRAMES]
    return [wanted[name] for name in names if not (work / f"{name}.json").is_file()]


def read_results(frames: list[Atoms], work: Path) -> dict[tuple[str, int], Label]:
    """Return the labels in the working folder by variation and frame."""
    results = {}
    for frame in FRAMES:
        for name, (atoms, _) in variations(frames[frame], frame).items():
            file = work / f"{name}.{frame}.json"
            if file.is_file():
                label = json.loads(file.read_text(encoding="utf-8"))
                check_label(label, [atoms], 0, str(file))
                results[name, frame] = label
    return results


def compared(check: str, setting: str, frame: int, one: Label, other: Label) -> Iterator[Row]:
    """Yield how two labels of the same frame differ."""
    forces = 1000 * (np.array(one["forces"]) - np.array(other["forces"]))
    energy = 1000 * (one["energy"] - other["energy"]) / len(forces)
    yield check, setting, frame, "energy", energy, "meV/atom"
    yield check, setting, frame, "forces_rms", float(np.sqrt((forces**2).mean())), "meV/Å"
    yield check, setting, frame, "forces_largest", float(np.abs(forces).max()), "meV/Å"


def of_three_frames(
    results: Mapping[tuple[str, int], Label], stored: Mapping[int, Label]
) -> Iterator[Row]:
    """Yield the rows of the settings that were varied."""
    for frame in FRAMES:
        have = {name: label for (name, number), label in results.items() if number == frame}
        usual = have.get("cutoff_900")
        if "cutoff_1200" in have:
            for cutoff in CUTOFFS_RY[:-1]:
                if f"cutoff_{cutoff}" in have:
                    one = have[f"cutoff_{cutoff}"]
                    yield from compared("cutoff", str(cutoff), frame, one, have["cutoff_1200"])
        if usual is None:
            continue
        if frame in stored:
            yield from compared("repeat", "900", frame, usual, stored[frame])
        for name in ("shift", "scf"):
            if name in have:
                yield from compared(name, "900", frame, have[name], usual)
        if {"work_plus", "work_minus"} <= set(have):
            unit = direction(frame, len(usual["forces"]))
            along = float((unit * usual["forces"]).sum())
            difference = have["work_plus"]["energy"] - have["work_minus"]["energy"]
            error = 1000 * (along + difference / (2 * STEP_A))
            yield "work", "900", frame, "force_along", 1000 * along, "meV/Å"
            yield "work", "900", frame, "force_error", error, "meV/Å"
        if "response" in have and "polarizability" in stored.get(frame, {}):
            fine, coarse = have["response"]["polarizability"], stored[frame]["polarizability"]
            error = float(np.sqrt(((np.array(coarse) - fine) ** 2).mean()))
            yield "response", "360", frame, "polarizability_rms", error, "Å³"
        if "dispersion_energy" in usual:
            energy = usual["dispersion_energy"]
            yield "dispersion", "CP2K", frame, "energy", energy, "eV"


def of_all_labels(labels: Mapping[int, Label]) -> Iterator[Row]:
    """Yield the rows that the labels give without a run; the frame is -1, for all of them."""
    if not labels:
        return
    net = np.array([np.sum(label["forces"], axis=0) for label in labels.values()])
    mean_square = float((net**2).mean())
    n_atoms = len(next(iter(labels.values()))["forces"])
    yield "net_force", "900", -1, "rms", 1000 * mean_square**0.5, "meV/Å"
    yield "net_force", "900", -1, "rms_per_atom", 1000 * mean_square**0.5 / n_atoms, "meV/Å"
    tensors = [
        np.reshape(label["polarizability"], (3, 3))
        for label in labels.values()
        if "polarizability" in label
    ]
    if tensors:
        alpha = np.array(tensors)
        antisymmetric = (alpha - alpha.transpose(0, 2, 1)) / 2
        mean = np.trace(alpha, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
        anisotropic = (alpha + alpha.transpose(0, 2, 1)) / 2 - mean
        for name, part in (("antisymmetric", antisymmetric), ("anisotropic", anisotropic)):
            yield "asymmetry", "360", -1, f"{name}_rms", float(np.sqrt((part**2).mean())), "Å³"


def d3_energies(frames: list[Atoms]) -> dict[str, float]:
    """Return the energy of D3(0) without three-body terms, eV, by frame, from the program dftd3.

    Raises
    ------
    WorkshopError
        If it is not installed.
    """
    try:
        from dftd3.interface import DispersionModel, ZeroDampingParam
    except ImportError as error:
        raise WorkshopError("dftd3 is not installed", fix="pip install dftd3") from error
    # revPBE, zero damping: Grimme, Antony, Ehrlich, Krieg, J. Chem. Phys. 132, 154104 (2010).
    damping = ZeroDampingParam(s6=1.0, s8=1.010, rs6=0.923, rs8=1.0, alpha6=14.0, s9=0.0)
    energies = {}
    for frame in FRAMES:
        atoms = frames[frame]
        model = DispersionModel(
            atoms.numbers,
            atoms.positions / units.Bohr,
            lattice=atoms.cell.array / units.Bohr,
            periodic=np.array([True] * 3),
        )
        far, near = RANGE_A / units.Bohr, COORDINATION_RANGE_A / units.Bohr
        model.set_realspace_cutoff(disp2=far, disp3=far, cn=near)
        energy = model.get_dispersion(damping, grad=False)["energy"]
        energies[str(frame)] = float(energy) * units.Hartree
    return energies


def table(frames: list[Atoms], work: Path, labels: Mapping[int, Label], d3: Path) -> pd.DataFrame:
    """Return all rows for which there are results, in columns `COLUMNS`."""
    rows = [*of_three_frames(read_results(frames, work), labels), *of_all_labels(labels)]
    if d3.is_file():
        energies = json.loads(d3.read_text(encoding="utf-8"))
        rows += [
            ("dispersion", "dftd3", int(frame), "energy", energy, "eV")
            for frame, energy in energies.items()
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=Path, default=STORED / "train_gap1.xyz")
    parser.add_argument("--labels", type=Path, default=STORED / "train_gap1.jsonl")
    parser.add_argument("--work", type=Path, required=True, help="folder of the results")
    parser.add_argument("--run", action="store_true", help="compute what is missing")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the variations, to try it")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time; default 1")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="Dask cluster to compute on")
    parser.add_argument("--cp2k", help="name or path of the program; default: cp2k.psmp or cp2k")
    parser.add_argument("--write-d3", action="store_true", help="ask dftd3, too, and keep it")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    return parser


def main(options: argparse.Namespace) -> int:
    whole("workers", options.workers, 1)
    frames = read_frames(options.frames)
    if len(frames) <= max(FRAMES):
        raise DataError(f"{options.frames} has too few frames", expected=f"{max(FRAMES) + 1}")
    reference = STORED / "d3_reference.json"
    if options.write_d3:
        write_atomic(reference, json.dumps(d3_energies(frames), indent=1) + "\n")
    to_do = jobs(frames, options.work)
    if options.only:
        to_do = [job for job in to_do if job.name.rpartition(".")[0] in options.only]
    failures: dict[str, str] = {}
    if options.run:
        failures = label_frames(
            to_do,
            options.work,
            Cp2k(options.cp2k),
            workers=options.workers,
            scheduler=options.scheduler,
        )
    result = table(frames, options.work, read_labels(options.labels, frames), reference)
    write_table(options.output, result)
    left = [job.name for job in jobs(frames, options.work)]
    if left:
        print(f"still to compute (--run): {', '.join(left)}")
    for name, reason in failures.items():
        print(f"{name}: {reason}", file=sys.stderr)
    print(f"{len(result)} rows in {options.output}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
