"""Spectra of molecular dynamics: from what fluctuates to what vibrates.

The velocity autocorrelation and the vibrational density of states are two views of the same
fluctuations (Wiener–Khinchin).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from ase import units
from scipy.signal import correlate, find_peaks, welch

from helpers.errors import DataError
from helpers.md.trajectory import Trajectory

PER_CM_PER_FS = 1e15 / (units._c * 100)  # a frequency of 1/fs, in 1/cm
WATER_BANDS_PER_CM = {"stretch": (2800.0, 4000.0), "bend": (1400.0, 1900.0)}
LONGEST_INTERVAL_FS = 4.0  # an O–H bond vibrates in 9 fs: rarer records fold its band


def velocity_autocorrelation(run: Trajectory, *, longest_fs: float = 500.0) -> pd.DataFrame:
    """Return ⟨v(t₀)·v(t₀ + t)⟩ / ⟨v²⟩ of each element, over atoms and origins t₀.

    Returns
    -------
    DataFrame
        Columns ``lag_fs`` and one per element.
    """
    n_lags = _n_records(run, longest_fs)
    table = {"lag_fs": run.interval_fs * np.arange(n_lags)}
    n_times = len(run.times_fs)
    for element in sorted(set(run.start.symbols)):
        velocities = run.velocities_A_per_fs[:, run.start.symbols == element]
        series = velocities.reshape(n_times, -1).T
        sums = sum(correlate(one, one, method="fft")[n_times - 1 :][:n_lags] for one in series)
        found = sums / (n_times - np.arange(n_lags))  # the longer the lag, the fewer the pairs
        table[element] = found / found[0]
    return pd.DataFrame(table)


def vibrational_density_of_states(
    run: Trajectory, *, resolution_per_cm: float = 30.0
) -> pd.DataFrame:
    """Return how much kinetic energy vibrates at which wavenumber.

    The power spectrum of √m v (Welch's method, Hann window), over all atoms. Its integral over
    wavenumbers is 1.

    Parameters
    ----------
    run : Trajectory
        At constant energy, or with a gentle thermostat: friction broadens bands. It must hold a
        record every 4 fs at least.
    resolution_per_cm : float
        Smallest distance of bands that are told apart; the run must be long enough for it.

    Returns
    -------
    DataFrame
        Columns ``wavenumber_per_cm``, ``all`` and one per element: densities in cm.

    Raises
    ------
    DataError
        If the run is too short, or was recorded too rarely.
    """
    if run.interval_fs > LONGEST_INTERVAL_FS:
        raise DataError(
            "The run was recorded too rarely for a spectrum",
            expected=f"a record every {LONGEST_INTERVAL_FS:g} fs or more often",
            found=f"every {run.interval_fs:g} fs",
            fix="run again with a smaller record_every",
        )
    length = _n_records(run, PER_CM_PER_FS / resolution_per_cm)
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
    scale = per_atom.sum() * (wavenumbers[1] - wavenumbers[0])
    table = {"wavenumber_per_cm": wavenumbers, "all": per_atom.sum(1) / scale}
    for element in sorted(set(run.start.symbols)):
        table[element] = per_atom[:, run.start.symbols == element].sum(1) / scale
    return pd.DataFrame(table)


def band_maximum_per_cm(spectrum: pd.DataFrame, band: str, column: str = "all") -> float:
    """Return where a band of water is highest, in 1/cm, or NaN if there is no peak.

    Parameters
    ----------
    spectrum : DataFrame
        Of `vibrational_density_of_states`.
    band : str
        ``"stretch"`` or ``"bend"``.
    """
    low, high = WATER_BANDS_PER_CM[band]
    wavenumbers, density = spectrum["wavenumber_per_cm"].to_numpy(), spectrum[column].to_numpy()
    inside = (wavenumbers > low) & (wavenumbers < high)
    # A peak rises over its surroundings by a good part of its own height.
    peaks, _ = find_peaks(density, prominence=0.5 * density[inside].max())
    peaks = peaks[inside[peaks]]
    return float(wavenumbers[peaks[density[peaks].argmax()]]) if len(peaks) else float("nan")


def _n_records(run: Trajectory, longest_fs: float) -> int:
    n_records = round(longest_fs / run.interval_fs) if len(run.times_fs) > 1 else 0
    if not 2 <= n_records <= len(run.times_fs):
        raise DataError(
            "The run is too short",
            expected=f"{longest_fs:.0f} fs or more",
            found=f"{run.times_fs[-1]:g} fs",
            fix="run longer, or ask for less resolution",
        )
    return n_records
