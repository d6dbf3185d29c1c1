"""Spectra of molecular dynamics: from what fluctuates to what vibrates.

The velocity autocorrelation and the vibrational density of states are two views of the same
fluctuations (Wiener–Khinchin). Fluctuations of the polarizability are what Raman scattering sees.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from ase import units
from scipy.signal import correlate, find_peaks, welch

from helpers.gap import checks
from helpers.md.trajectory import Trajectory
from helpers.segments import PER_CM_PER_FS as PER_CM_PER_FS
from helpers.segments import check_interval, n_records, polarizability_series, raman_segments, taper

WATER_BANDS_PER_CM = {"stretch": (2800.0, 4000.0), "bend": (1400.0, 1900.0)}
LONGEST_LASER_NM = 2500.0  # its light has 4000 1/cm: less could not excite the stretch of O–H
EV_PER_CM = units._hplanck * units._c * 100 / units._e  # energy of a wavenumber
# Where bands of liquid water were measured, 1/cm: Carey, Korenowski, J. Chem. Phys. 108, 2669
# (1998); Brooker, Hancock, Rice, Shapter, J. Raman Spectrosc. 20, 683 (1989).
LITERATURE_PER_CM = {"H bonds": 175.0, "libration": 550.0, "bend": 1640.0, "stretch": 3400.0}
RAMAN_PARTS = ("VV", "VH", "unpolarized", "isotropic", "anisotropic")


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
        If the run is too short.
    """
    n_lags = n_records(len(run.times_fs), run.interval_fs, longest_fs)
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
        Distance of points, 1/cm; bands twice as far apart are told apart. The run must be long
        enough for it.

    Returns
    -------
    DataFrame
        Columns ``wavenumber_per_cm``, ``all`` and one per element: densities in cm.

    Raises
    ------
    DataError
        If the run is too short, or was recorded too rarely.
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


def raman_spectrum(
    polarizabilities: Any,
    interval_fs: float,
    *,
    temperature_K: float = 300.0,
    laser_nm: float = 532.0,
    resolution_per_cm: float = 30.0,
    window: str = "hann",
    quantum_correction: str = "harmonic",
) -> pd.DataFrame:
    """Return the Raman spectrum of a liquid from polarizabilities along molecular dynamics.

    With α = a·1 + β (β symmetric and without trace; an antisymmetric part is dropped), the
    isotropic part is the spectrum of ⟨a(0) a(t)⟩, the anisotropic one that of ⟨Tr β(0) β(t)⟩, and

        VV = isotropic + 2/15 anisotropic,    VH = 1/10 anisotropic

    for light that is polarised as the laser, and across it; unpolarized = VV + VH. Each is the
    power of dα/dt (Welch's method) times (ν_laser − ν)⁴ / ν² of scattering (0 beyond the laser) and
    the quantum correction of the classical amplitudes.

    Parameters
    ----------
    polarizabilities : array-like of shape (n_times, 3, 3) or (n_runs, n_times, 3, 3)
        In any unit.
    interval_fs : float
        Time between two of them: 4 fs at most.
    temperature_K : float
        For the quantum correction.
    laser_nm : float
        Wavelength of the laser: 2500 nm at most.
    resolution_per_cm : float
        Distance of points, 1/cm, 200 at most; with the Hann window, bands twice as far apart are
        told apart. One run must be six times as long as a segment with that resolution (1.1 ps for
        30 cm⁻¹), each of two runs four times, each of more runs twice.
    window : str
        Of each segment, as scipy names it; ``"boxcar"`` is none.
    quantum_correction : str
        ``"harmonic"``: x/(1 − exp(−x)), x = hν/kT, exact for harmonic vibrations; ``"none"``.

    Returns
    -------
    DataFrame
        ``wavenumber_per_cm`` and, for each of `RAMAN_PARTS`, its density in cm and the standard
        error (``VV_error``, …) from blocks of the runs that are taken as independent. The integral
        of ``unpolarized`` is 1; the other columns have the same scale.

    Raises
    ------
    DataError
        If the tensors cannot be used, or are too few or too far apart in time.
    ConfigError
        If a setting cannot be used.

    References
    ----------
    McQuarrie, Statistical Mechanics, section 21-3; Ramírez, López-Ciudad, Kumar P, Marx,
    *J. Chem. Phys.* **121**, 3973 (2004), on quantum corrections.
    """
    series = polarizability_series(polarizabilities)
    checks.one_of("quantum_correction", quantum_correction, ("harmonic", "none"))
    checks.number("temperature_K", temperature_K, unit="K")
    checks.number("laser_nm", laser_nm, unit="nm")
    if laser_nm > LONGEST_LASER_NM:
        checks.refuse("laser_nm", laser_nm, f"at most {LONGEST_LASER_NM:g} nm: O–H takes as much")
    checks.number("interval_fs", interval_fs, unit="fs")
    rates = np.diff(series, axis=1) / interval_fs
    n_runs, n_times, n_signals = rates.shape
    length, n_blocks = raman_segments(n_runs, n_times, interval_fs, resolution_per_cm)
    used = n_blocks * (n_times // n_blocks)
    blocks = rates[:, :used].reshape(n_runs * n_blocks, -1, n_signals)
    frequencies, power = welch(
        blocks,
        fs=1 / interval_fs,
        window=taper(window, length),
        detrend=False,
        axis=1,
    )
    # At 0 the static part is infinite.
    wavenumbers, power = PER_CM_PER_FS * frequencies[1:], power[:, 1:]
    half_phase = np.pi * frequencies[1:] * interval_fs
    power = power * (half_phase / np.sin(half_phase))[:, None] ** 2  # differences → derivatives
    left = np.maximum(0, 1 - wavenumbers * laser_nm * 1e-7)  # what light that lost ν has left
    power *= (left**2 / wavenumbers)[:, None] ** 2
    if quantum_correction == "harmonic":
        energy = wavenumbers * EV_PER_CM / (units.kB * temperature_K)
        power *= (energy / -np.expm1(-energy))[:, None]
    isotropic, anisotropic = power[..., 0], power[..., 1:].sum(2)
    parts = {
        "VV": isotropic + 2 / 15 * anisotropic,
        "VH": anisotropic / 10,
        "unpolarized": isotropic + 7 / 30 * anisotropic,
        "isotropic": isotropic,
        "anisotropic": anisotropic,
    }
    total = parts["unpolarized"].mean(0).sum() * (wavenumbers[1] - wavenumbers[0])
    table = {"wavenumber_per_cm": wavenumbers}
    for name in RAMAN_PARTS:
        table[name] = parts[name].mean(0) / total
        table[f"{name}_error"] = parts[name].std(0, ddof=1) / np.sqrt(len(blocks)) / total
    return pd.DataFrame(table)
