"""Frames of a molecule with GFN2-xTB labels: relax, run dynamics, label, write the data set.

Each trajectory is written when it is complete; given again, the command goes on with the next one.
See the README beside this folder.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import teacher
from ase import Atoms
from ase.build import molecule
from ase.io import read, write
from ase.optimize import BFGS

from helpers.errors import DataError
from helpers.files import write_atomic
from helpers.md import Monitor, run_nvt
from helpers.terminal import progress_bar, teaching_script

HERE = Path(__file__).parent
TIMESTEP_FS, TEMPERATURE_K, RELAXATION_FS = 0.5, 500.0, 50.0
EQUILIBRATION_FS, INTERVAL_FS = 1000.0, 10.0
SPACING = round(INTERVAL_FS / TIMESTEP_FS)
# Split → how many trajectories, of how many frames. No two splits share a trajectory.
RUNS = {"train": (4, 250), "validate": (2, 50), "test": (2, 100)}
TRAINING_SIZES = (100, 1000)
SEED = 20261128  # of the order of frames
WAYS = {"ethanol": lambda: molecule("CH3CH2OH"), "aspirin": lambda: read(HERE / "aspirin.xyz")}
LOOSE = Monitor(0.1, 9.0, 0.1, 5000.0, 1e6)  # the limits are those of water


def relaxed(name: str) -> Atoms:
    """Return the molecule in the minimum that its starting geometry leads to."""
    atoms = WAYS[name]()
    atoms = Atoms(atoms.symbols, atoms.positions)
    atoms.calc = teacher.teacher(atoms)
    if not BFGS(atoms, logfile=None).run(fmax=0.01, steps=500):
        raise DataError(f"{name} does not relax within 500 steps")
    atoms.calc = None
    return atoms


def trajectory(start: Atoms, n_frames: int, seed: int) -> list[Atoms]:
    """Return labeled frames of one Langevin run, after its equilibration."""
    skipped = round(EQUILIBRATION_FS / INTERVAL_FS)
    run = run_nvt(
        teacher.teacher(start),
        start,
        steps=SPACING * (skipped + n_frames - 1),
        timestep_fs=TIMESTEP_FS,
        temperature_K=TEMPERATURE_K,
        relaxation_fs=RELAXATION_FS,
        record_every=SPACING,
        monitor=LOOSE,
        seed=seed,
        engine="ase",
        progress=False,
    )
    if run.stopped or run.interrupted:
        raise DataError(f"The run with seed {seed} was not finished: {run.stopped or 'Ctrl-C'}")
    frames = [teacher.labeled(Atoms(start.symbols, x)) for x in run.positions_A[skipped:]]
    for number, frame in enumerate(frames):
        frame.info |= {"trajectory": seed, "frame": number, "temperature_K": TEMPERATURE_K}
    return frames


def packed(frames: list[Atoms]) -> bytes:
    """Return frames as compressed extended XYZ, the same bytes each time."""
    text = io.StringIO()
    write(text, frames, format="extxyz")
    return gzip.compress(text.getvalue().encode(), mtime=0)


def assemble(name: str, parts: dict[str, list[list[Atoms]]], folder: Path) -> None:
    """Write the files of the data set, ``manifest.json`` and ``SHA256SUMS``."""
    folder.mkdir(exist_ok=True)
    sets = []
    for split, runs in parts.items():
        in_time = [frame for frames_of_run in runs for frame in frames_of_run]
        # A random permutation: any first n frames are a fair sample
        frames = [in_time[k] for k in np.random.default_rng(SEED).permutation(len(in_time))]
        for size in TRAINING_SIZES if split == "train" else (len(frames),):
            sets.append((split, size, f"{split}_{size}.xyz.gz", frames[:size]))
    files, sums = [], []
    for split, size, file, frames in sets:
        content = packed(frames)
        write_atomic(folder / file, content)
        checksum = hashlib.sha256(content).hexdigest()
        n_runs = len({frame.info["trajectory"] for frame in frames})
        files.append(
            {
                "split": split,
                "size": size,
                "file": file,
                "sha256": checksum,
                "n_bytes": len(content),
                "n_frames": len(frames),
                "n_trajectories": n_runs,
            }
        )
        sums.append(f"{checksum}  {file}\n")
    manifest = {
        "dataset": name,
        "system": f"one molecule of {name}, no cell, {TEMPERATURE_K:g} K",
        "license": "CC-BY-4.0",
        "level_of_theory": teacher.level_of_theory(),
        "sampling": f"Langevin, {TIMESTEP_FS} fs, relaxation {RELAXATION_FS:g} fs, "
        f"{EQUILIBRATION_FS:g} fs of equilibration from one minimum, a frame every "
        f"{INTERVAL_FS:g} fs",
        "regenerate_with": f"data/molecules/generate/sample.py {name}",
        "units": {
            "positions": "Å",
            "temperature_K": "K",
            teacher.ENERGY_NAME: "eV",
            teacher.FORCES_NAME: "eV/Å",
        },
        "labels": {
            teacher.ENERGY_NAME: {"stored_in": "info", "shape": [], "unit": "eV"},
            teacher.FORCES_NAME: {"stored_in": "arrays", "shape": ["n_atoms", 3], "unit": "eV/Å"},
        },
        "files": files,
    }
    write_atomic(folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False))
    write_atomic(folder / "SHA256SUMS", "".join(sorted(sums, key=str.split)))


def run(options: argparse.Namespace) -> int:
    """Make one data set."""
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    start_file = folder / "start.xyz"
    if not start_file.exists():
        text = io.StringIO()
        write(text, relaxed(options.molecule), format="xyz")
        write_atomic(start_file, text.getvalue())
    start = read(start_file)
    seeds = iter(range(1, 1 + sum(n_runs for n_runs, _ in RUNS.values())))
    parts: dict[str, list[list[Atoms]]] = {}
    total = sum(n_runs * n_frames for n_runs, n_frames in RUNS.values())
    with progress_bar(total, options.molecule, "frames", show=not options.no_progress) as bar:
        for split, (n_runs, n_frames) in RUNS.items():
            for _ in range(n_runs):
                seed = next(seeds)
                path = folder / f"run_{seed}.xyz.gz"
                if not path.exists():
                    write_atomic(path, packed(trajectory(start, n_frames, seed)))
                parts.setdefault(split, []).append(read(path, ":", format="extxyz"))
                bar.update(n_frames)
    assemble(options.molecule, parts, folder / options.molecule)
    print(f"The data set is {folder / options.molecule}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Example: python data/molecules/generate/sample.py ethanol --output results/ethanol",
    )
    parser.add_argument("molecule", choices=sorted(WAYS), help="which molecule")
    parser.add_argument("--output", type=Path, required=True, help="folder for runs and data set")
    parser.add_argument("--no-progress", action="store_true", help="show no bar")
    sys.exit(teaching_script(parser, run))
