"""Tensors of rank 2 ↔ irreducible spherical components.

A symmetric tensor has one component that a rotation leaves alone (λ = 0: the mean of the diagonal,
times √3) and five that mix like spherical harmonics of l = 2 (λ = 2). They are coefficients in a
basis that is orthonormal in the Frobenius norm, so lengths are kept: |α|² = |α⁽⁰⁾|² + |α⁽²⁾|².
Order of m = −2 … 2: xy, yz, 3z² − r², xz, x² − y².
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from ase import Atoms

from helpers import checks
from helpers.errors import DataError
from helpers.evaluation import rmse
from helpers.frames import label, load_frames

POLARIZABILITY_NAME = "Polarizability"
LAMBDAS = (0, 2)
CARTESIAN = ("xx", "xy", "xz", "yx", "yy", "yz", "zx", "zy", "zz")
SPHERICAL = {0: ("trace/√3",), 2: ("xy", "yz", "3z²−r²", "xz", "x²−y²")}
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


def to_spherical(tensors: np.ndarray) -> dict[int, np.ndarray]:
    """Return the components {0: (n, 1), 2: (n, 5)} of tensors of shape (n, 3, 3).

    What is antisymmetric has no component here: see `antisymmetric_rms`.
    """
    return {k: np.einsum("mij,nij->nm", basis, tensors) for k, basis in BASIS.items()}


def to_cartesian(components: Mapping[int, np.ndarray]) -> np.ndarray:
    """Return tensors of shape (n, 3, 3, …) from components {0: (n, 1, …), 2: (n, 5, …)}."""
    parts = [np.einsum("mij,nm...->nij...", BASIS[k], c) for k, c in components.items()]
    return np.sum(parts, axis=0)


def antisymmetric_rms(tensors: np.ndarray) -> float:
    """Return the RMS of the entries of (α − αᵀ)/2, in the unit of the tensors."""
    return float(np.sqrt(np.mean((tensors - tensors.transpose(0, 2, 1)) ** 2) / 4))


def read_tensors(
    frames: Sequence[Atoms], name: str = POLARIZABILITY_NAME, *, threshold: float | None = None
) -> np.ndarray:
    """Return the tensors that frames carry in ``info[name]``, shape (n, 3, 3).

    Parameters
    ----------
    frames : sequence of ase.Atoms
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
    tensors = []
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


def component_errors(tensors: np.ndarray, predictions: np.ndarray) -> pd.DataFrame:
    """Return the errors of λ = 0, λ = 2 and of each Cartesian component.

    Parameters
    ----------
    tensors, predictions : ndarray of shape (n, 3, 3)

    Returns
    -------
    DataFrame
        Columns ``component``, ``rmse`` and ``std`` (in the unit of the tensors; the m of a λ
        pooled), ``percent`` (100 · rmse / std).
    """
    spherical, predicted = to_spherical(tensors), to_spherical(predictions)
    rows = [_error_row(f"λ={k}", spherical[k], predicted[k]) for k in LAMBDAS]
    for name in CARTESIAN:
        i, j = ("xyz".index(axis) for axis in name)
        rows.append(_error_row(name, tensors[:, i, j, None], predictions[:, i, j, None]))
    return pd.DataFrame(rows)


def check_tensors(
    tensors: Sequence | np.ndarray,
    n_frames: int | None = None,
    name: str = "tensors",
    *,
    threshold: float | None = None,
) -> np.ndarray:
    """Return symmetric tensors as an array of shape (n, 3, 3), or say what is wrong with them.

    Parameters
    ----------
    tensors : sequence of array-like of shape (3, 3) or (9,)
    n_frames : int, optional
        How many there must be.
    name : str
        What to call them.
    threshold : float, optional
        Largest |α − αᵀ|/2 to pass over, in the unit of the tensors; by default 5 % of the RMS of
        the anisotropic part, or 0.1 % of the largest entry if that is more.

    Raises
    ------
    DataError
        If they are not 9 finite numbers each, as many as frames, and symmetric so far.
    ConfigError
        If the threshold is not a number of at least 0.
    """
    if threshold is not None:
        checks.number("threshold", threshold, positive=False)
    array = as_tensors(tensors, n_frames, name)
    _check_symmetry(array, name, threshold)
    return array


def as_tensors(
    tensors: Sequence | np.ndarray, n_frames: int | None = None, name: str = "tensors"
) -> np.ndarray:
    """Return tensors as an array of shape (n, 3, 3), symmetric or not.

    Parameters are those of `check_tensors`.

    Raises
    ------
    DataError
        If they are not 9 finite numbers each, or not as many as frames.
    """
    if n_frames is not None and len(tensors) != n_frames:
        raise DataError(
            f"{len(tensors)} tensors do not fit {n_frames} frames", expected="one for each frame"
        )
    checked = []
    for number, value in enumerate(tensors, start=1):
        try:
            numbers = np.asarray(value, float)
        except (TypeError, ValueError):
            numbers = np.full(0, np.nan)
        if numbers.size != 9:
            raise DataError(
                f"{name!r} of frame {number} cannot be used",
                expected="9 numbers: " + " ".join(CARTESIAN),
                found=f"{numbers.size} numbers" if numbers.size else repr(value)[:60],
            )
        if not np.isfinite(numbers).all():
            raise DataError(
                f"{name!r} of frame {number} is not a finite number everywhere",
                fix="remove the frame or compute it again",
            )
        checked.append(numbers.reshape(3, 3))
    return np.array(checked).reshape(-1, 3, 3)


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
