"""Run the gap_fit binary as a child process that never outlives its parent."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers.errors import MissingToolError

RUSAGE_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in one unit of ru_maxrss


@dataclass(frozen=True)
class Finished:
    """How a child process ended, and what it used."""

    exit_code: int
    output: str
    errors: str
    wall_seconds: float
    cpu_seconds: float
    peak_memory_MB: float


def find_gap_fit() -> Path:
    """Return the gap_fit binary itself.

    The ``gap_fit`` command of quippy-ase is a Python wrapper that leaves the real binary running
    when it is stopped, so the binary inside the package comes first.

    Raises
    ------
    MissingToolError
        If there is none.
    """
    spec = importlib.util.find_spec("quippy")
    folders = spec.submodule_search_locations if spec else None
    inside = [Path(folder, "gap_fit") for folder in folders or []]
    on_path = shutil.which("gap_fit")
    for candidate in [*inside, *([Path(on_path)] if on_path else [])]:
        if os.access(candidate, os.X_OK):
            return candidate
    raise MissingToolError(
        "There is no gap_fit program", fix="pip install 'quippy-ase>=0.10.3' (its name on PyPI)"
    )


def run_watched(
    command: list[str], *, folder: Path, on_line: Callable[[str], None] | None = None
) -> Finished:
    """Run `command` in `folder`; if this process dies in any way, the child dies with it.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    folder : Path
        Working folder of the child, made for this run; removed if this process is killed.
    on_line : callable, optional
        Called with each line (or progress fragment) that the child prints.

    Returns
    -------
    Finished
        Exit code (negative: ended by that signal), output, seconds and peak memory.
    """
    started = time.perf_counter()
    error_file = folder / "stderr.txt"
    with error_file.open("wb") as errors:
        child = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C reaches this process first, which then ends the child
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    watcher = None
    try:
        watcher = _start_watcher(child.pid, folder)
        output, peak_MB = _read(child, on_line)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if child.returncode is None:
            child.kill()
            child.wait()
        assert child.stdout is not None
        child.stdout.close()
        if watcher is not None:
            _dismiss(watcher)
    return Finished(
        exit_code=child.returncode,
        output=output,
        errors=error_file.read_text(errors="replace"),
        wall_seconds=time.perf_counter() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_memory_MB=peak_MB or usage.ru_maxrss * RUSAGE_UNIT / 1e6,
    )


def _start_watcher(child_pid: int, folder: Path) -> subprocess.Popen:
    """Start a shell that waits for this process to vanish, then ends the child and tidies up.

    It reads a pipe whose other end only this process holds: the end of that pipe is the sign,
    however this process ended (SIGTERM and SIGKILL leave no chance to clean up).
    """
    script = 'read -r _; kill -9 "$1" 2>/dev/null; sleep 0.1; rm -rf -- "$2"'
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "watcher", str(child_pid), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _dismiss(watcher: subprocess.Popen) -> None:
    watcher.send_signal(signal.SIGKILL)
    watcher.wait()
    assert watcher.stdin is not None
    watcher.stdin.close()


def _read(child: subprocess.Popen, on_line: Callable[[str], None] | None) -> tuple[str, float]:
    """Return everything the child prints, handing on lines as they come, and its peak memory."""
    assert child.stdout is not None
    whole, rest, peak_MB = [], "", 0.0
    while chunk := os.read(child.stdout.fileno(), 65536):
        peak_MB = _peak_memory_MB(child.pid) or peak_MB
        text = chunk.decode(errors="replace")
        whole.append(text)
        # gap_fit redraws its own bar with carriage returns: each is as good as a line.
        *lines, rest = (rest + text).replace("\r", "\n").split("\n")
        for line in lines:
            if on_line is not None:
                on_line(line)
    return "".join(whole), peak_MB


def _peak_memory_MB(pid: int) -> float | None:
    """Return the peak memory so far of a running process on Linux.

    The kernel's count for a finished child (rusage) would include the Python process that
    started it, which may be larger than the fit.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    match = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(match.group(1)) * 1024 / 1e6 if match else None
