"""Survival: censored replicas are lower bounds; the figures show what the numbers say."""

import numpy as np
import pandas as pd
import pytest

from helpers.errors import DataError
from helpers.stability import median_survival_fs, plot_survival, survival_curve


def table(times, failed):
    return pd.DataFrame({"time_fs": times, "failed": failed})


def test_the_curve_is_that_of_kaplan_and_meier():
    """Five replicas: failures at 1, 3, 3; one left at 2 without, one at 4."""
    times, shares = survival_curve(table([1, 2, 3, 3, 4], [True, False, True, True, False]))
    np.testing.assert_allclose(times, [0, 1, 2, 3, 4])
    np.testing.assert_allclose(shares, [1, 4 / 5, 4 / 5, 4 / 5 / 3, 4 / 5 / 3])
    assert median_survival_fs(table([1, 2, 3, 3, 4], [True, False, True, True, False])) == 3


def test_a_median_that_was_not_reached_is_infinite():
    assert median_survival_fs(table([5, 5, 5], [False] * 3)) == np.inf
    assert median_survival_fs(table([5, 7], [True, True])) == 5
    with pytest.raises(DataError, match="no replicas"):
        survival_curve(table([], []))


def test_without_censoring_it_is_the_share_and_the_figure_draws_it():
    times = np.random.default_rng(0).exponential(100, 50)
    survival = table(times, np.ones(50, bool))
    at, shares = survival_curve(survival)
    np.testing.assert_allclose(shares, [(times > t).mean() for t in at], atol=1e-12)
    (line,) = (x for x in plot_survival(survival).lines if len(x.get_xdata()) > 2)
    np.testing.assert_allclose(line.get_ydata(), shares)
