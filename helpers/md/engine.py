"""Run an engine to the end: monitor it, store checkpoints, collect what it recorded.

An engine steps replicas: `compiled_engine.CompiledEngine`, `ase_engine.AseEngine`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from ase import Atoms

from helpers.md.checkpoint import Checkpoints
from helpers.md.integrators import kinetic_energy, maxwell_boltzmann
from helpers.md.monitor import ReplicaMonitor
from helpers.md.settings import RunSettings
from helpers.md.trajectory import A_PER_FS, Records, Replicas, Trajectory
from helpers.terminal import progress_bar


class Engine(Protocol):
    """What steps replicas."""

    name: str
    steps_per_call: int

    @property
    def step(self) -> int:
        """Number of complete steps."""

    @property
    def running(self) -> bool:
        """True while a replica moves."""

    def run(self, end: int) -> None:
        """Go on until step `end` is complete."""

    def pop_records(self) -> Records:
        """Return what was recorded since the last call."""

    def stop(self, replica: int, step: int) -> None:
        """Move a replica no further."""

    def failures(self) -> dict[int, tuple[int, str]]:
        """Return for each replica that blew up the step at which it did, and the reason."""

    def state(self) -> dict[str, Any]:
        """Return arrays from which `restore` goes on."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""


def initial_atoms(start: Atoms, seed: int, settings: RunSettings) -> Atoms:
    """Return a copy of the atoms with the velocities that a run begins with."""
    atoms = start.copy()
    if not settings.keep_velocities:
        noise = np.random.default_rng(seed).standard_normal((len(atoms), 3))
        velocities = maxwell_boltzmann(atoms.get_masses(), settings.temperature_K, noise)
        atoms.set_velocities(velocities * A_PER_FS)
    return atoms


class StepTimes:
    """Seconds per step of each call of an engine: on the clock, and of the processor."""

    def __init__(self) -> None:
        self._seconds: list[tuple[float, float]] = []

    @contextmanager
    def measured(self, engine: Engine) -> Iterator[None]:
        """Measure what is done inside."""
        before, clock, processor = engine.step, time.perf_counter(), time.process_time()
        yield
        n_steps = max(1, engine.step - before)
        spent = time.perf_counter() - clock, time.process_time() - processor
        self._seconds.append((spent[0] / n_steps, spent[1] / n_steps))

    def median(self) -> tuple[float, float]:
        """Return the medians; the first call, which compiles, counts only if it is alone."""
        seconds = self._seconds[1:] or self._seconds or [(np.nan, np.nan)]
        clock, processor = np.median(seconds, axis=0)
        return float(clock), float(processor)


def run_engine(
    engine: Engine,
    starts: Sequence[Atoms],
    seeds: Sequence[int],
    settings: RunSettings,
    *,
    checkpoints: Checkpoints | None = None,
    progress: bool = True,
) -> Replicas:
    """Run until all steps are done, nothing moves any more, or Ctrl-C.

    Parameters
    ----------
    engine : Engine
    starts : sequence of ase.Atoms
        One per replica, as given to the engine.
    seeds : sequence of int
    settings : RunSettings
    checkpoints : Checkpoints, optional
        Where to store the run as it goes. What it already holds is not computed again.
    progress : bool
        Show a bar.
    """
    n_dof = settings.degrees_of_freedom(len(starts[0]))
    monitors = [
        ReplicaMonitor(settings.monitor, one, n_dof, settings.timestep_fs) for one in starts
    ]
    ends: dict[int, tuple[int, str]] = {}  # replica → first step that is not kept, and why
    parts = [] if checkpoints is None else checkpoints.parts
    for part in parts:
        check_stability(monitors, part, ends, engine)
    if parts and checkpoints is not None:
        engine.restore(checkpoints.state)
    interrupted, times = False, StepTimes()
    with progress_bar(
        settings.steps, "molecular dynamics", "step", show=progress, initial=max(engine.step, 0)
    ) as bar:
        try:
            while engine.step < settings.steps and engine.running:
                with times.measured(engine):
                    engine.run(min(engine.step + engine.steps_per_call, settings.steps))
                part = engine.pop_records()
                check_stability(monitors, part, ends, engine)
                parts.append(part)
                bar.update(engine.step - bar.n)
                if checkpoints is not None:
                    checkpoints.add(part, engine)
        except KeyboardInterrupt:
            interrupted = True
    if checkpoints is not None and not interrupted:
        checkpoints.save(engine)
    for replica, failure in engine.failures().items():
        ends.setdefault(replica, failure)
    records = Records.joined(parts or [engine.pop_records()])
    clock, processor = times.median()
    return Replicas(
        tuple(
            _trajectory(
                records,
                k,
                ends.get(k),
                start=starts[k].copy(),
                seed=seed,
                timestep_fs=float(settings.timestep_fs),
                target_temperature_K=float(settings.temperature_K),
                thermostat=settings.thermostat,
                degrees_of_freedom=n_dof,
                engine=engine.name,
                interrupted=interrupted,
                clock_s_per_step=clock,
                processor_s_per_step=processor,
            )
            for k, seed in enumerate(seeds)
        )
    )


def check_stability(
    monitors: list[ReplicaMonitor],
    part: Records,
    ends: dict[int, tuple[int, str]],
    engine: Engine,
) -> None:
    """Stop replicas that left the limits of the monitor, and add to `ends` where and why."""
    failed = engine.failures()
    for replica, monitor in enumerate(monitors):
        if replica in ends:
            continue
        last = failed[replica][0] if replica in failed else np.inf
        good = Records(*(values[part.steps < last] for values in part))
        problem = monitor.problem(good, replica) if len(good.steps) else None
        if problem is not None:
            first, reason = problem
            step = int(good.steps[first])
            ends[replica] = (step + 1, reason)  # the record that shows it is kept
            engine.stop(replica, step)


def _trajectory(
    records: Records, replica: int, end: tuple[int, str] | None, start: Atoms, **metadata: Any
) -> Trajectory:
    times = slice(None) if end is None else records.steps < end[0]
    velocities = records.velocities_A_per_fs[times, replica]
    return Trajectory(
        times_fs=records.steps[times] * metadata["timestep_fs"],
        positions_A=records.positions_A[times, replica],
        velocities_A_per_fs=velocities,
        potential_eV=records.potential_eV[times, replica],
        kinetic_eV=kinetic_energy(velocities, start.get_masses()),
        conserved_eV=records.conserved_eV[times, replica],
        start=start,
        stopped="" if end is None else end[1],
        **metadata,
    )
