"""Integrators: exact solutions, conserved quantities, and what is canonical and what is not."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import units
from ase.build import bulk

from helpers.errors import ConfigError
from helpers.jax_setup import double_precision
from helpers.md.integrators import (
    ACCELERATION,
    METHODS,
    Integrator,
    Method,
    State,
    drift,
    kick,
    kinetic_energy,
    make_integrator,
    maxwell_boltzmann,
    new_state,
    temperature,
    update_forces,
)
from helpers.md.lennard_jones import ARGON, LennardJones
from helpers.md.simulation import from_energy, initialize, simulate

CANONICAL = [name for name, method in METHODS.items() if method.canonical]
THERMOSTATS = [name for name in METHODS if name != "none"]
FIELD = LennardJones(cutoff_A=5.2, skin_A=0.05)
KELVIN, N_REPLICAS = 60.0, 32

STIFFNESS = 0.1  # eV/Å²: external harmonic wells, one for each atom
wells = from_energy(lambda k, positions, cell, neighbors: 0.5 * k * (positions**2).sum())


@pytest.fixture(autouse=True)
def _double_precision():
    with double_precision():
        yield


@pytest.fixture(scope="module")
def argon():
    """Positions, cell and masses of 32 argon atoms."""
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True).repeat(2)
    return atoms.positions, atoms.cell.array, atoms.get_masses()


@pytest.fixture(scope="module")
def equilibrium(argon):
    """A function: integrator → replicas of argon in equilibrium at 60 K, ready to be run."""
    positions, cell, masses = argon
    with double_precision():
        replicas = np.broadcast_to(positions, (N_REPLICAS, *positions.shape))
        cells = jnp.broadcast_to(cell, (N_REPLICAS, 3, 3))
        noise = np.random.default_rng(5).standard_normal(replicas.shape)
        velocities = maxwell_boltzmann(masses, 2 * KELVIN, noise)
        warm = make_integrator("bussi", 32, timestep_fs=4.0, temperature_K=KELVIN)
        start = initialize(
            FIELD, warm, replicas, velocities, masses, keys(1), parameters=ARGON, cell=cells
        )
        settled = jax.jit(
            lambda: simulate(FIELD, start, warm, 500, parameters=ARGON, cell=cells).state
        )()

    def at(integrator):
        return initialize(
            FIELD,
            integrator,
            settled.positions,
            settled.velocities,
            masses,
            keys(2),
            parameters=ARGON,
            cell=cells,
        )

    return at, cells


def keys(seed):
    return jax.random.split(jax.random.key(seed), N_REPLICAS)


def argon_state(integrator, argon, seed=3, kelvin=KELVIN):
    positions, cell, masses = argon
    noise = np.random.default_rng(seed).standard_normal(positions.shape)
    velocities = maxwell_boltzmann(masses, kelvin, noise)
    key = jax.random.key(seed)
    return initialize(
        FIELD, integrator, positions, velocities, masses, key, parameters=ARGON, cell=cell
    )


def test_kick_and_drift_are_newtons_laws():
    state = State(
        positions=jnp.array([[1.0, 0, 0]]),
        velocities=jnp.array([[0.0, 0.02, 0]]),
        forces=jnp.array([[0, 0, 2.0]]),
        energy=0.0,
        masses=jnp.array([4.0]),
        key=None,
        thermostat=(),
        step=0,
    )
    kicked = kick(state, 3.0)
    # 1 eV/(Å u) = 1.602177e-19 / (1e-10 · 1.660539e-27) m/s² = 9.648533e-3 Å/fs²
    np.testing.assert_allclose(kicked.velocities, [[0, 0.02, 2 / 4 * 3 * 9.648533e-3]], rtol=1e-6)
    np.testing.assert_allclose(drift(state, 3.0).positions, [[1, 0.06, 0]])
    speed = np.array([[0.01, 0, 0]])
    # ½ · 4 u · (1000 m/s)² in eV
    assert kinetic_energy(speed, np.array([4.0])) == pytest.approx(0.0207285, rel=1e-5)
    assert temperature(speed, np.array([4.0]), 3) == pytest.approx(
        2 * 0.0207285 / 3 / 8.617333e-5, rel=1e-5
    )


def test_velocity_verlet_solves_the_harmonic_oscillator_as_the_book_says():
    """Of step Δt: x_n = x₀ cos(n φ) with cos φ = 1 − (ω Δt)²/2."""
    mass, dt = 10.0, 5.0
    integrator = make_integrator("none", 1, timestep_fs=dt)
    state = initialize(
        wells, integrator, jnp.array([[0.3, -0.2, 0.1]]), jnp.zeros((1, 3)), np.array([mass]), None,
        parameters=STIFFNESS,
    )  # fmt: skip
    run = simulate(wells, state, integrator, 300, parameters=STIFFNESS)
    phi = np.arccos(1 - STIFFNESS / mass * ACCELERATION * dt**2 / 2)
    expected = np.cos(phi * np.arange(1, 301))[:, None] * [0.3, -0.2, 0.1]
    np.testing.assert_allclose(run.records.positions[:, 0], expected, atol=1e-11)


@pytest.mark.slow
def test_constant_energy_can_be_run_backwards(argon):
    integrator = make_integrator("none", 32, timestep_fs=4.0)
    start = argon_state(integrator, argon)
    options = {"parameters": ARGON, "cell": argon[1]}
    there = simulate(FIELD, start, integrator, 300, **options).state
    turned = there._replace(velocities=-there.velocities)
    back = simulate(FIELD, turned, integrator, 300, **options).state
    assert np.abs(there.positions - start.positions).max() > 0.3
    np.testing.assert_allclose(back.positions, start.positions, atol=1e-9)
    np.testing.assert_allclose(back.velocities, -start.velocities, atol=1e-11)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_takes_one_evaluation_of_forces_and_one_of_length_0_changes_nothing_else(
    name, argon
):
    positions, _, masses = argon
    velocities = maxwell_boltzmann(
        masses, KELVIN, np.random.default_rng(0).standard_normal((32, 3))
    )
    calls = []

    def force(positions):
        calls.append(positions)
        return jnp.sum(positions), -positions

    integrator = make_integrator(name, 32, timestep_fs=0.0, temperature_K=2 * KELVIN)
    state = new_state(integrator, positions, velocities, masses, jax.random.key(0))
    assert state.step == -1 and np.isnan(state.energy)
    after = integrator.method.step(state, force, integrator)
    assert len(calls) == 1 and after.step == 0
    np.testing.assert_array_equal(after.positions, positions)
    np.testing.assert_allclose(after.velocities, velocities, rtol=1e-14)
    np.testing.assert_array_equal(after.forces, -positions)
    for leaf in jax.tree.leaves(after.thermostat):
        np.testing.assert_array_equal(leaf, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_replica_is_the_run_that_its_key_gives_alone(name, argon):
    positions, cell, masses = argon
    integrator = make_integrator(name, 32, timestep_fs=4.0, temperature_K=KELVIN, relaxation_fs=50)
    alone = [argon_state(integrator, argon, seed) for seed in (1, 2, 3)]
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone)
    batch = batch._replace(masses=masses, step=0)
    cells = jnp.broadcast_to(cell, (3, 3, 3))
    together = simulate(FIELD, batch, integrator, 40, parameters=ARGON, cell=cells)
    single = simulate(FIELD, alone[1], integrator, 40, parameters=ARGON, cell=cell)
    np.testing.assert_allclose(together.state.positions[1], single.state.positions, atol=1e-11)
    np.testing.assert_allclose(
        together.records.velocities[:, 1], single.records.velocities, atol=1e-12
    )
    assert np.abs(together.state.positions[0] - single.state.positions).max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_momentum_and_degrees_of_freedom(name, argon):
    integrator = make_integrator(name, 32, timestep_fs=4.0, temperature_K=KELVIN, relaxation_fs=50)
    run = simulate(
        FIELD, argon_state(integrator, argon), integrator, 50, parameters=ARGON, cell=argon[1]
    )
    momentum = np.abs((argon[2][:, None] * run.state.velocities).sum(0)).max()
    thermal = np.sqrt(units.kB * KELVIN * ACCELERATION * argon[2].sum())
    if name in ("langevin", "andersen"):
        assert integrator.n_dof == 96 and momentum > 0.05 * thermal
    else:
        assert integrator.n_dof == 93 and momentum < 1e-12 * thermal


@pytest.fixture(scope="module")
def kinetic_energies(equilibrium):
    """A function: name → kinetic energies (n_times, R) in kT, and the degrees of freedom."""
    at, cells = equilibrium
    known = {}

    def of(name):
        if name not in known:
            integrator = make_integrator(
                name, 32, timestep_fs=4.0, temperature_K=KELVIN, relaxation_fs=100.0
            )

            def run():
                start = at(integrator)
                record = lambda state: kinetic_energy(state.velocities, state.masses)  # noqa: E731
                settled = simulate(FIELD, start, integrator, 250, parameters=ARGON, cell=cells)
                return simulate(
                    FIELD, settled.state, integrator, 2000,
                    parameters=ARGON, cell=cells, record=record, record_every=5,
                ).records  # fmt: skip

            energies = np.asarray(jax.jit(run)()) / (units.kB * KELVIN)
            known[name] = energies, integrator.n_dof
        return known[name]

    return of


@pytest.mark.slow
@pytest.mark.parametrize("name", CANONICAL)
def test_mean_and_variance_of_the_kinetic_energy_are_canonical(name, kinetic_energies):
    """K follows a gamma distribution: mean n/2 and variance n/2, in units of kT and (kT)²."""
    energies, n_dof = kinetic_energies(name)
    means = energies.mean(0)  # of independent replicas
    squares = ((energies - n_dof / 2) ** 2).mean(0)
    for values in (means, squares):
        error = values.std(ddof=1) / np.sqrt(N_REPLICAS)
        assert error < 0.06 * n_dof / 2
        assert abs(values.mean() - n_dof / 2) < 2 * error


@pytest.mark.slow
@pytest.mark.parametrize(("name", "at_most"), [("berendsen", 0.75), ("rescaling", 1e-20)])
def test_berendsen_and_rescaling_are_not_canonical(name, at_most, kinetic_energies):
    energies, n_dof = kinetic_energies(name)
    assert energies.mean() == pytest.approx(n_dof / 2, rel=0.01)
    squares = ((energies - n_dof / 2) ** 2).mean(0)
    error = squares.std(ddof=1) / np.sqrt(N_REPLICAS)
    assert squares.mean() + 5 * error < n_dof / 2
    assert squares.mean() < at_most * n_dof / 2


@pytest.mark.slow
def test_nose_hoover_conserves_the_energy_of_atoms_and_bath(argon):
    integrator = make_integrator(
        "nose_hoover", 32, timestep_fs=4.0, temperature_K=KELVIN, relaxation_fs=100.0
    )
    start = argon_state(integrator, argon, kelvin=2 * KELVIN)
    run = jax.jit(
        lambda: (
            simulate(
                FIELD, start, integrator, 5000, parameters=ARGON, cell=argon[1], record_every=10
            ).records
        )
    )()
    meV_per_atom = 1000 * np.asarray(run.conserved) / 32
    ps = 0.04 * np.arange(1, 501)
    drift_meV_per_atom_per_ps = np.polyfit(ps, meV_per_atom, 1)[0]
    assert abs(drift_meV_per_atom_per_ps) < 0.01  # the goal is 1
    total = run.energy + kinetic_energy(run.velocities, argon[2])
    assert np.std(meV_per_atom) < 0.02 * np.std(1000 * total / 32)


@pytest.mark.slow
def test_baoab_samples_positions_of_harmonic_oscillators_exactly():
    """Whatever the step: ⟨x²⟩ = kT/k, and ⟨v²⟩ = (1 − (ω Δt)²/4) kT/m.

    Leimkuhler, Matthews, J. Chem. Phys. 138, 174102 (2013), section III.
    """
    n_atoms, mass, kelvin = 4000, 10.0, 300.0
    omega = np.sqrt(STIFFNESS / mass * ACCELERATION)
    integrator = make_integrator(
        "langevin", n_atoms, timestep_fs=1.2 / omega, temperature_K=kelvin, relaxation_fs=1 / omega
    )
    masses = np.full(n_atoms, mass)
    zeros = jnp.zeros((n_atoms, 3))
    state = initialize(
        wells, integrator, zeros, zeros, masses, jax.random.key(0), parameters=STIFFNESS
    )

    def squares(state):
        return (state.positions**2).mean(), (state.velocities**2).mean()

    settled = simulate(wells, state, integrator, 50, parameters=STIFFNESS).state
    run = simulate(
        wells, settled, integrator, 1000, parameters=STIFFNESS, record=squares, record_every=5
    )
    x2, v2 = (np.asarray(values).reshape(20, 10).mean(1) for values in run.records)
    kT = units.kB * kelvin
    for values, expected in (
        (x2, kT / STIFFNESS),
        (v2, (1 - 1.2**2 / 4) * kT / mass * ACCELERATION),
    ):
        error = values.std(ddof=1) / np.sqrt(20)
        assert error < 0.003 * expected
        assert abs(values.mean() - expected) < 3 * error


def test_andersen_hits_the_right_share_of_the_atoms():
    n_atoms = 20_000
    integrator = make_integrator(
        "andersen", n_atoms, timestep_fs=20.0, temperature_K=300.0, relaxation_fs=50.0
    )
    zeros = jnp.zeros((n_atoms, 3))
    state = new_state(integrator, zeros, zeros, np.full(n_atoms, 2.0), jax.random.key(4))
    after = integrator.method.step(state, lambda x: (0.0, 0.0 * x), integrator)
    hit = (np.asarray(after.velocities) != 0).all(1)
    assert hit.mean() == pytest.approx(1 - np.exp(-20 / 50), abs=0.01)
    assert (np.asarray(after.velocities)[~hit] == 0).all()
    kelvin = temperature(after.velocities[hit], np.full(hit.sum(), 2.0), 3 * hit.sum())
    assert kelvin == pytest.approx(300, rel=0.04)


def test_velocities_of_a_temperature_from_either_librarys_random_numbers():
    masses = np.tile([16.0, 1.0, 1.0], 2000)
    noise = np.random.default_rng(0).standard_normal((6000, 3))
    velocities = maxwell_boltzmann(masses, 300.0, noise)
    assert isinstance(velocities, np.ndarray)
    np.testing.assert_allclose(velocities, maxwell_boltzmann(masses, 300.0, jnp.asarray(noise)))
    assert np.abs((masses[:, None] * velocities).sum(0)).max() < 1e-10
    for mass in (16.0, 1.0):
        one = velocities[masses == mass]
        assert temperature(one, np.full(len(one), mass), 3 * len(one)) == pytest.approx(
            300, rel=0.04
        )


def test_an_integrator_of_your_own_is_one_function_and_one_line(argon, monkeypatch):
    """Position Verlet: drift, kick, drift. Forces are those between the two drifts."""

    def position_verlet(state, force, integrator: Integrator):
        dt = integrator.timestep_fs
        state = drift(state, dt / 2)
        state = update_forces(state, force)
        state = kick(state, dt)
        return drift(state, dt / 2)

    monkeypatch.setitem(METHODS, "position_verlet", Method(position_verlet, canonical=False))
    integrator = make_integrator("position_verlet", 32, timestep_fs=4.0)
    verlet = make_integrator("none", 32, timestep_fs=4.0)
    options = {"parameters": ARGON, "cell": argon[1]}
    own = simulate(FIELD, argon_state(integrator, argon), integrator, 100, **options).state
    theirs = simulate(FIELD, argon_state(verlet, argon), verlet, 100, **options).state
    np.testing.assert_allclose(own.positions, theirs.positions, atol=2e-3)


def test_an_unknown_thermostat():
    with pytest.raises(ConfigError, match="no thermostat 'nose-hoover'.*mean 'nose_hoover'"):
        make_integrator("nose-hoover", 3, timestep_fs=1.0)
