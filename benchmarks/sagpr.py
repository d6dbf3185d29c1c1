"""The stages of the handout: errors and CPU seconds with its flags, and what better settings give.

Example: python benchmarks/sagpr.py [frames.xyz …]

Without arguments the 200 labeled frames of the kit are used. For each file: the handout's stages
(200 features of each element and λ, n 8, l 6, cutoff 4 Å, σ 0.3 Å, both elements as centers, ζ 2),
then all features, and the settings of the workshop's own script. Errors: 150 random frames of 200
train (3 of 4 of fewer), five seeds, regularization by leave-one-out, in % of the standard deviation
per component. CPU seconds: of the four commands, on one core. Then the choice of settings for
liquids: leave-one-trajectory-out errors of the training trajectories. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HANDOUT = "-rc 4.0 -sg 0.3"
FLAGS = {
    "the handout's": f"{HANDOUT} -nc 200",
    "the same, only O": f"{HANDOUT} -nc 200 -c O",
    "the same, -rs 1 2 4": f"{HANDOUT} -nc 200 -rs 1 2 4",
    "the same, all features": HANDOUT,
    "the workshop's own": "-rc 5.0 -sg 0.4 -n 6 -l 5 -c O -s H O -rs 1 2 4 -nc 200",
}
CENTERS = {"O": ("O",), "H and O": ("H", "O")}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", nargs="*", default=["gap_input_200.xyz"])
    parser.add_argument("--no-choice", action="store_true", help="the stages only")
    parser.add_argument("--only", help="one of: " + "; ".join(FLAGS))
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores; load averages at the start: {os.getloadavg()}")
    for frames in options.frames:
        print(f"\n{frames}: λ = 0 and λ = 2 in % (mean ± standard deviation of five seeds), CPU s")
        print(f"  {spreads(frames)}")
        for name, flags in FLAGS.items():
            if options.only in (None, name):
                with tempfile.TemporaryDirectory() as folder:
                    print(f"  {name}: {stages(frames, flags, Path(folder))}", flush=True)
    if not options.no_choice:
        choice()


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


def choice() -> None:
    """Print leave-one-trajectory-out errors by center and cutoff, of the training frames alone."""
    from helpers import SymmetryAdaptedKernelRidge
    from helpers.sagpr.tensors import labeled_frames

    frames, tensors, trajectories = labeled_frames()
    print("\nTrajectories left out one by one, λ = 0 and λ = 2 in %:")
    for name, centers in CENTERS.items():
        for cutoff_A in (4.0, 5.0, 6.0):
            model = SymmetryAdaptedKernelRidge(cutoff_A=cutoff_A, centers=centers, n_jobs=1)
            errors = model.fit(frames, tensors, groups=trajectories).loo_errors_
            print(f"  centers {name}, {cutoff_A:g} Å: {errors['percent'][:2].round(1).tolist()}")


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
