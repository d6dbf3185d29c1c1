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
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
from ase.io import write

from helpers import (
    GapConfig,
    SymmetryAdaptedKernelRidge,
    TwoBody,
    compare_errors,
    evaluate,
    evaluate_together,
    fit_gap,
    load_frames,
    sweep,
)
from helpers.files import write_atomic
from helpers.gap.config import CLASSROOM
from helpers.md import judge_phase, run_replicas
from helpers.raman.dynamics import mean_vibrations
from helpers.sweeps.table import ENERGY, FORCES

STORED = Path(__file__).resolve().parents[1] / "data" / "stored"
POTENTIAL = STORED / "gap.xml"  # what moves the atoms of `liquid` and `ice`
POLARIZABILITY_FILE = "polarizability.npz"
CACHE = "results/cache"
SIZES = (25, 50, 100, 200, 400)
ENERGIES_ONLY_SIGMA_F = 10.0  # eV/Å: next to no weight for the forces
# What moves atoms where a student has no potential of her own: small enough to be stored.
SMALL = GapConfig(
    atoms_filename="gap_input_200.xyz",
    cutoff=3.5,
    cutoff_transition_width=2.0,
    n_max=6,
    n_sparse=200,
    delta=0.2,
    two_body=TwoBody(cutoff=6.0, n_sparse=25, delta=0.5),
)
SETTINGS = {
    "cutoff": [3.0, 4.0, 4.25, 5.0],
    "atom_sigma": [0.3, 0.4, 0.6],
    "n_max": [4, 5, 7, 10],
    "l_max": [0, 1, 2, 4],
}
# Of the runs whose Raman spectrum is shown: temperature (K), number, steps of 0.5 fs. Ice needs no
# diffusion coefficient, for which a run must last 10 ps; it is colder, far from melting.
LIQUID = (300, 4, 20_000)
ICE = (200, 4, 8_000)
SUBSTANCE = {"liquid": "liquid water", "ice": "ice"}
# Of the run that fails: which snapshots are labeled.
BEFORE_THE_END_FS = (0.0, 54.0)
SIGMA_E, SIGMA_F = "sigma_energy_eV_per_atom", "sigma_force_eV_per_A"
ENERGIES_ALONE = 10.0  # eV/Å, sigma of forces that do not count
SIGMAS = [1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1e-1, 1.0]  # eV per atom


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


def learning_curves(workers: int) -> dict[str, str]:
    """Errors against the number of frames: default settings, energies only, small potential."""
    options = {"cache": CACHE, "workers": workers, "engine": "jax"}

    def three_draws(over: dict, config: GapConfig) -> pd.DataFrame:
        few = sweep(over, sizes=SIZES[:-1], repeats=3, config=config, **options)
        return pd.concat([few, sweep(over, sizes=SIZES[-1:], config=config, **options)])

    sigmas = {"sigma_force_eV_per_A": [GapConfig().sigma_force_eV_per_A, ENERGIES_ONLY_SIGMA_F]}
    both = three_draws(sigmas, GapConfig())
    alone = both["sigma_force_eV_per_A"] == ENERGIES_ONLY_SIGMA_F
    write_table(both[~alone], "learning_curve_default.csv")
    # 25 energies are too few to learn anything: the error is half that of the mean.
    write_table(both[alone & (both["n_frames"] > SIZES[0])], "learning_curve_energies.csv")
    write_table(three_draws({}, CLASSROOM), "learning_curve_classroom.csv")
    three = 'on 25 to 400 frames, three draws of each size but the largest; engine="jax"'
    return {
        "learning_curve_default.csv": f"GapConfig() {three}",
        "learning_curve_energies.csv": "the same with a sigma of the forces of 10 eV/Å, from 50 "
        "frames on",
        "learning_curve_classroom.csv": f"CLASSROOM {three}",
    }


def settings(workers: int) -> dict[str, str]:
    """Errors of the small potential while one setting after the other is varied."""
    tables = []
    for setting, values in SETTINGS.items():
        options = {"config": CLASSROOM, "cache": CACHE, "workers": workers, "engine": "jax"}
        table = sweep({setting: values}, sizes=[50], **options)
        table.insert(0, "setting", setting)
        tables.append(table.rename(columns={setting: "value"}))
    write_table(pd.concat(tables), "settings.csv")
    return {
        "settings.csv": "sweeps over cutoff, atom_sigma, n_max and l_max, one at a time, of "
        'GapConfig(n_sparse=100) on 50 frames, engine="jax" as in lesson 04'
    }


def sigmas(workers: int) -> dict[str, str]:
    """Errors of the default potential against both sigmas, for two sizes, and their noise."""
    validation = load_frames("water", "validate")
    trajectories = [atoms.info["trajectory"] for atoms in validation]
    config = GapConfig()
    options = {"config": config, "engine": "jax", "cache": CACHE, "workers": workers}
    with_forces = config.sigma_force_eV_per_A
    both = {SIGMA_E: SIGMAS, SIGMA_F: [with_forces, ENERGIES_ALONE]}
    table = pd.concat(
        [
            sweep(both, sizes=[100], **options),
            sweep({SIGMA_E: SIGMAS, SIGMA_F: [with_forces]}, sizes=[200], **options),
        ]
    )
    write_table(table, "sigmas.csv")
    rows = table[(table["set"] == "validation") & (table[SIGMA_F] < 1)].reset_index(drop=True)
    points = zip(rows["n_frames"], rows[SIGMA_E], strict=True)
    judged = dict(zip(points, evaluate_together(rows["model_path"], validation), strict=True))
    best = {n: rows.loc[part[ENERGY].idxmin(), SIGMA_E] for n, part in rows.groupby("n_frames")}
    noise, gain = [], []
    for (n_frames, sigma), errors in judged.items():
        compared = compare_errors(errors, judged[n_frames, best[n_frames]], trajectories).iloc[0]
        noise.append(
            {"n_frames": n_frames, SIGMA_E: sigma, "rmse": compared["first"]}
            | compared[["difference", "error", "low", "high"]].to_dict()
        )
        if n_frames == 100:
            compared = compare_errors(errors, judged[200, sigma], trajectories).iloc[0]
            gain.append(
                {SIGMA_E: sigma} | compared[["difference", "error", "low", "high"]].to_dict()
            )
    for name, lines in (("sigma_noise", noise), ("sigma_gain", gain)):
        text = pd.DataFrame(lines).to_csv(index=False, float_format="%.6g")
        write_atomic(STORED / f"{name}.csv", text)
    return {
        "sigmas.csv": "sweep over the sigma of the energies of GapConfig() on 100 and 200 frames, "
        'on 100 also without forces, engine="jax"',
        "sigma_noise.csv": "by how much the validation error of the energies (meV/atom) at each "
        "sigma differs from the lowest, with 95 % intervals from trajectories drawn again",
        "sigma_gain.csv": "by how much it is larger with 100 frames than with 200",
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
        "gap.xml": 'fit_gap(SMALL, engine="jax") on 200 frames, cutoff 3.5 Å, n_max 6',
        "gap.csv": "what that fit took, and its errors on the validation frames",
    }


def polarizability(workers: int) -> dict[str, str]:
    """The model of polarizabilities that lesson 7 uses where a student has none of lesson 6."""
    from helpers.sagpr import labeled_frames, save_model

    regression = SymmetryAdaptedKernelRidge(n_jobs=workers).fit(*labeled_frames())
    save_model(regression, STORED / POLARIZABILITY_FILE)
    return {POLARIZABILITY_FILE: "SymmetryAdaptedKernelRidge() of 200 frames"}


def liquid(workers: int) -> dict[str, str]:
    """Polarizabilities of liquid water along dynamics; vibrations, phases."""
    frames = load_frames("water", "validate")
    return store_runs("liquid", [a for a in frames if a.info["temperature_K"] == 300], *LIQUID)


def ice(workers: int) -> dict[str, str]:
    """The same of a box that froze in a run with PBE-D3."""
    return store_runs("ice", load_frames("water", "frozen"), *ICE)


def store_runs(
    name: str, starts: list, temperature_K: float, n_runs: int, steps: int
) -> dict[str, str]:
    """Run replicas of the stored potential, and store what their Raman spectrum needs."""
    import numpy as np

    from helpers.sagpr import load_model

    shared = {"temperature_K": temperature_K, "seeds": range(1, n_runs + 1)}
    warm = run_replicas(POTENTIAL, starts[:n_runs], steps=2000, thermostat="langevin", **shared)
    runs = run_replicas(
        POTENTIAL,
        [run.frames()[-1] for run in warm.runs],
        steps=steps,
        record_every=4,
        # It acts on all velocities alike, which leaves vibrations alone.
        thermostat="bussi",
        relaxation_fs=200.0,
        keep_velocities=True,
        **shared,
    ).runs
    # The potential has never seen ice, and now and then an O–H bond of it breaks.
    stopped = [f"{run.stopped} (seed {run.seed})" for run in runs if run.stopped]
    runs = tuple(run for run in runs if run.stable)
    assert len(runs) >= 3, stopped
    rows = [
        {"water": name, "run": k, "mean_temperature_K": run.temperature_K.mean()}
        | asdict(judge_phase(run))
        for k, run in enumerate(runs, start=1)
    ]
    phases = pd.DataFrame(rows)
    print(phases.round(3).to_string(), *stopped, sep="\n", flush=True)
    model = load_model(STORED / POLARIZABILITY_FILE)
    tensors = np.array([model.predict(run.frames(), progress=True) for run in runs])
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        times_fs=runs[0].times_fs,
        # To 1/2048 Å³, a hundredth of what a vibration changes: it packs to a third of the size.
        polarizability_A3=(np.round(2048 * tensors) / 2048).astype(np.float32),
        temperature_K=np.array([run.temperature_K for run in runs]).astype(np.float16),
    )
    write_atomic(STORED / f"polarizabilities_{name}.npz", packed.getvalue())
    vibrations = mean_vibrations(runs, 30.0).to_csv(index=False, float_format="%.6g")
    write_atomic(STORED / f"vibrations_{name}.csv", vibrations)
    write_atomic(STORED / f"phases_{name}.csv", phases.to_csv(index=False, float_format="%.6g"))
    of_these = f"of the runs of polarizabilities_{name}.npz"
    return {
        f"polarizabilities_{name}.npz": "polarizability (Å³ of the cell) every 2 fs along "
        f"{len(runs)} runs of {runs[0].times_fs[-1] / 1000:g} ps of {SUBSTANCE[name]} in a bath of "
        f"{temperature_K} K (mean of the runs: {phases['mean_temperature_K'].mean():.0f} K) with "
        f"{POTENTIAL.name}, each after 1 ps in a stronger bath, by {POLARIZABILITY_FILE}"
        + (f"; left out, as the monitor stopped them: {', '.join(stopped)}" if stopped else ""),
        f"vibrations_{name}.csv": f"vibrational density of states {of_these}",
        f"phases_{name}.csv": f"judge_phase() of each {of_these.removeprefix('of ')}",
    }


def box_64(workers: int) -> dict[str, str]:
    """g(OO) of a larger box, up to half its edge."""
    from helpers.gap import JaxCalculator
    from helpers.gap.xml import read_model
    from helpers.md import radial_distributions, with_core_repulsion
    from helpers.md.runs import run_nvt

    (start,) = load_frames("water", "start_64")
    model = Path("results") / "default.xml"
    model.parent.mkdir(exist_ok=True)
    if not model.is_file():
        fit_gap(GapConfig(), output=model, engine="jax")
    walled = JaxCalculator(with_core_repulsion(read_model(model)))
    bath = {"thermostat": "bussi", "timestep_fs": 0.8, "record_every": 10}
    run = run_nvt(walled, start, steps=1_750, seed=1, **bath)
    assert run.stable, run.stopped
    table = radial_distributions(run.after(400), [("O", "O")], bin_A=0.1)[["r_A", "OO"]]
    write_atomic(STORED / "box_64.csv", table.to_csv(index=False, float_format="%.4g"))
    return {
        "box_64.csv": "g(OO) of 64 molecules, 1 ps in a bath of 300 K, GapConfig() on 100 frames "
        "and a wall; "
        f"{judge_phase(run)}"
    }


def failing_run(workers: int) -> dict[str, str]:
    """Snapshots of a run of hot water that fails, labeled with DFT (CP2K, minutes each)."""
    import numpy as np

    from helpers import read_frames, run_nvt

    folder = Path("results") / "failing_run"
    folder.mkdir(parents=True, exist_ok=True)
    frames = load_frames("water", "train", 50)[:20]
    config = SMALL.replace(n_sparse=100)
    fit = fit_gap(config, frames, output=folder / "gap.xml", engine="jax")
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
        "failing_run.xyz": "snapshots of a run at 600 K with SMALL, 100 sparse points, 20 frames "
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
        curves.append(("gap", "target", gap["r_A"], gap["target"]))
        for name in ("before", "after"):
            curves.append(("gap", name, gap["r_A"], gap[name]["g"]))
    table = pd.concat(
        pd.DataFrame({"study": study, "curve": curve, "x": x, "y": y})
        for study, curve, x, y in curves
    )
    write_atomic(STORED / "through_simulations.csv", table.to_csv(index=False, float_format="%.5g"))
    numbers = pd.DataFrame(
        _numbers_of_studies(result("peptide"), result("water"), result("gap_weights"))
    )
    text = numbers.to_csv(index=False, float_format="%.5g")
    write_atomic(STORED / "through_simulations_numbers.csv", text)
    return {
        "through_simulations.csv": "curves of the studies in benchmarks/through_simulations: "
        "end-to-end distances of a peptide (Å; 1/Å), g(OO) of flexible water and of a GAP (Å; no "
        "unit), each with its target, before and after a fit through simulations",
        "through_simulations_numbers.csv": "what the same studies fitted, and what they did not: "
        "before and after the fit, and what it should be; standard errors where they are known",
    }


def _numbers_of_studies(peptide: dict, water: dict, gap: dict) -> Iterator[dict]:
    """Yield rows: a number before and after a fit, its target, and standard errors."""

    def row(study: str, quantity: str, before: Any, after: Any, target: Any = None) -> dict:
        numbers = {"study": study, "quantity": quantity}
        for name, value in (("before", before), ("after", after), ("target", target)):
            number, error = value if isinstance(value, (list, tuple)) else (value, None)
            numbers |= {name: number, f"{name}_error": error}
        return numbers

    if peptide:
        for name, symbol in (("phi", "φ"), ("psi", "ψ")):
            after = (peptide["fitted_kJ_per_mol"][name], peptide["deviation_kJ_per_mol"][name])
            true = peptide["true_kJ_per_mol"][name]
            yield row("peptide", f"k of {symbol}, kJ/mol", 0.0, after, true)
        rmse = peptide["rmse_per_A"]
        yield row("peptide", "error of the distribution, 1/Å", rmse["before"], rmse["after"])
        yield row("peptide", "its noise, 1/Å", rmse["noise"], rmse["noise"])
    if water:
        runs = [water[name] for name in ("before", "after", "target")]
        for name, start in water["start"].items():
            yield row("water", name, start, water["fitted"][name])
        for k, pair in enumerate(("OO", "OH", "HH")):
            errors = [run["rmse_g_OO_OH_HH"][k] for run in runs[:2]]
            yield row("water", f"error of g({pair})", *errors)
        yield row("water", "diffusion, 1e-9 m²/s", *(run["D_1e-9_m2_per_s"] for run in runs))
        for name in ("stretch", "bend"):
            yield row("water", f"{name}, 1/cm", *(run[f"{name}_per_cm"] for run in runs))
    if gap:
        goal = gap["target"]
        high = goal.index(max(goal))
        quantities = {
            "maximum": ("first maximum of g(OO)", max(goal)),
            "minimum": ("first minimum of g(OO)", min(goal[high:])),
            "rmse": ("error of g(OO)", None),
            "forces_pbe_meV_per_A": ("error of forces, PBE-D3, meV/Å", None),
            "forces_revpbe_meV_per_A": ("error of forces, revPBE-D3, meV/Å", None),
        }
        for name, (quantity, wanted) in quantities.items():
            yield row("gap", quantity, *(gap[when][name] for when in ("before", "after")), wanted)


def hexagons(workers: int) -> dict[str, str]:
    """Potentials of rigid hexagons for lesson 12, learned with and without orientations."""
    from helpers.coarse_grained import compare_boxes, compare_with_beads, train_hexagons

    folder = Path("results") / "hexagons"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, orientations in (("hexagons", True), ("hexagons_blind", False)):
        started = time.process_time()
        trainer, training = train_hexagons(folder, orientations=orientations)
        seconds = time.process_time() - started
        errors = compare_with_beads(trainer.pair, trainer.best_parameters, trainer.dataset, every=2)
        if orientations:
            box = compare_boxes(trainer.pair, trainer.best_parameters)
        rows.append(
            {
                "file": f"{name}.npz",
                "test_loss": training.test_loss,
                "energy_rmse_over_range": errors.share_of_range,
                "force_rmse_over_rms": errors.force_ratio,
                "torque_rmse_over_rms": errors.torque_ratio,
                "cpu_seconds": round(seconds, 1),
            }
        )
        write_atomic(STORED / f"{name}.npz", training.model_path.read_bytes())
    tables = {
        "hexagons.csv": pd.DataFrame(rows),
        "hexagons_box.csv": box.summary,
        "hexagons_structure.csv": pd.concat(
            [table.assign(run=name) for name, table in box.structures.items()]
        ),
    }
    for name, table in tables.items():
        write_atomic(STORED / name, table.to_csv(index=False, float_format="%.5g"))
    return {
        "hexagons.npz": "potential of two rigid hexagons, learned from their motion "
        "(train_hexagons() of helpers.coarse_grained)",
        "hexagons_blind.npz": "the same, of the distance of the centers alone",
        "hexagons.csv": "errors of both on held-out runs; CPU seconds of data and training",
        "hexagons_box.csv": "64 hexagons in a heat bath, 40 τ, beads (twice) and hexagons.npz: "
        "energy of a body, temperature, diffusion coefficient (compare_boxes())",
        "hexagons_structure.csv": "g(r) and correlation of orientations of these three runs",
    }


def coarse_learning(workers: int) -> dict[str, str]:
    """Copy the tables of the study that benchmarks/coarse_learning.py has computed."""
    folder = Path(__file__).resolve().parents[1] / "benchmarks"
    files = {
        "coarse_learning.csv": "errors of pairs of hexagons learned from forces, differences of "
        "momenta, motion, places; fewer runs, frames further apart, noise; three seeds "
        "(benchmarks/coarse_learning.py)",
        "coarse_committee.csv": "committees of three of its force matchings: error against spread, "
        "in six groups of held-out contacts",
    }
    for name in files:
        write_atomic(STORED / name, (folder / name).read_bytes())
    return files


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
    "liquid": liquid,
    "ice": ice,
    "box_64": box_64,
    "failing_run": failing_run,
    "learning_curves": learning_curves,
    "through_simulations": through_simulations,
    "hexagons": hexagons,
    "coarse_learning": coarse_learning,
}


if __name__ == "__main__":
    main()
