#!/usr/bin/env python
"""What sweeps save: a second worker, one K_NM for many sigmas, the cache. Ratios from one run.

    python benchmarks/sweeps.py
    python benchmarks/sweeps.py workers --train 50 --small

A learning curve with two workers against one (goal: at least 1.8; four fits of nearly equal
length). Ten sigmas against one plain gap_fit of the same frames (goal: at most 1.5), of which the
sweep does one itself. The same sweep again, from the cache (goal: at least 100). The last line is
the time of one redraw of the overfitting explorer (goal: under 0.5 s).
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from helpers import GapConfig, explore_sigmas, fit_gap, learning_curve, load_frames, sweep


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall time and processor time (with that of child processes) of one call, s."""
    start, used = time.perf_counter(), _processor_seconds()
    work()
    return time.perf_counter() - start, _processor_seconds() - used


def _processor_seconds() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def shown(name: str, first: tuple[float, float], second: tuple[float, float]) -> None:
    """Print both times and their ratio."""
    clock, processor = (a / b for a, b in zip(first, second, strict=True))
    print(
        f"{name:34s} {first[0]:8.1f} s {second[0]:8.1f} s   "
        f"ratio {clock:7.2f} (clock) {processor:7.2f} (processor)",
        flush=True,
    )


def workers(options: argparse.Namespace, config: GapConfig, folder: Path) -> None:
    """Compare one worker with two."""
    curve = {"sizes": [options.train], "repeats": 4, "progress": False}
    one, two = (
        measured(lambda n=n: learning_curve(config, workers=n, cache=folder / str(n), **curve))
        for n in (1, 2)
    )
    shown("4 fits, 1 worker / 2 workers", one, two)


def sigmas(options: argparse.Namespace, config: GapConfig, folder: Path) -> None:
    """Compare ten sigmas with one gap_fit, and with the cache."""
    frames = load_frames("water", "train", options.train)
    plain = measured(lambda: fit_gap(config, frames, output=folder / "gap.xml", progress=False))
    settings = {"sizes": [options.train], "config": config, "cache": folder / "cache"}
    values = [0.001 * 10**power for power in np.linspace(-2, 2, 10)]

    def ten_sigmas() -> object:
        return sweep({"default_sigma": values}, progress=False, **settings)

    many = measured(ten_sigmas)
    shown("10 sigmas / one plain gap_fit", many, plain)
    shown("10 sigmas / again, from the cache", many, measured(ten_sigmas))
    validation = load_frames("water", "validate")[:30]
    explorer = explore_sigmas(folder / "gap.xml", frames, validation, config=config)
    slider = explorer.widget().children[0]

    def redraw() -> None:
        slider.value *= 1.1

    times = sorted(measured(redraw) for _ in range(5))
    print("one redraw of the explorer: {:.2f} s (clock), {:.2f} s (processor)".format(*times[2]))


def main() -> None:
    """Run the comparisons in a scratch folder and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = {"workers": workers, "sigmas": sigmas}
    parser.add_argument("parts", nargs="*", default=list(parts), metavar="workers|sigmas")
    parser.add_argument("--train", type=int, default=100, help="default: %(default)s frames")
    parser.add_argument("--small", action="store_true", help="a small model")
    options = parser.parse_args()
    config = GapConfig(n_max=4, n_sparse=200) if options.small else GapConfig()
    print(f"load average before: {os.getloadavg()[0]:.2f}")
    for part in options.parts:
        with tempfile.TemporaryDirectory() as name:
            parts[part](options, config, Path(name))


if __name__ == "__main__":
    main()
