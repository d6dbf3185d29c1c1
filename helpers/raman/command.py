"""``mlmd raman``: a Raman spectrum from molecular dynamics and predicted polarizabilities."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from sklearn.utils.validation import check_is_fitted

from helpers import checks
from helpers.datasets import is_water
from helpers.errors import DataError
from helpers.files import check_writable, make_folder, write_array, write_table
from helpers.frames import load_frames
from helpers.md.phase import Phase, judge_phase
from helpers.md.trajectory import Trajectory
from helpers.raman.dynamics import (
    INTERVAL_FS,
    TIMESTEP_FS,
    mean_vibrations,
    planned_steps,
    thermal_runs,
)
from helpers.raman.report import raman_section
from helpers.raman.spectrum import RamanFindings, compare_bands, spectrum_of_samples
from helpers.report.sections import add_section
from helpers.sagpr.lambda_soap import check_frames
from helpers.sagpr.model_file import load_model
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge
from helpers.sagpr.tensors import labeled_frames
from helpers.terminal import CommandResult

# Samples of the posterior of the model of polarizabilities: each gives a spectrum. A standard
# deviation of so many has an error of a quarter (1/√(2·8)).
N_SAMPLES = 8


def raman_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd raman``."""
    parser.epilog = "Example: mlmd raman results/gap.xml --model results/polarizability.npz"
    parser.add_argument("potential", type=Path, help="a gap.xml")
    parser.add_argument(
        "--model",
        type=Path,
        help="a model of mlmd polarizability; default: one is trained, in seconds",
    )
    parser.add_argument(
        "--picoseconds",
        type=float,
        default=20.0,
        help="length of all runs together; default: %(default)s",
    )
    parser.add_argument("--temperature", type=float, default=300.0, help="K; default: %(default)s")
    parser.add_argument(
        "--replicas", type=int, default=4, help="number of independent runs; default: 4"
    )
    parser.add_argument(
        "--resolution",
        type=float,
        default=30.0,
        help="distance of the spectrum's points, 1/cm; bands twice as far apart are resolved; "
        "default: %(default)s",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the random numbers; default: 0"
    )
    parser.add_argument("--output", type=Path, default=Path("results"), help="folder for results")
    parser.set_defaults(run=_raman)


def _raman(options: argparse.Namespace) -> int:
    result = run_raman_job(
        options.potential,
        options.output,
        model=options.model,
        picoseconds=options.picoseconds,
        temperature_K=options.temperature,
        replicas=options.replicas,
        resolution_per_cm=options.resolution,
        seed=options.seed,
        progress=not options.no_progress,
    )
    if result.report_path:
        print(f"\nThe report is {result.report_path.absolute()}")
    return 0


def run_raman_job(
    potential: str | os.PathLike,
    folder: str | os.PathLike = "results",
    *,
    model: str | os.PathLike | SymmetryAdaptedKernelRidge | None = None,
    picoseconds: float = 20.0,
    temperature_K: float = 300.0,
    replicas: int = 4,
    resolution_per_cm: float = 30.0,
    seed: int = 0,
    starts: Sequence[Atoms] | None = None,
    progress: bool = True,
) -> CommandResult:
    """Run molecular dynamics, predict polarizabilities along it, and write its Raman spectrum.

    Parameters
    ----------
    potential : path
        A ``gap.xml``.
    folder : path
        Made if its parent exists. Gets ``raman.csv``, ``raman_bands.csv``,
        ``raman_polarizabilities.npy`` and a section of ``report.html``.
    model : path or SymmetryAdaptedKernelRidge, optional
        Of polarizabilities; by default the shipped frames are learned first, in seconds.
    picoseconds : float
        Length of all runs together.
    temperature_K : float
    replicas : int
        In how many runs, from different snapshots, at the same time.
    resolution_per_cm : float
        Distance of points of the spectrum, 1/cm: bands twice as far apart are told apart.
    seed : int
        Of the first run.
    starts : sequence of ase.Atoms, optional
        Frames of your own to start from; by default the validation snapshots of water. Bands and
        phase are looked for where they are water, by their bonds.
    progress : bool
        Show bars.

    Returns
    -------
    CommandResult
        ``found`` is a `RamanFindings`: runs, polarizabilities, the spectrum and its bands.

    Raises
    ------
    ConfigError
        If a number cannot be used.
    DataError
        If the runs are too short for the resolution, or one became unstable.
    ModelFileError, NotFittedError
        If the potential or the model of polarizabilities cannot be used.
    OutputError
        If the folder cannot be written to.
    """
    from helpers.gap.potential import jax_calculator

    steps = planned_steps(picoseconds, replicas, resolution_per_cm)
    checks.number("temperature_K", temperature_K, unit="K")
    folder = make_folder(folder)
    check_writable(folder / "raman.csv")
    calculator = jax_calculator(potential)
    water = starts is None or is_water(starts[0])
    fitted = _load_or_train(model)
    check_is_fitted(fitted)
    check_frames(starts or load_frames("water", "validate"), fitted.feature_map_.soap)
    start = time.perf_counter()
    runs = thermal_runs(
        calculator,
        steps=steps,
        temperature_K=temperature_K,
        seeds=range(seed, seed + replicas),
        starts=starts,
        progress=progress,
    )
    seconds = {"dynamics": time.perf_counter() - start}
    mean_K = np.mean([run.temperature_K.mean() for run in runs])
    each_ps = steps * TIMESTEP_FS / 1000
    print(f"{replicas} × {each_ps:g} ps at {mean_K:.0f} K: {seconds['dynamics']:.0f} s")
    start = time.perf_counter()
    samples = np.stack(
        [fitted.predict_samples(run.frames(), N_SAMPLES, progress=progress) for run in runs], axis=1
    )
    seconds["polarizabilities"] = time.perf_counter() - start
    n_polarizabilities = samples[0, ..., 0, 0].size
    print(f"{n_polarizabilities} polarizabilities: {seconds['polarizabilities']:.0f} s")
    write_array(folder / "raman_polarizabilities.npy", samples[0])
    spectrum = spectrum_of_samples(
        samples,
        INTERVAL_FS,
        temperature_K=temperature_K,
        resolution_per_cm=resolution_per_cm,
    )
    write_table(folder / "raman.csv", spectrum)
    vibrations = mean_vibrations(runs, resolution_per_cm)
    bands: pd.DataFrame | None = None
    phases: tuple[Phase, ...] = ()
    if not water:
        (folder / "raman_bands.csv").unlink(missing_ok=True)  # of an earlier run
    else:
        bands = compare_bands(spectrum, vibrations)
        write_table(folder / "raman_bands.csv", bands)
        print(bands.to_string(index=False, float_format="{:.0f}".format, na_rep="–"))
        phases = _phases(runs)
    for number, phase in enumerate(phases):
        if number == 0 or phase.verdict != phases[0].verdict:
            print(f"Run {number}: {phase.sentence}")
    findings = RamanFindings(runs, samples[0], spectrum, vibrations, bands, phases, seconds)
    return CommandResult(findings, add_section(raman_section(findings), folder))


def _phases(runs: Sequence[Trajectory]) -> tuple[Phase, ...]:
    """Return the phase of each run of water; none if it cannot be judged."""
    try:
        return tuple(judge_phase(run) for run in runs)
    except DataError as error:
        print(f"No phase: {error}")
        return ()


def _load_or_train(
    model: str | os.PathLike | SymmetryAdaptedKernelRidge | None,
) -> SymmetryAdaptedKernelRidge:
    if isinstance(model, SymmetryAdaptedKernelRidge):
        return model
    if model is not None:
        return load_model(model)
    frames, tensors, trajectories = labeled_frames()
    return SymmetryAdaptedKernelRidge().fit(frames, tensors, groups=trajectories)
