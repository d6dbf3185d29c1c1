"""What a stage costs: time on the clock and of the processor, and memory, workers included."""

from __future__ import annotations

import contextlib
import threading
import time
from types import TracebackType

import psutil

INTERVAL_S = 1.0  # between two looks at the memory, which take some milliseconds each


class Meter:
    """Measures what is done in its ``with`` block, in this process and in those that it starts.

    Attributes
    ----------
    seconds : float
        Wall time.
    cpu_seconds : float
        Time of the processor.
    peak_memory_MB : float
        Most memory that all processes held together at one of the looks, one each second.
    """

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = self.peak_memory_MB = 0.0
        self._before = 0.0
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
        self.cpu_seconds = max(0.0, self._look() - self._before)

    def _look_on(self) -> None:
        while not self._done.wait(INTERVAL_S):
            self._look()

    def _look(self) -> float:
        """Return the seconds of the processor of all processes so far, and note the memory.

        Those that have ended are counted by the one that started them.
        """
        spent, memory = 0.0, 0
        here = psutil.Process()
        with contextlib.suppress(psutil.Error):
            for process in (here, *here.children(recursive=True)):
                with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                    spent += sum(process.cpu_times()[:4])  # its own, and of those that ended
                    memory += process.memory_info().rss
        self.peak_memory_MB = max(self.peak_memory_MB, memory / 1e6)
        return spent
