"""`sweep` and `learning_curve`: a grid of fits → one tidy table, in parallel, resumable."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers import checks
from helpers.errors import DataError
from helpers.files import write_table
from helpers.frames import check_labels, data_files, frames_by_trajectory, load_frames
from helpers.gap.config import GapConfig
from helpers.gap.fit import ENGINES
from helpers.gap.training_set import virial_in_use
from helpers.sweeps.cache import Cache, frames_digest, point_key
from helpers.sweeps.compute import Outcome, Task
from helpers.sweeps.grid import SIGMAS, Point, make_grid
from helpers.sweeps.table import check_table_path
from helpers.terminal import progress_bar

CACHE = "results/cache"
JUDGES = ("validation", "trajectories")
NUMBERS = (
    "rmse_energy_meV_per_atom",
    "mae_energy_meV_per_atom",
    "rmse_forces_meV_per_A",
    "mae_forces_meV_per_A",
    "fit_seconds",
    "evaluation_seconds",
    "peak_memory_MB",
)


def learning_curve(
    config: GapConfig | None = None, *, sizes: Sequence[int] | None = None, **options: Any
) -> pd.DataFrame:
    """Train on more and more frames, and judge each potential on training and validation frames.

    Parameters
    ----------
    config : GapConfig, optional
        The settings; by default the classroom preset.
    sizes : sequence of int, optional
        Training-set sizes; by default all that ship (50, 100, 200, 400), and of your own frames
        an eighth, a quarter, a half, and all.
    **options
        Those of `sweep`: ``repeats``, ``workers``, ``client``, ``cache``, ``output``, …

    Returns
    -------
    DataFrame
        As `sweep` returns it.

    Raises
    ------
    ConfigError, DataError, CacheError, OutputError
        As `sweep` does.
    """
    dataset = options.get("dataset", "water")
    if sizes is None and isinstance(dataset, str):
        sizes = sorted(file.size for file in data_files(dataset) if file.split == "train")
    elif sizes is None:
        n_frames = len(dataset.training)
        sizes = sorted({max(2, n_frames // part) for part in (8, 4, 2, 1)})
    return sweep({}, sizes=sizes, config=config, **options)


def sweep(
    over: Mapping[str, Sequence[Any]],
    *,
    sizes: Sequence[int] = (100,),
    repeats: int = 1,
    config: GapConfig | None = None,
    dataset: str | OwnFrames = "water",
    engine: str = "gap_fit",
    judge: str = "validation",
    cache: str | os.PathLike = CACHE,
    output: str | os.PathLike | None = None,
    workers: int = 1,
    client: Any = None,
    memory_MB: float | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Fit and judge a potential for every combination of settings, sizes and repeats.

    Points that were computed before come from the cache, so a sweep that was stopped, even by
    ``kill -9``, goes on where it was. Points that differ in sigma only cost one fit together: the
    others are solved from the same K_NM (`helpers.gap.regularization_path`).

    Parameters
    ----------
    over : mapping of str to sequence
        Values to try for each setting, such as ``{"cutoff": [3.0, 3.5]}``: see
        `helpers.sweeps.grid.make_grid`.
    sizes : sequence of int
        Training-set sizes, at most that of the largest set that ships.
    repeats : int
        Fits of each point. The first uses the shipped training set; the others draw as many
        frames from the largest one, with their own seeds, which also seed gap_fit.
    config : GapConfig, optional
        All other settings; by default the classroom preset.
    dataset : str or OwnFrames
        Name of the shipped data set, or frames of your own: ``OwnFrames(training, validation)``.
    engine : str
        ``"gap_fit"``, or ``"jax"``: the kit's own, several times faster.
    judge : str
        ``"validation"``: errors on the validation frames. ``"trajectories"``: each trajectory of
        the training frames is predicted by the model of all others (with sparse points of all), and
        no validation frame is needed. These errors, too, are called ``"validation"`` in the table.
    cache : path
        Folder for results and models; several sweeps may share it.
    output : path, optional
        Write the table to this ``.csv`` file.
    workers : int
        Processes on this machine. Fits wait for each other where memory is short.
    client : distributed.Client or str, optional
        A Dask client or the address of a scheduler: compute there instead.
    memory_MB : float, optional
        Memory that the fits on this machine may take together; by default what is free.
    progress : bool
        Show a bar with the time left.

    Returns
    -------
    DataFrame, one row for each point and data set
        What was varied, ``n_frames``, ``repeat``, both sigmas, ``set`` (``"training"``,
        ``"validation"``), ``rmse_energy_meV_per_atom``, ``mae_energy_meV_per_atom``,
        ``rmse_forces_meV_per_A``, ``mae_forces_meV_per_A``, ``method``, ``fit_seconds``,
        ``evaluation_seconds``, ``peak_memory_MB``, ``model_path``, and ``failure``: the reason
        where a point failed, and no numbers, otherwise empty.

    Raises
    ------
    ConfigError
        If the grid is empty, a setting unknown, or a value cannot be used.
    DataError
        If a training-set size does not exist.
    CacheError
        If the cache folder is another version's.
    OutputError
        If cache or output cannot be written. What was computed before stays in the cache.
    """
    checks.whole("workers", workers, 1)
    if memory_MB is not None:
        checks.number("memory_MB", memory_MB, unit="MB")
    checks.one_of("engine", engine, tuple(ENGINES))
    checks.one_of("judge", judge, JUDGES)
    points = make_grid(over, sizes, repeats=repeats, config=config)
    if output is not None:
        check_table_path(output)
    jobs = _Jobs(points, dataset, engine, judge)
    store = Cache(cache)
    results = {key: store.get(key) for key in jobs.keys}
    failures: dict[str, str] = {}
    if tasks := jobs.tasks(results):
        with (
            _Progress(jobs, results, show=progress) as bar,
            contextlib.closing(_outcomes(tasks, workers, client, memory_MB)) as outcomes,
        ):
            for outcome in outcomes:
                if outcome.result is None:
                    failures[outcome.key] = outcome.failure
                else:
                    results[outcome.key] = store.put(outcome.key, outcome.result, outcome.model)
                bar.add(outcome.key)
    rows = [
        row
        for key, point in zip(jobs.keys, points, strict=True)
        for row in _rows(point, results[key], failures.get(key, ""))
    ]
    table = pd.DataFrame(rows)
    if output is not None:
        write_table(output, table, digits=None)
    return table


def training_frames(dataset: str | OwnFrames, size: int, repeat: int) -> list[Atoms]:
    """Return the first frames of the largest training set, for later repeats a random draw from it.

    Frames are drawn without replacement, with the repeat as the seed; of the largest size there is
    only one set, and repeats differ in gap_fit's seed alone. The sets of the first repeat are
    nested: 50, 100 and 200 frames are the sets that ship.

    Raises
    ------
    DataError
        If there are not so many frames.
    """
    if not isinstance(dataset, str):
        return dataset.subset(size, repeat)
    largest = load_frames(dataset, "train")
    if size > len(largest):
        raise DataError(
            f"{dataset!r} has no training set of {size} frames",
            expected=f"at most {len(largest)}",
            fix="choose a smaller size",
        )
    if repeat == 1:
        return largest[:size]
    indices = np.random.default_rng([repeat, size]).choice(len(largest), size, replace=False)
    return [largest[i] for i in sorted(indices)]


@dataclass(frozen=True)
class OwnFrames:
    """Frames of your own for a sweep.

    Attributes
    ----------
    training, validation : sequence of ase.Atoms
        With the labels that the config names. Smaller training sets are drawn from `training`;
        single atoms, whose energies a fit may need, are in all of them.
    groups : sequence, optional
        Trajectory or block of each training frame: smaller sets are made of whole ones, but for
        the last. By default frames are drawn singly.
    """

    training: Sequence[Atoms] = field(repr=False)
    validation: Sequence[Atoms] = field(repr=False)
    groups: Sequence[Hashable] | None = field(default=None, repr=False)

    def subset(self, size: int, repeat: int) -> list[Atoms]:
        """Return a training set of this many frames, which for repeat 1 holds all smaller ones.

        Raises
        ------
        DataError
            If there are not so many.
        """
        alone = [k for k, atoms in enumerate(self.training) if len(atoms) == 1]
        others = [k for k, atoms in enumerate(self.training) if len(atoms) > 1]
        if not len(alone) < size <= len(self.training):
            raise DataError(
                f"There is no training set of {size} frames",
                expected=f"{len(alone) + 1} to {len(self.training)}",
                found=f"{len(others)} frames and {len(alone)} single atoms",
            )
        groups = range(len(self.training)) if self.groups is None else self.groups
        names = list(dict.fromkeys(groups[k] for k in others))
        drawn = np.random.default_rng(repeat).permutation(len(names))
        place = {names[name]: rank for rank, name in enumerate(drawn)}
        order = sorted(others, key=lambda k: place[groups[k]])[: size - len(alone)]
        return [self.training[k] for k in sorted([*alone, *order])]


@dataclass
class _Jobs:
    """Points with their frames and keys, and what is left to do."""

    points: list[Point]
    dataset: str | OwnFrames
    engine: str
    judge: str
    keys: list[str] = field(init=False)

    def __post_init__(self) -> None:
        names = self.points[0].config.label_names.values()
        if isinstance(self.dataset, str):
            self._validation = load_frames(self.dataset, "validate")
        else:
            self._validation = list(self.dataset.validation)
        check_labels(self._validation, *names, source="the validation frames")
        self._training: dict[tuple[int, int], list[Atoms]] = {}
        digests = {}  # of training and validation frames
        validation_digest = frames_digest(self._validation, *names)
        for point in self.points:
            subset = point.n_frames, point.repeat
            if subset not in self._training:
                frames = training_frames(self.dataset, *subset)
                check_labels(frames, *names, source="the training frames")
                if self.judge == "trajectories":
                    frames_by_trajectory(frames)
                self._training[subset] = frames
                digests[subset] = f"{frames_digest(frames, *names)} {validation_digest}"
        self._digests = [digests[point.n_frames, point.repeat] for point in self.points]
        self.keys = [
            self._key(point.config, digest)
            for point, digest in zip(self.points, self._digests, strict=True)
        ]

    def _key(self, config: GapConfig, digest: str) -> str:
        return point_key(config, digest, engine=self.engine, judge=self.judge)

    def tasks(self, results: Mapping[str, dict | None]) -> list[Task]:
        """Return the tasks for all points without a result, the longest first."""
        families: dict[str, list[int]] = {}  # points that differ in sigma only
        for i, (point, digest) in enumerate(zip(self.points, self._digests, strict=True)):
            config = point.config
            virials = any(
                virial_in_use(config, atoms) is not None
                for atoms in self._training[point.n_frames, point.repeat]
            )
            if not virials:  # K_NM has no rows for virials
                config = config.replace(default_sigma=(1.0, 1.0, 0.0, 0.0))
            family = self._key(config, digest)
            families.setdefault(family, []).append(i)
        tasks = [task for group in families.values() if (task := self._task(group, results))]
        return sorted(tasks, key=lambda task: -len(task.training) * (9 + len(task.keys)))

    def _task(self, group: list[int], results: Mapping[str, dict | None]) -> Task | None:
        missing = {self.keys[i]: self.points[i] for i in group if results[self.keys[i]] is None}
        if not missing:
            return None
        known = [result for i in group if (result := results[self.keys[i]]) is not None]
        first = self.points[group[0]]
        return Task(
            keys=tuple(missing),
            configs=tuple(point.config for point in missing.values()),
            training=self._training[first.n_frames, first.repeat],
            validation=self._validation,
            engine=self.engine,
            judge=self.judge,
            sparse_points=Path(known[0]["model_path"]).read_bytes() if known else None,
        )


def _outcomes(
    tasks: list[Task], workers: int, client: Any, memory_MB: float | None
) -> Generator[Outcome, None, None]:
    if client is not None:
        from helpers.sweeps.cluster import run_on_cluster

        return run_on_cluster(tasks, client)
    from helpers.sweeps.processes import run_here

    return run_here(tasks, workers=workers, budget_MB=memory_MB)


class _Progress:
    """A bar over the frames to train on, which is a better clock than points."""

    def __init__(self, jobs: _Jobs, results: Mapping[str, dict | None], *, show: bool) -> None:
        self._sizes = {
            key: point.n_frames for key, point in zip(jobs.keys, jobs.points, strict=True)
        }
        missing = [key for key in self._sizes if results[key] is None]
        self._n_done = len(self._sizes) - len(missing)
        self._bar = progress_bar(
            sum(self._sizes[key] for key in missing),
            self._description,
            show=show,
            bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed} so far, about {remaining} left",
        )

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def add(self, key: str) -> None:
        """Count a point that is done."""
        self._n_done += 1
        self._bar.set_description(self._description, refresh=False)
        self._bar.update(self._sizes[key])

    @property
    def _description(self) -> str:
        return f"{self._n_done} of {len(self._sizes)} points"


def _rows(point: Point, result: dict | None, failure: str) -> list[dict[str, Any]]:
    config = point.config
    settings = {
        **{key: _plain(config, key, value) for key, value in point.values},
        "n_frames": point.n_frames,
        "repeat": point.repeat,
        **{name: getattr(config, name) for name in SIGMAS},
    }
    if result is None:
        nothing = dict.fromkeys(NUMBERS, float("nan"))
        texts = {"method": "", "model_path": "", "failure": failure or "no reason was given"}
        return [
            {**settings, "set": name, **nothing, **texts} for name in ("training", "validation")
        ]
    cost, path = result["cost"], result["model_path"]
    rows = [{**settings, **errors, **cost, "model_path": path} for errors in result["errors"]]
    order = [*settings, "set", *NUMBERS, "method", "model_path"]
    return [{**{name: row[name] for name in order}, "failure": ""} for row in rows]


def _plain(config: GapConfig, key: str, value: Any) -> Any:
    """Return a value as it stands in the table: a number, a text, or sigmas as gap_fit has them."""
    if key == "default_sigma":
        return " ".join(f"{number:g}" for number in config.default_sigma)
    return value if isinstance(value, (int, float, str)) else str(value)
