"""Reversible simulation: the way back is exact, and its gradients are those of `simulate`."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.differentiable import simulate_reversibly
from helpers.errors import ConfigError
from helpers.jax_setup import double_precision
from helpers.md.integrators import (
    METHODS,
    kinetic_energy,
    make_integrator,
    maxwell_boltzmann,
)
from helpers.md.lennard_jones import ARGON, LennardJones
from helpers.md.simulation import from_energy, initialize, simulate

pytestmark = pytest.mark.usefixtures("quickly_compiled")

STEP_FS, FRICTION_FS = 8.6, 2150.0  # 0.004 and 1 in reduced units of argon


@pytest.fixture(autouse=True)
def _double_precision():
    with double_precision():
        yield


SPRINGS = from_energy(  # three atoms in a quartic well
    lambda k, x, cell, lists: (k * x**2).sum() + 0.3 * (x**2).sum() ** 2
)


def springs_loss(run, name):
    """Return a function of stiffness, temperature, one position and one velocity: a number."""
    rng = np.random.default_rng(0)
    masses = np.array([4.0, 9.0, 16.0])
    xs, vs = (
        0.3 * rng.normal(size=(3, 3)),
        maxwell_boltzmann(masses, 300.0, rng.normal(size=(3, 3))),
    )

    def loss(k, kelvin, x, v):
        integrator = make_integrator(
            name, 3, timestep_fs=0.7, temperature_K=kelvin, relaxation_fs=30.0, n_dof=9
        )
        start = initialize(
            SPRINGS, integrator, jnp.asarray(xs).at[0, 1].add(x), jnp.asarray(vs).at[1, 2].add(v),
            masses, jax.random.key(3), parameters=k,
        )  # fmt: skip
        result = run(SPRINGS, start, integrator, 50, parameters=k, record_every=12)
        frames = result.records
        kinetic = kinetic_energy(frames.velocities, masses)
        return (frames.energy + 0.3 * kinetic + 0.1 * frames.positions[:, 1, 2]).sum() + (
            result.state.positions**2
        ).sum()

    return loss


@pytest.mark.slow  # seven integrators, each compiled twice: 3 s each
@pytest.mark.parametrize("name", METHODS)
def test_gradients_are_those_of_simulate(name):
    """With respect to a parameter, the temperature of the bath, and the start."""
    at = (0.8, 280.0, 0.0, 0.0)
    values, gradients = zip(
        *(
            jax.jit(jax.value_and_grad(springs_loss(run, name), argnums=(0, 1, 2, 3)))(*at)
            for run in (simulate, simulate_reversibly)
        ),
        strict=True,
    )
    assert values[1] == pytest.approx(float(values[0]), rel=1e-5)
    # Factors and friction are fractions with a denominator of 2²⁰: 1e-6, fifty times.
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-4, atol=1e-12)
    assert (gradients[1][1] == 0) == (name == "none")
    assert min(abs(gradients[1][k]) for k in (0, 2, 3)) > 1e-4


def argon():
    length = 3.405 * (8 / 0.6) ** (1 / 3)
    grid = length * np.array([0.25, 0.75])
    positions = np.array([[x, y, z] for x in grid for y in grid for z in grid])
    masses = np.full(8, 39.948)
    noise = np.random.default_rng(0).standard_normal((8, 3))
    field = LennardJones(0.495 * length)
    cell = jnp.asarray(length * np.eye(3))
    return field, positions, maxwell_boltzmann(masses, 120.0, noise), masses, cell


@pytest.mark.slow  # 5,000 steps there, back, and once more: 8 s
@pytest.mark.parametrize("name", ["langevin", pytest.param("none", marks=pytest.mark.long)])
def test_five_thousand_steps_come_back(name):
    """No state is stored on the way; the gradient is that of the same rounded trajectory."""
    field, positions, velocities, masses, cell = argon()
    steps = 5000
    # The friction that is a fraction exactly
    numerator = round(math.exp(-STEP_FS / FRICTION_FS) * 2**20)
    tau = -STEP_FS / math.log(numerator / 2**20)

    def prepared(epsilon, kelvin):
        integrator = make_integrator(
            name, 8, timestep_fs=STEP_FS, temperature_K=kelvin, relaxation_fs=tau
        )
        parameters = ARGON._replace(epsilon_eV=epsilon)
        at = {"parameters": parameters, "cell": cell}
        key = jax.random.key(1)
        start = initialize(field, integrator, positions, velocities, masses, key, **at)
        return start, integrator, at

    def score(state):
        return state.velocities[0].sum() + 1e-3 * (state.positions**2).sum()

    def reversible(epsilon, kelvin, record_every):
        start, integrator, at = prepared(epsilon, kelvin)
        run = simulate_reversibly(
            field, start, integrator, steps, **at, record_every=record_every,
            record=lambda state, _: (state.positions, state.velocities),
        )  # fmt: skip
        return score(run.state), (run.state.positions, run.records)

    at = (jnp.asarray(ARGON.epsilon_eV), jnp.asarray(120.0))
    gradient, (end, _) = jax.jit(
        jax.grad(lambda *at: reversible(*at, steps), argnums=(0, 1), has_aux=True)
    )(*at)
    _, (_, rows) = jax.jit(lambda *at: reversible(*at, 1))(*at)
    np.testing.assert_array_equal(rows[0][-1], end)

    def reference(epsilon, kelvin):
        """The same trajectory, with the derivatives of the smooth step: checkpoints and JAX."""
        start, integrator, at = prepared(epsilon, kelvin)

        def snap(smooth, whole):
            return smooth + jax.lax.stop_gradient(whole - smooth)

        def step(state, row):
            force = lambda x: field(at["parameters"], x, cell, None)  # noqa: E731
            state = integrator.method.step(state, force, integrator)
            x, v = snap(state.positions, row[0]), snap(state.velocities, row[1])
            return state._replace(positions=x, velocities=v), None

        stretch = jax.checkpoint(lambda state, rows: jax.lax.scan(step, state, rows))
        stretches = jax.tree.map(lambda one: one.reshape(-1, 50, 8, 3), rows)
        start = start._replace(step=jnp.asarray(start.step))
        return score(jax.lax.scan(stretch, start, stretches)[0])

    expected = jax.jit(jax.grad(reference, argnums=(0, 1)))(*at)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)
    assert abs(gradient[0]) > 1e20  # the derivatives of a chaotic system


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_steps():
    def bytes_of(steps):
        integrator = make_integrator("langevin", 3, timestep_fs=0.7, relaxation_fs=700.0)

        def loss(k):
            masses = np.ones(3)
            start = initialize(
                SPRINGS, integrator, jnp.eye(3), jnp.zeros((3, 3)), masses, jax.random.key(0),
                parameters=k,
            )  # fmt: skip
            run = simulate_reversibly(
                SPRINGS, start, integrator, steps, parameters=k, record_every=steps
            )
            return run.state.energy

        compiled = jax.jit(jax.grad(loss)).lower(1.0).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert bytes_of(50_000) < 2 * bytes_of(500)


@pytest.mark.slow
def test_a_way_back_that_is_lost_gives_no_number():
    """A buffer that is used for more steps than it has room for."""
    from helpers.differentiable import reversible

    integrator = make_integrator("langevin", 3, timestep_fs=1.0, relaxation_fs=2.0, n_dof=9)

    def loss(k):
        start = initialize(
            SPRINGS, integrator, 0.1 * jnp.eye(3), jnp.zeros((3, 3)), np.ones(3),
            jax.random.key(0), parameters=k,
        )  # fmt: skip
        run = simulate_reversibly(SPRINGS, start, integrator, 80, parameters=k, record_every=80)
        return run.state.energy

    assert np.isfinite(jax.jit(jax.grad(loss))(1.0))
    original = reversible.steps_per_buffer
    reversible.steps_per_buffer = lambda numerator: 10 * original(numerator)
    try:
        assert np.isnan(jax.jit(jax.grad(loss))(1.0))
    finally:
        reversible.steps_per_buffer = original


def test_settings_that_cannot_be_used():
    integrator = make_integrator("langevin", 3, timestep_fs=1.0)
    start = initialize(
        SPRINGS, integrator, jnp.eye(3), jnp.zeros((3, 3)), np.ones(3), jax.random.key(0),
        parameters=1.0,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="steps=0"):
        simulate_reversibly(SPRINGS, start, integrator, 0)
    own = replace(integrator, method=integrator.method._replace(step=lambda *_: None))
    with pytest.raises(ConfigError, match="cannot be run backwards.*velocity_verlet.*checkpoint"):
        simulate_reversibly(SPRINGS, start, own, 5)
    with pytest.raises(ConfigError, match="timestep_fs is not known"):
        jax.grad(
            lambda dt: (
                simulate_reversibly(
                    SPRINGS, start, replace(integrator, timestep_fs=dt), 5, parameters=1.0
                ).state.energy
            )
        )(1.0)
    with pytest.raises(ConfigError, match="Several systems.*jax.vmap"):
        simulate_reversibly(SPRINGS, start._replace(positions=jnp.zeros((2, 3, 3))), integrator, 5)
