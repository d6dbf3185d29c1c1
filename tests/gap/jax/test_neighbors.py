"""Neighbor lists: complete in every kind of cell, and never cut short."""

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from helpers.errors import PredictionError
from helpers.gap.jax.layout import Layout, model_structure
from helpers.gap.jax.neighbors import find_edges, pad_neighbors
from helpers.gap.jax.verlet_list import VerletList
from helpers.gap.xml import read_model
from helpers.neighbors import find_pairs

WATER = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
CELLS = {
    "cluster": (np.zeros((3, 3)), False),
    "small": (np.diag([3.0, 4.0, 3.5]), True),
    "triclinic": (np.array([[5.0, 0, 0], [2.4, 4.5, 0], [-1.0, 1.5, 4.0]]), True),
    "slab": (np.array([[3.0, 0, 0], [0.5, 4, 0], [0, 0, 30]]), (True, True, False)),
    "wire": (np.array([[3.0, 0.2, 0], [0, 0, 0], [0, 0, 0]]), (True, False, False)),
}


@pytest.fixture(scope="module")
def structure(smallest_fit):
    return model_structure(read_model(smallest_fit.model_path))


def cell_of(name):
    atoms = WATER.copy()
    atoms.cell, atoms.pbc = CELLS[name]
    return atoms


@pytest.mark.parametrize("name", CELLS)
def test_pairs_are_those_of_ase_in_every_cell(name):
    atoms = cell_of(name)
    pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, 4.5)
    found = sorted(zip(pairs.first, pairs.second, pairs.distance.round(9), strict=True))
    expected = sorted(
        (i, j, round(d, 9)) for i, j, d in zip(*neighbor_list("ijd", atoms, 4.5), strict=True)
    )
    np.testing.assert_allclose(np.array(found), np.array(expected).reshape(-1, 3), atol=1e-8)
    vectors = (
        atoms.positions[pairs.second]
        - atoms.positions[pairs.first]
        + pairs.shift @ atoms.cell.array
    )
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), pairs.distance, atol=1e-10)


@pytest.mark.parametrize("name", CELLS)
def test_the_padded_lists_hold_every_neighbor_once(name, structure):
    atoms = cell_of(name)[[1, 2, 0]]  # sorted by element
    pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, structure.cutoff_A)
    edges = find_edges(structure, atoms.numbers, pairs, 0.0)
    layout = edges.grow(Layout.empty(structure, ((1, 2), (8, 1))))
    lists = pad_neighbors(layout, edges)
    cutoff_A = structure.blocks[0].settings.cutoff_A
    assert lists.soaps[0].present.sum() == (pairs.distance < cutoff_A).sum()
    for settings, pair in zip(structure.pairs, lists.pairs, strict=True):
        kinds = np.sort([atoms.numbers[pairs.first], atoms.numbers[pairs.second]], axis=0).T
        chosen = (kinds == settings.species).all(1) & (pairs.distance < settings.cutoff_A)
        assert 2 * pair.present.sum() == chosen.sum()


def test_capacity_grows_on_overflow_and_stays_where_it_is_enough(structure, frames10):
    atoms = frames10[0]
    lists = VerletList(structure, atoms.numbers, 0.5)
    positions, cell = atoms.positions[lists.order], atoms.cell.array
    large, _ = lists.get(1.5 * positions, 1.5 * cell, atoms.pbc)
    small, neighbors = lists.get(positions, cell, atoms.pbc)
    assert max(small.neighbor_capacity[0]) > max(large.neighbor_capacity[0])
    pairs = find_pairs(positions, cell, atoms.pbc, structure.cutoff_A + 0.5)
    near = pairs.distance < structure.blocks[0].settings.cutoff_A + 0.5
    assert neighbors.soaps[0].present.sum() == near.sum()
    again, _ = lists.get(1.5 * positions, 1.5 * cell, atoms.pbc)
    assert again == small  # so that nothing is compiled again


def test_lists_are_kept_until_an_atom_moved_half_the_skin(structure, frames10):
    atoms = frames10[0]
    lists = VerletList(structure, atoms.numbers, 0.5)
    positions = atoms.positions[lists.order]
    _, neighbors = lists.get(positions, atoms.cell.array, atoms.pbc)
    for distance_A, is_kept in [(0.1, True), (0.24, True), (0.26, False)]:
        moved = positions.copy()
        moved[7, 1] += distance_A
        _, now = lists.get(moved, atoms.cell.array, atoms.pbc)
        assert (now is neighbors) == is_kept
    _, sheared = lists.get(moved, 1.001 * atoms.cell.array, atoms.pbc)
    assert sheared is not now


def test_atoms_on_top_of_each_other_are_refused(structure):
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 1e-4]])
    lists = VerletList(structure, atoms.numbers, 0.5)
    with pytest.raises(PredictionError, match="closest pair of 0.000 Å.*move overlapping"):
        lists.get(atoms.positions, atoms.cell.array, atoms.pbc)
