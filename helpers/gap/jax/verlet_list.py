"""Verlet list: neighbor lists with a skin, reused until an atom has moved by half of it.

Source: Verlet, Phys. Rev. 159, 98 (1967).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from helpers.errors import PredictionError
from helpers.gap.jax.layout import Layout, ModelStructure, merge
from helpers.gap.jax.neighbors import Edges, Neighbors, find_edges, pad_neighbors
from helpers.neighbors import PairList, find_pairs

OVERLAP_A = 0.01  # atoms closer than this are on top of each other


class VerletList:
    """Neighbor lists of one set of atoms, rebuilt when they have to be.

    Parameters
    ----------
    structure : ModelStructure
        The terms of a model.
    numbers : ndarray of shape (n_atoms,)
        Atomic numbers.
    skin_A : float
        How much further than the cutoffs the lists reach.
    layouts : dict, optional
        Layouts that were large enough so far, by composition and skin: shared between lists, so
        that the next list of such atoms starts with it and nothing is compiled again.

    Attributes
    ----------
    order : ndarray of shape (n_atoms,)
        The atoms sorted by element, as the compiled functions take them.
    layout : Layout or None
        Sizes; replaced by a larger layout when a list overflows.
    """

    def __init__(
        self,
        structure: ModelStructure,
        numbers: np.ndarray,
        skin_A: float,
        layouts: dict[Any, Layout] | None = None,
    ) -> None:
        self.structure, self.skin_A = structure, float(skin_A)
        self.order = np.argsort(numbers, kind="stable")
        elements, counts = np.unique(numbers, return_counts=True)
        self.counts = tuple(zip(elements.tolist(), counts.tolist(), strict=True))
        self._layouts = {} if layouts is None else layouts
        self.layout: Layout | None = self._layouts.get((self.counts, self.skin_A))
        self._built_for: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._edges: Edges
        self._neighbors: Any = None
        self._on_device: Any = None
        self._closest_A = np.inf

    def get(
        self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray
    ) -> tuple[Layout, Neighbors]:
        """Return layout and lists for sorted `positions` (n_atoms, 3) in Å, as new as needed.

        The lists are where JAX computes already: call it within `jax_setup.double_precision`.

        Raises
        ------
        PredictionError
            If two atoms are closer than 0.01 Å.
        """
        if self.layout is None or not self._is_valid(positions, cell, pbc):
            self.build(positions, cell, pbc)
        assert self.layout is not None
        if self._on_device is None:
            import jax

            self._on_device = jax.device_put(self._neighbors)
        return self.layout, self._on_device

    def build(self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
        """Build the lists anew; raises `PredictionError` as `get` does."""
        pairs = find_separate_pairs(positions, cell, pbc, self.structure.cutoff_A + self.skin_A)
        self._closest_A = float(pairs.distance.min(initial=np.inf))
        layout = self._layout()
        self._edges = find_edges(self.structure, layout.numbers, pairs, self.skin_A)
        grown = self._edges.grow(layout)
        self._layouts[self.counts, self.skin_A] = grown
        self._pad(grown)
        self._built_for = positions.copy(), cell.copy(), np.array(pbc)

    @property
    def room(self) -> np.ndarray:
        """Sizes of the lists; the next lists have at least those that are set."""
        return self._layout().sizes

    @room.setter
    def room(self, sizes: np.ndarray) -> None:
        self._layouts[self.counts, self.skin_A] = self._layout().with_sizes(sizes)

    def _layout(self) -> Layout:
        known = self._layouts.get((self.counts, self.skin_A))
        return known or Layout.empty(self.structure, self.counts)

    @staticmethod
    def stack(lists: Sequence[VerletList]) -> tuple[Layout, Neighbors]:
        """Return the lists of several replicas as one, with capacity for all of them.

        Every array gets a first axis, one row per replica.
        """
        import jax

        layout = reduce(merge, [one.layout for one in lists if one.layout is not None])
        for one in lists:
            if one.layout != layout:
                one._pad(layout)
        stacked = jax.tree.map(
            lambda *parts: parts[0][None] if len(parts) == 1 else np.stack(parts),
            *[one._neighbors for one in lists],
        )
        return layout, stacked

    def _pad(self, layout: Layout) -> None:
        self.layout, self._neighbors = layout, pad_neighbors(layout, self._edges)
        self._on_device = None

    def _is_valid(self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> bool:
        if self._built_for is None:
            return False
        before, cell_before, pbc_before = self._built_for
        if not (np.array_equal(cell, cell_before) and np.array_equal(pbc, pbc_before)):
            return False
        moved = float(np.sqrt(((positions - before) ** 2).sum(1).max()))
        return 2 * moved < self.skin_A and 2 * moved < self._closest_A - OVERLAP_A


def find_separate_pairs(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff_A: float
) -> PairList:
    """Return all pairs within a distance (see `neighbors.find_pairs`).

    Raises
    ------
    PredictionError
        If two atoms are closer than 0.01 Å.
    """
    pairs = find_pairs(positions, cell, pbc, cutoff_A)
    closest_A = float(pairs.distance.min(initial=np.inf))
    if closest_A < OVERLAP_A:
        raise PredictionError(
            "The potential gives no meaningful energy for these atoms",
            found=f"a closest pair of {closest_A:.3f} Å",
            fix="move overlapping atoms apart",
        )
    return pairs
