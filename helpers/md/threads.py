"""Replicas dealt out to the cores: each thread steps a `Batch` of its own.

The compiled loop does not hold Python's lock, so threads are enough.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from ase import Atoms

from helpers.md.batch import Batch
from helpers.md.settings import RunSettings
from helpers.md.trajectory import Records


class ThreadedBatch:
    """R replicas in as many batches of equal size as there are cores, at most.

    Parameters are those of `Batch`, and so is what it offers. With batches of one size there is
    one function to compile; a number of replicas that no number of cores divides stays together.
    """

    def __init__(
        self, calculator: Any, starts: list[Atoms], seeds: list[int], settings: RunSettings
    ) -> None:
        size = len(seeds) // _number_of_threads(len(seeds))
        self._batches = [
            Batch(calculator, starts[k : k + size], seeds[k : k + size], settings)
            for k in range(0, len(seeds), size)
        ]
        self._size, self._compiled = size, False

    @property
    def step(self) -> int:
        """Number of complete steps."""
        return min(batch.step for batch in self._batches)

    @property
    def any_alive(self) -> bool:
        """True while there is a replica that moves."""
        return any(batch.any_alive for batch in self._batches)

    @property
    def failed_step(self) -> np.ndarray:
        """Step at which each replica became unstable, or −1; shape (R,)."""
        return np.concatenate([batch.failed_step for batch in self._batches])

    def run(self, end: int) -> None:
        """Go on until step `end` is complete."""
        first, *others = self._batches
        if others and not self._compiled:
            first.run(min(end, first.step + 1))  # compiles, for all
            for batch in others:
                batch.build_anew()  # with the room that the first one has
            self._compiled = True
        with ThreadPoolExecutor(len(self._batches)) as pool:
            list(pool.map(lambda batch: batch.run(end), self._batches))

    def take_records(self) -> Records:
        """Return what was recorded since the last call, and keep it no longer."""
        parts = [batch.take_records() for batch in self._batches]
        n = min(len(part.steps) for part in parts)
        steps, *arrays = zip(*parts, strict=True)
        return Records(
            steps[0][:n], *(np.concatenate([one[:n] for one in array], 1) for array in arrays)
        )

    def stop(self, replica: int, step: int) -> None:
        """Move a replica no further; `step` is where it went wrong."""
        self._batches[replica // self._size].stop(replica % self._size, step)

    def state(self) -> dict[str, np.ndarray]:
        """Return what `restore` needs to go on from here (see `Batch.state`)."""
        states = [batch.state() for batch in self._batches]
        return {
            name: np.concatenate([one[name] for one in states]) if value.ndim else value
            for name, value in states[0].items()
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back, or forward, to where `state` was taken."""
        for k, batch in enumerate(self._batches):
            here = slice(k * self._size, (k + 1) * self._size)
            batch.restore({name: x[here] if np.ndim(x) else x for name, x in state.items()})


def _number_of_threads(n_replicas: int) -> int:
    """Return the largest number of threads, no more than cores, that divides the replicas."""
    from joblib import cpu_count  # of those that this process may use

    return max(n for n in range(1, cpu_count() + 1) if n_replicas % n == 0)
