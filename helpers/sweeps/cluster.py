"""Tasks on a cluster: a Dask client, or the address of a scheduler.

Workers need the same kit and gap_fit, but no common file system: frames travel to them, results
and models back. A worker that dies is no loss: the scheduler gives its task to another. The tasks
of one worker share the memory that Dask allows it.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Generator, Sequence
from typing import Any

from helpers.errors import MissingToolError, WorkshopError
from helpers.sweeps.budget import MemoryBudget, compute_within
from helpers.sweeps.compute import Outcome, Task, compute

PATIENCE_SECONDS = 20  # for a scheduler that does not answer


def run_on_cluster(tasks: Sequence[Task], client: Any) -> Generator[Outcome, None, None]:
    """Compute tasks on the workers of a Dask cluster and yield outcomes as they come.

    Parameters
    ----------
    tasks : sequence of Task
        The first ones start first.
    client : distributed.Client or str
        A client, which stays open, or the address of a scheduler, ``tcp://host:8786``.

    Raises
    ------
    WorkshopError
        If there is no scheduler at that address.
    """
    try:
        from distributed import as_completed
    except ImportError as error:
        raise MissingToolError("Dask is not installed", fix="pip install distributed") from error
    address = client if isinstance(client, str) else None
    if address:
        client = _connect(address)
    futures = {}
    try:
        for position, task in enumerate(tasks):
            # Impure: a second sweep must not be given the first one's failures.
            future = client.submit(compute_there, task, pure=False, priority=-position)
            futures[future] = task
        for future in as_completed(list(futures), loop=client.loop):
            yield from _outcomes(future, futures[future])
            future.release()
    finally:
        client.cancel([future for future in futures if not future.done()])
        if address:
            client.close()


def compute_there(task: Task) -> list[Outcome]:
    """Compute a task on a Dask worker, when its memory has room for it."""
    with _ONE_AT_A_TIME:
        budget = _budget_of_this_worker()
    return compute_within(budget, task, compute)


_ONE_AT_A_TIME = threading.Lock()  # a worker may have several threads, and has one memory


@functools.cache
def _budget_of_this_worker() -> MemoryBudget:
    import psutil
    from distributed import get_worker

    limit = get_worker().memory_manager.memory_limit  # None: the worker watches no limit
    return MemoryBudget((limit or psutil.virtual_memory().total) / 1e6)


def _connect(address: str) -> Any:
    from distributed import Client

    try:
        return Client(address, timeout=PATIENCE_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise WorkshopError(
            f"There is no Dask scheduler at {address}",
            expected="an address such as tcp://host:8786",
            found=str(error) or type(error).__name__,
            fix="start one with 'dask scheduler', and workers with 'dask worker ADDRESS'",
        ) from error


def _outcomes(future: Any, task: Task) -> list[Outcome]:
    error = future.exception()
    if error is None:
        outcomes: list[Outcome] = future.result()
        return outcomes
    reason = f"the cluster gave up: {type(error).__name__}: {error}"
    return [Outcome.failed(key, reason) for key in task.keys]
