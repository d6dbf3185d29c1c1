"""The stages of the handout: errors and CPU seconds with its flags, and what better settings give.

Examples:
    python benchmarks/sagpr.py [frames.xyz …]
    python benchmarks/sagpr.py --choice training.xyz --csv choice.csv
    python benchmarks/sagpr.py --bulk coords_1000.xyz --csv bulk.csv

Without arguments the 200 labeled frames of the kit are used. For each file: the handout's stages
(200 features of each element and λ, n 8, l 6, cutoff 4 Å, σ 0.3 Å, both elements as centers, ζ 2),
then all features, and the settings of the workshop's own script. Errors: 150 random frames of 200
train (3 of 4 of fewer), five seeds, regularization by leave-one-out, in % of the standard deviation
per component. CPU seconds: of the four commands, on one core.

With --choice: errors of the estimator's settings on training frames alone, their trajectories left
out one by one. With --bulk: the boxes of 32 water molecules that the example water_bulk of TENSOAP
(github.com/dilkins/TENSOAP) holds as coords_1000.xyz; 500 random boxes train, the other 500 are the
test; what leaving out says of the training boxes is printed beside it. Further seeds split anew,
for the default and the two settings that came of it. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.files import write_table

HANDOUT = "-rc 4.0 -sg 0.3"
FLAGS = {
    "the handout's": f"{HANDOUT} -nc 200",
    "the same, only O": f"{HANDOUT} -nc 200 -c O",
    "the same, -rs 1 2 4": f"{HANDOUT} -nc 200 -rs 1 2 4",
    "the same, all features": HANDOUT,
    "the workshop's own": "-rc 5.0 -sg 0.4 -n 6 -l 5 -c O -s H O -rs 1 2 4 -nc 200",
}
BOTH = {"centers": ("H", "O")}
MIXED = {0: 1, 2: 2}
CHOICE = [
    {"centers": centers, "cutoff_A": cutoff_A, "zeta": zeta}
    for zeta in (1, MIXED, 2)
    for centers in (("O",), ("H", "O"))
    for cutoff_A in (4.0, 5.0, 6.0)
]
BULK = [
    {},
    {**BOTH, "cutoff_A": 6.0},
    {**BOTH, "cutoff_A": 6.0, "zeta": 2, "scaling_exponent": 5.0},
    {**BOTH, "cutoff_A": 6.0, "zeta": 2},
    {**BOTH, "cutoff_A": 6.0, "zeta": MIXED},
    {**BOTH, "cutoff_A": 6.0, "scaling_exponent": 5.0},
    {**BOTH, "cutoff_A": 6.0, "sigma_A": 0.3},
    {**BOTH, "cutoff_A": 6.0, "n_max": 8, "l_max": 6},
]


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", nargs="*", default=["gap_input_200.xyz"])
    parser.add_argument("--only", help="one of: " + "; ".join(FLAGS))
    parser.add_argument("--choice", help="training frames with polarizabilities and trajectories")
    parser.add_argument("--bulk", help="coords_1000.xyz of TENSOAP")
    parser.add_argument("--seeds", type=int, default=1, help="of the split of --bulk")
    parser.add_argument("--csv", help="also write the table of --choice or --bulk")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores; load averages at the start: {os.getloadavg()}")
    if options.choice or options.bulk:
        rows = choice(options.choice) if options.choice else bulk(options.bulk, options.seeds)
        table = []
        for row in rows:
            print(row, flush=True)
            table.append(row)
            if options.csv:  # whole or not at all, also if it is stopped
                write_table(options.csv, pd.DataFrame(table).round(2))
        return
    for frames in options.frames:
        print(f"\n{frames}: λ = 0 and λ = 2 in % (mean ± standard deviation of five seeds), CPU s")
        print(f"  {spreads(frames)}")
        for name, flags in FLAGS.items():
            if options.only in (None, name):
                with tempfile.TemporaryDirectory() as folder:
                    print(f"  {name}: {stages(frames, flags, Path(folder))}", flush=True)


def spreads(frames: str) -> str:
    """Return the standard deviation of λ = 2 as the kit and as TENSOAP divide by it."""
    from helpers.frames import find_frames_file, read_frames
    from helpers.sagpr.tensors import read_tensors, to_spherical

    components = to_spherical(read_tensors(read_frames(find_frames_file(frames)), threshold=1.0))[2]
    per_component = np.sqrt(components.var(0).mean())
    return f"std of λ = 2: per component {per_component:.3f}, all m together {components.std():.3f}"


def stages(frames: str, flags: str, folder: Path) -> str:
    """Run the commands; return errors and seconds as text."""
    from helpers.frames import find_frames_file, read_frames
    from helpers.sagpr.stages.train import train_on_kernels

    path = find_frames_file(frames).absolute()
    start = used_by_children()
    for k in (0, 2):
        run(folder, f"sagpr_get_PS -f {path} -lm {k} -p {flags} -o PS{k}")
    run(folder, "sagpr_get_kernel -ps PS0.npy -z 2 -s PS0_natoms.npy -o kernel0")
    run(folder, "sagpr_get_kernel -ps PS2.npy -ps0 PS0.npy -z 2 -s PS2_natoms.npy -o kernel2")
    kernels = "-k kernel0.npy kernel2.npy"
    n = len(read_frames(path))
    train = min(150, 3 * n // 4)
    run(folder, f"sagpr_train -r 2 -t 1.0 -f {path} {kernels} -rdm {train} -ftr 1.0 -pr")
    seconds = used_by_children() - start
    percent = []
    for seed in range(5):
        fit = train_on_kernels(
            read_frames(path),
            [folder / "kernel0.npy", folder / "kernel2.npy"],
            folder / "weights",
            threshold=1.0,
            random=train,
            predict=True,
            seed=seed,
        )
        percent.append(fit.test_errors["percent"][:2])
    means, stds = np.mean(percent, 0), np.std(percent, 0, ddof=1)
    errors = ", ".join(f"{m:.1f} ± {s:.1f}" for m, s in zip(means, stds, strict=True))
    return f"{errors}; {seconds:.0f} s"


def choice(path: str) -> Iterator[dict]:
    """Yield errors, in %, of trajectories left out one by one, for each of the settings."""
    from helpers.frames import find_frames_file, read_frames
    from helpers.sagpr import read_tensors

    frames = read_frames(find_frames_file(path))
    trajectories = [atoms.info["trajectory"] for atoms in frames]
    for settings in CHOICE:
        yield fit(settings, frames, read_tensors(frames), trajectories)[1]


def bulk(path: str, n_seeds: int) -> Iterator[dict]:
    """Yield errors, in %, of 500 boxes and of the 500 training boxes left out one by one."""
    import ase.io

    from helpers.sagpr import component_errors, read_tensors

    frames = ase.io.read(path, ":")
    tensors = read_tensors(frames, "alpha", threshold=2.0)
    for seed in range(n_seeds):
        order = np.random.default_rng(seed).permutation(len(frames))
        training, test = order[:500], order[500:]
        for settings in BULK if seed == 0 else BULK[:3]:
            model, row = fit(
                {**settings, "threshold": 2.0}, [frames[i] for i in training], tensors[training]
            )
            errors = component_errors(tensors[test], model.predict([frames[i] for i in test]))
            percent = dict(zip(("test_0", "test_2"), errors["percent"][:2], strict=True))
            yield {"seed": seed, **row, **percent}


def fit(settings: dict, frames: list, tensors: np.ndarray, groups: list | None = None) -> tuple:
    """Return the model, and a row: settings, left-out errors in %, CPU seconds on one core."""
    from helpers import SymmetryAdaptedKernelRidge

    model = SymmetryAdaptedKernelRidge(n_jobs=1, **settings)
    start = time.process_time()
    model.fit(frames, tensors, groups=groups)
    seconds = time.process_time() - start
    row = {
        name: getattr(model, name)
        for name in ("cutoff_A", "sigma_A", "n_max", "l_max", "scaling_exponent")
    }
    zeta = model.zeta if isinstance(model.zeta, dict) else dict.fromkeys((0, 2), model.zeta)
    left_out = dict(zip(("left_out_0", "left_out_2"), model.loo_errors_["percent"], strict=False))
    return model, {
        "centers": " ".join(model.centers),
        **row,
        "zeta_0": zeta[0],
        "zeta_2": zeta[2],
        **left_out,
        "cpu_s": seconds,
    }


def run(folder: Path, command: str) -> None:
    """Run a command of this environment in a folder, on one core."""
    name, *arguments = command.split()
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
    done = subprocess.run(
        [Path(sys.executable).parent / name, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **threads},
    )
    if done.returncode:
        raise SystemExit(done.stderr)


def used_by_children() -> float:
    """Return the CPU seconds that finished child processes took."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
