"""Neighbor search: all pairs of atoms within a distance, for any cell (with vesin)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase import Atoms

from helpers.boundaries import periodic_directions


class PairList(NamedTuple):
    """All pairs within a distance, each from both ends.

    Attributes
    ----------
    first, second : int arrays of shape (n_pairs,)
        The two atoms.
    shift : int array of shape (n_pairs, 3)
        Cell vectors to add to the position of the second.
    distance : array of shape (n_pairs,), Å
    """

    first: np.ndarray
    second: np.ndarray
    shift: np.ndarray
    distance: np.ndarray

    def select(self, which: np.ndarray) -> PairList:
        """Return some of the pairs, by mask or indices."""
        return PairList(*(values[which] for values in self))

    def between(self, species: tuple[int, int], numbers: np.ndarray, cutoff_A: float) -> PairList:
        """Return the near pairs of two elements (ascending), by atomic numbers of the atoms."""
        elements = np.sort([numbers[self.first], numbers[self.second]], axis=0)
        return self.select((elements.T == species).all(1) & (self.distance < cutoff_A))


def find_pairs(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff_A: float
) -> PairList:
    """Return all pairs closer than `cutoff_A`, for any cell, with or without periodicity.

    Parameters
    ----------
    positions : ndarray of shape (n_atoms, 3), Å
    cell : ndarray of shape (3, 3), Å
        Cell vectors as rows; those of directions without periodicity may be anything.
    pbc : bool ndarray of shape (3,)
        As `boundaries.periodic_directions` understands it.
    cutoff_A : float

    Returns
    -------
    PairList

    Raises
    ------
    DataError
        If the cell does not fit to `pbc`.
    """
    from vesin import NeighborList

    box = periodic_box(positions, cell, pbc, cutoff_A)
    finder = NeighborList(cutoff=float(cutoff_A), full_list=True)
    first, second, shift, distance = finder.compute(
        points=np.ascontiguousarray(positions), box=box, periodic=True, quantities="ijSd"
    )
    # vesin numbers atoms without a sign, which subtraction would turn into huge numbers
    return PairList(first.astype(int), second.astype(int), shift.astype(int), distance)


def periodic_box(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff_A: float
) -> np.ndarray:
    """Replace the vectors without periodicity by ones so long that no image is within reach.

    In the box that is returned, (3, 3), Å, taken as periodic along all three vectors, each atom
    has the same neighbors within `cutoff_A` as in the cell with its own periodicity.
    """
    from ase.geometry import complete_cell

    periodic = periodic_directions(cell, pbc)
    box = complete_cell(np.where(periodic[:, None], cell, 0.0))
    for axis in np.flatnonzero(~periodic):
        direction = box[axis] / np.linalg.norm(box[axis])
        extent = np.ptp(positions @ direction)
        box[axis] = direction * (extent + 2 * cutoff_A + 1.0)
    return np.ascontiguousarray(box)


def pair_vectors(atoms: Atoms, pairs: PairList) -> np.ndarray:
    """Return the vectors from the first to the second atom of each pair, (n_pairs, 3), Å."""
    difference = atoms.positions[pairs.second] - atoms.positions[pairs.first]
    # Where there is no periodicity the shift is 0, and the cell does not matter.
    return difference + pairs.shift @ atoms.cell.array
