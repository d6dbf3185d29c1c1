"""The course as nbgrader sees it: its folders, its settings, and its steps one by one."""

from __future__ import annotations

import os
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
            (self.root / "grading").mkdir(exist_ok=True)
        self.step(settings, "generate_assignment", lesson, force=True)
        return self.root / "notebooks" / lesson / f"{lesson}.ipynb"

    def step(self, settings: Any, name: str, *arguments: str, **options: Any) -> None:
        """Run one step of nbgrader's API, or raise `GradingError` with the end of its log."""
        done = getattr(self.api(settings), name)(*arguments, **options)
        if not done["success"]:
            said = (done.get("error") or done.get("log") or "").strip().splitlines()
            raise GradingError(
                f"nbgrader {name} {' '.join(arguments)} failed",
                found=said[-1] if said else "no message",
                fix="mend the notebook that it names; the log above tells more",
            )

    def api(self, settings: Any = None) -> Any:
        """Return nbgrader's API for this course."""
        from nbgrader.apps.api import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory

        settings = self.settings if settings is None else settings
        return NbGraderAPI(CourseDirectory(config=settings), config=settings)
