"""Is the potential fit for molecular dynamics, and what does a step cost? Numbers from real runs.

Example: python benchmarks/molecular_dynamics.py results/gap.xml --training-frames 200

First the proof of stability: from ten validation snapshots 0.5 ps at 300 K (Langevin), then 10 ps
at constant energy; energies, temperatures, structure and vibrations of these runs. Then the cost of
a step on one core against DFT. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Pin this process to one core, then run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a gap.xml")
    parser.add_argument("--picoseconds", type=float, default=10.0, help="of each NVE run")
    parser.add_argument("--runs", type=int, default=10, help="from so many snapshots")
    parser.add_argument("--training-frames", type=int, default=200, help="of the model")
    parser.add_argument("--training-seconds", type=float, default=135.0)
    parser.add_argument("--dft", action="store_true", help="compute one frame with CP2K here")
    parser.add_argument("--no-stability", action="store_true", help="the cost only")
    parser.add_argument("--core", type=int, default=0, help="where to pin (Linux only)")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.core})
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"One core of {os.cpu_count()}; load averages at the start: {load}", flush=True)
    if not options.no_stability:
        runs = stability(options)
        what_they_show(runs)
        time_steps(options)
    cost(options)


def stability(options: argparse.Namespace) -> list:
    """Run ten times, at constant temperature and then at constant energy."""
    from helpers import load_frames, load_potential
    from helpers.md.quality import block_mean, energy_drift, energy_fluctuation_meV_per_atom
    from helpers.md.runs import run_replicas

    potential = load_potential(options.model, engine="jax")
    snapshots = load_frames("water", "validate")[: options.runs]
    seeds = list(range(options.runs))
    warm = run_replicas(
        potential, snapshots, seeds=seeds, steps=1000, thermostat="langevin", relaxation_fs=50
    )
    print("\nNVT, 300 K, Langevin: the second half of 0.5 ps")
    for run in warm.runs:
        print(f"  {block_mean(run.after(250).temperature_K)} K  {run.stopped}")
    all_of_it = block_mean(_joined([run.after(250).temperature_K for run in warm.runs]))
    print(f"  all: {all_of_it} K", flush=True)
    starts = [run.frames()[-1] for run in warm.runs]
    steps = round(options.picoseconds * 1000 / 0.5)
    cold = run_replicas(potential, starts, seeds=seeds, steps=steps, keep_velocities=True)
    print(
        f"\nNVE, {options.picoseconds:g} ps at 0.5 fs: T (K), drift (meV/atom/ps), σ(E) (meV/atom)"
    )
    for run in cold.runs:
        print(
            f"  {block_mean(run.temperature_K)}   {energy_drift(run)}   "
            f"{energy_fluctuation_meV_per_atom(run):.4f}   {run.stopped or 'stable'}",
            flush=True,
        )
    return list(cold.runs)


def what_they_show(runs: list) -> None:
    """Print structure, vibrations and diffusion of the runs beside those of the DFT frames."""
    import numpy as np

    from helpers import load_frames
    from helpers.errors import DataError
    from helpers.md.diffusion import diffusion_coefficient
    from helpers.md.structure import compare_structure, radial_distributions
    from helpers.md.vibrations import band_maximum_per_cm, vibrational_density_of_states

    frames = [atoms for run in runs for atoms in run.frames(every=50)]
    theirs = load_frames("water", "train") + load_frames("water", "validate")
    table = compare_structure(
        radial_distributions(frames, n_frames=1000), radial_distributions(theirs)
    )
    print("\nfirst peaks of g(r) between molecules, Å, and neighbors up to the minimum")
    print(table.to_string(index=False, float_format="{:.3f}".format))
    spectra = [vibrational_density_of_states(run) for run in runs]
    mean = sum(spectrum for spectrum in spectra) / len(spectra)
    bands = {band: band_maximum_per_cm(mean, band) for band in ("bend", "stretch")}
    print("vibrations, 1/cm: " + ", ".join(f"{name} {x:.0f}" for name, x in bands.items()))
    try:
        found = [diffusion_coefficient(run, n_blocks=2).value for run in runs]
        error = np.std(found, ddof=1) / np.sqrt(len(found))
        print(f"diffusion of O: {np.mean(found):.2f} ± {error:.2f} 10⁻⁹ m²/s", flush=True)
    except DataError as error:
        print(error)


def time_steps(options: argparse.Namespace) -> None:
    """Print how the error of the energy depends on the time step: it should fall as its square."""
    from helpers import load_potential, run_nve
    from helpers.md.quality import energy_drift, energy_fluctuation_meV_per_atom

    potential = load_potential(options.model, engine="jax")
    print("\ntime step, fs   σ(E), meV/atom   σ/dt²   drift, meV/atom/ps   (0.5 ps, snapshot 1)")
    for timestep_fs in (0.25, 0.5, 1.0):
        run = run_nve(
            potential,
            1,
            steps=round(500 / timestep_fs),
            timestep_fs=timestep_fs,
            record_every=1,
            engine="ase",
            progress=False,
        ).after(20)
        sigma = energy_fluctuation_meV_per_atom(run)
        drift = energy_drift(run)
        print(
            f"{timestep_fs:10.2f} {sigma:16.4f} {sigma / timestep_fs**2:10.4f}   {drift}",
            flush=True,
        )


def cost(options: argparse.Namespace) -> None:
    """Print what a step costs, driven by ASE and compiled, against DFT."""
    from helpers import load_frames, load_potential, run_nve
    from helpers.md.cost import Cost, recorded_dft_seconds, step_cost

    frames = load_frames("water", "train") + load_frames("water", "validate")
    seconds = {"recorded with the data (wall, the fastest frame)": recorded_dft_seconds(frames)}
    if options.dft:
        seconds["here, now (processor)"] = dft_seconds()
    potential = load_potential(options.model, engine="jax")
    for engine, steps in (("ase", 300), ("compiled", 1000)):
        run = run_nve(potential, 1, steps=steps, engine=engine, progress=False)
        step = step_cost(run)
        print(
            f"\n{engine}: {1000 * step.clock_s:.2f} ms a step on the clock, "
            f"{1000 * step.processor_s:.2f} ms of the processor"
        )
        for name, dft in seconds.items():
            account = Cost(step, dft, options.training_frames, options.training_seconds)
            print(
                f"  DFT {name}: {dft:.1f} s: {account.ratio:.0f} × on the clock, "
                f"{dft / step.processor_s:.0f} × by processor time; "
                f"pays after {account.break_even_steps:.0f} steps"
            )


def dft_seconds() -> float:
    """Return the processor seconds of CP2K for the energy and forces of one validation frame."""
    from ase.io import write

    from helpers import load_frames

    with tempfile.TemporaryDirectory() as folder:
        write(f"{folder}/in.xyz", load_frames("water", "validate")[0], format="extxyz")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, ROOT / "data/water/generate/label.py", f"{folder}/in.xyz"]
        subprocess.run([*command, "--labels", f"{folder}/labels"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _joined(parts: list):
    import numpy as np

    return np.concatenate(parts)


if __name__ == "__main__":
    main()
