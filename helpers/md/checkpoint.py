"""A run on disk as it goes: whole pieces, each with what is needed to go on after it.

A process may die at any moment, by kill −9 or a full disk: the pieces that were finished stay good,
and a run that goes on from them records what the unbroken run would have recorded.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from helpers.errors import CheckpointError, OutputError
from helpers.files import check_writable, write_atomic
from helpers.md.trajectory import Records

CALLS_PER_PIECE = 10  # calls of the engine; at worst so many are computed again


class Checkpoints:
    """The pieces of one run in a folder of their own.

    Parameters
    ----------
    folder : Path
        Made by the first piece, removed by `clear`.
    metadata : dict
        What the run is: settings, seed, engine, start, model. Compared before going on.
    resume : bool
        Go on from the pieces that are there. Without pieces the run starts from the beginning.

    Attributes
    ----------
    parts : list of Records
        What was recorded before.
    state : dict of ndarray
        The engine's state at the end of the last piece.

    Raises
    ------
    CheckpointError
        If there are pieces and `resume` is False, or they belong to another run.
    OutputError
        If nothing can be written there.
    """

    def __init__(self, folder: Path, metadata: dict[str, Any], *, resume: bool) -> None:
        check_writable(folder.parent / f"{folder.name}.xyz")
        self.folder, self.metadata = folder, metadata
        self.parts: list[Records] = []
        self.state: dict[str, np.ndarray] = {}
        self._new: list[Records] = []
        pieces = sorted(folder.glob("[0-9]*.npz"))
        if pieces and not resume:
            raise CheckpointError(
                f"{folder} holds a run that was interrupted",
                fix="go on with it (resume=True; mlmd md --resume), or delete the folder",
            )
        for piece in pieces:
            self._read(piece)
        self._n_pieces = len(pieces)

    def add(self, part: Records, engine: Any) -> None:
        """Take in new records; write a piece from time to time."""
        self._new.append(part)
        if len(self._new) >= CALLS_PER_PIECE:
            self.save(engine)

    def save(self, engine: Any) -> None:
        """Write what is not yet written, whole or not at all."""
        if not self._new:
            return
        self.folder.mkdir(exist_ok=True)
        arrays = Records.joined(self._new)._asdict()
        arrays |= {f"state_{name}": value for name, value in engine.state().items()}
        buffer = io.BytesIO()
        np.savez(buffer, metadata=np.array(json.dumps(self.metadata)), **arrays)
        try:
            write_atomic(self.folder / f"{self._n_pieces:06d}.npz", buffer.getvalue())
        except OutputError as error:
            raise OutputError(
                f"The run stopped at step {engine.step}: {error.problem}",
                found=error.found,
                fix="check the free space (df -h), then go on with resume=True (mlmd md --resume): "
                f"all {self._n_pieces} pieces so far are kept",
            ) from error
        self._new, self._n_pieces = [], self._n_pieces + 1

    def clear(self) -> None:
        """Remove the pieces: the results are written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, piece: Path) -> None:
        try:
            with np.load(piece, allow_pickle=False) as file:
                arrays = dict(file)
            metadata = json.loads(str(arrays["metadata"]))
            part = Records(*(arrays[name] for name in Records._fields))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise CheckpointError(
                f"{piece} is damaged ({error})", fix=f"delete {self.folder} and start again"
            ) from error
        for name, value in self.metadata.items():
            if metadata.get(name) != value:
                raise CheckpointError(
                    f"{self.folder} holds another run",
                    expected=f"{name} = {metadata.get(name)}",
                    found=f"{name} = {value}",
                    fix="repeat the command as it was, or delete the folder",
                )
        self.parts.append(part)
        self.state = {
            name.removeprefix("state_"): value
            for name, value in arrays.items()
            if name.startswith("state_")
        }
