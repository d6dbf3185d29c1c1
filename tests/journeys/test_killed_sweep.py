"""A killed sweep goes on where it was; two at once on one cache do not disturb each other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import psutil
import pytest
from waiting import descendants, lives, until

from helpers.sweeps import Cache

SECONDS = 120
SWEEP = """
import helpers, sys
config = helpers.GapConfig(n_sparse=50, n_max=4, l_max=3)
over = {"cutoff": [3.0, 3.1, 3.2]}
options = {"config": config, "cache": "cache", "workers": 2, "memory_MB": 2000}
helpers.sweep(over, sizes=[8], output=sys.argv[1], **options)
"""
POINTS = 3


def start(folder, output="table.csv"):
    return psutil.Popen(
        [sys.executable, "-c", SWEEP, output],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stored(folder):
    """Return the whole points in the cache, with the time at which each was written."""
    return {path: path.stat().st_mtime_ns for path in Path(folder).glob("cache/*/*/point.json")}


@pytest.mark.slow
def test_after_kill_9_nothing_goes_on_and_the_rest_is_computed(tmp_path, small_water):
    sweep = start(tmp_path)
    assert until(lambda: stored(tmp_path) and descendants(sweep)), sweep.communicate()
    family = sweep.children(recursive=True)
    os.kill(sweep.pid, signal.SIGKILL)
    sweep.wait()
    assert until(lambda: not any(map(lives, family))), "a worker or a fit goes on"
    before = stored(tmp_path)
    assert 1 <= len(before) < POINTS
    assert until(lambda: not list((tmp_path / "cache").glob(".*"))), "something half-made is left"

    again = start(tmp_path)
    _, errors = again.communicate(timeout=SECONDS)
    assert again.returncode == 0, errors
    assert f"{len(before)} of {POINTS} points" in errors
    after = stored(tmp_path)
    assert len(after) == POINTS and before.items() <= after.items(), "a point was made again"
    table = pd.read_csv(tmp_path / "table.csv")
    assert len(table) == 2 * POINTS and (table["rmse_energy_meV_per_atom"] > 0).all()
    assert sorted(os.listdir(tmp_path)) == ["cache", "table.csv"]


@pytest.mark.slow
def test_two_sweeps_at_once_share_one_cache(tmp_path, small_water):
    both = [start(tmp_path, name) for name in ("one.csv", "two.csv")]
    for sweep in both:
        _, errors = sweep.communicate(timeout=SECONDS)
        assert sweep.returncode == 0, errors
    errors = ["failure", "rmse_energy_meV_per_atom", "rmse_forces_meV_per_A", "model_path"]
    one, two = (pd.read_csv(tmp_path / name)[errors] for name in ("one.csv", "two.csv"))
    assert one["failure"].isna().all() and two["failure"].isna().all(), [one.failure, two.failure]
    pd.testing.assert_frame_equal(one, two)
    cache = Cache(tmp_path / "cache")
    assert len(stored(tmp_path)) == POINTS
    assert all(cache.get(path.parent.name) is not None for path in stored(tmp_path))
