"""Spectra of vibrations that we made ourselves."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from scipy.signal import find_peaks

from helpers.errors import ConfigError, DataError
from helpers.md.trajectory import Trajectory
from helpers.md.vibrations import (
    PER_CM_PER_FS,
    band_maximum_per_cm,
    velocity_autocorrelation,
    vibrational_density_of_states,
)
from helpers.raman.spectrum import raman_segments, raman_spectrum


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
        times, np.zeros_like(velocities), velocities, zero, zero, zero, start, 0, interval_fs,
        300.0, "none", 3, "ase", "", False, 0.0, 0.0,
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


def lines(modes, n_times=10_000, interval_fs=2.0, seed=0):
    """Polarizabilities that vibrate: {wavenumber: tensor}, with drifting phases and some noise."""
    rng = np.random.default_rng(seed)
    times = interval_fs * np.arange(n_times)
    series = 20 * np.eye(3) + np.zeros((n_times, 3, 3))
    for wavenumber, tensor in modes.items():
        drift = np.cumsum(rng.normal(scale=0.03, size=n_times))
        phase = 2 * np.pi * wavenumber / PER_CM_PER_FS * times + drift
        series += np.cos(phase)[:, None, None] * np.asarray(tensor)
    return series + 1e-3 * rng.normal(size=series.shape)


ISOTROPIC, ANISOTROPIC = np.eye(3), np.diag([1.0, 1.0, -2.0])


def height(spectrum, wavenumber, column):
    near = np.abs(spectrum["wavenumber_per_cm"] - wavenumber) < 100
    return spectrum[column][near].sum()


def test_raman_lines_are_where_we_put_them_and_polarized_as_they_should():
    modes = {1640: 0.1 * ANISOTROPIC, 3400: 0.1 * ISOTROPIC}
    spectrum = raman_spectrum(lines(modes), 2.0)
    assert band_maximum_per_cm(spectrum, "bend", "VH") == pytest.approx(1640, abs=15)
    assert band_maximum_per_cm(spectrum, "stretch", "isotropic") == pytest.approx(3400, abs=15)
    # A line without trace has VH/VV = 3/4; an isotropic one has no VH.
    ratio = height(spectrum, 1640, "VH") / height(spectrum, 1640, "VV")
    assert ratio == pytest.approx(3 / 4, rel=0.01)
    assert height(spectrum, 3400, "VH") < 0.01 * height(spectrum, 3400, "VV")


def test_raman_intensities_have_the_factors_that_are_told():
    strengths = {500: 0.2, 3400: 0.1}
    series = lines({w: s * ISOTROPIC for w, s in strengths.items()})
    laser = 1e7 / 532
    for correction, temperature in (("none", 300), ("harmonic", 300), ("harmonic", 77)):
        spectrum = raman_spectrum(
            series, 2.0, temperature_K=temperature, quantum_correction=correction
        )
        expected = []
        for wavenumber, strength in strengths.items():
            x = wavenumber * 1.4387769 / temperature  # h c / k in cm K
            quantum = x / (1 - np.exp(-x)) if correction == "harmonic" else 1
            expected.append(strength**2 * (laser - wavenumber) ** 4 * quantum)
        found = [height(spectrum, w, "isotropic") for w in strengths]
        assert found[1] / found[0] == pytest.approx(expected[1] / expected[0], rel=0.05)


def test_the_raman_spectrum_is_that_of_ramannoodle():
    """The same segments of one series, no window: the same numbers, but for one factor."""
    from ramannoodle.spectrum import MDRamanSpectrum

    modes = {180: 0.3 * ANISOTROPIC, 1640: 0.05 * ANISOTROPIC, 3400: 0.1 * ISOTROPIC}
    length, series = 1001, lines(modes, 6007)
    series = (series + series.swapaxes(1, 2)) / 2
    mine = raman_spectrum(
        series, 2.0, window="boxcar", resolution_per_cm=PER_CM_PER_FS / (2.0 * length)
    )
    theirs = 0
    for start in [2002 * block + half for block in range(3) for half in (0, 501)]:
        part = series[start : start + length + 1]
        raw, corrected = (
            MDRamanSpectrum(part, 2.0).measure(
                laser_correction=on, laser_wavelength=532, bose_einstein_correction=on
            )
            for on in (False, True)
        )
        # They transform lags from 0 on: half of the power spectrum, and half of lag 0.
        rates = np.diff(part, axis=0)
        mean = np.trace(rates, axis1=1, axis2=2) / 3
        rest = rates - mean[:, None, None] * np.eye(3)
        lag_0 = 45 * np.sum(mean**2) + 10.5 * np.sum(rest**2)
        theirs = theirs + (2 * raw[1] - lag_0) * corrected[1] / raw[1]
    half_phase = np.pi * raw[0] / PER_CM_PER_FS * 2.0
    theirs *= (half_phase / np.sin(half_phase)) ** 2  # they leave differences as they are
    np.testing.assert_allclose(mine["wavenumber_per_cm"], raw[0], rtol=1e-6)
    mine = mine["unpolarized"]
    np.testing.assert_allclose(mine / mine.sum(), theirs / theirs.sum(), rtol=1e-4)


def test_parts_of_the_raman_spectrum_add_up():
    spectrum = raman_spectrum(lines({1640: 0.1 * ANISOTROPIC, 3400: 0.1 * ISOTROPIC}), 2.0)
    width = np.diff(spectrum["wavenumber_per_cm"])[0]
    assert spectrum["unpolarized"].sum() * width == pytest.approx(1)
    assert np.allclose(spectrum["VV"] + spectrum["VH"], spectrum["unpolarized"])
    assert np.allclose(spectrum["isotropic"] + 4 / 3 * spectrum["VH"], spectrum["VV"])


def test_a_turned_sample_has_the_same_raman_spectrum():
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec([1, 2, 0.5]).as_matrix()
    series = lines({1640: 0.1 * ANISOTROPIC, 3400: 0.1 * ISOTROPIC})
    pair = [raman_spectrum(one, 2.0) for one in (series, turn @ series @ turn.T)]
    np.testing.assert_allclose(pair[0], pair[1], rtol=1e-6, atol=1e-12)


def test_the_error_band_is_as_wide_as_spectra_differ():
    modes = {1640: 0.1 * ANISOTROPIC}
    spectra = [raman_spectrum(lines(modes, seed=seed), 2.0) for seed in range(20)]
    values = np.array([height(one, 1640, "VV") for one in spectra])
    peak = spectra[0]["VV"].argmax()
    spread = np.std([one["VV"][peak] for one in spectra], ddof=1)
    told = np.mean([one["VV_error"][peak] for one in spectra])
    assert told == pytest.approx(spread, rel=0.4)
    assert values.std() < 0.02 * values.mean()


def test_runs_and_one_run_are_treated_alike():
    runs = lines({1640: 0.1 * ANISOTROPIC}, 12_000).reshape(2, 6000, 3, 3)
    one, other, both = (raman_spectrum(series, 2.0) for series in (runs[0], runs[1], runs))
    assert one.equals(raman_spectrum(runs[:1], 2.0))
    mean = (one + other)["isotropic"] / (one + other)["VV"]
    # The shape of the mean; each spectrum has a total of its own.
    np.testing.assert_allclose(both["isotropic"] / both["VV"], mean, rtol=0.1)
    assert both["VV"].between(*np.sort([one["VV"], other["VV"]], axis=0) * [[0.99], [1.01]]).all()


def test_bands_twice_as_far_apart_as_points_are_told_apart():
    times = 2.0 * np.arange(20_000)
    for apart, n_peaks in ((30, 1), (70, 2)):
        waves = sum(
            np.cos(2 * np.pi * place / PER_CM_PER_FS * times + 1)
            for place in (1640 - apart / 2, 1640 + apart / 2)
        )
        spectrum = raman_spectrum(waves[:, None, None] * ISOTROPIC, 2.0)
        near = spectrum[spectrum["wavenumber_per_cm"].between(1500, 1780)]["VV"].to_numpy()
        peaks, _ = find_peaks(near, prominence=0.05 * near.max())
        assert len(peaks) == n_peaks


@pytest.mark.parametrize("n_runs", [1, 2, 3, 7])
def test_the_length_that_is_asked_for_is_enough(n_runs):
    with pytest.raises(DataError, match=f"Found: {n_runs} × 1200 fs") as told:
        raman_segments(n_runs, 600, 2.0, 30.0)
    each_fs = int(re.search(r"× (\d+) fs or more", str(told.value))[1])
    _, n_blocks = raman_segments(n_runs, each_fs // 2, 2.0, 30.0)
    assert n_blocks * n_runs >= 3
    with pytest.raises(DataError, match="too short for the error"):
        raman_segments(n_runs, each_fs // 2 - 1, 2.0, 30.0)


def test_light_cannot_lose_more_than_it_has():
    series = lines({1640: 0.1 * ANISOTROPIC}, 10_000, interval_fs=0.5)
    spectrum = raman_spectrum(series, 0.5, laser_nm=1064.0, resolution_per_cm=60.0)
    spectrum = spectrum.set_index("wavenumber_per_cm")
    assert np.all(spectrum["VV"].loc[1e7 / 1064 :] == 0) and spectrum["VV"].max() > 0


def test_a_band_without_points_has_no_maximum():
    spectrum = vibrational_density_of_states(vibrating(), resolution_per_cm=1000)
    assert np.isnan(band_maximum_per_cm(spectrum, "bend"))
    with pytest.raises(ConfigError, match="band='bent' cannot be used.*'bend'"):
        band_maximum_per_cm(spectrum, "bent")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interval_fs": 5.0}, "too rarely.*every 4 fs.*Found: every 5 fs"),
        ({"interval_fs": 0}, "interval_fs=0 cannot be used"),
        ({"temperature_K": -1}, "temperature_K=-1"),
        ({"quantum_correction": "magic"}, "'magic' cannot be used.*'harmonic' or 'none'"),
        ({"resolution_per_cm": 1.0}, "The run is too short"),
        ({"resolution_per_cm": 15.0}, "too short for the error.*1 × 13344 fs or more"),
        ({"resolution_per_cm": 1000.0}, "resolution_per_cm=1000.0 cannot be used.*at most 200"),
        ({"window": "magic"}, "window='magic' cannot be used.*'hann'"),
        ({"laser_nm": 5000}, "laser_nm=5000 cannot be used.*at most 2500 nm"),
        ({"polarizabilities": np.zeros((9, 6))}, r"shape \(9, 6\).*\(n_times, 3, 3\)"),
        ({"polarizabilities": np.zeros((0, 3, 3))}, r"shape \(0, 3, 3\) cannot be used"),
        ({"polarizabilities": np.zeros((2, 0, 3, 3))}, r"shape \(2, 0, 3, 3\) cannot be used"),
        ({"polarizabilities": ["a"]}, "cannot be used.*Expected: numbers of shape"),
        ({"polarizabilities": np.zeros((4500, 6))}, "order of six"),
        ({"polarizabilities": lines({}, 4500) + 0j}, "cannot be used.*complex"),
        ({"polarizabilities": np.ma.masked_less(lines({}, 4500), 0)}, "numbers of it masked"),
        ({"polarizabilities": lines({}, 4500).astype(str)}, "cannot be used.*text"),
        ({"polarizabilities": np.tile(np.eye(3), (4500, 1, 1))}, "Nothing changes.*run 1"),
        (
            {"polarizabilities": np.stack([lines({}, 4500), np.tile(np.eye(3), (4500, 1, 1))])},
            "Nothing changes.*run 2",
        ),
        ({"polarizabilities": np.full((3000, 3, 3), np.nan)}, "not all numbers are finite"),
    ],
)
def test_what_gives_no_raman_spectrum(change, message):
    given = {"polarizabilities": lines({}, 4500), "interval_fs": 2.0, **change}
    with pytest.raises((DataError, ConfigError), match=message):
        raman_spectrum(given.pop("polarizabilities"), given.pop("interval_fs"), **given)


def test_where_nothing_moves_there_are_no_vibrations():
    run = vibrating()
    still = replace(run, velocities_A_per_fs=np.zeros_like(run.velocities_A_per_fs))
    for analysis in (vibrational_density_of_states, velocity_autocorrelation):
        with pytest.raises(DataError, match="velocity of .* is the same at all times"):
            analysis(still)


def test_nine_columns_and_frames_of_pandas_are_the_same_series():
    series = lines({1640: 0.1 * ANISOTROPIC}, 4500)
    expected = raman_spectrum(series, 2.0)
    flat = series.reshape(-1, 9)
    names = ["xx", "xy", "xz", "yx", "yy", "yz", "zx", "zy", "zz"]
    table = pd.DataFrame(flat, columns=names)
    mixed = table[names[::-1]]
    for given in (
        flat, flat[None], table, mixed, (row for row in flat), [mixed], [pd.Series(list(series))],
        [row for _, row in mixed.iterrows()],
    ):  # fmt: skip
        pd.testing.assert_frame_equal(raman_spectrum(given, 2.0), expected)
