"""Neighbor lists in padded arrays; their capacity grows when a list overflows.

Nothing is ever left out: the capacity that a list needs is counted before it is filled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers.gap.jax.layout import Plan, SoapBlock, Terms
from helpers.neighbors import PairList

Counts = tuple[tuple[int, int], ...]


class SoapNeighbors(NamedTuple):
    """Neighbors of the central atoms of one SOAP block.

    Attributes
    ----------
    center : int array of shape (n_centers,)
        The central atoms.
    index : int array of shape (n_slots, n_centers)
        Their neighbors, those of one species after the other.
    shift : array of shape (3, n_slots, n_centers)
        Cell vectors to add to the neighbor's position.
    present : bool array of shape (n_slots, n_centers)
        False where a slot is not used.
    own : array of shape (n_species, n_centers)
        1 where the central atom is of that species, otherwise 0.
    """

    center: Any
    index: Any
    shift: Any
    present: Any
    own: Any


class PairNeighbors(NamedTuple):
    """Pairs of one pair term, each once: arrays of shape (n_pairs,), `shift` (3, n_pairs)."""

    first: Any
    second: Any
    shift: Any
    present: Any


class Neighbors(NamedTuple):
    """Neighbor lists for each SOAP block and each pair term, and where their vectors end."""

    soaps: tuple[SoapNeighbors, ...]
    pairs: tuple[PairNeighbors, ...]
    ends: Ends


def lay_out(
    terms: Terms, counts: Counts, pairs: PairList, skin_A: float, plan: Plan | None = None
) -> tuple[Plan, Neighbors]:
    """Lay a list of pairs out as the arrays that the compiled functions take.

    Parameters
    ----------
    terms : Terms
        The terms of the model, with their cutoffs.
    counts : tuple of (int, int)
        Atomic numbers, ascending, and how many atoms of each there are, in this order.
    pairs : PairList
        All pairs within ``terms.cutoff_A + skin_A``.
    skin_A : float
        Pairs are kept up to the cutoff of each term plus this.
    plan : Plan, optional
        The plan so far. Its room is kept where it is enough.

    Returns
    -------
    Plan, Neighbors
        The plan is the one given, unless a list needs more room: then it is a larger one, and
        whatever was compiled for the old one has to be compiled again.
    """
    numbers = np.repeat([z for z, _ in counts], [n for _, n in counts])
    soaps, slots = [], []
    for i, block in enumerate(terms.blocks):
        room = plan.slots[i] if plan else (0,) * len(block.settings.species)
        arrays, room = _soap_arrays(block, numbers, pairs, skin_A, room)
        soaps.append(arrays)
        slots.append(room)
    lists, rooms = [], []
    for i, settings in enumerate(terms.pairs):
        near = pairs.distance < settings.cutoff_A + skin_A
        a, b = numbers[pairs.first], numbers[pairs.second]
        low, high = settings.species
        chosen = np.flatnonzero(near & (a == low) & (b == high) & (low != high or _once(pairs)))
        pair, size = _pair_arrays(pairs, chosen, plan.rooms[i] if plan else 0)
        lists.append(pair)
        rooms.append(size)
    ends = find_ends(soaps, lists, len(numbers), plan.ends if plan else 0)
    needed = Plan(terms, counts, tuple(slots), tuple(rooms), len(ends.index))
    return (plan if plan == needed else needed), Neighbors(tuple(soaps), tuple(lists), ends)


def _once(pairs: PairList) -> np.ndarray:
    """Mark each pair of atoms of one element from one of its two ends only."""
    later = pairs.second > pairs.first
    sign = np.sign(pairs.shift @ [4096 * 4096, 4096, 1])  # an atom and its own image
    return later | ((pairs.second == pairs.first) & (sign > 0))


def _soap_arrays(
    block: SoapBlock,
    numbers: np.ndarray,
    pairs: PairList,
    skin_A: float,
    room: tuple[int, ...],
) -> tuple[SoapNeighbors, tuple[int, ...]]:
    center = np.flatnonzero(np.isin(numbers, block.centers))
    column = np.full(len(numbers), -1)
    column[center] = np.arange(len(center))
    near = (pairs.distance < block.settings.cutoff_A + skin_A) & (column[pairs.first] >= 0)
    parts, rooms = [], []
    for species, have in zip(block.settings.species, room, strict=True):
        chosen = np.flatnonzero(near & (numbers[pairs.second] == species))
        chosen = chosen[np.argsort(pairs.first[chosen], kind="stable")]
        columns = column[pairs.first[chosen]]
        counts = np.bincount(columns, minlength=len(center))
        most = int(counts.max(initial=0))
        size = have if most <= have else roomy(1.2 * most, 4)
        starts = np.cumsum(counts) - counts
        rows = np.arange(len(chosen)) - np.repeat(starts, counts)
        index = np.tile(center, (size, 1))
        shift = np.zeros((3, size, len(center)))
        present = np.zeros((size, len(center)), bool)
        index[rows, columns] = pairs.second[chosen]
        shift[:, rows, columns] = pairs.shift[chosen].T
        present[rows, columns] = True
        parts.append((index, shift, present))
        rooms.append(size)
    own = np.array([numbers[center] == z for z in block.settings.species], float)
    arrays = SoapNeighbors(
        center.astype(np.int32),
        np.concatenate([index for index, _, _ in parts]).astype(np.int32),
        np.concatenate([shift for _, shift, _ in parts], axis=1),
        np.concatenate([present for _, _, present in parts]),
        own,
    )
    return arrays, tuple(rooms)


def _pair_arrays(pairs: PairList, chosen: np.ndarray, room: int) -> tuple[PairNeighbors, int]:
    size = room if len(chosen) <= room else roomy(1.1 * len(chosen), 32)
    first, second = np.zeros((2, size), np.int32)
    shift, present = np.zeros((3, size)), np.zeros(size, bool)
    first[: len(chosen)], second[: len(chosen)] = pairs.first[chosen], pairs.second[chosen]
    shift[:, : len(chosen)] = pairs.shift[chosen].T
    present[: len(chosen)] = True
    return PairNeighbors(first, second, shift, present), size


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

    The list of all vectors holds for each SOAP block its slots, then for each center the sum over
    its slots, and after all blocks the pairs.
    """
    entries: list[tuple[np.ndarray, float, np.ndarray]] = []  # atoms, sign, places
    total = 0
    for soap in soaps:
        used = np.flatnonzero(soap.present)
        entries.append((soap.index.ravel()[used], -1.0, total + used))
        total += soap.index.size
        entries.append((soap.center, 1.0, total + np.arange(len(soap.center))))
        total += len(soap.center)
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
