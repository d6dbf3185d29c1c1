"""Neighbor lists in padded arrays, as the compiled functions take them.

`find_edges` sorts a list of pairs by the terms that act on them, `Edges.grow` gives a layout the
capacity that they need (nothing is ever left out), and `pad_neighbors` fills
arrays of that capacity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers.gap.jax.layout import Layout, ModelStructure, SoapBlock
from helpers.neighbors import PairList


class SoapNeighbors(NamedTuple):
    """Neighbors of the central atoms of one SOAP block.

    Attributes
    ----------
    center : int array of shape (n_centers,)
        The central atoms.
    index : int array of shape (n_neighbors, n_centers)
        Their neighbors, those of one species after the other.
    shift : array of shape (3, n_neighbors, n_centers)
        Cell vectors to add to the neighbor's position.
    present : bool array of shape (n_neighbors, n_centers)
        False where a place is not used.
    center_species : array of shape (n_species, n_centers)
        1 where the central atom is of that species, otherwise 0.
    """

    center: Any
    index: Any
    shift: Any
    present: Any
    center_species: Any


class PairNeighbors(NamedTuple):
    """Pairs of one pair term, each once: arrays of shape (n_pairs,), `shift` (3, n_pairs)."""

    first: Any
    second: Any
    shift: Any
    present: Any


class Incidence(NamedTuple):
    """Edges that begin or end at each atom: arrays of shape (edge_capacity, n_atoms).

    Looking up the gradients that belong to an atom is several times faster than adding each
    gradient where it belongs.

    Attributes
    ----------
    index : int array
        Places in the list of all edges (see `energy.concatenate_edges`).
    sign : array
        1 where the edge begins at the atom, −1 where it ends there, 0 where unused.
    """

    index: Any
    sign: Any


class Neighbors(NamedTuple):
    """Neighbor lists of each SOAP block and each pair term, and the incidence of their edges."""

    soaps: tuple[SoapNeighbors, ...]
    pairs: tuple[PairNeighbors, ...]
    incidence: Incidence


class SpeciesEdges(NamedTuple):
    """Edges from the central atoms of a SOAP block to their neighbors of one species.

    Attributes
    ----------
    row, column : int arrays of shape (n_edges,)
        Place in the padded array: rows count the neighbors of a center, columns the centers.
    neighbor : int array of shape (n_edges,)
        The atom at the other end.
    shift : int array of shape (3, n_edges)
        Cell vectors to add to its position.
    """

    row: np.ndarray
    column: np.ndarray
    neighbor: np.ndarray
    shift: np.ndarray


class Edges(NamedTuple):
    """The pairs of a list that the terms of a model act on, not yet padded.

    Attributes
    ----------
    centers : tuple of int arrays
        The central atoms of each SOAP block.
    soaps : tuple of tuple of SpeciesEdges
        For each SOAP block and each species of neighbors.
    pairs : tuple of PairList
        For each pair term; every pair once.
    """

    centers: tuple[np.ndarray, ...]
    soaps: tuple[tuple[SpeciesEdges, ...], ...]
    pairs: tuple[PairList, ...]

    def grow(self, layout: Layout) -> Layout:
        """Return the layout, grown where it has too little capacity for these edges."""
        n_edges = np.zeros(layout.n_atoms, int)
        for centers, block in zip(self.centers, self.soaps, strict=True):
            n_edges[centers] += 1  # one sum over all that begin there
            for edges in block:
                n_edges += np.bincount(edges.neighbor, minlength=len(n_edges))
        for pairs in self.pairs:
            for atom in (pairs.first, pairs.second):
                n_edges += np.bincount(atom, minlength=len(n_edges))
        return layout.grow(
            [[int(edges.row.max(initial=-1)) + 1 for edges in block] for block in self.soaps],
            [len(pairs.first) for pairs in self.pairs],
            int(n_edges.max(initial=0)),
        )


def find_edges(
    structure: ModelStructure, numbers: np.ndarray, pairs: PairList, skin_A: float
) -> Edges:
    """Sort a list of pairs by the terms that act on them.

    Parameters
    ----------
    structure : ModelStructure
        The terms of the model, with their cutoffs.
    numbers : ndarray of shape (n_atoms,)
        Atomic numbers, ascending.
    pairs : PairList
        All pairs within ``structure.cutoff_A + skin_A``.
    skin_A : float
        Pairs are kept up to the cutoff of each term plus this.

    Returns
    -------
    Edges
    """
    first, second = numbers[pairs.first], numbers[pairs.second]
    once = np.flatnonzero((first < second) | ((first == second) & _from_one_end(pairs)))
    ordered, first, second = pairs.select(once), first[once], second[once]
    pair_terms = []
    for settings in structure.pairs:
        low, high = settings.species
        near = ordered.distance < settings.cutoff_A + skin_A
        pair_terms.append(ordered.select(np.flatnonzero(near & (first == low) & (second == high))))
    centers = tuple(np.flatnonzero(np.isin(numbers, block.centers)) for block in structure.blocks)
    soaps = tuple(
        _soap_edges(block, numbers, atoms, pairs, skin_A)
        for block, atoms in zip(structure.blocks, centers, strict=True)
    )
    return Edges(centers, soaps, tuple(pair_terms))


def pad_neighbors(layout: Layout, edges: Edges) -> Neighbors:
    """Fill padded arrays of the capacities of `layout`, which are large enough for `edges`."""
    blocks = zip(
        layout.structure.blocks,
        layout.neighbor_capacity,
        edges.centers,
        edges.soaps,
        strict=True,
    )
    soaps = tuple(_soap_neighbors(layout.numbers, *block) for block in blocks)
    pairs = tuple(map(_pair_neighbors, layout.pair_capacity, edges.pairs))
    incidence = edge_incidence(soaps, pairs, layout.n_atoms, layout.edge_capacity)
    return Neighbors(soaps, pairs, incidence)


def edge_incidence(
    soaps: Sequence[SoapNeighbors], pairs: Sequence[PairNeighbors], n_atoms: int, capacity: int
) -> Incidence:
    """Return the incidence of edges on atoms.

    The list of all edges holds for each SOAP block its padded edges, then for each center the sum
    over its edges, and after all blocks the pairs.
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
    small = np.uint16 if n_atoms < 2**16 else int  # NumPy sorts short integers several times faster
    atom = np.concatenate([atoms for atoms, _, _ in entries]).astype(small)
    sign = np.concatenate([np.full(len(atoms), value) for atoms, value, _ in entries])
    place = np.concatenate([places for _, _, places in entries])
    order = np.argsort(atom, kind="stable")
    atom = atom[order]
    row = _rank_in_group(atom, n_atoms)
    index, signs = np.zeros((capacity, n_atoms), np.int32), np.zeros((capacity, n_atoms))
    index[row, atom], signs[row, atom] = place[order], sign[order]
    return Incidence(index, signs)


def _from_one_end(pairs: PairList) -> np.ndarray:
    """Mark each pair of atoms of one element from one of its two ends only."""
    once = pairs.second > pairs.first
    images = np.flatnonzero(pairs.second == pairs.first)  # an atom and its own image
    once[images] = pairs.shift[images] @ [4096 * 4096, 4096, 1] > 0
    return once


def _soap_edges(
    block: SoapBlock, numbers: np.ndarray, centers: np.ndarray, pairs: PairList, skin_A: float
) -> tuple[SpeciesEdges, ...]:
    column = np.full(len(numbers), -1)
    column[centers] = np.arange(len(centers))
    near = np.flatnonzero(pairs.distance < block.settings.cutoff_A + skin_A)
    near = near[column[pairs.first[near]] >= 0]
    near = near[np.argsort(pairs.first[near], kind="stable")]
    neighbor_species = numbers[pairs.second[near]]
    by_species = []
    for species in block.settings.species:
        indices = near[neighbor_species == species]
        columns = column[pairs.first[indices]]
        rows = _rank_in_group(columns, len(centers))
        neighbor, shift = pairs.second[indices], pairs.shift[indices].T
        by_species.append(SpeciesEdges(rows, columns, neighbor, shift))
    return tuple(by_species)


def _rank_in_group(group: np.ndarray, n_groups: int) -> np.ndarray:
    """Return the place of each entry among those of its group; `group` is sorted."""
    counts = np.bincount(group, minlength=n_groups)
    starts = np.cumsum(counts) - counts
    return np.arange(len(group)) - np.repeat(starts, counts)


def _soap_neighbors(
    numbers: np.ndarray,
    block: SoapBlock,
    capacity: tuple[int, ...],
    centers: np.ndarray,
    by_species: tuple[SpeciesEdges, ...],
) -> SoapNeighbors:
    shape = (sum(capacity), len(centers))
    index = np.tile(centers.astype(np.int32), (shape[0], 1))
    shift, present = np.zeros((3, *shape)), np.zeros(shape, bool)
    start = 0
    for size, edges in zip(capacity, by_species, strict=True):
        rows = start + edges.row
        index[rows, edges.column] = edges.neighbor
        shift[:, rows, edges.column] = edges.shift
        present[rows, edges.column] = True
        start += size
    species = np.array([numbers[centers] == z for z in block.settings.species], float)
    return SoapNeighbors(centers.astype(np.int32), index, shift, present, species)


def _pair_neighbors(capacity: int, pairs: PairList) -> PairNeighbors:
    n_pairs = len(pairs.first)
    first, second = np.zeros((2, capacity), np.int32)
    shift, present = np.zeros((3, capacity)), np.zeros(capacity, bool)
    first[:n_pairs], second[:n_pairs] = pairs.first, pairs.second
    shift[:, :n_pairs] = pairs.shift.T
    present[:n_pairs] = True
    return PairNeighbors(first, second, shift, present)
