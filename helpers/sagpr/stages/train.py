"""The third and fourth of the staged commands: kernels → weights → predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers import checks
from helpers.errors import ConfigError, DataError
from helpers.files import write_atomic
from helpers.sagpr.kernel_ridge import REGULARIZATIONS, Gram, Solution
from helpers.sagpr.stages.files import (
    check_same,
    frames_digest,
    load_array,
    save_array,
    without_ending,
)
from helpers.sagpr.stages.kernels import BATCH
from helpers.sagpr.tensors import (
    LAMBDAS,
    POLARIZABILITY_NAME,
    antisymmetric_rms,
    component_errors,
    read_tensors,
    to_cartesian,
    to_spherical,
)

PathLike = str | os.PathLike


SHARED = ("lambda", "soap", "periodic", "zeta", "selection")


@dataclass(frozen=True)
class StagedFit:
    """What ``sagpr_train`` found.

    Attributes
    ----------
    weights : tuple of Path
        The files, λ = 0 first.
    regularization : dict of int to float
        Relative to the mean of the kernel's diagonal, by λ.
    training : ndarray of int
        The frames that it was trained on.
    left_out : DataFrame
        Errors of training frames that were left out, by `component_errors`.
    test : DataFrame or None
        Errors of the other frames, if there are any and they were asked for.
    antisymmetric_rms : float
        What is not learned, in the unit of the property.
    """

    weights: tuple[Path, ...]
    regularization: dict[int, float]
    training: np.ndarray
    left_out: pd.DataFrame
    test: pd.DataFrame | None
    antisymmetric_rms: float


def train_on_kernels(
    frames: Sequence[Atoms],
    kernels: Sequence[PathLike],
    output: PathLike = "weights",
    *,
    regularization: Sequence[float] | None = None,
    property_name: str = POLARIZABILITY_NAME,
    threshold: float | None = None,
    random: int = 0,
    fraction: float = 1.0,
    selected: Sequence[int] | None = None,
    predict: bool = False,
    seed: int = 0,
) -> StagedFit:
    """Fit tensors of frames by kernels, and write ``OUT_0.npy`` and ``OUT_2.npy``.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        Those of the kernels, with the tensors.
    kernels : two paths
        Of λ = 0 and 2, in any order.
    output : path
        How the files of the weights begin.
    regularization : sequence of two float, optional
        In the order of the kernels, relative to the means of their diagonals; by default the ones
        with the smallest leave-one-out errors.
    property_name : str
    threshold : float, optional
        Largest antisymmetric part |α − αᵀ|/2 to pass over, in the unit of the property; by default
        that of `check_tensors`.
    random : int
        Take so many random frames for training; 0: see `selected`.
    fraction : float
        Use only this part of the training frames, its first ones: for learning curves.
    selected : two int, optional
        Train on frames from the first number up to the second, which is not included.
    predict : bool
        Also predict the frames that are not for training.
    seed : int
        Of the random frames.

    Raises
    ------
    DataError
        If frames, tensors and kernels cannot be used, or do not fit each other.
    ConfigError
        If a number cannot be used.
    OutputError
        If a file cannot be written.
    """
    tensors = read_tensors(frames, property_name, threshold=threshold)
    training, others = _divided(len(frames), random, selected, fraction, seed)
    loaded = [load_array(path, "kernel") for path in kernels]
    regularizations = by_lambda(loaded, regularization)
    digest = frames_digest(frames)
    for _, about in loaded:
        _check_training(about, digest)
    targets, solutions = to_spherical(tensors), {}
    left_out, predicted = {}, {}
    for kernel, about in loaded:
        k, size = about["lambda"], about["n_atoms"] or 1
        square = _flat(kernel[np.ix_(training, training)])
        solution = Gram(square, 2 * k + 1).best(targets[k][training] / size, regularizations[k])
        left_out[k] = targets[k][training] - size * solution.left_out
        if predict and len(others):
            predicted[k] = size * apply(
                kernel[np.ix_(others, training)], solution.weights, solution.constant
            )
        solutions[k] = (solution, about)
    return StagedFit(
        weights=tuple(
            _save_weights(f"{without_ending(output)}_{k}.npy", *solutions[k], training)
            for k in LAMBDAS
        ),
        regularization={k: solutions[k][0].regularization for k in LAMBDAS},
        training=training,
        left_out=component_errors(tensors[training], to_cartesian(left_out)),
        test=component_errors(tensors[others], to_cartesian(predicted)) if predicted else None,
        antisymmetric_rms=antisymmetric_rms(tensors),
    )


def _check_training(about: Mapping[str, Any], digest: str) -> None:
    """Raise `DataError` unless a kernel is that of these frames with themselves."""
    check_same("frames of -k and -f", about["training"], digest, "give -f as sagpr_get_PS had it")
    check_same(
        "frames of a kernel and of its training set",
        about["training"],
        about["frames"],
        "train on a kernel that was made from one -ps",
    )


def _divided(
    n_frames: int, random: int, selected: Sequence[int] | None, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames to train on, and those that never are."""
    if random and selected:
        raise DataError("-rdm and -sel are both given", fix="keep one of them")
    if not (isinstance(fraction, (int, float)) and 0 < fraction <= 1):
        raise ConfigError(f"-ftr {fraction} cannot be used", expected="above 0, and 1 at most")
    pool = np.arange(n_frames)
    if random:
        checks.whole("rdm", random, 2, n_frames)
        pool = np.random.default_rng(seed).permutation(n_frames)[:random]
    elif selected is not None:
        start, end = selected
        if not 0 <= start < end <= n_frames:
            raise DataError(
                f"-sel {start} {end} cannot be used", expected=f"0 ≤ first < end ≤ {n_frames}"
            )
        pool = pool[start:end]
    training = pool[: round(fraction * len(pool))]
    if len(training) < 2:
        raise DataError("One frame is too few to learn from", expected="2 or more")
    return training, np.setdiff1d(np.arange(n_frames), pool)


def _save_weights(
    path: str, solution: Solution, about: Mapping[str, Any], training: np.ndarray
) -> Path:
    note = {name: about[name] for name in (*SHARED, "training")}
    note |= {
        "columns": training.tolist(),
        "constant": solution.constant,
        "regularization": solution.regularization,
        "per_atom": about["n_atoms"] is not None,
    }
    return save_array(path, "weights", solution.weights, note)


def by_lambda(
    loaded: Sequence[tuple[np.ndarray, Mapping[str, Any]]], regularization: Sequence[float] | None
) -> dict[int, Sequence[float]]:
    """Check that there is one kernel of each λ, and return what to try for each."""
    orders = [about["lambda"] for _, about in loaded]
    if sorted(orders) != list(LAMBDAS):
        raise DataError(
            "The kernels do not fit a symmetric tensor of rank 2",
            expected="two: one of λ = 0 and one of λ = 2",
            found=", ".join(f"λ = {k}" for k in orders) or "none",
        )
    if regularization is None:
        return dict.fromkeys(orders, REGULARIZATIONS)
    if len(regularization) != len(orders):
        raise DataError(
            f"{len(regularization)} regularizations do not fit {len(orders)} kernels",
            fix="give -reg one number for each kernel, in the order of -k, or leave it out",
        )
    for value in regularization:
        checks.number("reg", value)
    return {k: [value] for k, value in zip(orders, regularization, strict=True)}


def _flat(kernel: np.ndarray) -> np.ndarray:
    """Return the matrix over (frame, m) of a kernel of either shape."""
    if kernel.ndim == 2:
        return kernel
    n, other, n_m, _ = kernel.shape
    return kernel.swapaxes(1, 2).reshape(n * n_m, other * n_m)


def apply(kernel: np.ndarray, weights: np.ndarray, constant: float) -> np.ndarray:
    """Return components of shape (n, 2λ + 1): a kernel of n frames with those of the weights."""
    return (_flat(kernel) @ weights.ravel() + constant).reshape(len(kernel), -1)


def predict_from_kernels(
    kernels: Sequence[PathLike], output: PathLike, *, weights: PathLike = "weights"
) -> tuple[Path, np.ndarray]:
    """Predict tensors, and write ``OUT_cartesian.out``: xx xy xz yx yy yz zx zy zz per frame.

    Parameters
    ----------
    kernels : two paths
        Of the frames with those of the training set, for λ = 0 and 2.
    output : path
        ``trajectory`` for ``trajectory_cartesian.out``.
    weights : path
        How the files of the weights begin.

    Returns
    -------
    Path, ndarray of shape (n_frames, 3, 3)
        The tensors have the unit of the training set.

    Raises
    ------
    DataError
        If kernels and weights are missing, or do not fit each other.
    OutputError
        If the file cannot be written.
    """
    loaded = [load_array(path, "kernel") for path in kernels]
    by_lambda(loaded, None)
    check_same(
        "frames of the kernels", loaded[0][1]["frames"], loaded[1][1]["frames"], "make both anew"
    )
    components = {}
    for kernel, about in loaded:
        lambda_ = about["lambda"]
        values, note = load_array(f"{without_ending(weights)}_{lambda_}.npy", "weights")
        for name in (*SHARED, "training"):
            check_same(
                f"{name} of kernel and weights",
                note[name],
                about[name],
                "make the kernel of the new frames with the training set of the weights",
            )
        check_same(
            "-s of the kernels", note["per_atom"], about["n_atoms"] is not None, "use -s alike"
        )
        found = [
            apply(kernel[k : k + BATCH][:, note["columns"]], values, note["constant"])
            for k in range(0, len(kernel), BATCH)
        ]
        components[lambda_] = np.concatenate(found) * (about["n_atoms"] or 1)
    tensors = to_cartesian(components)
    lines = "".join(" ".join(f"{x:.15g}" for x in one.ravel()) + "\n" for one in tensors)
    return write_atomic(f"{os.fspath(output)}_cartesian.out", lines), tensors
