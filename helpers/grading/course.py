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


class GradingError(WorkshopError, RuntimeError):
    """A step of grading that failed: nbgrader refused, or a hand-in cannot be used.

    A `WorkshopError`; it stands here because nobody outside this room meets it.
    """


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
        """The settings in nbgrader_config.py, a traitlets Config."""
        from traitlets.config.loader import PyFileConfigLoader

        return PyFileConfigLoader("nbgrader_config.py", str(self.root)).load_config()

    @property
    def grading(self) -> Path:
        """The folder of hand-ins, grades and feedback; git ignores it."""
        return self.root / "grading"

    def release(self, lesson: str, *, database: bool = False) -> list[Path]:
        """Make the student's edition of a lesson and publish it in ``notebooks/``.

        Returns
        -------
        list of Path
            As `publish`.

        Raises
        ------
        GradingError
            If nbgrader refuses, with what it said.
        """
        return publish(self.generate(lesson, database=database), self.root / "notebooks" / lesson)

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


def publish(made: Path, folder: Path) -> list[Path]:
    """Copy a student's edition into `folder`; if someone worked in the old one, back that up first.

    Parameters
    ----------
    made : Path
        The notebook that nbgrader made.
    folder : Path
        Where students find it.

    Returns
    -------
    list of Path
        The notebook, and the backup (``NAME.before-TIME.ipynb``) if there is one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, content = folder / made.name, made.read_bytes()
    backups = []
    if target.exists() and has_student_work(target.read_bytes(), content):
        backups = [backup(target, folder)]
    return [write_atomic(target, content), *backups]


def has_student_work(existing: bytes, new: bytes) -> bool:
    """Return whether a notebook holds outputs or answers that are not in the new one.

    A file that cannot be read counts as work: it might be somebody's.
    """
    try:
        cells = _cells(existing)
    except Exception:  # nbformat raises nearly anything on a damaged file
        return True
    if any(cell.get("outputs") or cell.get("execution_count") for cell in cells):
        return True
    return _answers(cells) != _answers(_cells(new))


def _cells(notebook: bytes) -> list[Any]:
    import nbformat

    return nbformat.reads(notebook.decode(), as_version=4).cells


def _answers(cells: list[Any]) -> list[str]:
    return [c.source for c in cells if c.metadata.get("nbgrader", {}).get("solution")]


def _cause(log: str, error: str) -> str:
    """Return the last error that nbgrader met, which is the one to mend."""
    for text in (log, error):
        found = re.findall(r"^\s*((?:\w+\.)*\w*(?:Error|Exception): .*)$", text, re.MULTILINE)
        if found:
            return found[-1].strip()
    return (log + error).strip()[-200:] or "no message"
