"""The compiled engine: many replicas at once, the whole loop in JAX.

Between two builds of the neighbor lists nothing returns to Python, which is what makes these
runs fast. `ase_runs` does the same with ASE, step by step, to read along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ase import Atoms

from helpers.errors import PredictionError
from helpers.gap.potential import jax_calculator
from helpers.md.engine import drive
from helpers.md.monitor import Monitor, check_start
from helpers.md.settings import RunSettings, check_seed
from helpers.md.trajectory import Records, Replicas
from helpers.md.velocities import start_at


def run_replicas(
    potential: Any,
    atoms: Atoms | Sequence[Atoms],
    *,
    seeds: Sequence[int],
    progress: bool = True,
    **settings: Any,
) -> Replicas:
    """Run several replicas at once, one for each seed.

    A replica that becomes unstable ends there, with the reason; the others go on. Ctrl-C keeps
    what was computed.

    Parameters
    ----------
    potential : path or calculator
        What `load_potential` takes or returns, for a model that JAX can evaluate.
    atoms : ase.Atoms, or one per seed
        Where to start: the same elements in the same order. They are not changed.
    seeds : sequence of int
        One per replica. Replica k is the run that its seed gives alone.
    progress : bool
        Show a bar.
    **settings
        Those of `RunSettings`: ``steps``, ``timestep_fs``, ``temperature_K``, ``thermostat``, …

    Returns
    -------
    Replicas
        One `Trajectory` per seed.

    Raises
    ------
    PredictionError
        If the potential cannot be asked about the atoms, or a setting cannot be used.
    """
    chosen = RunSettings.of(**settings)
    seeds = [check_seed(seed) for seed in seeds]
    starts = [atoms] * len(seeds) if isinstance(atoms, Atoms) else list(atoms)
    if not seeds or len(starts) != len(seeds):
        raise PredictionError(
            f"There are {len(seeds)} seeds for {len(starts)} atoms", expected="one seed for each"
        )
    if any(list(a.numbers) != list(starts[0].numbers) for a in starts):
        raise PredictionError("The replicas differ in their elements", expected="the same order")
    calculator = jax_calculator(potential)
    for start in starts:
        check_start(start, chosen.monitor, calculator)
    engine = CompiledEngine(calculator, starts, seeds, chosen)
    return drive(engine, starts, seeds, chosen, progress=progress)


class CompiledEngine:
    """Steps replicas for `drive`, with `threads.ThreadedBatch`."""

    name = "compiled"

    def __init__(
        self, calculator: Any, starts: list[Atoms], seeds: list[int], settings: RunSettings
    ) -> None:
        from helpers.md.batch import STEPS_PER_CALL
        from helpers.md.threads import ThreadedBatch

        self.steps_per_call = STEPS_PER_CALL
        self._settings = settings
        self._batch = ThreadedBatch(
            calculator,
            [start_at(*one, settings) for one in zip(starts, seeds, strict=True)],
            seeds,
            settings,
        )

    @property
    def step(self) -> int:
        """Number of complete steps."""
        return self._batch.step

    @property
    def running(self) -> bool:
        """True while a replica moves."""
        return self._batch.any_alive

    def run(self, end: int) -> None:
        """Go on until step `end` is complete."""
        self._batch.run(end)

    def take_records(self) -> Records:
        """Return what was recorded since the last call."""
        return self._batch.take_records()

    def stop(self, replica: int, step: int) -> None:
        """Move a replica no further."""
        self._batch.stop(replica, step)

    def failures(self) -> dict[int, tuple[int, str]]:
        """Return for each replica that blew up the step at which it did, and the reason."""
        return {
            replica: (int(step), _reason(int(step), self._settings.timestep_fs, self._monitor))
            for replica, step in enumerate(self._batch.failed_step)
            if step >= 0
        }

    def state(self) -> dict[str, Any]:
        """Return arrays from which `restore` goes on."""
        return self._batch.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._batch.restore(state)

    @property
    def _monitor(self) -> Monitor:
        return self._settings.monitor


def _reason(step: int, timestep_fs: float, monitor: Monitor) -> str:
    return (
        f"it blew up at {step * timestep_fs:g} fs: numbers that are not finite, atoms on top of "
        f"each other, a jump within one step, or more than {monitor.highest_temperature_K:g} K"
    )
