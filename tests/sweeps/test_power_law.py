"""A power law through a learning curve: the right numbers, and honest bounds."""

import numpy as np
import pytest

from helpers.errors import DataError
from helpers.sweeps.power_law import does_more_data_help, fit_power_law


def test_an_exact_power_law_is_found_exactly(curve_table):
    law = fit_power_law(curve_table(exponent=0.4))
    assert law.exponent == pytest.approx(0.4) and law.prefactor == pytest.approx(8.0)
    assert law.exponent_error < 1e-9 and law.n_points == 12
    assert law.predict(800) == pytest.approx((8 * 800**-0.4,) * 3)
    training = fit_power_law(curve_table(exponent=0.4), data="training")
    assert training.exponent == pytest.approx(-0.1)


def test_standard_error_and_bounds_are_those_of_linear_regression(curve_table):
    from scipy.stats import linregress

    table = curve_table(noise=0.1)
    law = fit_power_law(table, "rmse_forces_meV_per_A")
    rows = table[table["set"] == "validation"]
    line = linregress(np.log(rows["n_frames"]), np.log(rows["rmse_forces_meV_per_A"]))
    assert law.exponent == pytest.approx(-line.slope)
    assert law.exponent_error == pytest.approx(line.stderr)
    middle, low, high = law.predict(800)
    assert low < middle < high
    # The farther away and the more certain it must be, the wider.
    assert high / low > law.predict(200)[2] / law.predict(200)[1]
    assert high / low > law.predict(800, confidence=0.5)[2] / law.predict(800, confidence=0.5)[1]


def test_the_bounds_hold_as_often_as_they_say():
    """Of 400 noisy curves, about 95 % have their next point inside the bounds."""
    import pandas as pd

    rng = np.random.default_rng(3)
    sizes, inside = np.array([50, 100, 200, 400] * 2), 0
    for _ in range(400):
        noise = rng.normal(scale=0.1, size=len(sizes) + 1)
        table = pd.DataFrame({"n_frames": sizes, "set": "validation"})
        table["rmse_energy_meV_per_atom"] = 8 * sizes**-0.4 * np.exp(noise[:-1])
        _, low, high = fit_power_law(table).predict(800)
        inside += low < 8 * 800**-0.4 * np.exp(noise[-1]) < high
    assert 0.92 < inside / 400 < 0.98


@pytest.mark.parametrize(
    ("exponent", "noise", "helps", "words"),
    [
        (0.4, 0.02, True, "more data helps: from 200 to 400 frames"),
        (-0.4, 0.02, False, "more data hardly helps"),
        (0.03, 0.005, False, "more data hardly helps"),
        (0.0, 0.3, None, "the points do not show whether more data helps"),
    ],
)
def test_does_more_data_help(curve_table, exponent, noise, helps, words):
    verdict = does_more_data_help(curve_table(exponent=exponent, noise=noise))
    assert verdict.helps is helps and str(verdict).startswith(words)
    assert verdict.bounds[0] < exponent < verdict.bounds[1]
    assert verdict.error_then == pytest.approx(verdict.error_now * 2**-verdict.exponent)


def test_a_step_and_a_plateau_are_flat(curve_table):
    """Few frames are bad, from 100 on nothing changes: a line through all points would fall."""
    table = curve_table(exponent=0.0, noise=0.003)
    table.loc[table["n_frames"] == 50, "rmse_energy_meV_per_atom"] *= 1.2
    assert fit_power_law(table).exponent > 0.05
    assert does_more_data_help(table).helps is False


def test_without_repeats_the_scatter_is_that_about_a_power_law(curve_table):
    one_draw = curve_table(exponent=0.4, noise=0.02, repeats=1)
    verdict = does_more_data_help(one_draw)
    assert verdict.helps and verdict.n_free == 2 and 0 < verdict.scatter < 0.2
    bent = one_draw.copy()
    bent.loc[bent["n_frames"] == 50, "rmse_energy_meV_per_atom"] *= 3
    assert does_more_data_help(bent).helps is None


def test_two_fits_make_no_law(curve_table):
    with pytest.raises(DataError, match="at least three fits of at least two sizes.*2 fits"):
        fit_power_law(curve_table(sizes=(50, 100), repeats=1))
    with pytest.raises(DataError, match="at least three fits of at least two sizes"):
        fit_power_law(curve_table(sizes=(50,), repeats=9))


def test_failed_points_are_left_out(curve_table):
    table = curve_table()
    table.loc[table["n_frames"] == 50, "rmse_energy_meV_per_atom"] = np.nan
    assert fit_power_law(table).n_points == 9
    table["rmse_energy_meV_per_atom"] = np.nan
    with pytest.raises(DataError, match="no point that was computed.*column failure"):
        fit_power_law(table)
    with pytest.raises(DataError, match="did you mean 'rmse_forces_meV_per_A'"):
        fit_power_law(table, "rmse_forces")
