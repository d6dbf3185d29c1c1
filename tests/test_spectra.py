"""Spectra of vibrations that we made ourselves."""

import numpy as np
import pytest
from ase import Atoms

from helpers.errors import DataError
from helpers.md.trajectory import Trajectory
from helpers.spectra import (
    PER_CM_PER_FS,
    band_maximum_per_cm,
    velocity_autocorrelation,
    vibrational_density_of_states,
)


def vibrating(interval_fs=2.0, n_times=2000, wavenumbers=(1640.0, 3400.0)):
    """OH whose O moves at the first wavenumber and whose H moves at the second."""
    start = Atoms("OH", [[0, 0, 0], [0, 0, 1]], cell=[9] * 3, pbc=True)
    times = interval_fs * np.arange(n_times)
    velocities = np.zeros((n_times, 2, 3))
    for atom, wavenumber in enumerate(wavenumbers):
        phase = 2 * np.pi * wavenumber / PER_CM_PER_FS * times
        for axis in range(3):
            velocities[:, atom, axis] = 0.01 * np.cos(phase + axis)
    zero = np.zeros(n_times)
    return Trajectory(
        times, np.zeros_like(velocities), velocities, zero, zero, start, 0, interval_fs, 300.0,
        "none", 3, "ase", "", False, 0.0, 0.0,
    )  # fmt: skip


def test_bands_are_where_we_put_them():
    spectrum = vibrational_density_of_states(vibrating())
    assert band_maximum_per_cm(spectrum, "bend") == pytest.approx(1640, abs=15)
    assert band_maximum_per_cm(spectrum, "stretch") == pytest.approx(3400, abs=15)
    assert band_maximum_per_cm(spectrum, "bend", "O") == pytest.approx(1640, abs=15)
    assert np.isnan(band_maximum_per_cm(spectrum, "stretch", "O"))


def test_the_density_is_one_in_all_and_shared_by_mass():
    spectrum = vibrational_density_of_states(vibrating())
    wavenumbers = spectrum["wavenumber_per_cm"]
    width = wavenumbers[1] - wavenumbers[0]
    assert spectrum["all"].sum() * width == pytest.approx(1)
    assert np.allclose(spectrum["O"] + spectrum["H"], spectrum["all"])
    assert spectrum["O"].sum() / spectrum["H"].sum() == pytest.approx(15.999 / 1.008, rel=0.01)


def test_resolution_is_what_was_asked_for():
    spectrum = vibrational_density_of_states(vibrating(), resolution_per_cm=60)
    assert np.diff(spectrum["wavenumber_per_cm"])[0] == pytest.approx(60, rel=0.02)


def test_the_autocorrelation_of_a_cosine_is_a_cosine():
    run = vibrating()
    table = velocity_autocorrelation(run, longest_fs=200)
    expected = np.cos(2 * np.pi * 3400 / PER_CM_PER_FS * table["lag_fs"])
    np.testing.assert_allclose(table["H"], expected, atol=0.02)
    assert table["O"][0] == 1 and table["lag_fs"].iloc[-1] == 198


def test_rare_records_would_fold_the_stretch_and_are_refused():
    with pytest.raises(DataError, match="too rarely.*every 4 fs.*Found: every 5 fs.*record_every"):
        vibrational_density_of_states(vibrating(5.0))


def test_a_short_run_is_refused():
    with pytest.raises(DataError, match="too short.*1112 fs or more.*less resolution"):
        vibrational_density_of_states(vibrating(n_times=100))
