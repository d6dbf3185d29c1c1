"""The molecular dynamics of ``mlmd raman``: how long, from where, and whether it went well."""

from __future__ import annotations

from typing import Any

from helpers import checks
from helpers.errors import DataError
from helpers.frames import load_frames
from helpers.md.trajectory import Trajectory
from helpers.raman.spectrum import raman_segments

TIMESTEP_FS, RECORD_EVERY = 0.5, 4


INTERVAL_FS = TIMESTEP_FS * RECORD_EVERY


WARM_UP_PS = 1.0


def planned_steps(picoseconds: float, replicas: int, resolution_per_cm: float) -> int:
    """Return the steps of each run, whole intervals between records, if they are enough.

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
    progress: bool = True,
) -> tuple[Trajectory, ...]:
    """Return runs from validation snapshots at a temperature, settled for a picosecond before.

    The bath of the runs themselves rescales all velocities, gently (Bussi), and so does not blur
    what vibrates.

    Parameters
    ----------
    calculator : calculator
        Of a potential, as `load_potential` returns it.
    steps : int
        Of each run, 0.5 fs each, every fourth recorded.
    temperature_K : float
    seeds : range
        One run for each.
    progress : bool
        Show bars.

    Raises
    ------
    DataError
        If a run became unstable.
    """
    from helpers.md.runs import run_replicas

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


def _check_stable(runs: tuple[Trajectory, ...]) -> None:
    for number, run in enumerate(runs, start=1):
        if run.interrupted:
            raise KeyboardInterrupt
        if run.stopped:
            raise DataError(
                f"Run {number} became unstable: {run.stopped}",
                fix="train the potential on more frames, or lower the temperature",
            )
