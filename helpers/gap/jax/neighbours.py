"""Who is next to whom: lists from vesin, laid out with fixed room, which grows when it is short.

Nothing is ever left out: the room that a list needs is counted before it is filled.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from helpers.gap.jax.ends import Ends, find_ends, roomy
from helpers.gap.jax.plan import Plan, SoapBlock, Terms

Counts = tuple[tuple[int, int], ...]


class SoapNeighbours(NamedTuple):
    """Neighbours of the central atoms of one SOAP block.

    Attributes
    ----------
    centre : int array of shape (n_centres,)
        The central atoms.
    index : int array of shape (n_slots, n_centres)
        Their neighbours, those of one species after the other.
    shift : array of shape (3, n_slots, n_centres)
        Cell vectors to add to the neighbour's position.
    present : bool array of shape (n_slots, n_centres)
        False where a slot is not used.
    own : array of shape (n_species, n_centres)
        1 where the central atom is of that species, otherwise 0.
    """

    centre: Any
    index: Any
    shift: Any
    present: Any
    own: Any


class PairNeighbours(NamedTuple):
    """Pairs of one pair term, each once: arrays of shape (n_pairs,), `shift` (3, n_pairs)."""

    first: Any
    second: Any
    shift: Any
    present: Any


class Neighbours(NamedTuple):
    """Neighbour lists for each SOAP block and each pair term, and where their vectors end."""

    soaps: tuple[SoapNeighbours, ...]
    pairs: tuple[PairNeighbours, ...]
    ends: Ends


class PairList(NamedTuple):
    """All pairs within a distance, each from both ends; distances in Å, shifts in cells."""

    first: np.ndarray
    second: np.ndarray
    shift: np.ndarray
    distance: np.ndarray

    def chosen(self, which: np.ndarray) -> PairList:
        """Return some of the pairs, by mask or place."""
        return PairList(*(values[which] for values in self))

    def between(self, species: tuple[int, int], numbers: np.ndarray, cutoff_A: float) -> PairList:
        """Return the near pairs of two elements (ascending), by atomic numbers of the atoms."""
        kinds = np.sort([numbers[self.first], numbers[self.second]], axis=0)
        return self.chosen((kinds.T == species).all(1) & (self.distance < cutoff_A))


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
    cutoff_A : float
    """
    from vesin import NeighborList

    box = _periodic_box(positions, cell, pbc, cutoff_A)
    finder = NeighborList(cutoff=float(cutoff_A), full_list=True)
    first, second, shift, distance = finder.compute(
        points=np.ascontiguousarray(positions), box=box, periodic=True, quantities="ijSd"
    )
    # vesin numbers atoms without a sign, which subtraction would turn into huge numbers
    return PairList(first.astype(int), second.astype(int), shift.astype(int), distance)


def _periodic_box(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff_A: float
) -> np.ndarray:
    """Replace the vectors without periodicity by ones so long that no image is within reach."""
    from ase.geometry import complete_cell

    box = complete_cell(np.where(np.asarray(pbc)[:, None], cell, 0.0))
    for axis in np.flatnonzero(~np.asarray(pbc)):
        direction = box[axis] / np.linalg.norm(box[axis])
        extent = np.ptp(positions @ direction)
        box[axis] = direction * (extent + 2 * cutoff_A + 1.0)
    return np.ascontiguousarray(box)


def lay_out(
    terms: Terms, counts: Counts, pairs: PairList, skin_A: float, plan: Plan | None = None
) -> tuple[Plan, Neighbours]:
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
    Plan, Neighbours
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
    return (plan if plan == needed else needed), Neighbours(tuple(soaps), tuple(lists), ends)


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
) -> tuple[SoapNeighbours, tuple[int, ...]]:
    centre = np.flatnonzero(np.isin(numbers, block.centres))
    column = np.full(len(numbers), -1)
    column[centre] = np.arange(len(centre))
    near = (pairs.distance < block.settings.cutoff_A + skin_A) & (column[pairs.first] >= 0)
    parts, rooms = [], []
    for species, have in zip(block.settings.species, room, strict=True):
        chosen = np.flatnonzero(near & (numbers[pairs.second] == species))
        chosen = chosen[np.argsort(pairs.first[chosen], kind="stable")]
        columns = column[pairs.first[chosen]]
        counts = np.bincount(columns, minlength=len(centre))
        most = int(counts.max(initial=0))
        size = have if most <= have else roomy(1.2 * most, 4)
        starts = np.cumsum(counts) - counts
        rows = np.arange(len(chosen)) - np.repeat(starts, counts)
        index = np.tile(centre, (size, 1))
        shift = np.zeros((3, size, len(centre)))
        present = np.zeros((size, len(centre)), bool)
        index[rows, columns] = pairs.second[chosen]
        shift[:, rows, columns] = pairs.shift[chosen].T
        present[rows, columns] = True
        parts.append((index, shift, present))
        rooms.append(size)
    own = np.array([numbers[centre] == z for z in block.settings.species], float)
    arrays = SoapNeighbours(
        centre.astype(np.int32),
        np.concatenate([index for index, _, _ in parts]).astype(np.int32),
        np.concatenate([shift for _, shift, _ in parts], axis=1),
        np.concatenate([present for _, _, present in parts]),
        own,
    )
    return arrays, tuple(rooms)


def _pair_arrays(pairs: PairList, chosen: np.ndarray, room: int) -> tuple[PairNeighbours, int]:
    size = room if len(chosen) <= room else roomy(1.1 * len(chosen), 32)
    first, second = np.zeros((2, size), np.int32)
    shift, present = np.zeros((3, size)), np.zeros(size, bool)
    first[: len(chosen)], second[: len(chosen)] = pairs.first[chosen], pairs.second[chosen]
    shift[:, : len(chosen)] = pairs.shift[chosen].T
    present[: len(chosen)] = True
    return PairNeighbours(first, second, shift, present), size
