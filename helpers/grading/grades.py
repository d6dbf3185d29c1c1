"""The grades of a class: a table with one row per student, written as grading goes on.

``make grade`` runs ``python -m helpers.grading.grades grade LESSON``, and ``make release`` the same
with ``release``. Students are graded one by one: a submission that cannot be graded does not stop
the others.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.errors import WorkshopError, nearest
from helpers.files import write_atomic
from helpers.grading.collect import EXPECTED, Collected, collect
from helpers.grading.course import Course, GradingError
from helpers.terminal import EXIT_INTERRUPTED, EXIT_PROBLEM, progress_bar

# Columns of the table. A new one needs its name here and its value in `_grade_one`.
COLUMNS = ["student", "status", "score", "max_score", "points_to_mark_by_hand", "problem"]


def grade(course: Course, lesson: str, *, progress: bool = True) -> pd.DataFrame:
    """Grade every submission of a lesson; write feedback pages and a CSV file.

    Submissions are read from ``grading/submitted/STUDENT/LESSON/``; those in
    ``grading/downloaded/LESSON/archive/`` are sorted into it first. Marks that were given by hand
    are kept. The CSV file is written anew after each student.

    Returns
    -------
    DataFrame
        One row per student with the columns `COLUMNS`; the same in ``grading/LESSON.csv``.
        ``status`` is one of

        - ``graded``
        - ``to mark by hand``: up to ``points_to_mark_by_hand`` points are missing from ``score``
        - ``to confirm by hand``: marked, then handed in again; the marks still count
        - ``failed``: ``problem`` says why; there is no score and no feedback
        - ``not graded yet``: only in the file of a grading that was stopped

    Raises
    ------
    GradingError
        If nobody handed anything in, or nbgrader cannot enter the lesson in the gradebook.
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
    with warnings.catch_warnings():  # about nbgrader's own database
        warnings.filterwarnings("ignore", message="Object of type <Submitted")
        with progress_bar(len(students), "grading", "student", show=progress) as bar:
            for student in students:
                rows[student] = _row(course, api, lesson, student, collected)
                table = _write_table(course, lesson, rows)
                bar.update()
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
    if page.exists():  # it belongs to an earlier hand-in and would mislead
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
    """Return the points of the answers that nobody has marked yet; the score counts them as 0."""
    with api.gradebook as gradebook:
        submission = gradebook.find_submission(lesson, student)
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
        waiting = [g for g in grades if g.needs_manual_grade and g.manual_score is None]
        return float(sum(grade.max_score for grade in waiting))


def main(arguments: list[str] | None = None) -> int:
    """Release or grade a lesson, as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="helpers.grading.grades", description=__doc__)
    parser.add_argument("step", choices=["release", "grade"])
    parser.add_argument("lesson", help="such as 01_first_look")
    parser.add_argument("--course", type=Path, help="by default this checkout")
    options = parser.parse_args(arguments)
    course = Course(options.course)
    try:
        known = [source.stem for source in course.sources()]
        if options.lesson not in known:
            raise GradingError(
                f"There is no lesson {options.lesson!r}", fix=nearest(options.lesson, known)
            )
        if options.step == "release":
            print(*course.release(options.lesson, database=True), sep="\n")
            return 0
        # Where lessons find the fits of earlier runs.
        os.environ.setdefault("MLMD_CACHE", str(course.grading / "cache"))
        table = grade(course, options.lesson)
    except WorkshopError as error:
        print(error, file=sys.stderr)
        return EXIT_PROBLEM
    except KeyboardInterrupt:
        print(
            "\nStopped; no marks are lost. The students graded so far are in the table "
            f"{course.grading / options.lesson}.csv. The same command again grades everybody anew.",
            file=sys.stderr,
        )
        return EXIT_INTERRUPTED
    shown = table.assign(problem=table["problem"].str.slice(0, 50))  # the file has the whole text
    print(shown.to_string(index=False, na_rep=""))
    print(f"\nTable: {course.grading / options.lesson}.csv")
    print(f"Feedback: {course.grading / 'feedback'}")
    return EXIT_PROBLEM if (table["status"] == "failed").any() else 0


if __name__ == "__main__":
    sys.exit(main())
