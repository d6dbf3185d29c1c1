"""Figures say what they show: titles, units, all points, and no trace in global settings."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from helpers import evaluate
from helpers.plots import parity


@pytest.fixture
def result(tiny_fit, frames10):
    return evaluate(tiny_fit.model_path, frames10, processes=1)


def new_axes():
    return Figure().add_subplot()


def draw_all(result):
    sets = {"training": result, "validation": result}
    yield parity.plot_energy_parity(sets, new_axes())
    yield parity.plot_force_parity(result, new_axes())
    yield parity.plot_error_histogram(sets, "forces", new_axes())
    yield parity.plot_error_histogram(sets, "energies", new_axes())
    yield parity.plot_force_residuals(result, new_axes())


def test_every_figure_has_a_title_units_and_a_legend(result):
    for ax in draw_all(result):
        assert ax.get_title()
        assert "eV" in ax.get_xlabel() and "eV" in ax.get_ylabel()
        assert ax.get_legend() is not None


def test_settings_of_other_figures_are_left_alone(result):
    before = dict(matplotlib.rcParams)
    list(draw_all(result))
    assert dict(matplotlib.rcParams) == before


def test_parity_plots_show_every_point_on_equal_axes(result):
    ax = parity.plot_force_parity(result, new_axes())
    (points,) = ax.collections
    shown = np.sort(points.get_offsets()[:, 0])
    assert np.array_equal(shown, np.sort(result.forces["true"]))
    assert ax.get_xlim() == ax.get_ylim()
    rmse = result.summary().query("quantity == 'force' and element == 'O'")["rmse"].item()
    assert f"O: RMSE {rmse:.0f} meV/Å" in [t.get_text() for t in ax.get_legend().get_texts()]


def test_the_energy_parity_states_the_rmse(result):
    ax = parity.plot_energy_parity({"validation": result}, new_axes())
    expected = f"validation: RMSE {result.rmse_energy_meV_per_atom:.2f} meV/atom"
    assert ax.get_legend().get_texts()[0].get_text() == expected


def test_without_axes_a_figure_is_made(result):
    matplotlib.use("Agg")
    ax = parity.plot_force_residuals(result)
    assert ax.figure is not None
    matplotlib.pyplot.close(ax.figure)


def test_no_outlier_is_cut_off(result):
    errors = 1000 * (result.forces["predicted"] - result.forces["true"]).to_numpy()
    assert parity.plot_error_histogram({"training": result}, ax=new_axes()).get_xlim()[1] >= max(
        abs(errors)
    )
    lengths = np.linalg.norm(errors.reshape(-1, 3), axis=1)
    assert parity.plot_force_residuals(result, new_axes()).get_ylim()[1] >= lengths.max()
