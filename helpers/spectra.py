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

from helpers.errors import DataError
from helpers.gap import checks
from helpers.md.trajectory import Trajectory

PER_CM_PER_FS = 1e15 / (units._c * 100)  # a frequency of 1/fs, in 1/cm
WATER_BANDS_PER_CM = {"stretch": (2800.0, 4000.0), "bend": (1400.0, 1900.0)}
LONGEST_INTERVAL_FS = 4.0  # an O–H bond vibrates in 9 fs: rarer records fold its band
EV_PER_CM = units._hplanck * units._c * 100 / units._e  # energy of a wavenumber
# Where bands of liquid water were measured, 1/cm: Carey, Korenowski, J. Chem. Phys. 108, 2669
# (1998); Brooker, Hancock, Rice, Shapter, J. Raman Spectrosc. 20, 683 (1989).
LITERATURE_PER_CM = {"H bonds": 175.0, "libration": 550.0, "bend": 1640.0, "stretch": 3400.0}
RAMAN_PARTS = ("VV", "VH", "unpolarized", "isotropic", "anisotropic")


def velocity_autocorrelation(run: Trajectory, *, longest_fs: float = 500.0) -> pd.DataFrame:
    """Return ⟨v(t₀)·v(t₀ + t)⟩ / ⟨v²⟩ of each element, over atoms and origins t₀.

    Returns
    -------
    DataFrame
        Columns ``lag_fs`` and one per element.
    """
    n_lags = _n_records(len(run.times_fs), run.interval_fs, longest_fs)
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
    _check_interval(run.interval_fs)
    length = _n_records(len(run.times_fs), run.interval_fs, PER_CM_PER_FS / resolution_per_cm)
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

    With α = a·1 + β (β without trace), the isotropic part is the power spectrum of a, the
    anisotropic one that of Tr β², and

        VV = isotropic + 2/15 anisotropic,    VH = 1/10 anisotropic

    for light that is polarised as the laser, and across it; unpolarized = VV + VH. Each is the
    power of dα/dt (Welch's method) times (ν_laser − ν)⁴ / ν² of scattering and the quantum
    correction of the classical amplitudes.

    Parameters
    ----------
    polarizabilities : array-like of shape (n_times, 3, 3) or (n_runs, n_times, 3, 3)
        In any unit.
    interval_fs : float
        Time between two of them: 4 fs at most.
    temperature_K : float
        For the quantum correction.
    laser_nm : float
        Wavelength of the laser.
    resolution_per_cm : float
        Smallest distance of bands that are told apart. The runs must be six times as long, in all,
        as that needs (1.1 ps for 30 cm⁻¹), each at least twice.
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

    References
    ----------
    McQuarrie, Statistical Mechanics, section 21-3; Ramírez, López-Ciudad, Kumar P, Marx,
    *J. Chem. Phys.* **121**, 3973 (2004), on quantum corrections.
    """
    series = _series(polarizabilities)
    checks.one_of("quantum_correction", quantum_correction, ("harmonic", "none"))
    checks.number("temperature_K", temperature_K, unit="K")
    checks.number("laser_nm", laser_nm, unit="nm")
    checks.number("interval_fs", interval_fs, unit="fs")
    rates = np.diff(series, axis=1) / interval_fs
    n_runs, n_times, n_signals = rates.shape
    length, n_blocks = raman_segments(n_runs, n_times, interval_fs, resolution_per_cm)
    used = n_blocks * (n_times // n_blocks)
    blocks = rates[:, :used].reshape(n_runs * n_blocks, -1, n_signals)
    frequencies, power = welch(
        blocks, fs=1 / interval_fs, window=window, nperseg=length, detrend=False, axis=1
    )
    # At 0 the static part is infinite.
    wavenumbers, power = PER_CM_PER_FS * frequencies[1:], power[:, 1:]
    half_phase = np.pi * frequencies[1:] * interval_fs
    power = power * (half_phase / np.sin(half_phase))[:, None] ** 2  # differences → derivatives
    power *= ((1 - wavenumbers * laser_nm * 1e-7) ** 2 / wavenumbers)[:, None] ** 2
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


def _series(polarizabilities: Any) -> np.ndarray:
    """Return, of shape (n_runs, n_times, 10), the mean of the diagonal and what is left of α."""
    tensors = np.asarray(polarizabilities, float)
    if tensors.ndim not in (3, 4) or tensors.shape[-2:] != (3, 3):
        raise DataError(
            f"Polarizabilities of shape {tensors.shape} cannot be used",
            expected="(n_times, 3, 3) or (n_runs, n_times, 3, 3)",
        )
    if not np.isfinite(tensors).all():
        raise DataError("The polarizabilities are not finite numbers everywhere")
    tensors = tensors.reshape(-1, *tensors.shape[-3:])
    mean = np.trace(tensors, axis1=2, axis2=3) / 3
    rest = (tensors + tensors.swapaxes(2, 3)) / 2 - mean[..., None, None] * np.eye(3)
    return np.concatenate([mean[..., None], rest.reshape(*mean.shape, 9)], axis=2)


def raman_segments(
    n_runs: int, n_times: int, interval_fs: float, resolution_per_cm: float
) -> tuple[int, int]:
    """Return the length of a segment, and into how many blocks each run can be cut.

    A block, of two segments or more, gives a spectrum of its own. Called before long work.

    Raises
    ------
    DataError
        If the runs are too short, or recorded too rarely.
    """
    checks.number("resolution_per_cm", resolution_per_cm, unit="1/cm")
    _check_interval(interval_fs)
    length = _n_records(n_times, interval_fs, PER_CM_PER_FS / resolution_per_cm)
    n_blocks = min(10, n_times // (2 * length))
    if n_blocks * n_runs < 3:
        segment_fs = length * interval_fs
        raise DataError(
            "The runs are too short for the error of a spectrum",
            expected=f"{6 * segment_fs:.0f} fs or more in all, {2 * segment_fs:.0f} fs each",
            found=f"{n_runs} × {n_times * interval_fs:g} fs",
            fix="run longer, or ask for less resolution",
        )
    return length, n_blocks


def _check_interval(interval_fs: float) -> None:
    if interval_fs > LONGEST_INTERVAL_FS:
        raise DataError(
            "The run was recorded too rarely for a spectrum",
            expected=f"a record every {LONGEST_INTERVAL_FS:g} fs or more often",
            found=f"every {interval_fs:g} fs",
            fix="run again with a smaller record_every",
        )


def _n_records(n_times: int, interval_fs: float, longest_fs: float) -> int:
    """Return how many records such a time is, if there are so many."""
    n_records = round(longest_fs / interval_fs) if n_times > 1 else 0
    if not 2 <= n_records <= n_times:
        raise DataError(
            "The run is too short",
            expected=f"{longest_fs:.0f} fs or more",
            found=f"{max(0, n_times - 1) * interval_fs:g} fs",
            fix="run longer, or ask for less resolution",
        )
    return n_records
