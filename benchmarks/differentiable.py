"""Gradients through simulations: time, memory, and what the three examples find over seeds.

    .venv/bin/python benchmarks/differentiable.py             # ratios and memory, a minute
    .venv/bin/python benchmarks/differentiable.py --examples  # ten seeds of each, some minutes

Times are of one run after compilation, the smallest of several, in turns. Where PyTorch is
installed (it is no part of the kit), the fluid in PyTorch is measured, too. --examples writes
differentiable_examples.csv.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import pandas as pd

from helpers.differentiable import (
    Fluid,
    angle_loss,
    fit_angle,
    fit_sigma,
    fit_triangle,
    memory_needed_MB,
    simulate_reversibly,
    stack,
)
from helpers.files import write_table
from helpers.jax_setup import double_precision, enable_compilation_cache


def smallest_ms(functions, n_times=5, seconds=3.0):
    """Return the smallest time of each of some compiled functions, called in turns.

    At least `n_times`, and for some seconds: what takes less than a millisecond is measured often.
    """
    times = {name: [] for name in functions}
    begun = time.perf_counter()
    while len(min(times.values(), key=len)) < n_times or time.perf_counter() < begun + seconds:
        for name, (function, arguments) in functions.items():
            start = time.perf_counter()
            jax.block_until_ready(function(*arguments))
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: min(values) for name, values in times.items()}


def ratios(title, loss, reversible, at):
    functions = {
        "simulation": loss,
        "gradient, every state stored": jax.grad(lambda x: loss(x)),
        "gradient, each step computed again": jax.grad(lambda x: loss(x, checkpoint_every=1)),
        "gradient, reversible": jax.grad(reversible),
        "forward mode, one parameter": lambda x: jax.jvp(loss, (x,), (1.0,))[1],
    }
    compiled = {
        name: (jax.jit(function).lower(at).compile(), (at,)) for name, function in functions.items()
    }
    for function, arguments in compiled.values():
        jax.block_until_ready(function(*arguments))
    table = pd.Series(smallest_ms(compiled))
    print(f"\n{title}")
    print(pd.DataFrame({"ms": table.round(2), "times": (table / table.iloc[0]).round(2)}))


def memory_row(steps):
    fluid = Fluid(steps=steps, thermostat="langevin", relaxation_fs=1000.0)
    draw = fluid.draw(0)

    def needed(**options):
        return memory_needed_MB(jax.grad(lambda s: fluid.loss(s, draw, **options)[0]), 0.45)

    return {
        "steps": steps,
        "every step stored": needed(),
        "checkpoints": needed(checkpoint_every=round(steps**0.5)),
        "reversible": needed(simulation=simulate_reversibly),
    }


def memory():
    print("\nMemory of the gradient, 50 atoms, MB")
    rows = pd.DataFrame([memory_row(steps) for steps in (500, 5000, 50_000)])
    print(rows.round(2).to_string(index=False))


def examples():
    rows = []

    def add(fit, seed, end):
        rows.append({"fit": fit, "seed": seed, "end": float(end)})
        print(f"{fit}, seed {seed}: {end:.4f}", flush=True)

    enable_compilation_cache()  # seeds share what is compiled
    slower = optax.cosine_decay_schedule(0.02, 60)
    for seed in range(10):
        add("σ, published", seed, fit_sigma(seed=seed).table["sigma_nm"].iloc[-1])
        add("triangle, published", seed, fit_triangle(seed=seed).table["side_nm"].iloc[-1])
        table = fit_triangle(seed=seed, rate=slower, epochs=60).table
        add("triangle, decaying rate", seed, table["side_nm"].iloc[-1])
    decaying = optax.exponential_decay(0.1, 1, 0.9)  # faster, and it stops on the way
    result = fit_angle(epochs=50, rate=decaying, steps=1500, average_over=1000)
    add("angle, decaying rate", 0, result.table["angle_deg"].iloc[-1])
    table = pd.DataFrame(rows)
    write_table(Path(__file__).with_name("differentiable_examples.csv"), table.round(5))
    print(table.groupby("fit")["end"].agg(["min", "mean", "max"]).round(4))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", action="store_true", help="ten seeds of each example")
    options = parser.parse_args()
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}")
    with double_precision():
        if options.examples:
            examples()
            return
        fluid = Fluid()
        draw = fluid.draw(0)
        ratios(
            "50 atoms, 500 steps, rescaling",
            lambda s, **more: fluid.loss(s, draw, **more)[0],
            lambda s: fluid.loss(s, draw, simulation=simulate_reversibly)[0],
            jnp.asarray(0.45),
        )
        ratios(
            "two triatomics, 150 steps, Berendsen",
            lambda a, **more: angle_loss(a, **more)[0],
            lambda a: angle_loss(a, simulation=simulate_reversibly)[0],
            jnp.asarray(1.9),
        )
        draws = stack([fluid.draw(seed) for seed in range(32)])
        one = jax.jit(jax.grad(lambda s, d: fluid.loss(s, d, checkpoint_every=1)[0]))
        many = jax.jit(
            jax.grad(
                lambda s, d: jax.vmap(lambda x: fluid.loss(s, x, checkpoint_every=1)[0])(d).mean()
            )
        )
        first = jax.tree.map(lambda rows: rows[0], draws)
        calls = {"one seed": (one, (0.45, first)), "32 seeds": (many, (0.45, draws))}
        for function, arguments in calls.values():
            jax.block_until_ready(function(*arguments))
        times = smallest_ms(calls, 3)
        ratio = times["32 seeds"] / times["one seed"]
        print(f"\n32 seeds at once take {ratio:.1f} times as long as one")
        memory()
    if importlib.util.find_spec("torch"):
        from through_simulations import torch_beside

        torch_beside.main()
    else:
        print("\nPyTorch is not installed (pip install torch): the kit was measured alone")


if __name__ == "__main__":
    main()
