"""Memory and time of a gradient through up to 100,000 steps, run backwards: long_run.csv, .png.

    .venv/bin/python benchmarks/through_simulations/long_run.py   # two minutes

50 Lennard-Jones atoms at 1 K with friction (Langevin, 1/γ = 1 ps). Each length runs in a process of
its own, whose largest memory the operating system tells; the gradient of a run that keeps
checkpoints at the best interval is beside it. The friction of the reversible run is rounded to a
fraction, so that after some thousand steps the two are different trajectories of one system, and
their gradients differ.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
STEPS = (500, 5_000, 20_000, 50_000, 100_000)


def one(steps: int, way: str) -> str:
    """Return a row: steps, way, peak memory, MB, what the run added to it, CPU s, the gradient."""
    import jax

    from helpers.differentiable import Fluid, simulate_reversibly
    from helpers.jax_setup import double_precision

    with double_precision():
        fluid = Fluid(steps=steps, thermostat="langevin", relaxation_fs=1000.0)
        draw = fluid.draw(0)
        options = {"simulation": simulate_reversibly}
        if way == "checkpoints":
            options = {"checkpoint_every": round(steps**0.5)}
        gradient = jax.jit(jax.grad(lambda sigma: fluid.loss(sigma, draw, **options)[0]))
        compiled = gradient.lower(0.45).compile()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        started = time.process_time()
        value = float(compiled(0.45))
        seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{steps},{way},{peak:.1f},{peak - before:.1f},{seconds:.2f},{value:.6g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--one", nargs=2, metavar=("STEPS", "WAY"), help="used by the script itself"
    )
    options = parser.parse_args()
    if options.one:
        print(one(int(options.one[0]), options.one[1]))
        return
    lines = ["steps,way,peak_MB,added_MB,cpu_s,gradient_nm_per_nm"]
    for way in ("reversible", "checkpoints"):
        for steps in STEPS if way == "reversible" else STEPS[:3]:
            command = [sys.executable, __file__, "--one", str(steps), way]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            lines.append(done.stdout.strip().splitlines()[-1])
            print(lines[-1], flush=True)
    (HERE / "long_run.csv").write_text("\n".join(lines) + "\n")
    draw_figure()


def draw_figure() -> None:
    import matplotlib.pyplot as plt

    from helpers.plots import BLUE, ORANGE, style

    table = pd.read_csv(HERE / "long_run.csv")
    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4))
        for (way, rows), color in zip(
            table.groupby("way", sort=False), (BLUE, ORANGE), strict=True
        ):
            left.semilogx(rows["steps"], rows["added_MB"], color=color, marker="o", label=way)
            right.loglog(rows["steps"], rows["cpu_s"], color=color, marker="o", label=way)
        left.set(
            title="Memory that the gradient adds", xlabel="time steps", ylabel="MB", ylim=(0, None)
        )
        right.set(title="Time", xlabel="time steps", ylabel="CPU s")
        left.legend()
        figure.savefig(HERE / "long_run.png")


if __name__ == "__main__":
    main()
