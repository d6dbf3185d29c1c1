"""A GAP whose weights are nudged through MD, so that g(OO) approaches experiment: gap_weights.*.

    .venv/bin/python benchmarks/through_simulations/gap_weights.py   # ten minutes of one idle core

First the check: the derivative of where atoms are after 20 steps with respect to the weights of the
sparse points, against central differences. Then the fit. A GAP is trained on 100 frames labeled
with PBE-D3, which gives water more structure than it has. Its weights are refined so that g(OO) at
300 K approaches that of experiment (Soper, ISRN Phys. Chem. 2013, 279463), at 26 distances. Sixteen
molecules, eight replicas that go on from epoch to epoch. In each epoch a run of 0.3 ps of each
measures the difference from experiment, of which a running mean is taken; gradients go through 20
fs from two moments of each of these runs, and are multiplied with it. Distances count as Gaussians,
in simulation and experiment.

By how much to change which weight? Weights cancel each other, and most changes of them spoil forces
without a use. So the gradient is multiplied with the covariance that the fit has left to the
weights, (JᵀJ/σ² + K)⁻¹, with J the derivatives of training forces, σ their expected error and K the
prior of the weights: where data tell them well, they hardly move. A step changes forces of training
frames by 5 meV/Å at most (root mean square), and by less as the epochs pass.

Measured before and afterwards, from other starts and with other random numbers: g(OO), and errors
of forces on frames that were in no fit, labeled with PBE-D3 and with revPBE-D3.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import scipy.linalg
from jax.flatten_util import ravel_pytree

from helpers import GapConfig, TwoBody, evaluate, fit_gap, load_frames, load_potential
from helpers.differentiable.gap_weights import GapWeights
from helpers.differentiable.losses import radial_distribution
from helpers.evaluation import rmse
from helpers.jax_setup import double_precision, enable_compilation_cache
from helpers.md import initialize, run_replicas, simulate
from helpers.md.integrators import make_integrator, maxwell_boltzmann

HERE = Path(__file__).parent
# Small, because it moves atoms for 100 ps; all that matters is stated here.
CONFIG = GapConfig(
    atoms_filename="gap_input_100.xyz",  # of data/water_pbe
    cutoff=3.5,
    cutoff_transition_width=2.0,
    atom_sigma=0.4,
    n_max=6,
    l_max=2,
    delta=0.2,
    zeta=2,
    n_sparse=200,
    default_sigma=(0.001, 0.012, 0.0, 0.0),
    two_body=TwoBody(cutoff=6.0, n_sparse=25, delta=0.5),
)
REPLICAS, EPOCHS, STEPS = 8, 12, 40
SAMPLED, LONG = 600, 8_000  # steps that measure g: in an epoch, in the end
EVERY = 20  # steps between records
SKIN_A = 3.0  # of the lists of gradients: a fast hydrogen moves by 1.3 Å in 25 fs
MOMENTS = (0.5, 1.0)  # of the run of an epoch, from which gradients go
BATH = {"timestep_fs": 0.5, "temperature_K": 300.0, "relaxation_fs": 100.0}
STATED = (
    "atoms_filename", "cutoff", "cutoff_transition_width", "atom_sigma", "n_max", "l_max", "delta",
    "zeta", "n_sparse", "default_sigma", "two_body",
)  # fmt: skip
JACOBIAN_FRAMES = 25
STEP_EV_PER_A = 0.005  # by how much forces change in an epoch, at most
MEMORY = 0.6  # of the running mean
WIDTH_A = 0.08
# g(OO) of liquid water at 298 K, from 2.34 Å on, every 0.06 Å (Soper 2013; below 2.34 Å it is 0)
SPACING_A = 0.06
MEASURED = [
    0.0022, 0.0365, 0.2094, 0.5807, 1.0999, 1.6822, 2.1836, 2.4604, 2.4648, 2.2566, 1.9377, 1.6025,
    1.3117, 1.0903, 0.9433, 0.8577, 0.8164, 0.8023, 0.8014, 0.8081, 0.8181, 0.8323, 0.8508, 0.8731,
    0.8988, 0.9273, 0.9566, 0.9851, 1.0126, 1.0366,
]  # fmt: skip
R_A = 2.34 + SPACING_A * np.arange(26)  # to 3.84 Å: half of the cell is 3.9


def experiment():
    """Return g(OO) of experiment on `R_A`, its distances widened as those of simulations are."""
    measured_at = 2.34 + SPACING_A * np.arange(len(MEASURED))
    z = (R_A[:, None] - measured_at) / WIDTH_A
    kernel = np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * WIDTH_A)
    return SPACING_A * kernel @ (measured_at**2 * np.array(MEASURED)) / R_A**2


def one_of_each(frames, temperatures_K):
    """Return the first frame of each trajectory at some temperatures."""
    first = {}
    for atoms in frames:
        if atoms.info["temperature_K"] in temperatures_K:
            first.setdefault(atoms.info["trajectory"], atoms)
    return list(first.values())[:REPLICAS]


def sample(potential, starts, seed, steps, **options):
    """Run replicas at 300 K; stop where one of them fails."""
    seeds = range(REPLICAS * seed, REPLICAS * (seed + 1))
    runs = run_replicas(
        potential, starts, seeds=seeds, steps=steps, thermostat="langevin", record_every=EVERY,
        progress=False, **BATH, **options,
    )  # fmt: skip
    stopped = [run.stopped for run in runs if run.stopped]
    if stopped:
        raise SystemExit(f"a run stopped: {stopped}")
    return runs


def train():
    """Return the GAP that is refined, and its training frames."""
    frames = load_frames("water_pbe", "train", 100)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gap.xml"
        fit_gap(CONFIG, frames, output=path, engine="jax", progress=False)
        return load_potential(path, engine="jax"), frames


def check(gap, run, x, v, atoms):
    """Return the derivative along one direction, and central differences by their width."""
    lists = gap.neighbors(x, atoms.cell.array, atoms.pbc)

    def end(weights):
        state = run(weights, x, v, lists, jax.random.key(0), 20).state
        return ((state.positions - x) ** 2).sum()

    slope = jax.jit(jax.grad(end))(gap.weights)
    rng = np.random.default_rng(1)
    along = jax.tree.map(lambda w: np.abs(w) * rng.standard_normal(w.shape), gap.weights)
    derivative = float(sum(jnp.vdot(a, b) for a, b in zip(slope, along, strict=True)))
    moved = jax.jit(lambda h: end(jax.tree.map(lambda w, d: w + h * d, gap.weights, along)))
    return derivative, {h: float((moved(h) - moved(-h)) / (2 * h)) for h in (1e-6, 1e-7)}


def force_derivatives(gap, frames):
    """Return J: derivatives of the forces of frames by the weights, rows of components (eV/Å)."""

    def rows(x, cell, lists):
        _, pull = jax.vjp(lambda w: gap.field(gap.expand(w), x, cell, lists)[1], gap.weights)
        units = jnp.eye(x.size).reshape(-1, *x.shape)
        return jax.lax.map(lambda unit: ravel_pytree(pull(unit)[0])[0], units)

    rows = jax.jit(rows)
    parts = []
    for atoms in frames:
        x = atoms.positions[gap.order]
        lists = gap.neighbors(x, atoms.cell.array, atoms.pbc)
        parts.append(np.asarray(rows(jnp.asarray(x), jnp.asarray(atoms.cell.array), lists)))
    return np.concatenate(parts)


def prior(gap):
    """Return K: the kernel between sparse points, in the units of `GapWeights.weights`."""
    blocks = []
    for term in gap.terms:
        points = np.asarray(term.sparse_points)
        blocks.append((points @ points.T) ** term.zeta / term.delta**2)
    return scipy.linalg.block_diag(*blocks)


def main():
    enable_compilation_cache()
    potential, training = train()
    atoms = training[0]
    starts = one_of_each(load_frames("water", "train", 400), (300,))
    judged_from = one_of_each(load_frames("water", "validate"), (300, 330, 360))
    with double_precision():
        gap = GapWeights(potential, atoms.numbers, skin_A=SKIN_A)
        order, masses = gap.order, atoms.get_masses()[gap.order]
        cell = jnp.asarray(atoms.cell.array)
        oxygen = np.flatnonzero(atoms.numbers == 8)
        moving_oxygen = np.flatnonzero(atoms.numbers[order] == 8)
        langevin = make_integrator("langevin", len(masses), **BATH)
        goal = experiment()

        def run(weights, x, v, lists, key, steps, **options):
            at = {"parameters": gap.expand(weights), "cell": cell, "neighbors": lists}
            start = initialize(gap.field, langevin, x, v, masses, key, **at)
            return simulate(gap.field, start, langevin, steps, **at, **options)

        def g_of(positions, which):
            return radial_distribution(
                positions, cell, R_A, first=which, second=which, width_A=WIDTH_A
            )

        mean_g = jax.jit(lambda x: g_of(x, oxygen).mean(0))

        def loss(weights, toward, x, v, lists, key):
            end = run(
                weights, x, v, lists, key, STEPS, record=lambda s: (), record_every=STEPS,
                checkpoint_every=1,
            ).state.positions  # fmt: skip
            return (g_of(end, moving_oxygen) * toward).mean(), end

        pulled = jax.jit(jax.grad(loss, has_aux=True))

        def judge(weights, seed):
            """Return g(OO) of each replica, without the first third of its run."""
            runs = sample(gap.calculator(weights), judged_from, seed, LONG)
            return np.array([mean_g(one.positions_A[len(one.positions_A) // 3 :]) for one in runs])

        noise = np.random.default_rng(0).standard_normal((len(masses), 3))
        v = maxwell_boltzmann(masses, 300.0, noise)
        derivative, differences = check(gap, run, starts[0].positions[order], v, atoms)
        print("derivative:", derivative, "central differences:", differences, flush=True)

        before = judge(gap.weights, 1)
        print("before:", before.mean(0).round(2), "of", goal.round(2), flush=True)
        slopes = force_derivatives(gap, training[:JACOBIAN_FRAMES])
        share = len(training) / JACOBIAN_FRAMES
        precision = share * slopes.T @ slopes / CONFIG.default_sigma[1] ** 2 + prior(gap)
        scale = np.sqrt(np.diag(precision))
        scaled = precision / np.outer(scale, scale) + 1e-10 * np.eye(len(scale))
        covariance = scipy.linalg.cho_factor(scaled)

        weights, residual, rate, rows = gap.weights, before.mean(0) - goal, None, []
        for epoch in range(EPOCHS):
            runs = sample(
                gap.calculator(weights), starts, 100 + epoch, SAMPLED, keep_velocities=epoch > 0
            )
            starts = [one.frames(len(one.times_fs) - 1)[-1] for one in runs]
            new = np.mean([mean_g(one.positions_A) for one in runs], 0) - goal
            residual = MEMORY * residual + (1 - MEMORY) * new
            total = jax.tree.map(jnp.zeros_like, weights)
            for k, one in enumerate(runs):
                for m, moment in enumerate(MOMENTS):
                    at = round(moment * (len(one.positions_A) - 1))
                    x, v = one.positions_A[at][order], one.velocities_A_per_fs[at][order]
                    lists = gap.neighbors(x, atoms.cell.array, atoms.pbc)
                    key = jax.random.key(1000 * epoch + 10 * k + m)
                    slope, end = pulled(weights, 2 * residual, x, v, lists, key)
                    gap.check_moved(x, end)
                    total = jax.tree.map(jnp.add, total, slope)
            flat, unravel = ravel_pytree(total)
            step = scipy.linalg.cho_solve(covariance, np.asarray(flat) / scale) / scale
            change = np.sqrt(((slopes @ step) ** 2).mean())
            if rate is None:
                rate = STEP_EV_PER_A / change
            falling = 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
            size = min(rate, STEP_EV_PER_A / change) * falling
            weights = jax.tree.map(jnp.subtract, weights, unravel(size * step))
            rows.append(
                {
                    "epoch": epoch + 1,
                    "error_of_g": rmse(new),
                    "error_of_running_mean": rmse(residual),
                    "highest_g": float((new + goal).max()),
                    "forces_changed_by_meV_per_A": float(1000 * size * change),
                }
            )
            print(rows[-1], flush=True)
        after = judge(weights, 2)
    changed = slopes @ (ravel_pytree(weights)[0] - ravel_pytree(gap.weights)[0])
    result = {
        "jax": jax.__version__,
        "settings": {k: v for k, v in asdict(CONFIG).items() if k in STATED},
        "derivative": derivative,
        "central_differences": {str(h): value for h, value in differences.items()},
        "forces_changed_by_meV_per_A": float(1000 * rmse(changed)),
        "r_A": R_A.round(3).tolist(),
        "target": goal.round(4).tolist(),
    }
    for name, g, of in (("before", before, gap.weights), ("after", after, weights)):
        result[name] = summary(g, goal) | force_errors(gap.calculator(of))
    (HERE / "gap_weights.json").write_text(json.dumps(result) + "\n")
    pd.DataFrame(rows).to_csv(HERE / "gap_weights.csv", index=False, float_format="%.4g")
    print({k: v for k, v in result.items() if k not in ("r_A", "target")})
    draw_figure(result, pd.DataFrame(rows))


def summary(g, goal):
    """Return the mean over replicas, and its maximum, minimum and error, with standard errors."""
    mean = g.mean(0)
    high, low = mean.argmax(), mean.argmax() + mean[mean.argmax() :].argmin()
    # Leaving out one replica at a time (jackknife): the error of a mean is no mean of errors
    fewer = [np.delete(g, k, 0).mean(0) for k in range(len(g))]

    def with_error(of):
        spread = np.std([of(one) for one in fewer]) * np.sqrt(len(g) - 1)
        return [round(float(of(mean)), 4), round(float(spread), 4)]

    return {
        "g": mean.round(4).tolist(),
        "error_of_the_mean": (g.std(0, ddof=1) / np.sqrt(len(g))).round(4).tolist(),
        "maximum": with_error(lambda one: one[high]),
        "minimum": with_error(lambda one: one[low]),
        "rmse": with_error(lambda one: rmse(one - goal)),
    }


def force_errors(potential):
    """Return the errors of forces on frames of both functionals that were in no fit, meV/Å."""
    return {
        f"forces_{name}_meV_per_A": evaluate(
            potential, load_frames(dataset, "validate")
        ).rmse_forces_meV_per_A
        for name, dataset in (("pbe", "water_pbe"), ("revpbe", "water"))
    }


def draw_figure(result, table):
    import matplotlib.pyplot as plt

    from helpers.plots import BLACK, BLUE, ORANGE, style

    r = np.array(result["r_A"])
    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
        left.plot(r, result["target"], color=BLACK, label="experiment (Soper 2013), as wide")
        for name, color, dashes in (("before", ORANGE, "--"), ("after", BLUE, "-")):
            g, error = (np.array(result[name][kind]) for kind in ("g", "error_of_the_mean"))
            left.plot(r, g, color=color, ls=dashes, label=f"GAP, {name}")
            left.fill_between(r, g - error, g + error, color=color, alpha=0.25, lw=0)
        left.set(title="g(OO), 16 molecules, 300 K", xlabel="r, Å", ylabel="g(OO)", ylim=(0, None))
        left.legend()
        for column, color, label in (
            ("error_of_g", ORANGE, "of each epoch"),
            ("error_of_running_mean", BLUE, "of the running mean"),
        ):
            right.plot(table["epoch"], table[column], color=color, label=label)
        right.set(title="Error of g(OO) in the fit", xlabel="epoch", ylim=(0, None))
        right.set_ylabel("root mean square error")
        right.legend()
        figure.savefig(HERE / "gap_weights.png")


if __name__ == "__main__":
    main()
