"""Trajectories and their gradients: solvers and methods against each other and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.coarse_grained.learned_potential import LearnedPair
from helpers.coarse_grained.neural_ode import Solver, integrate
from helpers.coarse_grained.pair_sum import Spring, pair_force_field
from helpers.coarse_grained.rigid_dynamics import make_rigid_integrator
from helpers.errors import ConfigError
from helpers.jax_setup import double_precision


@pytest.fixture(scope="module")
def problem(hexagons):
    """A function solver → (loss, gradient) over 12 records of a pair with a small network."""
    with double_precision():
        pair = LearnedPair(hexagons, 3.1, depth=1, width=8)
        weights = pair.initialize(jax.random.key(0))
    field = pair_force_field(pair, Spring(10.0, 2.0))
    integrator = make_rigid_integrator("nve", hexagons, timestep=1.0)
    rng = np.random.default_rng(0)
    poses = np.zeros((2, 7))
    poses[:, 3], poses[1, 0] = 1, 2.2
    momenta = rng.normal(size=(2, 6)) * 3

    def loss(start, solver):
        weights, poses, momenta = start
        path = integrate(field, integrator, weights, poses, momenta, 12, 0.05, solver)
        return sum((one**2 * jnp.arange(13)[:, None, None]).sum() for one in path) / 100

    value_and_gradient = jax.jit(jax.value_and_grad(loss), static_argnums=1)
    return lambda solver: value_and_gradient((weights, poses, momenta), solver)


@pytest.fixture(scope="module")
def discrete(problem):
    with double_precision():
        return problem(Solver(steps_per_record=8))


def flat(tree):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


def test_stepping_back_gives_the_gradient_of_the_steps(problem, discrete):
    value, gradient = problem(Solver(gradient="reversible", steps_per_record=8))
    assert float(value) == pytest.approx(float(discrete[0]), rel=1e-13)
    scale = np.abs(flat(discrete[1])).max()
    assert np.allclose(flat(gradient), flat(discrete[1]), atol=1e-10 * scale)


def test_continuous_gradients_agree_to_the_accuracy_of_the_solutions(problem, discrete):
    """Tsit5 of fixed step by checkpoints, and adaptive with the adjoint solved backwards."""
    value, by_checkpoints = problem(Solver("tsit5", steps_per_record=2))
    adjoint = Solver("dopri5", "adjoint", steps_per_record=2, rtol=1e-8, atol=1e-8)
    again, by_adjoint = problem(adjoint)
    scale = np.abs(flat(by_checkpoints)).max()
    assert float(value) == pytest.approx(float(again), rel=1e-5)
    assert np.allclose(flat(by_adjoint), flat(by_checkpoints), atol=1e-4 * scale)
    assert float(discrete[0]) == pytest.approx(float(value), rel=2e-3)  # of second order
    assert np.allclose(flat(discrete[1]), flat(by_checkpoints), atol=2e-2 * scale)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"name": "symplectic", "gradient": "adjoint"}, "'checkpoint' or 'reversible'"),
        ({"name": "tsit5", "gradient": "reversible"}, "'checkpoint' or 'adjoint'"),
        ({"name": "tsit5", "rtol": 1e-3}, "both 0, or both above 0"),
        ({"rtol": 1e-3, "atol": 1e-3}, "fixed length"),
        ({"name": "euler"}, "'symplectic' or 'tsit5'"),
        ({"gradients": "adjoint"}, "did you mean 'gradient'"),
    ],
)
def test_what_does_not_go_together(settings, message):
    with pytest.raises(ConfigError, match=message):
        Solver(**settings)
