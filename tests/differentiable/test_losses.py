"""Losses: their values where they are known, and their gradients against finite differences."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.geometry.rdf import get_rdf
from scipy.spatial.transform import Rotation

from helpers.differentiable import losses
from helpers.differentiable.pair_interactions import MixedLennardJones
from helpers.errors import ConfigError
from helpers.jax_setup import double_precision

pytestmark = pytest.mark.usefixtures("quickly_compiled")

CELL = np.diag([9.0, 10.0, 11.0])
RNG = np.random.default_rng(0)
ATOMS = RNG.uniform(0, 9, (12, 3))
MOLECULE = RNG.normal(size=(7, 3))
FRAMES = MOLECULE + 0.2 * RNG.normal(size=(5, 7, 3))
SPEEDS = 0.01 * RNG.normal(size=(16, 7, 3))
MASSES = np.array([1.0, 12, 14, 16, 12, 1, 1])
PAIRS = np.array([[0, 1], [2, 5]])
GRID = np.linspace(0.5, 4.4, 14)
FIELD = MixedLennardJones(4.0, "switched")
WEIGHTS = RNG.normal(size=200)

# Name → a quantity, and where: its elements are summed with random weights.
QUANTITIES = {
    "deviation": (lambda x: losses.deviation(x, 0.5), MOLECULE),
    "deviation, smooth": (lambda x: losses.deviation(x, 0.5, width=0.1), MOLECULE),
    "distance": (lambda x: losses.pair_distances(x, PAIRS, CELL), ATOMS),
    "distance over time": (lambda x: losses.pair_distances(x, PAIRS), FRAMES),
    "nearest": (lambda x: losses.nearest_neighbor_distance(x, CELL), ATOMS),
    "nearest, smooth": (lambda x: losses.nearest_neighbor_distance(x, CELL, width_A=0.3), ATOMS),
    "rdf, smooth": (lambda x: losses.radial_distribution(x, CELL, GRID, width_A=0.3), ATOMS),
    "rmsd": (lambda x: losses.rmsd(x, FRAMES[1]), FRAMES[0]),
    "drmsd": (lambda x: losses.drmsd(x, MOLECULE), FRAMES[0]),
    "radius of gyration": (lambda x: losses.radius_of_gyration(x, MASSES), FRAMES),
    "rmsf": (losses.rmsf, FRAMES),
    "rmsf, not turned": (lambda x: losses.rmsf(x, superpose=False), FRAMES),
    "straightness": (losses.straightness, FRAMES),
    "tetrahedral order": (lambda x: losses.tetrahedral_order(x, CELL), ATOMS),
    "tetrahedral order, smooth": (
        lambda x: losses.tetrahedral_order(x, CELL, reach_A=3.3, width_A=0.4), ATOMS,
    ),
    "bond order": (lambda x: losses.bond_order(x, CELL, reach_A=4.0), ATOMS),
    "bond order, smooth": (lambda x: losses.bond_order(x, CELL, reach_A=4.0, width_A=0.3), ATOMS),
    "velocity autocorrelation": (lambda v: losses.velocity_autocorrelation(v, 8), SPEEDS),
    "vibrations": (lambda v: losses.vibrational_spectrum(v, MASSES, 1.0)[1], SPEEDS),
    "temperature": (lambda v: losses.temperature(v, jnp.asarray(MASSES), 18), SPEEDS),
    "energy": (
        lambda x: FIELD({"epsilon_eV": 0.01, "sigma_A": 2.0}, x, CELL, None)[0], ATOMS,
    ),
    "energies": (
        lambda x: losses.energies_eV(FIELD, {"epsilon_eV": 0.01, "sigma_A": 2.0}, x), FRAMES,
    ),
    "pressure": (
        lambda x: losses.pressure_eV_per_A3(
            FIELD, {"epsilon_eV": 0.01, "sigma_A": 2.0}, x, jnp.asarray(CELL), None, 0.1
        ), ATOMS,
    ),
    "density": (lambda s: losses.density_g_per_cm3(MASSES, CELL * s), np.array(1.1)),
}  # fmt: skip


def compiled(function, *arguments, **options):
    """One program: faster than its operations one by one."""
    return jax.jit(lambda *arguments: function(*arguments, **options))(*arguments)


@pytest.fixture(autouse=True)
def _double_precision():
    with double_precision():
        yield


@pytest.mark.slow  # all of them, in one program: 15 s
def test_gradients_of_all_quantities_are_those_of_finite_differences():
    rng = np.random.default_rng(2)
    directions = [rng.normal(size=at.shape) * np.abs(at).mean() for _, at in QUANTITIES.values()]

    def measured(ts):
        """Each quantity along a direction of its own, each of its numbers with its own weight."""
        numbers = []
        for (quantity, at), direction, t in zip(QUANTITIES.values(), directions, ts, strict=True):
            values = jnp.ravel(quantity(at + t * direction))
            numbers.append((values * WEIGHTS[: values.size]).sum())
        return jnp.stack(numbers)

    zero, one = jnp.zeros(len(QUANTITIES)), jnp.ones(len(QUANTITIES))
    slopes = jax.jit(
        lambda: (
            jax.grad(lambda ts: measured(ts).sum())(zero),
            jax.jvp(measured, (zero,), (one,))[1],
        )
    )
    h = 1e-4
    values = jax.jit(measured)
    shifted = np.array([values(t * h * one) for t in (-2, -1, 1, 2)])
    differences = np.array([1, -8, 8, -1]) @ shifted / (12 * h)
    for name, *three in zip(QUANTITIES, *slopes(), differences, strict=True):
        assert abs(three[0]) > 1e-9, name
        assert three[0] == pytest.approx(float(three[2]), rel=1e-6), name
        assert three[1] == pytest.approx(float(three[0]), rel=1e-9), name


def test_radial_distributions_are_those_of_ase():
    """The histogram equals ASE's; the smooth form is the same, spread, and keeps the neighbors."""
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True).repeat(3)
    atoms.rattle(0.3, seed=0)
    n_bins, edge = 60, 7.5
    expected, r = get_rdf(atoms, edge, n_bins)
    args = atoms.positions, atoms.cell.array, r
    exact = compiled(losses.radial_distribution, *args)
    np.testing.assert_allclose(exact, expected, rtol=1e-9, atol=1e-12)
    smooth = compiled(losses.radial_distribution, *args, width_A=0.15)
    within = r < 6.5
    assert np.trapezoid((smooth * r**2)[within], r[within]) == pytest.approx(
        np.trapezoid((exact * r**2)[within], r[within]), rel=0.02
    )


@pytest.mark.slow
def test_superposition_finds_any_rotation_and_is_safe_where_it_is_not_unique():
    turned = Rotation.from_euler("xyz", [1.0, 2.0, -0.5]).apply(MOLECULE) + 3.0
    slope = jax.jit(jax.value_and_grad(losses.rmsd))
    spread = jax.jit(jax.grad(lambda x: losses.rmsf(x).sum()))
    value, gradient = slope(MOLECULE, turned)
    assert value < 1e-7 and np.isfinite(gradient).all()
    assert losses.rmsd(MOLECULE, -MOLECULE) > 0.1  # a mirror image is another molecule
    assert losses.drmsd(MOLECULE, -MOLECULE) < 1e-7
    value, gradient = slope(MOLECULE, MOLECULE)
    assert value == pytest.approx(0, abs=1e-7) and np.abs(gradient).max() < 1.1
    line = np.outer(np.arange(7.0), [1.0, 1.0, 0.0])
    ball = np.concatenate([np.eye(3), -np.eye(3), np.zeros((1, 3))])  # equal singular values
    for one in (line, ball):
        value, gradient = slope(1.1 * one, one)
        away = 1.1 * one - one
        away -= away.mean(0)
        assert value == pytest.approx(np.sqrt((away**2).sum(1).mean()))
        np.testing.assert_allclose(gradient, away / (7 * value), atol=1e-9)
        assert np.isfinite(spread(1.0 * one + 0 * FRAMES)).all()


@pytest.mark.slow
def test_order_parameters_of_crystals():
    fcc = bulk("Ar", "fcc", a=5.3, cubic=True).repeat(2)
    args = fcc.positions, fcc.cell.array
    np.testing.assert_allclose(compiled(losses.bond_order, *args, reach_A=4.5), 0.57452, atol=1e-5)
    np.testing.assert_allclose(
        compiled(losses.bond_order, *args, reach_A=4.5, degree=4), 0.19094, atol=1e-5
    )
    diamond = bulk("C", "diamond", a=3.57, cubic=True).repeat(2)
    args = diamond.positions, diamond.cell.array
    np.testing.assert_allclose(compiled(losses.tetrahedral_order, *args), 1.0, atol=1e-9)
    smooth = compiled(losses.tetrahedral_order, *args, reach_A=2.0, width_A=0.05)
    np.testing.assert_allclose(smooth, 1.0, atol=1e-3)
    gas = np.random.default_rng(1).uniform(0, 20, (200, 3))
    assert abs(compiled(losses.tetrahedral_order, gas, 20 * np.eye(3)).mean()) < 0.08


@pytest.mark.slow
def test_known_values():
    rod = np.outer(np.arange(5.0), [0, 0, 2.0])
    assert losses.straightness(rod) == pytest.approx(1)
    assert losses.radius_of_gyration(rod, np.ones(5)) == pytest.approx(np.sqrt(8))
    assert losses.nearest_neighbor_distance(rod) == pytest.approx([2.0] * 5)
    smooth = losses.nearest_neighbor_distance(rod, width_A=0.01)
    np.testing.assert_allclose(smooth, [2, 2 - 0.00693, 2 - 0.00693, 2 - 0.00693, 2], atol=1e-4)
    time = np.arange(600)[:, None, None]
    wave = np.cos(2 * np.pi * time / 10.0) * np.ones((600, 2, 3))
    nu, density = losses.vibrational_spectrum(wave, np.ones(2), 1.0)
    assert nu[density.argmax()] == pytest.approx(3336, abs=1) and density.sum() * nu[
        1
    ] == pytest.approx(1)
    found = np.array(losses.velocity_autocorrelation(wave, 11))
    np.testing.assert_allclose(found[[0, 5, 10]], [1, -1, 1], atol=0.01)
    water = Atoms("OH2", cell=[3.1] * 3)
    water.cell *= (29.915 / 29.791) ** (1 / 3)
    density = losses.density_g_per_cm3(water.get_masses(), water.cell.array)
    assert density == pytest.approx(1.0, abs=2e-3)
    # An ideal gas: p V = N kT
    kinetic = 1.5 * 7 * units.kB * 300
    no_energy = lambda parameters, x, cell, neighbors: (0.0 * x.sum(), 0 * x)  # noqa: E731
    p = losses.pressure_eV_per_A3(no_energy, None, MOLECULE, jnp.asarray(CELL), None, kinetic)
    assert p * 990 == pytest.approx(7 * units.kB * 300)


def test_sums_of_losses_say_which_name_is_wrong():
    both = {"rdf": 2.0, "energy": 3.0}
    assert losses.weighted_sum(both, {"rdf": 1.0, "energy": 0.5}) == 3.5
    with pytest.raises(ConfigError, match="no loss 'rfd'.*did you mean 'rdf'"):
        losses.weighted_sum(both, {"rfd": 1.0})
    with pytest.raises(ConfigError, match="'energy' has no weight"):
        losses.weighted_sum(both, {"rdf": 1.0})
    with pytest.raises(ConfigError, match="width=-1"):
        losses.deviation(1.0, 2.0, width=-1)
