"""Figures of sweeps: titles, units, every point, and the fitted law."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from helpers.sweeps import plots as sweeps
from helpers.sweeps.analysis import overfitting_onset, rank_effects
from helpers.sweeps.power_law import fit_power_law


def new_axes():
    return Figure().add_subplot()


def draw_all(curve_table, sweep_table):
    curve = curve_table(noise=0.1)
    yield sweeps.plot_learning_curve(curve, fit_power_law(curve), ax=new_axes())
    yield sweeps.plot_learning_curve(curve, quantity="rmse_forces_meV_per_A", ax=new_axes())
    yield sweeps.plot_sigma_curve(sweep_table, overfitting_onset(sweep_table), ax=new_axes())
    yield sweeps.plot_setting(sweep_table, "cutoff", ax=new_axes())
    yield sweeps.plot_heat_map(sweep_table, "sigma_energy_eV_per_atom", "cutoff", ax=new_axes())
    yield sweeps.plot_effects(rank_effects(sweep_table), ax=new_axes())


def test_every_figure_says_what_it_shows(curve_table, sweep_table):
    before = dict(matplotlib.rcParams)
    for ax in draw_all(curve_table, sweep_table):
        assert ax.get_title() and ax.get_xlabel()
        figure_texts = [ax.get_xlabel(), ax.get_ylabel(), *(a.get_ylabel() for a in ax.figure.axes)]
        assert any(unit in text for text in figure_texts for unit in ("meV/", "%")), figure_texts
        ax.figure.canvas.draw()
    assert dict(matplotlib.rcParams) == before


def test_a_learning_curve_shows_means_spreads_and_the_law(curve_table):
    table = curve_table(noise=0.1)
    ax = sweeps.plot_learning_curve(table, fit_power_law(table), ax=new_axes())
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"training", "validation", "95 % prediction interval"} <= set(names)
    assert any(name.startswith("a n$^{-b}$, b = 0.") for name in names)
    bars = {bar.get_label(): bar for bar in ax.containers}
    shown = bars["validation"].lines[0].get_xydata()
    rows = table[table["set"] == "validation"].groupby("n_frames")["rmse_energy_meV_per_atom"]
    assert np.allclose(shown, np.column_stack([list(rows.groups), rows.mean()]))
    spans = [segment[:, 1] for segment in bars["validation"].lines[2][0].get_segments()]
    assert np.allclose(np.ptp(spans, axis=1), 2 * rows.std())
    assert [tick.get_text() for tick in ax.get_xticklabels()][-1] == "800"


def test_the_onset_is_marked(sweep_table):
    onset = overfitting_onset(sweep_table)
    ax = sweeps.plot_sigma_curve(sweep_table, onset, ax=new_axes())
    assert any(np.allclose(line.get_xdata(), onset.sigma) for line in ax.lines)
    assert [text.get_text() for text in ax.texts] == ["validation = 1.5 × training"]
    assert len(ax.get_legend().get_texts()) == 4  # two sets, two sizes


def test_a_heat_map_states_every_number(sweep_table):
    ax = sweeps.plot_heat_map(sweep_table, "n_frames", "cutoff", ax=new_axes())
    rows = sweep_table[sweep_table["set"] == "validation"]
    means = rows.groupby(["cutoff", "n_frames"])["rmse_energy_meV_per_atom"].mean()
    assert [text.get_text() for text in ax.texts] == [f"{value:.3g}" for value in means]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["3", "3.5"]
    assert ax.get_ylabel() == "cutoff, Å"


def test_numbers_have_their_true_distances(sweep_table):
    ax = sweeps.plot_setting(sweep_table, "cutoff", ax=new_axes())
    assert set(ax.lines[0].get_xdata()) == {3.0, 3.5}
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["3", "3.5"]
    named = sweep_table.assign(cutoff=sweep_table["cutoff"].map("{:g} Å".format))
    ax = sweeps.plot_setting(named, "cutoff", ax=new_axes())
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["3 Å", "3.5 Å"]


def test_panels_with_one_axis_show_all_points(sweep_table):
    high, low = Figure().subplots(1, 2, sharey=True)
    sweeps.plot_setting(sweep_table, "cutoff", ax=low)
    tenfold = sweep_table.assign(
        rmse_energy_meV_per_atom=10 * sweep_table["rmse_energy_meV_per_atom"]
    )
    sweeps.plot_setting(tenfold, "cutoff", ax=high)
    sweeps.plot_setting(sweep_table, "cutoff", ax=low)
    assert low.get_ylim() == high.get_ylim() and low.get_ylim()[0] == 0
    assert high.get_ylim()[1] > max(line.get_ydata().max() for line in high.get_lines())


def test_effects_stand_in_order(sweep_table):
    ax = sweeps.plot_effects(rank_effects(sweep_table), ax=new_axes())
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == sorted(widths) and widths[-1] == pytest.approx(100.0)
    assert "200 best, 100 worst" in [text.get_text().strip() for text in ax.texts]
