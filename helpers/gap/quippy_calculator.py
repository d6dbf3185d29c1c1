"""`QuippyCalculator`: a GAP evaluated by quippy, as an ASE calculator."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from helpers.errors import (
    MissingToolError,
    ModelFileError,
    PredictionError,
    UnsupportedModelError,
    WorkshopError,
)
from helpers.gap.calculator import PotentialCalculator
from helpers.gap.model import GapModel
from helpers.gap.xml import FIX, read_model, write_model


class QuippyCalculator(PotentialCalculator):
    """ASE calculator around quippy that refuses what quippy would answer with nonsense.

    Attributes
    ----------
    path : Path
        The model file.
    model : GapModel or None
        Its numbers; None for a GAP whose descriptors only quippy knows.
    engine : str
        ``"quippy"``.
    why : str
        Why JAX was not taken; empty where quippy was asked for.

    Raises
    ------
    MissingToolError
        If quippy is not installed.
    ModelFileError
        If quippy cannot load the file.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]
    engine = "quippy"
    path: Path

    def __init__(self, path: Path, model: GapModel | None, *, why: str = "") -> None:
        super().__init__(path, model)
        self.why = why
        self._quippy = _load_quippy(path, model)

    def __reduce__(self) -> tuple:  # quippy's own pickles end the process that opens them
        return _reload, (self.path,)

    def __repr__(self) -> str:
        because = f" because {self.why}" if self.why else ""
        return f"QuippyCalculator({self.path.name}, engine='quippy'{because})"

    def _predict(self, atoms: Atoms, properties: Sequence[str] = ()) -> dict[str, Any]:
        """Return energy and forces, and the stress, which takes as long again, where asked for."""
        names = ["energy", "forces", *(["stress"] if "stress" in properties else [])]
        bare = atoms.copy()
        try:
            results = {name: self._quippy.get_property(name, bare) for name in names}
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            raise PredictionError(
                f"quippy could not use {self.path.name} for these atoms", found=_reason(str(error))
            ) from error
        if not all(np.isfinite(value).all() for value in results.values()):
            distances = atoms.get_all_distances(mic=atoms.pbc.any())
            np.fill_diagonal(distances, np.inf)
            raise PredictionError(
                "The potential gives no finite energy for these atoms",
                found=f"a closest pair of {distances.min():.3f} Å",
                fix="move overlapping atoms apart",
            )
        return {**results, "free_energy": results["energy"]}


def check_in_another_process(path: Path) -> None:
    """Load `path` with quippy in a process of its own, which a bad file may end.

    Raises
    ------
    ModelFileError
        If quippy cannot load it.
    """
    code = (
        "import sys; from quippy.potential import Potential\n"
        "Potential('', param_filename=sys.argv[1]); print('loaded')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    if "loaded" not in done.stdout:
        raise ModelFileError(f"quippy cannot load {path}", found=_reason(done.stderr), fix=FIX)


def _reload(path: Path) -> QuippyCalculator:
    try:
        model = read_model(path)
    except UnsupportedModelError:
        model = None
    return QuippyCalculator(path, model)


def _load_quippy(path: Path, model: GapModel | None) -> Any:
    try:
        from quippy.potential import Potential
    except ImportError as error:
        raise MissingToolError(
            "quippy is not installed", fix="pip install quippy-ase (the name on PyPI)"
        ) from error
    try:
        here = os.getcwd()
    except OSError as error:  # quippy would end the process
        raise WorkshopError(
            "The current folder no longer exists", fix="change to another one, such as cd ~"
        ) from error
    # A copy with separate sparse files: what quippy sees is what was checked, and it loads about
    # ten times faster than the same numbers inline.
    with tempfile.TemporaryDirectory(prefix="gap-") as folder:
        checked = path
        if model is not None:
            checked = write_model(model, Path(folder, "gap.xml"), separate_files=True)
        try:
            return Potential("", param_filename=str(checked))
        except RuntimeError as error:
            raise ModelFileError(
                f"quippy cannot load {path}", found=_reason(str(error)), fix=FIX
            ) from error
        finally:
            os.chdir(here)  # quippy goes to the model's folder, and stays there when it fails


def _reason(text: str) -> str:
    """Return what quippy says, without its own traceback and trailing rubbish."""
    _, mark, message = text.rpartition("kind unspecified")
    words = (message if mark else (text.strip().splitlines() or [""])[-1]).split()
    return " ".join(word for word in words if word.isprintable())[:150] or "no message"
