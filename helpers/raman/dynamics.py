"""The molecular dynamics of ``mlmd raman``: its length, its runs, their vibrations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from ase import Atoms

from helpers import checks
from helpers.datasets import is_water
from helpers.errors import DataError
from helpers.frames import load_frames
from helpers.md.monitor import GeneralMonitor, Monitor
from helpers.md.trajectory import Trajectory
from helpers.md.vibrations import vibrational_density_of_states
from helpers.raman.spectrum import raman_segments

TIMESTEP_FS, RECORD_EVERY = 0.5, 4
INTERVAL_FS = TIMESTEP_FS * RECORD_EVERY  # between records
WARM_UP_PS = 1.0


def planned_steps(picoseconds: float, replicas: int, resolution_per_cm: float) -> int:
    """Return the number of steps of each run, a multiple of the interval between records.

    Parameters
    ----------
    picoseconds : float
        Length of all runs together.
    replicas : int
    resolution_per_cm : float

    Raises
    ------
    ConfigError
        If a number cannot be used.
    DataError
        If the runs are too short for the resolution.
    """
    checks.number("picoseconds", picoseconds, unit="ps")
    checks.whole("replicas", replicas, 1, 100)
    n_intervals = round(1000 * picoseconds / replicas / INTERVAL_FS)
    raman_segments(replicas, n_intervals, INTERVAL_FS, resolution_per_cm)
    return n_intervals * RECORD_EVERY


def thermal_runs(
    calculator: Any,
    *,
    steps: int,
    temperature_K: float = 300.0,
    seeds: range = range(4),
    starts: Sequence[Atoms] | None = None,
    progress: bool = True,
) -> tuple[Trajectory, ...]:
    """Return runs from validation snapshots at a temperature, equilibrated for a picosecond before.

    The thermostat of the runs themselves rescales all velocities, slowly (Bussi), which does not
    broaden the bands, as the friction of Langevin dynamics would.

    Parameters
    ----------
    calculator : calculator
        Of a potential, as `load_potential` returns it.
    steps : int
        Of each run, 0.5 fs each, every fourth recorded.
    temperature_K : float
    seeds : range
        One run for each.
    starts : sequence of ase.Atoms, optional
        Frames to start from, of the same elements in the same order; by default the validation
        snapshots.
    progress : bool
        Show bars.

    Raises
    ------
    DataError
        If a run became unstable.
    """
    from helpers.md.runs import run_replicas

    snapshots = load_frames("water", "validate") if starts is None else starts
    shared: dict[str, Any] = {
        "monitor": Monitor() if starts is None or is_water(starts[0]) else GeneralMonitor(),
        "temperature_K": temperature_K,
        "timestep_fs": TIMESTEP_FS,
        "progress": progress,
    }
    warm_up = run_replicas(
        calculator,
        [snapshots[seed % len(snapshots)] for seed in seeds],
        seeds=list(seeds),
        steps=round(1000 * WARM_UP_PS / TIMESTEP_FS),
        thermostat="langevin",
        **shared,
    )
    _check_stable(warm_up.runs)
    runs = run_replicas(
        calculator,
        [run.frames()[-1] for run in warm_up.runs],
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


def mean_vibrations(runs: tuple[Trajectory, ...], resolution_per_cm: float) -> pd.DataFrame:
    """Return the vibrational density of states of several runs, their mean."""
    tables = [
        vibrational_density_of_states(run, resolution_per_cm=resolution_per_cm) for run in runs
    ]
    return sum(tables[1:], tables[0]) / len(tables)


def _check_stable(runs: tuple[Trajectory, ...]) -> None:
    for number, run in enumerate(runs, start=1):
        if run.interrupted:
            raise KeyboardInterrupt
        if run.stopped:
            raise DataError(
                f"Run {number} became unstable: {run.stopped}",
                fix="train the potential on more frames, or lower the temperature",
            )
