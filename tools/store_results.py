#!/usr/bin/env python
"""Compute what the lessons offer as stored results, because a class could not wait for it.

Example: python tools/store_results.py potential settings

Writes tables and a potential into data/stored/, with provenance.json beside them: for each file the
command, what it holds, what it took, versions and SHA-256. Without names it computes everything,
which takes about half an hour on one core (failing_run also needs CP2K). Fits go through the same
cache as the lessons' own; most are made by the kit's own engine, which needs a tenth of gap_fit's
time.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pandas as pd
from ase.io import write

from helpers import GapConfig, evaluate, fit_gap, learning_curve, load_frames, sweep
from helpers.files import write_atomic
from helpers.gap.config import CLASSROOM
from helpers.sweeps.table import ENERGY, FORCES

STORED = Path(__file__).resolve().parents[1] / "data" / "stored"
CACHE = "results/cache"
SIZES = (50, 100, 200, 400)
# The one that lesson 5 moves atoms with: twice the frames and the sparse points.
DYNAMICS = GapConfig(n_sparse=200, atoms_filename="gap_input_200.xyz")
SETTINGS = {
    "cutoff": [2.5, 3.0, 3.5, 4.5],
    "atom_sigma": [0.3, 0.4, 0.6],
    "n_max": [3, 4, 6, 8],
    "l_max": [0, 1, 2, 4],
}
# Of the run that fails: which snapshots are labeled.
BEFORE_THE_END_FS = (0.0, 54.0)
SIGMAS = [1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]  # eV per atom


def main() -> None:
    """Compute the parts that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all of them")
    parser.add_argument("--workers", type=int, default=1, help="processes, for the sweeps")
    options = parser.parse_args()
    STORED.mkdir(exist_ok=True)
    for name in options.parts or PARTS:
        started = time.perf_counter()
        for file, what in PARTS[name](options.workers).items():
            note(file, what, name, time.perf_counter() - started)
            print(f"{file}: {what}", flush=True)


def learning_curve_default(workers: int) -> dict[str, str]:
    """Errors against the number of frames, for the default preset."""
    table = learning_curve(sizes=SIZES, cache=CACHE, workers=workers, engine="jax")
    write_table(table, "learning_curve_default.csv")
    return {
        "learning_curve_default.csv": "learning_curve() of GapConfig(), 50 to 400 frames, "
        'engine="jax"'
    }


def learning_curve_classroom(workers: int) -> dict[str, str]:
    """Errors against the number of frames, for the small potential; three draws of few frames."""
    few = learning_curve(CLASSROOM, sizes=SIZES[:2], repeats=3, cache=CACHE, workers=workers)
    many = learning_curve(CLASSROOM, sizes=SIZES[2:], cache=CACHE, workers=workers, engine="jax")
    write_table(pd.concat([few, many]), "learning_curve_classroom.csv")
    return {
        "learning_curve_classroom.csv": "learning_curve() of GapConfig(n_sparse=100), 50 to 400 "
        "frames; three draws of 50 and of 100 frames; gap_fit up to 100 frames, then "
        'engine="jax"'
    }


def settings(workers: int) -> dict[str, str]:
    """Errors of the small potential while one setting after the other is varied."""
    tables = []
    for setting, values in SETTINGS.items():
        options = {"config": CLASSROOM, "cache": CACHE, "workers": workers}
        table = sweep({setting: values}, sizes=[50], **options)
        table.insert(0, "setting", setting)
        tables.append(table.rename(columns={setting: "value"}))
    write_table(pd.concat(tables), "settings.csv")
    return {
        "settings.csv": "sweeps over cutoff, atom_sigma, n_max and l_max, one at a time, of "
        "GapConfig(n_sparse=100) on 50 frames, gap_fit as in lesson 04"
    }


def sigmas(workers: int) -> dict[str, str]:
    """Errors of the small potential against the sigma of the energies, for two sizes."""
    table = sweep(
        {"sigma_energy_eV_per_atom": SIGMAS},
        sizes=[100, 200],
        config=CLASSROOM,
        cache=CACHE,
        workers=workers,
    )
    write_table(table, "sigmas.csv")
    return {
        "sigmas.csv": "sweep over the sigma of the energies of GapConfig(n_sparse=100) on 100 and "
        "200 frames, gap_fit as in lesson 04"
    }


def potential(workers: int) -> dict[str, str]:
    """The potential that lesson 5 moves atoms with, and what it took to make it."""
    fit = fit_gap(DYNAMICS, output=STORED / "gap_dynamics.xml")
    errors = evaluate(fit.model_path, load_frames("water", "validate"), processes=workers)
    row = {
        "n_frames": fit.n_frames,
        "n_sparse": fit.n_sparse,
        "fit_cpu_seconds": fit.cpu_seconds,
        "peak_memory_MB": fit.peak_memory_MB,
        ENERGY: errors.rmse_energy_meV_per_atom,
        FORCES: errors.rmse_forces_meV_per_A,
    }
    write_atomic(STORED / "gap_dynamics.csv", pd.DataFrame([row]).to_csv(index=False))
    return {
        "gap_dynamics.xml": "fit_gap(GapConfig(n_sparse=200)) on 200 frames",
        "gap_dynamics.csv": "what that fit took, and its errors on the validation frames",
    }


def trajectory(workers: int) -> dict[str, str]:
    """Polarizabilities along 20 ps of dynamics, and the vibrations of the same run."""
    import numpy as np

    from helpers import SymmetryAdaptedKernelRidge, run_nvt
    from helpers.md.vibrations import vibrational_density_of_states
    from helpers.sagpr.tensors import read_tensors

    frames = load_frames("water", "train", 200)
    regression = SymmetryAdaptedKernelRidge(n_jobs=workers)
    regression.fit(frames, read_tensors(frames), [atoms.info["trajectory"] for atoms in frames])
    model = STORED / "gap_dynamics.xml"
    warm = run_nvt(model, 0, steps=4000, relaxation_fs=50, seed=1)
    # A bath of 300 K that acts slowly, on all velocities alike, leaves vibrations alone.
    gentle = {"thermostat": "bussi", "relaxation_fs": 1000.0, "keep_velocities": True}
    run = run_nvt(model, warm.frames()[-1], steps=40_000, record_every=4, seed=2, **gentle)
    assert run.stable, run.stopped
    tensors = regression.predict(run.frames(), progress=True)
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        times_fs=run.times_fs,
        polarizability_A3=tensors.astype(np.float32),
        temperature_K=run.temperature_K.astype(np.float32),
    )
    write_atomic(STORED / "polarizabilities.npz", packed.getvalue())
    vibrations = vibrational_density_of_states(run)
    write_atomic(STORED / "vibrations.csv", vibrations.to_csv(index=False, float_format="%.6g"))
    return what_the_trajectory_is()


def failing_run(workers: int) -> dict[str, str]:
    """Snapshots of a run of hot water that fails, labeled with DFT (CP2K, minutes each)."""
    import numpy as np

    from helpers import read_frames, run_nvt

    folder = Path("results") / "failing_run"
    folder.mkdir(parents=True, exist_ok=True)
    frames = load_frames("water", "train", 50)[:20]
    fit = fit_gap(CLASSROOM, frames, output=folder / "gap.xml", engine="jax")
    start = load_frames("water", "validate")[0]
    run = run_nvt(fit.model_path, start, steps=1000, temperature_K=600, seed=1)
    assert run.stopped, "It reached its end: try another seed."
    snapshots = []
    for before_fs in BEFORE_THE_END_FS:
        atoms = start.copy()
        atoms.positions = run.positions_A[
            np.abs(run.times_fs - run.times_fs[-1] + before_fs).argmin()
        ]
        atoms.arrays.pop("dft_forces")
        atoms.info = {"time_fs": float(run.times_fs[-1]) - before_fs}
        snapshots.append(atoms)
    write(folder / "unlabeled.xyz", snapshots, format="extxyz")
    label = Path(__file__).resolve().parents[1] / "data" / "water" / "generate" / "label.py"
    paths = [folder / "unlabeled.xyz", "--labels", folder / "labels"]
    paths += ["--output", folder / "labeled.xyz", "--workers", workers]
    subprocess.run([sys.executable, label, *map(str, paths)], check=True)
    labeled = read_frames(folder / "labeled.xyz")
    for atoms, snapshot in zip(labeled, snapshots, strict=True):
        atoms.info = {
            "time_fs": snapshot.info["time_fs"],
            "dft_energy": atoms.info["dft_energy"],
        }
    start.info = {"time_fs": 0.0, "dft_energy": start.info["dft_energy"]}
    labeled = sorted([start, *labeled], key=lambda atoms: atoms.info["time_fs"])
    text = io.StringIO()
    write(text, labeled, format="extxyz")
    write_atomic(STORED / "failing_run.xyz", text.getvalue())
    return {
        "failing_run.xyz": "snapshots of a run at 600 K with GapConfig(n_sparse=100) on 20 frames "
        f'(engine="jax"), stopped by the monitor: {run.stopped}; labeled as data/water is'
    }


def through_simulations(workers: int) -> dict[str, str]:
    """Collect curves of three studies, which benchmarks/through_simulations computed."""
    folder = Path(__file__).resolve().parents[1] / "benchmarks" / "through_simulations"
    peptide, water, gap = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("peptide", "water", "gap_weights")
    )
    goals, lowered = gap["wanted"], gap["lowered_by_the_width"]
    curves = [
        ("peptide", "target", peptide["grid_A"], peptide["reference"]),
        ("peptide", "before", peptide["grid_A"], peptide["before"]),
        ("peptide", "after", peptide["grid_A"], peptide["after"]),
        *(("water", name, water["r_A"], g[0]) for name, g in water["g_OO_OH_HH"].items()),
        (
            "gap",
            "target",
            [float(r) for r in goals],
            [g * factor for g, factor in zip(goals.values(), lowered, strict=True)],
        ),
        ("gap", "before", gap["r_A"], gap["g_before"]),
        ("gap", "after", gap["r_A"], gap["g_after"]),
    ]
    table = pd.concat(
        pd.DataFrame({"study": study, "curve": curve, "x": x, "y": y})
        for study, curve, x, y in curves
    )
    write_atomic(STORED / "through_simulations.csv", table.to_csv(index=False, float_format="%.5g"))
    return {
        "through_simulations.csv": "curves of the studies in benchmarks/through_simulations: "
        "end-to-end distances of a peptide (Å; 1/Å), g(OO) of flexible water and of a GAP (Å; no "
        "unit), each with its target, before and after a fit through simulations"
    }


def what_the_trajectory_is() -> dict[str, str]:
    """Tell of the stored trajectory what provenance.json should say."""
    import numpy as np

    with np.load(STORED / "polarizabilities.npz") as stored:
        mean_K = float(stored["temperature_K"].astype(float).mean())
    return {
        "polarizabilities.npz": "polarizability (Å³ of the cell) every 2 fs of 20 ps in a bath of "
        f"300 K (mean of the run: {mean_K:.0f} K) with gap_dynamics.xml, after 2 ps with a "
        "stronger bath, by SymmetryAdaptedKernelRidge() of 200 frames",
        "vibrations.csv": "vibrational density of states of the same run",
    }


def write_table(table: pd.DataFrame, file: str) -> None:
    """Write a sweep's table without what is true on this machine only."""
    write_atomic(STORED / file, table.drop(columns="model_path").to_csv(index=False))


def note(file: str, what: str, part: str, seconds: float) -> None:
    """Write into provenance.json where a file comes from."""
    path = STORED / "provenance.json"
    known = json.loads(path.read_text(encoding="utf-8"))["files"] if path.is_file() else []
    row = {
        "file": file,
        "what": what,
        "command": f"python tools/store_results.py {part}",
        "seconds": round(seconds),
        "python": platform.python_version(),
        "quippy-ase": metadata.version("quippy-ase"),
        "sha256": hashlib.sha256((STORED / file).read_bytes()).hexdigest(),
    }
    rows = sorted(
        [row, *(old for old in known if old["file"] != file)], key=lambda row: row["file"]
    )
    content = {"license": "CC-BY-4.0", "made_from": "data/water", "files": rows}
    write_atomic(path, json.dumps(content, indent=2) + "\n")


PARTS: dict[str, Callable[[int], dict[str, str]]] = {
    "potential": potential,
    "settings": settings,
    "sigmas": sigmas,
    "trajectory": trajectory,
    "failing_run": failing_run,
    "learning_curve_classroom": learning_curve_classroom,
    "learning_curve_default": learning_curve_default,
    "through_simulations": through_simulations,
}


if __name__ == "__main__":
    main()
