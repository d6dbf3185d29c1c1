#!/usr/bin/env python
"""Training with the kit's own engine against gap_fit: CPU seconds, memory, errors; one core.

Both engines train the same preset on the same frames, each in a process of its own. Errors are
those of the validation frames; those of the kit's engine are told for several seeds, which choose
the sparse points. The accurate preset takes gap_fit about ten minutes.

    python benchmarks/fit.py
    python benchmarks/fit.py --accurate
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from helpers import GapConfig, evaluate, fit_gap, load_frames


def measure(engine: str, *, accurate: bool, seed: int) -> dict[str, float]:
    """Train in a new process on one core; return what it cost and what it is worth."""
    arguments = ["--engine", engine, "--seed", str(seed), *(["--accurate"] if accurate else [])]
    done = subprocess.run(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def train_here(engine: str, *, accurate: bool, seed: int) -> None:
    """Train on one core of this process, and print the result as a line of JSON."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    config = (GapConfig.accurate() if accurate else GapConfig()).replace(rnd_seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        fit = fit_gap(config, output=Path(folder, "gap.xml"), engine=engine, progress=False)
        found = evaluate(fit.model_path, load_frames("water", "validate"), progress=False)
    result = {
        "cpu_seconds": fit.cpu_seconds,
        "peak_memory_MB": fit.peak_memory_MB,
        "meV_per_atom": found.rmse_energy_meV_per_atom,
        "meV_per_A": found.rmse_forces_meV_per_A,
    }
    print(json.dumps(result))


def main() -> None:
    """Run both engines and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accurate", action="store_true", help="the preset of 400 frames")
    parser.add_argument("--seeds", type=int, default=2, help="of the kit's engine; default: 2")
    parser.add_argument("--engine", choices=("gap_fit", "jax"), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        train_here(options.engine, accurate=options.accurate, seed=options.seed)
        return
    theirs = measure("gap_fit", accurate=options.accurate, seed=1)
    ours = [
        measure("jax", accurate=options.accurate, seed=seed) for seed in range(1, options.seeds + 1)
    ]
    mean = {name: float(np.mean([one[name] for one in ours])) for name in theirs}
    print(f"{'':16}{'gap_fit':>10}{'jax':>10}")
    for name, value in theirs.items():
        print(f"{name:16}{value:10.3f}{mean[name]:10.3f}")
    for name in ("cpu_seconds", "peak_memory_MB"):
        print(f"{name}: gap_fit over jax {theirs[name] / mean[name]:.1f}")


if __name__ == "__main__":
    main()
