"""Datasets of trajectories of pairs of rigid bodies; those of hexagons are made here.

A dataset is a folder with ``train/``, ``validation/`` and ``test/``, one ``run_NNNN.npz`` for each
run, and ``dataset.json`` with the settings, the units and a SHA-256 of each file. The splits are
by run: frames of one run are no independent test.

Hexagons: Lennard-Jones units, ε = σ = m = kB = 1. Bodies are thermalized in a Langevin bath, each
of their twelve degrees of freedom at kT, then run at constant energy.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helpers import checks
from helpers.coarse_grained.bead_potential import BeadSum
from helpers.coarse_grained.bodies import BODIES, Body, RigidTrajectory, hexagon
from helpers.coarse_grained.pair_sum import Spring, pair_force_field
from helpers.coarse_grained.quaternions import check_unit
from helpers.coarse_grained.rigid_dynamics import run_bodies, thermal_momenta
from helpers.errors import DataError
from helpers.files import make_folder, write_atomic
from helpers.jax_setup import double_precision
from helpers.terminal import progress_bar

SPLITS = ("train", "validation", "test")
THERMALIZATION = 20.0  # τ
CHUNK = 50  # runs at the same time


@dataclass(frozen=True)
class DatasetSettings(checks.Settings):
    """What is simulated: two bodies held together by a spring.

    The defaults are those of the published set of hexagons, in Lennard-Jones units (the spring is
    K = 10 kT/r_in², r_in the inner radius of the beads' repulsion).

    Attributes
    ----------
    n_runs : int
        Divided into training, validation and test runs as 80:10:10, at least one of each.
    duration : float
        Length of a run.
    interval : float
        Time between two frames.
    timestep : float
    kT : float
    spring_stiffness, spring_length : float
    seed : int

    Raises
    ------
    ConfigError
        If a value cannot be used.
    """

    n_runs: int = 100
    duration: float = 100.0
    interval: float = 0.01
    timestep: float = 0.001
    kT: float = 2.5
    spring_stiffness: float = 21.99
    spring_length: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        checks.whole("n_runs", self.n_runs, 3)
        for name in ("duration", "interval", "timestep", "kT", "spring_stiffness"):
            checks.number(name, getattr(self, name))
        checks.number("spring_length", self.spring_length, positive=False)
        checks.seed(self.seed)
        steps = self.interval / self.timestep
        if abs(steps - round(steps)) > 1e-6 or round(steps) < 1:
            checks.refuse("interval", self.interval, f"a multiple of timestep={self.timestep}")
        if round(self.duration / self.interval) < 1:
            checks.refuse("duration", self.duration, f"at least one interval ({self.interval})")

    @property
    def spring(self) -> Spring:
        """The spring between the mass centers."""
        return Spring(self.spring_stiffness, self.spring_length)


@dataclass(frozen=True)
class Dataset:
    """A dataset in memory.

    Attributes
    ----------
    settings : DatasetSettings
    body : Body
    splits : dict of str to RigidTrajectory
        For ``"train"``, ``"validation"``, ``"test"``; with an axis for the runs in front of the
        arrays: poses (n_runs, n_times, 2, 7), momenta (n_runs, n_times, 2, 6), energies (n_runs,
        n_times), forces (n_runs, n_times, 2, 6) where they were recorded.
    cutoff : float
        Distance of the centers from which on only the spring acts.
    """

    settings: DatasetSettings
    body: Body
    splits: dict[str, RigidTrajectory]
    cutoff: float


def make_dataset(
    folder: str | os.PathLike,
    settings: DatasetSettings | None = None,
    *,
    progress: bool = True,
) -> Path:
    """Simulate all runs and write the dataset; the folder is made if its parent exists.

    Parameters
    ----------
    folder : path
    settings : DatasetSettings, optional
        By default the published ones: 100 runs of 100 τ.
    progress : bool

    Returns
    -------
    Path
        The folder. ``dataset.json`` is written last: without it the dataset is not complete.

    Raises
    ------
    DataError
        If there is a dataset already.
    OutputError
        If nothing can be written there.
    """
    settings = settings or DatasetSettings()
    folder = _new_folder(folder)
    chunks = []
    with progress_bar(settings.n_runs, "dataset", "runs", show=progress) as bar:
        for first in range(0, settings.n_runs, CHUNK):
            n_runs = min(CHUNK, settings.n_runs - first)
            chunks.append(_simulate(settings, n_runs, settings.seed + first))
            bar.update(n_runs)
    body = hexagon()
    parts = {
        name: np.moveaxis(np.concatenate([getattr(one, name) for one in chunks], axis=1), 1, 0)
        for name in ("poses", "momenta", "energies")
    }
    return write_dataset(
        folder,
        Dataset(
            settings,
            body,
            split_runs(RigidTrajectory(chunks[0].times, **parts)),
            BeadSum(body).cutoff,
        ),
        {
            "units": "Lennard-Jones: epsilon = sigma = bead mass = kB = 1",
            "potential": "sum over beads of lj/smooth (0.95 · 2^(1/6), 2^(1/6)), and the spring",
            "temperature": "kT for each of 12 degrees of freedom; the whole pair is at rest at "
            "first",
        },
    )


def split_runs(runs: RigidTrajectory) -> dict[str, RigidTrajectory]:
    """Divide runs, whose axis is in front, into training, validation and test as 80:10:10."""
    n_runs = len(runs.poses)
    n_aside = max(1, round(0.1 * n_runs))
    edges = np.cumsum([0, n_runs - 2 * n_aside, n_aside, n_aside])
    return {
        split: RigidTrajectory(
            runs.times, **{name: values[first:last] for name, values in _recorded(runs).items()}
        )
        for split, first, last in zip(SPLITS, edges[:-1], edges[1:], strict=True)
    }


def write_dataset(folder: str | os.PathLike, dataset: Dataset, about: Mapping[str, str]) -> Path:
    """Write a dataset that `load_dataset` reads; the folder is made if its parent exists.

    Parameters
    ----------
    folder : path
    dataset : Dataset
        Of a body in `bodies.BODIES`.
    about : mapping of str to str
        Further entries of ``dataset.json``: units, potential, source, license, …

    Returns
    -------
    Path
        The folder. ``dataset.json`` is written last: without it the dataset is not complete.

    Raises
    ------
    ConfigError
        If the body is none of `bodies.BODIES`.
    DataError
        If there is a dataset already.
    OutputError
        If nothing can be written there.
    """
    folder = _new_folder(folder)
    body = dataset.body
    checks.one_of("body", body.name, tuple(BODIES))
    checksums: dict[str, str] = {}
    for split, runs in dataset.splits.items():
        for k in range(len(runs.poses)):
            name = f"{split}/run_{len(checksums):04d}.npz"
            (folder / split).mkdir(exist_ok=True)
            values = {name: values[k] for name, values in _recorded(runs).items()}
            content = _packed(times=runs.times, **values)
            write_atomic(folder / name, content)
            checksums[name] = hashlib.sha256(content).hexdigest()
    metadata = {
        "settings": asdict(dataset.settings),
        "body": {"name": body.name, "mass": body.mass, "inertia": body.inertia.tolist()},
        "cutoff": dataset.cutoff,
        **about,
        "poses": "mass center x y z, quaternion w x y z (body to space)",
        "momenta": "linear momentum in space, angular momentum in the frame of the body",
        "sha256": checksums,
    }
    write_atomic(folder / "dataset.json", json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
    return folder


def load_dataset(folder: str | os.PathLike) -> Dataset:
    """Read a dataset and compare its files with their checksums.

    Raises
    ------
    DataError
        If the folder is no dataset, or a file is missing or was changed.
    """
    folder = Path(folder)
    try:
        metadata = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        settings = DatasetSettings(**metadata["settings"])
        checksums = dict(metadata["sha256"])
        body = BODIES[metadata["body"]["name"]]()
        if body.name == "hexagon":  # older sets do not state it
            metadata.setdefault("cutoff", BeadSum(body).cutoff)
        cutoff = float(metadata["cutoff"])
    except OSError as error:
        raise DataError(
            f"{folder} is no dataset: there is no dataset.json",
            fix=f"make one: mlmd coarse-data {folder}",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / 'dataset.json'} is damaged ({error})") from error
    rows: dict[str, list[dict[str, np.ndarray]]] = {split: [] for split in SPLITS}
    for name in sorted(checksums):
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"{folder / name} is missing", fix="make the dataset again") from error
        if hashlib.sha256(content).hexdigest() != checksums[name]:
            raise DataError(
                f"{folder / name} is not what dataset.json says",
                expected=f"SHA-256 {checksums[name][:12]}…",
                fix="make the dataset again",
            )
        rows[name.split("/")[0]].append(dict(np.load(io.BytesIO(content), allow_pickle=False)))
    missing = [split for split, found in rows.items() if not found]
    if missing:
        raise DataError(f"{folder} has no runs for {', '.join(missing)}")
    splits = {split: _stacked(found) for split, found in rows.items()}
    for one in splits.values():
        check_unit(one.poses[..., 3:])
    return Dataset(settings, body, splits, cutoff)


def _simulate(settings: DatasetSettings, n_runs: int, seed: int) -> RigidTrajectory:
    """Return runs with an axis for them after that of times."""
    body = hexagon()
    rng = np.random.default_rng(seed)
    field = pair_force_field(BeadSum(body), settings.spring)
    quaternions = rng.normal(size=(n_runs, 2, 4))
    quaternions /= np.linalg.norm(quaternions, axis=-1, keepdims=True)
    centers = np.zeros((n_runs, 2, 3))
    centers[:, 1, 0] = 2 * body.radius + 1.2  # no two beads touch, however the bodies are turned
    noise = rng.normal(size=(n_runs, 2, 6))
    with double_precision():
        momenta = np.asarray(thermal_momenta(body, settings.kT, noise))
    common: dict[str, Any] = {"timestep": settings.timestep, "kT": settings.kT, "seed": seed}
    steps = round(THERMALIZATION / settings.timestep)
    poses = np.concatenate([centers, quaternions], -1)
    warm = run_bodies(
        field, body, poses, momenta, method="langevin", steps=steps, record_every=steps, **common
    )
    momenta = warm.momenta[-1].copy()
    momenta[..., :3] -= momenta[..., :3].mean(-2, keepdims=True)
    every = round(settings.interval / settings.timestep)
    return run_bodies(
        field,
        body,
        warm.poses[-1],
        momenta,
        steps=every * round(settings.duration / settings.interval),
        record_every=every,
        **common,
    )


def _new_folder(folder: str | os.PathLike) -> Path:
    folder = make_folder(folder)
    if (folder / "dataset.json").exists():
        raise DataError(f"{folder} holds a dataset already", fix="choose another folder")
    return folder


def _recorded(runs: RigidTrajectory) -> dict[str, np.ndarray]:
    """Return the arrays of runs by name; forces only where there are any."""
    names = ["poses", "momenta", "energies"]
    names += ["forces"] if runs.forces is not None else []
    return {name: getattr(runs, name) for name in names}


def _packed(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _stacked(runs: list[dict[str, np.ndarray]]) -> RigidTrajectory:
    names = [name for name in ("poses", "momenta", "energies", "forces") if name in runs[0]]
    arrays = {name: np.stack([run[name] for run in runs]) for name in names}
    return RigidTrajectory(runs[0]["times"], **arrays)
