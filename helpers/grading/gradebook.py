"""The marks of one student in nbgrader's gradebook."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Result:
    """What a student got.

    Attributes
    ----------
    score, max_score : float
        Points, and how many there are.
    penalty : float
        The points that nbgrader's late policy subtracts from the score.
    waiting : float
        The points of answers that nobody has marked yet; the score counts them as 0.
    to_confirm : tuple of str
        Marks by hand that wait to be confirmed.
    """

    score: float
    max_score: float
    penalty: float
    waiting: float
    to_confirm: tuple[str, ...]


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
    def _open(self) -> Iterator[tuple[Any, list[Any]]]:
        """Open the gradebook; changes of the submission and its grades are written at the end."""
        from nbgrader.api import MissingEntry

        with self._api.gradebook as gradebook:
            try:
                submission = gradebook.find_submission(self._lesson, self._student)
            except MissingEntry:
                yield None, []
                return
            yield submission, [grade for book in submission.notebooks for grade in book.grades]
            gradebook.db.commit()

    def by_hand(self) -> dict[str, bool]:
        """Return each mark that was given by hand: its name, and whether it is to be confirmed."""
        with self._open() as (_, grades):
            return {
                grade.name: bool(grade.needs_manual_grade)
                for grade in grades
                if grade.manual_score is not None
            }

    def clear_automatic(self) -> None:
        """Set all automatic marks to 0, so that none of an earlier hand-in stays."""
        with self._open() as (_, grades):
            for grade in grades:
                grade.auto_score = 0.0
                grade.needs_manual_grade = True

    def settle(self, by_hand: dict[str, bool], changed: set[str]) -> Result:
        """Let marks by hand wait for a person only where the answer has changed; add up.

        nbgrader lets all of them wait after each grading.

        Parameters
        ----------
        by_hand : dict
            As the method `by_hand` returned it before.
        changed : set of str
            Answers that are not those of the last grading.
        """
        with self._open() as (submission, grades):
            unmarked = [g for g in grades if g.needs_manual_grade and g.manual_score is None]
            to_confirm = []
            for grade in grades:
                if grade.manual_score is not None:
                    waits = by_hand.get(grade.name, False) or grade.name in changed
                    grade.needs_manual_grade = waits
                    to_confirm += [grade.name] if waits else []
            return Result(
                score=float(submission.score),
                max_score=float(submission.max_score),
                penalty=float(submission.late_submission_penalty),
                waiting=float(sum(grade.max_score for grade in unmarked)),
                to_confirm=tuple(to_confirm),
            )
