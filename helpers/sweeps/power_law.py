"""Does more data still help? A power law through a learning curve, and what its last step brought.

Source: learning curves of kernel models fall as a power of the training-set size, Cortes, Jackel,
Solla, Vapnik, Denker, Advances in Neural Information Processing Systems 6, 327 (1993); the bounds
are those of linear regression.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from helpers.errors import DataError
from helpers.sweeps.table import ENERGY, rows_of, unit_of

WORTH_IT = 0.05  # twice the frames should lower the error by this part, or they hardly help


@dataclass(frozen=True)
class PowerLaw:
    """A learning curve ε = a n^(−b), with its uncertainty: error, prefactor, frames, exponent.

    Attributes
    ----------
    quantity : str
        The column that was fitted.
    prefactor, exponent : float
        Of the curve; the prefactor has the unit of the quantity.
    exponent_error : float
        Standard error of the exponent.
    n_points : int
        How many fits it rests on.
    """

    quantity: str
    prefactor: float
    exponent: float
    exponent_error: float
    n_points: int
    _mean_log: float = field(repr=False)
    _spread: float = field(repr=False)  # sum of squared deviations of log n
    _variance: float = field(repr=False)  # of one point about the line, in log error

    def predict(self, n_frames: float, confidence: float = 0.95) -> tuple[float, float, float]:
        """Return the error to expect at a size, and the bounds for a new fit of that size.

        The bounds are those of Student's t for a straight line in log–log, so they assume that
        the power law goes on; they say nothing about a plateau that no point has reached yet.
        """
        from scipy.stats import t

        x = np.log(n_frames)
        middle = np.log(self.prefactor) - self.exponent * x
        away = (x - self._mean_log) ** 2 / self._spread
        width = np.sqrt(self._variance * (1 + 1 / self.n_points + away))
        reach = t.ppf(0.5 + confidence / 2, self.n_points - 2) * width
        return float(np.exp(middle)), float(np.exp(middle - reach)), float(np.exp(middle + reach))


def fit_power_law(
    table: pd.DataFrame, quantity: str = ENERGY, data: str = "validation"
) -> PowerLaw:
    """Fit a power law to a learning curve: a straight line through log error and log size.

    Give it the sizes at which the curve is straight: ``table[table["n_frames"] <= 100]``.

    Parameters
    ----------
    table : DataFrame
        What `learning_curve` returns.
    quantity : str
        A column of errors.
    data : str
        ``"validation"`` or ``"training"``.

    Raises
    ------
    DataError
        If there are fewer than three fits or two sizes: a line needs a spare point to be judged.
    """
    rows = rows_of(table, quantity, data)
    if len(rows) < 3 or rows["n_frames"].nunique() < 2:
        raise DataError(
            "A power law needs at least three fits of at least two sizes",
            found=f"{len(rows)} fits of sizes {sorted(rows['n_frames'].unique())}",
            fix="add sizes or repeats",
        )
    x, y = np.log(rows["n_frames"].to_numpy(float)), np.log(rows[quantity].to_numpy())
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * y).sum() / spread)
    offset = float(y.mean() - slope * x.mean())
    variance = float(((y - offset - slope * x) ** 2).sum() / (len(x) - 2))
    return PowerLaw(
        quantity=quantity,
        prefactor=float(np.exp(offset)),
        exponent=-slope,
        exponent_error=float(np.sqrt(variance / spread)),
        n_points=len(x),
        _mean_log=float(x.mean()),
        _spread=spread,
        _variance=variance,
    )


@dataclass(frozen=True)
class MoreData:
    """What the last step of a learning curve brought, and so what the next may bring.

    Attributes
    ----------
    quantity : str
        The column of errors.
    n_before, n_frames : int
        The two largest sizes.
    error_before, error_now : float
        The validation errors at these sizes, geometric means over repeats.
    scatter : float
        Standard error of ln(error_before / error_now), from the repeats; where there are none,
        from the distances of all points to a power law.
    n_free : int
        Degrees of freedom of the scatter.
    """

    quantity: str
    n_before: int
    n_frames: int
    error_before: float
    error_now: float
    scatter: float = field(repr=False)
    n_free: int = field(repr=False)

    @property
    def exponent(self) -> float:
        """The exponent b of the last step."""
        return self._log_ratio / float(np.log(self.n_frames / self.n_before))

    @property
    def bounds(self) -> tuple[float, float]:
        """95 % bounds of the exponent."""
        from scipy.stats import t

        steps = float(np.log(self.n_frames / self.n_before))
        reach = float(t.ppf(0.975, self.n_free)) * self.scatter / steps
        return self.exponent - reach, self.exponent + reach

    @property
    def error_then(self) -> float:
        """The error of twice the largest size, if the curve goes on as in its last step."""
        return float(self.error_now * 2**-self.exponent)

    @property
    def helps(self) -> bool | None:
        """Whether twice the frames lower the error by 5 % or more; None where it is uncertain."""
        low, high = self.bounds
        worth_it = -float(np.log2(1 - WORTH_IT))
        if high < worth_it:
            return False
        return True if low > 0 and self.exponent >= worth_it else None

    @property
    def _log_ratio(self) -> float:
        return float(np.log(self.error_before / self.error_now))

    def __str__(self) -> str:
        verdict = {True: "more data helps", False: "more data hardly helps"}.get(
            self.helps,  # type: ignore[arg-type]
            "the points do not show whether more data helps",
        )
        change = self.error_now / self.error_before - 1
        return (
            f"{verdict}: from {self.n_before} to {self.n_frames} frames {self.error_before:.3g} → "
            f"{self.error_now:.3g} {unit_of(self.quantity)} "
            f"({100 * change:+.0f} ± {100 * self.scatter:.0f} %)"
        )


def does_more_data_help(table: pd.DataFrame, quantity: str = ENERGY) -> MoreData:
    """Compare the last step of a learning curve with the scatter of its points.

    Parameters
    ----------
    table : DataFrame
        What `learning_curve` returns.
    quantity : str
        A column of errors.

    Raises
    ------
    DataError
        If there are fewer than three fits or two sizes.
    """
    law = fit_power_law(table, quantity)
    logs = rows_of(table, quantity, "validation").copy()
    logs[quantity] = np.log(logs[quantity])
    by_size = logs.groupby("n_frames")[quantity]
    means, counts = by_size.mean(), by_size.count()
    n_free = int((counts - 1).sum())
    if n_free:
        variance = float((by_size.var(ddof=0) * counts).sum()) / n_free
    else:
        n_free, variance = law.n_points - 2, law._variance
    before, now = (int(n) for n in means.index[-2:])
    return MoreData(
        quantity=quantity,
        n_before=before,
        n_frames=now,
        error_before=float(np.exp(means[before])),
        error_now=float(np.exp(means[now])),
        scatter=float(np.sqrt(variance * (1 / counts[before] + 1 / counts[now]))),
        n_free=n_free,
    )
