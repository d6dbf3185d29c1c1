"""The job ``mlmd raman``: dynamics by one model, polarizabilities by another, a spectrum."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers import spectra
from helpers.errors import DataError
from helpers.files import check_target, make_folder, write_whole
from helpers.frames import load_frames
from helpers.gap import checks
from helpers.md.trajectory import Trajectory
from helpers.report.raman import RamanFindings, raman_section
from helpers.report.sections import add_section
from helpers.sagpr.model_file import load_model
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge

TIMESTEP_FS, RECORD_EVERY = 0.5, 4
WARM_UP_PS = 1.0
N_SAMPLES = 8  # of the model of polarizabilities: each gives a spectrum


@dataclass(frozen=True)
class RamanResult:
    """What the job made.

    Attributes
    ----------
    findings : RamanFindings
        Runs, polarizabilities, spectra.
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
        Of polarizabilities; by default the shipped frames are learnt first, in seconds.
    picoseconds : float
        Length of all runs together.
    temperature_K : float
    replicas : int
        In how many runs, from different snapshots, at the same time.
    resolution_per_cm : float
        Smallest distance of bands that are told apart.
    seed : int
        Of the first run.
    """
    from helpers.md.compiled import jax_calculator

    checks.number("picoseconds", picoseconds, unit="ps")
    checks.whole("replicas", replicas, 1, 100)
    each_fs = 1000 * picoseconds / replicas
    interval_fs = TIMESTEP_FS * RECORD_EVERY
    spectra.raman_segments(replicas, round(each_fs / interval_fs), interval_fs, resolution_per_cm)
    folder = make_folder(folder)
    check_target(folder / "raman.csv")
    calculator = jax_calculator(potential)
    fitted = _model(model)
    start = time.perf_counter()
    runs = thermal_runs(
        calculator,
        steps=round(each_fs / TIMESTEP_FS),
        temperature_K=temperature_K,
        seeds=range(seed, seed + replicas),
        progress=progress,
    )
    seconds = {"dynamics": time.perf_counter() - start}
    kelvin = np.mean([run.temperature_K.mean() for run in runs])
    say(f"{replicas} × {each_fs / 1000:g} ps at {kelvin:.0f} K: {seconds['dynamics']:.0f} s")
    start = time.perf_counter()
    samples = np.stack(
        [fitted.predict_samples(run.frames(), N_SAMPLES, progress=progress) for run in runs], axis=1
    )
    seconds["polarizabilities"] = time.perf_counter() - start
    n = samples[0, ..., 0, 0].size
    say(f"{n} polarizabilities: {seconds['polarizabilities']:.0f} s")
    spectrum = spectrum_of_samples(
        samples,
        interval_fs,
        temperature_K=temperature_K,
        resolution_per_cm=resolution_per_cm,
    )
    vibrations = mean_vibrations(runs, resolution_per_cm)
    bands = compare_bands(spectrum, vibrations)
    _write(folder, spectrum, bands, samples[0])
    say(bands.to_string(index=False, float_format="{:.0f}".format, na_rep="–"))
    findings = RamanFindings(runs, samples[0], spectrum, vibrations, bands, seconds)
    return RamanResult(findings, add_section(raman_section(findings), folder))


def thermal_runs(
    calculator: Any,
    *,
    steps: int,
    temperature_K: float = 300.0,
    seeds: range = range(4),
    progress: bool = True,
) -> tuple[Trajectory, ...]:
    """Return runs from validation snapshots at a temperature, settled for a picosecond before.

    The bath of the runs themselves rescales all velocities, gently (Bussi), and so does not blur
    what vibrates.

    Raises
    ------
    DataError
        If a run became unstable.
    """
    from helpers.md.compiled import run_replicas

    snapshots = load_frames("water", "validate")
    shared: dict[str, Any] = {
        "temperature_K": temperature_K,
        "timestep_fs": TIMESTEP_FS,
        "progress": progress,
    }
    warm = run_replicas(
        calculator,
        [snapshots[seed % len(snapshots)] for seed in seeds],
        seeds=list(seeds),
        steps=round(1000 * WARM_UP_PS / TIMESTEP_FS),
        thermostat="langevin",
        **shared,
    )
    _check_stable(warm.runs)
    runs = run_replicas(
        calculator,
        [run.frames()[-1] for run in warm.runs],
        seeds=list(seeds),
        steps=steps,
        thermostat="bussi",
        relaxation_fs=500.0,
        keep_velocities=True,
        record_every=RECORD_EVERY,
        **shared,
    ).runs
    _check_stable(runs)
    return runs


def spectrum_of_samples(samples: np.ndarray, interval_fs: float, **settings: Any) -> pd.DataFrame:
    """Return the Raman spectrum of the first of several series, and how the others spread.

    Parameters
    ----------
    samples : ndarray of shape (1 + n_samples, n_runs, n_times, 3, 3)
        The prediction, and samples of what the model holds possible.
    **settings
        Those of `spectra.raman_spectrum`.
    """
    first, *others = (spectra.raman_spectrum(one, interval_fs, **settings) for one in samples)
    for name in spectra.RAMAN_PARTS:
        squares = [np.square(other[name] - first[name]) for other in others]
        first[f"{name}_model"] = np.sqrt(np.mean(squares, axis=0)) if squares else 0.0
    return first


def mean_vibrations(runs: tuple[Trajectory, ...], resolution_per_cm: float) -> pd.DataFrame:
    """Return the vibrational density of states of several runs."""
    tables = [
        spectra.vibrational_density_of_states(run, resolution_per_cm=resolution_per_cm)
        for run in runs
    ]
    return sum(tables[1:], tables[0]) / len(tables)


def compare_bands(spectrum: pd.DataFrame, vibrations: pd.DataFrame) -> pd.DataFrame:
    """Return where bend and stretch are highest, 1/cm: in the spectra, and as measured."""
    rows = []
    for band in spectra.WATER_BANDS_PER_CM:
        row: dict[str, float | str] = {"band": band}
        for name in ("VV", "VH"):
            row[name] = spectra.band_maximum_per_cm(spectrum, band, name)
        row["vibrations"] = spectra.band_maximum_per_cm(vibrations, band)
        row["experiment"] = spectra.LITERATURE_PER_CM[band]
        rows.append(row)
    return pd.DataFrame(rows)


def _model(
    given: str | os.PathLike | SymmetryAdaptedKernelRidge | None,
) -> SymmetryAdaptedKernelRidge:
    from helpers.polarizability_job import labelled_frames

    if isinstance(given, SymmetryAdaptedKernelRidge):
        return given
    if given is not None:
        return load_model(given)
    frames, tensors, _ = labelled_frames()
    return SymmetryAdaptedKernelRidge().fit(frames, tensors)


def _check_stable(runs: tuple[Trajectory, ...]) -> None:
    for number, run in enumerate(runs, start=1):
        if run.interrupted:
            raise KeyboardInterrupt
        if run.stopped:
            raise DataError(
                f"Run {number} became unstable: {run.stopped}",
                fix="train the potential on more frames, or lower the temperature",
            )


def _write(
    folder: Path, spectrum: pd.DataFrame, bands: pd.DataFrame, polarizabilities: np.ndarray
) -> None:
    write_whole(folder / "raman.csv", spectrum.to_csv(index=False, float_format="%.6g"))
    write_whole(folder / "raman_bands.csv", bands.to_csv(index=False, float_format="%.6g"))
    buffer = io.BytesIO()
    np.save(buffer, polarizabilities)
    write_whole(folder / "raman_polarizabilities.npy", buffer.getvalue())
