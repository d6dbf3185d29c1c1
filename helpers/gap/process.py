"""Run the gap_fit binary as a child process that never outlives its parent."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.errors import MissingToolError

RUSAGE_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in one unit of ru_maxrss


@dataclass(frozen=True)
class Finished:
    """Exit code, output and cost of a child process that has ended."""

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


class WorkingFolder:
    """A folder for one child process. Both vanish with this process, however it ends.

    Attributes
    ----------
    path : Path
        The folder.
    """

    # A shell watches a pipe whose other end only this process holds. The end of that pipe is the
    # sign to tidy up: SIGTERM, SIGKILL and an impatient second Ctrl-C leave Python no chance to.
    _WATCH = """
        if read -r child; then
            read -r ended || { kill -9 "$child"; sleep 0.1; }
            read -r nothing
        fi
        rm -rf -- "$1"
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", self._WATCH, "watcher", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def child_started(self, pid: int) -> None:
        """Let the watcher end this child if this process vanishes."""
        self._tell(str(pid))

    def child_ended(self) -> None:
        """Let the watcher forget the child: its number may soon be another's."""
        self._tell("ended")

    def remove(self) -> None:
        """Remove the folder."""
        assert self._watcher.stdin is not None
        self._watcher.stdin.close()
        self._watcher.wait()
        shutil.rmtree(self.path, ignore_errors=True)  # should somebody have ended the watcher

    def _tell(self, line: str) -> None:
        assert self._watcher.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            os.write(self._watcher.stdin.fileno(), f"{line}\n".encode())


@contextlib.contextmanager
def working_folder(parent: Path | None = None) -> Iterator[WorkingFolder]:
    """Make a `WorkingFolder`, removed at the end of the ``with`` block.

    It lies in `parent`, or else where the system keeps temporary files.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    # The watcher comes first: the folder never exists without somebody to remove it.
    folder = WorkingFolder(parent / f".gap_fit-{secrets.token_hex(4)}")
    try:
        folder.path.mkdir(mode=0o700)
        yield folder
    finally:
        folder.remove()


def run_watched(
    command: list[str], *, folder: WorkingFolder, on_line: Callable[[str], None] | None = None
) -> Finished:
    """Run `command` in `folder`; if this process dies in any way, the child dies with it.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    folder : WorkingFolder
        Where the child works, made for this run.
    on_line : callable, optional
        Called with each line (or progress fragment) that the child prints.

    Returns
    -------
    Finished
        Exit code (negative: ended by that signal), output, seconds and peak memory.
    """
    started = time.perf_counter()
    error_file = folder.path / "stderr.txt"
    with error_file.open("wb") as errors:
        child = subprocess.Popen(
            command,
            cwd=folder.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C reaches this process first, which then ends the child
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    try:
        folder.child_started(child.pid)
        output, peak_MB = _read(child, on_line)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if child.returncode is None:
            child.kill()
            child.wait()
        folder.child_ended()
        assert child.stdout is not None
        child.stdout.close()
    return Finished(
        exit_code=child.returncode,
        output=output,
        errors=error_file.read_text(errors="replace"),
        wall_seconds=time.perf_counter() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_memory_MB=peak_MB or usage.ru_maxrss * RUSAGE_UNIT / 1e6,
    )


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
