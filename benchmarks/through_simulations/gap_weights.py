"""A GAP whose weights are nudged through MD, so that g(OO) approaches experiment: gap_weights.*.

    .venv/bin/python benchmarks/through_simulations/gap_weights.py   # ten minutes of one idle core

First the check: the derivative of where atoms are after 20 steps with respect to the weights of the
sparse points, against central differences. Then the fit: the stored GAP (revPBE-D3) and the maximum
and first minimum of g(OO) of liquid water, 2.50 at 2.79 Å and 0.80 at 3.39 Å (Soper, ISRN Phys.
Chem. 2013, 279463). Sixteen molecules, two replicas at 300 K that go on from epoch to epoch;
gradients through the 30 fs of an epoch. Told afterwards, from longer runs: g(OO), and by how much
the errors on the DFT validation frames have grown.
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
REPLICAS, EPOCHS, STEPS, EVERY, SKIN_A, LONG = 2, 12, 60, 60, 2.4, 4_000
R_A = np.array([2.79, 3.39])
WANTED = np.array([2.50, 0.80])
WIDTH_A = 0.08
STEP = 0.002  # of the norm of all weights, in one epoch, at the start


def main():
    potential = load_potential(data_folder() / "stored" / "gap.xml", engine="jax")
    frames = load_frames("water", "validate")
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
        x = np.array([frames[7 * k].positions[order] for k in range(REPLICAS)])
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

        long_R = np.arange(2.2, 3.9, 0.05)

        def g_of(positions):
            return radial_distribution(
                positions, cell, long_R, first=oxygen, second=oxygen, width_A=WIDTH_A
            )

        def loss(weights, x, v, lists, key):
            done = run(
                weights, x, v, lists, key, STEPS, record=lambda s: s.positions,
                record_every=EVERY, checkpoint_every=1, window=EVERY,
            )  # fmt: skip
            g = radial_distribution(
                done.records, cell, R_A, first=oxygen, second=oxygen, width_A=WIDTH_A
            ).mean(0)
            return g, (done.state.positions, done.state.velocities)

        # The loss is a square of means over replicas: its derivative is put together from theirs.
        values = jax.jit(lambda *a: loss(*a))
        pulled = jax.jit(lambda w, c, *a: jax.grad(lambda w: loss(w, *a)[0] @ c)(w))

        def structure(weights, seed, steps=LONG, block=50):
            """Return g(OO) and its standard error over replicas, of 1.5 ps after 0.5 ps."""
            go = jax.jit(
                lambda w, x, v, n, key: run(
                    w, x, v, n, key, block, record=lambda s: s.positions, record_every=25
                )
            )
            curves = []
            for k in range(REPLICAS):
                a, b, kept = x[k], v[k], []
                for n in range(steps // block):
                    near = gap.neighbors(np.asarray(a), atoms.cell.array, atoms.pbc)
                    done = go(weights, a, b, near, jax.random.key(seed * 10**6 + k * 10**4 + n))
                    gap.check_moved(a, done.records)
                    a, b = done.state.positions, done.state.velocities
                    if n >= steps // block // 4:
                        kept.append(np.asarray(g_of(done.records).mean(0)))
                curves.append(np.mean(kept, 0))
            return np.mean(curves, 0), np.std(curves, 0) / np.sqrt(REPLICAS)

        weights = gap.weights
        before = structure(weights, 1)
        print("before: peak", before[0].max(), flush=True)
        size = np.sqrt(sum(float((w**2).sum()) for w in weights))
        rows = []
        for epoch in range(EPOCHS):
            keys = [jax.random.key(10**7 + 100 * epoch + k) for k in range(REPLICAS)]
            lists = [gap.neighbors(np.asarray(one), atoms.cell.array, atoms.pbc) for one in x]
            each = [values(weights, x[k], v[k], lists[k], keys[k]) for k in range(REPLICAS)]
            g = np.mean([np.asarray(one[0]) for one in each], 0)
            toward = jnp.asarray(2 * (g - WANTED) / REPLICAS)
            slopes = [
                pulled(weights, toward, x[k], v[k], lists[k], keys[k]) for k in range(REPLICAS)
            ]
            slope = jax.tree.map(lambda *parts: sum(parts), *slopes)
            norm = np.sqrt(sum(float((w**2).sum()) for w in slope))
            rate = STEP * (1 - epoch / EPOCHS) * size / norm
            weights = jax.tree.map(lambda w, s, rate=rate: w - rate * s, weights, slope)
            for k in range(REPLICAS):
                gap.check_moved(x[k], each[k][1][0][None])
            x = np.array([one[1][0] for one in each])
            v = np.array([one[1][1] for one in each])
            rows.append((epoch + 1, *g.round(4), float(((g - WANTED) ** 2).sum()), norm))
            if epoch % 5 == 0:
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
        "relative_change_of_weights": float(change / size),
        "errors": errors,
        "r_A": long_R.round(3).tolist(),
        "g_before": before[0].round(4).tolist(),
        "g_after": after[0].round(4).tolist(),
        "g_error": after[1].round(4).tolist(),
    }
    (HERE / "gap_weights.json").write_text(json.dumps(result) + "\n")
    lines = ["epoch,g_at_2.79,g_at_3.39,loss,gradient_norm"]
    lines += [",".join(str(one) for one in row) for row in rows]
    (HERE / "gap_weights.csv").write_text("\n".join(lines) + "\n")
    print(json.dumps({k: v for k, v in result.items() if not k.startswith(("g_", "r_"))}))
    draw_figure(result)


def draw_figure(result):
    import matplotlib.pyplot as plt

    from helpers.plots import BLACK, BLUE, ORANGE, style

    r, error = np.array(result["r_A"]), np.array(result["g_error"])
    with style():
        figure, ax = plt.subplots(figsize=(8, 4.8))
        for name, color in (("before", ORANGE), ("after", BLUE)):
            g = np.array(result[f"g_{name}"])
            ax.plot(r, g, color=color, label=f"GAP, {name}")
            ax.fill_between(r, g - error, g + error, color=color, alpha=0.25, lw=0)
        ax.plot(R_A, WANTED, "s", color=BLACK, label="experiment (Soper 2013)")
        ax.set(title="g(OO), 16 molecules, 300 K", xlabel="r, Å", ylabel="g(OO)", ylim=(0, None))
        ax.legend()
        figure.savefig(HERE / "gap_weights.png")


if __name__ == "__main__":
    main()
