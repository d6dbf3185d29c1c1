"""Release a lesson, grade a class: ``python -m helpers.grading.classroom grade 01_first_look``.

Student by student, so that a submission that cannot be graded stops nobody else.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.errors import WorkshopError, nearest
from helpers.files import write_atomic
from helpers.grading.collect import EXPECTED, Collected, collect
from helpers.grading.course import Course, GradingError

COLUMNS = ["student", "status", "score", "max_score", "points_to_mark_by_hand", "problem"]


def grade(course: Course, lesson: str, *, progress: bool = True) -> pd.DataFrame:
    """Grade all that was handed in for a lesson; write feedback pages and a CSV file.

    Submissions are taken from ``grading/submitted/STUDENT/LESSON/`` and, sorted there first, from
    ``grading/downloaded/LESSON/archive/``. Marks given by hand before are kept. The CSV file is
    written student by student.

    Returns
    -------
    DataFrame
        One row per student: `COLUMNS`; also in ``grading/LESSON.csv``. ``status`` is ``graded``,
        ``to mark by hand`` (``score`` lacks ``points_to_mark_by_hand`` at most),
        ``to confirm by hand`` (marked before, handed in again: the marks still count),
        ``failed`` (``problem`` tells why, there is no score and no feedback) or, in the file of a
        grading that was stopped, ``not graded yet``.

    Raises
    ------
    GradingError
        If nobody handed anything in, or the lesson itself cannot be entered in the gradebook.
    """
    collected = collect(course.grading, lesson)
    api = course.api()
    students = sorted({*api.get_submitted_students(lesson), *collected.problems})
    if not students:
        raise GradingError(
            f"Nobody has handed in {lesson}",
            expected=f"grading/submitted/STUDENT/{lesson}/{lesson}.ipynb",
            fix=f"copy the notebooks there, or into grading/downloaded/{lesson}/archive as "
            + EXPECTED.format(lesson),
        )
    course.generate(lesson, database=True)
    rows: dict[str, dict[str, Any]] = {
        name: {"student": name, "status": "not graded yet"} for name in students
    }
    table = _write_table(course, lesson, rows)
    with warnings.catch_warnings():  # nbgrader's own business with its database
        warnings.filterwarnings("ignore", message="Object of type <Submitted")
        for student in _shown(students, progress):
            rows[student] = _row(course, api, lesson, student, collected)
            table = _write_table(course, lesson, rows)
    return table


def _write_table(course: Course, lesson: str, rows: dict[str, dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows.values(), columns=COLUMNS)
    write_atomic(course.grading / f"{lesson}.csv", table.to_csv(index=False))
    return table


def _row(
    course: Course, api: Any, lesson: str, student: str, collected: Collected
) -> dict[str, Any]:
    problem = collected.problems.get(student)
    if problem is None:
        try:
            row = _grade_one(course, api, lesson, student)
        except GradingError as error:
            problem = error.found
        else:
            former = collected.replaced.get(student)
            note = "" if former is None else f"handed in again; the former file is {former}"
            return {**row, "problem": note}
    page = course.grading / "feedback" / student / lesson
    if page.exists():  # of an earlier hand-in: it would mislead
        shutil.rmtree(page)
    return {"student": student, "status": "failed", "problem": problem}


def _grade_one(course: Course, api: Any, lesson: str, student: str) -> dict[str, Any]:
    for step in ("autograde", "generate_feedback"):
        course.step(step, lesson, student, api=api)
    submission = api.get_submission(lesson, student)
    waiting = _unmarked_points(api, lesson, student)
    status = "to mark by hand" if waiting else "graded"
    if submission["needs_manual_grade"] and not waiting:
        status = "to confirm by hand"
    return {
        "student": student,
        "status": status,
        "score": submission["score"],
        "max_score": submission["max_score"],
        "points_to_mark_by_hand": waiting,
    }


def _unmarked_points(api: Any, lesson: str, student: str) -> float:
    """Return the points of all answers that nobody has marked: the score counts them as 0."""
    with api.gradebook as gradebook:
        submission = gradebook.find_submission(lesson, student)
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
        waiting = [g for g in grades if g.needs_manual_grade and g.manual_score is None]
        return float(sum(grade.max_score for grade in waiting))


def _shown(students: list[str], progress: bool) -> Iterable[str]:
    if not progress:
        return students
    from tqdm import tqdm

    return tqdm(students, desc="grading", unit="student")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="helpers.grading.classroom", description=__doc__)
    parser.add_argument("step", choices=["release", "grade"])
    parser.add_argument("lesson", help="such as 01_first_look")
    parser.add_argument("--course", type=Path, help="by default this checkout")
    chosen = parser.parse_args(arguments)
    course = Course(chosen.course)
    try:
        known = [source.stem for source in course.sources()]
        if chosen.lesson not in known:
            raise GradingError(
                f"There is no lesson {chosen.lesson!r}", fix=nearest(chosen.lesson, known)
            )
        if chosen.step == "release":
            print(*course.release(chosen.lesson, database=True), sep="\n")
            return 0
        # Lessons look there for fits that were made before.
        os.environ.setdefault("MLMD_CACHE", str(course.grading / "cache"))
        table = grade(course, chosen.lesson)
    except WorkshopError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nStopped; no marks are lost. Who was graded is in the table "
            f"{course.grading / chosen.lesson}.csv. The same command again grades everybody anew.",
            file=sys.stderr,
        )
        return 130
    shown = table.assign(problem=table["problem"].str.slice(0, 50))  # the file has the whole text
    print(shown.to_string(index=False, na_rep=""))
    print(f"\nTable: {course.grading / chosen.lesson}.csv")
    print(f"Feedback: {course.grading / 'feedback'}")
    return 1 if (table["status"] == "failed").any() else 0


if __name__ == "__main__":
    sys.exit(main())
