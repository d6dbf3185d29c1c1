"""Sparse points: which environments and distances a GAP is expanded in.

Candidates pass by twice, in blocks, so that memory does not depend on their number: a selection
first looks at all of them (`look`), then takes some (`take`), and tells which (`points`).

Source: Mahoney, Drineas, Proc. Natl. Acad. Sci. 106, 697 (2009), CUR decomposition; the number of
singular vectors that count, the uniform choice, and what counts as the same point twice are those
of gap_fit 0.10.3.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.linalg import qr, svd

SMALLEST_SINGULAR_VALUE = 1e-13  # those below count as zero in gap_fit
SAME = 1e-10  # candidates that differ by less are one


class RandomPoints:
    """Choose rows at random, all with the same probability.

    Parameters
    ----------
    n_sparse : int
        How many; where there are fewer candidates, all of them, with a warning, as in gap_fit.
    rng : numpy.random.Generator
    """

    def __init__(self, n_sparse: int, rng: np.random.Generator) -> None:
        self._n_sparse, self._rng = n_sparse, rng
        self._rows: np.ndarray | None = None
        self._ranks, self._places, self._n_taken = np.empty(0), np.empty(0, int), 0

    def look(self, block: np.ndarray) -> None:
        """See candidates, (n, n_components), the first time."""

    def take(self, block: np.ndarray) -> None:
        """See the same candidates again, in the same order."""
        if not len(block):
            return
        self._rows = block if self._rows is None else np.concatenate([self._rows, block])
        self._ranks = np.concatenate([self._ranks, self._priorities(block)])
        places = self._n_taken + np.arange(len(block))
        self._places = np.concatenate([self._places, places])
        self._n_taken += len(block)
        if len(self._ranks) > 2 * self._n_sparse:
            self._keep_best()

    def points(self) -> np.ndarray:
        """Return the sparse points (n_sparse, n_components), in the order in which they came."""
        if self._rows is None:
            return np.empty((0, 0))
        self._keep_best()
        _warn_if_few(self._n_sparse, len(self._rows))
        return self._rows[np.argsort(self._places)]

    def _priorities(self, block: np.ndarray) -> np.ndarray:
        return self._rng.random(len(block))

    def _keep_best(self) -> None:
        assert self._rows is not None
        order = np.argsort(-self._ranks, kind="stable")
        order = order[_first_of_each(self._rows[order])][: self._n_sparse]
        self._rows, self._ranks = self._rows[order], self._ranks[order]
        self._places = self._places[order]


class LeveragePoints(RandomPoints):
    """Choose rows with probabilities that grow with their leverage (gap_fit's ``cur_points``)."""

    def __init__(self, n_sparse: int, rng: np.random.Generator) -> None:
        super().__init__(n_sparse, rng)
        self._triangle: np.ndarray | None = None
        self._waiting: list[np.ndarray] = []
        self._project: np.ndarray | None = None
        self._rank = 0

    def look(self, block: np.ndarray) -> None:
        """See candidates, (n, n_components), the first time."""
        self._waiting.append(block)
        if sum(map(len, self._waiting)) >= 2 * block.shape[1]:
            self._reduce()

    def _reduce(self) -> None:
        """Replace the rows that wait by R of a QR decomposition."""
        rows = self._waiting if self._triangle is None else [self._triangle, *self._waiting]
        stacked = np.concatenate(rows)
        (upper,) = qr(stacked, mode="r", overwrite_a=True, check_finite=False)
        self._triangle, self._waiting = np.triu(upper[: stacked.shape[1]]), []

    def _priorities(self, block: np.ndarray) -> np.ndarray:
        if self._project is None:
            self._reduce()
            _, singular, right = svd(self._triangle, full_matrices=False)
            self._rank = max(1, int((singular > SMALLEST_SINGULAR_VALUE).sum()) // 2)
            self._project = right[: self._rank].T / singular[: self._rank]
        leverage = ((block @ self._project) ** 2).sum(1)
        likely = np.minimum(1.0, self._n_sparse / self._rank * leverage)
        return likely - self._rng.random(len(block))


class UniformPoints:
    """Choose numbers evenly over their range: one of each of `n_sparse` bins that is not empty.

    Where bins are empty, further numbers come from the others at random.

    Parameters
    ----------
    n_sparse, rng
        As for `RandomPoints`.
    """

    def __init__(self, n_sparse: int, rng: np.random.Generator) -> None:
        self._n_sparse, self._rng = n_sparse, rng
        self._low, self._high = np.inf, -np.inf
        self._bins: list[list[float]] = [[] for _ in range(n_sparse)]

    def look(self, block: np.ndarray) -> None:
        """See candidates, (n, 1), the first time."""
        if len(block):
            self._low, self._high = min(self._low, block.min()), max(self._high, block.max())

    def take(self, block: np.ndarray) -> None:
        """See the same candidates again: up to `n_sparse` in each bin are remembered."""
        if not len(block):
            return
        width = (self._high - self._low) or 1.0
        scaled = (block[:, 0] - self._low) / width * max(self._n_sparse - 1, 1)
        bins = np.rint(scaled).astype(int)
        for k in np.unique(bins):
            values = self._bins[k]
            if len(values) < self._n_sparse:
                candidates = np.concatenate([values, block[bins == k, 0]])
                candidates = candidates[_first_of_each(candidates[:, None])]
                self._bins[k] = candidates[: self._n_sparse].tolist()

    def points(self) -> np.ndarray:
        """Return the sparse points, (n_sparse, 1)."""
        points = [values[0] for values in self._bins if values]
        if not points:
            return np.empty((0, 1))
        spare = [value for values in self._bins for value in values[1:]]
        missing = self._n_sparse - len(points)
        _warn_if_few(self._n_sparse, len(points) + len(spare))
        if missing > 0:
            points += self._rng.choice(spare, min(missing, len(spare)), replace=False).tolist()
        return np.array(points)[:, None]


def memory_MB(n_components: int, n_sparse: int) -> float:
    """Return the memory that a selection needs, MB (1e6 bytes)."""
    return 8e-6 * n_components * (6 * n_components + 4 * n_sparse)


def _first_of_each(rows: np.ndarray) -> np.ndarray:
    """Return the indices, ascending, of rows that do not repeat an earlier one.

    As gap_fit does, only rows are compared that follow each other in the order of their sums.
    """
    if len(rows) == 0:
        return np.empty(0, int)
    sums = np.abs(rows).sum(1)
    order = np.argsort(sums, kind="stable")
    same = np.diff(sums[order]) < SAME
    near = np.flatnonzero(same)
    same[near] = np.abs(rows[order[near + 1]] - rows[order[near]]).max(1, initial=0) < SAME
    starts = np.flatnonzero(np.concatenate([[True], ~same]))  # of runs of equal rows
    return np.sort(np.minimum.reduceat(order, starts))


def _warn_if_few(asked: int, there: int) -> None:
    if asked > there:
        warnings.warn(
            f"n_sparse={asked} is more than the {there} that there are to choose from: all of "
            "them are sparse points, as in gap_fit",
            stacklevel=2,
        )
