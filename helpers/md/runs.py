"""`run_nve`, `run_nvt` and `run_replicas`: molecular dynamics, with either engine."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from helpers import checks
from helpers.boundaries import with_boundaries
from helpers.errors import ConfigError, PredictionError, UnsupportedModelError, nearest
from helpers.frames import load_frames
from helpers.gap.potential import ase_calculator, jax_calculator
from helpers.md.ase_engine import AseEngine
from helpers.md.checkpoint import Checkpoints
from helpers.md.compiled_engine import CompiledEngine
from helpers.md.engine import Engine, run_engine
from helpers.md.monitor import check_start
from helpers.md.settings import RunSettings
from helpers.md.trajectory import Replicas, Trajectory, write_results


def compiled_calculator(potential: Any) -> Any:
    """Return a calculator that the compiled engine can run: of a GAP, or one with `replicas`."""
    return potential if hasattr(potential, "replicas") else jax_calculator(potential)


ENGINES = {"ase": ase_calculator, "compiled": compiled_calculator}  # and what they ask for forces


def run_nve(
    potential: Any,
    start: Atoms | int,
    *,
    steps: int,
    temperature_K: float = 300.0,
    seed: int = 0,
    engine: str = "compiled",
    output: str | os.PathLike | None = None,
    resume: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Trajectory:
    """Run molecular dynamics at constant energy (velocity Verlet).

    Parameters
    ----------
    potential : path or calculator
        What `load_potential` takes or returns; with ``engine="ase"`` any ASE calculator, otherwise
        also one of your own (see `compiled_engine.ReplicaPotential`).
    start : ase.Atoms or int
        Where to start, not changed; or the number of a validation snapshot, counted from 0.
    steps : int
        How many.
    temperature_K : float
        Of the Maxwell–Boltzmann velocities at the start.
    seed : int
        Of the random numbers. The same seed gives the same run.
    engine : str
        ``"compiled"``: the whole loop in JAX, for long runs. ``"ase"``: ASE's integrators, to read
        along; a GAP that JAX cannot evaluate runs with them and quippy, and a warning says so.
    output : path, optional
        Where to write ``output.log``, ``output.xyz`` and ``output.traj``. On the way the run is
        kept in ``output.parts/``, so that it can go on after a crash.
    resume : bool
        Go on with an interrupted run, if there is one at `output`.
    progress : bool
        Show a bar.
    **settings
        The others of `RunSettings`: ``timestep_fs``, ``record_every``, ``monitor``, ….

    Returns
    -------
    Trajectory
        Up to the end, or to where it became unstable (``.stopped`` says why).

    Raises
    ------
    ConfigError
        If a setting cannot be used.
    PredictionError
        If the potential cannot be asked about the atoms.
    ModelFileError
        If there is no model, or it is damaged.
    CheckpointError
        If there is an interrupted run at `output` that does not fit.
    OutputError
        If a result cannot be written, such as on a full disk; what was computed is kept.

    Examples
    --------
    >>> run = run_nve("gap.xml", 0, steps=2000)  # doctest: +SKIP
    >>> run.log()  # doctest: +SKIP
    """
    for name in ("thermostat", "relaxation_fs"):
        if name in settings:
            raise ConfigError(f"{name} has no meaning at constant energy", fix="use run_nvt")
    run_settings = RunSettings(
        steps=steps, temperature_K=temperature_K, thermostat="none", **settings
    )
    return _run(potential, start, run_settings, seed, engine, output, resume, progress)


def run_nvt(
    potential: Any,
    start: Atoms | int,
    *,
    steps: int,
    temperature_K: float = 300.0,
    thermostat: str = "langevin",
    seed: int = 0,
    engine: str = "compiled",
    output: str | os.PathLike | None = None,
    resume: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Trajectory:
    """Run molecular dynamics at constant temperature.

    All is as in `run_nve`, but for:

    Parameters
    ----------
    temperature_K : float
        Of the bath, and of the velocities at the start.
    thermostat : str
        How the temperature is kept; the setting ``relaxation_fs`` says how fast. The first four
        give the canonical ensemble, the last two do not:

        - ``"langevin"``: friction and random forces on every atom
        - ``"bussi"``: stochastic velocity rescaling, which disturbs the dynamics least
        - ``"nose_hoover"``: a chain of three bath variables, without random numbers; with it the
          energy of atoms and bath is conserved
        - ``"andersen"``: atoms get new thermal velocities at random times
        - ``"berendsen"``: velocities are scaled gently towards the temperature
        - ``"rescaling"``: velocities are scaled to the temperature after each step
    """
    if thermostat == "none":
        raise ConfigError("Without a thermostat there is no constant temperature", fix="run_nve")
    run_settings = RunSettings(
        steps=steps, temperature_K=temperature_K, thermostat=thermostat, **settings
    )
    return _run(potential, start, run_settings, seed, engine, output, resume, progress)


def run_replicas(
    potential: Any,
    atoms: Atoms | Sequence[Atoms],
    *,
    seeds: Sequence[int],
    progress: bool = True,
    **settings: Any,
) -> Replicas:
    """Run several replicas at once, one for each seed, with the compiled engine.

    A replica that becomes unstable ends there, with the reason; the others go on. Ctrl-C keeps
    what was computed.

    Parameters
    ----------
    potential : path or calculator
        As in `run_nve`.
    atoms : ase.Atoms, or one per seed
        Where to start: the same elements in the same order. They are not changed.
    seeds : sequence of int
        One per replica. Replica k is the run that its seed gives alone.
    progress : bool
        Show a bar.
    **settings
        Those of `RunSettings`: ``steps``, ``timestep_fs``, ``temperature_K``, ``thermostat``, …

    Returns
    -------
    Replicas
        One `Trajectory` per seed.

    Raises
    ------
    ConfigError
        If a setting cannot be used.
    PredictionError
        If the potential cannot be asked about the atoms.
    """
    run_settings = RunSettings(**settings)
    seeds = [checks.seed(seed) for seed in seeds]
    starts = [atoms] * len(seeds) if isinstance(atoms, Atoms) else list(atoms)
    starts = [with_boundaries(start, error=PredictionError) for start in starts]
    if not seeds or len(starts) != len(seeds):
        raise ConfigError(
            f"There are {len(seeds)} seeds for {len(starts)} atoms", expected="one seed for each"
        )
    if any(list(a.numbers) != list(starts[0].numbers) for a in starts):
        raise PredictionError("The replicas differ in their elements", expected="the same order")
    calculator = compiled_calculator(potential)
    for start in starts:
        check_start(start, run_settings.monitor, calculator)
    engine = CompiledEngine(calculator, starts, seeds, run_settings)
    return run_engine(engine, starts, seeds, run_settings, progress=progress)


def snapshot(number: int) -> Atoms:
    """Return a validation snapshot of the shipped water data by its number, from 0."""
    frames = load_frames("water", "validate")
    if not 0 <= number < len(frames):
        raise ConfigError(
            f"There is no validation snapshot {number}", expected=f"0 to {len(frames) - 1}"
        )
    return frames[number]


def _run(
    potential: Any,
    start: Atoms | int,
    settings: RunSettings,
    seed: int,
    engine: str,
    output: str | os.PathLike | None,
    resume: bool,
    progress: bool,
) -> Trajectory:
    if engine not in ENGINES:
        raise ConfigError(f"There is no engine {engine!r}", fix=nearest(str(engine), ENGINES))
    seed = checks.seed(seed)
    atoms = start if isinstance(start, Atoms) else snapshot(start)
    atoms = with_boundaries(atoms, error=PredictionError)
    try:
        calculator = ENGINES[engine](potential)
    except UnsupportedModelError as error:
        if engine == "ase":
            raise
        warnings.warn(f"ASE's integrators and quippy run this: {error.problem}", stacklevel=3)
        engine = "ase"
        with warnings.catch_warnings():  # which would say it once more
            warnings.simplefilter("ignore", UserWarning)
            calculator = ase_calculator(potential)
    check_start(atoms, settings.monitor, calculator)
    checkpoints = None
    if output is not None:
        prefix = Path(output)
        metadata = _identity(calculator, atoms, settings, seed, engine)
        checkpoints = Checkpoints(prefix.with_name(f"{prefix.name}.parts"), metadata, resume=resume)
    elif resume:
        raise ConfigError("Without output there is nothing to resume", fix="give output")
    stepper = _engine(engine, calculator, atoms, seed, settings)
    (run,) = run_engine(
        stepper, [atoms], [seed], settings, checkpoints=checkpoints, progress=progress
    ).runs
    if checkpoints is not None and not run.interrupted:
        write_results(run, prefix)
        checkpoints.clear()
    return run


def _engine(name: str, calculator: Any, atoms: Atoms, seed: int, settings: RunSettings) -> Engine:
    """Return the engine, at the start."""
    if name == "ase":
        return AseEngine(calculator, atoms, seed, settings)
    return CompiledEngine(calculator, [atoms], [seed], settings)


def _identity(
    calculator: Any, atoms: Atoms, settings: RunSettings, seed: int, engine: str
) -> dict[str, Any]:
    """Return what makes a run the same run; how many steps it takes does not."""
    start = hashlib.sha256(atoms.numbers.tobytes())
    for values in (atoms.positions, atoms.cell.array, atoms.get_momenta()):
        start.update(np.ascontiguousarray(values, float).tobytes())
    values = asdict(settings)
    del values["steps"]
    monitor = {f"monitor.{name}": value for name, value in values.pop("monitor").items()}
    path = getattr(calculator, "path", None)
    if isinstance(path, Path) and path.is_file():
        model = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    else:
        model = type(calculator).__name__
    return {
        **values,
        **monitor,
        "seed": seed,
        "engine": engine,
        "model": model,
        "start": start.hexdigest()[:16],
        "checkpoint": 2,  # what a checkpoint holds has changed
    }
