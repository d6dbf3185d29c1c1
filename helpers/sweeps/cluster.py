"""Tasks on a cluster: a Dask client, or the address of a scheduler.

Workers need the same kit and gap_fit, but no common file system: frames travel to them, results
and models back. A worker that dies is no loss: the scheduler gives its task to another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from helpers.errors import MissingToolError, WorkshopError
from helpers.sweeps.work import Outcome, Task, compute_all

PATIENCE_SECONDS = 20  # for a scheduler that does not answer


def run_on_cluster(tasks: Sequence[Task], client: Any) -> Iterator[Outcome]:
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
    own = isinstance(client, str)
    if own:
        client = _connect(client)
    futures = {}
    try:
        for place, task in enumerate(tasks):
            # Impure: a second sweep must not be given the first one's failures.
            future = client.submit(compute_all, task, pure=False, priority=-place)
            futures[future] = task
        for future in as_completed(list(futures), loop=client.loop):
            yield from _outcomes(future, futures[future])
            future.release()
    finally:
        client.cancel([future for future in futures if not future.done()])
        if own:
            client.close()


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
        found: list[Outcome] = future.result()
        return found
    reason = f"the cluster gave up: {type(error).__name__}: {error}"
    return [Outcome(key, failure=" ".join(reason.split())) for key in task.keys]
