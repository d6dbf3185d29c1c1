"""Tasks on this machine: worker processes, as many fits at a time as memory allows.

Each worker is a joblib (loky) executor of one process. In one executor of several processes, one
that is killed breaks all of them, and nobody can tell whose point it was.
"""

from __future__ import annotations

import os
import queue
import re
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from helpers.errors import FitError
from helpers.sweeps.budget import MemoryBudget, compute_within, free_memory_MB
from helpers.sweeps.compute import Outcome, Task, compute

# Threads that wait for each other burn more than they gain where others compute, too.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


def run_here(
    tasks: Sequence[Task], *, workers: int, budget_MB: float | None = None
) -> Generator[Outcome, None, None]:
    """Compute tasks in processes of this machine, in their order, and yield outcomes as they come.

    Parameters
    ----------
    tasks : sequence of Task
        The first ones start first.
    workers : int
        Processes that compute at the same time.
    budget_MB : float, optional
        Memory for all of them together, MB (1e6 bytes); by default what is free now.
    """
    # Imported here, before threads start: two threads that import loky at the same time break it.
    from joblib.externals import loky  # noqa: F401

    budget = MemoryBudget(free_memory_MB() if budget_MB is None else budget_MB)
    processes = [_WorkerProcess() for _ in range(min(workers, len(tasks)))]
    idle: queue.SimpleQueue[_WorkerProcess] = queue.SimpleQueue()
    for process in processes:
        idle.put(process)

    def compute_on_idle_process(task: Task) -> list[Outcome]:
        process = idle.get()
        try:
            return compute_within(budget, task, process.compute)
        finally:
            idle.put(process)

    with ThreadPoolExecutor(len(processes)) as threads:
        try:
            for done in as_completed([threads.submit(compute_on_idle_process, t) for t in tasks]):
                yield from done.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.stop()


class _WorkerProcess:
    """A process that computes one task at a time, and a new one should it die.

    It ends as soon as the other end of its lifeline is closed: by `stop`, or because this process
    vanishes, however it ends. The watcher of its gap_fit then ends the fit and tidies up.
    """

    def __init__(self) -> None:
        self._lifeline, self._other_end = Pipe(duplex=False)
        self._executor: Any = None  # started when first needed, and after a death

    def compute(self, task: Task) -> list[Outcome]:
        """Compute a task there and wait for its outcomes.

        Raises
        ------
        FitError
            If the process dies meanwhile.
        """
        from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                max_workers=1, env=ONE_THREAD, initializer=_hold_on_to, initargs=(self._lifeline,)
            )
        try:
            outcomes: list[Outcome] = self._executor.submit(compute, task).result()
        except BrokenProcessPool as error:
            self._executor = None
            exit_code = re.search(r"\{(.+)\}", str(error))
            raise FitError(
                "The worker process ended in the middle of this point",
                found=f"exit code {exit_code[1]}" if exit_code else str(error),
                fix="run the sweep again; if memory ran out, use fewer workers",
            ) from error
        return outcomes

    def stop(self) -> None:
        """End the process and what it is doing."""
        self._other_end.close()
        if self._executor is not None:
            self._executor.shutdown()


def _hold_on_to(lifeline: Connection) -> None:
    """Prepare a worker process: it lives as long as its lifeline."""
    os.setsid()  # Ctrl-C reaches the sweep, which then ends its workers
    os.dup2(2, 1)  # what quippy prints must not get among the output of the sweep

    def wait_for_the_end() -> None:
        lifeline.poll(None)
        os._exit(1)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
