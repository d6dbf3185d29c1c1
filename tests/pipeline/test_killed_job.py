"""``mlmd run`` killed: what `benchmarks/main_job_killed.py` measured, and a short form of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from helpers.pipeline.handout import PRESETS, handout_stages

STORED = Path(__file__).parents[2] / "benchmarks" / "main_job_killed.csv"


@pytest.mark.skipif(
    not STORED.exists(), reason="not measured yet: python benchmarks/main_job_killed.py"
)
def test_no_stage_was_done_twice_and_no_result_differs():
    table = pd.read_csv(STORED, keep_default_na=False)
    assert table["stage"].tolist() == [stage.name for stage in handout_stages(PRESETS["quick"]())]
    assert set(table["done_again"]) == {""} and set(table["different"]) == {""}
    assert table["finished_before"].tolist() == [max(0, k - 1) for k in range(len(table))]
    assert (table["results"] > 30).all()


@pytest.mark.slow
def test_kill_9_between_two_stages_loses_nothing(tmp_path):
    """Killed while it learns the second thing, it goes on with that and keeps the first."""
    frames = Path(__file__).parents[1]
    code = (
        f"import sys; sys.path.insert(0, {str(frames)!r})\n"
        "from own_frames import alloy\n"
        "from helpers.datasets import from_atoms\n"
        "from helpers.pipeline import run_own_data\n"
        "only = ('data', 'potential')\n"
        "run_own_data(from_atoms(alloy(10)), 'out', preset='quick', only=only, progress=False)\n"
    )
    command = [sys.executable, "-c", code]
    records = tmp_path / "out" / "stages"
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not (records / "data.json").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    before = (records / "data.json").read_text(), (records / "data.json").stat().st_mtime_ns
    assert not (records / "potential.json").exists()
    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    after = (records / "data.json").read_text(), (records / "data.json").stat().st_mtime_ns
    assert after == before
    assert json.loads((records / "potential.json").read_text())["seconds"] > 0
