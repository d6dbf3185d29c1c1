"""The marks of one student in nbgrader's gradebook."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from helpers.grading.course import GradingError

T = TypeVar("T")

DATABASE_TRIES = 3  # another program, such as Formgrader, may lock the gradebook for a moment
_OF_DATABASES = re.compile(r"sqlalchemy|sqlite3|psycopg|database is locked")
AGAIN = "grade again: who has a mark keeps it, and the others are graded"


class GradebookError(GradingError):
    """The gradebook cannot be read or written: another program locks it, or its disk is full."""


def patiently(work: Callable[[], T]) -> T:
    """Return what `work` does with the gradebook, trying it again while another program locks it.

    Raises
    ------
    GradebookError
        If it stays locked, or the disk is full.
    GradingError
        As `work`.
    """
    from sqlalchemy.exc import SQLAlchemyError

    for attempt in range(1, DATABASE_TRIES + 1):
        try:
            return work()
        except (SQLAlchemyError, GradingError) as error:
            told = (error.found if isinstance(error, GradingError) else None) or str(error)
            if "No space left" in told or "disk is full" in told:
                raise GradebookError(
                    "The disk is full", found=told, fix=f"make room, then {AGAIN}"
                ) from error
            if isinstance(error, GradingError) and not _OF_DATABASES.search(told):
                raise
            if attempt == DATABASE_TRIES:
                raise GradebookError(
                    "The gradebook cannot be used",
                    found=told.splitlines()[0],
                    fix=f"close the program that uses it, then {AGAIN}",
                ) from error
        time.sleep(2.0 * attempt)
    raise AssertionError


class Marks:
    """The marks of one student for one lesson.

    Parameters
    ----------
    api : NbGraderAPI
        nbgrader's API for the course.
    lesson, student : str
        Their names.
    """

    def __init__(self, api: Any, lesson: str, student: str) -> None:
        self._api, self._lesson, self._student = api, lesson, student

    @contextmanager
    def _grades(self) -> Iterator[list[Any]]:
        """Open the gradebook; changes are written at the end."""
        with self._submission() as submission:
            notebooks = submission.notebooks if submission is not None else []
            yield [grade for notebook in notebooks for grade in notebook.grades]

    @contextmanager
    def _submission(self) -> Iterator[Any]:
        from nbgrader.api import MissingEntry

        with self._api.gradebook as gradebook:
            try:
                submission = gradebook.find_submission(self._lesson, self._student)
            except MissingEntry:
                submission = None
            yield submission
            gradebook.db.commit()

    def by_hand(self) -> dict[str, bool]:
        """Return each mark that was given by hand: its name, and whether it is to be confirmed."""
        with self._grades() as grades:
            return {
                grade.name: bool(grade.needs_manual_grade)
                for grade in grades
                if grade.manual_score is not None
            }

    def clear_automatic(self) -> None:
        """Set all automatic marks to 0, so that none of an earlier hand-in stays."""
        with self._grades() as grades:
            for grade in grades:
                grade.auto_score = 0.0
                grade.needs_manual_grade = True

    def keep_confirmed(self, by_hand: dict[str, bool], changed: set[str]) -> list[str]:
        """Let marks by hand wait for a person only where the answer has changed.

        nbgrader lets all of them wait after each grading.

        Parameters
        ----------
        by_hand : dict
            As the method `by_hand` returned it before.
        changed : set of str
            Answers that are not those of the last grading.

        Returns
        -------
        list of str
            The marks that wait to be confirmed.
        """
        waiting = []
        with self._grades() as grades:
            for grade in grades:
                if grade.manual_score is not None:
                    grade.needs_manual_grade = (
                        by_hand.get(grade.name, False) or grade.name in changed
                    )
                    if grade.needs_manual_grade:
                        waiting.append(grade.name)
        return waiting

    def waiting(self) -> float:
        """Return the points of answers that nobody has marked yet; the score counts them as 0."""
        with self._grades() as grades:
            unmarked = [g for g in grades if g.needs_manual_grade and g.manual_score is None]
            return float(sum(grade.max_score for grade in unmarked))

    def penalty(self) -> float:
        """Return the points that nbgrader's late policy subtracts."""
        with self._submission() as submission:
            return float(submission.late_submission_penalty) if submission is not None else 0.0
