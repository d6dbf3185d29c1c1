"""Gradients through simulations: time, memory, and what the three examples find over seeds.

    .venv/bin/python benchmarks/differentiable.py             # ratios and memory, a minute
    .venv/bin/python benchmarks/differentiable.py --examples  # ten seeds of each, some minutes

Times are of one run after compilation, the smallest of several, in turns.
"""

from __future__ import annotations

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
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
)
from helpers.jax_setup import double_precision


def smallest_ms(functions, n_times=5):
    """Return the smallest time of each of some compiled functions, called in turns."""
    times = {name: [] for name in functions}
    for _ in range(n_times):
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
    print("\nExamples")
    ends = [fit_sigma(seed=seed).table["sigma_nm"].iloc[-1] for seed in range(10)]
    print(f"σ after 15 epochs, ten seeds: {np.round(ends, 3)} (theory 0.445)")
    decaying = optax.exponential_decay(0.02, 1, 0.85)
    ends = [fit_sigma(seed=s, rate=decaying, epochs=30).table for s in range(10)]
    ends = [table["sigma_nm"].iloc[-1] for table in ends]
    print(f"σ with a decaying rate, 30 epochs:   {np.round(ends, 3)}")
    ends = [fit_triangle(seed=seed).table["side_nm"].iloc[-1] for seed in range(10)]
    print(f"side after 20 epochs, ten seeds: {np.round(ends, 3)} (1 was asked for)")
    decaying = optax.cosine_decay_schedule(0.02, 60)
    ends = [fit_triangle(seed=s, rate=decaying, epochs=60).table for s in range(10)]
    print(f"side with a decaying rate, 60: {[round(t['side_nm'].iloc[-1], 3) for t in ends]}")
    result = fit_angle(
        epochs=40, rate=optax.exponential_decay(0.1, 1, 0.85), steps=1500, average_over=1000
    )
    print(f"angle, decaying rate, mean of 1000 steps: {result.table['angle_deg'].iloc[-1]:.2f}°")


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
        draws = [fluid.draw(seed) for seed in range(32)]
        draws = jax.tree.map(lambda *rows: jnp.stack(rows), *draws)
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


main()
