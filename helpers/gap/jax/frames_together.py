"""Prediction of frames of many compositions: several frames as one system, compiled once.

A compiled function belongs to one number of atoms of each element, and compiling takes seconds.
Frames that differ in them are set side by side, without neighbors in one another, and the system
is filled up with atoms that have no neighbors to a size that all groups of frames share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from helpers.gap.jax.layout import Layout, ModelStructure, round_up
from helpers.gap.jax.neighbors import Edges, Neighbors, find_edges, pad_neighbors
from helpers.gap.jax.verlet_list import find_separate_pairs
from helpers.neighbors import PairList

ATOMS_TOGETHER = 384  # about so many; a larger frame stays alone
ATOMS_STEP = 64  # numbers of atoms of an element are rounded up to a multiple of this


@dataclass(frozen=True)
class Group:
    """Frames that are computed as one system.

    Attributes
    ----------
    frames : list of ase.Atoms
    place : int ndarray of shape (n_atoms of all frames,)
        Where each of their atoms, frame by frame, stands in the system.
    layout : Layout
        Of the system, with the sizes that all groups share.
    """

    frames: list[Atoms]
    place: np.ndarray
    layout: Layout

    @property
    def starts(self) -> np.ndarray:
        """Number of the first atom of each frame, and after the last one."""
        return np.cumsum([0, *map(len, self.frames)])

    def positions(self) -> np.ndarray:
        """Return the positions of the system, (n_atoms, 3), Å; 0 for atoms that fill it up."""
        positions = np.zeros((self.layout.n_atoms, 3))
        positions[self.place] = np.concatenate([atoms.positions for atoms in self.frames])
        return positions

    def edges(self) -> Edges:
        """Return the edges of all frames, with shifts in Å in place of cell vectors.

        Raises
        ------
        PredictionError
            If two atoms are closer than 0.01 Å.
        """
        structure, lists = self.layout.structure, []
        for start, atoms in zip(self.starts, self.frames, strict=False):
            pairs = find_separate_pairs(
                atoms.positions, atoms.cell.array, atoms.pbc, structure.cutoff_A
            )
            first, second = self.place[start + pairs.first], self.place[start + pairs.second]
            lists.append(PairList(first, second, pairs.shift, pairs.distance))
        joined = PairList(*map(np.concatenate, zip(*lists, strict=True)))
        edges = find_edges(structure, self.layout.numbers, joined, 0.0)
        frame_of = np.zeros(self.layout.n_atoms, int)
        frame_of[self.place] = np.repeat(np.arange(len(self.frames)), np.diff(self.starts))
        cells = np.array([atoms.cell.array for atoms in self.frames])[frame_of]
        soaps = tuple(
            tuple(
                one._replace(shift=np.einsum("cn,nck->kn", one.shift, cells[one.neighbor]))
                for one in block
            )
            for block in edges.soaps
        )
        pair_terms = tuple(
            one._replace(shift=np.einsum("nc,nck->nk", one.shift, cells[one.first]))
            for one in edges.pairs
        )
        return Edges(edges.centers, soaps, pair_terms)

    def neighbors(self, layout: Layout) -> Neighbors:
        """Return the padded neighbor lists in the capacities of `layout`."""
        return pad_neighbors(layout, self.edges())

    def split(self, energies: np.ndarray, forces: np.ndarray) -> list[tuple[float, np.ndarray]]:
        """Return energy and forces of each frame, of those of all atoms of the system."""
        parts = [self.place[a:b] for a, b in zip(self.starts, self.starts[1:], strict=False)]
        return [(float(energies[part].sum()), forces[part]) for part in parts]


def group_frames(
    structure: ModelStructure, frames: Sequence[Atoms], layouts: dict[Any, Layout]
) -> tuple[list[Group], Layout]:
    """Put frames into groups of one size, and return a layout with capacity for each of them.

    Parameters
    ----------
    structure : ModelStructure
        The terms of the model.
    frames : sequence of ase.Atoms
    layouts : dict
        Layouts that were large enough so far, as in `VerletList`; the new one is added.
    """
    members: list[list[Atoms]] = []
    n_atoms = 0
    for atoms in frames:
        if not members or n_atoms + len(atoms) > ATOMS_TOGETHER:
            members.append([])
            n_atoms = 0
        members[-1].append(atoms)
        n_atoms += len(atoms)
    numbers = [np.concatenate([atoms.numbers for atoms in group]) for group in members]
    elements = np.unique(np.concatenate(numbers))
    most = [max(int((of_group == z).sum()) for of_group in numbers) for z in elements]
    counts = tuple((int(z), round_up(n, ATOMS_STEP)) for z, n in zip(elements, most, strict=True))
    layout = layouts.get((counts, 0.0)) or Layout.empty(structure, counts)
    starts = dict(zip(elements, np.cumsum([0, *(n for _, n in counts)]), strict=False))
    groups = []
    for group, of_group in zip(members, numbers, strict=True):
        place = np.empty(len(of_group), int)
        for z, start in starts.items():
            indices = np.flatnonzero(of_group == z)
            place[indices] = start + np.arange(len(indices))
        groups.append(Group(group, place, layout))
    for one in groups:
        layout = one.edges().grow(layout)
    layouts[counts, 0.0] = layout
    return groups, layout
