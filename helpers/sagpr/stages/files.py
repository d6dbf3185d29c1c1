"""Arrays that pass from one staged command to the next, with a note of what they are.

``PS0.npy`` comes with ``PS0.json``: which stage wrote it, with which settings, from which frames,
and its SHA-256. So a stage can tell whether what it reads was made for what it does.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from helpers.errors import DataError
from helpers.files import atomic_writer, check_writable, write_atomic

COMMANDS = {
    "power spectra": "sagpr_get_PS",
    "numbers of atoms": "sagpr_get_PS",
    "selection": "sagpr_get_PS -nc",
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
    """Return what tells these frames from others: elements, positions, cells."""
    digest = hashlib.sha256()
    for atoms in frames:
        for values in (atoms.numbers, atoms.positions, atoms.cell.array):
            digest.update(np.ascontiguousarray(values, float).tobytes())
    return digest.hexdigest()[:16]


def save_array(
    path: str | os.PathLike, kind: str, array: np.ndarray, about: Mapping[str, Any]
) -> Path:
    """Write an array and its note, as `save_pieces` does."""
    return save_pieces(path, kind, [array], len(array), about)


def save_pieces(
    path: str | os.PathLike,
    kind: str,
    pieces: Iterable[np.ndarray],
    length: int,
    about: Mapping[str, Any],
) -> Path:
    """Write an array and its note, whole or not at all; return the path of the array.

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
    about : mapping
        What the next stage must know.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = npy_path(path)
    check_writable(path)
    digest, header, written = hashlib.sha256(), io.BytesIO(), 0
    with atomic_writer(path) as file:
        for piece in pieces:
            if not written:
                whole = {"shape": (length, *piece.shape[1:]), "fortran_order": False}
                whole["descr"] = np.lib.format.dtype_to_descr(piece.dtype)
                np.lib.format.write_array_header_1_0(header, whole)
                digest.update(header.getvalue())
                file.write(header.getvalue())
            data = np.ascontiguousarray(piece).data
            digest.update(data)
            file.write(data)
            written += len(piece)
        assert written == length
        note_path = path.with_suffix(".json")
        note_path.unlink(missing_ok=True)  # an old note must not describe a new array
    note = {"kind": kind, "sha256": digest.hexdigest(), **about}
    write_atomic(note_path, json.dumps(note, indent=1) + "\n")
    return path


def load_array(name: str | os.PathLike, kind: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Return an array, which stays on disk until it is used, and its note.

    Raises
    ------
    DataError
        If it is missing, is something else, or was changed or half written.
    """
    path = npy_path(name)
    again = f"run {COMMANDS[kind]} again, with -o or -w as here"
    if not path.is_file():
        raise DataError(f"There is no file {path}", expected=kind, fix=again)
    note_path = path.with_suffix(".json")
    try:
        note = json.loads(note_path.read_text(encoding="utf-8"))
        found = note["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} has no sound note {note_path.name} beside it, which tells what it is",
            fix=f"copy both files; or {again}",
        ) from error
    if found != kind:
        raise DataError(
            f"{path} is something else", expected=kind, found=str(found), fix="check the order"
        )
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    if digest.hexdigest() != note.get("sha256"):
        raise DataError(f"{path} does not fit {note_path.name}: one of them was changed", fix=again)
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)), note


def check_same(name: str, expected: Any, found: Any, fix: str) -> None:
    """Raise `DataError` where two inputs were made with different settings or frames."""
    if expected != found:
        raise DataError(
            f"The inputs do not fit each other: {name} differ",
            expected=str(expected)[:200],
            found=str(found)[:200],
            fix=fix,
        )
