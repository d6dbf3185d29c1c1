"""The second of the staged commands: power spectra → kernels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helpers import checks
from helpers.errors import DataError
from helpers.jax_setup import one_thread
from helpers.sagpr.feature_map import MIXING, N_SCALARS, Contraction, Moments, frame_rows
from helpers.sagpr.lambda_soap import Environments
from helpers.sagpr.stages.files import check_same, load_array, save_pieces

PathLike = str | os.PathLike


BATCH = 25  # frames that are looked at together


@dataclass(frozen=True)
class _Spectra:
    """Power spectra of a file, which stay there, and the note of the file."""

    array: np.ndarray
    about: Mapping[str, Any]

    def seen(self, some: slice) -> dict[tuple[str, int], Environments]:
        """Return those of some frames as the estimator has them."""
        array = self.array[some]
        if self.about["lambda"] == 0:
            array = array[:, :, None]
        seen, centers = {}, np.array(self.about["centers"])
        for element in self.about["soap"]["centers"]:
            values = array[:, centers == element]
            frame = np.repeat(np.arange(len(values)), values.shape[1])
            values = values.reshape(-1, *values.shape[2:])
            seen[element, self.about["lambda"]] = Environments(values, frame)
        return seen

    def pieces(self) -> list[slice]:
        """Cut the frames into pieces whose features fit into memory together."""
        return [slice(k, k + BATCH) for k in range(0, len(self.array), BATCH)]


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
    new, training = loaded[0].about, loaded[-1].about
    lambda_ = training["lambda"]
    scalars = _scalars(loaded, spectra_0) if zeta == 2 and lambda_ > 0 else loaded
    contractions = _contractions(scalars[-1]) if zeta == 2 else None
    sizes = _sizes(loaded, n_atoms)
    known = np.concatenate(list(_rows(loaded[-1], scalars[-1], sizes[-1], contractions)))
    found = _rows(loaded[0], scalars[0], sizes[0], contractions)
    pieces = (_kernel(some, known) for some in found)
    note = {name: training[name] for name in ("lambda", "soap", "periodic")}
    note |= {
        "zeta": zeta,
        "selection": [training.get("selection"), scalars[-1].about.get("selection")],
        "n_atoms": new["n_atoms"] if n_atoms else None,
        "frames": new["frames"],
        "training": training["frames"],
    }
    return save_pieces(output, "kernel", pieces, len(loaded[0].array), note)


def _contractions(spectra: _Spectra) -> dict[str, Contraction]:
    """Return by what environments are compared, learned from the training set."""
    moments: dict[str, Moments] = {}
    for some in spectra.pieces():
        for (element, _), one in spectra.seen(some).items():
            found = Moments.of(one)
            moments[element] = moments[element] + found if element in moments else found
    return {e: Contraction.of(one, N_SCALARS, MIXING) for e, one in moments.items()}


def _rows(
    spectra: _Spectra,
    scalars: _Spectra,
    sizes: np.ndarray,
    contractions: Mapping[str, Contraction] | None,
) -> Iterator[np.ndarray]:
    """Yield the rows of frames, some frames at a time."""
    lambda_ = spectra.about["lambda"]
    for some in spectra.pieces():
        seen = spectra.seen(some)
        if contractions and scalars is not spectra:
            seen |= scalars.seen(some)
        yield frame_rows(seen, lambda_, sizes[some], contractions)


def _kernel(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return scalar products of rows, shape (n, n_known), or (n, n_known, 2λ + 1, 2λ + 1)."""
    n_m = rows.shape[1]
    products = rows.reshape(-1, rows.shape[2]) @ known.reshape(-1, known.shape[2]).T
    kernel = products.reshape(len(rows), n_m, len(known), n_m).swapaxes(1, 2)
    return kernel[:, :, 0, 0] if n_m == 1 else kernel


def _load_alike(flag: str, paths: Sequence[PathLike]) -> list[_Spectra]:
    """Return one or two power spectra that were made with the same settings."""
    if len(paths) not in (1, 2):
        raise DataError(f"{flag} takes one file, or two: of new frames, and of the training set")
    loaded = [_Spectra(*load_array(path, "power spectra")) for path in paths]
    new, training = loaded[0].about, loaded[-1].about
    for name in ("lambda", "soap", "periodic"):
        check_same(name, training[name], new[name], "compute both power spectra alike")
    check_same(
        "selected features",
        training.get("selection"),
        new.get("selection"),
        "give -sf of the training set to sagpr_get_PS",
    )
    return loaded


def _scalars(loaded: Sequence[_Spectra], paths: Sequence[PathLike]) -> list[_Spectra]:
    """Return what tells like environments: power spectra of λ = 0 of the same frames."""
    if len(paths) != len(loaded):
        raise DataError(
            "For zeta 2 the power spectra of λ = 0 are needed as well",
            expected=f"{len(loaded)} files for -ps0",
            found=str(len(paths)),
        )
    scalars = _load_alike("-ps0", paths)
    for one, alike in zip(loaded, scalars, strict=True):
        check_same("λ of -ps0", 0, alike.about["lambda"], "give power spectra of λ = 0")
        for name in ("frames", "soap", "periodic"):
            what = f"{name} of -ps and -ps0"
            check_same(what, one.about[name], alike.about[name], "compute them anew")
    return scalars


def _sizes(loaded: Sequence[_Spectra], paths: Sequence[PathLike]) -> list[np.ndarray]:
    """Return what to divide rows by: numbers of atoms, or 1."""
    if not paths:
        return [np.ones(len(one.array)) for one in loaded]
    if len(paths) != len(loaded):
        raise DataError(f"{len(paths)} files for -s do not fit {len(loaded)} for -ps")
    sizes = []
    for one, path in zip(loaded, paths, strict=True):
        array, note = load_array(path, "numbers of atoms")
        what = "frames of -ps and -s"
        check_same(what, one.about["frames"], note["frames"], "give one -s for each -ps")
        sizes.append(array)
    return sizes
