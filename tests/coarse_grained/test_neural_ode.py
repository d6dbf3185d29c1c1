"""Trajectories and their gradients: solvers and methods against each other and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.coarse_grained.neural_ode import Solver, integrate
from helpers.coarse_grained.pair_sum import pair_force_field
from helpers.coarse_grained.quaternions import rotation_matrix
from helpers.coarse_grained.rigid_dynamics import make_rigid_integrator
from helpers.errors import ConfigError
from helpers.jax_setup import double_precision


class Dipoles:
    """A pair energy with two parameters that turns and pushes."""

    cutoff = float("inf")

    def __call__(self, parameters, separation, q1, q2):
        distance = jnp.sqrt((separation**2).sum())
        axes = rotation_matrix(q1)[:, 0], rotation_matrix(q2)[:, 1]
        along = (axes[0] * separation).sum() * (axes[1] * separation).sum()
        return parameters[0] * (distance - 2) ** 2 + parameters[1] * along


@pytest.fixture(scope="module")
def problem(wedge):
    """A function solver → (loss, gradient) over five records of a pair of bodies."""
    field = pair_force_field(Dipoles())
    integrator = make_rigid_integrator("nve", wedge, timestep=1.0)
    rng = np.random.default_rng(0)
    poses = np.zeros((2, 7))
    poses[:, 3], poses[1, 0] = 1, 2.2
    momenta = rng.normal(size=(2, 6)) * 3
    weights = np.array([5.0, 1.0])

    def loss(start, solver):
        weights, poses, momenta = start
        path = integrate(field, integrator, weights, poses, momenta, 5, 0.1, solver)
        return sum((one**2 * jnp.arange(6)[:, None, None]).sum() for one in path) / 100

    value_and_gradient = jax.jit(jax.value_and_grad(loss), static_argnums=1)

    def solve(solver):
        with double_precision():
            return value_and_gradient((weights, poses, momenta), solver)

    return solve


@pytest.fixture(scope="module")
def discrete(problem):
    return problem(Solver(steps_per_record=16))


def on_the_sphere(gradient):
    """All but the slope along the quaternions (1, 0, 0, 0), where U may go on in any way."""
    weights, poses, momenta = gradient
    return flat((weights, np.delete(poses, 3, axis=1), momenta))


def flat(tree):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


@pytest.mark.slow
def test_stepping_back_gives_the_gradient_of_the_steps(problem, discrete):
    value, gradient = problem(Solver(gradient="reversible", steps_per_record=16))
    assert float(value) == pytest.approx(float(discrete[0]), rel=1e-13)
    scale = np.abs(flat(discrete[1])).max()
    assert np.allclose(flat(gradient), flat(discrete[1]), atol=1e-10 * scale)


@pytest.mark.slow  # diffrax's solvers take long to compile
def test_continuous_gradients_agree_to_the_accuracy_of_the_solutions(problem, discrete):
    """The adjoint equation of Tsit5 with an adaptive step, and ever more symplectic steps."""
    adjoint = Solver("tsit5", "adjoint", steps_per_record=4, rtol=1e-8, atol=1e-8)
    value, by_adjoint = problem(adjoint)
    fine, by_steps = problem(Solver(steps_per_record=64))
    scale = np.abs(on_the_sphere(by_steps)).max()
    assert float(value) == pytest.approx(float(fine), rel=1e-6)
    assert np.allclose(on_the_sphere(by_adjoint), on_the_sphere(by_steps), atol=1e-4 * scale)
    assert not np.allclose(
        on_the_sphere(discrete[1]), on_the_sphere(by_steps), atol=1e-6 * scale
    )  # of its own steps
    assert np.allclose(on_the_sphere(discrete[1]), on_the_sphere(by_steps), atol=1e-3 * scale)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"name": "symplectic", "gradient": "adjoint"}, "'checkpoint' or 'reversible'"),
        ({"name": "tsit5", "gradient": "reversible"}, "'adjoint' with the solvers"),
        ({"name": "tsit5"}, "gradient='checkpoint' cannot be used"),
        ({"name": "tsit5", "gradient": "adjoint", "rtol": 1e-3}, "both 0, or both above 0"),
        ({"rtol": 1e-3, "atol": 1e-3}, "fixed length"),
        ({"name": "euler"}, "'symplectic' or 'tsit5'"),
        ({"gradients": "adjoint"}, "did you mean 'gradient'"),
    ],
)
def test_what_does_not_go_together(settings, message):
    with pytest.raises(ConfigError, match=message):
        Solver(**settings)
