"""Polarizabilities and a Raman spectrum: how accurate, how fast? Numbers from real runs.

Example: python benchmarks/polarizability.py results/gap.xml

First the accuracy of the shipped settings and of the best that were found, on frames held out at
random and on whole trajectories held out, and what 200 and 500 features cost. Then the time of
descriptors, kernels and fit on one core, beside featomic's own power spectra. Then, with a
potential, a Raman spectrum of 20 ps on two cores. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

# Settings that were tried, and what leave-one-out said of them.
CANDIDATES = {
    "default": {},
    "best found: zeta 2 for λ = 2": {"zeta": {0: 1, 2: 2}},
    "zeta 2 for both": {"zeta": 2},
    "centers O and H": {"centers": ("H", "O")},
    "centers H": {"centers": ("H",)},
    "no radial scaling": {"scaling_exponent": 0.0},
    "cutoff 4 Å": {"cutoff_A": 4.0},
    "cutoff 6 Å": {"cutoff_A": 6.0},
    "sigma 0.3 Å": {"sigma_A": 0.3},
    "sigma 0.5 Å": {"sigma_A": 0.5},
    "n 8, l 6": {"n_max": 8, "l_max": 6},
}
FIT = """
import re, resource
from pathlib import Path
from helpers import SymmetryAdaptedKernelRidge
from helpers.sagpr.tensors import labeled_frames
frames, tensors, _ = labeled_frames()
def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
start = used()
SymmetryAdaptedKernelRidge(centers={centers}, n_jobs=1).fit(frames, tensors)
seconds = used() - start
# Not ru_maxrss: on Linux it counts the process that started this one.
status = Path("/proc/self/status")
peak = int(re.search(r"VmHWM:\\s*(\\d+)", status.read_text())[1]) if status.exists() else 0
print(seconds, peak * 1024 / 1e6)
"""


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("potential", nargs="?", help="a gap.xml, for the Raman spectrum")
    parser.add_argument("--picoseconds", type=float, default=20.0)
    parser.add_argument("--no-accuracy", action="store_true", help="the times only")
    options = parser.parse_args()
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{os.cpu_count()} cores; load averages at the start: {load}", flush=True)
    if not options.no_accuracy:
        accuracy()
    times()
    if options.potential:
        raman(options.potential, options.picoseconds)


def accuracy() -> None:
    """Print errors of frames held out, of trajectories held out, and by leaving out."""
    from helpers import SymmetryAdaptedKernelRidge
    from helpers.sagpr.model_selection import compare_features, cross_validate_splits, summary
    from helpers.sagpr.tensors import labeled_frames

    frames, tensors, trajectories = labeled_frames()
    print("\nErrors of λ = 0 and λ = 2 in % of the standard deviation: 50 frames held out, five")
    print("seeds, mean ± standard deviation; whole trajectories held out; left out one by one")
    for name, settings in CANDIDATES.items():
        model = SymmetryAdaptedKernelRidge(**settings)
        table = summary(cross_validate_splits(model, frames, tensors, trajectories))
        parts = [
            f"{mean:.1f} ± {std:.1f}" for mean, std in table[["percent", "percent_std"]].values
        ]
        left_out = model.fit(frames, tensors).loo_errors_["percent"][:2]
        print(f"  {name}: {parts}, {left_out.round(1).tolist()}", flush=True)
    search(frames, tensors, trajectories)
    print("\nFeatures kept (asked for, and kept of each λ), errors in %, files in MB")
    table = compare_features(SymmetryAdaptedKernelRidge(), frames, tensors)
    print(table.to_string(index=False, float_format="{:.2f}".format), flush=True)


def search(frames: list, tensors: np.ndarray, trajectories: np.ndarray) -> None:
    """Print what the search finds without the trajectories held out, and errors of these."""
    from helpers import SymmetryAdaptedKernelRidge
    from helpers.sagpr.model_selection import halving_search, train_test_split
    from helpers.sagpr.tensors import component_errors

    known, unseen = train_test_split(len(frames), 50, 0, trajectories)
    some = [frames[k] for k in known]
    found = halving_search(some, tensors[known], trajectories=trajectories[known])
    print(f"\nSearch by halving on {len(known)} frames, trajectories left out: the last two rounds")
    table = found.table
    last = table[table["rung"] >= table["rung"].max() - 1].sort_values(["rung", "score"])
    print(last.to_string(index=False, float_format="{:.2f}".format), flush=True)
    default = SymmetryAdaptedKernelRidge().fit(some, tensors[known], groups=trajectories[known])
    for name, model in (("found", found.best), ("default", default)):
        predicted = model.predict([frames[k] for k in unseen])
        percent = component_errors(tensors[unseen], predicted)["percent"][:2]
        print(
            f"  {name}, {len(unseen)} frames never seen: {percent.round(1).tolist()} %", flush=True
        )


def times() -> None:
    """Print what descriptors, kernels and fit take on one core."""
    from featomic import SphericalExpansion
    from featomic.clebsch_gordan import EquivariantPowerSpectrum
    from metatensor import Labels

    from helpers.sagpr.lambda_soap import LambdaSoap, batches, environments, expansion_settings
    from helpers.sagpr.tensors import labeled_frames

    print("\n200 frames on one core: descriptors, kernels, fit with leave-one-out, in CPU s and MB")
    for centers in (("O",), ("H", "O")):
        command = [sys.executable, "-c", FIT.format(centers=centers)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=_one_core())
        seconds, memory = map(float, done.stdout.split())
        print(f"  centers {' and '.join(centers)}: {seconds:.1f} s, {memory:.0f} MB", flush=True)
    frames, _, _ = labeled_frames()
    settings = LambdaSoap(centers=("H", "O"))
    keys = Labels(["o3_lambda", "o3_sigma"], np.array([[0, 1], [2, 1]]))
    theirs = EquivariantPowerSpectrum(
        SphericalExpansion(**expansion_settings(settings)), neighbor_types=[1, 8]
    )
    environments(frames[:1], settings, [0, 2])
    routes = {
        "here": lambda some: environments(some, settings, [0, 2]),
        "featomic": lambda some: theirs.compute(
            list(some), selected_keys=keys, neighbors_to_properties=True
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in routes}
    for _ in range(3):  # in turns; the best of three
        for name, route in routes.items():
            start = time.process_time()
            for batch in batches(len(frames)):
                route(frames[batch])
            seconds[name].append(time.process_time() - start)
    ours, plain = (min(seconds[name]) for name in routes)
    print(
        f"  descriptors of all centers alone: {ours:.1f} s; featomic's own route {plain:.1f} s, "
        f"{plain / ours:.1f} times as long"
    )


def raman(potential: str, picoseconds: float) -> None:
    """Print how long a Raman spectrum takes, and where its bands are."""
    from helpers.raman.command import run_raman_job

    print(f"\nRaman spectrum of {picoseconds:g} ps", flush=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run_raman_job(potential, folder, picoseconds=picoseconds, progress=False)
    print(f"  in all {time.perf_counter() - start:.0f} s on the clock")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak memory {peak:.0f} MB")


def _one_core() -> dict[str, str]:
    return {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS"), "1")}


if __name__ == "__main__":
    main()
