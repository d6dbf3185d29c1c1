"""What one process does for a sweep: fit and judge points that share one K_NM.

The first point is fitted by gap_fit, or its sparse points are chosen by the kit's own engine.
Points that differ in sigma only are then solved from the same K_NM. Nothing here knows of other
processes.
"""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase import Atoms

from helpers.errors import FitError, WorkshopError
from helpers.evaluation import evaluate, rmse
from helpers.frames import label_arrays
from helpers.gap.config import GapConfig
from helpers.gap.fit import estimate_memory_MB, fit_gap
from helpers.gap.model import GapModel
from helpers.gap.process import RUSAGE_UNIT, working_folder
from helpers.gap.training_set import training_set
from helpers.gap.xml import read_model, replace_weights, write_model
from helpers.sweeps.cache import versions

PYTHON_MB = 250.0  # a process with JAX, before it computes

# A Dask worker may call from several threads, and quippy must be used by one at a time.
_ONE_JUDGES = threading.Lock()


@dataclass(frozen=True)
class Task:
    """Points that differ in sigma only, with all that is needed to compute them anywhere.

    Attributes
    ----------
    keys, configs : tuple
        Key and settings of each point.
    training, validation : list of ase.Atoms
        Frames with labels.
    engine : str
        ``"gap_fit"`` or ``"jax"``: what trains the first point.
    judge : str
        ``"validation"`` or ``"trajectories"``: as for `helpers.sweep`.
    sparse_points : bytes or None
        A model file of these frames and settings, with any sigmas; without one, the engine makes
        it.
    versions : dict
        Of the process that asks: others must have the same.
    """

    keys: tuple[str, ...]
    configs: tuple[GapConfig, ...]
    training: list[Atoms] = field(repr=False)
    validation: list[Atoms] = field(repr=False)
    engine: str = "gap_fit"
    judge: str = "validation"
    sparse_points: bytes | None = field(default=None, repr=False)
    versions: dict[str, str] = field(default_factory=versions)


@dataclass(frozen=True)
class Outcome:
    """One point: a result and a model, or the reason why there is none.

    Attributes
    ----------
    key : str
        The point's key.
    result : dict or None
        ``cost`` (method, seconds, memory) and ``errors`` (one dict for each data set).
    model : bytes
        The model file.
    failure : str
        The reason; empty if all went well.
    """

    key: str
    result: dict[str, Any] | None = None
    model: bytes = field(default=b"", repr=False)
    failure: str = ""

    @classmethod
    def failed(cls, key: str, reason: Exception | str) -> Outcome:
        """Return an outcome without a result; the reason stands on one line."""
        text = str(reason)
        if isinstance(reason, Exception) and not isinstance(reason, WorkshopError):
            text = f"{type(reason).__name__}: {reason}"
        return cls(key, failure=" ".join(text.split()))


def compute(task: Task) -> list[Outcome]:
    """Compute the points of a task; one outcome for each."""
    if task.versions != versions():
        reason = f"this worker has other versions: {versions()} instead of {task.versions}"
        return [Outcome.failed(key, reason) for key in task.keys]
    points = list(zip(task.keys, task.configs, strict=True))
    if task.sparse_points is None and task.engine == "jax":
        return _solve_family(points, None, None, task)
    if len(points) == 1 and task.sparse_points is None and task.judge == "validation":
        return [_guarded(_fit_single, *points[0], task)]
    failed = []
    fitted, model = None, task.sparse_points
    while model is None and points:
        fitted = _guarded(_fit_first, *points.pop(0), task)
        model = fitted.model or None
        if model is None:
            failed.append(fitted)
    return failed if model is None else [*failed, *_solve_family(points, fitted, model, task)]


def memory_MB(task: Task) -> float:
    """Return the memory that a task is expected to need, MB (1e6 bytes)."""
    from helpers.gap.jax.requirements import n_sparse_points

    config = task.configs[0]
    need = 0.0
    if task.sparse_points is None and task.engine == "gap_fit":
        with contextlib.suppress(FitError):  # the fit itself will say what is wrong
            need = estimate_memory_MB(config, task.training)
    if len(task.keys) > 1 or task.sparse_points or task.engine == "jax":
        square = 8e-6 * n_sparse_points(config, task.training) ** 2
        # Energies and forces have triangles of their own, and each sigma has one for what is left
        # out.
        several = square * (2 + (len(task.keys) if task.judge == "trajectories" else 0))
        fit = estimate_memory_MB(config, task.training, engine="jax")
        need = max(need, PYTHON_MB + fit + several)
    return need


def _guarded(
    fit: Callable[[str, GapConfig, Task], Outcome], key: str, config: GapConfig, task: Task
) -> Outcome:
    """Fit a point; an error becomes an outcome with its reason."""
    try:
        return fit(key, config, task)
    except Exception as error:
        return Outcome.failed(key, error)


def _fit_first(key: str, config: GapConfig, task: Task) -> Outcome:
    """Fit one point with gap_fit; it is still to be judged."""
    with working_folder() as work:
        path = work.path / "gap.xml"
        plain = config.replace(sparse_separate_file=False)
        fit = fit_gap(plain, task.training, output=path, progress=False)
        cost = {
            "method": "gap_fit",
            "fit_seconds": fit.wall_seconds,
            "peak_memory_MB": fit.peak_memory_MB,
        }
        return Outcome(key, {"cost": cost}, path.read_bytes())


def _fit_single(key: str, config: GapConfig, task: Task) -> Outcome:
    """Fit and judge a point that shares its K_NM with no other."""
    fitted = _fit_first(key, config, task)
    assert fitted.result is not None
    started = time.perf_counter()
    with working_folder() as work, _ONE_JUDGES:
        path = work.path / "gap.xml"
        path.write_bytes(fitted.model)
        errors = []
        for name, frames in _sets(task):
            tables = evaluate(path, frames, processes=1, **config.label_names)
            energy, force = (t["predicted"] - t["true"] for t in (tables.energies, tables.forces))
            errors.append(_error_row(name, energy.to_numpy(), force.to_numpy()))
    seconds = time.perf_counter() - started
    cost = {**fitted.result["cost"], "evaluation_seconds": seconds}
    return replace(fitted, result={"cost": cost, "errors": errors})


def _solve_family(
    points: list[tuple[str, GapConfig]], fitted: Outcome | None, model: bytes | None, task: Task
) -> list[Outcome]:
    """Judge the point that gap_fit made, if any, and solve and judge the others."""
    from helpers.gap.jax.requirements import check_training
    from helpers.gap.jax.sparsification import new_terms
    from helpers.gap.jax.training import compress, with_weights

    started = time.perf_counter()
    try:
        config = points[0][1] if points else task.configs[0]
        if model is None:
            checked = training_set(config, task.training, source="the training frames")
            check_training(config, checked.frames)
            template = new_terms(checked.settings(config), checked.frames)
        else:
            template = _read(model)
        compressed = compress(template, task.training, config)
        solved = [with_weights(template, compressed.weights(config)) for _, config in points]
        prepared = time.perf_counter()
        configs = [*([task.configs[0]] if fitted else []), *(config for _, config in points)]
        models = [*([template] if fitted else []), *solved]
        errors = _errors_of(compressed, models, configs, task)
    except Exception as error:
        keys = [*([fitted.key] if fitted else []), *(key for key, _ in points)]
        return [Outcome.failed(key, error) for key in keys]
    judged_seconds = (time.perf_counter() - prepared) / len(errors)
    outcomes = []
    if fitted is not None:
        assert fitted.result is not None
        cost = {**fitted.result["cost"], "evaluation_seconds": judged_seconds}
        outcomes.append(replace(fitted, result={"cost": cost, "errors": errors.pop(0)}))
    cost = {
        "method": "jax" if model is None and len(points) == 1 else "one K_NM",
        "fit_seconds": (prepared - started) / len(points) if points else 0.0,
        "peak_memory_MB": _own_peak_memory_MB(),
        "evaluation_seconds": judged_seconds,
    }
    text = _text(template)
    for (key, config), solution, rows in zip(points, solved, errors, strict=True):
        line = " ".join(config.to_cfg().split())
        content = replace_weights(text, replace(solution, command_line=line)).encode()
        outcomes.append(Outcome(key, {"cost": cost, "errors": rows}, content))
    return outcomes


def _read(content: bytes) -> GapModel:
    with working_folder() as work:
        path = work.path / "gap.xml"
        path.write_bytes(content)
        return read_model(path)


def _text(model: GapModel) -> str:
    """Return the text of a model file that stands for itself."""
    with working_folder() as work:
        return write_model(model, work.path / "gap.xml").read_text(encoding="ascii")


def _errors_of(
    compressed: Any, models: Sequence[GapModel], configs: Sequence[GapConfig], task: Task
) -> list[list[dict[str, Any]]]:
    """Return the errors of each model on training frames and on frames that it has not seen."""
    from helpers.gap.jax.left_out import left_out_errors

    weights = np.array([model.weights for model in models]).T
    errors = {"training": _prediction_errors(models[0], task.training, weights, configs[0])}
    if task.judge == "trajectories":
        errors["validation"] = left_out_errors(compressed, task.training, configs)
    else:
        errors["validation"] = _prediction_errors(models[0], task.validation, weights, configs[0])
    return [
        [_error_row(name, energy[:, k], force[:, k]) for name, (energy, force) in errors.items()]
        for k in range(len(models))
    ]


def _prediction_errors(
    template: GapModel, frames: Sequence[Atoms], weights: np.ndarray, config: GapConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Return errors of energies, eV per atom, and of forces, eV/Å; a column for each model."""
    from helpers.gap.jax.design_matrix import predictions
    from helpers.gap.regularization_path import isolated_energies

    predicted = predictions(template, frames, weights)
    n_atoms, energies, forces = label_arrays(frames, **config.label_names)
    energies -= isolated_energies(template, frames)
    difference = (predicted.energies - energies[:, None]) / n_atoms[:, None]
    return difference, predicted.forces - forces[:, None]


def _sets(task: Task) -> list[tuple[str, list[Atoms]]]:
    return [("training", task.training), ("validation", task.validation)]


def _error_row(name: str, energy: np.ndarray, force: np.ndarray) -> dict[str, Any]:
    """Return the errors of one data set, from eV per atom and eV/Å to thousandths."""
    return {
        "set": name,
        "rmse_energy_meV_per_atom": 1000 * rmse(energy),
        "mae_energy_meV_per_atom": 1000 * float(np.mean(np.abs(energy))),
        "rmse_forces_meV_per_A": 1000 * rmse(force),
        "mae_forces_meV_per_A": 1000 * float(np.mean(np.abs(force))),
    }


def _own_peak_memory_MB() -> float:
    """Return the peak memory of this process so far: an upper bound for one point."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RUSAGE_UNIT / 1e6
