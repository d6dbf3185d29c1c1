"""Points that were computed once are not computed again: a folder of results, by their content.

A point's key is a hash of everything that its result depends on: settings, training and
validation frames with their labels, and versions. Entries are made aside and renamed, so that a
killed sweep, a full disk or a second sweep on the same folder leave whole entries or none.
"""

from __future__ import annotations

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
from helpers.files import check_writable, digest, output_error, write_atomic
from helpers.frames import forces_label, label
from helpers.gap.config import GapConfig
from helpers.gap.process import working_folder

FORMAT = 3  # raised when entries or keys change their form
_MARK = "cache.json"
# These change where things are written, not what is computed.
_NO_MATTER = ("atoms_filename", "gap_file", "do_copy_atoms_file", "sparse_separate_file")


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    return {"quippy-ase": metadata.version("quippy-ase"), "results": str(FORMAT)}


def point_key(config: GapConfig, data: str, *, engine: str, judge: str) -> str:
    """Return the key of a point.

    Parameters
    ----------
    config : GapConfig
        All settings.
    data : str
        Digests of the training and validation frames (`frames_digest`).
    engine, judge : str
        What trains, and how errors are found: as for `helpers.sweep`.
    """
    settings = {k: v for k, v in asdict(config).items() if k not in _NO_MATTER}
    return digest(json.dumps([settings, data, engine, judge, versions()], sort_keys=True))


def frames_digest(frames: Sequence[Atoms], energy_name: str, forces_name: str) -> str:
    """Return a hash of frames and labels: the same for the same numbers, whatever the file.

    What a fit may read beside them (virials, config types, trajectories) counts where it is there.
    """
    parts: list[Any] = []
    for atoms in frames:
        parts += [atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc]
        parts += [label(atoms, energy_name), forces_label(atoms, forces_name)]
        for name in ("virial", "stress", "config_type", "trajectory"):
            value = label(atoms, name)
            if value is not None:
                parts.append(f"{name}: {np.asarray(value).tolist()}")
    return digest(*parts)


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
            version = json.loads(mark.read_text(encoding="utf-8"))["format"]
        except (ValueError, KeyError, TypeError):
            version = "unreadable"
        if version != FORMAT:
            raise CacheError(
                f"The cache in {self.folder} was made by another version of the kit",
                expected=f"format {FORMAT}",
                found=f"format {version}",
                fix="choose another folder, or delete this one",
            )

    def get(self, key: str) -> dict[str, Any] | None:
        """Return what was stored, with ``model_path``, or None; a damaged entry is removed."""
        entry = self._entry(key)
        for _ in range(2):  # another sweep may store it between a look inside and one at the folder
            try:
                stored = json.loads((entry / "point.json").read_text(encoding="utf-8"))
                model = (entry / "gap.xml").read_bytes()
                if stored["key"] == key and stored["sha256"] == digest(model):
                    return {**stored["result"], "model_path": str(entry / "gap.xml")}
            except FileNotFoundError:
                if not entry.exists():
                    return None
            except (ValueError, KeyError, TypeError, OSError):
                break
        shutil.rmtree(entry, ignore_errors=True)
        return None

    def put(self, key: str, result: Mapping[str, Any], model: bytes) -> dict[str, Any]:
        """Store a result (plain numbers and texts) and its model file; return what `get` returns.

        Raises
        ------
        OutputError
            If the disk is full, for instance. Entries that were there before are untouched.
        """
        stored = {"key": key, "sha256": digest(model), "result": dict(result)}
        entry = self._entry(key)
        with working_folder(self.folder) as work:  # gone even if this process is killed
            aside = work.path / "entry"
            try:
                aside.mkdir()
                write_atomic(aside / "gap.xml", model)
                write_atomic(aside / "point.json", json.dumps(stored, indent=1))
                entry.parent.mkdir(exist_ok=True)
                os.rename(aside, entry)
            except OSError as error:
                if not (entry / "point.json").is_file():  # else another sweep was faster
                    raise output_error(entry, error) from error
        return {**result, "model_path": str(entry / "gap.xml")}

    def _entry(self, key: str) -> Path:
        return self.folder / key[:2] / key
