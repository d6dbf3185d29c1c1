"""Points that were computed once are not computed again: a folder of results, by their content.

A point's key is a hash of everything that its result depends on: settings, training and
validation frames with their labels, and versions. Entries are made aside and renamed, so that a
killed sweep, a full disk or a second sweep on the same folder leave whole entries or none.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from helpers.errors import CacheError
from helpers.files import check_writable, output_error, write_atomic
from helpers.frames import label
from helpers.gap.config import GapConfig
from helpers.gap.process import working_folder

FORMAT = 1  # raised when entries change their form


_MARK = "cache.json"


# These change where things are written, not what is computed.
_NO_MATTER = ("atoms_filename", "gap_file", "do_copy_atoms_file", "sparse_separate_file")


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    return {"quippy-ase": metadata.version("quippy-ase"), "results": str(FORMAT)}


def point_key(config: GapConfig, data: str) -> str:
    """Return the key of a point.

    Parameters
    ----------
    config : GapConfig
        All settings.
    data : str
        Fingerprints of the training and validation frames.
    """
    settings = {k: v for k, v in asdict(config).items() if k not in _NO_MATTER}
    text = json.dumps([settings, data, versions()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(frames: Sequence[Atoms], energy_name: str, forces_name: str) -> str:
    """Return a hash of frames and labels: the same for the same numbers, whatever the file."""
    digest = hashlib.sha256()
    for atoms in frames:
        labels = label(atoms, energy_name), label(atoms, forces_name)
        arrays = atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, *labels
        for values in arrays:
            digest.update(np.asarray(values, float).tobytes())
        digest.update(b"|")
    return digest.hexdigest()


class Cache:
    """A folder of computed points.

    Parameters
    ----------
    folder : path
        Made if it is not there. Several sweeps may share it at the same time.

    Raises
    ------
    CacheError
        If the folder is another version's cache.
    OutputError
        If it cannot be written.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder).absolute()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self.folder, error) from error
        mark = self.folder / _MARK
        check_writable(mark)
        if not mark.exists():
            write_atomic(mark, json.dumps({"format": FORMAT}))
        self._check_format(mark)

    def _check_format(self, mark: Path) -> None:
        try:
            found = json.loads(mark.read_text(encoding="utf-8"))["format"]
        except (ValueError, KeyError, TypeError):
            found = "unreadable"
        if found != FORMAT:
            raise CacheError(
                f"The cache in {self.folder} was made by another version of the kit",
                expected=f"format {FORMAT}",
                found=f"format {found}",
                fix="choose another folder, or delete this one",
            )

    def get(self, key: str) -> dict[str, Any] | None:
        """Return what was stored, with ``model_path``, or None; a damaged entry is removed."""
        entry = self._place(key)
        try:
            stored = json.loads((entry / "point.json").read_text(encoding="utf-8"))
            model = (entry / "gap.xml").read_bytes()
            if stored["key"] == key and stored["sha256"] == hashlib.sha256(model).hexdigest():
                return {**stored["result"], "model_path": str(entry / "gap.xml")}
        except FileNotFoundError:
            if not entry.exists():
                return None
        except (ValueError, KeyError, TypeError, OSError):
            pass
        shutil.rmtree(entry, ignore_errors=True)
        return None

    def put(self, key: str, result: Mapping[str, Any], model: bytes) -> dict[str, Any]:
        """Store a result (plain numbers and texts) and its model file; return what `get` returns.

        Raises
        ------
        OutputError
            If the disk is full, for instance. Entries that were there before are untouched.
        """
        stored = {"key": key, "sha256": hashlib.sha256(model).hexdigest(), "result": dict(result)}
        place = self._place(key)
        with working_folder(self.folder) as work:  # gone even if this process is killed
            aside = work.path / "entry"
            try:
                aside.mkdir()
                write_atomic(aside / "gap.xml", model)
                write_atomic(aside / "point.json", json.dumps(stored, indent=1))
                place.parent.mkdir(exist_ok=True)
                os.rename(aside, place)
            except OSError as error:
                if not (place / "point.json").is_file():  # else another sweep was faster
                    raise output_error(place, error) from error
        return {**result, "model_path": str(place / "gap.xml")}

    def _place(self, key: str) -> Path:
        return self.folder / key[:2] / key
