"""The stages of the handout on the shipped water, and how much work each preset puts into them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.errors import CheckpointError
from helpers.frames import data_files, find_frames_file
from helpers.gap.command import quick_config, run_main_job
from helpers.gap.config import GapConfig
from helpers.md.command import run_md_job
from helpers.pipeline.stages import Stage
from helpers.raman.command import run_raman_job
from helpers.sagpr.command import MODEL_NAME, run_polarizability_job
from helpers.sweeps.command import run_learning_curve_job, run_sweep_job

TIMESTEP_FS = 0.5
TEMPERATURE_K = 300.0
ENSEMBLES = {"nve": "energy", "nvt": "temperature"}  # and what is constant
POTENTIAL_FILES = (
    *("gap.xml", "gap_config.cfg", "summary.csv", "training_cost.csv"),
    *("train_errors.csv", "validation_errors.csv"),
)


@dataclass(frozen=True)
class Preset:
    """How much work the stages are.

    Attributes
    ----------
    config : GapConfig
        The potential.
    sizes, repeats : tuple of int, int
        Of the learning curve.
    sigmas_eV_per_atom : tuple of float
        Expected errors of the energies that the sweep compares.
    dynamics_ps : float
        Length of each of the runs at constant energy and at constant temperature.
    seeds : int
        Random splits for the errors of the polarizability.
    raman_ps, replicas, resolution_per_cm : float, int, float
        Length of all runs behind the spectrum, their number, the distance of its points.
    seconds : mapping of str to float
        What each stage takes on two cores, about.
    """

    config: GapConfig
    sizes: tuple[int, ...]
    repeats: int
    sigmas_eV_per_atom: tuple[float, ...]
    dynamics_ps: float
    seeds: int
    raman_ps: float
    replicas: int
    resolution_per_cm: float
    seconds: Mapping[str, float] = field(default_factory=dict)


SIGMAS = (1e-5, 1e-4, 1e-3, 1e-2)
PRESETS: dict[str, Callable[[], Preset]] = {
    "quick": lambda: Preset(quick_config(), (50, 100), 1, SIGMAS[1:3], 0.2, 2, 2.4, 2, 160.0),
    "fast": lambda: Preset(
        GapConfig(),
        (50, 100, 200),
        1,
        SIGMAS,
        12.0,
        3,
        8.0,
        4,
        60.0,
        {"potential": 22, "learning-curve": 38, "sigmas": 14, "nve": 36, "nvt": 30}
        | {"polarizability": 36, "raman": 43},
    ),
    "accurate": lambda: Preset(
        GapConfig.accurate(),
        (50, 100, 200, 400),
        3,
        SIGMAS,
        40.0,
        5,
        40.0,
        8,
        30.0,
        {"potential": 120, "learning-curve": 600, "sigmas": 120, "nve": 300, "nvt": 300}
        | {"polarizability": 120, "raman": 900},
    ),
}


def handout_stages(
    preset: Preset,
    *,
    temperature_K: float = TEMPERATURE_K,
    engine: str = "jax",
    progress: bool = True,
) -> list[Stage]:
    """Return the stages of the handout.

    Parameters
    ----------
    preset : Preset
    temperature_K : float
        Of the dynamics and of the spectrum.
    engine : str
        What trains the potentials, ``"jax"`` or ``"gap_fit"``.
    progress : bool
        Whether the stages show bars of their own.
    """
    config = preset.config
    validation = _files("validate")
    stage = partial(make_stage, preset)
    potential = {"config": config.to_cfg(), "engine": engine}

    def train(folder: Path) -> None:
        train_potential(config, folder, engine=engine, progress=progress)

    def learning(folder: Path) -> None:
        run_learning_curve_job(
            config,
            folder,
            sizes=preset.sizes,
            repeats=preset.repeats,
            engine=engine,
            progress=progress,
        )

    def sigmas(folder: Path) -> None:
        over = {"sigma_energy_eV_per_atom": list(preset.sigmas_eV_per_atom)}
        size = n_training_frames(config)
        run_sweep_job(over, config, folder, sizes=[size], engine=engine, progress=progress)

    def polarizability(folder: Path) -> None:
        run_polarizability_job(folder, seeds=range(preset.seeds), progress=progress)

    frames_file = find_frames_file(config.atoms_filename)
    return [
        stage(
            "potential",
            "Training the potential",
            train,
            settings=potential,
            reads=(frames_file, *validation),
            writes=POTENTIAL_FILES,
        ),
        stage(
            "learning-curve",
            "Learning curve",
            learning,
            settings={**potential, "sizes": preset.sizes, "repeats": preset.repeats},
            reads=(*_files("train"), *validation),
            writes=("learning_curve.csv",),
        ),
        stage(
            "sigmas",
            "Regularization",
            sigmas,
            settings={**potential, "sigmas": preset.sigmas_eV_per_atom},
            reads=(frames_file, *validation),
            writes=("sweep.csv",),
        ),
        *dynamics_stages(preset, temperature_K=temperature_K, progress=progress),
        stage(
            "polarizability",
            "Polarizabilities",
            polarizability,
            settings={"seeds": preset.seeds},
            reads=_files("train"),
            writes=(MODEL_NAME, "polarizability_errors.csv", "polarizability_curve.csv"),
        ),
        raman_stage(
            preset,
            writes=("raman.csv", "raman_bands.csv", "raman_polarizabilities.npy"),
            temperature_K=temperature_K,
            progress=progress,
        ),
    ]


def make_stage(
    preset: Preset, name: str, title: str, work: Callable[[Path], None], **options: Any
) -> Stage:
    """Return a stage that takes the time that the preset says."""
    return Stage(name, title, work, seconds=preset.seconds.get(name, 10.0), **options)


def train_potential(config: GapConfig, folder: Path, **options: Any) -> None:
    """Train and evaluate; options are those of `run_main_job`."""
    run_main_job(config, folder, **options)
    for ensemble in ENSEMBLES:  # a run that was interrupted is none of this model
        shutil.rmtree(folder / f"{ensemble}.parts", ignore_errors=True)


def dynamics_stages(
    preset: Preset,
    *,
    temperature_K: float = TEMPERATURE_K,
    timestep_fs: float = TIMESTEP_FS,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[Stage]:
    """Return the stages of molecular dynamics with the trained potential.

    Parameters
    ----------
    preset : Preset
    temperature_K, timestep_fs : float
    settings : mapping, optional
        What else the runs depend on.
    **options
        Those of `run_md_job`.
    """
    steps = round(1000 * preset.dynamics_ps / timestep_fs)

    def run(ensemble: str, folder: Path) -> None:
        cost = pd.read_csv(folder / "training_cost.csv").iloc[0]
        do = partial(
            run_md_job,
            folder / "gap.xml",
            folder,
            ensemble=ensemble,
            steps=steps,
            timestep_fs=timestep_fs,
            temperature_K=temperature_K,
            training_frames=int(cost["n_frames"]),
            training_seconds=float(cost["wall_seconds"]),
            **options,
        )
        parts = folder / f"{ensemble}.parts"
        try:
            do(resume=parts.exists())
        except CheckpointError:  # damaged, or of a run with other settings
            shutil.rmtree(parts, ignore_errors=True)
            do()

    return [
        make_stage(
            preset,
            ensemble,
            f"Dynamics at constant {what}",
            partial(run, ensemble),
            settings={**(settings or {}), "steps": steps, "temperature_K": temperature_K},
            needs=("potential",),
            writes=(f"{ensemble}.log", f"{ensemble}.xyz", f"{ensemble}.traj"),
        )
        for ensemble, what in ENSEMBLES.items()
    ]


def raman_stage(
    preset: Preset,
    *,
    writes: tuple[str, ...],
    temperature_K: float = TEMPERATURE_K,
    no_basis: str = "",
    **options: Any,
) -> Stage:
    """Return the stage of the Raman spectrum; options are those of `run_raman_job`."""

    def run(folder: Path) -> None:
        run_raman_job(
            folder / "gap.xml",
            folder,
            model=folder / MODEL_NAME,
            picoseconds=preset.raman_ps,
            replicas=preset.replicas,
            resolution_per_cm=preset.resolution_per_cm,
            temperature_K=temperature_K,
            **options,
        )

    return make_stage(
        preset,
        "raman",
        "Raman spectrum",
        run,
        settings={
            "ps": preset.raman_ps,
            "replicas": preset.replicas,
            "resolution": preset.resolution_per_cm,
            "temperature_K": temperature_K,
        },
        needs=("potential", "polarizability"),
        writes=writes,
        no_basis=no_basis,
    )


def n_training_frames(config: GapConfig) -> int:
    """Return how many shipped frames a preset is trained on."""
    for file in data_files("water"):
        if file.split == "train" and file.path.name == config.atoms_filename:
            return file.size
    raise AssertionError(config.atoms_filename)


def _files(split: str) -> tuple[Path, ...]:
    return tuple(file.path for file in data_files("water") if file.split == split)
