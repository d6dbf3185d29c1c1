"""Sparse points: which environments and distances a GAP is expanded in.

Frames pass by one at a time, so that memory does not depend on their number.

Source: Mahoney, Drineas, Proc. Natl. Acad. Sci. 106, 697 (2009), CUR decomposition; the number of
singular vectors that count, and the uniform choice, are those of gap_fit 0.10.3.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from scipy.linalg import qr, svd

from helpers.errors import ConfigError

SMALLEST_SINGULAR_VALUE = 1e-13  # those below count as zero in gap_fit

Blocks = Callable[[], Iterator[np.ndarray]]  # starts anew at each call: rows are candidates


def leverage_points(blocks: Blocks, n_sparse: int, rng: np.random.Generator) -> np.ndarray:
    """Choose rows with probabilities that grow with their leverage (gap_fit's ``cur_points``).

    Parameters
    ----------
    blocks : function → iterator of ndarray (n, n_components)
        All candidates, such as the power spectra of one element, in pieces.
    n_sparse : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_sparse, n_components)

    Warns
    -----
    UserWarning
        If there are fewer candidates than that: all of them are taken, as gap_fit does.
    """
    triangle, n_candidates = _triangle(blocks())
    n_sparse = _at_most(n_sparse, n_candidates)
    _, singular, right = svd(triangle, full_matrices=False)
    rank = max(1, int((singular > SMALLEST_SINGULAR_VALUE).sum()) // 2)
    project = right[:rank].T / singular[:rank]

    def priorities(block: np.ndarray) -> np.ndarray:
        leverage = ((block @ project) ** 2).sum(1)
        return np.minimum(1.0, n_sparse / rank * leverage) - rng.random(len(block))

    return _best(blocks(), priorities, n_sparse)


def random_points(blocks: Blocks, n_sparse: int, rng: np.random.Generator) -> np.ndarray:
    """Choose rows at random, all with the same probability; else as `leverage_points`."""
    points = _best(blocks(), lambda block: rng.random(len(block)), n_sparse)
    _at_most(n_sparse, len(points))
    return points


def uniform_points(blocks: Blocks, n_sparse: int, rng: np.random.Generator) -> np.ndarray:
    """Choose numbers evenly over their range: one of each of `n_sparse` bins that is not empty.

    Where bins are empty, further numbers come from the others at random.

    Parameters
    ----------
    blocks : function → iterator of ndarray (n, 1)
        All candidates, such as the distances of one pair of elements, in pieces.
    n_sparse, rng
        As for `leverage_points`.

    Returns
    -------
    ndarray of shape (n_sparse, 1)
    """
    low, high, n_candidates = np.inf, -np.inf, 0
    for block in blocks():
        if len(block):
            low, high = min(low, block.min()), max(high, block.max())
            n_candidates += len(block)
    n_sparse = _at_most(n_sparse, n_candidates)
    width = (high - low) or 1.0
    kept: list[list[float]] = [[] for _ in range(n_sparse)]
    for block in blocks():
        bins = np.rint((block[:, 0] - low) / width * max(n_sparse - 1, 1)).astype(int)
        for k in np.unique(bins):
            if len(kept[k]) < n_sparse:
                values = block[bins == k, 0]
                kept[k] += values[: n_sparse - len(kept[k])].tolist()
    points = [values[0] for values in kept if values]
    spare = [value for values in kept for value in values[1:]]
    if len(points) < n_sparse:
        points += rng.choice(spare, n_sparse - len(points), replace=False).tolist()
    return np.array(points)[:, None]


def _triangle(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
    """Return R of the QR decomposition of all rows, block by block, and their number."""
    waiting: list[np.ndarray] = []
    n_waiting = total = 0
    triangle: np.ndarray | None = None

    def reduce() -> np.ndarray:
        parts = waiting if triangle is None else [triangle, *waiting]
        stacked = np.concatenate(parts)
        (upper,) = qr(stacked, mode="r", overwrite_a=True, check_finite=False)
        return np.triu(upper[: stacked.shape[1]])

    for block in blocks:
        waiting.append(block)
        n_waiting += len(block)
        total += len(block)
        if n_waiting >= 4 * block.shape[1]:
            triangle, waiting, n_waiting = reduce(), [], 0
    if n_waiting:
        triangle = reduce()
    if triangle is None:
        raise ConfigError("There is nothing to choose sparse points from")
    return triangle, total


def _best(
    blocks: Iterable[np.ndarray], priorities: Callable[[np.ndarray], np.ndarray], number: int
) -> np.ndarray:
    """Return the rows with the highest priorities, in the order in which they came."""
    rows: np.ndarray | None = None
    ranks, places, n_seen = np.empty(0), np.empty(0, int), 0
    for block in blocks:
        if not len(block):
            continue
        rows = block if rows is None else np.concatenate([rows, block])
        ranks = np.concatenate([ranks, priorities(block)])
        places = np.concatenate([places, n_seen + np.arange(len(block))])
        n_seen += len(block)
        if len(ranks) > 2 * number:
            chosen = np.argsort(-ranks, kind="stable")[:number]
            rows, ranks, places = rows[chosen], ranks[chosen], places[chosen]
    if rows is None:
        return np.empty((0, 0))
    chosen = np.argsort(-ranks, kind="stable")[:number]
    return rows[chosen[np.argsort(places[chosen])]]


def _at_most(asked: int, there: int) -> int:
    if asked > there:
        warnings.warn(
            f"n_sparse={asked} is more than the {there} that there are to choose from: all of "
            "them are sparse points, as in gap_fit",
            stacklevel=2,
        )
    return min(asked, there)
