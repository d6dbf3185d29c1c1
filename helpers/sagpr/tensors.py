"""Tensors of rank 2 ↔ irreducible spherical components.

A symmetric tensor has one component that a rotation leaves alone (λ = 0: the mean of the diagonal,
times √3) and five that mix like spherical harmonics of l = 2 (λ = 2). They are coefficients in a
basis that is orthonormal in the Frobenius norm, so lengths are kept: |α|² = |α⁽⁰⁾|² + |α⁽²⁾|².
Order of m = −2 … 2: xy, yz, 3z² − r², xz, x² − y².
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers import checks
from helpers.errors import DataError
from helpers.evaluation import rmse
from helpers.frames import label, load_frames
from helpers.sagpr.frame_input import as_frames

POLARIZABILITY_NAME = "Polarizability"
LAMBDAS = (0, 2)
CARTESIAN = ("xx", "xy", "xz", "yx", "yy", "yz", "zx", "zy", "zz")
SPHERICAL = {0: ("trace/√3",), 2: ("xy", "yz", "3z²−r²", "xz", "x²−y²")}
NINE = "9 numbers: " + " ".join(CARTESIAN)
ROUNDING = 1e-12  # relative: a smaller spread is none
LARGEST_ASYMMETRY = 0.05  # of the RMS of the anisotropic part; beyond, something is mixed up


def _unit(entries: Mapping[str, float]) -> np.ndarray:
    """Return a symmetric matrix with these entries, of norm 1."""
    matrix = np.zeros((3, 3))
    for name, value in entries.items():
        i, j = ("xyz".index(axis) for axis in name)
        matrix[i, j] = matrix[j, i] = value
    return matrix / np.linalg.norm(matrix)


BASIS = {
    0: np.stack([_unit({"xx": 1, "yy": 1, "zz": 1})]),
    2: np.stack(
        [
            _unit({"xy": 1}),
            _unit({"yz": 1}),
            _unit({"xx": -1, "yy": -1, "zz": 2}),
            _unit({"xz": 1}),
            _unit({"xx": 1, "yy": -1}),
        ]
    ),
}


def to_spherical(tensors: Any) -> dict[int, np.ndarray]:
    """Return the components {0: (n, 1), 2: (n, 5)} of tensors, in any form of `as_tensors`.

    What is antisymmetric has no component here: see `antisymmetric_rms`.
    """
    array = as_tensors(tensors)
    return {k: np.einsum("mij,nij->nm", basis, array) for k, basis in BASIS.items()}


def to_cartesian(components: Mapping[int, np.ndarray]) -> np.ndarray:
    """Return tensors of shape (n, 3, 3, …) from components {0: (n, 1, …), 2: (n, 5, …)}."""
    parts = [np.einsum("mij,nm...->nij...", BASIS[k], c) for k, c in components.items()]
    return np.sum(parts, axis=0)


def antisymmetric_rms(tensors: Any) -> float:
    """Return the RMS of the entries of (α − αᵀ)/2, in the unit of the tensors.

    They are taken in any form of `as_tensors`.
    """
    array = as_tensors(tensors)
    return float(np.sqrt(np.mean((array - array.transpose(0, 2, 1)) ** 2) / 4))


def read_tensors(
    frames: Any, name: str = POLARIZABILITY_NAME, *, threshold: float | None = None
) -> np.ndarray:
    """Return the tensors that frames carry in ``info[name]``, shape (n, 3, 3).

    Parameters
    ----------
    frames : iterable of ase.Atoms, or one of them
    name : str
        Of the property.
    threshold : float, optional
        Largest antisymmetric part to pass over; see `check_tensors`.

    Raises
    ------
    DataError
        If a frame has none, or not 9 finite numbers, or they are far from symmetric.
    ConfigError
        If the threshold is not a number of at least 0.
    """
    frames, tensors = as_frames(frames), []
    for number, atoms in enumerate(frames, start=1):
        value = label(atoms, name)
        if value is None:
            raise DataError(
                f"Frame {number} has no {name!r}",
                found=", ".join(sorted(atoms.info)) or "no properties at all",
                fix="check the name, or take frames that have it (of the water frames, the "
                "first 200 for training)",
            )
        tensors.append(value)
    return check_tensors(tensors, len(frames), name, threshold=threshold)


def labeled_frames() -> tuple[list[Atoms], np.ndarray, np.ndarray]:
    """Return the water frames with polarizabilities, these (Å³), and their trajectories."""
    frames = load_frames("water", "train", 200)
    return frames, read_tensors(frames), np.array([atoms.info["trajectory"] for atoms in frames])


def component_errors(tensors: Any, predictions: Any) -> pd.DataFrame:
    """Return the errors of λ = 0, λ = 2 and of each Cartesian component.

    Parameters
    ----------
    tensors, predictions : array-like of shape (n, 3, 3) or (n, 9)
        In any form that `as_tensors` takes.

    Returns
    -------
    DataFrame
        Columns ``component``, ``rmse`` and ``std`` (in the unit of the tensors; the variances of
        the m of a λ are averaged), ``percent`` (100 · rmse / std; NaN for a component that is
        the same in all frames, such as xy of molecules that lie in a mirror plane).

    Raises
    ------
    DataError
        If they cannot be used, or all tensors are the same: nothing changes.
    """
    tensors = as_tensors(tensors)
    predictions = as_tensors(predictions, len(tensors), "predictions")
    check_changes(tensors)
    spherical, predicted = to_spherical(tensors), to_spherical(predictions)
    rows = [_error_row(f"λ={k}", spherical[k], predicted[k]) for k in LAMBDAS]
    for name in CARTESIAN:
        i, j = ("xyz".index(axis) for axis in name)
        rows.append(_error_row(name, tensors[:, i, j, None], predictions[:, i, j, None]))
    return pd.DataFrame(rows)


def check_changes(tensors: np.ndarray, name: str = "tensors") -> None:
    """Raise `DataError` if all tensors, along the first axis, are the same up to rounding."""
    if len(tensors) == 0 or np.ptp(tensors, axis=0).max() <= ROUNDING * np.abs(tensors).max():
        raise DataError(
            f"Nothing changes: the {name} are all the same",
            expected="two or more that differ: errors are relative to their spread",
            found=f"{len(tensors)} equal tensors",
        )


def check_tensors(
    tensors: Any,
    n_frames: int | None = None,
    name: str = "tensors",
    *,
    threshold: float | None = None,
) -> np.ndarray:
    """Return symmetric tensors as an array of shape (n, 3, 3), or say what is wrong with them.

    Parameters
    ----------
    tensors, n_frames, name
        Those of `as_tensors`.
    threshold : float, optional
        Largest |α − αᵀ|/2 to pass over, in the unit of the tensors; by default 5 % of the RMS of
        the anisotropic part, or 0.1 % of the largest entry if that is more.

    Raises
    ------
    DataError
        If they are not 9 finite real numbers each, as many as frames, and symmetric so far.
    ConfigError
        If the threshold is not a number of at least 0.
    """
    if threshold is not None:
        checks.number("threshold", threshold, positive=False)
    array = as_tensors(tensors, n_frames, name)
    _check_symmetry(array, name, threshold)
    return array


def as_tensors(tensors: Any, n_frames: int | None = None, name: str = "tensors") -> np.ndarray:
    """Return tensors as an array of shape (n, 3, 3), symmetric or not.

    Parameters
    ----------
    tensors : array, DataFrame, Series, or iterable
        Of n tensors of shape (3, 3) or (9,), in the order xx xy xz yx yy yz zx zy zz, or one tensor
        alone. The columns of a DataFrame, or the index of a Series of nine numbers, may have these
        names, and then any order.
    n_frames : int, optional
        How many there must be.
    name : str
        What to call them.

    Raises
    ------
    DataError
        If they are not 9 finite real numbers each, or not as many as frames.
    """
    if isinstance(tensors, pd.DataFrame) and set(CARTESIAN) <= set(tensors.columns):
        tensors = tensors[list(CARTESIAN)]
    if isinstance(tensors, pd.DataFrame):
        tensors = tensors.to_numpy()
    if isinstance(tensors, np.matrix):
        tensors = np.asarray(tensors)
    no_sequence = isinstance(tensors, (str, bytes, Set, Mapping)) or hasattr(tensors, "nnz")
    if no_sequence or not isinstance(tensors, Iterable) or getattr(tensors, "ndim", 1) == 0:
        short = " ".join(repr(tensors).split())[:60]
        raise DataError(f"{name!r} cannot be used", expected=NINE, found=short)
    if not hasattr(tensors, "__len__"):
        tensors = list(tensors)
    with contextlib.suppress(ValueError):  # ragged: told below
        if n_frames in (None, 1) and np.shape(tensors) in ((9,), (3, 3)):
            tensors = [tensors]
    if n_frames is not None and len(tensors) != n_frames:
        raise DataError(
            f"{len(tensors)} tensors do not fit {n_frames} frames", expected="one for each frame"
        )
    if isinstance(tensors, np.ndarray) and tensors.shape[1:] in ((9,), (3, 3)):
        if tensors.dtype.kind in "iuf" and not np.ma.isMaskedArray(tensors):
            if np.isfinite(tensors).all():  # if not, it is told below which of them is not
                return tensors.astype(float).reshape(-1, 3, 3)
    checked = [_nine_numbers(x, f"{name!r} of frame {k}") for k, x in enumerate(tensors, start=1)]
    return np.array(checked).reshape(-1, 3, 3)


def is_flat(tensors: Any) -> bool:
    """Return whether tensors are rows of 9 numbers, not matrices."""
    if hasattr(tensors, "ndim") and tensors.ndim > 1:
        return bool(tensors.ndim == 2)
    return bool(np.ndim(next(iter(tensors))) == 1)


def _nine_numbers(value: Any, name: str) -> np.ndarray:
    """Return one tensor, or raise `DataError`."""
    if isinstance(value, pd.Series) and set(CARTESIAN) == set(value.index):
        value = value[list(CARTESIAN)]
    numbers = checks.real_numbers(value, name, NINE)
    if numbers.shape not in ((9,), (3, 3)):
        six = numbers.size == 6
        raise DataError(
            f"{name} cannot be used",
            expected=NINE,
            found=f"{numbers.size} numbers of shape {numbers.shape}",
            fix="write out all nine: the order of six (Voigt or not) is not known" if six else None,
        )
    return numbers.reshape(3, 3)


def _check_symmetry(tensors: np.ndarray, name: str, threshold: float | None) -> None:
    """Raise `DataError` if a tensor is not symmetric; the noise of DFT is far below the limit."""
    skew = np.abs(tensors - tensors.transpose(0, 2, 1)).max((1, 2)) / 2
    limit = threshold
    if limit is None:
        scale = np.sqrt(np.mean(to_spherical(tensors)[2] ** 2)) if len(tensors) else 0.0
        # A single isotropic tensor has no anisotropic part to compare with.
        limit = max(LARGEST_ASYMMETRY * scale, 1e-3 * np.abs(tensors).max(initial=0.0))
    worst = int(skew.argmax()) if len(skew) else 0
    if len(skew) and skew[worst] > limit:
        raise DataError(
            f"{name!r} of frame {worst + 1} is not symmetric",
            expected=f"half of |α − αᵀ| of at most {limit:.3g}",
            found=f"{skew[worst]:.3g}",
            fix="check the order of its 9 numbers: " + " ".join(CARTESIAN),
        )


def _error_row(name: str, true: np.ndarray, predicted: np.ndarray) -> dict[str, float | str]:
    error = rmse(predicted - true)
    std = float(np.sqrt(np.mean(true.var(0))))
    percent = 100 * error / std if std > 0 else float("nan")
    return {"component": name, "rmse": error, "std": std, "percent": percent}
