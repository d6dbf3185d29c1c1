"""A neighbor list with a skin: reused until an atom has moved by half of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from helpers.errors import PredictionError
from helpers.gap.jax.layout import Plan, Terms, with_room_for
from helpers.gap.jax.neighbors import Neighbors, lay_out
from helpers.neighbors import find_pairs

OVERLAP_A = 0.01  # atoms closer than this are on top of each other


class VerletList:
    """Neighbor lists of one set of atoms, rebuilt when they have to be.

    Parameters
    ----------
    terms : Terms
        The terms of a model.
    numbers : ndarray of shape (n_atoms,)
        Atomic numbers.
    skin_A : float
        How much further than the cutoffs the lists reach.
    plans : dict, optional
        Room that was enough so far, by composition and skin: shared between lists, so that the
        next list of such atoms starts with it and nothing is compiled again.

    Attributes
    ----------
    order : ndarray of shape (n_atoms,)
        The atoms sorted by element, as the compiled functions take them.
    plan : Plan or None
        Room and sizes; replaced by a larger one when a list does not fit.
    n_builds, n_growths : int
        How often the lists were built, and how often they outgrew their room.
    """

    def __init__(
        self,
        terms: Terms,
        numbers: np.ndarray,
        skin_A: float,
        plans: dict[Any, Plan] | None = None,
    ) -> None:
        self.terms, self.skin_A = terms, float(skin_A)
        self.order = np.argsort(numbers, kind="stable")
        kinds, counts = np.unique(numbers, return_counts=True)
        self.counts = tuple(zip(kinds.tolist(), counts.tolist(), strict=True))
        self._plans = {} if plans is None else plans
        self.plan: Plan | None = self._plans.get((self.counts, self.skin_A))
        self.n_builds = self.n_growths = 0
        self._built_for: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._neighbors: Any = None
        self._on_device: Any = None
        self._pairs: Any = None
        self._closest_A = np.inf

    def get(
        self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray
    ) -> tuple[Plan, Neighbors]:
        """Return plan and lists for sorted `positions` (n_atoms, 3) in Å, as new as needed.

        The lists are where JAX computes already: call it within `runtime.double_precision`.

        Raises
        ------
        PredictionError
            If two atoms are closer than 0.01 Å.
        """
        if self.plan is None or not self._still_good(positions, cell, pbc):
            self.build(positions, cell, pbc)
        assert self.plan is not None
        if self._on_device is None:
            import jax

            self._on_device = jax.device_put(self._neighbors)
        return self.plan, self._on_device

    def build(self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
        """Build the lists anew."""
        pairs = find_pairs(positions, cell, pbc, self.terms.cutoff_A + self.skin_A)
        self._closest_A = float(pairs.distance.min(initial=np.inf))
        if self._closest_A < OVERLAP_A:
            raise PredictionError(
                "The potential gives no meaningful energy for these atoms",
                found=f"a closest pair of {self._closest_A:.3f} Å",
                fix="move overlapping atoms apart",
            )
        known = self._plans.get((self.counts, self.skin_A))
        plan, neighbors = lay_out(self.terms, self.counts, pairs, self.skin_A, known)
        self.n_builds += 1
        self.n_growths += known is not None and plan != known
        self.plan = self._plans[self.counts, self.skin_A] = plan
        self._neighbors, self._pairs, self._on_device = neighbors, pairs, None
        self._built_for = positions.copy(), cell.copy(), np.array(pbc)

    @staticmethod
    def together(lists: Sequence[VerletList]) -> tuple[Plan, Neighbors]:
        """Return the lists of several replicas as one, with room that is enough for all.

        Every array gets a first axis, one row per replica.
        """
        import jax

        plan = reduce(with_room_for, [one.plan for one in lists if one.plan is not None])
        for one in lists:
            if one.plan != plan:
                one._make_room(plan)
        stacked = jax.tree.map(lambda *parts: np.stack(parts), *[one._neighbors for one in lists])
        return plan, stacked

    def _make_room(self, plan: Plan) -> None:
        self.n_growths += 1
        found = lay_out(self.terms, self.counts, self._pairs, self.skin_A, plan)
        self.plan, self._neighbors = found
        self._on_device = None

    def _still_good(self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> bool:
        if self._built_for is None:
            return False
        before, cell_before, pbc_before = self._built_for
        if not (np.array_equal(cell, cell_before) and np.array_equal(pbc, pbc_before)):
            return False
        moved = float(np.sqrt(((positions - before) ** 2).sum(1).max()))
        return 2 * moved < self.skin_A and 2 * moved < self._closest_A - OVERLAP_A
