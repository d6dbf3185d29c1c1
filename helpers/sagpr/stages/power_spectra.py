"""The first of the staged commands: frames → power spectra."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from helpers import checks
from helpers.errors import ConfigError, DataError
from helpers.files import check_writable
from helpers.jax_setup import one_thread
from helpers.sagpr.feature_map import (
    FeatureMap,
    farthest_point_sampling,
    feature_moments,
    in_batches,
    reweighting_matrix,
)
from helpers.sagpr.lambda_soap import Environments, LambdaSoap, check_frames
from helpers.sagpr.stages.files import (
    check_same,
    frames_digest,
    load_array,
    save_array,
    save_pieces,
    without_ending,
)


@one_thread
def write_power_spectra(
    frames: Sequence[Atoms],
    lambda_: int,
    output: str | os.PathLike,
    *,
    soap: LambdaSoap | None = None,
    periodic: bool = True,
    normalize: bool = False,
    n_features: int | None = None,
    selection: str | os.PathLike | None = None,
    progress: bool = False,
) -> list[Path]:
    """Write power spectra: ``OUT.npy``, ``OUT_natoms.npy``; ``OUT_fps.npy``, ``OUT_Amat.npy``.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        All with the same elements in the same order.
    lambda_ : int
    output : path
        ``PS0`` for ``PS0.npy``, of shape (n_frames, n_centers, n_features) for λ = 0, and
        (n_frames, n_centers, 2λ + 1, n_features) else. Centers are sorted by element.
    soap : LambdaSoap, optional
    periodic : bool
        False: molecules without neighbors across the cell.
    normalize : bool
        Divide the features of each environment by the norm of its kernel with itself.
    n_features : int, optional
        Select so many of each element by farthest-point sampling on these frames; by default
        keep all. If some element has fewer that differ, so many are kept of each: the file has one
        width.
    selection : path, optional
        ``PS0`` for the selection of ``PS0_fps.npy`` and ``PS0_Amat.npy``, made before.
    progress : bool
        Show a bar.

    Returns
    -------
    list of Path
        Of the files, the power spectra first.

    Raises
    ------
    DataError
        If the frames cannot be used, or the selection was made with other settings.
    ConfigError
        If λ or the number of features cannot be used, or a selection is given as well.
    OutputError
        If a file cannot be written.
    """
    if n_features is not None and selection is not None:
        raise ConfigError("-nc and -sf are both given", fix="keep one of them")
    soap = soap or LambdaSoap()
    soap.pairs(lambda_)  # checks it
    output = without_ending(output)
    check_writable(f"{output}.npy")
    frames, metadata = _prepare(frames, lambda_, soap, periodic, normalize)
    columns = matrices = None
    if selection is not None:
        columns, matrices = _read_selection(selection, metadata)
    elif n_features is not None:
        columns, matrices = _select(frames, lambda_, soap, n_features)
    feature_map = FeatureMap(
        soap,
        {lambda_: 1},
        None if columns is None else _by_key(soap, lambda_, columns),
        None if matrices is None else _by_key(soap, lambda_, matrices),
        None,
        normalize,
    )
    if columns is not None:
        metadata["selection"] = columns.tolist()
    parts = in_batches(
        frames,
        lambda batch: feature_map.environments(batch, [lambda_]),
        progress=progress,
        task=f"power spectra, λ = {lambda_}",
    )
    spectra = (_side_by_side(part) for part in parts)
    if lambda_ == 0:
        spectra = (piece[:, :, 0] for piece in spectra)
    n_atoms = np.array([len(atoms) for atoms in frames])
    paths = [
        save_pieces(output, "power spectra", spectra, len(frames), metadata),
        save_array(
            f"{output}_natoms.npy", "numbers of atoms", n_atoms, {"frames": metadata["frames"]}
        ),
    ]
    if columns is not None and matrices is not None and selection is None:
        paths += _save_selection(output, columns, matrices, metadata)
    return paths


def write_selection(
    frames: Sequence[Atoms],
    lambda_: int,
    output: str | os.PathLike,
    *,
    soap: LambdaSoap,
    n_features: int,
    periodic: bool = True,
    normalize: bool = False,
) -> list[Path]:
    """Select features on some frames; write ``OUT_fps.npy`` and ``OUT_Amat.npy`` and no spectra.

    Parameters, and the errors raised, are those of `write_power_spectra`.
    """
    soap.pairs(lambda_)  # checks it
    frames, metadata = _prepare(frames, lambda_, soap, periodic, normalize)
    columns, matrices = _select(frames, lambda_, soap, n_features)
    metadata["selection"] = columns.tolist()
    return _save_selection(without_ending(output), columns, matrices, metadata)


def selection_settings(name: str | os.PathLike) -> dict[str, Any]:
    """Return what ``PS0_fps.npy`` was made with: λ, soap, periodic, normalize.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    _, metadata = load_array(f"{without_ending(name)}_fps.npy", "selection")
    soap: dict[str, Any] = {
        key: tuple(x) if isinstance(x, list) else x for key, x in metadata["soap"].items()
    }
    return {
        "lambda": metadata["lambda"],
        "soap": LambdaSoap(**soap),
        "periodic": metadata["periodic"],
        "normalize": metadata["normalize"],
    }


def _save_selection(
    output: str, columns: np.ndarray, matrices: np.ndarray, metadata: Mapping[str, Any]
) -> list[Path]:
    return [
        save_array(f"{output}_fps.npy", "selection", columns, metadata),
        save_array(f"{output}_Amat.npy", "reweighting", matrices, metadata),
    ]


def _by_key(
    soap: LambdaSoap, lambda_: int, arrays: np.ndarray
) -> dict[tuple[str, int], np.ndarray]:
    return {(e, lambda_): array for e, array in zip(soap.centers, arrays, strict=True)}


def _prepare(
    frames: Sequence[Atoms], lambda_: int, soap: LambdaSoap, periodic: bool, normalize: bool
) -> tuple[list[Atoms], dict[str, Any]]:
    """Check the frames; return them with their boundaries, and the metadata of the files."""
    digest = frames_digest(frames)
    frames = [_with_boundaries(atoms, number, periodic) for number, atoms in enumerate(frames, 1)]
    check_frames(frames, soap)
    for number, atoms in enumerate(frames, start=1):
        if list(atoms.numbers) != list(frames[0].numbers):
            raise DataError(
                f"Frame {number} has other atoms than frame 1",
                expected=f"{frames[0].symbols} in this order",
                found=str(atoms.symbols),
                fix="one file for each kind, or SymmetryAdaptedKernelRidge, which takes all",
            )
    centers = [str(symbol) for symbol in frames[0].symbols if symbol in soap.centers]
    if missing := set(soap.centers) - set(centers):
        raise DataError(
            f"No frame holds {', '.join(sorted(missing))}, a center", fix="leave it out of -c"
        )
    return frames, {
        "lambda": lambda_,
        "soap": json.loads(json.dumps(asdict(soap))),  # as it will be read
        "periodic": periodic,
        "normalize": normalize,
        "frames": digest,
        "n_atoms": len(frames[0]),
        "centers": sorted(centers, key=soap.centers.index),
    }


def _with_boundaries(atoms: Atoms, number: int, periodic: bool) -> Atoms:
    """Return atoms without a cell, or periodic: along all vectors unless the file names some."""
    if not periodic:
        return Atoms(atoms.numbers, atoms.positions)
    some = atoms.pbc.any() and not atoms.pbc.all()
    if not some and abs(atoms.cell.volume) < 1e-6:
        raise DataError(
            f"Frame {number} has no cell, but -p says that it is periodic",
            fix="leave -p out for molecules, or add the Lattice to the frames",
        )
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc if some else True)


def _select(
    frames: Sequence[Atoms], lambda_: int, soap: LambdaSoap, n_features: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first columns that the estimator selects, shape (n_elements, n), and the matrices.

    The matrices, `reweighting_matrix` of each element, have shape (n_elements, n, n).
    """
    checks.whole("n_features", n_features, 1)
    moments = feature_moments(frames, soap, [lambda_])
    products = [moments[element, lambda_].products for element in soap.centers]
    columns = [farthest_point_sampling(product, n_features) for product in products]
    fewest = min(len(selected) for selected in columns)
    columns = [selected[:fewest] for selected in columns]
    matrices = [reweighting_matrix(p, c) for p, c in zip(products, columns, strict=True)]
    return np.array(columns), np.array(matrices)


def _read_selection(
    name: str | os.PathLike, metadata: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    columns, stored = load_array(f"{without_ending(name)}_fps.npy", "selection")
    matrices, mixed = load_array(f"{without_ending(name)}_Amat.npy", "reweighting")
    check_same("columns of _fps and _Amat", stored["selection"], mixed["selection"], "copy both")
    for key in ("lambda", "soap", "periodic", "normalize"):
        what = f"{key} of -sf and of this command"
        check_same(what, stored[key], metadata[key], "give the same flags")
    return columns, matrices


def _side_by_side(by_key: Mapping[tuple[str, int], Environments]) -> np.ndarray:
    """Return features of shape (n_frames, n_centers, 2λ + 1, n) of frames with the same atoms."""
    blocks = [
        centers.values.reshape(centers.frame[-1] + 1, -1, *centers.values.shape[1:])
        for centers in by_key.values()
    ]
    return np.concatenate(blocks, axis=1)
