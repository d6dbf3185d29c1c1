"""Flexible water fitted through simulation to the structure of revPBE-D3: water.csv, .json, .png.

    .venv/bin/python benchmarks/through_simulations/water.py   # ten minutes of one idle core

The target: g(OO), g(OH), g(HH) of the stored GAP (revPBE-D3), 16 molecules at 300 K. The model:
`flexible_water`, in the same cell at the same temperature, from SPC/Fw on. Four replicas go on from
epoch to epoch. Each epoch first samples the curves for 0.3 ps, in which the liquid also follows the
last change of the parameters; then come 0.1 ps with gradients, which go back through the last 50 fs
before each record (truncated: biased towards what happens fast; half the window is compared with
it). They are multiplied with the difference of the curves, a running mean over earlier epochs,
relative to 1 + g of the target, so that the peaks of the molecule itself do not outweigh others.
The judge is a longer run with other random numbers and a thermostat that leaves the dynamics alone
(Bussi, as for the target): structure, density of states, diffusion, before and after.
"""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd

from helpers.differentiable.flexible_water import SPC_FW, flexible_water
from helpers.differentiable.losses import radial_distribution, vibrational_spectrum
from helpers.frames import data_folder
from helpers.jax_setup import double_precision
from helpers.md import initialize, simulate
from helpers.md.integrators import make_integrator, maxwell_boltzmann

HERE = Path(__file__).parent
POTENTIAL = data_folder() / "stored" / "gap.xml"
REPLICAS, EPOCHS, LONG = 4, 20, 8_000
STEPS, WINDOW = 200, 100  # with gradients; how far these go back, to each record
SAMPLED, SAMPLED_EVERY = 600, 20  # steps that measure the curves in each epoch, between records
TIMESTEP_FS, WIDTH_A = 0.5, 0.1
BATH = {"temperature_K": 300.0, "relaxation_fs": 200.0}  # of the target and of the judge: Bussi
MEMORY = 0.5  # of the running mean; with more, bonds swing about their length
# Scales of the parameters: one step of Adam with rate 1 is 1 % of these.
FITTED = ("epsilon_eV", "sigma_A", "charge_O_e", "bond_length_A", "angle")
R_A = np.arange(0.8, 3.9, 0.05)


def curves(positions, cell, oxygen, hydrogen):
    """Return g(OO), g(OH), g(HH), the mean over frames, with peaks of the molecule itself."""
    pairs = ((oxygen, oxygen), (oxygen, hydrogen), (hydrogen, hydrogen))
    return jnp.stack(
        [
            radial_distribution(
                positions, cell, R_A, first=first, second=second, width_A=WIDTH_A
            ).reshape(-1, len(R_A)).mean(0)
            for first, second in pairs
        ]
    )  # fmt: skip


def target(steps=LONG):
    """Return atoms, positions and velocities of the GAP's runs, and why some stopped."""
    from helpers import load_frames, load_potential
    from helpers.md import run_replicas

    potential = load_potential(POTENTIAL, engine="jax")
    starts = load_frames("water", "validate")[:REPLICAS]
    runs = run_replicas(
        potential, starts, seeds=range(REPLICAS), steps=steps, timestep_fs=TIMESTEP_FS,
        thermostat="bussi", record_every=4, **BATH,
    )  # fmt: skip
    stopped = [run.stopped for run in runs if run.stopped]
    positions = np.array([run.positions_A[len(run.positions_A) // 4 :] for run in runs])
    velocities = np.array([run.velocities_A_per_fs[len(run.positions_A) // 4 :] for run in runs])
    return starts[0], positions, velocities, stopped


def summary(positions, velocities, atoms, interval_fs):
    """Return the curves, the density of states, and the diffusion of O (10⁻⁹ m²/s, ± error)."""
    oxygen, hydrogen = (np.flatnonzero(atoms.numbers == z) for z in (8, 1))
    cell, masses = jnp.asarray(atoms.cell.array), atoms.get_masses()
    g = np.mean([curves(jnp.asarray(run[::10]), cell, oxygen, hydrogen) for run in positions], 0)
    dos = [vibrational_spectrum(jnp.asarray(v), masses, interval_fs) for v in velocities]
    lag = int(1000 / interval_fs)
    slopes = []
    for run in positions:
        x = run[:, oxygen] - run[:, oxygen].mean(1, keepdims=True)
        half, whole = (np.mean((x[n:] - x[:-n]) ** 2) * 3 for n in (lag // 2, lag))
        slopes.append((whole - half) / (6 * lag / 2 * interval_fs) * 1e4)  # Å²/fs → 1e-9 m²/s
    return {
        "g": g,
        "wavenumbers": np.asarray(dos[0][0]),
        "dos": np.mean([np.asarray(one[1]) for one in dos], 0),
        "D": (float(np.mean(slopes)), float(np.std(slopes) / np.sqrt(len(slopes)))),
    }


def main():
    with double_precision():
        atoms, x, v, stopped = target()
        print("GAP runs that stopped:", stopped, flush=True)
        wanted = summary(x, v, atoms, 4 * TIMESTEP_FS)
        oxygen, hydrogen = (np.flatnonzero(atoms.numbers == z) for z in (8, 1))
        cell, masses = jnp.asarray(atoms.cell.array), atoms.get_masses()
        field = flexible_water(atoms, tolerance=2e-3)
        steps_of = {"timestep_fs": TIMESTEP_FS, "n_atoms": len(masses)}
        damped = make_integrator("langevin", temperature_K=300.0, relaxation_fs=100.0, **steps_of)
        free = make_integrator("bussi", **BATH, **steps_of)

        def run(integrator, parameters, x, v, key, steps, every, **options):
            at = {"parameters": parameters, "cell": cell}
            start = initialize(field, integrator, x, v, masses, key, **at)
            record = lambda state: (state.positions, state.velocities)  # noqa: E731
            return simulate(
                field, start, integrator, steps, record=record, record_every=every, **at, **options
            )

        def scaled(fitted):
            return {**SPC_FW, **{name: SPC_FW[name] * fitted[name] for name in FITTED}}

        goal = jnp.asarray(wanted["g"])

        def loss(fitted, x, v, keys, residual, window):
            go = lambda x, v, key: run(  # noqa: E731
                damped, scaled(fitted), x, v, key, STEPS, WINDOW, checkpoint_every=1, window=window
            )
            done = jax.vmap(go)(x, v, keys)
            g = curves(done.records[0].reshape(-1, *x.shape[1:]), cell, oxygen, hydrogen)
            return 2 * (residual * g).mean(), (done.state.positions, done.state.velocities)

        long = jax.jit(
            jax.vmap(lambda p, x, v, key: run(free, p, x, v, key, LONG, 4).records, (None, 0, 0, 0))
        )

        @jax.jit
        def sample(fitted, x, v, keys):
            go = lambda x, v, key: run(  # noqa: E731
                damped, scaled(fitted), x, v, key, SAMPLED, SAMPLED_EVERY
            )
            done = jax.vmap(go)(x, v, keys)
            g = curves(done.records[0].reshape(-1, *x.shape[1:]), cell, oxygen, hydrogen)
            return done.state.positions, done.state.velocities, g

        rng = np.random.default_rng(3)
        noise = rng.standard_normal((REPLICAS, len(masses), 3))
        thermal = np.array([maxwell_boltzmann(masses, 300.0, one) for one in noise])
        places = x[:, -1]

        def judge(fitted, seed):
            keys = jax.random.split(jax.random.key(seed), REPLICAS)
            paths = [np.asarray(one) for one in long(scaled(fitted), places, thermal, keys)]
            cut = paths[0].shape[1] // 4
            settled = summary(*(one[:, cut:] for one in paths), atoms, 4 * TIMESTEP_FS)
            return settled | {"end": [one[:, -1] for one in paths]}

        fitted = {name: jnp.ones(()) for name in FITTED}  # of one type: compiled once
        before = judge(fitted, 100)
        print("before:", between_molecules(before, wanted), before["D"], flush=True)
        gradient, half = (
            jax.jit(jax.grad(lambda *at, window=window: loss(*at, window), has_aux=True))
            for window in (WINDOW, WINDOW // 2)
        )
        weight = 1 / (1 + goal) ** 2
        residual = jnp.asarray(before["g"]) - goal
        optimizer = optax.adam(optax.cosine_decay_schedule(0.01, EPOCHS), b1=0.5, b2=0.9)
        state = optimizer.init(fitted)
        x, v = before["end"]
        rows, cosines = [], []
        for epoch in range(EPOCHS):
            keys, more = (
                jax.random.split(jax.random.key(1000 * part + epoch), REPLICAS) for part in (1, 2)
            )
            x, v, g = sample(fitted, x, v, more)
            residual = MEMORY * residual + (1 - MEMORY) * (g - goal)
            at = (fitted, x, v, keys, weight * residual)
            slope, (x, v) = gradient(*at)
            if epoch % 8 == 0:
                short, _ = half(*at)
                a, b = (np.array([float(s[n]) for n in FITTED]) for s in (slope, short))
                cosines.append(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
            norm = float(np.sqrt(sum(float(one) ** 2 for one in slope.values())))
            now = scaled(fitted)
            rows.append(
                {"epoch": epoch + 1, "loss": float((weight * residual**2).mean())}
                | {"gradient_norm": norm}
                | {name: float(now[name]) for name in FITTED}
            )
            if epoch % 5 == 0:
                print(rows[-1], flush=True)
            updates, state = optimizer.update(slope, state)
            fitted = optax.apply_updates(fitted, updates)
        after = judge(fitted, 200)
    table = pd.DataFrame(rows)
    table.round(6).to_csv(HERE / "water.csv", index=False)
    result = {
        "jax": jax.__version__,
        "start": {name: float(SPC_FW[name]) for name in FITTED},
        "fitted": {name: float(value) for name, value in scaled(fitted).items() if name in FITTED},
        "cosine_of_the_gradient_with_that_of_half_the_window": cosines,
        "gap_runs_stopped": stopped,
        "r_A": R_A.round(3).tolist(),
        "g_OO_OH_HH": {
            name: one["g"].round(4).tolist()
            for name, one in (("target", wanted), ("before", before), ("after", after))
        },
    }
    for name, one in (("target", wanted), ("before", before), ("after", after)):
        result[name] = {
            "rmse_g_OO_OH_HH": between_molecules(one, wanted),
            "D_1e-9_m2_per_s": [round(value, 3) for value in one["D"]],
            "stretch_per_cm": peak(one, 2800, 4400),
            "bend_per_cm": peak(one, 1300, 2100),
        }
    (HERE / "water.json").write_text(json.dumps(result) + "\n")
    print(json.dumps({name: one for name, one in result.items() if name[:2] not in ("r_", "g_")}))
    draw_figure(wanted, before, after)


def between_molecules(one, wanted):
    """Return the errors of g(OO), g(OH), g(HH), without the peaks of the molecule itself."""
    squares = (one["g"] - wanted["g"]) ** 2
    return [
        float(np.sqrt(row[R_A > edge].mean()).round(4))
        for row, edge in zip(squares, (0.0, 1.35, 2.0), strict=True)
    ]


def smooth(one):
    width = max(1, round(30 / one["wavenumbers"][1]))
    kernel = np.hanning(2 * width + 1)
    return np.convolve(one["dos"], kernel / kernel.sum(), "same")


def peak(one, low, high):
    inside = (one["wavenumbers"] > low) & (one["wavenumbers"] < high)
    return float(one["wavenumbers"][inside][smooth(one)[inside].argmax()].round())


def draw_figure(wanted, before, after):
    import matplotlib.pyplot as plt

    from helpers.plots import BLACK, BLUE, ORANGE, style

    shown = (
        (wanted, BLACK, "-", "GAP, revPBE-D3"),
        (before, ORANGE, "--", "SPC/Fw"),
        (after, BLUE, "-", "fitted"),
    )
    with style():
        figure, axes = plt.subplots(2, 2, figsize=(12, 8))
        for k, (ax, name) in enumerate(zip(axes.flat, ("OO", "OH", "HH"), strict=False)):
            for one, color, dashes, label in shown:
                ax.plot(R_A, one["g"][k], color=color, ls=dashes, label=label)
            ax.set(title=f"g({name}), 16 molecules, 300 K", xlabel="r, Å", ylabel="g(r)")
            ax.set_ylim(0, {"OO": None, "OH": 3.0, "HH": 3.0}[name])
        axes[0, 0].legend()
        for one, color, dashes, label in shown:
            axes[1, 1].plot(
                one["wavenumbers"], 1000 * smooth(one), color=color, ls=dashes, label=label
            )
        axes[1, 1].set(title="Density of states (not fitted)", xlim=(0, 4400), ylim=(0, None))
        axes[1, 1].set(xlabel="wavenumber, cm⁻¹", ylabel="10⁻³ cm")
        figure.savefig(HERE / "water.png")


if __name__ == "__main__":
    main()
