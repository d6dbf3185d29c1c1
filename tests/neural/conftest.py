"""Fixtures of neural potentials: small networks of each kind, frames of every boundary."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helpers.neural import (
    BehlerParrinelloSettings,
    PaiNNSettings,
    PotentialSettings,
    SchNetSettings,
    new_potential,
)

NETWORKS = {
    "schnet": SchNetSettings(cutoff_A=4.0, channels=12, interactions=2, n_gaussians=10),
    "painn": PaiNNSettings(cutoff_A=4.0, channels=8, interactions=2, n_bessel=6),
    "behler_parrinello": BehlerParrinelloSettings(
        cutoff_A=4.0, radial_shifts_A=(1.0, 2.0, 3.0), angular_zetas=(1.0, 3.0), hidden=(8, 8)
    ),
}


def small_settings(name, dtype="float64", elements=("H", "C", "O")):
    energies = tuple(-10.0 * k for k in range(1, len(elements) + 1))
    return PotentialSettings(name, NETWORKS[name], elements, energies, 1.7, dtype)


@pytest.fixture(scope="session")
def every_boundary():
    """A molecule, a slab, a chain and a small crystal, of different sizes, none of them at rest."""
    rng = np.random.default_rng(5)
    alone = molecule("CH3CH2OH")
    slab = molecule("H2O", cell=[3.6, 3.8, 20], pbc=[True, True, False])
    chain = molecule("CH3OH", cell=[[3.5, 0, 0], [0, 9, 0], [0, 0, 9]], pbc=[True, False, False])
    bulk = Atoms("HOC", [[0, 0, 0], [1.1, 0, 0], [0.4, 1.4, 1.2]], pbc=True)
    bulk.cell = [[2.9, 0, 0], [0.8, 3.1, 0], [0.3, -0.5, 3.3]]  # skewed, smaller than the cutoff
    frames = [alone, slab, chain, bulk]
    for atoms in frames:
        atoms.positions += 0.05 * rng.standard_normal(atoms.positions.shape)
    return frames


@pytest.fixture(scope="session")
def small_potentials(every_boundary):
    """A potential of each architecture with random weights, in 64 bit."""
    return {name: new_potential(small_settings(name), 3, every_boundary) for name in NETWORKS}


@pytest.fixture(params=list(NETWORKS))
def small_potential(request, small_potentials):
    """One potential of each architecture in turn."""
    return small_potentials[request.param]
