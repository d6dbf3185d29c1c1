"""The second of the staged commands: power spectra → kernels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helpers import checks
from helpers.errors import DataError
from helpers.jax_setup import one_thread
from helpers.sagpr.feature_map import (
    FeatureMoments,
    ScalarPCA,
    frame_features,
    sum_moments,
)
from helpers.sagpr.lambda_soap import Environments, batches
from helpers.sagpr.stages.files import check_same, load_array, save_pieces

PathLike = str | os.PathLike

# Products of a λ = 0 and another feature that a frame may have: of 200 features and two elements,
# 75 principal components of the λ = 0 features. They take 1.2 MB for each frame and λ = 2.
MOST_PRODUCTS = 30_000


@one_thread
def write_kernel(
    spectra: Sequence[PathLike],
    output: PathLike,
    *,
    zeta: int = 1,
    spectra_0: Sequence[PathLike] = (),
    n_atoms: Sequence[PathLike] = (),
) -> Path:
    """Write the kernel of frames with themselves, or of frames with those of a training set.

    Parameters
    ----------
    spectra : one or two paths
        Power spectra; the training set is the last.
    output : path
        Of an array of shape (n, n_training) for λ = 0, and (n, n_training, 2λ + 1, 2λ + 1) else.
    zeta : 1 or 2
        2: multiplied, for each pair of environments, by the kernel of their λ = 0 features.
    spectra_0 : one or two paths
        Power spectra of λ = 0 of the same frames: needed for ζ = 2 with λ > 0.
    n_atoms : one or two paths, optional
        Divide by the numbers of atoms.

    Returns
    -------
    Path
        Of the kernel.

    Raises
    ------
    DataError
        If the files are missing, or do not fit each other.
    ConfigError
        If ζ is neither 1 nor 2.
    """
    if zeta not in (1, 2):
        checks.refuse("zeta", zeta, "1 or 2")
    loaded = _load_alike("-ps", spectra)
    new, training = loaded[0].metadata, loaded[-1].metadata
    lambda_ = training["lambda"]
    scalars = _load_scalars(loaded, spectra_0) if zeta == 2 and lambda_ > 0 else loaded
    n_scalars = None
    if zeta == 2:
        n_scalars = n_product_scalars(
            scalars[-1].array.shape[-1],
            loaded[-1].array.shape[-1],
            len(training["soap"]["centers"]),
        )
    scalar_pcas = None if n_scalars is None else _scalar_pcas(scalars[-1], n_scalars)
    divisors = _load_divisors(loaded, n_atoms)
    training_features = np.concatenate(
        list(_features(loaded[-1], scalars[-1], divisors[-1], scalar_pcas))
    )
    pieces: Iterable[np.ndarray]
    if len(loaded) == 1:
        pieces = [_kernel(training_features, training_features)]
    else:
        pieces = (
            _kernel(features, training_features)
            for features in _features(loaded[0], scalars[0], divisors[0], scalar_pcas)
        )
    metadata = {name: training[name] for name in ("lambda", "soap", "periodic", "normalize")}
    metadata |= {
        "zeta": zeta,
        "n_scalars": n_scalars,
        "selection": [training.get("selection"), scalars[-1].metadata.get("selection")],
        "n_atoms": new["n_atoms"] if n_atoms else None,
        "frames": new["frames"],
        "training": training["frames"],
    }
    return save_pieces(output, "kernel", pieces, len(loaded[0].array), metadata)


@dataclass(frozen=True)
class _PowerSpectra:
    """Power spectra of a file, which stay there, and the metadata of the file."""

    array: np.ndarray
    metadata: Mapping[str, Any]

    def environments(self, batch: slice) -> dict[tuple[str, int], Environments]:
        """Return the features of some frames as the estimator has them."""
        lambda_, array = self.metadata["lambda"], self.array[batch]
        if lambda_ == 0:
            array = array[:, :, None]
        by_key, centers = {}, np.array(self.metadata["centers"])
        for element in self.metadata["soap"]["centers"]:
            values = array[:, centers == element]
            frame = np.repeat(np.arange(len(values)), values.shape[1])
            by_key[element, lambda_] = Environments(values.reshape(-1, *values.shape[2:]), frame)
        return by_key


def n_product_scalars(n_scalar_features: int, n_features: int, n_elements: int) -> int:
    """Return by how many components environments are compared: all, or as many as memory holds."""
    return min(n_scalar_features, max(16, MOST_PRODUCTS // (n_features * n_elements)))


def _scalar_pcas(spectra: _PowerSpectra, n_scalars: int) -> dict[str, ScalarPCA]:
    """Return the principal components by which environments are compared, of the training set."""
    moments = sum_moments(
        {
            element: FeatureMoments.of(centers)
            for (element, _), centers in spectra.environments(batch).items()
        }
        for batch in batches(len(spectra.array))
    )
    return {element: ScalarPCA.fit(m, n_scalars, None) for element, m in moments.items()}


def _features(
    spectra: _PowerSpectra,
    scalars: _PowerSpectra,
    divisors: np.ndarray,
    scalar_pcas: Mapping[str, ScalarPCA] | None,
) -> Iterator[np.ndarray]:
    """Yield the features of frames, batch after batch."""
    for batch in batches(len(spectra.array)):
        by_key = spectra.environments(batch)
        if scalar_pcas and scalars is not spectra:
            by_key |= scalars.environments(batch)
        yield frame_features(by_key, spectra.metadata["lambda"], divisors[batch], scalar_pcas)


def _kernel(features: np.ndarray, training_features: np.ndarray) -> np.ndarray:
    """Return the scalar products, shape (n, n_training), or (n, n_training, 2λ + 1, 2λ + 1)."""
    n, n_m, n_features = features.shape
    left = features.reshape(-1, n_features)
    # With itself, so that BLAS computes one half.
    right = left if features is training_features else training_features.reshape(-1, n_features)
    products = left @ right.T
    kernel = products.reshape(n, n_m, len(training_features), n_m).swapaxes(1, 2)
    return kernel[:, :, 0, 0] if n_m == 1 else kernel


def _load_alike(flag: str, paths: Sequence[PathLike]) -> list[_PowerSpectra]:
    """Return one or two power spectra that were made with the same settings."""
    if len(paths) not in (1, 2):
        raise DataError(f"{flag} takes one file, or two: of new frames, and of the training set")
    loaded = [_PowerSpectra(*load_array(path, "power spectra")) for path in paths]
    new, training = loaded[0].metadata, loaded[-1].metadata
    for name in ("lambda", "soap", "periodic", "normalize"):
        check_same(name, training[name], new[name], "compute both power spectra alike")
    check_same(
        "selected features",
        training.get("selection"),
        new.get("selection"),
        "give -sf of the training set to sagpr_get_PS",
    )
    return loaded


def _load_scalars(
    loaded: Sequence[_PowerSpectra], paths: Sequence[PathLike]
) -> list[_PowerSpectra]:
    """Return the power spectra of λ = 0 of the same frames, by which environments are compared."""
    if len(paths) != len(loaded):
        raise DataError(
            "For zeta 2 the power spectra of λ = 0 are needed as well",
            expected=f"{len(loaded)} files for -ps0",
            found=str(len(paths)),
        )
    scalars = _load_alike("-ps0", paths)
    for spectra, spectra_0 in zip(loaded, scalars, strict=True):
        expected, found = spectra.metadata, spectra_0.metadata
        check_same("λ of -ps0", 0, found["lambda"], "give power spectra of λ = 0")
        for name in ("frames", "soap", "periodic", "normalize"):
            what = f"{name} of -ps and -ps0"
            check_same(what, expected[name], found[name], "compute them anew")
    return scalars


def _load_divisors(loaded: Sequence[_PowerSpectra], paths: Sequence[PathLike]) -> list[np.ndarray]:
    """Return what to divide the features of frames by: numbers of atoms, or 1."""
    if not paths:
        return [np.ones(len(spectra.array)) for spectra in loaded]
    if len(paths) != len(loaded):
        raise DataError(f"{len(paths)} files for -s do not fit {len(loaded)} for -ps")
    divisors = []
    for spectra, path in zip(loaded, paths, strict=True):
        n_atoms, metadata = load_array(path, "numbers of atoms")
        what = "frames of -ps and -s"
        expected = spectra.metadata["frames"]
        check_same(what, expected, metadata["frames"], "give one -s for each -ps")
        divisors.append(n_atoms)
    return divisors
