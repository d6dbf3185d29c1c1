"""The Lennard-Jones force field: against ASE, finite differences and the literature."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.lj import LennardJones as AseLennardJones

from helpers.errors import ConfigError
from helpers.jax_setup import double_precision
from helpers.md.integrators import kinetic_energy, make_integrator, maxwell_boltzmann, temperature
from helpers.md.lennard_jones import ARGON, LennardJones
from helpers.md.pairs import TRUNCATIONS
from helpers.md.simulation import initialize, simulate

EPSILON, SIGMA = ARGON
MASS = 39.948
TAU_FS = SIGMA * np.sqrt(MASS / EPSILON) / units.fs  # the unit of time of reduced units


@pytest.fixture(autouse=True)
def _double_precision():
    with double_precision():
        yield


@pytest.fixture
def liquid():
    """Positions and cell of 108 disordered atoms in a cell that is not orthorhombic."""
    atoms = bulk("Ar", "fcc", a=5.5, cubic=True).repeat(3)
    atoms.set_cell(atoms.cell.array @ [[1, 0, 0], [0.1, 1, 0], [0, -0.05, 1.1]], scale_atoms=True)
    atoms.rattle(0.3, seed=1)
    return atoms.positions, atoms.cell.array


def test_the_minimum(positions=((0.0, 0, 0), (0, 2 ** (1 / 6) * SIGMA, 0))):
    energy, forces = LennardJones(12.0, "truncated")(ARGON, jnp.array(positions), None, None)
    assert energy == pytest.approx(-EPSILON, rel=1e-12)
    np.testing.assert_allclose(forces, 0, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("with_list", [False, True])
def test_energy_forces_and_pressure_are_those_of_ase(with_list, liquid):
    positions, cell = liquid
    atoms = Atoms(f"Ar{len(positions)}", positions, cell=cell, pbc=True)
    atoms.calc = AseLennardJones(epsilon=EPSILON, sigma=SIGMA, rc=7.0)  # shifted
    field = LennardJones(7.0, "shifted", skin_A=0.5)
    lists = field.neighbors(positions, cell) if with_list else None
    energy, forces = jax.jit(field)(ARGON, positions, cell, lists)
    assert energy == pytest.approx(atoms.get_potential_energy(), rel=1e-10)
    np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-10)
    np.testing.assert_allclose(forces.sum(0), 0, atol=1e-12)
    pressure = field.pressure(ARGON, positions, jnp.asarray(cell), lists, kinetic_eV=0.0)
    assert pressure == pytest.approx(-atoms.get_stress()[:3].mean(), rel=1e-8)


@pytest.mark.slow
def test_many_pairs_are_summed_right():
    """More than 16,384 rows: some versions of JAX miscompute products of matrices there."""
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True).repeat(5)
    atoms.rattle(0.2, seed=3)
    atoms.calc = AseLennardJones(epsilon=EPSILON, sigma=SIGMA, rc=9.0)
    field = LennardJones(9.0, "shifted", skin_A=0.5)
    lists = field.neighbors(atoms.positions, atoms.cell.array)
    assert len(lists.first) > 16_384
    for neighbors in (None, lists):
        energy, _ = jax.jit(field)(ARGON, atoms.positions, atoms.cell.array, neighbors)
        assert energy == pytest.approx(atoms.get_potential_energy(), rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_forces_are_the_slope_of_the_energy(truncation, liquid):
    positions, cell = liquid
    field = LennardJones(7.0, truncation)
    energy = jax.jit(lambda positions: field(ARGON, positions, cell, None)[0])
    _, forces = field(ARGON, positions, cell, None)
    h = 1e-5
    for atom, axis in ((0, 0), (31, 1), (107, 2)):
        shift = np.zeros_like(positions)
        shift[atom, axis] = h
        difference = (energy(positions + shift) - energy(positions - shift)) / (2 * h)
        assert forces[atom, axis] == pytest.approx(-difference, abs=1e-8)


def test_what_is_continuous_at_the_cutoff():
    def jump_of(truncation):
        field = LennardJones(8.0, truncation)
        pair = lambda r: field(ARGON, jnp.array([[0.0, 0, 0], [r, 0, 0]]), None, None)  # noqa: E731
        (energy, forces), (beyond, none) = pair(8.0 - 1e-7), pair(8.0 + 1e-7)
        assert beyond == 0 and (none == 0).all()
        return abs(energy), abs(forces).max()

    V = 4 * EPSILON * ((SIGMA / 8) ** 12 - (SIGMA / 8) ** 6)
    slope = 4 * EPSILON * (6 * (SIGMA / 8) ** 6 - 12 * (SIGMA / 8) ** 12) / 8
    assert jump_of("truncated") == pytest.approx((abs(V), slope), rel=1e-5)
    assert jump_of("shifted") == pytest.approx((0, slope), rel=1e-5, abs=1e-9)
    assert jump_of("switched") == pytest.approx((0, 0), abs=1e-12)


@pytest.mark.slow
def test_gradients_with_respect_to_parameters_and_cell(liquid):
    positions, cell = liquid
    field = LennardJones(7.0)

    def energy(numbers):
        stretched = numbers[2] * jnp.asarray(cell)
        return field.energy(type(ARGON)(numbers[0], numbers[1]), positions, stretched, None)

    numbers = np.array([EPSILON, SIGMA, 1.0])
    gradient = jax.grad(energy)(numbers)
    for k, h in enumerate([1e-6, 1e-5, 1e-6]):
        step = h * np.eye(3)[k]
        difference = (energy(numbers + step) - energy(numbers - step)) / (2 * h)
        assert gradient[k] == pytest.approx(difference, rel=1e-6)


@pytest.mark.slow
def test_constant_energy_is_conserved():
    """Switched: 100 atoms-ps at 2 fs without drift, and an error that falls as the square of Δt."""
    atoms = bulk("Ar", "fcc", a=5.5, cubic=True).repeat(3)
    positions, cell, masses = atoms.positions, atoms.cell.array, atoms.get_masses()
    noise = np.random.default_rng(0).standard_normal(positions.shape)
    velocities = maxwell_boltzmann(masses, 180.0, noise)
    field = LennardJones(7.2, skin_A=0.9)
    lists = field.neighbors(positions, cell)

    @jax.jit
    def energies(timestep_fs):
        integrator = make_integrator("none", 108, timestep_fs=timestep_fs)
        at = {"parameters": ARGON, "cell": cell, "neighbors": lists}
        start = initialize(field, integrator, positions, velocities, masses, None, **at)
        return simulate(
            field, start, integrator, 1500, update_neighbors=field.update, record_every=3, **at
        ).records.conserved

    fluctuation = {}
    for timestep_fs in (2.5, 5.0):
        meV_per_atom = 1000 * np.asarray(energies(timestep_fs)) / 108
        ps = timestep_fs * 3e-3 * np.arange(1, 501)
        assert abs(np.polyfit(ps, meV_per_atom, 1)[0]) < 0.005  # per ps
        fluctuation[timestep_fs] = meV_per_atom[100:].std()
    assert fluctuation[5.0] / fluctuation[2.5] == pytest.approx(4, rel=0.3)


@pytest.mark.slow
def test_energy_and_pressure_of_the_liquid_are_those_of_the_literature():
    """T* = 0.85, ρ* = 0.82, truncated at 3 σ with tail corrections: U* = −5.7947, p* = 0.5536.

    Monte Carlo, with errors of 0.0005 and 0.002: NIST Standard Reference Simulation Website,
    Lennard-Jones fluid reference calculations. Dynamics does not feel the jump at the cutoff and so
    samples the shifted potential: reweighted, that changes U* by 0.0006 and p* by 0.006, less than
    the errors here.
    """
    n_atoms, t_star, rho_star = 256, 0.85, 0.82
    length = (n_atoms / rho_star) ** (1 / 3) * SIGMA
    atoms = bulk("Ar", "fcc", a=length / 4, cubic=True).repeat(4)
    positions, cell, masses = atoms.positions, jnp.asarray(atoms.cell.array), atoms.get_masses()
    field = LennardJones(3 * SIGMA, "truncated", skin_A=0.35 * SIGMA)
    field.check_cell(cell)
    kelvin = t_star * EPSILON / units.kB
    lists = field.neighbors(positions, cell)

    @jax.jit
    def run():
        at = {"parameters": ARGON, "cell": cell}
        integrator = make_integrator(
            "langevin", n_atoms, timestep_fs=0.006 * TAU_FS, temperature_K=4 * kelvin,
            relaxation_fs=TAU_FS / 5,
        )  # fmt: skip
        noise = jax.random.normal(jax.random.key(1), positions.shape)
        velocities = maxwell_boltzmann(masses, 4 * kelvin, noise)
        state = initialize(
            field, integrator, positions, velocities, masses, jax.random.key(0),
            neighbors=lists, **at,
        )  # fmt: skip
        neighbors = lists
        for hot, steps in ((4.0, 600), (1.0, 2000)):  # melt the crystal, then cool the liquid
            integrator = make_integrator(
                "langevin", n_atoms, timestep_fs=0.006 * TAU_FS, temperature_K=hot * kelvin,
                relaxation_fs=TAU_FS / 5,
            )  # fmt: skip
            settled = simulate(
                field, state, integrator, steps, neighbors=neighbors,
                update_neighbors=field.update, record_every=steps, **at,
            )  # fmt: skip
            state, neighbors = settled.state, settled.neighbors

        def record(state):
            kinetic = kinetic_energy(state.velocities, state.masses)
            pressure = field.pressure(ARGON, state.positions, cell, None, kinetic)
            return state.energy, pressure, temperature(state.velocities, state.masses, 3 * n_atoms)

        return simulate(
            field, state, integrator, 12_000, neighbors=neighbors, update_neighbors=field.update,
            record=record, record_every=20, **at,
        ).records  # fmt: skip

    energy, pressure, kelvins = map(np.asarray, run())
    tail_energy, tail_pressure = field.tail(ARGON, n_atoms / length**3)
    u_star = (energy / n_atoms + tail_energy) / EPSILON
    p_star = (pressure + tail_pressure) * SIGMA**3 / EPSILON
    for values, expected, precision in (
        (u_star, -5.7947, 0.008),
        (p_star, 0.5536, 0.045),
        (kelvins / kelvin, 1.0, 0.006),
    ):
        blocks = values.reshape(10, -1).mean(1)
        error = blocks.std(ddof=1) / np.sqrt(10)
        assert error < precision
        assert abs(values.mean() - expected) < 3 * error


def test_settings_that_cannot_be_used():
    with pytest.raises(ConfigError, match="truncation='bare'.*'truncated' or 'shifted'"):
        LennardJones(8.0, "bare")
    with pytest.raises(ConfigError, match="cutoff_A=0.*above 0"):
        LennardJones(0)
    with pytest.raises(ConfigError, match="cell is too small.*at most 5.00 Å.*Found: 9.00 Å"):
        LennardJones(8.0).check_cell(10 * np.eye(3))
