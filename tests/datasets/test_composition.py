"""Energies of atoms by least squares, and molecules by bonds."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from helpers import load_frames
from helpers.datasets import find_molecules, is_water, least_squares_e0, molecule_counts


def test_least_squares_energies_are_the_exact_ones_where_atoms_do_not_interact():
    frames = [Atoms("Cu2Al"), Atoms("CuAl3"), Atoms("CuAlNi"), Atoms("Ni2")]
    e0 = {"Al": -3.0, "Cu": -10.0, "Ni": -7.5}
    energies = [sum(e0[symbol] for symbol in atoms.symbols) for atoms in frames]
    assert least_squares_e0(frames, energies) == pytest.approx(e0)
    water = [Atoms("H2O"), Atoms("H4O2")]  # one composition: any energies with the right sum
    found = least_squares_e0(water, [-15.0, -30.0])
    assert 2 * found["H"] + found["O"] == pytest.approx(-15.0)


@pytest.mark.parametrize(
    ("name", "formula"),
    [("CH3CH2OH", "C2H6O"), ("H2O2", "H2O2"), ("O2", "O2"), ("C6H6", "C6H6"), ("SiH4", "H4Si")],
)
def test_molecules_are_found_by_bonds_and_not_by_elements(name, formula):
    assert molecule_counts(molecule(name)) == {formula: 1}
    two = molecule(name) + molecule(name)
    two.positions[len(two) // 2 :] += 8.0
    assert molecule_counts(two) == {formula: 2}


def test_water_is_water_across_the_boundary():
    (first, *_) = load_frames("water", "validate")
    assert molecule_counts(first) == {"H2O": 16}
    folded = first.copy()
    folded.positions += 3.0
    folded.wrap()
    found = sorted(tuple(indices) for indices in find_molecules(folded))
    assert found == sorted(tuple(indices) for indices in find_molecules(first))


def test_a_crystal_is_one_molecule_and_atoms_far_apart_are_many():
    assert len(find_molecules(bulk("Cu", cubic=True))) == 1
    gas = Atoms("Ar3", np.arange(9.0).reshape(3, 3) * 2)
    assert molecule_counts(gas) == {"Ar": 3}


def test_water_is_known_by_its_bonds():
    two = molecule("H2O") + molecule("H2O")
    assert not is_water(molecule("H2O")) and not is_water(molecule("H2O2") + molecule("H2"))
    two.positions[3:] += 3.0
    assert is_water(two) and is_water(load_frames("water", "validate")[0])
    assert not is_water(two + Atoms("Ar", [[9.0, 9.0, 9.0]]))
