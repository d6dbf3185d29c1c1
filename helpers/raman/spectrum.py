"""Raman spectra from the fluctuations of the polarizability along molecular dynamics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from ase import units
from scipy.signal import get_window, welch

from helpers import checks
from helpers.errors import ConfigError, DataError
from helpers.md.phase import Phase
from helpers.md.trajectory import Trajectory
from helpers.md.vibrations import PER_CM_PER_FS, band_maximum_per_cm, check_interval, n_records
from helpers.sagpr.tensors import as_tensors, check_changes
from helpers.water import LITERATURE_PER_CM, WATER_BANDS_PER_CM

RAMAN_PARTS = ("VV", "VH", "unpolarized", "isotropic", "anisotropic")
EV_PER_CM = units._hplanck * units._c * 100 / units._e  # energy of a wavenumber
LONGEST_LASER_NM = 2500.0  # its light has 4000 1/cm: less could not excite the stretch of O–H
COARSEST_PER_CM = 200.0  # the window of water's bend is 500 1/cm wide: two points, or it is missed


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

    for light that is polarized as the laser, and across it; unpolarized = VV + VH. Each is the
    power of dα/dt (Welch's method) times (ν_laser − ν)⁴ / ν² of scattering (0 beyond the laser) and
    the quantum correction of the classical amplitudes.

    Parameters
    ----------
    polarizabilities : array-like of shape (n_times, 3, 3) or (n_runs, n_times, 3, 3)
        In any unit. Nine numbers may stand for each matrix; a DataFrame has nine columns. Also a
        generator, or a list of DataFrames, one for each run.
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
        If the tensors cannot be used, do not change with time, or are too few or too far apart.
    ConfigError
        If a setting cannot be used.

    References
    ----------
    McQuarrie, Statistical Mechanics, section 21-3; Ramírez, López-Ciudad, Kumar P, Marx,
    *J. Chem. Phys.* **121**, 3973 (2004), on quantum corrections.
    """
    series = _isotropic_and_anisotropic(polarizabilities)
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
        window=_window(window, length),
        detrend=False,
        axis=1,
    )
    # At 0 the static part is infinite.
    wavenumbers, power = PER_CM_PER_FS * frequencies[1:], power[:, 1:]
    half_phase = np.pi * frequencies[1:] * interval_fs
    power = power * (half_phase / np.sin(half_phase))[:, None] ** 2  # differences → derivatives
    scattered = np.maximum(0, 1 - wavenumbers * laser_nm * 1e-7)  # (ν_laser − ν) / ν_laser
    power *= (scattered**2 / wavenumbers)[:, None] ** 2
    if quantum_correction == "harmonic":
        x = wavenumbers * EV_PER_CM / (units.kB * temperature_K)
        power *= (x / -np.expm1(-x))[:, None]
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


def spectrum_of_samples(samples: np.ndarray, interval_fs: float, **settings: Any) -> pd.DataFrame:
    """Return the Raman spectrum of a prediction, and its uncertainty from posterior samples.

    Parameters
    ----------
    samples : ndarray of shape (1 + n_samples, n_runs, n_times, 3, 3)
        The prediction, and samples of the posterior of the model.
    interval_fs : float
        Between two times.
    **settings
        Those of `raman_spectrum`.

    Returns
    -------
    DataFrame
        That of `raman_spectrum`, and ``VV_model`` and others: the RMS difference of the
        samples from the prediction. The integral of each sample's unpolarized spectrum is 1, so an
        overall factor between samples is not in it.
    """
    spectrum, *others = (raman_spectrum(series, interval_fs, **settings) for series in samples)
    for name in RAMAN_PARTS:
        squares = [np.square(other[name] - spectrum[name]) for other in others]
        spectrum[f"{name}_model"] = np.sqrt(np.mean(squares, axis=0)) if squares else 0.0
    return spectrum


def compare_bands(spectrum: pd.DataFrame, vibrations: pd.DataFrame) -> pd.DataFrame:
    """Return the maxima of bend and stretch, 1/cm: in the spectra, and as measured.

    Parameters
    ----------
    spectrum : DataFrame
        Of `raman_spectrum`.
    vibrations : DataFrame
        Of `vibrational_density_of_states`.

    Returns
    -------
    DataFrame
        Columns ``band``, ``VV``, ``VH``, ``vibrations``, ``experiment``.
    """
    rows = []
    for band in WATER_BANDS_PER_CM:
        row: dict[str, float | str] = {"band": band}
        for name in ("VV", "VH"):
            row[name] = band_maximum_per_cm(spectrum, band, name)
        row["vibrations"] = band_maximum_per_cm(vibrations, band)
        row["experiment"] = LITERATURE_PER_CM[band]
        rows.append(row)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class RamanFindings:
    """A Raman spectrum and what it was computed from: what the report tells.

    Attributes
    ----------
    runs : tuple of Trajectory
    polarizabilities : ndarray of shape (n_runs, n_times, 3, 3), Å³
    spectrum : DataFrame
        Of `spectrum_of_samples`.
    vibrations : DataFrame
        Of `vibrational_density_of_states`, the mean of the runs.
    bands : DataFrame
        Of `compare_bands`; None if it is not water.
    phases : tuple of Phase
        Of each run: is it a liquid whose spectrum this is? Empty where that cannot be judged.
    seconds : dict of str to float
        Wall time of dynamics and polarizabilities.
    """

    runs: tuple[Trajectory, ...] = field(repr=False)
    polarizabilities: np.ndarray = field(repr=False)
    spectrum: pd.DataFrame = field(repr=False)
    vibrations: pd.DataFrame = field(repr=False)
    bands: pd.DataFrame | None
    phases: tuple[Phase, ...]
    seconds: dict[str, float]


def raman_segments(
    n_runs: int, n_times: int, interval_fs: float, resolution_per_cm: float
) -> tuple[int, int]:
    """Return the length of a segment, and into how many blocks each run can be cut.

    A block, of two segments or more, gives a spectrum of its own; an error needs three. Called
    before long work.

    Parameters
    ----------
    n_runs : int
    n_times : int
        Of each run, one less than there are records: differences are transformed.
    interval_fs : float
    resolution_per_cm : float
        Distance of points of the spectrum, 1/cm.

    Raises
    ------
    DataError
        If the runs are too short, or recorded too rarely.
    ConfigError
        If the resolution is not a number above 0 and at most 200.
    """
    checks.number("resolution_per_cm", resolution_per_cm, unit="1/cm")
    if resolution_per_cm > COARSEST_PER_CM:
        checks.refuse("resolution_per_cm", resolution_per_cm, f"at most {COARSEST_PER_CM:g} 1/cm")
    check_interval(interval_fs)
    length = n_records(n_times, interval_fs, PER_CM_PER_FS / resolution_per_cm)
    n_blocks = min(10, n_times // (2 * length))
    if n_blocks * n_runs < 3:
        each_fs = 2 * -(-3 // n_runs) * length * interval_fs
        raise DataError(
            "The runs are too short for the error of a spectrum",
            expected=f"{n_runs} × {each_fs:.0f} fs or more",
            found=f"{n_runs} × {n_times * interval_fs:g} fs",
            fix="run longer, or ask for less resolution",
        )
    return length, n_blocks


def _isotropic_and_anisotropic(polarizabilities: Any) -> np.ndarray:
    """Return a and the nine entries of β of α = a·1 + β, shape (n_runs, n_times, 10)."""
    tensors = _series(polarizabilities)
    for number, run in enumerate(tensors, start=1):
        check_changes(run, f"polarizabilities of run {number}")
    mean = np.trace(tensors, axis1=2, axis2=3) / 3
    anisotropic = (tensors + tensors.swapaxes(2, 3)) / 2 - mean[..., None, None] * np.eye(3)
    return np.concatenate([mean[..., None], anisotropic.reshape(*mean.shape, 9)], axis=2)


def _series(polarizabilities: Any) -> np.ndarray:
    """Return polarizabilities in any of the forms that are taken, shape (n_runs, n_times, 3, 3)."""
    expected = (
        "numbers of shape (n_times, 3, 3) or (n_times, 9), for several runs "
        "(n_runs, n_times, 3, 3) or (n_runs, n_times, 9)"
    )
    if isinstance(polarizabilities, (pd.DataFrame, pd.Series)):
        return as_tensors(polarizabilities, name="polarizabilities")[None]
    if isinstance(polarizabilities, Iterable) and not hasattr(polarizabilities, "__len__"):
        polarizabilities = list(polarizabilities)
    if isinstance(polarizabilities, (list, tuple)):
        if any(isinstance(x, pd.Series) and x.dtype != object for x in polarizabilities):
            return as_tensors(polarizabilities, name="polarizabilities")[None]  # rows of a table
        polarizabilities = [
            as_tensors(run, name=f"polarizabilities of run {number}")
            if isinstance(run, (pd.DataFrame, pd.Series))
            else run
            for number, run in enumerate(polarizabilities, start=1)
        ]
    array = checks.real_numbers(polarizabilities, "The series of polarizabilities", expected)
    if array.ndim < 2 or array.size == 0 or array.shape[-2:] != (3, 3) and array.shape[-1] != 9:
        raise DataError(
            f"Polarizabilities of shape {array.shape} cannot be used",
            expected=expected,
            fix="write out all nine: the order of six (Voigt or not) is not known"
            if array.shape[-1:] == (6,)
            else None,
        )
    if array.shape[-2:] != (3, 3):
        array = array.reshape(*array.shape[:-1], 3, 3)
    if array.ndim not in (3, 4):
        raise DataError(
            f"Polarizabilities of shape {array.shape} cannot be used", expected=expected
        )
    return array.reshape(-1, *array.shape[-3:])


def _window(name: Any, length: int) -> np.ndarray:
    """Return the window of this name for segments of a length, or raise `ConfigError`."""
    try:
        return get_window(name, length)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"window={name!r} cannot be used ({error})",
            expected="a window that scipy knows by name, such as 'hann' or 'boxcar'",
        ) from error
