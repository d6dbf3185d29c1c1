"""Figures of Raman spectra show what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from helpers.md.vibrations import PER_CM_PER_FS
from helpers.raman.plots import (
    plot_raman,
    plot_raman_and_vibrations,
    plot_raman_comparison,
    plot_scattered_light,
)
from helpers.raman.spectrum import RAMAN_PARTS
from helpers.water import LITERATURE_PER_CM, MEASURED_RANGES_PER_CM


@pytest.fixture
def spectrum():
    wavenumbers = np.arange(30.0, 5000.0, 30.0)
    table = {"wavenumber_per_cm": wavenumbers}
    for factor, name in enumerate(RAMAN_PARTS, start=1):
        table[name] = 1e-3 * factor * np.exp(-(((wavenumbers - 3300) / 150) ** 2))
        table[f"{name}_error"] = 0.1 * table[name]
    return pd.DataFrame(table)


def test_lines_have_bands_and_the_measured_positions(spectrum):
    ax = plot_raman(spectrum, ax=Figure().add_subplot(), literature_per_cm=LITERATURE_PER_CM)
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert lines["VV"].get_ydata().max() == pytest.approx(1, rel=0.01)
    assert lines["VH"].get_ydata().max() == pytest.approx(2, rel=0.01)
    assert len(ax.collections) == 2
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(1.1, rel=0.01)
    assert [text.get_text() for text in ax.texts] == list(LITERATURE_PER_CM)
    assert "cm⁻¹" in ax.get_xlabel() and "cm" in ax.get_ylabel()


def test_spectra_of_different_units_are_shown_by_their_shape(spectrum):
    vibrations = pd.DataFrame({"wavenumber_per_cm": [400.0, 1000, 3000], "all": [5.0, 10, 2]})
    ax = plot_raman_and_vibrations(spectrum, vibrations, ax=Figure().add_subplot())
    assert all(line.get_ydata().max() == pytest.approx(1) for line in ax.get_lines())
    assert len(ax.get_legend().get_texts()) == 3


def test_a_comparison_shades_and_names_the_measured_bands(spectrum):
    twice = spectrum.assign(VV=2 * spectrum["VV"])
    ax = plot_raman_comparison({"one": spectrum, "two": twice}, ax=Figure().add_subplot())
    heights = {line.get_label(): line.get_ydata().max() for line in ax.get_lines()}
    assert heights["two"] == pytest.approx(2 * heights["one"]) and heights["two"] > 1.9
    names = [text.get_text().removeprefix("measured\n") for text in ax.texts]
    assert names == list(MEASURED_RANGES_PER_CM)
    assert ax.get_ylim()[1] > heights["two"] and "area = 1" in ax.get_ylabel()


def test_scattered_light_is_shifted_by_the_vibration():
    times_fs = np.arange(0, 400, 0.05)
    wave = 2 * np.pi * times_fs / PER_CM_PER_FS
    polarizability = 1 + 0.3 * np.cos(2000 * wave)
    dipole = polarizability * np.cos(20_000 * wave)
    _, right = plot_scattered_light(times_fs, polarizability, dipole, 20_000)
    shift, power = right.get_lines()[0].get_xydata().T
    stokes = (shift > 1000) & (shift < 3000)
    assert shift[stokes][power[stokes].argmax()] == pytest.approx(2000, abs=50)
    assert power[stokes].max() == pytest.approx(0.15**2, rel=0.1)
    plt.close(right.get_figure())
