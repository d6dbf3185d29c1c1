"""Writing of results: a file appears complete or not at all.

Content goes to a temporary file in the same folder, which is renamed at the end. Also here: tables
as CSV, arrays, digests (SHA-256), backups.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from helpers.errors import OutputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def check_writable(path: str | os.PathLike) -> Path:
    """Raise `OutputError` unless a file can be written at `path`; return it as a Path.

    Call it before a long computation, whose result would otherwise be lost.
    """
    path = Path(path)
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(
            f"{path} cannot be written: there is no folder {folder}",
            fix=f"make it first: mkdir -p '{folder}'",
        )
    if path.is_dir():
        raise OutputError(f"{path} is a folder", expected="the name of a file")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise output_error(path, error) from error
    return path


def make_folder(path: str | os.PathLike) -> Path:
    """Return a folder for results; create it if it is missing and its parent exists.

    Raises
    ------
    OutputError
        If it is a file, or nothing can be written in it.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file", expected="a folder", fix="choose another name")
    if not path.exists():
        check_writable(path.absolute())
        path.mkdir()
    check_writable(path / "report.html")
    return path


def write_atomic(path: str | os.PathLike, content: str | bytes) -> Path:
    """Write `content` (text as UTF-8) to `path`, completely or not at all.

    Raises
    ------
    OutputError
        If the folder is missing, may not be written to, or the disk is full.
    """
    path = Path(path)
    with atomic_writer(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing piece by piece; it appears at `path` when the block ends well.

    Raises
    ------
    OutputError
        If the folder is missing, may not be written to, or the disk is full.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    if not path.parent.is_dir():
        check_writable(path)
    try:
        try:
            with aside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error


def write_table(path: str | os.PathLike, table: pd.DataFrame, digits: int | None = 6) -> Path:
    """Write a table as CSV with `digits` significant digits (None: all), completely or not at all.

    Raises
    ------
    OutputError
        As `write_atomic`.
    """
    float_format = None if digits is None else f"%.{digits}g"
    return write_atomic(path, table.to_csv(index=False, float_format=float_format))


def write_array(path: str | os.PathLike, array: np.ndarray) -> Path:
    """Write an array in NumPy's format, completely or not at all.

    Raises
    ------
    OutputError
        As `write_atomic`.
    """
    import numpy as np

    with atomic_writer(Path(path)) as file:
        np.save(file, array)
    return Path(path)


def digest(*parts: bytes | str | np.ndarray) -> str:
    """Return the SHA-256 of texts, bytes and arrays (values as 64-bit floats) in hex digits."""
    import numpy as np

    hasher = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            hasher.update(part.encode())
        elif isinstance(part, bytes):
            hasher.update(part)
        else:
            hasher.update(f"{np.shape(part)}".encode())
            hasher.update(np.ascontiguousarray(part, float).tobytes())
    return hasher.hexdigest()


def backup(path: Path, folder: Path) -> Path:
    """Copy a file that will be replaced to ``folder/NAME.before-TIME.SUFFIX``; return that path.

    Raises
    ------
    OutputError
        If the copy cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    moment = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    copy = folder / f"{path.stem}.before-{moment}{path.suffix}"
    return write_atomic(copy, path.read_bytes())


def output_error(path: Path, error: OSError) -> OutputError:
    """Return the `OutputError` for a system error met while writing `path`."""
    return OutputError(
        f"{path} cannot be written ({error.strerror or error})",
        fix="check the folder's permissions and the free space (df -h), or choose another place",
    )
