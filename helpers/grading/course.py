"""The course as nbgrader sees it: its folders, its settings, and its steps one by one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from helpers.errors import WorkshopError


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

    def release(self, lesson: str, *, database: bool = False) -> Path:
        """Make the student's edition of a lesson; return its notebook.

        Parameters
        ----------
        database : bool
            Whether to enter the lesson in the gradebook, which grading needs.

        Raises
        ------
        GradingError
            If nbgrader refuses, with what it said.
        """
        from traitlets.config import Config

        settings = Config(self.settings)
        settings.GenerateAssignment.no_database = not database
        settings.SaveCells.enabled = database
        if database:
            (self.root / "grading" / "exchange").mkdir(parents=True, exist_ok=True)
        self.step("generate_assignment", lesson, api=self.api(settings))
        return self.root / "notebooks" / lesson / f"{lesson}.ipynb"

    def collect(self, lesson: str) -> None:
        """Sort the files in ``grading/downloaded/LESSON/archive/`` into ``grading/submitted/``.

        Raises
        ------
        GradingError
            If nbgrader cannot read one of them.
        """
        command = [sys.executable, "-m", "nbgrader", "zip_collect", lesson, "--force"]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise GradingError(
                "nbgrader zip_collect failed",
                expected="NAME_LESSON.ipynb, or NAME.zip with LESSON.ipynb inside",
                found=done.stderr.strip().splitlines()[-1],
                fix=f"mend or remove the file in grading/downloaded/{lesson}/archive",
            )

    def step(self, name: str, *arguments: str, api: Any = None) -> None:
        """Run one step of nbgrader's API.

        Raises
        ------
        GradingError
            If it fails, with its cause.
        """
        done = getattr(self.api() if api is None else api, name)(*arguments)
        if not done["success"]:
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
