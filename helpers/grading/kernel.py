"""A student's kernel, in its box: cells run in it, and values are asked for, within limits."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import zmq
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from helpers.grading.box import (
    Limits,
    Places,
    kernel_command,
    kernel_environment,
    network_attempts,
)
from helpers.grading.plain import MOST_BYTES

MOST_MESSAGE = 16_000_000  # bytes of one message; the kernel is cut off beyond
GRACE_S = 5.0  # for a cell that was interrupted, before the kernel is ended
# Before the first cell: the same random numbers in each grading; and `exit` ends nothing, or the
# cells that come after it would have no kernel.
BEGIN = """
import random as _r, numpy as _n
_r.seed({0})
_n.random.seed({0})
exit = quit = lambda *_: print("The kernel goes on while you are graded.")
del _r, _n
"""


class KernelGone(Exception):
    """The kernel ended, or was ended; the text tells why."""


class Stopped(Exception):
    """The grading is to end."""


class Kernel:
    """A Jupyter kernel for one student; use it in a ``with`` block.

    Parameters
    ----------
    places : Places
        Its folders.
    limits : Limits
        What it may use.
    seed : int
        For Python's and NumPy's random numbers.
    stop : threading.Event
        When it is set, no cell goes on.
    boxed : bool
        Whether it runs in a box.
    """

    def __init__(
        self, places: Places, limits: Limits, seed: int, stop: threading.Event, *, boxed: bool
    ) -> None:
        self._places, self._limits, self._seed, self._boxed = places, limits, seed, boxed
        self._stopped = stop
        self._requests = 0
        self.ended = ""  # why the kernel was ended from outside
        self.peak_memory_bytes = 0
        self.cpu_s: dict[int, float] = {}  # of each process
        self.written_bytes = 0
        self._inside: list[int] = []  # processes in the box
        self._attempts = 0

    def __enter__(self) -> Kernel:
        self._log = (self._places.connection / "log.txt").open("wb")
        command = kernel_command(self._places, self._limits, boxed=self._boxed)
        connection = self._places.connection / "k.json"
        self._manager = KernelManager(
            transport="ipc", ip=str(self._places.connection / "k"), connection_file=str(connection)
        )
        self._manager._kernel_spec = KernelSpec(
            argv=command, display_name="student", language="python", interrupt_mode="message"
        )
        environment = kernel_environment(self._places, self._seed, boxed=self._boxed)
        try:
            self._manager.start_kernel(
                cwd=str(self._places.work), env=environment, stdout=self._log, stderr=self._log
            )
            self._client = self._manager.client()
            self._client.context.setsockopt(zmq.MAXMSGSIZE, MOST_MESSAGE)
            self._client.context.setsockopt(zmq.RCVHWM, 100)
            self._client.start_channels()
            self._stop = threading.Event()
            self._watcher = threading.Thread(target=self._watch, daemon=True)
            self._watcher.start()
            self._client.wait_for_ready(timeout=120)
            self.run(BEGIN.format(self._seed % 2**32), 60)
        except Stopped:
            self.__exit__()
            raise
        except Exception as error:
            log = (
                (self._places.connection / "log.txt").read_bytes()[-2000:].decode(errors="replace")
            )
            self.__exit__()
            last = (log.strip().splitlines() or [str(error)])[-1]
            raise KernelGone(f"the kernel did not start: {last}") from error
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_stop"):
            self._stop.set()
            self._watcher.join()
        with contextlib.suppress(Exception):
            self._client.stop_channels()
        with contextlib.suppress(Exception):
            for process in self._processes():
                process.kill()
        with contextlib.suppress(Exception):
            self._manager.shutdown_kernel(now=True)
        with contextlib.suppress(Exception):
            self._client.context.destroy(linger=0)
        self._log.close()

    def _processes(self) -> list[psutil.Process]:
        process = getattr(self._manager.provisioner, "process", None)
        if process is None:
            return []
        with contextlib.suppress(psutil.Error):
            first = psutil.Process(process.pid)
            return [first, *first.children(recursive=True)]
        return []

    def _watch(self) -> None:
        """End the kernel when its processes together use too much; note how much they used."""
        rounds = 0
        while not self._stop.wait(0.2):
            processes, memory = self._processes(), 0
            for process in processes:
                with contextlib.suppress(psutil.Error):
                    memory += process.memory_info().rss
                    times = process.cpu_times()
                    self.cpu_s[process.pid] = times.user + times.system
            self._inside = [process.pid for process in processes[1:]]
            self.peak_memory_bytes = max(self.peak_memory_bytes, memory)
            rounds += 1
            if rounds % 5 == 0:
                self.written_bytes = _size(self._places.scratch) + _size(self._places.told)
            limits = self._limits
            for too_much, why in (
                (memory > limits.memory_bytes, "used too much memory"),
                (len(processes) > limits.processes, "started too many processes"),
                (self.written_bytes > limits.folder_bytes, "wrote too much to the disk"),
            ):
                if too_much and not self.ended:
                    self.ended = why
                    for process in processes:
                        with contextlib.suppress(psutil.Error):
                            process.kill()

    def network_attempts(self) -> int | None:
        """Return how often it wanted to reach a computer; None where nothing counts that."""
        if not self._boxed:
            return None
        for process in self._inside:
            with contextlib.suppress(OSError, ValueError):
                self._attempts = network_attempts(process)
                break
        return self._attempts

    def run(
        self, source: str, seconds: float, keep: Callable[[dict[str, Any]], None] | None = None
    ) -> bool:
        """Run a cell and return whether it ended in time; if not, it was interrupted.

        Parameters
        ----------
        source : str
            The code.
        seconds : float
            After that time the cell is interrupted.
        keep : function, optional
            Takes each message that is an output.

        Raises
        ------
        KernelGone
            If the kernel ended, or had to be ended because it did not heed the interrupt.
        Stopped
            If the grading is to end.
        """
        request = self._client.execute(source, store_history=True, allow_stdin=False)
        end, in_time = time.monotonic() + seconds, True
        while True:
            if self._stopped.is_set():
                raise Stopped
            try:
                message = self._client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                message = None
            if message is not None and message["parent_header"].get("msg_id") == request:
                kind, content = message["msg_type"], message["content"]
                if kind == "status" and content["execution_state"] == "idle":
                    return in_time
                if keep is not None and kind in _OUTPUTS:
                    keep(message)
            elif not self._manager.is_alive():
                raise KernelGone(self.ended or "the kernel died")
            if time.monotonic() > end:
                if not in_time:
                    self.ended = "took too long, and could not be interrupted"
                    raise KernelGone(self.ended)
                in_time, end = False, time.monotonic() + GRACE_S
                self._manager.interrupt_kernel()

    def ask(self, request: dict[str, Any], seconds: float) -> str:
        """Return the reply to a request (`helpers.grading.teller`), or an empty text.

        The text is whatever the kernel wrote; nothing about it is known but its length.

        Raises
        ------
        KernelGone
            As `run`.
        """
        self._requests += 1
        name = f"{self._requests}.json"
        (self._places.asked / name).write_text(json.dumps(request), "utf-8")
        tell = f"__import__('helpers.grading.teller', fromlist=['_']).answer({self._requests})"
        self.run(tell, seconds)
        try:
            return _read(self._places.told / name, MOST_BYTES).decode("utf-8")
        except (OSError, ValueError):
            return ""


_OUTPUTS = ("stream", "execute_result", "display_data", "error", "clear_output")


def _read(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file; links, devices and long files are refused."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise ValueError("this is not a regular file, or it is too long")
        return file.read(most)


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder, without following links."""
    total, pending = 0, [folder]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
    return total
