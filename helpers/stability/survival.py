"""How long replicas stay stable, with those that never failed counted as lower bounds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.errors import DataError


def survival_curve(survival: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the share that is stable after a time, estimated as Kaplan and Meier (1958) did.

    Parameters
    ----------
    survival : DataFrame
        Columns ``time_fs`` and ``failed``, one row for each replica.

    Returns
    -------
    times_fs : ndarray of shape (n,)
        0, and the times at which replicas failed or were seen for the last time.
    shares : ndarray of shape (n,)
        The share from that time on.

    Raises
    ------
    DataError
        If there are no replicas.
    """
    from scipy.stats import CensoredData, ecdf

    if not len(survival):
        raise DataError("There are no replicas whose survival could be estimated")
    times, failed = survival["time_fs"].to_numpy(float), survival["failed"].to_numpy(bool)
    estimate = ecdf(CensoredData.right_censored(times, ~failed)).sf
    shares = np.concatenate([[1.0], estimate.probabilities])
    return np.concatenate([[0.0], estimate.quantiles]), shares


def median_survival_fs(survival: pd.DataFrame) -> float:
    """Return the time by which half of the replicas have failed; infinite if fewer have."""
    times_fs, shares = survival_curve(survival)
    below = np.flatnonzero(shares <= 0.5)
    return float(times_fs[below[0]]) if len(below) else float("inf")
