"""Series in time, checked and cut into segments: what spectra are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import units
from scipy.signal import get_window

from helpers.errors import ConfigError, DataError
from helpers.gap import checks

PER_CM_PER_FS = 1e15 / (units._c * 100)  # a frequency of 1/fs, in 1/cm
LONGEST_INTERVAL_FS = 4.0  # an O–H bond vibrates in 9 fs: rarer records fold its band
COARSEST_PER_CM = 200.0  # the bend of water has a window of 500 1/cm: two points, or it is not seen


def check_interval(interval_fs: float) -> None:
    """Raise `DataError` if records are so far apart, in fs, that the bands of water fold."""
    if interval_fs > LONGEST_INTERVAL_FS:
        raise DataError(
            "The run was recorded too rarely for a spectrum",
            expected=f"a record every {LONGEST_INTERVAL_FS:g} fs or more often",
            found=f"every {interval_fs:g} fs",
            fix="run again with a smaller record_every",
        )


def n_records(n_times: int, interval_fs: float, longest_fs: float) -> int:
    """Return how many records such a time is, if there are so many."""
    records = round(longest_fs / interval_fs) if n_times > 1 else 0
    if not 2 <= records <= n_times:
        raise DataError(
            "The run is too short",
            expected=f"{longest_fs:.0f} fs or more",
            found=f"{max(0, n_times - 1) * interval_fs:g} fs",
            fix="run longer, or ask for less resolution",
        )
    return records


def polarizability_series(polarizabilities: Any) -> np.ndarray:
    """Return, of shape (n_runs, n_times, 10), the mean of the diagonal and what is left of α."""
    expected = "numbers of shape (n_times, 3, 3) or (n_runs, n_times, 3, 3)"
    try:
        tensors = np.asarray(polarizabilities, float)
    except (TypeError, ValueError) as error:
        raise DataError(f"Polarizabilities cannot be used: {error}", expected=expected) from error
    if tensors.ndim not in (3, 4) or tensors.shape[-2:] != (3, 3) or tensors.size == 0:
        raise DataError(
            f"Polarizabilities of shape {tensors.shape} cannot be used", expected=expected
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

    A block, of two segments or more, gives a spectrum of its own; an error needs three. Called
    before long work.

    Parameters
    ----------
    n_runs : int
    n_times : int
        Of each run, one less than there are records: differences are what is transformed.
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


def taper(name: Any, length: int) -> np.ndarray:
    """Return the window of this name for segments of a length, or raise `ConfigError`."""
    try:
        return get_window(name, length)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"window={name!r} cannot be used ({error})",
            expected="a window that scipy knows by name, such as 'hann' or 'boxcar'",
        ) from error
