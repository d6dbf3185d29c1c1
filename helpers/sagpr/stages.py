"""The staged commands: power spectra → kernels → weights → predictions.

Each stage reads what the one before wrote, checks that it fits, and leaves files behind, so that a
script can skip stages that are done. The arithmetic is that of `SymmetryAdaptedKernelRidge`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from helpers.errors import DataError
from helpers.files import check_target
from helpers.gap import checks
from helpers.sagpr.features import Environments, LambdaSoap, check_frames, environments
from helpers.sagpr.frame_map import FrameMap, in_batches
from helpers.sagpr.gram import one_thread
from helpers.sagpr.rows import MIXING, N_SCALARS, Contraction, Moments, frame_rows
from helpers.sagpr.stage_files import check_same, frames_digest, load_array, save_array

PathLike = str | os.PathLike


@one_thread
def write_power_spectra(
    frames: Sequence[Atoms],
    lambda_: int,
    output: PathLike,
    *,
    soap: LambdaSoap | None = None,
    periodic: bool = True,
    n_features: int | None = None,
    selection: PathLike | None = None,
    progress: bool = False,
) -> list[Path]:
    """Write what each centre sees: ``OUT.npy``, ``OUT_natoms.npy``, maybe ``OUT_fps.npy``.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        All with the same elements in the same order.
    lambda_ : int
    output : path
        ``PS0`` for ``PS0.npy``, of shape (n_frames, n_centres, n_features) for λ = 0, and
        (n_frames, n_centres, 2λ + 1, n_features) else. Centres are sorted by element.
    soap : LambdaSoap, optional
    periodic : bool
        False: molecules without neighbours across the cell.
    n_features : int, optional
        Select so many by farthest-point sampling on these frames; by default keep all.
    selection : path, optional
        ``PS0`` for the selection of ``PS0_fps.npy``, made before.
    """
    soap = soap or LambdaSoap()
    soap.pairs(lambda_)  # checks it
    digest = frames_digest(frames)
    frames = [_with_boundaries(atoms, number, periodic) for number, atoms in enumerate(frames, 1)]
    check_frames(frames, soap)
    _check_composition(frames)
    check_target(f"{output}.npy")
    about = {
        "lambda": lambda_,
        "soap": _plain(asdict(soap)),
        "periodic": periodic,
        "frames": digest,
        "n_atoms": len(frames[0]),
        "centres": sorted(
            (str(s) for s in frames[0].symbols if s in soap.centres), key=soap.centres.index
        ),
    }
    columns = None
    if n_features is not None and selection is not None:
        raise DataError("-nc and -sf are both given", fix="keep one of them")
    if selection is not None:
        columns = _read_selection(selection, about)
    elif n_features is not None:
        checks.whole("n_features", n_features, 1)
        found = FrameMap.learn(
            frames, soap, {lambda_: 1}, n_features=n_features, n_scalars=1, mixing=1.0
        ).selection
        assert found is not None
        columns = np.array([found[element, lambda_] for element in soap.centres])
    chosen = None
    if columns is not None:
        chosen = {(e, lambda_): kept for e, kept in zip(soap.centres, columns, strict=True)}
        about["selection"] = _plain(columns)
    parts = in_batches(
        frames,
        lambda some: environments(some, soap, [lambda_], selection=chosen),
        progress=progress,
        task=f"power spectra, λ = {lambda_}",
    )
    spectra = np.concatenate([_side_by_side(part, lambda_) for part in parts])
    if lambda_ == 0:
        spectra = spectra[:, :, 0]
    n_atoms = np.array([len(atoms) for atoms in frames])
    written = [
        save_array(f"{output}.npy", "power spectra", spectra, about),
        save_array(f"{output}_natoms.npy", "numbers of atoms", n_atoms, _who(about)),
    ]
    if columns is not None and selection is None:
        written.append(save_array(f"{output}_fps.npy", "selection", columns, about))
    return written


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
    """
    if zeta not in (1, 2):
        checks.refuse("zeta", zeta, "1 or 2")
    loaded = [_load_spectra(path) for path in _one_or_two("-ps", spectra)]
    about = loaded[-1][1]
    lambda_ = about["lambda"]
    for _, other in loaded:
        for name in ("lambda", "soap", "periodic"):
            check_same(name, about[name], other[name], "compute both power spectra alike")
        check_same(
            "selected features",
            about.get("selection"),
            other.get("selection"),
            "give -sf of the training set to sagpr_get_PS",
        )
    scalars = [one for one, _ in loaded]
    if zeta == 2 and lambda_ > 0:
        if len(spectra_0) != len(spectra):
            raise DataError(
                "For zeta 2 the power spectra of λ = 0 are needed as well",
                expected=f"{len(spectra)} files for -ps0",
                found=str(len(spectra_0)),
            )
        scalars = []
        for (_, of), path in zip(loaded, spectra_0, strict=True):
            seen, about_0 = _load_spectra(path)
            check_same("λ of -ps0", 0, about_0["lambda"], "give power spectra of λ = 0")
            for name in ("frames", "soap", "periodic"):
                check_same(f"{name} of -ps and -ps0", of[name], about_0[name], "compute them anew")
            scalars.append(seen)
    sizes = _sizes(loaded, n_atoms)
    contractions = _contractions(scalars[-1]) if zeta == 2 else None
    rows = [
        frame_rows({**one, **seen}, lambda_, size, contractions)
        for (one, _), seen, size in zip(loaded, scalars, sizes, strict=True)
    ]
    flat = [row.reshape(-1, row.shape[2]) for row in rows]
    kernel = flat[0] @ flat[-1].T
    n_m = 2 * lambda_ + 1
    kernel = kernel.reshape(len(rows[0]), n_m, len(rows[-1]), n_m).swapaxes(1, 2)
    if lambda_ == 0:
        kernel = kernel[:, :, 0, 0]
    return save_array(
        output,
        "kernel",
        kernel,
        {
            **{name: about[name] for name in ("lambda", "soap", "periodic")},
            "selection": about.get("selection"),
            "zeta": zeta,
            "n_atoms": loaded[0][1]["n_atoms"] if n_atoms else None,
            "frames": loaded[0][1]["frames"],
            "training": about["frames"],
        },
    )


def _with_boundaries(atoms: Atoms, number: int, periodic: bool) -> Atoms:
    if periodic and abs(atoms.cell.volume) < 1e-6:
        raise DataError(
            f"Frame {number} has no cell, but -p says that it is periodic",
            fix="leave -p out for molecules, or add the Lattice to the frames",
        )
    return Atoms(
        atoms.numbers, atoms.positions, cell=atoms.cell if periodic else None, pbc=periodic
    )


def _check_composition(frames: Sequence[Atoms]) -> None:
    for number, atoms in enumerate(frames, start=1):
        if list(atoms.numbers) != list(frames[0].numbers):
            raise DataError(
                f"Frame {number} has other atoms than frame 1",
                expected=f"{frames[0].symbols} in this order",
                found=str(atoms.symbols),
                fix="one file for each kind, or SymmetryAdaptedKernelRidge, which takes all",
            )


def _side_by_side(part: Mapping[tuple[str, int], Environments], lambda_: int) -> np.ndarray:
    """Return features of shape (n_frames, n_centres, 2λ + 1, n) of frames that are alike."""
    blocks = []
    for (_, order), one in part.items():
        if order == lambda_ and len(one.frame):
            n_frames = one.frame[-1] + 1
            blocks.append(one.values.reshape(n_frames, -1, *one.values.shape[1:]))
    return np.concatenate(blocks, axis=1)


def _load_spectra(path: PathLike) -> tuple[dict[tuple[str, int], Environments], dict[str, Any]]:
    """Return power spectra as the estimator has them, and their note."""
    array, about = load_array(path, "power spectra")
    if about["lambda"] == 0:
        array = array[:, :, None]
    seen, centres = {}, np.array(about["centres"])
    for element in about["soap"]["centres"]:
        values = array[:, centres == element]
        frame = np.repeat(np.arange(len(values)), values.shape[1])
        key = (element, about["lambda"])
        seen[key] = Environments(values.reshape(-1, *values.shape[2:]), frame)
    return seen, about


def _contractions(seen: Mapping[tuple[str, int], Environments]) -> dict[str, Contraction]:
    return {
        element: Contraction.of(Moments.of(one), N_SCALARS, MIXING)
        for (element, lambda_), one in seen.items()
        if lambda_ == 0
    }


def _sizes(
    loaded: Sequence[tuple[Mapping, Mapping[str, Any]]], paths: Sequence[PathLike]
) -> list[np.ndarray]:
    """Return what to divide rows by: numbers of atoms, or 1."""
    if not paths:
        return [np.ones(_n_frames(seen)) for seen, _ in loaded]
    if len(paths) not in (1, len(loaded)):
        raise DataError(f"{len(paths)} files for -s do not fit {len(loaded)} for -ps")
    sizes = []
    for number, (_, about) in enumerate(loaded):
        array, note = load_array(paths[min(number, len(paths) - 1)], "numbers of atoms")
        check_same("frames of -ps and -s", about["frames"], note["frames"], "give one -s per -ps")
        sizes.append(array)
    return sizes


def _n_frames(seen: Mapping[tuple[str, int], Environments]) -> int:
    return 1 + max(int(one.frame.max(initial=-1)) for one in seen.values())


def _one_or_two(flag: str, paths: Sequence[PathLike]) -> Sequence[PathLike]:
    if len(paths) not in (1, 2):
        raise DataError(f"{flag} takes one file, or two: of new frames, and of the training set")
    return paths


def _read_selection(name: PathLike, about: Mapping[str, Any]) -> np.ndarray:
    columns, note = load_array(f"{os.fspath(name).removesuffix('.npy')}_fps.npy", "selection")
    for key in ("lambda", "soap", "periodic"):
        check_same(
            f"{key} of -sf and of this command", note[key], about[key], "give the same flags"
        )
    return columns


def _who(about: Mapping[str, Any]) -> dict[str, Any]:
    return {"frames": about["frames"], "lambda": about["lambda"]}


def _plain(value: Any) -> Any:
    """Return settings as they look after a trip through JSON."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return list(value) if isinstance(value, tuple) else value
