"""A peptide's torsions, recovered from its own end-to-end distances: peptide.csv, .json, .png.

    .venv/bin/python benchmarks/through_simulations/peptide.py   # five minutes of one idle core

Two residues of glycine (heavy atoms, hydrogens united with them; bonds, angles, charges, and
Lennard-Jones parameters of the AMBER kind) in implicit solvent (generalized Born, OBC2), Langevin
at 300 K. Two torsion parameters make the reference: φ with k (1 − cos 2φ), k = 3 kJ/mol, and ψ with
k (1 + cos ψ), k = 5 kJ/mol. The fit starts from 0 for both and sees only the distribution of the
end-to-end distance, first N to last C, of 32 replicas, which go on from epoch to epoch; gradients
go back through the last 0.6 ps before each record. What they are multiplied with, the difference of
the distributions, is a running mean over earlier epochs: the mean of squares of one epoch alone
would also count its noise, and a fit could lower that in place of the difference. In the end the
distribution is compared in a longer run with other random numbers.

How well can such a distribution tell two parameters? Its derivative with respect to each is a
covariance with the energy of the torsion, known from the reference itself; with it, the spread of
the distribution over replicas becomes a standard deviation of the parameters. (With four residues
and cos φ, cos ψ the two derivatives are nearly opposite, and ψ is told half as well.)
"""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from ase import units

from helpers.differentiable import (
    GeneralizedBorn,
    HarmonicAngles,
    HarmonicBonds,
    MixedLennardJones,
    PeriodicTorsions,
    Sum,
    pair_scaling,
)
from helpers.differentiable.coulomb import Coulomb
from helpers.jax_setup import double_precision
from helpers.md import initialize, simulate
from helpers.md.integrators import make_integrator, maxwell_boltzmann

HERE = Path(__file__).parent
RESIDUES, REPLICAS, EPOCHS = 2, 32, 50
STEPS, WINDOW = 600, 300  # of 2 fs, with gradients; how far these go back
SAMPLED, EVERY, LONG = 1_500, 25, 20_000  # of the distribution: steps, between records, in the end
MEMORY = 0.6  # of the running mean
KCAL, KJ = units.kcal / units.mol, units.kJ / units.mol
TRUE = {"phi": 3.0, "psi": 5.0}  # kJ/mol
GRID_A = np.arange(2.5, 9.0, 0.1)
WIDTH_A = 0.2


def peptide():
    """Return field, parameters, masses and a start; each residue is N, CA, C, O."""
    kinds = ["N", "CA", "C", "O"] * RESIDUES
    n = len(kinds)
    bonds, angles = [], []
    first = {"N": 0, "CA": 1, "C": 2, "O": 3}
    at = lambda residue, name: 4 * residue + first[name]  # noqa: E731
    phi, psi, omega = [], [], []
    for k in range(RESIDUES):
        N, CA, C, O = (at(k, name) for name in ("N", "CA", "C", "O"))  # noqa: E741
        bonds += [(N, CA, 1.449, 674), (CA, C, 1.522, 634), (C, O, 1.229, 1140)]
        angles += [(N, CA, C, 110.1, 126), (CA, C, O, 120.4, 160)]
        if k + 1 < RESIDUES:
            following, alpha = at(k + 1, "N"), at(k + 1, "CA")
            bonds.append((C, following, 1.335, 980))
            angles += [
                (CA, C, following, 116.6, 140), (O, C, following, 122.9, 160),
                (C, following, alpha, 121.9, 100),
            ]  # fmt: skip
            psi.append((N, CA, C, following))
            omega += [(CA, C, following, alpha), (O, C, following, alpha)]
            phi.append((C, following, alpha, at(k + 1, "C")))
    rows = lambda table, m: np.array([row[:m] for row in table])  # noqa: E731
    pairs = rows(bonds, 2)
    scaling = pair_scaling(n, pairs, one_four=0.5)
    field = Sum(
        {
            "bonds": HarmonicBonds(pairs),
            "angles": HarmonicAngles(rows(angles, 3)),
            "omega": PeriodicTorsions(np.array(omega), 2),
            "phi": PeriodicTorsions(np.array(phi), 2),
            "psi": PeriodicTorsions(np.array(psi), 1),
            "dispersion": MixedLennardJones(None, scaling=scaling),
            "charges": Coulomb(scaling=pair_scaling(n, pairs, one_four=1 / 1.2)),
            "solvent": GeneralizedBorn(),
        }
    )
    of = lambda values: np.array([values[kind] for kind in kinds])  # noqa: E731
    charge = of({"N": -0.1438, "CA": 0.1144, "C": 0.5973, "O": -0.5679})
    charge = charge - charge.mean()
    parameters = {
        "bonds": {
            "stiffness_eV_per_A2": np.array([row[3] for row in bonds]) * KCAL,
            "length_A": np.array([row[2] for row in bonds]),
        },
        "angles": {
            "stiffness_eV": np.array([row[4] for row in angles]) * KCAL,
            "angle": np.radians([row[3] for row in angles]),
        },
        "omega": {"stiffness_eV": 2.5 * KCAL, "phase": np.pi},
        "phi": {"stiffness_eV": TRUE["phi"] * KJ, "phase": np.pi},
        "psi": {"stiffness_eV": TRUE["psi"] * KJ, "phase": 0.0},
        "dispersion": {
            "epsilon_eV": of({"N": 0.17, "CA": 0.1094, "C": 0.086, "O": 0.21}) * KCAL,
            "sigma_A": of({"N": 3.25, "CA": 3.40, "C": 3.40, "O": 2.96}),
        },
        "charges": {"charge_e": charge},
        "solvent": {
            "charge_e": charge,
            "radius_A": of({"N": 1.55, "CA": 1.7, "C": 1.7, "O": 1.5}),
            "screening": of({"N": 0.79, "CA": 0.72, "C": 0.72, "O": 0.85}),
        },
    }
    masses = of({"N": 15.0, "CA": 14.0, "C": 12.0, "O": 16.0})
    zigzag = np.array([[1.25 * k, 0.75 * (k % 2), 0.0] for k in range(3 * RESIDUES)])
    start = np.empty((n, 3))
    for k in range(RESIDUES):
        start[4 * k : 4 * k + 3] = zigzag[3 * k : 3 * k + 3]
        up = 1.0 if zigzag[3 * k + 2, 1] > 0 else -1.0
        start[4 * k + 3] = zigzag[3 * k + 2] + [0.0, 1.23 * up, 0.2]
    return field, parameters, masses, start + np.random.default_rng(0).normal(0, 0.05, (n, 3))


def histogram(distances, weights=1.0):
    """Return the smooth distribution of end-to-end distances on the grid, 1/Å."""
    z = (jnp.asarray(distances)[..., None] - GRID_A) / WIDTH_A
    kernels = jnp.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * WIDTH_A)
    return (jnp.asarray(weights)[..., None] * kernels).reshape(-1, len(GRID_A)).mean(0)


def standard_deviations(distances, energies):
    """Return the standard deviations, kJ/mol, of parameters fitted to such a run.

    Parameters
    ----------
    distances : array of shape (n_replicas, n_records), Å
    energies : sequence of arrays of that shape, eV
        Of each torsion with k = 1 kJ/mol.
    """
    covariance = np.cov(np.transpose([histogram(run) for run in distances])) / len(distances)
    slopes = [-histogram(distances, e - e.mean()) / (units.kB * 300.0) for e in energies]
    inverse = np.linalg.pinv(np.stack(slopes, 1))
    return np.sqrt(np.diag(inverse @ covariance @ inverse.T))


def main():
    with double_precision():
        field, parameters, masses, start = peptide()
        n = len(masses)
        integrator = make_integrator(
            "langevin", n, timestep_fs=2.0, temperature_K=300.0, relaxation_fs=200.0
        )
        alone = {name: {**parameters[name], "stiffness_eV": KJ} for name in TRUE}

        def observed(state):
            """Return the end-to-end distance, and the energies of torsions with k = 1 kJ/mol."""
            x = state.positions
            energies = [field.terms[name](alone[name], x, None, None)[0] for name in TRUE]
            return jnp.sqrt(((x[-2] - x[0]) ** 2).sum()), *energies

        def go(torsions, x, v, key, steps, every, **options):
            now = dict(parameters)
            for name in TRUE:
                now[name] = {**parameters[name], "stiffness_eV": torsions[name] * KJ}
            at = {"parameters": now}
            begin = initialize(field, integrator, x, v, masses, key, **at)
            options = {"record": observed, "record_every": every, **at, **options}
            return simulate(field, begin, integrator, steps, **options)

        def all_of(torsions, x, v, keys, steps, every, **options):
            return jax.vmap(lambda *one: go(torsions, *one, steps, every, **options))(x, v, keys)

        def keys(seed):
            return jax.random.split(jax.random.key(seed), REPLICAS)

        # Settle from the zigzag, with short steps at first
        x = jnp.asarray(np.broadcast_to(start, (REPLICAS, n, 3)))
        noise = np.random.default_rng(1).standard_normal((REPLICAS, n, 3))
        v = jnp.asarray([maxwell_boltzmann(masses, 300.0, one) for one in noise])
        descend = jax.jit(jax.vmap(lambda x: jax.lax.fori_loop(
            0, 2000, lambda _, x: x + jnp.clip(0.002 * field(parameters, x, None, None)[1],
                                               -0.02, 0.02), x)))  # fmt: skip
        x = descend(x)
        long, sample = (
            jax.jit(lambda t, x, v, k, steps=steps: all_of(t, x, v, k, steps, EVERY))
            for steps in (LONG, SAMPLED)
        )

        def settled_run(torsions, x, v, seed):
            """Return a long run after a shorter one in which it settles."""
            for part in range(3):
                state = sample(torsions, x, v, keys(10_000 * seed + part)).state
                x, v = state.positions, state.velocities
            return long(torsions, x, v, keys(seed))

        reference = settled_run(TRUE, x, v, 1)
        distances, *energies = map(np.asarray, reference.records)
        goal = histogram(distances)
        deviations = standard_deviations(distances, energies)
        halves = [histogram(part) for part in np.split(distances, 2)]
        noise_of_goal = float(jnp.sqrt(((halves[0] - halves[1]) ** 2).mean()) / 2)
        print("reference:", distances.mean(), "Å; deviations", deviations, flush=True)

        free = {"phi": jnp.zeros(()), "psi": jnp.zeros(())}  # of one type: compiled once
        begun = settled_run(free, x, v, 2)
        before = histogram(begun.records[0])
        print("free:", float(begun.records[0].mean()), "Å", flush=True)

        def loss(torsions, x, v, k, residual):
            done = all_of(torsions, x, v, k, STEPS, WINDOW, checkpoint_every=1, window=WINDOW)
            return 2 * (residual * histogram(done.records[0])).mean(), done.state

        gradient = jax.jit(jax.grad(loss, has_aux=True))
        optimizer = optax.adam(optax.cosine_decay_schedule(0.4, EPOCHS), b1=0.5, b2=0.9)
        state, torsions = optimizer.init(free), free
        x, v = begun.state.positions, begun.state.velocities
        rows, residual = [], before - goal
        for epoch in range(EPOCHS):
            seen = sample(torsions, x, v, keys(200 + epoch))
            curve = histogram(seen.records[0])
            residual = MEMORY * residual + (1 - MEMORY) * (curve - goal)
            slope, end = gradient(
                torsions, seen.state.positions, seen.state.velocities, keys(100 + epoch), residual
            )
            x, v = end.positions, end.velocities
            rows.append(
                {"epoch": epoch + 1, "rmse_per_A": float(jnp.sqrt((residual**2).mean()))}
                | {f"{name}_kJ_per_mol": float(torsions[name]) for name in TRUE}
                | {f"gradient_{name}": float(slope[name]) for name in TRUE}
            )
            if epoch % 5 == 0:
                print(rows[-1], flush=True)
            updates, state = optimizer.update(slope, state)
            torsions = optax.apply_updates(torsions, updates)
        after = histogram(settled_run(torsions, x, v, 4).records[0])
    pd.DataFrame(rows).to_csv(HERE / "peptide.csv", index=False, float_format="%.6g")
    rmse = lambda p: float(np.sqrt(np.mean((np.asarray(p) - np.asarray(goal)) ** 2)))  # noqa: E731
    result = {
        "jax": jax.__version__,
        "true_kJ_per_mol": TRUE,
        "fitted_kJ_per_mol": {name: float(value) for name, value in torsions.items()},
        "deviation_kJ_per_mol": dict(zip(TRUE, deviations.tolist(), strict=True)),
        "rmse_per_A": {"before": rmse(before), "after": rmse(after), "noise": noise_of_goal},
        "grid_A": GRID_A.round(3).tolist(),
        "reference": np.asarray(goal).round(5).tolist(),
        "before": np.asarray(before).round(5).tolist(),
        "after": np.asarray(after).round(5).tolist(),
    }
    (HERE / "peptide.json").write_text(json.dumps(result) + "\n")
    print(
        json.dumps(
            {k: v for k, v in result.items() if k[:4] not in ("grid", "refe", "befo", "afte")}
        )
    )
    draw_figure(result, pd.DataFrame(rows))


def draw_figure(result, table):
    import matplotlib.pyplot as plt

    from helpers.plots import BLACK, BLUE, ORANGE, style

    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
        for name, color in (("phi", ORANGE), ("psi", BLUE)):
            symbol = {"phi": "φ", "psi": "ψ"}[name]
            left.plot(table["epoch"], table[f"{name}_kJ_per_mol"], color=color, label=symbol)
            left.axhline(TRUE[name], color=color, lw=1, ls=":")
        left.set(title="Torsions of the fit (dotted: true)", xlabel="epoch", ylabel="k, kJ/mol")
        left.legend()
        for name, color, dashes in (
            ("reference", BLACK, "-"), ("before", ORANGE, "--"), ("after", BLUE, "-"),
        ):  # fmt: skip
            right.plot(GRID_A, result[name], color=color, ls=dashes, label=name)
        right.set(title="End-to-end distance", xlabel="distance, Å", ylabel="density, 1/Å")
        right.legend()
        figure.savefig(HERE / "peptide.png")


if __name__ == "__main__":
    main()
