"""How sure is an error? Whole trajectories drawn again and again: intervals, and differences.

Frames of one trajectory resemble each other, so that drawing single frames would make intervals too
narrow. Percentile bootstrap, 2000 times, seed 0: Efron and Tibshirani, An Introduction to the
Bootstrap (1993), chapters 8 and 13.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from helpers.errors import DataError


class Errors(Protocol):
    """What is compared, such as `helpers.evaluation.Evaluation`: tables of true and predicted."""

    @property
    def energies(self) -> pd.DataFrame:
        """Columns ``frame``, ``true`` and ``predicted``, eV per atom."""

    @property
    def forces(self) -> pd.DataFrame:
        """Columns ``frame``, ``true`` and ``predicted``, eV/Å."""


def compare_errors(first: Errors, second: Errors, groups: Sequence[Hashable]) -> pd.DataFrame:
    """Return by how much the RMSE of two potentials differs on the same frames, and how surely.

    Both potentials meet the same hard and easy frames, so that their difference is known better
    than either RMSE: whole trajectories are drawn again and again (percentile bootstrap, 2000
    times, seed 0), the same ones for both.

    Parameters
    ----------
    first, second : Evaluation
        Of the same frames.
    groups : sequence
        Trajectory of each frame.

    Returns
    -------
    DataFrame
        Rows for ``"energy"`` (meV per atom) and ``"force"`` (meV/Å); columns ``quantity``,
        ``first``, ``second`` (their RMSE), ``difference`` (first − second), its standard ``error``,
        and ``low`` and ``high``, its 95 % interval.

    Raises
    ------
    DataError
        If the frames are not the same, or all come from one group.
    """
    rows = []
    for quantity, one, other in (
        ("energy", first.energies, second.energies),
        ("force", first.forces, second.forces),
    ):
        if len(one) != len(other) or not np.allclose(one["true"], other["true"]):
            raise DataError(
                "The two evaluations are not of the same frames",
                fix="evaluate both potentials on the same validation frames",
            )
        squares = [1e6 * (table["predicted"] - table["true"]) ** 2 for table in (one, other)]
        of_group = pd.Series(list(groups)).loc[one["frame"]].to_numpy()
        sums = pd.DataFrame({"first": squares[0], "second": squares[1], "n": 1.0})
        sums = sums.groupby(of_group).sum()
        if len(sums) < 2:
            raise DataError("The frames must come from two trajectories at least")
        found = _resampled(sums, lambda a, b, n, axis=-1: _root(a, n, axis) - _root(b, n, axis))
        values = [float(np.sqrt(square.mean())) for square in squares]
        interval = found.confidence_interval
        rows.append(
            {
                "quantity": quantity,
                "first": values[0],
                "second": values[1],
                "difference": values[0] - values[1],
                "error": float(found.standard_error),
                "low": float(interval.low),
                "high": float(interval.high),
            }
        )
    return pd.DataFrame(rows)


def rmse_interval(errors: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of an RMSE, in the unit of the errors; NaN for a single group.

    Parameters
    ----------
    errors : ndarray, shape (n,)
    groups : ndarray, shape (n,)
        Trajectory from which each error comes: whole trajectories are drawn again.
    """
    sums = pd.DataFrame({"square": errors**2, "n": 1.0}).groupby(groups).sum()
    if len(sums) < 2:
        return float("nan"), float("nan")
    interval = _resampled(sums, _root).confidence_interval
    return float(interval.low), float(interval.high)


def _resampled(sums: pd.DataFrame, statistic: Callable) -> Any:
    """Draw whole groups, whose sums are the rows, and return what scipy makes of a statistic."""
    from scipy.stats import bootstrap

    return bootstrap(
        tuple(sums[name].to_numpy() for name in sums),
        statistic,
        paired=True,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(0),
    )


def _root(squares: np.ndarray, n: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.sqrt(squares.sum(axis=axis) / n.sum(axis=axis))
