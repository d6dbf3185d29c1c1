"""Observables of molecules, and estimators of a neural potential."""

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helpers.errors import ConfigError, DataError
from helpers.jax_setup import double_precision
from helpers.neural import PotentialSettings, SchNetSettings, batch_of, new_potential
from helpers.stability import (
    BoltzmannEstimator,
    BondLengths,
    DistanceDistribution,
    find_bonds,
    frame_energy,
    neighborhood_energy,
    reference_average,
)

TEMPERATURE_K = 500.0


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(0)
    atoms = molecule("H2O")
    return [
        Atoms(atoms.symbols, atoms.positions + 0.05 * rng.standard_normal((3, 3)))
        for _ in range(12)
    ]


@pytest.fixture(scope="module")
def potential():
    network = SchNetSettings(cutoff_A=4.0, channels=4, interactions=1, n_gaussians=6)
    return new_potential(
        PotentialSettings("schnet", network, ("H", "O"), (0.0, 0.0), 1.0, "float64")
    )


def test_the_distribution_of_distances_counts_pairs(frames):
    observable = DistanceDistribution(3, longest_A=3.0)
    reference = reference_average(observable, frames)
    assert reference.sum() * observable.spacing_A == pytest.approx(1, abs=1e-6)
    same = reference_average(observable, frames[::-1])
    assert observable.mean_error(reference, same) < 1e-12
    first, second = np.triu_indices(3, 1)
    lengths = [a.get_distance(i, j) for a in frames for i, j in zip(first, second, strict=True)]
    mean = (observable.distances_A * reference).sum() * observable.spacing_A
    assert mean == pytest.approx(np.mean(lengths), abs=1e-6)


def test_bond_lengths_are_those_of_ase(frames):
    bonds = find_bonds(frames[0])
    expected = np.mean([[a.get_distance(*bond) for bond in bonds] for a in frames], axis=0)
    np.testing.assert_allclose(reference_average(BondLengths(bonds), frames), expected)


def test_the_estimator_of_a_potential_is_the_covariance_with_its_jacobians(frames, potential):
    """The surrogate, against the formula with a Jacobian of every sample, weight by weight."""
    bonds = BondLengths(find_bonds(frames[0]))
    estimator = BoltzmannEstimator(frame_energy, bonds, TEMPERATURE_K, chunk_size=5)
    with double_precision():
        samples = batch_of(frames, potential.settings.elements, potential.cutoff_A)
        gradient = estimator.mean_gradient(potential, samples, [1.0, -2.0])
        jacobians = jax.jit(jax.vmap(jax.grad(frame_energy), (None, 0)))(potential, samples)
    along = estimator.values(potential, samples) @ [1.0, -2.0]
    for mine, rows in zip(jax.tree.leaves(gradient), jax.tree.leaves(jacobians), strict=True):
        rows = np.asarray(rows)
        covariance = np.tensordot(along - along.mean(), rows - rows.mean(0), 1) / (len(rows) - 1)
        np.testing.assert_allclose(mine, -estimator.beta_per_eV * covariance, atol=1e-10)


def test_energies_of_neighborhoods_add_up(frames, potential):
    with double_precision():
        samples = batch_of(frames[:1], potential.settings.elements, potential.cutoff_A)
        frame = jax.tree.map(lambda rows: rows[0], samples)
        whole = float(frame_energy(potential, frame))
        members = np.arange(len(frame.positions)) == 0
        parts = [
            float(neighborhood_energy(potential, (frame, mask))) for mask in (members, ~members)
        ]
    assert sum(parts) == pytest.approx(whole, abs=1e-12)
    assert abs(parts[0]) > 1e-6


def test_what_cannot_be_compared_is_refused(frames):
    with pytest.raises(ConfigError, match="width_A=0.01.*at least spacing_A"):
        DistanceDistribution(3, width_A=0.01)
    with pytest.raises(DataError, match="frames of the same atoms"):
        reference_average(DistanceDistribution(3), [])
