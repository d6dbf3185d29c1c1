"""Graphs of atoms and their neighbors, in arrays of fixed size: one frame, or a padded batch.

Atoms beyond the end of a frame and neighbors beyond the end of an atom's list are padding. A padded
atom is not `present`; a padded neighbor is not `connected`, and stands so far away that no network
sees it. Frames of any size and boundary fit into one batch, because boundaries are in the lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from ase import Atoms

from helpers.boundaries import with_boundaries
from helpers.errors import PredictionError
from helpers.neighbors import find_pairs

CLOSEST_A = 0.1  # nearer than that, nuclei are on top of each other


class Graph(NamedTuple):
    """Atoms and their neighbors; with an axis for frames in front, those of a batch.

    Attributes
    ----------
    species : int array of shape (n_atoms,)
        Which of the potential's elements an atom is.
    present : bool array of shape (n_atoms,)
        False for padding.
    neighbors : int array of shape (n_atoms, capacity)
        The neighbors of each atom; where there are none, the atom itself.
    shifts : int array of shape (n_atoms, capacity, 3)
        Cell vectors to add to the position of a neighbor.
    connected : bool array of shape (n_atoms, capacity)
        False for padding.
    """

    species: Any
    present: Any
    neighbors: Any
    shifts: Any
    connected: Any


class GraphBatch(NamedTuple):
    """Several frames.

    Attributes
    ----------
    positions : array of shape (n_frames, n_atoms, 3), Å
        Zero for padding.
    cells : array of shape (n_frames, 3, 3), Å
    graphs : Graph
    """

    positions: Any
    cells: Any
    graphs: Graph


def build_graph(
    species: np.ndarray, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, reach_A: float
) -> Graph:
    """Return the graph of one frame without padded atoms; `capacity` is the longest list.

    Parameters
    ----------
    species : int ndarray of shape (n_atoms,)
    positions : ndarray of shape (n_atoms, 3), Å
    cell : ndarray of shape (3, 3), Å
    pbc : bool ndarray of shape (3,)
    reach_A : float
        Largest distance of neighbors: the cutoff, or more.

    Raises
    ------
    PredictionError
        If atoms are on top of each other.
    """
    pairs = find_pairs(positions, cell, pbc, reach_A)
    nearest = pairs.distance.min(initial=np.inf)
    if nearest < CLOSEST_A:
        k = int(pairs.distance.argmin())
        raise PredictionError(
            f"Atoms {pairs.first[k]} and {pairs.second[k]} are on top of each other",
            found=f"{nearest:.3g} Å",
        )
    order = np.argsort(pairs.first, kind="stable")
    first = pairs.first[order]
    counts = np.bincount(first, minlength=len(species))
    place = np.arange(len(first)) - (np.cumsum(counts) - counts)[first]
    shape = (len(species), counts.max(initial=0))
    neighbors = np.repeat(np.arange(len(species))[:, None], shape[1], axis=1)
    shifts, connected = np.zeros((*shape, 3), np.int32), np.zeros(shape, bool)
    neighbors[first, place] = pairs.second[order]
    shifts[first, place] = pairs.shift[order]
    connected[first, place] = True
    present = np.ones(len(species), bool)
    return Graph(
        np.asarray(species, np.int32), present, neighbors.astype(np.int32), shifts, connected
    )


def pad_graph(graph: Graph, n_atoms: int, capacity: int) -> Graph:
    """Return a graph with room for `n_atoms` atoms and `capacity` neighbors of each."""
    old_atoms, old_capacity = graph.neighbors.shape
    atoms, more = (0, n_atoms - old_atoms), (0, capacity - old_capacity)
    padded = Graph(
        np.pad(graph.species, atoms),
        np.pad(graph.present, atoms),
        np.pad(graph.neighbors, (atoms, more)),
        np.pad(graph.shifts, (atoms, more, (0, 0))),
        np.pad(graph.connected, (atoms, more)),
    )
    itself = np.arange(n_atoms, dtype=np.int32)[:, None]
    return padded._replace(neighbors=np.where(padded.connected, padded.neighbors, itself))


def stack_graphs(graphs: Sequence[Graph], n_atoms: int = 0, capacity: int = 0) -> Graph:
    """Return graphs as a batch, with room for the largest of them, and for what is asked."""
    n_atoms = max(n_atoms, *(len(graph.species) for graph in graphs))
    capacity = max(capacity, *(graph.neighbors.shape[1] for graph in graphs))
    padded = [pad_graph(graph, n_atoms, capacity) for graph in graphs]
    return Graph(*(np.stack(values) for values in zip(*padded, strict=True)))


def rounded(size: int) -> int:
    """Return 8, 16, 24, 32, 48, 64, 96, …: few sizes, so that few functions are compiled."""
    power = 8
    while 2 * power < size:
        power *= 2
    return next(
        room for room in (power, 3 * power // 2, 2 * power) if room >= size and room % 8 == 0
    )


def species_of(atoms: Atoms, elements: Sequence[str]) -> np.ndarray:
    """Return for each atom which of the elements it is.

    Raises
    ------
    PredictionError
        If it is none of them.
    """
    index = {element: k for k, element in enumerate(elements)}
    unknown = sorted(set(atoms.symbols) - set(elements))
    if unknown:
        raise PredictionError(
            f"The neural potential knows nothing about {', '.join(unknown)}",
            expected=f"only {', '.join(elements)}",
            fix="use other atoms, or train on frames with these elements",
        )
    return np.array([index[symbol] for symbol in atoms.symbols], np.int32)


def batch_of(frames: Sequence[Atoms], elements: Sequence[str], cutoff_A: float) -> GraphBatch:
    """Return frames of any size and boundary as one padded batch.

    Raises
    ------
    PredictionError
        If there are no atoms, or unknown ones, or atoms are on top of each other, or a cell does
        not fit to ``pbc``.
    """
    if not frames or not all(len(atoms) for atoms in frames):
        raise PredictionError("There are no atoms", expected="frames of at least one atom")
    frames = [with_boundaries(atoms, error=PredictionError) for atoms in frames]
    graphs = [
        build_graph(
            species_of(atoms, elements), atoms.positions, atoms.cell.array, atoms.pbc, cutoff_A
        )
        for atoms in frames
    ]
    n_atoms = rounded(max(len(atoms) for atoms in frames))
    capacity = rounded(max(graph.neighbors.shape[1] for graph in graphs))
    positions = np.zeros((len(frames), n_atoms, 3))
    for row, atoms in zip(positions, frames, strict=True):
        row[: len(atoms)] = atoms.positions
    cells = np.array([atoms.cell.array for atoms in frames])
    return GraphBatch(positions, cells, stack_graphs(graphs, n_atoms, capacity))


def edge_vectors(positions: Any, cell: Any, graph: Graph, far_A: float) -> Any:
    """Return the vectors from each atom to its neighbors, (n_atoms, capacity, 3), Å.

    Those to padded neighbors have the length `far_A`, which shall be beyond the cutoff.
    """
    vectors = positions[graph.neighbors] - positions[:, None]
    if cell is not None:
        shifts = graph.shifts.astype(positions.dtype)
        vectors = vectors + sum(shifts[..., k, None] * cell[k] for k in range(3))
    nowhere = jnp.array([far_A, 0.0, 0.0], positions.dtype)
    return jnp.where(graph.connected[..., None], vectors, nowhere)
