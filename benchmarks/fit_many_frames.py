#!/usr/bin/env python
"""Ten thousand frames: seconds that grow with their number, and memory that does not.

The kit's own engine trains a small model on displaced copies of the shipped frames. Each size runs
in a process of its own that holds all frames of the largest, so that what differs is the fit. The
labels are those of the frames that were displaced: seconds and memory are measured, not errors.

    python benchmarks/fit_many_frames.py
    python benchmarks/fit_many_frames.py --sizes 1000 10000 --csv benchmarks/fit_many_frames.csv
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from ase import Atoms

from helpers import GapConfig, TwoBody, load_frames
from helpers.files import write_table
from helpers.gap.jax.training import train
from helpers.gap.process import RUSAGE_UNIT

LARGEST = 10_000
DISPLACEMENT_A = 0.01
CONFIG = GapConfig(n_max=4, l_max=2, n_sparse=60, two_body=TwoBody(cutoff=4.0, n_sparse=10))


def displaced_frames(number: int) -> list[Atoms]:
    """Return the shipped training frames, again and again, with random displacements."""
    shipped, rng = load_frames("water", "train"), np.random.default_rng(1)
    frames = []
    for k in range(number):
        atoms = shipped[k % len(shipped)].copy()
        atoms.positions += DISPLACEMENT_A * rng.standard_normal(atoms.positions.shape)
        frames.append(atoms)
    return frames


def train_here(size: int) -> None:
    """Train on the first `size` frames, and print what it cost as a line of JSON."""
    frames = displaced_frames(LARGEST)
    train(CONFIG, frames[:8])  # compiles
    before_MB = psutil.Process().memory_info().rss / 1e6
    clock, processor = time.perf_counter(), time.process_time()
    trained = train(CONFIG, frames[:size])
    peak_MB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RUSAGE_UNIT / 1e6
    result = {
        "n_frames": size,
        "n_sparse": trained.model.n_sparse,
        "cpu_seconds": time.process_time() - processor,
        "wall_seconds": time.perf_counter() - clock,
        "memory_MB": peak_MB - before_MB,
        "estimated_memory_MB": trained.estimated_memory_MB,
    }
    print(json.dumps(result))


def main() -> None:
    """Train on several numbers of frames; print the table, and store it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 3000, LARGEST])
    parser.add_argument("--csv", type=Path, help="store the table here")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.size:
        train_here(options.size)
        return
    rows = []
    for size in options.sizes:
        command = [sys.executable, __file__, "--size", str(size)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows).round(2)
    if options.csv:
        write_table(options.csv, table)


if __name__ == "__main__":
    main()
