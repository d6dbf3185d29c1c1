"""Vibrations of a run: velocity autocorrelation and vibrational density of states.

Each is the Fourier transform of the other (Wiener–Khinchin theorem), the density with the masses as
weights.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from ase import units
from scipy.signal import correlate, find_peaks, welch

from helpers import checks
from helpers.errors import DataError
from helpers.md.trajectory import Trajectory
from helpers.water import WATER_BANDS_PER_CM

PER_CM_PER_FS = 1e15 / (units._c * 100)  # a frequency of 1/fs, in 1/cm
LONGEST_INTERVAL_FS = 4.0  # an O–H bond vibrates in 9 fs: with fewer records its band is aliased


def velocity_autocorrelation(run: Trajectory, *, longest_fs: float = 500.0) -> pd.DataFrame:
    """Return ⟨v(t₀)·v(t₀ + t)⟩ / ⟨v²⟩ of each element, over atoms and origins t₀.

    Parameters
    ----------
    run : Trajectory
    longest_fs : float
        Up to which t, fs.

    Returns
    -------
    DataFrame
        Columns ``lag_fs`` and one per element.

    Raises
    ------
    DataError
        If the run is too short, or nothing moves.
    """
    n_lags = n_records(len(run.times_fs), run.interval_fs, longest_fs)
    table = {"lag_fs": run.interval_fs * np.arange(n_lags)}
    n_times = len(run.times_fs)
    for element in sorted(set(run.start.symbols)):
        velocities = run.velocities_A_per_fs[:, run.start.symbols == element]
        components = velocities.reshape(n_times, -1).T
        sums = sum(correlate(v, v, method="fft")[n_times - 1 :][:n_lags] for v in components)
        means = sums / (n_times - np.arange(n_lags))  # the longer the lag, the fewer the pairs
        checks.changing(float(means[0]), 0.0, f"The velocity of {element}")
        table[element] = means / means[0]
    return pd.DataFrame(table)


def vibrational_density_of_states(
    run: Trajectory, *, resolution_per_cm: float = 30.0
) -> pd.DataFrame:
    """Return the vibrational density of states: kinetic energy by wavenumber.

    The power spectrum of √m v (Welch's method, Hann window), over all atoms. Its integral over
    wavenumbers is 1.

    Parameters
    ----------
    run : Trajectory
        At constant energy, or with a gentle thermostat: friction broadens bands. It must hold a
        record every 4 fs at least.
    resolution_per_cm : float
        Distance of points, 1/cm; bands twice as far apart are told apart. The run must be long
        enough for it.

    Returns
    -------
    DataFrame
        Columns ``wavenumber_per_cm``, ``all`` and one per element: densities in cm.

    Raises
    ------
    DataError
        If the run is too short, was recorded too rarely, or nothing moves.
    """
    check_interval(run.interval_fs)
    length = n_records(len(run.times_fs), run.interval_fs, PER_CM_PER_FS / resolution_per_cm)
    weights = np.sqrt(run.start.get_masses())[None, :, None]
    frequencies, power = welch(
        weights * run.velocities_A_per_fs,
        fs=1 / run.interval_fs,
        window="hann",
        nperseg=length,
        detrend="constant",
        axis=0,
    )
    wavenumbers = PER_CM_PER_FS * frequencies
    per_atom = power.sum(2)
    checks.changing(float(per_atom.sum()), 0.0, "The velocity of the atoms")
    scale = per_atom.sum() * (wavenumbers[1] - wavenumbers[0])
    table = {"wavenumber_per_cm": wavenumbers, "all": per_atom.sum(1) / scale}
    for element in sorted(set(run.start.symbols)):
        table[element] = per_atom[:, run.start.symbols == element].sum(1) / scale
    return pd.DataFrame(table)


def band_maximum_per_cm(spectrum: pd.DataFrame, band: str, column: str = "all") -> float:
    """Return the position of the maximum of a band of water, 1/cm, or NaN if there is no peak.

    Parameters
    ----------
    spectrum : DataFrame
        Of `vibrational_density_of_states` or `raman_spectrum`.
    band : str
        ``"stretch"`` or ``"bend"``.
    column : str
        Of the spectrum.

    Raises
    ------
    ConfigError
        If there is no such band.
    """
    checks.one_of("band", band, tuple(WATER_BANDS_PER_CM))
    low, high = WATER_BANDS_PER_CM[band]
    wavenumbers, density = spectrum["wavenumber_per_cm"].to_numpy(), spectrum[column].to_numpy()
    inside = (wavenumbers > low) & (wavenumbers < high)
    if not inside.any():
        return float("nan")
    # A peak rises over its surroundings by a good part of its own height.
    peaks, _ = find_peaks(density, prominence=0.5 * density[inside].max())
    peaks = peaks[inside[peaks]]
    return float(wavenumbers[peaks[density[peaks].argmax()]]) if len(peaks) else float("nan")


def check_interval(interval_fs: float) -> None:
    """Raise `DataError` if records are so far apart, in fs, that the bands of water are aliased."""
    if interval_fs > LONGEST_INTERVAL_FS:
        raise DataError(
            "The run was recorded too rarely for a spectrum",
            expected=f"a record every {LONGEST_INTERVAL_FS:g} fs or more often",
            found=f"every {interval_fs:g} fs",
            fix="run again with a smaller record_every",
        )


def n_records(n_times: int, interval_fs: float, longest_fs: float) -> int:
    """Return how many records such a time, in fs, is; raise `DataError` if there are fewer."""
    records = round(longest_fs / interval_fs) if n_times > 1 else 0
    if not 2 <= records <= n_times:
        raise DataError(
            "The run is too short",
            expected=f"{longest_fs:.0f} fs or more",
            found=f"{max(0, n_times - 1) * interval_fs:g} fs",
            fix="run longer, or ask for less resolution",
        )
    return records
