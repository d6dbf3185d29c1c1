"""Criteria of stability on molecules that are broken by hand."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helpers.errors import DataError
from helpers.md import maxwell_boltzmann
from helpers.md.trajectory import Records
from helpers.stability import BondStretch, Chirality, Contact, Heat, find_bonds


def records_of(*frames):
    """Records of one replica, frame by frame, at rest."""
    positions = np.array([atoms.positions for atoms in frames])[:, None]
    nothing = np.zeros((len(frames), 1))
    return Records(np.arange(len(frames)), positions, 0 * positions, nothing, nothing)


@pytest.fixture
def ethanol():
    return molecule("CH3CH2OH")


def test_bonds_are_those_of_the_molecule(ethanol):
    symbols = sorted("".join(sorted(ethanol.symbols[pair])) for pair in find_bonds(ethanol))
    assert symbols == ["CC"] + 5 * ["CH"] + ["CO", "HO"]
    with pytest.raises(DataError, match="in molecules only"):
        find_bonds(Atoms("H2", [[0, 0, 0], [0, 0, 0.7]], cell=[5, 5, 5], pbc=True))
    with pytest.raises(DataError, match="He has no bonds"):
        find_bonds(Atoms("He"))


def test_a_stretched_bond_is_seen(ethanol):
    stretched, squeezed = ethanol.copy(), ethanol.copy()
    stretched.set_distance(2, 3, ethanol.get_distance(2, 3) + 0.6, fix=0)  # O–H
    squeezed.set_distance(2, 3, ethanol.get_distance(2, 3) - 0.4, fix=0)
    criterion = BondStretch.of_frames([ethanol])
    values = criterion(records_of(ethanol, stretched, squeezed))
    np.testing.assert_allclose(values[:, 0], [0, 0.6, 0.4], atol=1e-12)
    assert (values > criterion.limit).ravel().tolist() == [False, True, False]


def test_atoms_that_meet_without_a_bond_are_seen(ethanol):
    criterion = Contact.of_frames([ethanol])
    crowded = ethanol.copy()
    crowded.positions[3] = crowded.positions[1] + [0.0, 0.0, 1.0]  # the H of OH on a C
    values = criterion(records_of(ethanol, crowded))
    assert values[0, 0] < criterion.limit < values[1, 0]
    with pytest.raises(DataError, match="All atoms are bonded"):
        Contact.of_frames([Atoms("H2", [[0, 0, 0], [0, 0, 0.7]])])


def test_the_temperature_is_that_of_the_velocities(ethanol):
    masses = ethanol.get_masses()
    noise = np.random.default_rng(0).standard_normal((400, len(ethanol), 3))
    records = records_of(*[ethanol] * 400)
    velocities = maxwell_boltzmann(masses, 500.0, noise)[:, None]
    kelvin = Heat(masses, 3 * len(ethanol) - 3)(records._replace(velocities_A_per_fs=velocities))
    assert kelvin.shape == (400, 1)
    error = 500 * np.sqrt(2 / 24 / 400)
    assert kelvin.mean() == pytest.approx(500, abs=4 * error)


def test_a_mirror_image_is_another_molecule():
    chiral = Atoms("CHFCl", [[0, 0, 0], [1, 0, 0], [0, 1.3, 0], [0, 0, 1.7]])
    mirrored = chiral.copy()
    mirrored.positions[:, 2] *= -1
    turned = chiral.copy()
    turned.rotate(70, (1, 2, 3))
    criterion = Chirality.of_frame(chiral, [[0, 1, 2, 3]])
    values = criterion(records_of(chiral, turned, mirrored))
    assert (values > criterion.limit).ravel().tolist() == [False, False, True]
