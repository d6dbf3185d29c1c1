"""Gradients with respect to the weights of a GAP, through molecular dynamics."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import load_potential
from helpers.differentiable import GapWeights
from helpers.errors import PredictionError
from helpers.jax_setup import double_precision
from helpers.md.integrators import make_integrator
from helpers.md.simulation import initialize, simulate

pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.mark.slow  # compiles a GAP's dynamics with its gradient: 15 s
def test_the_gradient_through_dynamics_is_that_of_central_differences(smallest_fit, frames10):
    atoms = frames10[0]
    potential = load_potential(smallest_fit.model_path, engine="jax")
    with double_precision():
        gap = GapWeights(potential, atoms.numbers)
        x, masses = jnp.asarray(atoms.positions[gap.order]), atoms.get_masses()[gap.order]
        lists = gap.neighbors(x, atoms.cell.array, atoms.pbc)
        field = gap.field
        integrator = make_integrator("langevin", len(masses), timestep_fs=0.5, temperature_K=300.0)

        def moved(weights):
            at = {
                "parameters": gap.expand(weights),
                "cell": jnp.asarray(atoms.cell.array),
                "neighbors": lists,
            }
            start = initialize(field, integrator, x, 0 * x, masses, jax.random.key(0), **at)
            end = simulate(field, start, integrator, 5, record=lambda state: (), **at).state
            return ((end.positions - x) ** 2).sum(), end.positions

        compiled = jax.jit(jax.value_and_grad(moved, has_aux=True))
        along = [np.abs(w) for w in gap.weights]

        def at_distance(h):
            pairs = zip(gap.weights, along, strict=True)
            return float(compiled([w + h * d for w, d in pairs])[0][0])

        (_, end), slope = compiled(gap.weights)
        expected = (at_distance(1e-6) - at_distance(-1e-6)) / 2e-6
        found = sum(float(a @ b) for a, b in zip(slope, along, strict=True))
        assert found == pytest.approx(expected, rel=1e-6)
        gap.check_moved(x, end)
        with pytest.raises(PredictionError, match="do not reach far enough.*0.5 Å"):
            gap.check_moved(x, x + 1.0)


def test_predictions_with_changed_weights(smallest_fit, frames10):
    potential = load_potential(smallest_fit.model_path, engine="jax")
    with double_precision():
        gap = GapWeights(potential, frames10[0].numbers)
        energies = [
            gap.calculator([factor * w for w in gap.weights]).predict_frames(frames10[:1])[0][0]
            for factor in (1.0, 2.0, 3.0)
        ]
    assert energies[0] == pytest.approx(potential.predict_frames(frames10[:1])[0][0], abs=1e-8)
    assert energies[2] - energies[1] == pytest.approx(energies[1] - energies[0], rel=1e-6)
