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
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import pandas as pd
from ase.io import write

from helpers import (
    GapConfig,
    SymmetryAdaptedKernelRidge,
    evaluate,
    fit_gap,
    learning_curve,
    load_frames,
    sweep,
)
from helpers.files import write_atomic
from helpers.gap.config import CLASSROOM
from helpers.md import judge_phase, run_replicas
from helpers.raman.dynamics import mean_vibrations
from helpers.sweeps.table import ENERGY, FORCES

STORED = Path(__file__).resolve().parents[1] / "data" / "stored"
POTENTIAL = STORED / "gap.xml"  # what moves the atoms of `trajectory`
POLARIZABILITY_FILE = "polarizability.npz"
CACHE = "results/cache"
SIZES = (50, 100, 200, 400)
# What moves atoms where a student has no potential of her own: small enough to be stored.
SMALL = GapConfig(n_sparse=200, atoms_filename="gap_input_200.xyz")
SETTINGS = {
    "cutoff": [2.5, 3.0, 3.5, 4.5],
    "atom_sigma": [0.3, 0.4, 0.6],
    "n_max": [3, 4, 6, 8],
    "l_max": [0, 1, 2, 4],
}
# Of the runs whose Raman spectrum is shown: their temperature, their number and their length.
KELVIN = {"liquid": 300, "ice": 250}
N_RUNS = {"liquid": 6, "ice": 3}
STEPS = 20_400
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
    """The potential for lessons without one's own, and what it took to make it."""
    fit = fit_gap(SMALL, output=STORED / "gap.xml", engine="jax")
    errors = evaluate(fit.model_path, load_frames("water", "validate"), processes=workers)
    row = {
        "n_frames": fit.n_frames,
        "n_sparse": fit.n_sparse,
        "fit_cpu_seconds": fit.cpu_seconds,
        "peak_memory_MB": fit.peak_memory_MB,
        ENERGY: errors.rmse_energy_meV_per_atom,
        FORCES: errors.rmse_forces_meV_per_A,
    }
    write_atomic(STORED / "gap.csv", pd.DataFrame([row]).to_csv(index=False))
    return {
        "gap.xml": 'fit_gap(GapConfig(n_sparse=200), engine="jax") on 200 frames',
        "gap.csv": "what that fit took, and its errors on the validation frames",
    }


def polarizability(workers: int) -> dict[str, str]:
    """The model of polarizabilities that lesson 7 uses where a student has none of lesson 6."""
    from helpers.sagpr import labeled_frames, save_model

    regression = SymmetryAdaptedKernelRidge(n_jobs=workers).fit(*labeled_frames())
    save_model(regression, STORED / POLARIZABILITY_FILE)
    return {POLARIZABILITY_FILE: "SymmetryAdaptedKernelRidge() of 200 frames"}


def trajectory(workers: int) -> dict[str, str]:
    """Polarizabilities of liquid water and of ice along dynamics; vibrations, phases."""
    starts = {
        "liquid": [a for a in load_frames("water", "validate") if a.info["temperature_K"] == 300],
        "ice": load_frames("water", "frozen"),
    }
    told, phases = {}, []
    for name, kelvin in KELVIN.items():
        chosen = [starts[name][k % len(starts[name])] for k in range(N_RUNS[name])]
        runs = run_from(chosen, kelvin)
        phases += [
            {"water": name, "run": k, "mean_temperature_K": run.temperature_K.mean()}
            | asdict(judge_phase(run))
            for k, run in enumerate(runs)
        ]
        told[f"polarizabilities_{name}.npz"] = store_polarizabilities(name, runs, kelvin)
        table = mean_vibrations(runs, 30.0)
        file = f"vibrations_{name}.csv"
        write_atomic(STORED / file, table.to_csv(index=False, float_format="%.6g"))
        told[file] = f"vibrational density of states of the runs of polarizabilities_{name}.npz"
    write_atomic(STORED / "phases.csv", pd.DataFrame(phases).to_csv(index=False))
    told["phases.csv"] = "judge_phase() of each of these runs, and its mean temperature"
    return told


def run_from(starts: list, kelvin: float) -> tuple:
    """Run replicas of the stored potential: equilibration, then dynamics in a gentle bath."""
    shared = {"temperature_K": kelvin, "seeds": range(1, len(starts) + 1)}
    warm = run_replicas(POTENTIAL, starts, steps=4000, thermostat="langevin", **shared)
    runs = run_replicas(
        POTENTIAL,
        [run.frames()[-1] for run in warm.runs],
        steps=STEPS,
        record_every=4,
        # It acts on all velocities alike, which leaves vibrations alone.
        thermostat="bussi",
        relaxation_fs=200.0,
        keep_velocities=True,
        **shared,
    ).runs
    for run in runs:
        assert run.stable, run.stopped
    return runs


def store_polarizabilities(name: str, runs: tuple, kelvin: float) -> str:
    """Predict and write the polarizabilities of runs; say what they are."""
    import numpy as np

    from helpers.sagpr import load_model

    model = load_model(STORED / POLARIZABILITY_FILE)
    tensors = np.array([model.predict(run.frames(), progress=True) for run in runs])
    temperatures = np.array([run.temperature_K for run in runs])
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        times_fs=runs[0].times_fs,
        # To 1/2048 Å³, a hundredth of what a vibration changes: it packs to a third of the size.
        polarizability_A3=(np.round(2048 * tensors) / 2048).astype(np.float32),
        temperature_K=temperatures.astype(np.float16),
    )
    write_atomic(STORED / f"polarizabilities_{name}.npz", packed.getvalue())
    return (
        f"polarizability (Å³ of the cell) every 2 fs along {len(runs)} runs of "
        f"{runs[0].times_fs[-1] / 1000:g} ps of {name} water in a bath of {kelvin} K (mean of the "
        f"runs: {temperatures.mean():.0f} K) with {POTENTIAL.name}, each after 2 ps in a "
        f"stronger bath, by {POLARIZABILITY_FILE}"
    )


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
    """Collect curves of the studies that benchmarks/through_simulations has computed."""
    folder = Path(__file__).resolve().parents[1] / "benchmarks" / "through_simulations"
    curves: list[tuple[str, str, list, list]] = []

    def result(name: str) -> dict:
        path = folder / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    if peptide := result("peptide"):
        for name, key in (("target", "reference"), ("before", "before"), ("after", "after")):
            curves.append(("peptide", name, peptide["grid_A"], peptide[key]))
    if water := result("water"):
        for name, g in water["g_OO_OH_HH"].items():
            curves.append(("water", name, water["r_A"], g[0]))
    if gap := result("gap_weights"):
        goals = zip(gap["wanted"].values(), gap["lowered_by_the_width"], strict=True)
        places = [float(r) for r in gap["wanted"]]
        curves.append(("gap", "target", places, [g * factor for g, factor in goals]))
        for name in ("before", "after"):
            curves.append(("gap", name, gap["r_A"], gap[f"g_{name}"]))
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
    "polarizability": polarizability,
    "trajectory": trajectory,
    "failing_run": failing_run,
    "learning_curve_classroom": learning_curve_classroom,
    "learning_curve_default": learning_curve_default,
    "through_simulations": through_simulations,
}


if __name__ == "__main__":
    main()
