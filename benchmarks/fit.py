#!/usr/bin/env python
"""Training with the kit's own engine against gap_fit: CPU seconds, memory, errors.

Both engines train the same preset on the same frames, each in a process of its own on one core.
Errors are those of the validation frames; those of the kit's engine are told for several seeds,
which choose the sparse points. Ten sigmas are ten models from one K_NM, with their errors, chosen
and solved without gap_fit. Two cores are compared by the clock, which says little on a machine that
does other work. The accurate preset takes gap_fit ten minutes or more and 7 GB.

    python benchmarks/fit.py
    python benchmarks/fit.py engines sigmas --seeds 5
    python benchmarks/fit.py --accurate
    python benchmarks/fit.py engines --accurate --only jax
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from helpers import GapConfig, evaluate, fit_gap, load_frames
from helpers.frames import find_frames_file, read_frames
from helpers.sweeps.compute import Task, compute

N_SIGMAS = 10


def measure(work: str, options: argparse.Namespace, *, seed: int = 1, cores: int = 1) -> dict:
    """Do one piece of work in a new process on one or two cores; return what it cost."""
    arguments = ["--work", work, "--seed", str(seed), "--cores", str(cores)]
    arguments += ["--accurate"] if options.accurate else []
    done = subprocess.run(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict = json.loads(done.stdout.splitlines()[-1])
    print(f"{work}, seed {seed}, {cores} core(s): {result}", flush=True)
    return result


def work_here(options: argparse.Namespace) -> None:
    """Do one piece of work in this process, and print the result as a line of JSON."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    preset = GapConfig.accurate() if options.accurate else GapConfig()
    config = preset.replace(rnd_seed=options.seed)
    training = read_frames(find_frames_file(config.atoms_filename))
    if options.work == "sigmas":
        result = _ten_sigmas(config, training)
    else:
        result = _fit(config, training, options.work)
    print(json.dumps(result))


def _fit(config: GapConfig, training: list, engine: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        fit = fit_gap(
            config, training, output=Path(folder, "gap.xml"), engine=engine, progress=False
        )
        errors = evaluate(fit.model_path, load_frames("water", "validate"), progress=False)
    return {
        "cpu_seconds": fit.cpu_seconds,
        "wall_seconds": fit.wall_seconds,
        "peak_memory_MB": fit.peak_memory_MB,
        "estimated_memory_MB": fit.estimated_memory_MB or float("nan"),
        "meV_per_atom": errors.rmse_energy_meV_per_atom,
        "meV_per_A": errors.rmse_forces_meV_per_A,
    }


def _ten_sigmas(config: GapConfig, training: list) -> dict[str, float]:
    factors = 10 ** np.linspace(-1, 1, N_SIGMAS)
    configs = [
        config.replace(default_sigma=tuple(factor * sigma for sigma in config.default_sigma))
        for factor in factors.tolist()
    ]
    keys = tuple(f"{factor:.3g}" for factor in factors)
    task = Task(keys, tuple(configs), training, load_frames("water", "validate"), engine="jax")
    start = time.process_time()
    outcomes = compute(task)
    assert not any(outcome.failure for outcome in outcomes), outcomes[0].failure
    return {"cpu_seconds": time.process_time() - start}


def main() -> None:
    """Run what was asked for and print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("engines", "sigmas", "cores")
    parser.add_argument("parts", nargs="*", default=list(parts), metavar="engines|sigmas|cores")
    parser.add_argument("--accurate", action="store_true", help="the preset of 400 frames")
    parser.add_argument("--seeds", type=int, default=5, help="of the kit's engine; default: 5")
    parser.add_argument("--only", choices=("jax",), help="without gap_fit, whose time is known")
    parser.add_argument("--work", choices=("gap_fit", "jax", "sigmas"), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--cores", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work_here(options)
        return
    print(f"load average before: {os.getloadavg()[0]:.2f}")
    theirs = None if options.only else measure("gap_fit", options)
    if "engines" in options.parts:
        ours = [measure("jax", options, seed=seed) for seed in range(1, options.seeds + 1)]
        mean = {name: float(np.mean([one[name] for one in ours])) for name in ours[0]}
        for name, value in mean.items():
            ratio = f"; gap_fit over jax {theirs[name] / value:.2f}" if theirs else ""
            print(f"{name}: jax {value:.4g}{ratio}")
    if "sigmas" in options.parts:
        many = measure("sigmas", options)
        if theirs:
            ratio = many["cpu_seconds"] / theirs["cpu_seconds"]
            print(f"{N_SIGMAS} sigmas over one gap_fit: {ratio:.2f} (processor)")
    if "cores" in options.parts:
        one, two = (measure("jax", options, cores=cores)["wall_seconds"] for cores in (1, 2))
        print(f"two cores: {one / two:.2f} times faster (clock)")


if __name__ == "__main__":
    main()
