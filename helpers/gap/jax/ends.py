"""Which vectors begin or end at which atom: how slopes along vectors become forces on atoms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Ends(NamedTuple):
    """For each atom, the vectors that begin or end there: arrays of shape (room, n_atoms).

    Looking up the slopes that belong to an atom is several times faster than adding each slope
    where it belongs.

    Attributes
    ----------
    index : int array
        Places in the list of all vectors (see `energy.in_one_list`).
    sign : array
        1 where the vector begins at the atom, −1 where it ends there, 0 where unused.
    """

    index: Any
    sign: Any


def find_ends(soaps: Sequence[Any], pairs: Sequence[Any], n_atoms: int, room: int) -> Ends:
    """List the vectors of each atom; `room` grows if it is not enough.

    The list of all vectors holds for each SOAP block its slots, then for each centre the sum over
    its slots, and after all blocks the pairs.
    """
    entries: list[tuple[np.ndarray, float, np.ndarray]] = []  # atoms, sign, places
    total = 0
    for soap in soaps:
        used = np.flatnonzero(soap.present)
        entries.append((soap.index.ravel()[used], -1.0, total + used))
        total += soap.index.size
        entries.append((soap.centre, 1.0, total + np.arange(len(soap.centre))))
        total += len(soap.centre)
    for pair in pairs:
        used = np.flatnonzero(pair.present)
        entries.append((pair.first[used], 1.0, total + used))
        entries.append((pair.second[used], -1.0, total + used))
        total += len(pair.present)
    atom = np.concatenate([atoms for atoms, _, _ in entries])
    sign = np.concatenate([np.full(len(atoms), value) for atoms, value, _ in entries])
    place = np.concatenate([places for _, _, places in entries])
    order = np.argsort(atom, kind="stable")
    atom = atom[order]
    counts = np.bincount(atom, minlength=n_atoms)
    most = int(counts.max(initial=0))
    size = room if most <= room else roomy(1.1 * most, 8)
    row = np.arange(len(atom)) - np.repeat(np.cumsum(counts) - counts, counts)
    index, signs = np.zeros((size, n_atoms), np.int32), np.zeros((size, n_atoms))
    index[row, atom], signs[row, atom] = place[order], sign[order]
    return Ends(index, signs)


def roomy(wanted: float, step: int) -> int:
    """Return the next multiple of `step`, so that similar lists have the same size."""
    return math.ceil(wanted / step) * step
