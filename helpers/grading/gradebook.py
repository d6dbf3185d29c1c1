"""The marks of one student in nbgrader's gradebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


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
        from nbgrader.api import MissingEntry

        with self._api.gradebook as gradebook:
            try:
                submission = gradebook.find_submission(self._lesson, self._student)
            except MissingEntry:
                yield []
                return
            yield [grade for notebook in submission.notebooks for grade in notebook.grades]
            gradebook.db.commit()

    def clear_automatic(self) -> dict[str, bool]:
        """Set all automatic marks to 0, so that none of an earlier hand-in stays.

        Returns
        -------
        dict
            Of each mark that was given by hand: its name, and whether it waits to be confirmed.
        """
        with self._grades() as grades:
            by_hand = {
                grade.name: bool(grade.needs_manual_grade)
                for grade in grades
                if grade.manual_score is not None
            }
            for grade in grades:
                grade.auto_score = 0.0
                grade.needs_manual_grade = True
            return by_hand

    def keep_confirmed(self, by_hand: dict[str, bool], changed: set[str]) -> list[str]:
        """Let marks by hand wait for a person only where the answer has changed.

        nbgrader lets all of them wait after each grading.

        Parameters
        ----------
        by_hand : dict
            As `clear_automatic` returned it.
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
