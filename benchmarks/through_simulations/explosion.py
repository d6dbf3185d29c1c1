"""When gradients explode, and what helps: explosion.csv, remedies.csv, truncation.csv, two .png.

    .venv/bin/python benchmarks/through_simulations/explosion.py   # ten minutes of one idle core

The fluid of lesson 09: 50 Lennard-Jones atoms, bare cutoff. First the rate λ at which ‖dx/dσ‖ grows
as exp(λ t) between 4 and 12 ps (forward mode, four starts), against temperature, thermostat, time
step and density; and the size of the gradient against the number of steps. Then remedies where the
gradient is bad: 600 steps (12 ps) at 30 K. The quantity is the mean distance to the nearest
neighbor, whose true slope comes from a central difference of the mean over 64 starts. Last the
bias of truncated windows (truncation.csv, .png): of a tame fluid against its whole gradient, of the
other one against the true slope. The names of parts (explosion, remedies, truncation) run them
alone.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pandas as pd

from helpers.differentiable import (
    Fluid,
    plot_truncation_bias,
    simulate_reversibly,
    stack,
    truncation_bias,
)
from helpers.jax_setup import double_precision

HERE = Path(__file__).parent
SEEDS = 4
WINDOWS = (5, 10, 20, 50, 100, 200, 400)
BASE = Fluid(temperature_K=30.0, thermostat="none", steps=600)


def stacked(fluid, seeds):
    return stack([fluid.draw(seed) for seed in seeds])


def growth(fluid):
    """Return the rate, 1/ps: median and quartiles over starts, and the sizes (SEEDS, 50)."""
    every = fluid.steps // 50

    def way(sigma, draw):
        record = lambda state, *_: state.positions / 10  # noqa: E731
        return fluid.run(sigma, draw, record=record, record_every=every).records

    tangent = jax.jit(jax.vmap(lambda draw: jax.jvp(lambda s: way(s, draw), (0.45,), (1.0,))[1]))
    change = np.asarray(tangent(stacked(fluid, range(SEEDS))))
    sizes = np.sqrt((change**2).sum((2, 3)))
    times_ps = fluid.timestep_fs * every * np.arange(1, 51) / 1000
    late = (times_ps > 4) & np.isfinite(sizes).all(0)
    rates = [np.polyfit(times_ps[late], np.log(one[late]), 1)[0] for one in sizes]
    return times_ps, sizes, np.percentile(rates, [50, 25, 75])


def conditions():
    yield "base", "base", BASE
    for kelvin in (1.0, 100.0, 300.0):
        yield "temperature, K", f"{kelvin:g}", replace(BASE, temperature_K=kelvin)
    for name in ("langevin", "bussi", "nose_hoover", "andersen", "berendsen", "rescaling"):
        yield "thermostat (200 fs)", name, replace(BASE, thermostat=name)
    for fs in (50.0, 1000.0):
        yield (
            "Langevin, 1/γ in fs",
            f"{fs:g}",
            replace(BASE, thermostat="langevin", relaxation_fs=fs),
        )
    for fs in (5.0, 10.0, 40.0):
        yield (
            "time step, fs",
            f"{fs:g}",
            replace(BASE, timestep_fs=fs, steps=round(12_000 / fs / 50) * 50),
        )
    for nm in (2.8, 3.6, 5.0):
        yield "cell, nm (density)", f"{nm:g}", replace(BASE, length_nm=nm, cutoff_nm=1.2)


def nearest(fluid, **options):
    """Return the mean distance to the nearest neighbor as a function of σ and a start."""

    def value(sigma, draw):
        return fluid.loss(sigma, draw, **options)[1]

    return value


def gradients(fluid, seeds, **options):
    each = jax.vmap(jax.grad(nearest(fluid, **options)), (None, 0))
    return np.asarray(jax.jit(each)(0.45, stacked(fluid, seeds)))


def truth(fluid):
    """Return the slope of the mean over 64 starts by a central difference, and its error."""
    h = 0.03
    value = jax.jit(jax.vmap(nearest(fluid), (None, 0)))
    draws = stacked(fluid, range(1000, 1064))
    change = (np.asarray(value(0.45 + h, draws)) - np.asarray(value(0.45 - h, draws))) / (2 * h)
    return float(change.mean()), float(change.std() / 8)


def truncation():
    """Return the bias of truncated windows, 16 starts."""
    tame = replace(BASE, thermostat="rescaling", temperature_K=1.0, steps=500)
    tables = []
    for name, fluid in (("rescaling, 1 K", tame), ("constant energy, 30 K", BASE)):

        def slopes(window, fluid=fluid):
            options = {"record_every": fluid.steps, "window": window, "checkpoint_every": 1}
            return gradients(fluid, range(16), **options)

        # The whole gradient where there is one, else the true slope
        true, error = (None, 0.0) if fluid is tame else truth(fluid)
        table = truncation_bias(slopes, WINDOWS, reference=true)
        table.insert(0, "condition", name)
        table["error_of_the_reference"] = 0.0 if true is None else error / abs(true)
        tables.append(table)
        print(table, flush=True)
    return pd.concat(tables)


def remedies():
    """Return the table: what each remedy makes of the gradients of 16 starts."""
    slopes = partial(gradients, seeds=range(16))
    rows = []

    def add(name, values, true, note):
        size, sign = np.abs(values), np.sign(true[0])
        mean = float(np.mean(values))
        rows.append(
            {
                "remedy": name,
                "median_size": float(np.median(size)),
                "largest": float(size.max()),
                "right_sign_of_one": float((np.sign(values) == sign).mean()),
                "mean_of_16": mean,
                "standard_error": float(np.std(values, ddof=1)) / len(values) ** 0.5,
                "true_slope": true[0],
                "true_error": true[1],
                "note": note,
            }
        )
        print(rows[-1], flush=True)

    plain = BASE
    true = truth(plain)
    full = slopes(plain, checkpoint_every=1)
    add("none: NVE, 30 K", full, true, "")
    clipped = full / np.maximum(1, np.abs(full))
    add("clipping at 1", clipped, true, "size known, direction as before")
    add("mean of signs", np.sign(full), true, "no size")
    back = slopes(plain, simulation=simulate_reversibly)
    add("reversible", back, true, "memory constant; explodes all the same")
    for window in (20, 50):
        short = slopes(plain, checkpoint_every=1, record_every=plain.steps, window=window)
        add(f"last {window} steps only", short, true, "biased: lacks what takes longer")
    for name in ("bussi", "langevin"):
        fluid = replace(plain, thermostat=name)
        values = slopes(fluid, checkpoint_every=1)
        add(f"{name}, 200 fs", values, truth(fluid), "another motion")
    cold = replace(plain, thermostat="rescaling", temperature_K=1.0)
    add("rescaling to 1 K", slopes(cold, checkpoint_every=1), truth(cold), "another state")
    return pd.DataFrame(rows)


def growth_table():
    curves, rows = {}, []
    for kind, value, fluid in conditions():
        times, sizes, (median, low, high) = growth(fluid)
        rows.append(
            {
                "varied": kind,
                "value": value,
                "rate_per_ps": median,
                "quartile_1": low,
                "quartile_3": high,
                "size_after_6_ps": np.median(sizes[:, np.searchsorted(times, 6)]),
                "size_after_12_ps": np.median(sizes[:, -1]),
            }
        )
        print(rows[-1], flush=True)
        label = {
            "base": "NVE, 30 K", "temperature, K": f"NVE, {value} K", "bussi": "Bussi, 200 fs",
            "langevin": "Langevin, 200 fs", "50": "Langevin, 50 fs",
        }  # fmt: skip
        label = label.get(kind) or label.get(value)
        if label:
            curves[label] = [times.tolist(), np.median(sizes, 0).tolist()]
    (HERE / "explosion.json").write_text(json.dumps(curves) + "\n")
    return pd.DataFrame(rows)


def main():
    parts = {"explosion": growth_table, "remedies": remedies, "truncation": truncation}
    with double_precision():
        for name in sys.argv[1:] or parts:
            table = parts[name]()
            table.to_csv(HERE / f"{name}.csv", index=False, float_format="%.4g")
    if all((HERE / f"{name}.csv").exists() for name in parts):
        draw_figure()
        draw_truncation()


def draw_truncation():
    import matplotlib.pyplot as plt

    from helpers.plots import BLUE, ORANGE, style

    table = pd.read_csv(HERE / "truncation.csv")
    with style():
        figure, ax = plt.subplots(figsize=(8, 4.8))
    for (name, rows), color in zip(table.groupby("condition"), (ORANGE, BLUE), strict=True):
        plot_truncation_bias(rows, ax, color=color, label=name)
    ax.set(title="What truncated windows leave out", ylim=(-100, 100))
    figure.savefig(HERE / "truncation.png")


def draw_figure():
    import matplotlib.pyplot as plt

    from helpers.plots import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, style

    table = pd.read_csv(HERE / "remedies.csv")
    curves = json.loads((HERE / "explosion.json").read_text())
    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(14, 5.2))
        colors = (RED, BLACK, ORANGE, PURPLE, BLUE, GREEN, "#56B4E9")
        for (name, (times, sizes)), color in zip(curves.items(), colors, strict=False):
            left.semilogy(times, sizes, color=color, label=name)
        left.set(title="Sensitivity of the end", xlabel="length, ps", ylabel="median ‖dx/dσ‖")
        left.legend(fontsize=10)
        places = np.arange(len(table))[::-1]
        right.barh(places, table["right_sign_of_one"], color=BLUE)
        right.axvline(0.5, color=BLACK, lw=1, ls=":")
        right.set_yticks(places, table["remedy"], fontsize=10)
        for place, size in zip(places, table["median_size"], strict=True):
            right.text(1.02, place, f"{size:.1e}", va="center", fontsize=9)
        right.set(title="Right sign of one gradient (number: median size)", xlim=(0, 1.25))
        right.set_xlabel("share of 16 starts")
        figure.savefig(HERE / "explosion.png")


if __name__ == "__main__":
    main()
