"""The hole of a GAP below 2 Å, and the wall in front of it."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from helpers import load_potential
from helpers.errors import PredictionError
from helpers.gap.jax.calculator import JaxCalculator
from helpers.gap.xml import read_model, write_model
from helpers.md.short_range import find_pes_hole, scan_close_contact, with_core_repulsion


@pytest.fixture(scope="module")
def potential(tiny_fit):
    return load_potential(tiny_fit.model_path, engine="jax")


@pytest.fixture
def bare():
    return Atoms("OO", [[0, 0, 0], [3, 0, 0]], cell=[20] * 3, pbc=True)


@pytest.mark.slow
def test_two_oxygens_fall_into_the_hole_and_a_wall_keeps_them_out(potential, bare):
    table = scan_close_contact(potential, bare)
    assert table["distance_A"].iloc[[0, -1]].tolist() == [3.0, 1.2]
    hole = find_pes_hole(table)
    assert hole.depth_eV > 1 and 1.6 < hole.edge_A < 2.3
    closed = scan_close_contact(JaxCalculator(with_core_repulsion(potential.model)), bare)
    assert find_pes_hole(closed).depth_eV == 0
    far = table["distance_A"] > 2.35
    np.testing.assert_allclose(closed[far], table[far], atol=1e-9)
    steep = closed["energy_eV"].iloc[-1]
    assert 50 < steep < 200


@pytest.mark.slow
def test_molecules_are_pushed_rigidly_and_uncertainty_rises(potential, frames10):
    before = frames10[0].positions.copy()
    table = scan_close_contact(potential, frames10[0], [2.8, 2.5, 1.6], uncertain=True)
    assert np.array_equal(frames10[0].positions, before)
    assert table["energy_eV"][0] == 0
    assert table["sigma_meV"][2] > 3 * table["sigma_meV"][0]


@pytest.mark.slow
def test_a_model_with_a_wall_is_an_ordinary_gap_for_both_engines(potential, bare, tmp_path):
    path = write_model(with_core_repulsion(potential.model), tmp_path / "walled.xml")
    assert len(read_model(path).terms) == len(potential.model.terms) + 1
    for distance in (1.0, 1.9, 2.2, 2.4):
        bare.positions[1, 0] = distance
        energies = [
            load_potential(path, engine=engine).get_potential_energy(bare)
            for engine in ("quippy", "jax")
        ]
        assert energies[0] == pytest.approx(energies[1], abs=1e-8)


@pytest.mark.slow
def test_the_wall_pushes(potential, bare):
    bare.positions[1, 0] = 2.0
    with_it = JaxCalculator(with_core_repulsion(potential.model)).get_forces(bare)
    without = potential.get_forces(bare)
    assert with_it[1, 0] > without[1, 0] + 5
    assert with_it.sum() == pytest.approx(0, abs=1e-8)


def test_what_only_rises_has_no_hole():
    distance = np.linspace(3, 1.2, 19)
    table = pd.DataFrame({"distance_A": distance, "energy_eV": 1 / distance**6})
    hole = find_pes_hole(table)
    assert hole.depth_eV == 0 and np.isnan(hole.edge_A)


def test_what_cannot_be_pushed(potential):
    with pytest.raises(PredictionError, match="no two O atoms.*liquid water"):
        scan_close_contact(potential, Atoms("OH2", np.eye(3), cell=[9] * 3, pbc=True))
    with pytest.raises(PredictionError, match="from_A=0.5"):
        with_core_repulsion(potential.model, from_A=0.5)
