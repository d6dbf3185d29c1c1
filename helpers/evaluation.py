"""Compare a potential with reference energies and forces: tidy tables of errors, their metrics."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers import checks
from helpers.bootstrap import rmse_interval
from helpers.errors import DataError
from helpers.files import write_atomic
from helpers.frames import ENERGY_NAME, FORCES_NAME, check_labels, forces_label, label
from helpers.terminal import progress_bar

FRAMES_PER_CHUNK = 10  # frames a process evaluates before it reports back
Prediction = tuple[float, np.ndarray, np.ndarray | None]  # energy, forces, virial where wanted
_UPPER = np.triu_indices(3)  # xx, xy, xz, yy, yz, zz


@dataclass(frozen=True)
class Evaluation:
    """Predictions of one potential beside the reference values, and their errors.

    Attributes
    ----------
    energies : DataFrame, one row per frame
        Columns ``frame``, ``n_atoms``, ``true`` and ``predicted``, eV per atom.
    forces : DataFrame, one row per force component
        Columns ``frame``, ``atom``, ``element``, ``axis``, ``true`` and ``predicted``, eV/Å.
    virials : DataFrame or None, six rows per frame that is labeled with a virial
        Columns ``frame``, ``axis`` (``"xx"``, …), ``true`` and ``predicted``, eV per atom; None if
        there is no such frame, or the potential tells no stress.
    """

    energies: pd.DataFrame = field(repr=False)
    forces: pd.DataFrame = field(repr=False)
    virials: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def rmse_energy_meV_per_atom(self) -> float:
        """Root mean square error of the energies, meV per atom."""
        return _metrics(self.energies)["rmse"]

    @property
    def mae_energy_meV_per_atom(self) -> float:
        """Mean absolute error of the energies, meV per atom."""
        return _metrics(self.energies)["mae"]

    @property
    def rmse_forces_meV_per_A(self) -> float:
        """Root mean square error of the force components, meV/Å."""
        return _metrics(self.forces)["rmse"]

    @property
    def mae_forces_meV_per_A(self) -> float:
        """Mean absolute error of the force components, meV/Å."""
        return _metrics(self.forces)["mae"]

    def summary(self, groups: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a tidy table of errors, one row per quantity and element.

        Parameters
        ----------
        groups : sequence of str, optional
            Trajectory of each frame. With it the RMSE has 95 % intervals, from resampling whole
            trajectories (percentile bootstrap, 2000 times, seed 0): frames of one resemble each
            other, so that resampling single frames would make the intervals too narrow.

        Returns
        -------
        DataFrame
            Columns ``quantity``, ``element`` (``"all"`` or a symbol), ``unit``, ``n``, ``rmse``,
            ``mae``, ``max_error``, ``spread`` (standard deviation of the true values), and with
            `groups` ``rmse_low`` and ``rmse_high``; in meV per atom and meV/Å. Virials (meV per
            atom) are a row where they were compared.
        """
        rows = [
            {"quantity": "energy", "element": "all", "unit": "meV/atom"}
            | _metrics(self.energies, groups)
        ]
        elements = [("all", self.forces), *self.forces.groupby("element", sort=True)]
        rows += [
            {"quantity": "force", "element": element, "unit": "meV/Å"} | _metrics(table, groups)
            for element, table in elements
        ]
        if self.virials is not None:
            rows.append(
                {"quantity": "virial", "element": "all", "unit": "meV/atom"}
                | _metrics(self.virials, groups)
            )
        return pd.DataFrame(rows)

    def to_csv(self, path: str | os.PathLike) -> Path:
        """Write true and predicted values, whole or not at all: one row per energy and component.

        Columns ``quantity``, ``frame``, ``element``, ``axis``, ``unit``, ``true``, ``predicted``;
        energies and virials in eV per atom, forces in eV/Å.
        """
        energies = self.energies.assign(quantity="energy", unit="eV/atom", element="", axis="")
        forces = self.forces.assign(quantity="force", unit="eV/Å")
        columns = ["quantity", "frame", "element", "axis", "unit", "true", "predicted"]
        tables = [energies[columns], forces[columns]]
        if self.virials is not None:
            virials = self.virials.assign(quantity="virial", unit="eV/atom", element="")
            tables.append(virials[columns])
        table = pd.concat(tables)
        return write_atomic(path, table.to_csv(index=False, float_format="%.8f"))

    def __str__(self) -> str:
        text = (
            f"{len(self.energies)} frames: RMSE {self.rmse_energy_meV_per_atom:.2f} meV/atom, "
            f"{self.rmse_forces_meV_per_A:.1f} meV/Å"
        )
        if self.virials is not None:
            text += f", virials {_metrics(self.virials)['rmse']:.2f} meV/atom"
        return text


def evaluate(
    potential: Any,
    frames: Sequence[Atoms],
    *,
    energy_name: str = ENERGY_NAME,
    forces_name: str = FORCES_NAME,
    processes: int | None = None,
    progress: bool = False,
) -> Evaluation:
    """Compare a potential with the reference energies and forces of frames.

    Parameters
    ----------
    potential : path, QuippyCalculator or another ASE calculator
        What `load_potential` takes or returns. A path is evaluated with quippy, for which
        nothing has to be compiled. Other calculators run in this process only.
    frames : sequence of ase.Atoms
        Labeled frames, such as ``load_frames("water", "validate")``. They are not changed. Virials
        (``info["virial"]`` or ASE's stress) of frames that are periodic along all axes are
        compared, too.
    energy_name, forces_name : str
        Names of the labels (eV; eV/Å).
    processes : int, optional
        Processes to share the work with quippy; by default one per core, fewer for few frames.
        Never threads, which give wrong energies with quippy. JAX works in this process.
    progress : bool
        Show a bar.

    Returns
    -------
    Evaluation
        Tables and metrics.

    Raises
    ------
    DataError
        If there are no frames, one lacks a label, or its virial cannot be used.
    ConfigError
        If `processes` is not a whole number above 0.
    ModelFileError, PredictionError
        If the model file is damaged, or does not know an element of the frames.
    """
    from helpers.gap.potential import load_potential
    from helpers.gap.quippy_calculator import QuippyCalculator

    frames = _labeled(frames, energy_name, forces_name)
    if isinstance(potential, (str, os.PathLike)):
        potential = load_potential(potential, engine="quippy")
    n_processes = _number_of_processes(processes, len(frames))
    bare = [_without_labels(atoms) for atoms in frames]
    labels = _virial_labels(potential, frames)
    wanted = [k in labels for k in range(len(frames))]
    if n_processes > 1 and isinstance(potential, QuippyCalculator):
        potential.check_frames(frames)
        parts = _in_processes(potential.path, bare, wanted, n_processes)
    elif hasattr(potential, "predict_frames"):
        parts = iter([_with_virials(potential, bare, wanted)])
    else:
        pairs = zip(bare, wanted, strict=True)
        parts = ([_predict(potential, atoms, virial)] for atoms, virial in pairs)
    predictions: list[Prediction] = []
    with progress_bar(len(frames), "evaluating", "frame", show=progress) as bar:
        for part in parts:
            predictions += part
            bar.update(len(part))
    return Evaluation(
        energies=_energy_table(frames, predictions, energy_name),
        forces=_force_table(frames, predictions, forces_name),
        virials=_virial_table(frames, predictions, labels) if labels else None,
    )


def evaluate_together(
    paths: Sequence[str | os.PathLike],
    frames: Sequence[Atoms],
    *,
    energy_name: str = ENERGY_NAME,
    forces_name: str = FORCES_NAME,
) -> list[Evaluation]:
    """Compare several GAPs with the same frames, such as all models of a sweep over sigma.

    Models that have their sparse points in common are predicted from one set of kernels, which
    takes little longer than a single model.

    Parameters
    ----------
    paths : sequence of path
        Model files.
    frames : sequence of ase.Atoms
        Labeled frames.
    energy_name, forces_name : str
        Names of the labels (eV; eV/Å).

    Returns
    -------
    list of Evaluation
        In the order of `paths`.

    Raises
    ------
    DataError
        If there are no frames, or one lacks a label.
    ModelFileError, UnsupportedModelError, PredictionError
        If a model is damaged, holds terms that JAX cannot evaluate, or does not know an element.
    """
    from helpers.gap.jax.design_matrix import predictions
    from helpers.gap.regularization_path import isolated_energies
    from helpers.gap.xml import read_model

    frames = _labeled(frames, energy_name, forces_name)
    models = [read_model(path) for path in paths]
    families: dict[tuple, list[int]] = {}
    for k, model in enumerate(models):
        terms = (
            (term.descriptor, term.delta, term.sparse_points.tobytes()) for term in model.terms
        )
        families.setdefault(tuple(terms), []).append(k)
    ends = 3 * np.cumsum([len(atoms) for atoms in frames])[:-1]
    evaluations: dict[int, Evaluation] = {}
    for members in families.values():
        first = models[members[0]]
        weights = np.array([models[k].weights for k in members]).T
        predicted = predictions(first, [_without_labels(atoms) for atoms in frames], weights)
        isolated = isolated_energies(first, frames)
        for column, k in enumerate(members):
            forces = np.split(predicted.forces[:, column], ends)
            energies = predicted.energies[:, column] + isolated
            pairs = zip(energies, forces, strict=True)
            predictions_of_k: list[Prediction] = [(energy, force, None) for energy, force in pairs]
            evaluations[k] = Evaluation(
                energies=_energy_table(frames, predictions_of_k, energy_name),
                forces=_force_table(frames, predictions_of_k, forces_name),
            )
    return [evaluations[k] for k in range(len(models))]


def _labeled(frames: Sequence[Atoms], energy_name: str, forces_name: str) -> list[Atoms]:
    """Return frames as a list, or raise `DataError` if there are none or one lacks a label."""
    frames = list(frames)
    if not frames:
        raise DataError("There are no frames to evaluate", expected="at least one labeled frame")
    check_labels(frames, energy_name, forces_name, energies_suffice=True)
    return frames


def rmse(errors: np.ndarray) -> float:
    """Return the root mean square of errors, in their unit."""
    return float(np.sqrt(np.mean(np.square(errors))))


def _energy_table(frames: list[Atoms], predictions: list[Prediction], name: str) -> pd.DataFrame:
    n_atoms = np.array([len(atoms) for atoms in frames])
    return pd.DataFrame(
        {
            "frame": np.arange(len(frames)),
            "n_atoms": n_atoms,
            "true": np.array([float(label(atoms, name)) for atoms in frames]) / n_atoms,
            "predicted": np.array([energy for energy, _, _ in predictions]) / n_atoms,
        }
    )


def _force_table(frames: list[Atoms], predictions: list[Prediction], name: str) -> pd.DataFrame:
    """Return the components of all frames that have forces as labels."""
    labels = [forces_label(atoms, name) for atoms in frames]
    known = [i for i, forces in enumerate(labels) if forces is not None]
    n_atoms = [len(frames[i]) for i in known]
    return pd.DataFrame(
        {
            "frame": np.repeat(known, 3 * np.array(n_atoms)),
            "atom": np.concatenate([np.repeat(np.arange(n), 3) for n in n_atoms]),
            "element": np.concatenate([np.repeat(list(frames[i].symbols), 3) for i in known]),
            "axis": np.tile(["x", "y", "z"], sum(n_atoms)),
            "true": np.concatenate([np.ravel(labels[i]) for i in known]),
            "predicted": np.concatenate([predictions[i][1].ravel() for i in known]),
        }
    )


def _virial_labels(potential: Any, frames: list[Atoms]) -> dict[int, np.ndarray]:
    """Return the virials (eV) of the frames that have one with which a stress can be compared."""
    from helpers.gap.training_set import virial_label

    if "stress" not in getattr(potential, "implemented_properties", ()):
        return {}
    labels = {
        k: virial_label(atoms, f"Frame {k}") for k, atoms in enumerate(frames) if atoms.pbc.all()
    }
    return {k: virial for k, virial in labels.items() if virial is not None}


def _virial_table(
    frames: list[Atoms], predictions: list[Prediction], labels: dict[int, np.ndarray]
) -> pd.DataFrame:
    """Return six components of each labeled frame, eV per atom."""
    tables = []
    for k, virial in labels.items():
        predicted = predictions[k][2]
        assert predicted is not None
        components = {"true": virial[_UPPER], "predicted": predicted[_UPPER]}
        table = pd.DataFrame(components) / len(frames[k])
        tables.append(table.assign(frame=k, axis=["xx", "xy", "xz", "yy", "yz", "zz"]))
    return pd.concat(tables, ignore_index=True)


def _metrics(table: pd.DataFrame, groups: Sequence[str] | None = None) -> dict[str, float]:
    """Return RMSE, MAE, … of a table in thousandths of its unit (meV)."""
    errors = 1000 * (table["predicted"] - table["true"]).to_numpy()
    metrics = {
        "n": len(errors),
        "rmse": rmse(errors),
        "mae": float(np.mean(np.abs(errors))),
        "max_error": float(np.max(np.abs(errors))),
        "spread": 1000 * float(np.std(table["true"])),
    }
    if groups is not None:
        of_group = np.asarray(groups)[table["frame"]]
        metrics["rmse_low"], metrics["rmse_high"] = rmse_interval(errors, of_group)
    return metrics


def _without_labels(atoms: Atoms) -> Atoms:
    """Return only what a calculator needs: less to send to another process."""
    return Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def _predict(calculator: Any, atoms: Atoms, virial: bool) -> Prediction:
    atoms.calc = calculator
    forces = atoms.get_forces()
    return float(atoms.get_potential_energy()), forces, _virial(calculator, atoms, virial)


def _virial(calculator: Any, atoms: Atoms, wanted: bool) -> np.ndarray | None:
    if not wanted:
        return None
    atoms.calc = calculator
    return -atoms.get_volume() * atoms.get_stress(voigt=False)


def _with_virials(calculator: Any, frames: list[Atoms], wanted: list[bool]) -> list[Prediction]:
    predictions = calculator.predict_frames(frames)
    return [
        (energy, forces, _virial(calculator, atoms, virial))
        for (energy, forces), atoms, virial in zip(predictions, frames, wanted, strict=True)
    ]


def _number_of_processes(processes: int | None, n_frames: int) -> int:
    if processes is None:
        from joblib import cpu_count  # of those that this process may use

        return max(1, min(cpu_count(), n_frames // FRAMES_PER_CHUNK))
    checks.whole("processes", processes, 1)
    return processes


def _in_processes(
    model: Path, frames: list[Atoms], wanted: list[bool], n_processes: int
) -> Iterator[list[Prediction]]:
    """Evaluate chunks of frames in processes that stay ready for the next call."""
    from joblib import Parallel, delayed

    # Small enough that all processes end together, large enough that sending costs nothing.
    size = min(FRAMES_PER_CHUNK, -(-len(frames) // n_processes))
    pairs = list(zip(frames, wanted, strict=True))
    chunks = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    stamp = model.stat().st_mtime_ns
    return Parallel(n_jobs=n_processes, return_as="generator", batch_size=1)(
        delayed(_predict_chunk)(model, stamp, chunk) for chunk in chunks
    )


def _predict_chunk(model: Path, stamp: int, chunk: list[tuple[Atoms, bool]]) -> list[Prediction]:
    calculator = _calculator_of_this_process(model, stamp)
    return [_predict(calculator, atoms, virial) for atoms, virial in chunk]


@functools.lru_cache(maxsize=1)
def _calculator_of_this_process(model: Path, stamp: int) -> Any:
    from helpers.gap.potential import load_potential

    return load_potential(model, engine="quippy")
