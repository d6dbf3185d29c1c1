"""Truncated gradients: how far those of the last steps alone are from the whole gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from helpers import checks
from helpers.errors import DataError


def truncation_bias(
    slopes: Callable[[int | None], Any],
    windows: Sequence[int],
    *,
    reference: Any = None,
) -> pd.DataFrame:
    """Return what truncated windows make of a gradient: one row for each window.

    ``simulate(…, window=…)`` goes back through the last steps before each record only. That keeps a
    gradient from exploding, and biases it: what the steps before contribute is missing.

    Parameters
    ----------
    slopes : function of the window (steps; None for all) → array (n_starts,) or (n_starts, n)
        Gradients with respect to n numbers, one row for each start or seed.
    windows : sequence of int
        Their lengths, steps.
    reference : float or array of shape (n,), optional
        The true slope of the mean over starts, for instance from finite differences, where the
        whole gradient is of no use because it explodes. By default the mean of ``slopes(None)``.

    Returns
    -------
    DataFrame
        ``window_steps``; ``size``, the norm of the mean gradient; ``relative_bias``, its component
        along the reference divided by the size of the reference, less 1 (−0.2: 20 % too small);
        ``standard_error`` of that over starts; ``cosine`` of the angle between both.

    Raises
    ------
    DataError
        If a gradient is not finite, or the reference is 0.
    """

    def rows_of(window: int | None) -> np.ndarray:
        rows = np.asarray(slopes(window), float)
        rows = rows.reshape(len(np.atleast_1d(rows)), -1)
        if not np.isfinite(rows).all():
            raise DataError(
                f"The gradient of window {window} is not finite",
                expected="finite numbers",
                fix="a shorter window, or a reference from finite differences",
            )
        return rows

    for window in windows:
        checks.whole("window", window, 1)
    whole = rows_of(None) if reference is None else np.atleast_2d(np.asarray(reference, float))
    true = whole.mean(0)
    square = float(true @ true)
    if not square > 0:
        raise DataError("The whole gradient is 0: no bias can be relative to it")
    table = []
    for window in windows:
        rows = rows_of(window)
        away = (rows - whole) @ true / square  # start by start, if both are known
        mean = rows.mean(0)
        size = float(np.linalg.norm(mean))
        n_starts = len(rows)
        spread = away.std(ddof=1) / np.sqrt(n_starts) if n_starts > 1 else np.nan
        cosine = float(mean @ true) / (size * square**0.5) if size else np.nan
        table.append((window, size, float(away.mean()), float(spread), cosine))
    columns = ["window_steps", "size", "relative_bias", "standard_error", "cosine"]
    return pd.DataFrame(table, columns=columns)
