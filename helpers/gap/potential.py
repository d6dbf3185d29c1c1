"""`load_potential`: a model file → an ASE calculator. The only place that chooses an engine."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from helpers.errors import (
    MissingToolError,
    PredictionError,
    UnsupportedModelError,
    nearest,
)
from helpers.gap.jax.terms import unsupported_reason
from helpers.gap.model import GapModel
from helpers.gap.quippy_calculator import QuippyCalculator, load_in_another_process
from helpers.gap.xml import read_model

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
    JaxCalculator or QuippyCalculator
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
        load_in_another_process(path)
        return QuippyCalculator(path, None, why="only quippy knows all of its terms")
    if engine == "jax":
        return _load_jax(path, model)
    reason = _why_not_jax(model) if engine == "auto" else ""
    if engine == "auto" and not reason:
        return _load_jax(path, model)
    return QuippyCalculator(path, model, why=reason)


def _why_not_jax(model: GapModel) -> str:
    """Return why "auto" does not take JAX, or an empty text if it does."""
    missing = [name for name in ("jax", "vesin") if find_spec(name) is None]
    return f"{' and '.join(missing)} cannot be found" if missing else unsupported_reason(model)


def _load_jax(path: Path, model: GapModel) -> Any:
    try:
        from helpers.gap.jax.calculator import JaxCalculator
    except ImportError as error:
        raise MissingToolError("JAX is not installed", fix="pip install jax vesin") from error
    return JaxCalculator(model, path)


def jax_calculator(potential: Any) -> Any:
    """Return a potential, given as a path or a calculator, as a `JaxCalculator`."""
    from helpers.gap.jax.calculator import JaxCalculator
    from helpers.gap.quippy_calculator import QuippyCalculator

    if isinstance(potential, JaxCalculator):
        return potential
    if isinstance(potential, QuippyCalculator):
        potential = potential.path
    return load_potential(potential, engine="jax")


def ase_calculator(potential: Any) -> Any:
    """Return a potential, given as a path or a calculator, as a calculator."""
    return load_potential(potential) if isinstance(potential, (str, os.PathLike)) else potential
