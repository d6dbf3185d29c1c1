"""Memory that fits share: each reserves what it will need before it starts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from helpers.errors import FitError
from helpers.sweeps.compute import Outcome, Task, memory_MB

SPARE = 0.9  # part of the free memory that fits may take


class MemoryBudget:
    """A budget of memory that tasks reserve before they start.

    Parameters
    ----------
    budget_MB : float
        What all tasks may take together, MB (1e6 bytes).
    """

    def __init__(self, budget_MB: float) -> None:
        self.budget_MB = budget_MB
        self._reserved_MB = 0.0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def reserved(self, need_MB: float) -> Iterator[None]:
        """Wait until there is room, then hold it for the ``with`` block.

        Raises
        ------
        FitError
            If the need is larger than the whole budget.
        """
        if need_MB > self.budget_MB:
            raise FitError(
                "There is not enough memory for this fit",
                expected=f"{need_MB:.0f} MB, by the engine's own estimate",
                found=f"{self.budget_MB:.0f} MB",
                fix="fewer frames, smaller n_max, l_max, cutoff; or close other programs",
            )
        with self._changed:
            self._changed.wait_for(lambda: self._reserved_MB + need_MB <= self.budget_MB)
            self._reserved_MB += need_MB
        try:
            yield
        finally:
            with self._changed:
                self._reserved_MB -= need_MB
                self._changed.notify_all()


def compute_within(
    budget: MemoryBudget, task: Task, compute: Callable[[Task], list[Outcome]]
) -> list[Outcome]:
    """Compute a task when there is memory for it; what goes wrong becomes its outcomes."""
    try:
        with budget.reserved(memory_MB(task)):
            return compute(task)
    except Exception as error:
        return [Outcome.failed(key, error) for key in task.keys]


def free_memory_MB() -> float:
    """Return what fits may take of the memory that is free now, MB (1e6 bytes)."""
    import psutil

    return SPARE * psutil.virtual_memory().available / 1e6
