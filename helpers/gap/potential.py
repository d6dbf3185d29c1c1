"""`load_potential`: a model file → an ASE calculator. The only place that chooses an engine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from helpers.errors import (
    MissingToolError,
    ModelFileError,
    PredictionError,
    WorkshopError,
    nearest,
)
from helpers.gap.atoms import PotentialCalculator
from helpers.gap.jax.settings import why_not
from helpers.gap.model import GapModel
from helpers.gap.xml import FIX, UnsupportedModelError, read_model, write_model

ENGINES = ("auto", "jax", "quippy")


def load_potential(path: str | os.PathLike, *, engine: str = "auto") -> Any:
    """Load a trained potential as an ASE calculator.

    The file is read and checked in Python first, and quippy is given only what was understood:
    a damaged file raises an error here, where quippy would end the whole process.

    JAX gives the same numbers as quippy (to about 1e-10 eV) and is over ten times faster once its
    functions are compiled, which takes seconds; quippy also evaluates descriptors that the kit
    does not know.

    Parameters
    ----------
    path : str or path
        A ``gap.xml`` that gap_fit wrote.
    engine : str
        ``"jax"``, ``"quippy"``, or ``"auto"``: JAX where it is installed and knows all terms of
        the model, quippy otherwise.

    Returns
    -------
    JaxCalculator or GapCalculator
        Energies in eV, forces in eV/Å, stress in eV/Å³. It says which engine it uses
        (``.engine``) and, when shown, why. It can be pickled and used from several threads.

    Raises
    ------
    ModelFileError
        If the file is missing, empty, damaged, or not a GAP.
    UnsupportedModelError
        If ``engine="jax"`` and the model holds terms that only quippy knows; they are named.
    MissingToolError
        If the engine is not installed.
    """
    if engine not in ENGINES:
        raise PredictionError(f"There is no engine {engine!r}", fix=nearest(str(engine), ENGINES))
    path = Path(path).absolute()
    try:
        model = read_model(path)
    except UnsupportedModelError:
        if engine == "jax":
            raise
        _try_in_another_process(path)
        return GapCalculator(path, None, why="only quippy knows all of its terms")
    if engine == "jax":
        return _load_jax(path, model)
    reason = _why_not_jax(model) if engine == "auto" else ""
    if engine == "auto" and not reason:
        return _load_jax(path, model)
    return GapCalculator(path, model, why=reason)


def _why_not_jax(model: GapModel) -> str:
    """Return why "auto" does not take JAX, or an empty text if it does."""
    missing = [name for name in ("jax", "vesin") if find_spec(name) is None]
    return f"{' and '.join(missing)} cannot be found" if missing else why_not(model)


def _load_jax(path: Path, model: GapModel) -> Any:
    try:
        from helpers.gap.jax.calculator import JaxCalculator
    except ImportError as error:
        raise MissingToolError("JAX is not installed", fix="pip install jax vesin") from error
    return JaxCalculator(model, path)


class GapCalculator(PotentialCalculator):
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
        return f"GapCalculator({self.path.name}, engine='quippy'{because})"

    def _predict(self, atoms: Atoms, wanted: Sequence[str] = ()) -> dict[str, Any]:
        """Return energy and forces, and the stress, which takes as long again, where wanted."""
        names = ["energy", "forces", *(["stress"] if "stress" in wanted else [])]
        copy = atoms.copy()
        try:
            results = {name: self._quippy.get_property(name, copy) for name in names}
        except RuntimeError as error:
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


def _reload(path: Path) -> GapCalculator:
    found: GapCalculator = load_potential(path, engine="quippy")
    return found


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
        copy = path
        if model is not None:
            copy = write_model(model, Path(folder, "gap.xml"), separate_files=True)
        try:
            return Potential("", param_filename=str(copy))
        except RuntimeError as error:
            raise ModelFileError(
                f"quippy cannot load {path}", found=_reason(str(error)), fix=FIX
            ) from error
        finally:
            os.chdir(here)  # quippy goes to the model's folder, and stays there when it fails


def _try_in_another_process(path: Path) -> None:
    """Load `path` with quippy in a process of its own, which a bad file may end."""
    code = (
        "import sys; from quippy.potential import Potential\n"
        "Potential('', param_filename=sys.argv[1]); print('loaded')"
    )
    trial = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    if "loaded" not in trial.stdout:
        raise ModelFileError(f"quippy cannot load {path}", found=_reason(trial.stderr), fix=FIX)


def _reason(text: str) -> str:
    """Return what quippy says, without its own traceback and trailing rubbish."""
    _, mark, said = text.rpartition("kind unspecified")
    words = (said if mark else (text.strip().splitlines() or [""])[-1]).split()
    return " ".join(word for word in words if word.isprintable())[:150] or "no message"
