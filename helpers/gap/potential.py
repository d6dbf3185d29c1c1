"""Load a potential and choose the engine that evaluates it.

`load_potential` makes an ASE calculator of a model file. `jax_calculator` and `ase_calculator` are
the doors for dynamics, which take a potential as a path or as a calculator.
"""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from helpers.errors import ConfigError, MissingToolError, UnsupportedModelError, nearest
from helpers.gap.calculator import PotentialCalculator
from helpers.gap.jax.terms import unsupported_reason
from helpers.gap.model import GapModel
from helpers.gap.quippy_calculator import QuippyCalculator, check_in_another_process
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
        the model, quippy otherwise, with a warning of one line that says why.

    Returns
    -------
    JaxCalculator or QuippyCalculator
        Energies in eV, forces in eV/Å, stress in eV/Å³. It says which engine it uses
        (``.engine``) and, when shown, why. It can be pickled and used from several threads.

    Raises
    ------
    ConfigError
        If there is no such engine.
    ModelFileError
        If the file is missing, empty, damaged, or not a GAP.
    UnsupportedModelError
        If ``engine="jax"`` and the model holds terms that only quippy knows; they are named.
    MissingToolError
        If the engine is not installed.
    """
    if engine not in ENGINES:
        raise ConfigError(f"There is no engine {engine!r}", fix=nearest(str(engine), ENGINES))
    path = Path(path).absolute()
    model: GapModel | None
    try:
        model = read_model(path)
    except UnsupportedModelError as error:
        if engine == "jax":
            raise
        check_in_another_process(path)
        model = None
        reason = f"only quippy knows all of its terms: {error.problem.replace(f'{path} ', 'it ')}"
        chosen, reason = "quippy", reason if engine == "auto" else ""
    else:
        chosen, reason = _choose_engine(engine, model)
    if chosen == "jax":
        assert model is not None
        return _jax_calculator(path, model)
    if reason:
        warnings.warn(f"{path.name} is evaluated with quippy: {reason}", stacklevel=2)
    return QuippyCalculator(path, model, why=reason)


def jax_calculator(potential: Any) -> Any:
    """Return a potential as a `JaxCalculator`: the door of the compiled dynamics.

    Parameters
    ----------
    potential : path, JaxCalculator or QuippyCalculator
        A `JaxCalculator` is returned as it is, with all that it has compiled.

    Returns
    -------
    JaxCalculator

    Raises
    ------
    ConfigError
        If it is another calculator, which JAX cannot evaluate.
    ModelFileError, UnsupportedModelError, MissingToolError
        As `load_potential` with ``engine="jax"``.
    """
    if isinstance(potential, PotentialCalculator):
        if potential.engine == "jax":
            return potential
        potential = potential.path
    if not isinstance(potential, (str, os.PathLike)):
        raise ConfigError(
            f"{type(potential).__name__} cannot be evaluated with JAX",
            expected="the path of a gap.xml, or what load_potential returns",
        )
    return load_potential(potential, engine="jax")


def ase_calculator(potential: Any) -> Any:
    """Return a potential as an ASE calculator: the door of the dynamics that ASE runs.

    Parameters
    ----------
    potential : path or ASE calculator
        A path is loaded with `load_potential`; a calculator is returned as it is.
    """
    return load_potential(potential) if isinstance(potential, (str, os.PathLike)) else potential


def _choose_engine(engine: str, model: GapModel) -> tuple[str, str]:
    """Return "jax" or "quippy", and why "auto" does not take JAX where it does not."""
    if engine != "auto":
        return engine, ""
    missing = [name for name in ("jax", "vesin") if find_spec(name) is None]
    reason = f"{' and '.join(missing)} cannot be found" if missing else unsupported_reason(model)
    return ("quippy", reason) if reason else ("jax", "")


def _jax_calculator(path: Path, model: GapModel) -> Any:
    try:
        from helpers.gap.jax.calculator import JaxCalculator
    except ImportError as error:
        raise MissingToolError("JAX is not installed", fix="pip install jax vesin") from error
    return JaxCalculator(model, path)
