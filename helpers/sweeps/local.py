"""Tasks on this machine: worker processes, as many at a time as memory allows."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from helpers.errors import FitError
from helpers.sweeps.budget import Memory, free_memory_MB
from helpers.sweeps.compute import Outcome, Task
from helpers.sweeps.worker import DONE

# Threads that wait for each other burn more than they gain where others compute, too.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


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
        for outcome in self._memory.compute(task, self._ask):
            self._outcomes.put(outcome)

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
