"""Worker processes of this machine: they share memory, and one that dies costs one task."""

import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest
from waiting import descendants, lives, until

from helpers import load_frames
from helpers.gap.fit import estimate_memory_MB
from helpers.sweeps.compute import Task
from helpers.sweeps.processes import ONE_THREAD, run_here

EARLIER: set[psutil.Process] = set()


@pytest.fixture
def task(small_water, smallest_config):
    """A function: a task of one point with a name of its own."""

    def make(key, config=smallest_config):
        frames = load_frames("water", "train", 4)
        return Task((key,), (config,), frames, load_frames("water", "validate")[:1])

    return make


@pytest.fixture
def slow_config(tiny_config):
    """Settings whose fit takes long enough to be disturbed."""
    return tiny_config.replace(n_max=6, l_max=5)


@pytest.fixture(autouse=True)
def only_own_workers(monkeypatch):
    """Leave out what earlier tests of this process have left."""
    earlier = set(psutil.Process().children(recursive=True))
    monkeypatch.setattr(sys.modules[__name__], "EARLIER", earlier)


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
def test_a_worker_that_is_killed_fails_its_point_and_is_replaced(task, slow_config):
    outcomes = run_here([task("killed", slow_config), task("next")], workers=1)
    killer = threading.Thread(target=kill_the_worker_that_fits)
    killer.start()
    found = {each.key: each for each in outcomes}
    killer.join()
    assert "ended in the middle of this point" in found["killed"].failure
    assert "exit code SIGKILL(-9)" in found["killed"].failure
    assert found["next"].failure == ""
    assert workers() == []


@pytest.mark.slow
def test_a_worker_that_is_killed_does_not_disturb_another(task, slow_config):
    """The other one goes on: its fit is not begun again."""
    outcomes = run_here([task("first", slow_config), task("second", slow_config)], workers=2)
    seen = []
    killer = threading.Thread(target=kill_the_worker_that_fits, args=(2, seen))
    killer.start()
    found = {each.key: each for each in outcomes}
    killer.join()
    failures = sorted(each.failure for each in found.values())
    assert failures[0] == "" and "ended in the middle of this point" in failures[1]
    assert len(seen) == 2, "a process was started anew"


@pytest.mark.slow
def test_a_worker_computes_in_one_thread(task, slow_config):
    outcomes = run_here([task("one", slow_config)], workers=1)
    environments = []
    reader = threading.Thread(
        target=lambda: environments.append(until(workers_that_fit, 60)[0].environ())
    )
    reader.start()
    assert [each.failure for each in outcomes] == [""]
    reader.join()
    assert environments[0].items() >= ONE_THREAD.items()


@pytest.mark.slow
def test_what_is_not_wanted_any_more_ends_at_once(task, slow_config):
    outcomes = run_here([task("small"), *(task(f"slow {i}", slow_config) for i in "ab")], workers=2)
    assert next(outcomes).key == "small"
    family = set(psutil.Process().children(recursive=True)) - EARLIER
    outcomes.close()
    assert workers() == []
    mine = [one for one in family if "tracker" not in " ".join(one.cmdline() if lives(one) else [])]
    assert until(lambda: not any(map(lives, mine)), 10), "a fit or its watcher goes on"


INTERRUPTED = """
import sys
import helpers
config = helpers.GapConfig(n_sparse=100, n_max=8, l_max=6)
try:
    helpers.sweep({"cutoff": [3.0, 3.1, 3.2]}, sizes=[8], config=config, cache="cache", workers=2)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.slow
def test_control_c_ends_workers_fits_and_folders(tmp_path, small_water):
    """As a terminal does it: the signal goes to the whole group of processes."""
    (tmp_path / "tmp").mkdir()
    sweep = psutil.Popen(
        [sys.executable, "-c", INTERRUPTED],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert until(lambda: len(descendants(sweep)) == 2)
    family = sweep.children(recursive=True)
    os.killpg(sweep.pid, signal.SIGINT)
    _, errors = sweep.communicate(timeout=30)
    assert sweep.returncode == 130 and "Traceback" not in errors, errors
    assert until(lambda: not any(map(lives, family)), 10), "something goes on"
    left = [*tmp_path.glob("cache/.*"), *tmp_path.glob("tmp/.gap_fit*")]
    assert until(lambda: not any(path.exists() for path in left), 10), left


def workers():
    """Return the worker processes, which are children of this process."""
    here = psutil.Process()

    def is_worker(one):
        return one.ppid() == here.pid and "joblib.externals.loky" in " ".join(one.cmdline())

    found = set(descendants(here, is_worker)) - EARLIER
    return [one for one in found if "tracker" not in " ".join(one.cmdline())]


def workers_that_fit():
    return [one for one in workers() if descendants(one)]


def kill_the_worker_that_fits(n_workers=1, seen=None):
    """Kill a worker in the middle of its fit; then look which workers there ever are."""
    if until(lambda: len(workers()) >= n_workers and workers_that_fit(), 60):
        ever = set(workers())
        os.kill(workers_that_fit()[0].pid, signal.SIGKILL)
        if seen is not None:
            while there := workers():
                ever |= set(there)
            seen.extend(ever)
