"""A GAP whose weights are nudged through MD, so that g(OO) approaches experiment: gap_weights.*.

    .venv/bin/python benchmarks/through_simulations/gap_weights.py   # ten minutes of one idle core

First the check: the derivative of where atoms are after 20 steps with respect to the weights of the
sparse points, against central differences. Then the fit: the stored GAP (revPBE-D3) and the maximum
and first minimum of g(OO) of liquid water, 2.50 at 2.79 Å and 0.80 at 3.39 Å (Soper, ISRN Phys.
Chem. 2013, 279463). Sixteen molecules, four replicas at 300 K that go on from epoch to epoch. In
each epoch a run of 0.3 ps of each measures the difference from experiment, of which a running mean
is taken; then gradients go through three segments of 30 fs, and are multiplied with it. The first
step of the weights changes the forces of the first frame by 5 meV/Å (root mean square), because a
change of weights says little by itself: they cancel each other; later steps have the same rate.
Distances count as Gaussians, which lowers peaks: what is wanted is lowered by the same factor,
measured in the run before the fit. Measured afterwards, in longer runs: g(OO), and by how much the
errors on the DFT validation frames have grown.
"""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from helpers import load_frames, load_potential
from helpers.differentiable.gap_weights import GapWeights
from helpers.differentiable.losses import radial_distribution
from helpers.frames import data_folder
from helpers.jax_setup import double_precision
from helpers.md import initialize, simulate
from helpers.md.integrators import make_integrator, maxwell_boltzmann

HERE = Path(__file__).parent
POTENTIAL = data_folder() / "stored" / "gap.xml"
REPLICAS, EPOCHS, SEGMENTS, STEPS = 4, 12, 3, 60
RELIST, SKIN_A = 40, 3.0  # steps with one neighbor list where nothing is differentiated
SAMPLED, LONG = 600, 6_000  # steps of each replica that measure g(OO): in an epoch, in the end
R_A = np.array([2.79, 3.39])
WANTED = np.array([2.50, 0.80])
WIDTH_A, NARROW_A = 0.08, 0.02
LONG_R = np.arange(2.2, 3.9, 0.05)
STEP_EV_PER_A = 0.005  # by how much forces change in the first epoch, root mean square
MEMORY = 0.7  # of the running mean


def main():
    potential = load_potential(POTENTIAL, engine="jax")
    frames = load_frames("water", "validate")
    starts = [one for one in frames if one.info["temperature_K"] == 300]
    atoms = frames[0]
    with double_precision():
        gap = GapWeights(potential, atoms.numbers, skin_A=SKIN_A)
        order, masses = gap.order, atoms.get_masses()[gap.order]
        cell = jnp.asarray(atoms.cell.array)
        oxygen = np.flatnonzero(atoms.numbers[order] == 8)
        integrator = make_integrator(
            "langevin", len(masses), timestep_fs=0.5, temperature_K=300.0, relaxation_fs=100.0
        )

        def run(weights, x, v, lists, key, steps, **options):
            at = {"parameters": gap.expand(weights), "cell": cell, "neighbors": lists}
            start = initialize(gap.field, integrator, x, v, masses, key, **at)
            return simulate(gap.field, start, integrator, steps, **at, **options)

        noise = np.random.default_rng(0).standard_normal((REPLICAS, len(masses), 3))
        v = np.array([maxwell_boltzmann(masses, 300.0, one) for one in noise])
        x = np.array([starts[k].positions[order] for k in range(REPLICAS)])
        lists = [gap.neighbors(one, atoms.cell.array, atoms.pbc) for one in x]

        # The check
        end = lambda w: (  # noqa: E731
            (run(w, x[0], v[0], lists[0], jax.random.key(0), 20).state.positions - x[0]) ** 2
        ).sum()
        slope = jax.jit(jax.grad(end))(gap.weights)
        rng = np.random.default_rng(1)
        along = jax.tree.map(lambda w: np.abs(w) * rng.standard_normal(w.shape), gap.weights)
        wanted = float(sum(jnp.vdot(a, b) for a, b in zip(slope, along, strict=True)))
        moved = jax.jit(lambda h: end(jax.tree.map(lambda w, d: w + h * d, gap.weights, along)))
        checks = {h: float((moved(h) - moved(-h)) / (2 * h)) for h in (1e-5, 1e-6, 1e-7)}
        print("derivative:", wanted, "central differences:", checks, flush=True)

        def g_of(positions, r=LONG_R, width=WIDTH_A):
            return radial_distribution(
                positions, cell, r, first=oxygen, second=oxygen, width_A=width
            )

        def loss(weights, toward, x, v, lists, key):
            done = run(
                weights, x, v, lists, key, STEPS, record=lambda s: (), record_every=STEPS,
                checkpoint_every=1,
            )  # fmt: skip
            g = g_of(done.state.positions, R_A)
            return g @ toward, (done.state.positions, done.state.velocities)

        pulled = jax.jit(jax.grad(loss, has_aux=True))
        go = jax.jit(
            lambda w, x, v, n, key: run(
                w, x, v, n, key, RELIST, record=lambda s: s.positions, record_every=20
            )
        )
        narrow, wide = (
            jax.jit(lambda x, w=width: (g_of(x, LONG_R, w).mean(0), g_of(x, R_A, w).mean(0)))
            for width in (NARROW_A, WIDTH_A)
        )
        wide_at = jax.jit(lambda x: g_of(x, R_A).mean(0))

        def go_on(weights, x, v, steps, seed):
            """Return positions every 10 fs of one replica, and where it ends, with new lists."""
            records = []
            for n in range(steps // RELIST):
                near = gap.neighbors(np.asarray(x), atoms.cell.array, atoms.pbc)
                done = go(weights, x, v, near, jax.random.key(seed + n))
                gap.check_moved(x, done.records)
                x, v = done.state.positions, done.state.velocities
                records.append(np.asarray(done.records))
            return np.concatenate(records), x, v

        def structure(weights, seed):
            """Return g(OO) of each replica, and g at `R_A` with two widths; without the start."""
            rows = []
            for k in range(REPLICAS):
                path, *_ = go_on(weights, x_start[k], v_start[k], LONG, 10**6 * seed + 10**4 * k)
                late = path[len(path) // 4 :]
                curve, at_wide = wide(late)
                rows.append((curve, at_wide, narrow(late)[1]))
            return [np.array(column) for column in zip(*rows, strict=True)]

        def mean_and_error(curves):
            return curves.mean(0), curves.std(0, ddof=1) / np.sqrt(REPLICAS)

        weights, x_start, v_start = gap.weights, x, v
        before = structure(weights, 1)
        lowered = before[1].mean(0) / before[2].mean(0)
        goal = WANTED * lowered
        print("before:", before[1].mean(0), "of", goal, "; lowered by", lowered, flush=True)
        forces = jax.jit(lambda w: gap.field(gap.expand(w), x_start[0], cell, lists[0])[1])
        size = np.sqrt(sum(float((w**2).sum()) for w in weights))
        residual, rows, rate = before[1].mean(0) - goal, [], None
        x, v = list(x), list(v)
        for epoch in range(EPOCHS):
            total, seen = jax.tree.map(jnp.zeros_like, weights), []
            for k in range(REPLICAS):
                seed = 10**7 + 1000 * epoch + 100 * k
                path, x[k], v[k] = go_on(weights, x[k], v[k], SAMPLED, seed)
                seen.append(wide_at(path))
            new = np.mean(seen, 0) - goal
            residual = MEMORY * residual + (1 - MEMORY) * new
            for k in range(REPLICAS):
                for n in range(SEGMENTS):
                    near = gap.neighbors(np.asarray(x[k]), atoms.cell.array, atoms.pbc)
                    key = jax.random.key(10**8 + 1000 * epoch + 10 * k + n)
                    slope, (end_x, end_v) = pulled(
                        weights, jnp.asarray(2 * residual), x[k], v[k], near, key
                    )
                    gap.check_moved(x[k], end_x)
                    x[k], v[k] = end_x, end_v
                    total = jax.tree.map(jnp.add, total, slope)
            if rate is None:
                shifted = jax.tree.map(jnp.add, weights, total)
                change = float(jnp.sqrt(((forces(shifted) - forces(weights)) ** 2).mean()))
                rate = STEP_EV_PER_A / change  # forces are linear in weights
            weights = jax.tree.map(lambda w, s, rate=rate: w - rate * s, weights, total)
            rows.append((epoch + 1, *(new + goal).round(4), *(residual + goal).round(4)))
            print(rows[-1], flush=True)
        after = structure(weights, 2)
    errors = {}
    for name, w in (("before", gap.weights), ("after", weights)):
        predicted = gap.predict(w, frames[:40])
        labels = [(a.info["dft_energy"], a.arrays["dft_forces"]) for a in frames[:40]]
        e = [(p[0] - t[0]) / len(atoms) for p, t in zip(predicted, labels, strict=True)]
        f = np.concatenate([p[1] - t[1] for p, t in zip(predicted, labels, strict=True)])
        errors[name] = {
            "forces_meV_per_A": float(1000 * np.sqrt((f**2).mean())),
            "energies_meV_per_atom": float(1000 * np.std(e)),
        }
    change = np.sqrt(
        sum(float(((a - b) ** 2).sum()) for a, b in zip(weights, gap.weights, strict=True))
    )
    result = {
        "jax": jax.__version__,
        "derivative": wanted,
        "central_differences": {str(h): value for h, value in checks.items()},
        "wanted": dict(zip(R_A.tolist(), WANTED.tolist(), strict=True)),
        "lowered_by_the_width": lowered.round(4).tolist(),
        "at_these": {
            name: [part.round(4).tolist() for part in mean_and_error(one[1])]
            for name, one in (("before", before), ("after", after))
        },
        "relative_change_of_weights": float(change / size),
        "errors": errors,
        "r_A": LONG_R.round(3).tolist(),
    }
    for name, one in (("before", before), ("after", after)):
        mean, error = mean_and_error(one[0])
        result[f"g_{name}"], result[f"error_{name}"] = (
            mean.round(4).tolist(),
            error.round(4).tolist(),
        )
    (HERE / "gap_weights.json").write_text(json.dumps(result) + "\n")
    lines = ["epoch,g_at_2.79,g_at_3.39,mean_at_2.79,mean_at_3.39"]
    lines += [",".join(str(one) for one in row) for row in rows]
    (HERE / "gap_weights.csv").write_text("\n".join(lines) + "\n")
    print(json.dumps({k: v for k, v in result.items() if not k.startswith(("g_", "r_", "error_"))}))
    draw_figure(result)


def draw_figure(result):
    import matplotlib.pyplot as plt

    from helpers.plots import BLACK, BLUE, ORANGE, style

    r = np.array(result["r_A"])
    with style():
        figure, ax = plt.subplots(figsize=(8, 4.8))
        for name, color in (("before", ORANGE), ("after", BLUE)):
            g, error = (np.array(result[f"{kind}_{name}"]) for kind in ("g", "error"))
            ax.plot(r, g, color=color, label=f"GAP, {name}")
            ax.fill_between(r, g - error, g + error, color=color, alpha=0.25, lw=0)
        wanted = WANTED * np.array(result["lowered_by_the_width"])
        ax.plot(R_A, wanted, "s", color=BLACK, label="experiment (Soper 2013), same width")
        ax.set(title="g(OO), 16 molecules, 300 K", xlabel="r, Å", ylabel="g(OO)", ylim=(0, None))
        ax.legend()
        figure.savefig(HERE / "gap_weights.png")


if __name__ == "__main__":
    main()
