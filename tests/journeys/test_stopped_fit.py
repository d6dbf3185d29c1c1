"""A fit that is stopped, in whatever way: nothing goes on, the old model stays, nothing strays."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
from waiting import lives, until

from helpers import GapConfig

SECONDS = 30  # until all must be over; the fit itself takes about as long
MLMD = [sys.executable, "-m", "helpers.cli"]
SCRIPT = """
import helpers
try:
    helpers.fit_gap(helpers.GapConfig.read("gap_config.cfg"), output="gap.xml", progress=False)
except helpers.WorkshopError as error:
    print(type(error).__name__, error)
"""
THROUGH_PYTHON = [sys.executable, "-c", SCRIPT]
THROUGH_MLMD = [*MLMD, "fit", "gap_config.cfg", "--output", "gap.xml"]
QUIETLY = [*THROUGH_MLMD, "--no-progress"]


def working_in(folder):
    """Return the processes of this user that work in a folder or inside it."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if one.cwd().startswith(str(folder)) and lives(one):
                found.append(one)
    return found


class Running:
    """A fit that goes on in a process of its own."""

    def __init__(self, folder, command):
        GapConfig(n_sparse=1000).write(folder / "gap_config.cfg")  # 100 frames: half a minute
        (folder / "gap.xml").write_bytes(b"the old model")
        self.folder = folder
        self.parent = psutil.Popen(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a terminal of its own, in effect
        )
        assert until(lambda: self.gap_fit() is not None, SECONDS), self.parent.communicate()
        # Both it and the watcher are there, and it has begun to compute.
        assert until(lambda: len(self.parent.children()) == 2, SECONDS)
        assert until(lambda: self.gap_fit().cpu_times().user > 0.3, SECONDS)
        self.family = [self.parent, *self.parent.children(recursive=True)]
        assert [path for path in os.listdir(folder) if path.startswith(".gap_fit-")]

    def gap_fit(self):
        for one in self.parent.children():
            with contextlib.suppress(psutil.Error):
                if one.name() == "gap_fit":
                    return one
        return None

    def ends(self):
        """Wait for the end → exit code, stdout, stderr; all must be as it was before."""
        output, errors = self.parent.communicate(timeout=SECONDS)
        assert until(lambda: not any(map(lives, self.family)), SECONDS), "it goes on"
        left = ["gap.xml", "gap_config.cfg"]
        assert until(lambda: sorted(os.listdir(self.folder)) == left, SECONDS)
        assert working_in(self.folder) == []
        assert (self.folder / "gap.xml").read_bytes() == b"the old model"
        return self.parent.returncode, output, errors


@pytest.fixture
def start(tmp_path):
    """A function: start a fit in an empty folder."""
    started = []

    def start_fit(command):
        started.append(Running(tmp_path, command))
        return started[-1]

    yield start_fit
    for running in started:
        for one in running.family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


def test_interrupting_mlmd_is_no_error_with_a_traceback(start):
    running = start(QUIETLY)
    running.parent.send_signal(signal.SIGINT)
    code, output, errors = running.ends()
    assert (code, output) == (130, "")
    assert errors == "mlmd fit: stopped; nothing half-written was left behind\n"


def test_ctrl_c_reaches_the_whole_foreground_group(start):
    running = start(THROUGH_MLMD)  # with its bar
    os.killpg(running.parent.pid, signal.SIGINT)
    code, output, errors = running.ends()
    assert (code, output) == (130, "")
    assert "Traceback" not in errors and "100%" not in errors
    assert errors.endswith("mlmd fit: stopped; nothing half-written was left behind\n")


@pytest.mark.slow
@pytest.mark.parametrize("after_ms", [0, 2, 5, 10, 20, 50])
def test_an_impatient_second_ctrl_c(start, after_ms):
    running = start(QUIETLY)
    os.killpg(running.parent.pid, signal.SIGINT)
    time.sleep(after_ms / 1000)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.parent.pid, signal.SIGINT)
    code, _, _ = running.ends()
    assert code != 0


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        (THROUGH_PYTHON, signal.SIGKILL),
        (QUIETLY, signal.SIGKILL),
        (QUIETLY, signal.SIGTERM),
        (QUIETLY, signal.SIGHUP),
    ],
    ids=["python killed", "mlmd killed", "mlmd told to stop", "terminal closed"],
)
def test_signals_that_leave_python_no_time(start, command, ending):
    running = start(command)
    running.parent.send_signal(ending)
    code, output, errors = running.ends()
    assert (code, output, errors) == (-ending, "", "")


def test_interrupting_python(start):
    running = start(THROUGH_PYTHON)
    running.parent.send_signal(signal.SIGINT)
    code, output, errors = running.ends()
    assert code == -signal.SIGINT and output == ""
    assert errors.splitlines()[-1].startswith("KeyboardInterrupt")


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_when_gap_fit_itself_is_ended_the_signal_is_named(start, ending):
    running = start(THROUGH_PYTHON)
    running.gap_fit().send_signal(ending)
    code, output, errors = running.ends()
    assert (code, errors) == (0, "")
    expected = (
        rf"FitError gap_fit failed; gap\.xml is as it was.*signal {int(ending)} .{ending.name}"
    )
    assert re.match(expected, output), output


def test_when_gap_fit_itself_is_ended_mlmd_says_so_in_one_line(start):
    running = start(QUIETLY)
    running.gap_fit().kill()
    code, output, errors = running.ends()
    assert (code, output) == (1, "")
    assert re.fullmatch(r"mlmd fit: gap_fit failed; .*SIGKILL.*Fix: .*memory ran out.*\n", errors)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_the_kits_own_engine_leaves_nothing_either(tmp_path, ending):
    GapConfig().write(tmp_path / "gap_config.cfg")
    (tmp_path / "gap.xml").write_bytes(b"the old model")
    command = [*THROUGH_MLMD, "--engine", "jax"]
    fit = psutil.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    shown = ""
    while "comparing environments" not in shown:
        shown += fit.stderr.read(1)
        assert fit.poll() is None, shown
    assert "choosing sparse points" in shown and "left" in shown
    fit.send_signal(ending)
    _, errors = fit.communicate(timeout=SECONDS)
    assert fit.returncode == (130 if ending == signal.SIGINT else -ending)
    if ending == signal.SIGINT:
        assert errors.endswith("mlmd fit: stopped; nothing half-written was left behind\n")
    assert "Traceback" not in errors and working_in(tmp_path) == []
    assert sorted(os.listdir(tmp_path)) == ["gap.xml", "gap_config.cfg"]
    assert (tmp_path / "gap.xml").read_bytes() == b"the old model"
