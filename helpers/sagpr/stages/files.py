"""Arrays that pass from one staged command to the next, with metadata that say what they are.

``PS0.npy`` comes with ``PS0.json``: which stage wrote it, with which settings, from which frames,
and its SHA-256. So a stage can tell whether what it reads was made for what it does.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from helpers.errors import DataError
from helpers.files import atomic_writer, check_writable, digest, write_atomic

COMMANDS = {
    "power spectra": "sagpr_get_PS",
    "numbers of atoms": "sagpr_get_PS",
    "selection": "sagpr_get_PS -nc",
    "reweighting": "sagpr_get_PS -nc",
    "kernel": "sagpr_get_kernel",
    "weights": "sagpr_train",
}


def without_ending(name: str | os.PathLike) -> str:
    """Return how the files of a stage begin, whether ``.npy`` was given or not."""
    return os.fspath(name).removesuffix(".npy")


def npy_path(name: str | os.PathLike) -> Path:
    """Return the path of an array, whether its ending was given or not."""
    return Path(f"{without_ending(name)}.npy")


def frames_digest(frames: Sequence[Atoms]) -> str:
    """Return a digest of elements, positions and cells, which tells these frames from others."""
    return digest(*(x for a in frames for x in (a.numbers, a.positions, a.cell.array)))


def save_array(
    path: str | os.PathLike, kind: str, array: np.ndarray, metadata: Mapping[str, Any]
) -> Path:
    """Write an array and its metadata, as `save_pieces` does."""
    return save_pieces(path, kind, [array], len(array), metadata)


def save_pieces(
    path: str | os.PathLike,
    kind: str,
    pieces: Iterable[np.ndarray],
    length: int,
    metadata: Mapping[str, Any],
) -> Path:
    """Write an array and its metadata, whole or not at all; return the path of the array.

    The pieces are written one by one, not through a memory map: on a full disk a write fails with
    an error, where writing to mapped memory would end the process.

    Parameters
    ----------
    path : path
        With or without ``.npy``.
    kind : str
        One of `COMMANDS`.
    pieces : iterable of ndarray
        Parts of the array along its first axis, one in memory at a time.
    length : int
        Of the first axis, in all.
    metadata : mapping
        What the next stage must know.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = npy_path(path)
    metadata_path = path.with_suffix(".json")
    check_writable(path)
    written = 0
    with atomic_writer(path) as file:
        for piece in map(np.ascontiguousarray, pieces):
            if not written:
                header = np.lib.format.header_data_from_array_1_0(piece)
                header["shape"] = (length, *piece.shape[1:])
                np.lib.format.write_array_header_1_0(file, header)
            file.write(piece.data)
            written += len(piece)
        assert written == length
        metadata_path.unlink(missing_ok=True)  # old metadata must not describe a new array
    metadata = {"kind": kind, "sha256": _sha256(path), **metadata}
    write_atomic(metadata_path, json.dumps(metadata, indent=1) + "\n")
    return path


def load_array(name: str | os.PathLike, kind: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Return an array, which stays on disk until it is used, and its metadata.

    Raises
    ------
    DataError
        If it is missing, is something else, or was changed or half written.
    """
    path = npy_path(name)
    again = f"run {COMMANDS[kind]} again, with -o or -w as here"
    if not path.is_file():
        raise DataError(f"There is no file {path}", expected=kind, fix=again)
    metadata_path = path.with_suffix(".json")
    try:
        metadata = json.loads(metadata_path.read_text(encoding="utf-8"))
        found_kind = metadata["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} has no valid metadata {metadata_path.name} beside it, which tell what it is",
            fix=f"copy both files; or {again}",
        ) from error
    if found_kind != kind:
        raise DataError(
            f"{path} is something else", expected=kind, found=str(found_kind), fix="check the order"
        )
    if _sha256(path) != metadata.get("sha256"):
        raise DataError(
            f"{path} does not fit {metadata_path.name}: one of them was changed", fix=again
        )
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)), metadata


def check_same(name: str, expected: Any, found: Any, fix: str) -> None:
    """Raise `DataError` where two inputs were made with different settings or frames."""
    if expected != found:
        raise DataError(
            f"The inputs do not fit each other: {name} differ",
            expected=str(expected)[:200],
            found=str(found)[:200],
            fix=fix,
        )


def _sha256(path: Path) -> str:
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            sha256.update(block)
    return sha256.hexdigest()
