"""Fits share memory: what does not fit waits, what can never fit is refused."""

import threading
import time

import psutil
import pytest

from helpers.errors import FitError
from helpers.sweeps.budget import MemoryBudget, free_memory_MB


def test_what_does_not_fit_together_waits():
    memory, together, most = MemoryBudget(100.0), [], []

    def hold(need_MB):
        with memory.reserved(need_MB):
            together.append(need_MB)
            most.append(sum(together))
            time.sleep(0.05)
            together.remove(need_MB)

    threads = [threading.Thread(target=hold, args=(need,)) for need in (60.0, 50.0, 40.0, 100.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(most) == 4 and max(most) <= 100.0 and together == []


def test_what_can_never_fit_is_refused():
    memory = MemoryBudget(100.0)
    with pytest.raises(FitError, match="not enough memory.*Expected: 200 MB.*Found: 100 MB"):
        with memory.reserved(200.0):
            pass
    with memory.reserved(100.0):  # nothing is left reserved
        pass


def test_free_memory_is_that_of_the_machine():
    assert 0 < free_memory_MB() < psutil.virtual_memory().total / 1e6
