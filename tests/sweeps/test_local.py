"""Workers of this machine: they share memory, and one that dies takes one task with it."""

import os
import signal
import threading

import psutil
import pytest
from waiting import descendants, until

from helpers import load_frames
from helpers.gap.fit import estimate_memory_MB
from helpers.sweeps.compute import Task
from helpers.sweeps.local import run_here


@pytest.fixture
def task(small_water, smallest_config):
    """A function: a task of one point with a name of its own."""

    def make(key, config=smallest_config):
        frames = load_frames("water", "train", 4)
        return Task((key,), (config,), frames, load_frames("water", "validate")[:1])

    return make


def test_the_estimate_grows_with_the_training_set(frames10, tiny_config):
    small, large = (estimate_memory_MB(tiny_config, frames10[:n]) for n in (2, 10))
    assert 0.1 < small < large < 1000


@pytest.mark.slow
def test_a_fit_that_gets_too_little_memory_fails_and_others_finish(task, tiny_config):
    large = tiny_config.replace(n_max=8, l_max=6)
    budget = estimate_memory_MB(large, task("x").training) - 0.5
    outcomes = {
        each.key: each
        for each in run_here([task("large", large), task("small")], workers=1, budget_MB=budget)
    }
    assert "not enough memory" in outcomes["large"].failure
    assert outcomes["small"].failure == "" and outcomes["small"].model.startswith(b"<")


@pytest.mark.slow
def test_a_worker_that_is_killed_fails_its_point_and_is_replaced(task, tiny_config):
    slow = tiny_config.replace(n_sparse=400, n_max=8, l_max=6)
    outcomes = run_here([task("killed", slow), task("next")], workers=1)
    killer = threading.Thread(target=kill_the_worker)
    killer.start()
    found = {each.key: each for each in outcomes}
    killer.join()
    assert "ended in the middle of this point" in found["killed"].failure
    assert "signal 9 (SIGKILL)" in found["killed"].failure
    assert found["next"].failure == ""
    assert workers() == []


def workers():
    return descendants(psutil.Process(), lambda one: "helpers.sweeps.worker" in one.cmdline())


def kill_the_worker():
    """Kill the worker as soon as its gap_fit computes."""
    if until(lambda: any(map(descendants, workers())), 60):
        os.kill(workers()[0].pid, signal.SIGKILL)
