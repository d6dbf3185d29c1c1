"""What was found about each hand-in, kept in ``grading/decided``: nothing is examined twice.

A record is valid for one text of the notebook and one state of the lesson's tests. So a grading
that was stopped goes on where it was, an answer that guesses at random gets one throw, and a test
that was mended is tried on everybody.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.files import digest, write_atomic
from helpers.grading.box import Limits
from helpers.grading.examine import Examination, examine
from helpers.grading.lesson import Lesson
from helpers.grading.rebuild import rebuild


class Records:
    """The examinations of a course.

    Parameters
    ----------
    root : Path
        The folder of the course.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.grading = root, root / "grading"
        self.limits = Limits()
        self.boxed: bool | None = None  # None: where bubblewrap works
        self.stop = threading.Event()
        self._lessons: dict[str, tuple[str, Lesson]] = {}

    @classmethod
    @functools.cache
    def of(cls, root: Path) -> Records:
        """Return the records of a course; the same object in one process."""
        return cls(root)

    def lesson(self, name: str) -> Lesson:
        """Return a lesson, from its solution and from the release that nbgrader made."""
        import nbformat

        paths = [
            self.root / "solutions" / name / f"{name}.ipynb",
            self.grading / "release" / name / f"{name}.ipynb",
        ]
        texts = [path.read_text(encoding="utf-8") for path in paths]
        state = digest(*texts)
        if self._lessons.get(name, ("",))[0] != state:
            solution, release = (nbformat.reads(text, as_version=4) for text in texts)
            self._lessons[name] = state, Lesson.split(name, solution, release)
        return self._lessons[name][1]

    def fill_cache(self, lesson: Lesson) -> None:
        """Make the fits of a lesson once, from its solution, so that no student's kernel need.

        Kernels get copies. No kernel of a student writes to the cache, so nobody can put a result
        there that counts for others.
        """
        mark, state = self.grading / "decided" / f"{lesson.name}.cache", digest(lesson.content)
        if not lesson.uses_cache or (mark.is_file() and mark.read_text("utf-8") == state):
            return
        path = self.root / "solutions" / lesson.name / f"{lesson.name}.ipynb"
        solution = rebuild(path.read_bytes(), lesson.release).notebook
        patient = Limits(cell_s=3600, total_s=7200, memory_bytes=16_000_000_000)
        settings: dict[str, Any] = {"limits": patient, "boxed": self.boxed, "stop": self.stop}
        cache = self.grading / "cache"
        examine(solution, replace(lesson, tests={}), cache=cache, keep_cache=True, **settings)
        mark.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(mark, state)

    def path(self, lesson: str, student: str) -> Path:
        """Return where the record of a student is kept."""
        return self.grading / "decided" / lesson / f"{student}.json"

    def stored(self, lesson: str, student: str) -> dict[str, Any] | None:
        """Return the last record of a student, or None."""
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads(self.path(lesson, student).read_text(encoding="utf-8")))
        return None

    def entered(self, lesson: str, student: str) -> dict[str, Any]:
        """Return what the gradebook was last given of a student; empty if nothing yet.

        Keys are ``lesson``, ``answers`` and ``marks``; and ``by_hand``, as
        `helpers.grading.gradebook.Marks.by_hand`, if a grading was stopped in between.
        """
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads(self._entered(lesson, student).read_text(encoding="utf-8")))
        return {}

    def enter(self, lesson: str, student: str, content: dict[str, Any]) -> None:
        """Keep what `entered` returns.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        path = self._entered(lesson, student)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(content))

    def _entered(self, lesson: str, student: str) -> Path:
        return self.grading / "entered" / lesson / f"{student}.json"

    def examine(self, lesson: Lesson, student: str, notebook: Any) -> Examination:
        """Return what is known about a rebuilt notebook; examine it if nothing is.

        Raises
        ------
        KernelGone
            If no kernel can be started.
        OutputError
            If the record cannot be written.
        """
        cells = [
            [cell.id, cell.cell_type, cell.source]
            for cell in notebook.cells
            if cell.id.startswith("own-") or cell.metadata.get("nbgrader", {}).get("solution")
        ]
        key = digest(lesson.content, json.dumps(cells))
        record = self.stored(lesson.name, student)
        if record is not None and record.get("key") == key:
            return Examination(**record["examination"])
        seed = int.from_bytes(
            hashlib.sha256(f"{lesson.name}/{student}".encode()).digest()[:4], "big"
        )
        found = examine(
            notebook,
            lesson,
            seed=seed,
            limits=self.limits,
            boxed=self.boxed,
            cache=self.grading / "cache",
            stop=self.stop,
        )
        path = self.path(lesson.name, student)
        path.parent.mkdir(parents=True, exist_ok=True)
        answers = {
            cell.id: digest(cell.source)
            for cell in notebook.cells
            if cell.metadata.get("nbgrader", {}).get("solution")
        }
        content = {"key": key, "lesson": digest(lesson.content), "seed": seed, "answers": answers}
        write_atomic(path, json.dumps({**content, "examination": json.loads(found.to_json())}))
        return found
