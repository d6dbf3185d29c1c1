"""Frames in the forms in which they are given, and in the form that featomic takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from ase import Atom, Atoms

from helpers.boundaries import periodic_directions
from helpers.errors import DataError


def as_frames(frames: Any) -> list[Atoms]:
    """Return frames as a list.

    Parameters
    ----------
    frames : iterable of ase.Atoms, or one of them
        Also a Series, a DataFrame of one column, and what `frame_array` returns.

    Raises
    ------
    DataError
        If something else is among them.
    """
    if isinstance(frames, Atoms):
        return [frames]
    if isinstance(frames, pd.DataFrame):
        frames = frames.to_numpy()
    if isinstance(frames, np.ndarray) and frames.ndim == 2 and frames.shape[1] == 1:
        frames = frames[:, 0]
    if isinstance(frames, str) or not isinstance(frames, Iterable):
        raise DataError(f"{frames!r:.60} cannot be used", expected="a list of ase.Atoms")
    frames = list(frames)
    for number, atoms in enumerate(frames, start=1):
        if isinstance(atoms, np.ndarray) and atoms.size and isinstance(atoms.flat[0], Atom):
            raise DataError(
                f"Frame {number} was taken apart into an array of its atoms",
                expected="ase.Atoms",
                fix="numpy does that to a list of frames, also inside meta-estimators of "
                "scikit-learn such as BaggingRegressor: give them frame_array(frames)",
            )
        if not isinstance(atoms, Atoms):
            raise DataError(
                f"Frame {number} is {type(atoms).__name__}", expected="ase.Atoms", fix="load_frames"
            )
    return frames


def frame_array(frames: Iterable[Atoms]) -> np.ndarray:
    """Return frames as an array of objects, shape (n_frames, 1).

    Where scikit-learn turns its input into an array, as `BaggingRegressor` does, NumPy would take a
    list of frames apart into their atoms.
    """
    frames = as_frames(frames)
    array = np.empty((len(frames), 1), object)
    for row, atoms in zip(array, frames, strict=True):
        row[0] = atoms
    return array


def all_or_none_periodic(atoms: Atoms, cutoff_A: float) -> Atoms:
    """Return atoms with the same environments that are periodic along all cell vectors, or none.

    featomic knows no others. Where atoms do not repeat, a slab gets so much empty space that no
    environment reaches across it; a molecule gets no cell.

    Parameters
    ----------
    atoms : ase.Atoms
    cutoff_A : float
        Radius of an environment, Å.

    Raises
    ------
    DataError
        See `boundaries.periodic_directions`.
    """
    periodic = periodic_directions(atoms.cell.array, atoms.pbc)
    if periodic.all():
        return atoms
    whole = Atoms(atoms.numbers, atoms.positions)
    if not periodic.any():
        return whole
    cell = np.where(periodic[:, None], atoms.cell.array, 0)
    # A basis whose new vectors are orthogonal to the others and to each other.
    directions = np.linalg.svd(cell[periodic])[2][periodic.sum() :]
    extents = np.ptp(atoms.positions @ directions.T, axis=0)
    cell[~periodic] = directions * (extents + 1.01 * cutoff_A)[:, None]
    whole.cell, whole.pbc = cell, True
    return whole
