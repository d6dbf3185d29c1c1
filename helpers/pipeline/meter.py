"""What a stage costs: time on the clock and of the processor, and memory, workers included."""

from __future__ import annotations

import contextlib
import threading
import time
from types import TracebackType

import psutil

INTERVAL_S = 0.25  # between two looks at the processes


class Meter:
    """Measures what is done in its ``with`` block, in this process and in those that it starts.

    Attributes
    ----------
    seconds : float
        Wall time.
    cpu_seconds : float
        Time of the processor. What a worker does in its last quarter of a second is not seen.
    peak_memory_MB : float
        Most memory that all processes held together at one of the looks.
    """

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = self.peak_memory_MB = 0.0
        self._before: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> Meter:
        self._before = self._look()
        self._start = time.perf_counter()
        self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._start
        self._done.set()
        self._watch.join()
        self._last |= self._look()
        self.cpu_seconds = sum(
            spent - self._before.get(number, 0.0) for number, spent in self._last.items()
        )

    def _look_on(self) -> None:
        while not self._done.wait(INTERVAL_S):
            self._last |= self._look()

    def _look(self) -> dict[int, float]:
        """Return the seconds of the processor by process, and note the memory."""
        spent, memory = {}, 0
        here = psutil.Process()
        with contextlib.suppress(psutil.Error):
            for process in (here, *here.children(recursive=True)):
                with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                    times = process.cpu_times()
                    spent[process.pid] = times.user + times.system
                    memory += process.memory_info().rss
        self.peak_memory_MB = max(self.peak_memory_MB, memory / 1e6)
        return spent
