"""``mlmd raman``: dynamics by one model, polarizabilities by another, a Raman spectrum."""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from helpers import checks
from helpers.files import check_writable, make_folder, write_atomic
from helpers.frames import load_frames
from helpers.md.trajectory import Trajectory
from helpers.md.vibrations import band_maximum_per_cm, vibrational_density_of_states
from helpers.raman.dynamics import INTERVAL_FS, TIMESTEP_FS, planned_steps, thermal_runs
from helpers.raman.report import RamanFindings, raman_section
from helpers.raman.spectrum import RAMAN_PARTS, raman_spectrum
from helpers.report.sections import add_section
from helpers.sagpr.lambda_soap import check_frames
from helpers.sagpr.model_file import load_model
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge
from helpers.water import LITERATURE_PER_CM, WATER_BANDS_PER_CM


def raman_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd raman``."""
    parser.epilog = "Example: mlmd raman results/gap.xml --model results/polarizability.npz"
    parser.add_argument("potential", type=Path, help="a gap.xml")
    parser.add_argument(
        "--model", type=Path, help="of mlmd polarizability; default: one is trained, in seconds"
    )
    parser.add_argument("--picoseconds", type=float, default=20.0, help="default: %(default)s")
    parser.add_argument("--temperature", type=float, default=300.0, help="K; default: %(default)s")
    parser.add_argument("--replicas", type=int, default=4, help="runs at once; default: 4")
    parser.add_argument(
        "--resolution",
        type=float,
        default=30.0,
        help="distance of the spectrum's points, 1/cm: bands twice as far apart are told apart; "
        "default: %(default)s",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers; default: 0")
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
    print(f"\nThe report is {result.report_path.absolute()}")
    return 0


# Of the model of polarizabilities: each gives a spectrum. The spread of so many has an error of a
# quarter of itself (1/√(2·8)).
N_SAMPLES = 8


@dataclass(frozen=True)
class RamanResult:
    """What the job made.

    Attributes
    ----------
    findings : RamanFindings
        Runs, polarizabilities,
    report_path : Path
    """

    findings: RamanFindings
    report_path: Path


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
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> RamanResult:
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
    progress : bool
        Show bars.
    say : callable
        Takes one line of news at a time.

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
    fitted = _model(model)
    check_is_fitted(fitted)
    check_frames(load_frames("water", "validate"), fitted.map_.soap)
    start = time.perf_counter()
    runs = thermal_runs(
        calculator,
        steps=steps,
        temperature_K=temperature_K,
        seeds=range(seed, seed + replicas),
        progress=progress,
    )
    seconds = {"dynamics": time.perf_counter() - start}
    kelvin = np.mean([run.temperature_K.mean() for run in runs])
    each_ps = steps * TIMESTEP_FS / 1000
    say(f"{replicas} × {each_ps:g} ps at {kelvin:.0f} K: {seconds['dynamics']:.0f} s")
    start = time.perf_counter()
    samples = np.stack(
        [fitted.predict_samples(run.frames(), N_SAMPLES, progress=progress) for run in runs], axis=1
    )
    seconds["polarizabilities"] = time.perf_counter() - start
    n = samples[0, ..., 0, 0].size
    say(f"{n} polarizabilities: {seconds['polarizabilities']:.0f} s")
    _write_array(folder / "raman_polarizabilities.npy", samples[0])
    spectrum = spectrum_of_samples(
        samples,
        INTERVAL_FS,
        temperature_K=temperature_K,
        resolution_per_cm=resolution_per_cm,
    )
    _write_table(folder / "raman.csv", spectrum)
    vibrations = mean_vibrations(runs, resolution_per_cm)
    bands = compare_bands(spectrum, vibrations)
    _write_table(folder / "raman_bands.csv", bands)
    say(bands.to_string(index=False, float_format="{:.0f}".format, na_rep="–"))
    findings = RamanFindings(runs, samples[0], spectrum, vibrations, bands, seconds)
    return RamanResult(findings, add_section(raman_section(findings), folder))


def spectrum_of_samples(samples: np.ndarray, interval_fs: float, **settings: Any) -> pd.DataFrame:
    """Return the Raman spectrum of the first of several series, and how the others spread.

    Parameters
    ----------
    samples : ndarray of shape (1 + n_samples, n_runs, n_times, 3, 3)
        The prediction, and samples of what the model holds possible.
    interval_fs : float
        Between two times.
    **settings
        Those of `raman_spectrum`.

    Returns
    -------
    DataFrame
        That of `raman_spectrum`, and ``VV_model`` and others: the RMS difference of the
        samples from the prediction. Each has 1 as the integral of its own unpolarized spectrum, so
        what the samples differ in overall is not in it.
    """
    first, *others = (raman_spectrum(one, interval_fs, **settings) for one in samples)
    for name in RAMAN_PARTS:
        squares = [np.square(other[name] - first[name]) for other in others]
        first[f"{name}_model"] = np.sqrt(np.mean(squares, axis=0)) if squares else 0.0
    return first


def mean_vibrations(runs: tuple[Trajectory, ...], resolution_per_cm: float) -> pd.DataFrame:
    """Return the vibrational density of states of several runs."""
    tables = [
        vibrational_density_of_states(run, resolution_per_cm=resolution_per_cm) for run in runs
    ]
    return sum(tables[1:], tables[0]) / len(tables)


def compare_bands(spectrum: pd.DataFrame, vibrations: pd.DataFrame) -> pd.DataFrame:
    """Return where bend and stretch are highest, 1/cm: in the spectra, and as measured."""
    rows = []
    for band in WATER_BANDS_PER_CM:
        row: dict[str, float | str] = {"band": band}
        for name in ("VV", "VH"):
            row[name] = band_maximum_per_cm(spectrum, band, name)
        row["vibrations"] = band_maximum_per_cm(vibrations, band)
        row["experiment"] = LITERATURE_PER_CM[band]
        rows.append(row)
    return pd.DataFrame(rows)


def _model(
    given: str | os.PathLike | SymmetryAdaptedKernelRidge | None,
) -> SymmetryAdaptedKernelRidge:
    from helpers.sagpr.tensors import labeled_frames

    if isinstance(given, SymmetryAdaptedKernelRidge):
        return given
    if given is not None:
        return load_model(given)
    frames, tensors, trajectories = labeled_frames()
    return SymmetryAdaptedKernelRidge().fit(frames, tensors, groups=trajectories)


def _write_table(path: Path, table: pd.DataFrame) -> None:
    write_atomic(path, table.to_csv(index=False, float_format="%.6g"))


def _write_array(path: Path, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_atomic(path, buffer.getvalue())
