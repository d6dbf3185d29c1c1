"""A worker process of a sweep, ``python -m helpers.sweeps.worker``: tasks in, outcomes out.

Both travel as pickles through pipes that only the two processes hold. When the sweep's process
vanishes, however it ends, the pipe closes and the worker ends with the fit that it was doing.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO

from helpers.sweeps.compute import Task, compute

DONE = "done"  # comes after the outcomes of each task


def main() -> None:
    """Compute tasks from standard input until it ends."""
    # quippy prints to standard output: what it prints must not get among the outcomes.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for task in _tasks(sys.stdin.buffer):
        for outcome in compute(task):
            _send(answers, outcome)
        _send(answers, DONE)


def _tasks(pipe: BinaryIO) -> Iterator[Task]:
    """Yield the tasks that come through a pipe; end this process as soon as the pipe closes."""
    waiting: queue.Queue[Task] = queue.Queue()

    def read() -> None:
        try:
            while True:
                waiting.put(pickle.load(pipe))
        except (EOFError, OSError, pickle.UnpicklingError):
            os._exit(0)  # gap_fit's watcher ends the fit and removes its folder

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield waiting.get()


def _send(pipe: BinaryIO, item: object) -> None:
    pickle.dump(item, pipe)
    pipe.flush()


if __name__ == "__main__":
    main()
