"""Figures of molecular dynamics say what they show, and show what they are given."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from helpers.md import plots as dynamics
from helpers.md.cost import Cost, StepCost


def new_axes():
    return Figure().add_subplot()


@pytest.fixture
def log():
    times = np.arange(0.0, 100.0, 2.0)
    wave = np.sin(times / 5)
    return pd.DataFrame(
        {"time_fs": times, "potential_eV": wave, "total_eV": 0 * wave, "temperature_K": 300 + wave}
    )


@pytest.fixture
def rdf():
    r = np.linspace(0.025, 3.9, 80)
    table = {"r_A": r}
    for pair in ("OO", "OH", "HH"):
        table[pair] = np.where(r < 1.2, 20.0, 1.0 + np.exp(-((r - 2.75) ** 2) / 0.02))
    return pd.DataFrame(table)


@pytest.fixture
def approach():
    distance = np.linspace(3, 1.2, 10)
    return pd.DataFrame({"distance_A": distance, "energy_eV": 3 - distance})


def draw_all(log, rdf, approach):
    yield dynamics.plot_energies(log, 48, new_axes()), "ps", "meV/atom"
    yield dynamics.plot_temperature(log, new_axes(), target_K=300), "ps", "K"
    for pair in ("OO", "OH", "HH"):
        tables = {"this run": rdf, "DFT frames": rdf}
        yield dynamics.plot_radial_distribution(tables, pair, new_axes()), "Å", f"g({pair})"
    spectrum = pd.DataFrame({"wavenumber_per_cm": [0.0, 4000.0], "all": [1, 1], "O": [1, 1]})
    yield dynamics.plot_vibrations(spectrum, new_axes()), "cm⁻¹", "cm"
    memory = pd.DataFrame({"lag_fs": [0.0, 200.0], "O": [1.0, 0.0], "H": [1.0, 0.0]})
    yield dynamics.plot_velocity_autocorrelation(memory, new_axes()), "fs", "autocorrelation"
    order = pd.DataFrame({"time_fs": [0.0, 9.0], "order": [0.6, 0.9]})
    yield dynamics.plot_order({"this run": order}, new_axes()), "ps", "q"
    table = pd.DataFrame({"time_fs": [0.0, 9.0], "mean_meV": [1, 2], "largest_meV": [2, 3]})
    yield dynamics.plot_uncertainty(table, new_axes(), training_meV=2.5), "ps", "meV"
    yield dynamics.plot_close_contact({"a": approach}, new_axes(), closest_A=2.4), "Å", "eV"
    cost = Cost(StepCost("compiled", 0.01, 0.01), 50.0, 200, 140.0)
    yield dynamics.plot_cost(cost.curves(), cost.break_even_steps, new_axes()), "steps", "h"


def test_every_figure_has_a_title_units_and_a_legend(log, rdf, approach):
    for ax, x_unit, y_unit in draw_all(log, rdf, approach):
        assert ax.get_title()
        assert x_unit in ax.get_xlabel() and y_unit in ax.get_ylabel()
        assert ax.get_legend() is not None


def test_the_displacement_has_units():
    ax = dynamics.plot_displacement(pd.DataFrame({"lag_fs": [0, 9], "msd_A2": [0, 1]}), new_axes())
    assert ax.get_title() and "ps" in ax.get_xlabel() and "Å²" in ax.get_ylabel()
    table = pd.DataFrame({"lag_fs": [0, 9], "msd_A2": [0, 1]})
    ax = dynamics.plot_displacement({"one": table, "two": table}, new_axes())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]


def test_settings_of_other_figures_are_left_alone(log, rdf, approach):
    before = dict(matplotlib.rcParams)
    list(draw_all(log, rdf, approach))
    assert dict(matplotlib.rcParams) == before


def test_energies_are_per_atom_and_from_the_start(log):
    ax = dynamics.plot_energies(log, 50, new_axes())
    potential = ax.get_lines()[0].get_ydata()
    assert potential[0] == 0 and potential.max() == pytest.approx(1000 / 50, rel=0.02)


def test_peaks_inside_molecules_are_left_out(rdf):
    ax = dynamics.plot_radial_distribution({"this run": rdf}, "OH", new_axes())
    assert ax.get_xlim()[0] == 1.3 and ax.get_ylim()[1] < 4


def test_the_break_even_is_written_down():
    cost = Cost(StepCost("compiled", 0.01, 0.01), 50.0, 200, 140.0)
    ax = dynamics.plot_cost(cost.curves(), cost.break_even_steps, new_axes())
    assert ax.texts[0].get_text() == "break-even after 203 steps"
