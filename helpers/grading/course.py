"""The course as nbgrader sees it: its folders, its settings, and its steps one by one."""

from __future__ import annotations

import os
import re
import sys
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any

from helpers.errors import WorkshopError
from helpers.files import backup, write_atomic


def place(made: Path, folder: Path) -> list[Path]:
    """Write a student's edition into `folder`; a copy of one that was worked in stays beside it.

    Returns
    -------
    list of Path
        The notebook, and the copy if there is one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, content = folder / made.name, made.read_bytes()
    kept = []
    if target.exists() and worked_in(target.read_bytes(), content):
        kept = [backup(target, folder)]
    return [write_atomic(target, content), *kept]


def worked_in(there: bytes, new: bytes) -> bool:
    """Whether a notebook holds outputs, or answers other than the new one; or cannot be read."""
    try:
        theirs = _cells(there)
    except Exception:  # whatever it is, it is not ours to lose
        return True
    if any(cell.get("outputs") or cell.get("execution_count") for cell in theirs):
        return True
    return _answers(theirs) != _answers(_cells(new))


def _cells(notebook: bytes) -> list[Any]:
    import nbformat

    return nbformat.reads(notebook.decode(), as_version=4).cells


def _answers(cells: list[Any]) -> list[str]:
    return [c.source for c in cells if c.metadata.get("nbgrader", {}).get("solution")]


class GradingError(WorkshopError, RuntimeError):
    """A step of nbgrader that failed."""


class Course:
    """A folder with ``nbgrader_config.py``, ``solutions/`` and ``notebooks/``.

    Parameters
    ----------
    root : Path, optional
        By default the checkout that the package lies in.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = Path(__file__).resolve().parents[2] if root is None else root.resolve()
        # nbgrader starts `alembic`, which lies beside this Python.
        here = str(Path(sys.executable).parent)
        if here not in os.environ.get("PATH", "").split(os.pathsep):
            os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", "")])

    def sources(self) -> list[Path]:
        """Return the sources of all lessons, in their order."""
        return sorted(self.root.glob("solutions/[0-9][0-9]_*/[0-9][0-9]_*.py"))

    @cached_property
    def settings(self) -> Any:
        """What nbgrader_config.py says, a traitlets Config."""
        from traitlets.config.loader import PyFileConfigLoader

        return PyFileConfigLoader("nbgrader_config.py", str(self.root)).load_config()

    @property
    def grading(self) -> Path:
        """All that a class hands in and gets back; git ignores it."""
        return self.root / "grading"

    def release(self, lesson: str, *, database: bool = False) -> list[Path]:
        """Make the student's edition of a lesson and put it into ``notebooks/``.

        Returns
        -------
        list of Path
            Its notebook; and a copy of the one that was there, if somebody worked in it.

        Raises
        ------
        GradingError
            If nbgrader refuses, with what it said.
        """
        return place(self.generate(lesson, database=database), self.root / "notebooks" / lesson)

    def generate(self, lesson: str, *, database: bool) -> Path:
        """Let nbgrader make the student's edition of a lesson in its own folder.

        Parameters
        ----------
        database : bool
            Whether to enter the lesson in the gradebook, which grading needs.

        Raises
        ------
        GradingError
            If nbgrader refuses, with what it said.
        """
        settings = deepcopy(self.settings)
        settings.GenerateAssignment.no_database = not database
        settings.SaveCells.enabled = database
        # nbgrader empties the folder that it releases into, and in notebooks/ people work.
        settings.CourseDirectory.release_directory = "grading/release"
        if database:
            (self.grading / "exchange").mkdir(parents=True, exist_ok=True)
        self.step("generate_assignment", lesson, api=self.api(settings))
        return self.grading / "release" / lesson / f"{lesson}.ipynb"

    def step(self, name: str, *arguments: str, api: Any = None) -> None:
        """Run one step of nbgrader's API.

        Raises
        ------
        GradingError
            If it fails, with its cause.
        KeyboardInterrupt
            If it was stopped, which nbgrader reports as a failure.
        """
        done = getattr(self.api() if api is None else api, name)(*arguments)
        if not done["success"]:
            if done.get("error", "").rstrip().endswith("\nKeyboardInterrupt"):
                raise KeyboardInterrupt
            raise GradingError(
                f"nbgrader {name} {' '.join(arguments)} failed",
                found=_cause(done.get("log") or "", done.get("error") or ""),
                fix="mend the notebook or the file that it names",
            )

    def api(self, settings: Any = None) -> Any:
        """Return nbgrader's API for this course."""
        from nbgrader.apps.api import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory

        settings = self.settings if settings is None else settings
        return NbGraderAPI(CourseDirectory(config=settings), config=settings)


def _cause(log: str, error: str) -> str:
    """Return the last error that nbgrader met, which is the one to mend."""
    for text in (log, error):
        found = re.findall(r"^\s*((?:\w+\.)*\w*(?:Error|Exception): .*)$", text, re.MULTILINE)
        if found:
            return found[-1].strip()
    return (log + error).strip()[-200:] or "no message"
