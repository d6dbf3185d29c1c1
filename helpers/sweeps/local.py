"""Tasks on this machine: worker processes, as many at a time as memory allows."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from helpers.errors import FitError, WorkshopError
from helpers.sweeps.work import Outcome, Task, memory_MB
from helpers.sweeps.worker import DONE

SPARE = 0.9  # part of the free memory that fits may take
# Threads that wait for each other burn more than they gain where others compute, too.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


class Memory:
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
                expected=f"{need_MB:.0f} MB, by gap_fit's own estimate",
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


def free_memory_MB() -> float:
    """Return what fits may take of the memory that is free now, MB (1e6 bytes)."""
    import psutil

    return SPARE * psutil.virtual_memory().available / 1e6


def run_here(
    tasks: Sequence[Task], *, workers: int, budget_MB: float | None = None
) -> Iterator[Outcome]:
    """Compute tasks in processes of this machine, in their order, and yield outcomes as they come.

    Parameters
    ----------
    tasks : sequence of Task
        The first ones start first.
    workers : int
        Processes that compute at the same time.
    budget_MB : float, optional
        Memory for all of them together; by default what is free now.
    """
    memory = Memory(free_memory_MB() if budget_MB is None else budget_MB)
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    outcomes: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    slots = [_Slot(waiting, outcomes, memory) for _ in range(min(workers, len(tasks)))]
    try:
        for slot in slots:
            slot.start()
        for _ in range(sum(len(task.keys) for task in tasks)):
            outcome = outcomes.get()
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome
    finally:
        for slot in slots:
            slot.stop()


class _Slot(threading.Thread):
    """Takes tasks and has them computed by a process of its own, a new one should it die."""

    def __init__(
        self,
        waiting: queue.SimpleQueue[Task],
        outcomes: queue.SimpleQueue[Outcome | BaseException],
        memory: Memory,
    ) -> None:
        super().__init__(daemon=True)
        self._waiting, self._outcomes, self._memory = waiting, outcomes, memory
        self._process: subprocess.Popen | None = None
        self._stopped = False

    def run(self) -> None:
        try:
            while not self._stopped:
                self._compute(self._waiting.get_nowait())
        except queue.Empty:
            pass
        except BaseException as error:  # the sweep must hear of it, or it would wait for ever
            self._outcomes.put(error)

    def stop(self) -> None:
        """End the process and what it is doing."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _compute(self, task: Task) -> None:
        left = list(task.keys)
        try:
            with self._memory.reserved(memory_MB(task)):
                for outcome in self._ask(task):
                    left.remove(outcome.key)
                    self._outcomes.put(outcome)
        except WorkshopError as error:
            for key in left:
                self._outcomes.put(Outcome(key, failure=" ".join(str(error).split())))

    def _ask(self, task: Task) -> Iterator[Outcome]:
        if self._stopped:
            return
        if self._process is None or self._process.poll() is not None:
            self._process = self._start_process()
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            pickle.dump(task, self._process.stdin)
            self._process.stdin.flush()
            while (answer := pickle.load(self._process.stdout)) != DONE:
                yield answer
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            code = self._process.wait()
            how = f"exit code {code}" if code >= 0 else f"signal {-code} ({_name(-code)})"
            raise FitError(
                "The worker process ended in the middle of this point",
                found=how,
                fix="run the sweep again; if memory ran out, use fewer workers",
            ) from error

    def _start_process(self) -> subprocess.Popen:
        package = str(Path(__file__).resolve().parents[2])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.Popen(
            [sys.executable, "-m", "helpers.sweeps.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches the sweep, which then ends its workers
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                **ONE_THREAD,
            },
        )


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
