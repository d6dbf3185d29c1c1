"""Does more data still help? A power law through a learning curve, and where it leads.

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


@dataclass(frozen=True)
class PowerLaw:
    """A learning curve ``error = prefactor · n_frames^(−exponent)``, with its uncertainty.

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
    """Whether twice the largest training set would still help.

    Attributes
    ----------
    law : PowerLaw
        The fitted curve.
    n_frames : int
        The largest size in the table; the forecast is for twice as many.
    error_now : float
        The curve at `n_frames`.
    error_then, low, high : float
        The forecast, and its 95 % bounds.
    """

    law: PowerLaw
    n_frames: int
    error_now: float
    error_then: float
    low: float
    high: float

    @property
    def helps(self) -> bool | None:
        """True or False where the exponent is that certain (95 %), otherwise None."""
        from scipy.stats import t

        reach = t.ppf(0.975, self.law.n_points - 2) * self.law.exponent_error
        if abs(self.law.exponent) <= reach:
            return None
        return self.law.exponent > 0

    def __str__(self) -> str:
        verdict = {True: "more data still helps", False: "more data does not help"}.get(
            self.helps,  # type: ignore[arg-type]
            "the points do not tell whether more data helps",
        )
        return (
            f"{verdict}: error ~ n^-({self.law.exponent:.2f} ± {self.law.exponent_error:.2f}); "
            f"from {self.n_frames} to {2 * self.n_frames} frames "
            f"{self.error_now:.2f} → {self.error_then:.2f} "
            f"(95 %: {self.low:.2f} to {self.high:.2f}) {unit_of(self.law.quantity)}"
        )


def does_more_data_help(table: pd.DataFrame, quantity: str = ENERGY) -> MoreData:
    """Extrapolate the validation error of a learning curve to twice its largest size."""
    law = fit_power_law(table, quantity)
    largest = int(rows_of(table, quantity, "validation")["n_frames"].max())
    return MoreData(law, largest, law.predict(largest)[0], *law.predict(2 * largest))
