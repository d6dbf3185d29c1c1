"""A batch of replicas on its way: the part between Python and the compiled loop."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from ase import Atoms

from helpers.errors import PredictionError
from helpers.gap.jax.verlet_list import VerletList
from helpers.jax_setup import double_precision
from helpers.md.loop import Limits, compiled_loop
from helpers.md.settings import RunSettings
from helpers.md.steps import Ensemble, State
from helpers.md.trajectory import A_PER_FS, Records

STEPS_PER_CALL = 100  # after so many steps at the latest Python may show progress or stop


class Batch:
    """R replicas: their state, their neighbor lists and what was recorded.

    They start with the velocities of their atoms (see `velocities.start_at`). Atoms stand sorted
    by element inside, and in their own order in what `take_records` returns.
    """

    def __init__(
        self, calculator: Any, starts: list[Atoms], seeds: list[int], settings: RunSettings
    ) -> None:
        calculator.check_frames(starts)
        self.ensemble = Ensemble(
            settings.thermostat,
            float(settings.timestep_fs),
            float(settings.temperature_K),
            float(settings.relaxation_fs),
            settings.degrees_of_freedom(len(starts[0])),
        )
        self.record_every = int(settings.record_every)
        numbers, skin_A = starts[0].numbers, float(settings.skin_A)
        self._lists = [
            VerletList(calculator.structure, numbers, skin_A, calculator.layouts) for _ in starts
        ]
        self._order = self._lists[0].order
        self._cells = np.array([atoms.cell.array for atoms in starts])
        self._pbc = [atoms.pbc for atoms in starts]
        self._masses = starts[0].get_masses()[self._order]
        self._e0 = calculator.model.isolated_energies(numbers).sum()
        self._limits = Limits(skin_A / 2, float(settings.monitor.highest_temperature_K))
        self._records: list[tuple[np.ndarray, ...]] = []
        with double_precision():
            self._arrays = calculator.device_parameters()
            self._keys = jax.vmap(jax.random.key)(np.array(seeds, np.uint32))
        positions = np.array([atoms.positions[self._order] for atoms in starts])
        velocities = np.array([atoms.get_velocities()[self._order] / A_PER_FS for atoms in starts])
        self._state = State(
            positions,
            velocities,
            positions,
            velocities,
            np.full(len(starts), np.nan),
            np.ones(len(starts), bool),
            np.full(len(starts), -1),
            np.int64(0),
        )
        self._stale: bool
        self._build(first=True)

    @property
    def step(self) -> int:
        """Number of complete steps (−1 before the forces at the start are known)."""
        return int(self._state.step) - 1

    @property
    def any_alive(self) -> bool:
        """True while there is a replica that moves."""
        return bool(np.any(self._state.alive))

    @property
    def failed_step(self) -> np.ndarray:
        """Step at which each replica became unstable, or −1; shape (R,)."""
        return np.asarray(self._state.failed_step)

    def run(self, end: int) -> None:
        """Go on until step `end` is complete, with new lists whenever they are needed."""
        while self.step < end and self.any_alive:
            if self._stale:
                self._build()
            call_end = min(end, self.step + STEPS_PER_CALL)
            with double_precision():
                loop = compiled_loop(self._layout, self.ensemble, STEPS_PER_CALL, self.record_every)
                first = -(-(self.step + 1) // self.record_every)
                state, records, stale = loop(
                    self._arrays,
                    self._masses,
                    self._keys,
                    self._cells,
                    self._neighbors,
                    self._reference,
                    self._limits,
                    np.int64(call_end),
                    self._state,
                )
                n_new = (int(state.step) - 1) // self.record_every + 1 - first
                rows = [np.asarray(values)[:n_new] for values in records]
            self._state, self._stale = state, bool(stale)
            if n_new:
                steps = (first + np.arange(n_new)) * self.record_every
                self._records.append((steps, *rows))
        if self.step < end:
            self._stand_still(end)

    def _stand_still(self, end: int) -> None:
        """Record the last good states once more: replicas in other batches may go on."""
        state, every = self._state, self.record_every
        steps = np.arange(-(-(self.step + 1) // every), end // every + 1) * every
        kept = (state.done_positions, state.done_velocities, state.done_energy)
        rows = [np.repeat(np.asarray(one)[None], len(steps), axis=0) for one in kept]
        self._records.append((steps, *rows))
        self._state = state._replace(step=np.int64(end + 1))

    def _build(self, *, first: bool = False) -> None:
        """Build the lists of all replicas, with room that is enough for every one of them."""
        positions = np.asarray(self._state.positions)
        alive = np.array(self._state.alive)
        for k, lists in enumerate(self._lists):
            if not alive[k]:
                continue
            try:
                lists.build(positions[k], self._cells[k], self._pbc[k])
            except PredictionError:  # atoms on top of each other
                if first:
                    raise
                alive[k] = False
        failed = np.where(alive != self._state.alive, self.step + 1, self._state.failed_step)
        self._state = self._state._replace(alive=alive, failed_step=failed)
        self._layout, self._neighbors = VerletList.stack(self._lists)
        self._reference, self._stale = positions, False

    def take_records(self) -> Records:
        """Return what was recorded since the last call, and keep it no longer."""
        if self._records:
            steps, positions, velocities, energies = (
                np.concatenate(parts) for parts in zip(*self._records, strict=True)
            )
        else:
            steps, positions = np.empty(0, int), np.empty((0, *np.shape(self._state.positions)))
            velocities, energies = positions, positions[:, :, 0, 0]
        self._records = []
        back = np.argsort(self._order)
        return Records(steps, positions[:, :, back], velocities[:, :, back], energies + self._e0)

    def stop(self, replica: int, step: int) -> None:
        """Move a replica no further; `step` is where it went wrong."""
        alive, failed = np.array(self._state.alive), np.array(self._state.failed_step)
        alive[replica], failed[replica] = False, step
        self._state = self._state._replace(alive=alive, failed_step=failed)

    def state(self) -> dict[str, np.ndarray]:
        """Return what `restore` needs to go on from here, in this process or another.

        New neighbor lists are built next, as they will be after `restore`: a run that was
        broken off and resumed goes the same way as one that was not.
        """
        self.build_anew()
        return {name: np.asarray(value) for name, value in self._state._asdict().items()}

    def build_anew(self) -> None:
        """Build new neighbor lists before the next step."""
        self._stale = True

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back, or forward, to where `state` was taken."""
        self._state, self._stale = State(**state), True
