"""What a sweep says: where overfitting begins, which setting matters, which point is best.

All functions take the table that `sweep` returns and leave out points that failed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import DataError, nearest
from helpers.sweeps.grid import SIGMAS
from helpers.sweeps.table import ENERGY, rows_of, settings_of

OVERFITTED = 1.5  # validation error over training error from which on a fit counts as overfitted
_NUMBERS_OF_BOTH = ("training", "validation", "ratio")


def overfitting(table: pd.DataFrame, quantity: str = ENERGY) -> pd.DataFrame:
    """Return training and validation error of each point side by side, and their ratio.

    Returns
    -------
    DataFrame, one row per point
        What was varied, ``n_frames``, ``repeat``, both sigmas, ``training``, ``validation`` and
        ``ratio`` = validation / training: about 1 for a fit that generalizes, large
        for one that overfits.
    """
    rows = rows_of(table, quantity, None)
    point = [*settings_of(table), "n_frames", "repeat", *SIGMAS]
    point = list(dict.fromkeys(point))
    both = rows.pivot_table(index=point, columns="set", values=quantity).reset_index()
    both.columns.name = None
    both["ratio"] = both["validation"] / both["training"]
    return both


@dataclass(frozen=True)
class Onset:
    """Where overfitting begins along sigma.

    Attributes
    ----------
    sigma : float or None
        The sigma at which validation / training error crosses `ratio`, between two points on a
        logarithmic scale; None if no point lies on one of the two sides.
    column : str
        Which sigma.
    ratio : float
        The ratio from which on a fit counts as overfitted.
    best_sigma : float
        The sigma with the lowest validation error.
    best_error : float
        That error.
    """

    sigma: float | None
    column: str
    ratio: float
    best_sigma: float
    best_error: float


def overfitting_onset(
    table: pd.DataFrame,
    quantity: str = ENERGY,
    *,
    column: str = "sigma_energy_eV_per_atom",
    ratio: float = OVERFITTED,
) -> Onset:
    """Find the sigma below which the validation error exceeds `ratio` times the training error.

    Repeats and other settings are averaged. Coming from large sigmas, the first crossing counts.
    """
    both = overfitting(table, quantity)
    if both[column].nunique() < 2:
        raise DataError(
            f"There is only one {column}", expected="a sweep over it", fix="give it several values"
        )
    curve = both.groupby(column)[["training", "validation"]].mean().sort_index(ascending=False)
    ratios = (curve["validation"] / curve["training"]).to_numpy()
    x = np.log(curve.index.to_numpy(float))
    over = np.flatnonzero(ratios > ratio)
    sigma = None
    if len(over) and over[0] > 0:
        after = over[0]
        here, there = np.log(ratios[after - 1]), np.log(ratios[after])
        part = (np.log(ratio) - here) / (there - here)
        sigma = float(np.exp(x[after - 1] + part * (x[after] - x[after - 1])))
    best = float(curve.index[int(curve["validation"].argmin())])
    return Onset(sigma, column, ratio, best, float(curve["validation"].min()))


def rank_effects(table: pd.DataFrame, quantity: str = ENERGY) -> pd.DataFrame:
    """Rank the settings of a sweep by how much the validation error depends on them.

    The effect of a setting is the ratio of its worst to its best value's error, each the
    geometric mean over all other settings, sizes and repeats.

    Returns
    -------
    DataFrame, the largest effect first
        ``setting``, ``best`` and ``worst`` (values, as texts), ``effect`` (1 = none), and
        ``uncertainty``: its standard error, from what the settings one at a time do not explain
        (their interplay, repeats); NaN where nothing is left over.

    Raises
    ------
    DataError
        If nothing was varied.
    """
    rows = rows_of(table, quantity, "validation")
    candidates = [*settings_of(table), "n_frames"]
    varied = [name for name in candidates if rows[name].nunique() > 1]
    if not varied:
        raise DataError("Nothing was varied", fix="sweep over at least two values of a setting")
    log = np.log(rows[quantity])
    means = {name: log.groupby(rows[name].to_numpy()).mean() for name in varied}
    explained = sum(rows[name].map(means[name]) - log.mean() for name in varied) + log.mean()
    left_over = len(rows) - 1 - sum(len(mean) - 1 for mean in means.values())
    variance = float(((log - explained) ** 2).sum() / left_over) if left_over > 0 else np.nan
    effects = []
    for name, mean in means.items():
        counts = rows[name].value_counts()
        best, worst = mean.idxmin(), mean.idxmax()
        effect = float(np.exp(mean.max() - mean.min()))
        error = np.sqrt(variance * (1 / counts[best] + 1 / counts[worst]))
        effects.append(
            {
                "setting": name,
                "best": _as_text(best),
                "worst": _as_text(worst),
                "effect": effect,
                "uncertainty": float(effect * error),
            }
        )
    return pd.DataFrame(effects).sort_values("effect", ascending=False, ignore_index=True)


def best_points(table: pd.DataFrame, quantity: str = ENERGY, by: str = "n_frames") -> pd.DataFrame:
    """Return for each size (or value of another column) the point with the lowest validation error.

    The answer to "is 200 snapshots with the best sigma less overfitted than 100": compare the
    column ``ratio``. Repeats are averaged first.
    """
    both = overfitting(table, quantity)
    keys = [name for name in both.columns if name not in ("repeat", *_NUMBERS_OF_BOTH)]
    if by not in keys:
        raise DataError(f"The table has no column {by!r}", fix=nearest(by, keys))
    mean = both.groupby(keys, as_index=False)[["training", "validation"]].mean()
    mean["ratio"] = mean["validation"] / mean["training"]
    best = mean.loc[mean.groupby(by)["validation"].idxmin()]
    return best.reset_index(drop=True)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else f"{value:g}"
