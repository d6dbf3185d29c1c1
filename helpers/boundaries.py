"""Boundary conditions: the one place that decides along which cell vectors atoms repeat.

A direction is periodic where ``pbc`` is true. A cell without any vectors is that of a molecule,
also where ``pbc`` is true for all three: ASE reads a Lattice of zeros so. All else that does not
fit together is refused. Cells may be skewed, left-handed, and smaller than the range
of an interaction: neighbor lists count all images.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from helpers.errors import DataError, WorkshopError

THINNEST_CELL_A = 0.5  # below it an atom is next to its own images


def periodic_directions(
    cell: np.ndarray, pbc: np.ndarray, *, error: type[WorkshopError] = DataError
) -> np.ndarray:
    """Return along which of the three cell vectors the atoms repeat, bool (3,).

    Parameters
    ----------
    cell : ndarray of shape (3, 3), Å
        Cell vectors as rows. Those of directions without periodicity may be anything.
    pbc : bool ndarray of shape (3,)
    error : type
        The error to raise.

    Raises
    ------
    DataError, or `error`
        If the cell is not finite, or a periodic direction has no vector, or its vector lies in the
        plane of the others or within 0.5 Å of it.
    """
    cell, asked = np.asarray(cell, float), np.broadcast_to(np.asarray(pbc, bool), 3)
    if not np.any(cell) and asked.any() and not asked.all():
        raise error(
            "Atoms without a cell are periodic along an axis on which their cell has no length",
            found=f"pbc {asked.tolist()}",
            fix="set the cell, or pbc=False for a molecule",
        )
    periodic = asked & np.any(cell)
    if not np.isfinite(cell).all():
        raise error(
            "The cell is not finite", found=str(cell.tolist()), fix="check where it is from"
        )
    heights = _heights(cell, periodic)
    if (heights[periodic] <= THINNEST_CELL_A).any():
        raise error(
            "The periodic cell is flat",
            expected=f"a height of at least {THINNEST_CELL_A} Å along each periodic axis",
            found=f"cell {cell.tolist()}, pbc {periodic.tolist()}",
            fix='set the cell, or pbc: atoms.pbc = False for a molecule, pbc="T T F" for a slab',
        )
    return periodic


def with_boundaries(atoms: Atoms, *, error: type[WorkshopError] = DataError) -> Atoms:
    """Return atoms whose ``pbc`` is what `periodic_directions` says: the same, or a copy.

    Parameters
    ----------
    atoms : ase.Atoms
    error : type
        As for `periodic_directions`.
    """
    periodic = periodic_directions(atoms.cell.array, atoms.pbc, error=error)
    if np.array_equal(periodic, atoms.pbc):
        return atoms
    obeying = atoms.copy()
    obeying.calc, obeying.pbc = atoms.calc, periodic
    if isinstance(atoms.calc, SinglePointCalculator):  # labels, which belong to these atoms
        obeying.calc = SinglePointCalculator(obeying, **atoms.calc.results)
    return obeying


def require_bulk(atoms: Atoms, what: str, *, error: type[WorkshopError] = DataError) -> None:
    """Raise an error unless the atoms repeat along all three cell vectors.

    Parameters
    ----------
    atoms : ase.Atoms
    what : str
        What needs it, such as "A radial distribution function".
    error : type
        The error to raise.
    """
    periodic = periodic_directions(atoms.cell.array, atoms.pbc, error=error)
    if not periodic.all():
        raise error(
            f"{what} needs a box that is periodic in all directions: it counts with its volume",
            found=f"pbc {periodic.tolist()}",
            fix="use frames of a bulk, or set cell and pbc if they are missing",
        )


def _heights(cell: np.ndarray, periodic: np.ndarray) -> np.ndarray:
    """Return how far each vector reaches out of the plane of the periodic others, (3,), Å."""
    heights = np.empty(3)
    for axis in range(3):
        others = [cell[k] for k in range(3) if k != axis and periodic[k]]
        vector = cell[axis].copy()
        if others:
            directions, singular, _ = np.linalg.svd(np.array(others).T, full_matrices=False)
            directions = directions[:, singular > 1e-12 * max(singular[0], 1e-300)]
            vector -= directions @ (directions.T @ vector)
        heights[axis] = np.linalg.norm(vector)
    return heights
