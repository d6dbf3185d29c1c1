"""The grades of a class: a table with one row per student, written as grading goes on.

``make grade`` runs ``python -m helpers.grading.grades grade LESSON``, and ``make release`` the same
with ``release``. Each student is graded alone: a hand-in that cannot be graded does not stop the
others. `helpers.grading.examine` tells how marks are decided.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.checks import whole
from helpers.errors import OutputError, WorkshopError, nearest
from helpers.files import output_error, write_atomic
from helpers.grading.box import UNPROTECTED, why_no_box
from helpers.grading.collect import EXPECTED, Collected, collect
from helpers.grading.course import Course, GradingError
from helpers.grading.examine import Examination, remove_remains
from helpers.grading.exports import exports
from helpers.grading.gradebook import GradebookError, Marks, patiently
from helpers.grading.kernel import KernelGone
from helpers.grading.lesson import Lesson
from helpers.grading.rebuild import HandInError, Rebuilt, rebuild
from helpers.grading.records import Records
from helpers.grading.roster import Roster
from helpers.grading.sanitize import harmless_cell
from helpers.terminal import EXIT_INTERRUPTED, EXIT_PROBLEM, progress_bar

# Columns of the table. A new one needs its name here and its value in `_graded`.
COLUMNS = ["student", "status", "score", "max_score", "points_to_mark_by_hand", "problem"]
# What nbgrader's exchange lays beside a notebook, for late policies and for giving feedback back.
EXCHANGED = ("timestamp.txt", "submission_secret.txt")


def default_jobs() -> int:
    """Return how many students are examined at the same time: one for each core, four at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(4, cores or 1))


def grade(
    course: Course,
    lesson: str,
    *,
    jobs: int | None = None,
    require_box: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Grade every submission of a lesson; write feedback pages and a CSV file.

    Submissions are read from ``grading/submitted/STUDENT/LESSON/``; those in
    ``grading/downloaded/LESSON/archive/`` are sorted into it first. Marks that were given by hand
    are kept. The CSV file is written anew after each student. A hand-in that was examined before,
    by the same tests, is not run again.

    Parameters
    ----------
    jobs : int, optional
        How many students are examined at the same time; by default one for each core, at most 4.
    require_box : bool
        Refuse to grade where bubblewrap does not work.

    Returns
    -------
    DataFrame
        One row per student with the columns `COLUMNS`; the same in ``grading/LESSON.csv``.
        ``status`` is one of

        - ``graded``
        - ``to mark by hand``: up to ``points_to_mark_by_hand`` points are missing from ``score``
        - ``to confirm by hand``: an answer changed after it was marked; the mark still counts
        - ``failed``: ``problem`` says why; there is no score and no feedback
        - ``not graded yet``: only in the file of a grading that was stopped

    Raises
    ------
    ConfigError
        If `jobs` is not a whole number above 0.
    GradingError
        If nobody handed anything in, nbgrader cannot enter the lesson in the gradebook, no kernel
        can be started, another program locks the gradebook for long, or the box is required and
        does not work.
    OutputError
        If the disk is full, for instance.

    Notes
    -----
    Whatever stops a grading, the rows so far are in the table, and the next one does the rest.
    """
    jobs = default_jobs() if jobs is None else jobs
    whole("jobs", jobs, 1)
    no_box = why_no_box()
    if no_box is not None and require_box:
        raise GradingError(
            "Kernels of students cannot be put into a box", found=no_box, fix="grade on Linux"
        )
    with _written(course):
        return _grade(course, lesson, jobs, no_box, progress=progress)


@contextmanager
def _written(course: Course) -> Iterator[None]:
    """Say which file it was if the system refuses to write one."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise output_error(Path(error.filename or course.grading), error) from error


def _grade(
    course: Course, lesson: str, jobs: int, no_box: str | None, *, progress: bool
) -> pd.DataFrame:
    collected = collect(course.grading, lesson)
    students = sorted({*course.api().get_submitted_students(lesson), *collected.problems})
    if not students:
        raise GradingError(
            f"Nobody has handed in {lesson}",
            expected=f"grading/submitted/STUDENT/{lesson}/{lesson}.ipynb",
            fix=f"copy the notebooks there, or into grading/downloaded/{lesson}/archive as "
            + EXPECTED.format(lesson),
        )
    if no_box is not None:
        print(f"Without a box ({no_box}), {UNPROTECTED}.", file=sys.stderr)
    remove_remains()
    patiently(lambda: course.generate(lesson, database=True))
    return _Class(course, lesson, collected, students).grade(jobs, progress=progress)


@dataclass
class _HandIn:
    """A hand-in that was rebuilt, or the reason why it could not be."""

    student: str
    rebuilt: Rebuilt | None = None
    problem: str = ""


class _Class:
    """The grading of a class, while it goes on."""

    def __init__(
        self, course: Course, lesson: str, collected: Collected, students: list[str]
    ) -> None:
        self.course, self.name, self.collected = course, lesson, collected
        from nbgrader.converters import GenerateFeedback

        from helpers.grading.feedback import DrawFormulas

        self.records = Records.of(course.root)
        self.records.stop.clear()
        self.roster = Roster(course.grading / "roster.csv")
        self.lesson: Lesson = self.records.lesson(lesson)
        settings = deepcopy(course.settings)
        settings.CourseDirectory.submitted_directory = "grading/rebuilt"
        settings.CourseDirectory.feedback_directory = "grading/pages"  # until they are finished
        settings.GenerateFeedback.preprocessors = [
            *GenerateFeedback.class_traits()["preprocessors"].default(),
            DrawFormulas,
        ]
        self.api = course.api(settings)
        self.rows: dict[str, dict[str, Any]] = {
            name: {"student": name, "status": "not graded yet"} for name in students
        }

    def grade(self, jobs: int, *, progress: bool) -> pd.DataFrame:
        self.records.fill_cache(self.lesson)
        table = self._write_table()
        hand_ins = [self._rebuild(student) for student in self.rows]
        with warnings.catch_warnings(), self._pool(jobs) as pool:  # about nbgrader's own database
            warnings.filterwarnings("ignore", message="Object of type <Submitted")
            work = {
                pool.submit(self._examine, one): one for one in hand_ins if one.rebuilt is not None
            }
            with progress_bar(len(hand_ins), "grading", "student", show=progress) as bar:
                for hand_in in hand_ins:
                    if hand_in.rebuilt is None:
                        self.rows[hand_in.student] = self._failed(hand_in.student, hand_in.problem)
                        bar.update()
                for future in as_completed(work):
                    hand_in = work[future]
                    self.rows[hand_in.student] = self._row(hand_in, future)
                    table = self._write_table()
                    bar.update()
        return table if work else self._write_table()

    @contextmanager
    def _pool(self, jobs: int) -> Iterator[ThreadPoolExecutor]:
        pool = ThreadPoolExecutor(jobs)
        try:
            yield pool
        except BaseException:
            self.records.stop.set()  # kernels end at once
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _rebuild(self, student: str) -> _HandIn:
        import nbformat

        if student in self.collected.problems:
            return _HandIn(student, problem=self.collected.problems[student])
        folder = self.course.grading / "submitted" / student / self.name
        try:
            path = folder / f"{self.name}.ipynb"
            if path.is_symlink() or not path.is_file():
                raise HandInError(f"there is no file {self.name}.ipynb")
            rebuilt = rebuild(path.read_bytes(), self.lesson.release)
            beside = {
                name: (folder / name).read_bytes()[:1000]
                for name in EXCHANGED
                if (folder / name).is_file() and not (folder / name).is_symlink()
            }
        except (HandInError, OSError) as error:
            return _HandIn(student, problem=str(error))
        target = self.course.grading / "rebuilt" / student / self.name / path.name
        shutil.rmtree(target.parent, ignore_errors=True)
        target.parent.mkdir(parents=True)
        write_atomic(target, nbformat.writes(rebuilt.notebook))
        for name, content in beside.items():
            write_atomic(target.with_name(name), content)
        return _HandIn(student, rebuilt)

    def _examine(self, hand_in: _HandIn) -> Examination:
        assert hand_in.rebuilt is not None
        return self.records.examine(self.lesson, hand_in.student, hand_in.rebuilt.notebook)

    def _row(self, hand_in: _HandIn, future: Future[Examination]) -> dict[str, Any]:
        try:
            examination = future.result()
        except KernelGone as error:
            raise GradingError(
                "No kernel can be started, so nobody can be graded", found=str(error)
            ) from error
        try:
            return patiently(lambda: self._graded(hand_in, examination))
        except GradebookError:
            raise
        except GradingError as error:
            return self._failed(hand_in.student, error.found or str(error))

    def _graded(self, hand_in: _HandIn, examination: Examination) -> dict[str, Any]:
        student = hand_in.student
        marks = Marks(self.api, self.name, student)
        by_hand = marks.by_hand()
        # If a grading was stopped after the marks were cleared, all of them wait in the gradebook.
        before = self.records.entered(self.name, student)
        earlier = before.get("by_hand", {})
        by_hand = {name: waits and earlier.get(name, True) for name, waits in by_hand.items()}
        if by_hand:
            self.records.enter(self.name, student, {**before, "by_hand": by_hand})
        marks.clear_automatic()
        self.course.step("autograde", self.name, student, api=self.api)
        record = self.records.stored(self.name, student) or {}
        changed = _changed_answers(before, record)
        result = marks.settle(by_hand, changed)
        self.course.step("generate_feedback", self.name, student, api=self.api)
        from helpers.grading.feedback import finish_page

        page = Path(student, self.name, f"{self.name}.html")
        finish_page(self.course.grading / "pages" / page, self.course.grading / "feedback" / page)
        assert hand_in.rebuilt is not None
        notes = [*examination.problems, *hand_in.rebuilt.notes]
        notes += _changed_marks(before, record)
        notes += [f"{name}: answered anew after it was marked" for name in result.to_confirm]
        former = self.collected.replaced.get(student)
        if former is not None:
            notes.append(f"handed in again; the former file is {former}")
        notes += self.collected.notes.get(student, [])
        if result.penalty:
            late = f"late: {result.penalty:g} of {result.score:g} points are subtracted"
            notes.append(late)
        self.records.enter(self.name, student, _entered(record))
        status = "to confirm by hand" if result.to_confirm else "graded"
        status = "to mark by hand" if result.waiting else status
        return {
            "student": student,
            "status": status,
            "score": max(0.0, result.score - result.penalty),
            "max_score": result.max_score,
            "points_to_mark_by_hand": result.waiting,
            "problem": "; ".join(notes),
        }

    def _failed(self, student: str, problem: str | None) -> dict[str, Any]:
        patiently(Marks(self.api, self.name, student).clear_automatic)
        page = self.course.grading / "feedback" / student / self.name
        if page.exists():  # it belongs to an earlier hand-in and would mislead
            shutil.rmtree(page)
        return {"student": student, "status": "failed", "problem": problem}

    def _write_table(self) -> pd.DataFrame:
        table = pd.DataFrame(self.rows.values(), columns=COLUMNS)
        tables = {"": table.map(harmless_cell), **exports(table, self.name, self.roster)}
        for system, one in tables.items():
            name = f"{self.name}_{system}.csv" if system else f"{self.name}.csv"
            write_atomic(self.course.grading / name, one.to_csv(index=False))
        return table


def _entered(record: dict[str, Any]) -> dict[str, Any]:
    """Return what `Records.enter` keeps of a record."""
    return {
        "lesson": record.get("lesson"),
        "answers": record.get("answers", {}),
        "marks": record.get("examination", {}).get("marks", {}),
    }


def _changed_answers(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    old, new = before.get("answers", {}), after.get("answers", {})
    return {name for name in new if name in old and old[name] != new[name]}


def _changed_marks(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what a mended test changed for a hand-in that is the same as before."""
    if "lesson" not in before or before["answers"] != after.get("answers"):
        return []
    if before["lesson"] == after.get("lesson"):
        return []
    old, new = before["marks"], after["examination"]["marks"]
    changes = [
        f"{name} {old.get(name, 0.0):g} → {points:g}"
        for name, points in new.items()
        if old.get(name, 0.0) != points
    ]
    return [f"the tests were changed: {', '.join(changes)}"] if changes else []


def main(arguments: list[str] | None = None) -> int:
    """Release or grade a lesson, as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="helpers.grading.grades", description=__doc__)
    parser.add_argument("step", choices=["release", "grade"])
    parser.add_argument("lesson", help="such as 01_first_look")
    parser.add_argument("--course", type=Path, help="by default this checkout")
    parser.add_argument("--jobs", type=int, help="students at the same time; default: the cores")
    parser.add_argument(
        "--require-box", action="store_true", help="refuse to grade where bubblewrap does not work"
    )
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
        table = grade(course, options.lesson, jobs=options.jobs, require_box=options.require_box)
    except WorkshopError as error:
        print(error, file=sys.stderr)
        return EXIT_PROBLEM
    except KeyboardInterrupt:
        print(
            "\nStopped; no marks are lost. The students graded so far are in the table "
            f"{course.grading / options.lesson}.csv. The same command again does the rest.",
            file=sys.stderr,
        )
        return EXIT_INTERRUPTED
    problems = table["problem"].fillna("").map(harmless_cell)
    shown = table.assign(problem=problems.str.slice(0, 50))  # the file has the whole text
    print(shown.to_string(index=False, na_rep=""))
    print(f"\nTable: {course.grading / options.lesson}.csv")
    print(f"Feedback: {course.grading / 'feedback'}")
    return EXIT_PROBLEM if (table["status"] == "failed").any() else 0


if __name__ == "__main__":
    sys.exit(main())
