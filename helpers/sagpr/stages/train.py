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
from helpers.sagpr.lambda_soap import batches
from helpers.sagpr.stages.files import (
    check_same,
    frames_digest,
    load_array,
    save_array,
    without_ending,
)
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

# What kernels and weights must have in common.
SHARED = ("lambda", "soap", "periodic", "normalize", "zeta", "selection", "training")


@dataclass(frozen=True)
class StagedFit:
    """Result of ``sagpr_train``.

    Attributes
    ----------
    weights : tuple of Path
        The files, λ = 0 first.
    regularization : dict of int to float
        Relative to the mean of the kernel's diagonal, by λ.
    training : ndarray of int
        The frames that it was trained on.
    loo_errors : DataFrame
        Errors of training frames that were left out, by `component_errors`.
    test_errors : DataFrame or None
        Errors of the other frames, if there are any and they were asked for.
    antisymmetric_rms : float
        What is not learned, in the unit of the property.
    """

    weights: tuple[Path, ...]
    regularization: dict[int, float]
    training: np.ndarray
    loo_errors: pd.DataFrame
    test_errors: pd.DataFrame | None
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
    selected: Sequence[int] | PathLike | None = None,
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
    selected : two int, or path, optional
        Train on frames from the first number up to the second, which is not included (−1: all to
        the end); or on those whose numbers are in a ``.npy`` file.
    predict : bool
        Also predict the frames that are not for training.
    seed : int
        Of the random frames.

    Raises
    ------
    DataError
        If frames, tensors and kernels cannot be used, or do not fit each other.
    ConfigError
        If a setting cannot be used, or two exclude each other.
    OutputError
        If a file cannot be written.
    """
    tensors = read_tensors(frames, property_name, threshold=threshold)
    training, test = _split_frames(len(frames), random, selected, fraction, seed)
    by_lambda = _load_kernels(kernels)
    regularizations = _regularizations(list(by_lambda), regularization)
    digest = frames_digest(frames)
    for _, metadata in by_lambda.values():
        _check_training(metadata, digest)
    targets, solutions = to_spherical(tensors), {}
    loo_components, test_components = {}, {}
    for k, (kernel, metadata) in by_lambda.items():
        n_atoms = metadata["n_atoms"] or 1
        gram = Gram(_as_matrix(kernel[np.ix_(training, training)]), 2 * k + 1)
        solutions[k] = gram.best(targets[k][training] / n_atoms, regularizations[k])
        loo_components[k] = targets[k][training] - n_atoms * solutions[k].loo_residuals
        if predict and len(test):
            test_components[k] = n_atoms * _predict(
                kernel[np.ix_(test, training)], solutions[k].dual_coef, solutions[k].intercept
            )
    test_errors = None
    if test_components:
        test_errors = component_errors(tensors[test], to_cartesian(test_components))
    return StagedFit(
        weights=tuple(
            _save_weights(
                f"{without_ending(output)}_{k}.npy", solutions[k], by_lambda[k][1], training
            )
            for k in LAMBDAS
        ),
        regularization={k: solutions[k].regularization for k in LAMBDAS},
        training=training,
        loo_errors=component_errors(tensors[training], to_cartesian(loo_components)),
        test_errors=test_errors,
        antisymmetric_rms=antisymmetric_rms(tensors),
    )


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
    by_lambda = _load_kernels(kernels)
    first, second = (metadata["frames"] for _, metadata in by_lambda.values())
    check_same("frames of the kernels", first, second, "make both anew")
    components = {}
    for k, (kernel, metadata) in by_lambda.items():
        dual_coef, trained = load_array(f"{without_ending(weights)}_{k}.npy", "weights")
        for name in SHARED:
            check_same(
                f"{name} of kernel and weights",
                trained[name],
                metadata[name],
                "make the kernel of the new frames with the training set of the weights",
            )
        n_atoms = metadata["n_atoms"]
        check_same("-s of the kernels", trained["per_atom"], n_atoms is not None, "use -s alike")
        predictions = [
            _predict(kernel[batch][:, trained["columns"]], dual_coef, trained["intercept"])
            for batch in batches(len(kernel))
        ]
        components[k] = np.concatenate(predictions) * (n_atoms or 1)
    tensors = to_cartesian(components)
    lines = "".join(" ".join(f"{x:.15g}" for x in tensor.ravel()) + "\n" for tensor in tensors)
    return write_atomic(f"{os.fspath(output)}_cartesian.out", lines), tensors


def _load_kernels(
    paths: Sequence[PathLike],
) -> dict[int, tuple[np.ndarray, dict[str, Any]]]:
    """Return kernels and their metadata by λ, in the order of the paths: one of each λ."""
    loaded = [load_array(path, "kernel") for path in paths]
    orders = [metadata["lambda"] for _, metadata in loaded]
    if sorted(orders) != list(LAMBDAS):
        raise DataError(
            "The kernels do not fit a symmetric tensor of rank 2",
            expected="two: one of λ = 0 and one of λ = 2",
            found=", ".join(f"λ = {k}" for k in orders) or "none",
        )
    return dict(zip(orders, loaded, strict=True))


def _regularizations(
    orders: Sequence[int], regularization: Sequence[float] | None
) -> dict[int, Sequence[float]]:
    """Return what to try for each λ; the numbers have the order of the kernels."""
    if regularization is None:
        return dict.fromkeys(orders, REGULARIZATIONS)
    if len(regularization) != len(orders):
        raise ConfigError(
            f"{len(regularization)} regularizations do not fit {len(orders)} kernels",
            fix="give -reg one number for each kernel, in the order of -k, or leave it out",
        )
    for value in regularization:
        checks.number("reg", value)
    return {k: [value] for k, value in zip(orders, regularization, strict=True)}


def _check_training(metadata: Mapping[str, Any], digest: str) -> None:
    """Raise `DataError` unless a kernel is that of these frames with themselves."""
    training = metadata["training"]
    check_same("frames of -k and -f", training, digest, "give -f as sagpr_get_PS had it")
    check_same(
        "frames of a kernel and of its training set",
        training,
        metadata["frames"],
        "train on a kernel that was made from one -ps",
    )


def _split_frames(
    n_frames: int,
    random: int,
    selected: Sequence[int] | PathLike | None,
    fraction: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames to train on, and the test frames, which no fraction is trained on."""
    if random and selected:
        raise ConfigError("-rdm and -sel are both given", fix="keep one of them")
    if not (isinstance(fraction, (int, float)) and 0 < fraction <= 1):
        raise ConfigError(f"-ftr {fraction} cannot be used", expected="above 0, and 1 at most")
    pool = np.arange(n_frames)
    if random:
        checks.whole("rdm", random, 2, n_frames)
        pool = np.random.default_rng(seed).permutation(n_frames)[:random]
    elif isinstance(selected, (str, os.PathLike)):
        pool = _selected_frames(selected, n_frames)
    elif selected is not None:
        start, end = selected
        if not 0 <= start < (n_frames if end == -1 else end) <= n_frames:
            raise ConfigError(
                f"-sel {start} {end} cannot be used",
                expected=f"0 ≤ first < end ≤ {n_frames}, or -1 for the end",
            )
        pool = pool[start : n_frames if end == -1 else end]
    training = pool[: round(fraction * len(pool))]
    if len(training) < 2:
        raise DataError("One frame is too few to learn from", expected="2 or more")
    return training, np.setdiff1d(np.arange(n_frames), pool)


def _selected_frames(path: PathLike, n_frames: int) -> np.ndarray:
    """Return the numbers of frames in a file."""
    expected = f"different whole numbers from 0 to {n_frames - 1}"
    try:
        numbers = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"-sel {os.fspath(path)} cannot be read ({error})",
            expected="two numbers, or a .npy file with numbers of frames",
        ) from error
    if (
        numbers.ndim != 1
        or numbers.dtype.kind not in "iu"
        or len(np.unique(numbers)) != len(numbers)
        or (len(numbers) and not 0 <= numbers.min() <= numbers.max() < n_frames)
    ):
        raise DataError(
            f"-sel {os.fspath(path)} cannot be used",
            expected=expected,
            found=f"{numbers.dtype} of shape {numbers.shape}: {numbers!r:.60}",
        )
    return numbers


def _as_matrix(kernel: np.ndarray) -> np.ndarray:
    """Return the matrix over (frame, m) of a kernel of either shape."""
    if kernel.ndim == 2:
        return kernel
    n, n_training, n_m, _ = kernel.shape
    return kernel.swapaxes(1, 2).reshape(n * n_m, n_training * n_m)


def _predict(kernel: np.ndarray, dual_coef: np.ndarray, intercept: float) -> np.ndarray:
    """Return components of shape (n, 2λ + 1) from a kernel of n frames with the training set."""
    return (_as_matrix(kernel) @ dual_coef.ravel() + intercept).reshape(len(kernel), -1)


def _save_weights(
    path: str, solution: Solution, kernel_metadata: Mapping[str, Any], training: np.ndarray
) -> Path:
    metadata = {name: kernel_metadata[name] for name in SHARED}
    metadata |= {
        "columns": training.tolist(),
        "intercept": solution.intercept,
        "regularization": solution.regularization,
        "per_atom": kernel_metadata["n_atoms"] is not None,
    }
    return save_array(path, "weights", solution.dual_coef, metadata)
