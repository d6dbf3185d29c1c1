"""A child process: all it says is heard, what it uses is counted, and it never outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from waiting import lives, until

from helpers.errors import MissingToolError
from helpers.gap.process import find_gap_fit, run_watched, working_folder


def watched(command, parent, on_line=None):
    with working_folder(parent) as folder:
        return run_watched(command, folder=folder, on_line=on_line)


def sh(script, parent, on_line=None):
    return watched(["/bin/sh", "-c", script], parent, on_line)


def python(code, parent):
    return watched([sys.executable, "-c", code], parent)


@pytest.fixture
def children():
    """A function: the processes started since the test began (other tests may have left some)."""
    before = set(psutil.Process().children())
    return lambda: set(psutil.Process().children()) - before


def test_both_streams_and_the_exit_code_come_back(tmp_path):
    done = sh("echo said; echo wrong >&2; exit 7", tmp_path)
    assert (done.exit_code, done.output, done.errors) == (7, "said\n", "wrong\n")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_is_a_negative_exit_code(tmp_path, ending):
    assert sh(f"kill -{int(ending)} $$", tmp_path).exit_code == -ending


def test_lines_are_handed_on_as_they_come(tmp_path):
    heard = []
    script = "echo one; printf 'bar 10%%\\rbar 20%%\\r\\ntwo\\nno end'"
    done = sh(script, tmp_path, lambda line: heard.append(line))
    assert heard == ["one", "bar 10%", "bar 20%", "", "two"]
    assert done.output.endswith("two\nno end")


def test_lines_come_while_the_child_runs(tmp_path):
    started, heard = time.monotonic(), []
    sh("echo now; sleep 1", tmp_path, lambda line: heard.append(time.monotonic() - started))
    assert len(heard) == 1 and time.monotonic() - started - heard[0] > 0.5


def test_much_text_on_both_streams_is_no_deadlock(tmp_path):
    code = "import sys\nfor n in range(20000): print('x' * 50); print('y' * 50, file=sys.stderr)"
    done = python(code, tmp_path)
    assert done.output.count("\n") == done.errors.count("\n") == 20000


def test_bytes_that_are_no_text_are_no_trouble(tmp_path):
    done = sh("printf 'a\\377b\\n'; printf '\\376' >&2", tmp_path)
    assert (done.output, done.errors) == ("a\ufffdb\n", "\ufffd")


def test_the_child_gets_one_thread_no_input_and_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    done = sh('echo "$OMP_NUM_THREADS"; cat; pwd', tmp_path)
    threads, folder = done.output.split()
    assert threads == "1" and Path(folder).parent == tmp_path


def test_time_and_memory_are_those_of_the_child(tmp_path):
    code = (
        "import time; block = bytearray(b'1') * 100_000_000; end = time.process_time() + 0.5\n"
        "while time.process_time() < end: pass\n"
        "print('done', flush=True); time.sleep(0.5)"
    )
    done = python(code, tmp_path)
    assert done.exit_code == 0
    assert 0.5 <= done.cpu_seconds < 3 and done.wall_seconds > done.cpu_seconds
    assert 100 < done.peak_memory_MB < 160
    lean = sh("echo hello; sleep 0.1", tmp_path)
    assert lean.cpu_seconds < 0.2
    if sys.platform == "linux":  # elsewhere the system counts the memory of this process, too
        assert 0 < lean.peak_memory_MB < 60


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_when_this_process_breaks_off_the_child_ends(tmp_path, children, error):
    def break_off(line):
        raise error

    with pytest.raises(error):
        sh("echo $$ > ../pid; echo go; exec sleep 60", tmp_path, break_off)
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid)
    assert children() == set()  # the watcher has gone, too
    assert os.listdir(tmp_path) == ["pid"]


def test_when_there_is_no_room_for_another_process_nothing_stays(tmp_path, monkeypatch):
    def fail(*args, **options):
        raise OSError("no more processes")

    with working_folder(tmp_path) as folder:
        monkeypatch.setattr(subprocess, "Popen", fail)
        with pytest.raises(OSError, match="no more processes"):
            run_watched(["true"], folder=folder)
    with pytest.raises(OSError, match="no more processes"), working_folder(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_after_a_good_end_nothing_is_left(tmp_path, children):
    sh("true", tmp_path)
    assert children() == set() and os.listdir(tmp_path) == []


def test_somebody_who_ends_the_watcher_does_no_harm(tmp_path, children):
    with working_folder(tmp_path) as folder:
        (watcher,) = children()
        watcher.kill()
        watcher.wait()
        done = run_watched(["/bin/sh", "-c", "echo on"], folder=folder)
    assert done.output == "on\n" and os.listdir(tmp_path) == []


PARENT = """
import sys
from pathlib import Path
from helpers.gap.process import run_watched, working_folder
with working_folder(Path(sys.argv[1])) as folder:
    run_watched(["/bin/sh", "-c", "echo $$ > ../pid; exec sleep 60"], folder=folder)
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_when_this_process_is_ended_the_child_and_its_folder_go(tmp_path, ending):
    folder = tmp_path / "work folder"
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)])
    pid_file = folder / "pid"
    assert until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
    child = int(pid_file.read_text())
    assert until(lambda: len(psutil.Process(parent.pid).children()) == 2)  # and the watcher
    family = psutil.Process(parent.pid).children()
    assert child in [one.pid for one in family]
    parent.send_signal(ending)
    assert parent.wait(20) == -ending
    assert until(lambda: not any(map(lives, family)), 20), family
    assert until(lambda: os.listdir(folder) == ["pid"])


def test_the_binary_itself_is_found_not_its_wrapper():
    binary = find_gap_fit()
    assert binary.parent.name == "quippy" and os.access(binary, os.X_OK)
    assert not binary.read_bytes().startswith(b"#!")


def test_the_real_gap_fit_says_what_it_does_not_like(tmp_path):
    (tmp_path / "a.cfg").write_text("atoms_filename=none.xyz default_sigma={1 1 0 0} gap={soap}\n")
    done = watched([str(find_gap_fit()), "config_file=../a.cfg"], tmp_path)
    assert done.exit_code == 1 and "SYSTEM ABORT" in done.errors + done.output


def test_a_gap_fit_on_the_path_will_do(tmp_path, monkeypatch):
    program = tmp_path / "gap_fit"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert find_gap_fit() == Path(program)


def test_without_a_gap_fit_the_fix_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="no gap_fit program.*pip install 'quippy-ase>=0.10"):
        find_gap_fit()
