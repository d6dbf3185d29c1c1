"""The compiled engine: many replicas at once, the whole loop in JAX.

Between two builds of the neighbor lists nothing returns to Python, which is what makes these runs
fast. `ase_engine` does the same with ASE, step by step, to read along.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import jax
import numpy as np
from ase import Atoms

from helpers.errors import PredictionError
from helpers.jax_setup import double_precision
from helpers.md.engine import initial_atoms
from helpers.md.integrators import make_integrator, new_state
from helpers.md.settings import RunSettings
from helpers.md.simulation import ForceField, Limits, Segment, simulate_segment
from helpers.md.trajectory import A_PER_FS, Records

STEPS_PER_CALL = 100  # after so many steps at the latest Python may show progress or stop


class ReplicaPotential(Protocol):
    """A potential for R replicas of the same atoms: what `calculator.replicas(…)` returns.

    A potential of your own runs in this engine if its ASE calculator has a method
    ``replicas(numbers, n_replicas, skin_A)`` that returns such an object.

    Attributes
    ----------
    parameters : pytree of arrays
        The numbers of the model, passed to the force field.
    energy_offset_eV : float
        What to add to the energies of the force field, such as that of isolated atoms.
    order : int ndarray of shape (n_atoms,)
        In which order the force field takes the atoms.
    room : int ndarray of shape (n_sizes,)
        How much the lists can hold: they may become longer, and a run that is resumed begins with
        what it had. Sums over longer lists are rounded otherwise, so that without it a run that
        was broken off would differ in the last digits. Empty where the lists never grow.
    """

    parameters: Any
    energy_offset_eV: float
    order: np.ndarray
    room: np.ndarray

    def build(self, replica: int, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
        """Build the neighbor lists of one replica, `skin_A` longer than the interactions.

        `positions` (n_atoms, 3), Å, stand in the potential's order. Raises `PredictionError` if
        atoms are on top of each other.
        """

    def stack(self) -> tuple[ForceField, Any]:
        """Return the force field and the lists of all replicas, the axis of replicas first."""


class CompiledEngine:
    """Steps replicas for `engine.run_engine`.

    The replicas are dealt out to as many batches of equal size as there are cores, at most; each
    has a thread of its own, which is enough because compiled code does not hold Python's lock. With
    batches of one size there is one function to compile; a number of replicas that no number of
    cores divides stays together.

    Parameters
    ----------
    calculator : calculator
        With a method `replicas` that returns a `ReplicaPotential`.
    starts : list of ase.Atoms
    seeds : list of int
    settings : RunSettings
    """

    name = "compiled"
    steps_per_call = STEPS_PER_CALL

    def __init__(
        self, calculator: Any, starts: list[Atoms], seeds: list[int], settings: RunSettings
    ) -> None:
        if hasattr(calculator, "check_frames"):
            calculator.check_frames(starts)
        self._settings = settings
        self._size = len(seeds) // _number_of_threads(len(seeds))
        atoms = [initial_atoms(*one, settings) for one in zip(starts, seeds, strict=True)]
        self._batches = [
            _Batch(calculator, atoms[k : k + self._size], seeds[k : k + self._size], settings)
            for k in range(0, len(seeds), self._size)
        ]
        self._compiled = False

    @property
    def step(self) -> int:
        """Number of complete steps (−1 before the forces at the start are known)."""
        return min(batch.step for batch in self._batches)

    @property
    def running(self) -> bool:
        """True while a replica moves."""
        return any(batch.alive.any() for batch in self._batches)

    def run(self, end: int) -> None:
        """Go on until step `end` is complete."""
        first, *others = self._batches
        if others and not self._compiled:
            first.run(min(end, first.step + 1))  # compiles, for all
            for batch in others:
                batch.stale = True  # new lists, with the room that the first one has
            self._compiled = True
        if len(self._batches) == 1:
            return first.run(end)
        with ThreadPoolExecutor(len(self._batches)) as pool:
            list(pool.map(lambda batch: batch.run(end), self._batches))
        return None

    def pop_records(self) -> Records:
        """Return what was recorded since the last call."""
        parts = [batch.pop_records() for batch in self._batches]
        n_times = min(len(part.steps) for part in parts)
        steps, *arrays = zip(*parts, strict=True)
        return Records(
            steps[0][:n_times],
            *(np.concatenate([one[:n_times] for one in array], 1) for array in arrays),
        )

    def stop(self, replica: int, step: int) -> None:
        """Move a replica no further; `step` is where it went wrong."""
        batch, k = self._batches[replica // self._size], replica % self._size
        alive, failed_step = np.array(batch.segment.alive), np.array(batch.segment.failed_step)
        alive[k], failed_step[k] = False, step
        batch.segment = batch.segment._replace(alive=alive, failed_step=failed_step)

    def failures(self) -> dict[int, tuple[int, str]]:
        """Return for each replica that blew up the step at which it did, and the reason."""
        failed_step = np.concatenate([batch.segment.failed_step for batch in self._batches])
        limit_K, timestep_fs = (
            self._settings.monitor.highest_temperature_K,
            self._settings.timestep_fs,
        )
        return {
            replica: (
                int(step),
                f"it blew up at {step * timestep_fs:g} fs: numbers that are not finite, atoms on "
                f"top of each other, a jump within one step, or more than {limit_K:g} K",
            )
            for replica, step in enumerate(failed_step)
            if step >= 0
        }

    def state(self) -> dict[str, np.ndarray]:
        """Return arrays from which `restore` goes on, in this process or another.

        New neighbor lists are built next, as they will be after `restore`: a run that was
        broken off and resumed goes the same way as one that was not.
        """
        states = [batch.arrays() for batch in self._batches]
        return {
            name: np.concatenate([state[name] for state in states]) if value.ndim else value
            for name, value in states[0].items()
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back, or forward, to where `state` was taken."""
        for k, batch in enumerate(self._batches):
            part = slice(k * self._size, (k + 1) * self._size)
            batch.restore({name: x[part] if np.ndim(x) else x for name, x in state.items()})


class _Batch:
    """Some of the replicas: where they are, their neighbor lists and what was recorded.

    Atoms stand in the order of the potential, and in their own in what `pop_records` returns.
    """

    def __init__(
        self, calculator: Any, atoms: list[Atoms], seeds: list[int], settings: RunSettings
    ) -> None:
        self._settings, n_replicas = settings, len(atoms)
        self._cells = np.array([one.cell.array for one in atoms])
        self._pbc = [one.pbc for one in atoms]
        self._records: list[Records] = []
        with double_precision():
            self._potential: ReplicaPotential = calculator.replicas(
                atoms[0].numbers, n_replicas, float(settings.skin_A)
            )
            order = self._potential.order
            self._integrator = make_integrator(
                settings.thermostat,
                len(order),
                timestep_fs=float(settings.timestep_fs),
                temperature_K=float(settings.temperature_K),
                relaxation_fs=float(settings.relaxation_fs),
            )
            state = new_state(
                self._integrator,
                np.array([one.positions[order] for one in atoms]),
                np.array([one.get_velocities()[order] / A_PER_FS for one in atoms]),
                atoms[0].get_masses()[order],
                jax.vmap(jax.random.key)(np.array(seeds, np.uint32)),
            )
        self.segment = Segment(state, np.ones(n_replicas, bool), np.full(n_replicas, -1))
        self.stale = True
        self._build_lists()  # raises an error for atoms that a run cannot start from

    @property
    def segment(self) -> Segment:
        """Where the replicas are; `step` and `alive` repeat two of its numbers for Python."""
        return self._segment

    @segment.setter
    def segment(self, segment: Segment) -> None:
        self._segment = segment
        self.step, self.alive = int(segment.state.step), np.asarray(segment.alive)

    def run(self, end: int) -> None:
        """Go on until step `end` is complete, with new lists whenever they are needed."""
        while self.step < end and self.alive.any():
            if self.stale:
                self._build_lists()
            if self.step < 0:  # a step of length 0 finds the forces at the start
                self._run_segment(0, timestep_fs=0.0)
            else:
                self._run_segment(min(end, self.step + STEPS_PER_CALL), self._settings.timestep_fs)
        if self.step < end:
            self._pad_records(end)

    def _run_segment(self, last_step: int, timestep_fs: float) -> None:
        every, first_step = int(self._settings.record_every), self.step + 1
        half_skin_A = float(self._settings.skin_A) / 2
        limit_K = float(self._settings.monitor.highest_temperature_K)
        with double_precision():
            self.segment, frames, stale = _compiled_segment(
                self._force_field,
                STEPS_PER_CALL,
                every,
                self.segment,
                replace(self._integrator, timestep_fs=float(timestep_fs)),
                self._potential.parameters,
                self._cells,
                self._neighbors,
                Limits(last_step, self._reference, half_skin_A, limit_K),
            )
            self.stale = bool(stale)
            steps = _multiples(every, first_step, self.step)
            if len(steps):
                rows = [np.asarray(values)[: len(steps)] for values in frames]
                self._records.append(Records(steps, *rows))

    def _pad_records(self, end: int) -> None:
        """Record the last good states once more: replicas in other batches may go on."""
        state = self.segment.state
        steps = _multiples(int(self._settings.record_every), self.step + 1, end)
        energy = np.asarray(state.energy)
        values = np.asarray(state.positions), np.asarray(state.velocities), energy, np.nan * energy
        rows = [np.repeat(value[None], len(steps), axis=0) for value in values]
        self._records.append(Records(steps, *rows))
        self.segment = self.segment._replace(state=state._replace(step=np.int64(end)))

    def _build_lists(self) -> None:
        """Build the lists of all replicas, with room that is enough for every one of them."""
        positions = np.asarray(self.segment.state.positions)
        alive, failed_step = np.array(self.segment.alive), np.array(self.segment.failed_step)
        for k in np.flatnonzero(alive):
            try:
                self._potential.build(int(k), positions[k], self._cells[k], self._pbc[k])
            except PredictionError:  # atoms on top of each other
                if self.step < 0:
                    raise
                alive[k], failed_step[k] = False, self.step + 1
        self.segment = self.segment._replace(alive=alive, failed_step=failed_step)
        self._force_field, self._neighbors = self._potential.stack()
        self._reference, self.stale = positions, False

    def pop_records(self) -> Records:
        """Return what was recorded since the last call, and keep it no longer."""
        shape = np.shape(self.segment.state.positions)
        vectors, numbers = np.empty((0, *shape)), np.empty((0, shape[0]))
        nothing = Records(np.empty(0, int), vectors, vectors, numbers, numbers)
        records = Records.joined(self._records or [nothing])
        self._records = []
        back, offset = np.argsort(self._potential.order), self._potential.energy_offset_eV
        return Records(
            records.steps,
            records.positions_A[:, :, back],
            records.velocities_A_per_fs[:, :, back],
            records.potential_eV + offset,
            records.conserved_eV + offset,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `restore` needs, and build new neighbor lists next."""
        self.stale = True
        state = self.segment.state
        thermostat = dict(enumerate(jax.tree.leaves(state.thermostat)))
        arrays = {
            "room": np.tile(self._potential.room, (len(self.alive), 1)),
            **{name: getattr(state, name) for name in SAVED},
            **{f"thermostat_{k}": leaf for k, leaf in thermostat.items()},
            "alive": self.segment.alive,
            "failed_step": self.segment.failed_step,
        }
        return {name: np.asarray(value) for name, value in arrays.items()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from `arrays`."""
        self._potential.room = arrays["room"][0]
        leaves, structure = jax.tree.flatten(self.segment.state.thermostat)
        saved = [arrays[f"thermostat_{k}"] for k in range(len(leaves))]
        state = self.segment.state._replace(
            **{name: arrays[name] for name in SAVED},
            thermostat=jax.tree.unflatten(structure, saved),
        )
        self.segment = Segment(state, arrays["alive"], arrays["failed_step"])
        self.stale = True


SAVED = ("positions", "velocities", "forces", "energy", "step")  # masses and keys do not change


@partial(jax.jit, static_argnums=(0, 1, 2))
def _compiled_segment(
    force_field: ForceField,
    max_steps: int,
    record_every: int,
    segment: Segment,
    integrator: Any,
    parameters: Any,
    cells: Any,
    neighbors: Any,
    limits: Limits,
) -> Any:
    return simulate_segment(
        force_field,
        segment,
        integrator,
        max_steps,
        parameters=parameters,
        cell=cells,
        neighbors=neighbors,
        limits=limits,
        record_every=record_every,
    )


def _multiples(every: int, first: int, last: int) -> np.ndarray:
    """Return the multiples of `every` from `first` to `last`, both included."""
    return np.arange(-(-first // every), last // every + 1) * every


def _number_of_threads(n_replicas: int) -> int:
    """Return the largest number of threads, no more than cores, that divides the replicas."""
    from joblib import cpu_count  # of those that this process may use

    return max(n for n in range(1, cpu_count() + 1) if n_replicas % n == 0)
