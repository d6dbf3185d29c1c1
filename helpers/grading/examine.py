"""One hand-in, examined: the student's kernel computes, another process decides.

Two processes take part. The *kernel*, in its box, runs the rebuilt notebook from top to bottom and
knows no hidden test. The *judge* runs the tests, and no line of the student. Where a test stands in
the notebook, the kernel tells the variables that the test looks at, as plain data
(`helpers.grading.plain`); a value that is missing or malformed costs the points of that test.
Functions, models and figures stay in the kernel, and the judge asks them for their parts, call by
call. Of files that the notebook wrote, the judge gets copies: the contents of text files, and of
others only that they exist.

A cell that takes too long, or in which the kernel dies, costs its exercise: the kernel is started
again without that cell. What the kernel says is a claim; so tests compute what they expect, and try
functions and models on numbers of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from helpers.errors import OutputError
from helpers.grading.box import WORK, Limits, Places, why_no_box
from helpers.grading.judge import Judge, Verdict
from helpers.grading.kernel import Kernel, KernelGone
from helpers.grading.lesson import Lesson
from helpers.grading.outputs import Outputs, shown

LEAST_FREE = 10_000_000  # bytes of the disk on which notebooks run
ASK_S = 120.0  # seconds for one question to the kernel
MOST_STARTS = 5
MOST_FILES = 5000
_TEXT = {".cfg", ".csv", ".json", ".txt", ".xml", ".xyz"}
_NETWORK = re.compile(
    r"Network is unreachable|[Nn]ame resolution|gaierror|URLError|NewConnectionError|"
    r"Connection refused|ConnectionRefusedError"
)


@dataclass
class Examination:
    """What came of a hand-in.

    Attributes
    ----------
    marks : dict
        Points of each test.
    outputs : dict
        Outputs of each cell, by its id.
    problems : list of str
        What an instructor should know.
    """

    marks: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seconds_of: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    kernel_cpu_s: float = 0.0
    peak_memory_MB: float = 0.0

    def to_json(self) -> str:
        """Return it as text, which ``Examination(**json.loads(text))`` reads."""
        return json.dumps(asdict(self))


def examine(
    notebook: Any,
    lesson: Lesson,
    *,
    seed: int = 0,
    limits: Limits | None = None,
    boxed: bool | None = None,
    cache: Path | None = None,
    keep_cache: bool = False,
    stop: threading.Event | None = None,
) -> Examination:
    """Run a rebuilt notebook and decide its tests.

    Parameters
    ----------
    notebook : notebook
        As `helpers.grading.rebuild.rebuild` makes it.
    lesson : Lesson
        Its tests.
    seed : int
        For the kernel's random numbers.
    limits : Limits, optional
        What the kernel may use.
    boxed : bool, optional
        Whether the kernel runs in a box; by default where bubblewrap works.
    cache : Path, optional
        Fits that lessons need not make again, and beside it, in ``compiled``, what JAX need not
        compile again; the kernel gets a copy of both.
    keep_cache : bool
        Whether new fits and new compiled code are kept at the end: only for notebooks that are
        trusted.
    stop : threading.Event, optional
        When it is set, the examination ends.

    Raises
    ------
    Stopped
        When `stop` was set.
    KernelGone
        If no kernel can be started, which is no fault of the student.
    OutputError
        If the disk on which notebooks run is full.
    """
    limits = limits or Limits()
    boxed = why_no_box() is None if boxed is None else boxed
    # The names of sockets may have about 100 characters, so not in a deep folder.
    base = Path(tempfile.mkdtemp(prefix=f"mlmd-{os.getpid()}-"))
    try:
        settings = (seed, limits, boxed, cache, stop or threading.Event())
        session = _Session(notebook, lesson, settings, base)
        found = session.run()
        if shutil.disk_usage(base).free < LEAST_FREE:
            raise OutputError(
                f"{base.parent} is full, so what notebooks wrote there may be incomplete",
                fix="make room, or set TMPDIR to a folder on another disk; then grade again",
            )
        if keep_cache and cache is not None:
            for made, kept in _caches(session.places, cache):
                if made.is_dir():
                    shutil.copytree(made, kept, dirs_exist_ok=True)
        return found
    finally:
        shutil.rmtree(base, ignore_errors=True)


class _Session:
    """The examination of one notebook, while it goes on."""

    def __init__(
        self,
        notebook: Any,
        lesson: Lesson,
        settings: tuple[int, Limits, bool, Path | None, threading.Event],
        base: Path,
    ) -> None:
        self.notebook, self.lesson, self.base = notebook, lesson, base
        self.seed, self.limits, self.boxed, self.cache, self.stop = settings
        self.result = Examination()
        self.kernel: Kernel | None = None
        self.starts = 0
        self.skipped: set[str] = set()  # cells that ended a kernel
        self.copies = base / "judge"
        self.copied: dict[str, tuple[int, int]] = {}

    def run(self) -> Examination:
        (self.copies / WORK).mkdir(parents=True)
        started = time.monotonic()
        self.end = started + self.limits.total_s
        with contextlib.ExitStack() as stack:
            judge = stack.enter_context(Judge(self.lesson.given, self.copies))
            stack.callback(self._close)
            self._start_kernel()
            exercise = "the beginning"
            for place, cell in enumerate(self.notebook.cells):
                exercise = self.lesson.exercises.get(cell.id, exercise)
                if cell.cell_type != "code":
                    continue
                if cell.id in self.lesson.tests:
                    self._test(judge, cell.id, exercise)
                else:
                    self._run(place, exercise)
        self.result.seconds = time.monotonic() - started
        self.result.problems = list(dict.fromkeys(self.result.problems))
        return self.result

    # --- the kernel ---

    def _start_kernel(self) -> None:
        self._close()
        work = self.base / f"k{self.starts}"
        self.starts += 1
        self.places = Places.make(work)
        _fill(self.places, self.cache, with_fits=self.lesson.uses_cache)
        self.copied.clear()
        kernel = Kernel(self.places, self.limits, self.seed, self.stop, boxed=self.boxed)
        self.kernel = kernel.__enter__()

    def _close(self) -> None:
        if self.kernel is not None:
            self.kernel.__exit__()
            peak = self.kernel.peak_memory_bytes / 1e6
            self.result.peak_memory_MB = max(self.result.peak_memory_MB, peak)
            self.result.kernel_cpu_s += sum(self.kernel.cpu_s.values())
            self.kernel = None

    def _seconds(self) -> float:
        return min(self.limits.cell_s, self.end - time.monotonic())

    def _run(self, place: int, exercise: str) -> None:
        cell, outputs = self.notebook.cells[place], Outputs(self.limits.output_bytes)
        started, before = time.monotonic(), self._attempts()
        try:
            if self.kernel is None:
                return
            if self._seconds() <= 0:
                raise KernelGone("the time for a hand-in was over")
            if not self.kernel.run(cell.source, self._seconds(), outputs.add):
                self.result.problems.append(f"{exercise}: timed out")
        except KernelGone as gone:
            self.result.problems.append(f"{exercise}: {gone}")
            outputs.note(str(gone))
            self.skipped.add(cell.id)
            self._start_again(place)
        self.result.seconds_of[cell.id] = time.monotonic() - started
        self.result.outputs[cell.id] = outputs.cells
        if outputs.cut:
            self.result.problems.append(f"{exercise}: output was cut")
        attempts = self._attempts()
        told = _NETWORK.search(json.dumps(outputs.cells))
        if told if attempts is None or before is None else attempts > before:
            self.result.problems.append(f"{exercise}: tried to reach the network")

    def _attempts(self) -> int | None:
        return self.kernel.network_attempts() if self.kernel is not None else None

    def _start_again(self, place: int) -> None:
        """Start a kernel anew and run what came before, but for the cells that end kernels."""
        while self.starts < MOST_STARTS and self._seconds() > 0:
            try:
                self._start_kernel()
            except KernelGone:
                continue
            if self._repeat(place):
                return
        self._close()
        self.result.problems.append("the rest was not run")

    def _repeat(self, place: int) -> bool:
        for cell in self.notebook.cells[:place]:
            done = cell.cell_type == "code" and cell.id not in self.lesson.tests
            if done and cell.id not in self.skipped and self.kernel is not None:
                try:
                    self.kernel.run(cell.source, max(self._seconds(), 1.0))
                except KernelGone:
                    self.skipped.add(cell.id)
                    return False
        return True

    # --- the judge ---

    def _test(self, judge: Judge, name: str, exercise: str) -> None:
        test, started = self.lesson.tests[name], time.monotonic()
        told = self._ask({"names": list(test.names)}, exercise)
        self._copy_files()
        verdict = judge.decide(test, told, lambda request: self._ask(request, exercise))
        self.result.marks[name] = verdict.points
        self.result.outputs[name] = shown(verdict)
        self.result.seconds_of[name] = time.monotonic() - started
        if verdict.error.startswith(("MarkError", "the test could not")):
            self.result.problems.append(f"{name}: {verdict.error}")

    def _ask(self, request: dict[str, Any], exercise: str) -> str:
        if self.kernel is None or self._seconds() <= 0:
            return ""
        try:
            return self.kernel.ask(request, min(ASK_S, self._seconds()))
        except KernelGone as gone:
            self.result.problems.append(f"{exercise}: {gone} when it was asked")
            place = next(i for i, c in enumerate(self.notebook.cells) if self._here(c, exercise))
            self._start_again(place)
            return ""

    def _here(self, cell: Any, exercise: str) -> bool:
        return self.lesson.exercises.get(cell.id) == exercise and cell.id in self.lesson.tests

    def _copy_files(self) -> None:
        """Copy what the notebook wrote, as far as it is text, to where the judge works."""
        count = 0
        for root, folders, files, handle in os.fwalk(self.places.scratch, follow_symlinks=False):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in sorted(files):
                count += 1
                if count > MOST_FILES or name.startswith("."):
                    continue
                with contextlib.suppress(OSError, ValueError):
                    inside = Path(root).relative_to(self.places.scratch) / name
                    self._copy_file(name, handle, inside)

    def _copy_file(self, name: str, folder: int, inside: Path) -> None:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with contextlib.suppress(OSError):  # a link to a file beside it is that file
            linked = os.readlink(name, dir_fd=folder)
            name = name if "/" in linked else linked
        with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as file:
            status = os.fstat(file.fileno())
            state = status.st_mtime_ns, status.st_size
            if not stat.S_ISREG(status.st_mode) or self.copied.get(str(inside)) == state:
                return
            text = inside.suffix in _TEXT or ".xml." in inside.name
            target = self.copies / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read(self.limits.file_bytes) if text else b"")
            self.copied[str(inside)] = state


def remove_remains() -> None:
    """Remove the folders of examinations whose process was killed."""
    for folder in Path(tempfile.gettempdir()).glob("mlmd-*-*"):
        number = folder.name.split("-")[1]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _caches(places: Places, cache: Path) -> list[tuple[Path, Path]]:
    """Return the kernel's folders of fits and of compiled code, each with the one it is kept in."""
    return [
        (places.work / "cache", cache),
        (places.scratch / ".jax", cache.with_name("compiled")),
    ]


def _fill(places: Places, cache: Path | None, *, with_fits: bool) -> None:
    """Put into the kernel's folders what would take long to make: fonts, fits, compiled code."""
    fonts = Path(os.environ.get("MPLCONFIGDIR") or Path.home() / ".cache" / "matplotlib")
    (places.scratch / ".matplotlib").mkdir()
    for path in fonts.glob("fontlist-*.json"):
        shutil.copy(path, places.scratch / ".matplotlib")
    if cache is not None:
        fits, compiled = _caches(places, cache)
        for own, kept in [fits, compiled] if with_fits else [compiled]:
            if kept.is_dir():
                shutil.copytree(kept, own)


__all__ = ["Examination", "Verdict", "examine"]
