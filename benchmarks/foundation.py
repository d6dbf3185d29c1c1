#!/usr/bin/env python
"""What the kit adds to gap_fit, and what a second process gains. Ratios from one run.

fit_gap does the work of the bare binary plus checks, progress and safe writing: the ratio of
their wall times says what that costs (goal: at most 1.03). evaluate shares frames between
processes: the ratio of one process to two says what that gains (goal: at least 1.8).

    python benchmarks/foundation.py --repeats 3
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from helpers import GapConfig, evaluate, fit_gap, load_frames
from helpers.frames import find_frames_file
from helpers.gap.process import find_gap_fit


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of one call, s."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(first: Callable[[], object], second: Callable[[], object], repeats: int) -> tuple:
    """Return median wall times of two pieces of work, taken in turns, s."""
    times = [(seconds(first), seconds(second)) for _ in range(repeats)]
    return tuple(statistics.median(column) for column in zip(*times, strict=True))


def main() -> None:
    """Run both comparisons in a scratch folder and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    repeats = parser.parse_args().repeats
    print(f"load average before: {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = GapConfig(atoms_filename=str(find_frames_file("gap_input_100.xyz")))
        config.replace(gap_file="bare.xml").write(folder / "gap_config.cfg")
        command = [str(find_gap_fit()), "config_file=gap_config.cfg"]
        model = folder / "kit.xml"
        bare, kit = compare(
            lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True),
            lambda: fit_gap(config, output=model),
            repeats,
        )
        print(f"fit, 100 frames        bare gap_fit {bare:7.2f} s   fit_gap {kit:7.2f} s")
        print(f"  fit_gap / gap_fit    {kit / bare:.3f}   (goal: at most 1.03)")

        frames = load_frames("water", "train", 400)
        cold = [seconds(lambda n=n: evaluate(model, frames, processes=n)) for n in (1, 2)]
        one, two = compare(
            lambda: evaluate(model, frames, processes=1),
            lambda: evaluate(model, frames, processes=2),
            repeats,
        )
        print(f"evaluation, 400 frames 1 process {one:7.2f} s   2 processes {two:7.2f} s")
        print(f"  first call           {cold[0] / cold[1]:.2f}   (processes still to be started)")
        print(f"  later calls          {one / two:.2f}   (goal: at least 1.8)")


if __name__ == "__main__":
    main()
