"""Stages: done once, again when what they read has changed, alone in their failures."""

import json
import subprocess
import sys

import pytest

from helpers.errors import ConfigError, DataError
from helpers.pipeline.stages import Stage, run_stages

QUIET = {"progress": False, "say": lambda line: None}


@pytest.fixture
def job(tmp_path):
    """Stages: numbers → their sum → a report, and one beside them; what they did, in order."""
    source = tmp_path / "numbers.txt"
    source.write_text("1 2 3")
    done = []

    def numbers(folder):
        done.append("numbers")
        (folder / "copy.txt").write_text(source.read_text())

    def total(folder):
        done.append("total")
        values = (folder / "copy.txt").read_text().split()
        if "x" in values:
            raise DataError("x is no number")
        (folder / "total.txt").write_text(str(sum(map(int, values))))

    def beside(folder):
        done.append("beside")
        (folder / "beside.txt").write_text("here")

    def report(folder):
        done.append("report")
        (folder / "report.txt").write_text((folder / "total.txt").read_text())

    def stages(power=1):
        return [
            Stage("numbers", "Numbers", numbers, reads=(source,), writes=("copy.txt",)),
            Stage("total", "Sum", total, {"power": power}, ("numbers",), writes=("total.txt",)),
            Stage("beside", "Beside", beside, writes=("beside.txt",)),
            Stage("report", "Report", report, needs=("total",), writes=("report.txt",)),
        ]

    def run(power=1, **options):
        done.clear()
        outcomes = run_stages(stages(power), tmp_path / "out", **{**QUIET, **options})
        return list(done), {outcome.stage: outcome.state for outcome in outcomes}

    run.source, run.folder, run.done = source, tmp_path / "out", done
    return run


ALL = ["numbers", "total", "beside", "report"]


def test_what_is_finished_is_not_done_again(job):
    assert job()[0] == ALL
    did, states = job()
    assert did == [] and set(states.values()) == {"kept"}


def test_what_depends_on_a_change_is_done_again_and_nothing_else(job):
    job()
    assert job(power=2)[0] == ["total"]  # its result is the same, so the report stands
    job.source.write_text("4 5")
    assert job(power=2)[0] == ["numbers", "total", "report"]
    (job.folder / "beside.txt").write_text("edited")
    assert job(power=2)[0] == ["beside"]
    (job.folder / "total.txt").unlink()
    assert job(power=2)[0] == ["total"]


def test_a_stopped_job_goes_on_with_the_stage_that_was_not_finished(job):
    def stop(outcomes):
        if len(outcomes) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job(after_each=stop)
    assert job.done == ["numbers", "total"]
    assert job()[0] == ["beside", "report"]
    (job.folder / "stages" / "beside.json").write_text("{half")  # as a killed machine may leave it
    assert job()[0] == ["beside"]


def test_a_failure_stops_only_what_needs_it(job):
    job.source.write_text("1 x")
    did, states = job()
    assert did == ["numbers", "total", "beside"]
    assert states == {
        "numbers": "done",
        "total": "failed",
        "beside": "done",
        "report": "not possible",
    }
    job.source.write_text("1 2")
    assert job()[0] == ["numbers", "total", "report"]


def test_only_brings_what_it_needs_and_skip_leaves_out(job):
    assert job(only=["total"])[0] == ["numbers", "total"]
    did, states = job(skip=["total"])
    assert did == ["beside", "report"] and states["total"] == "left out"  # its results are there


def test_without_results_of_what_it_needs_a_stage_is_not_possible(job):
    said = []
    did, states = job(skip=["total"], say=said.append)
    assert did == ["numbers", "beside"] and states["report"] == "not possible"
    assert "Report: not possible, it needs the stage total, which is left out" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": ["totl"]}, "There is no stage 'totl'.*total"),
        ({"skip": ["reports"]}, "There is no stage 'reports'.*report"),
        ({"only": ["total"], "skip": ["total"]}, "'total' is both in --only and in --skip"),
    ],
)
def test_names_that_cannot_be_meant(job, options, message):
    with pytest.raises(ConfigError, match=message):
        job(**options)
    assert job.done == []


def test_a_record_tells_what_was_read_and_written(job):
    job()
    record = json.loads((job.folder / "stages" / "total.json").read_text())
    assert list(record["wrote"]) == ["total.txt"]
    assert set(record) == {"key", "wrote", "seconds", "cpu_seconds", "peak_memory_MB"}


def test_a_stage_costs_what_its_workers_cost(tmp_path):
    """A process of its own that holds 200 MB for some seconds and computes for one."""
    code = (
        "import time; held = b'x' * 200_000_000\n"
        "while time.process_time() < 1: pass\n"
        "time.sleep(1.5)"
    )

    def work(folder):
        subprocess.run([sys.executable, "-c", code], check=True)
        (folder / "done.txt").touch()

    (outcome,) = run_stages([Stage("one", "One", work, writes=("done.txt",))], tmp_path, **QUIET)
    assert outcome.state == "done" and outcome.seconds > 0.9
    assert 0.7 < outcome.cpu_seconds < outcome.seconds + 0.5
    assert outcome.peak_memory_MB > 200
