"""A grading that is killed: ``python benchmarks/grading_killed.py [KILLS] [SEED]``.

A class hands in lesson 01, gets marks by hand, and hands in again: one answer is the same, some
changed. Then it is graded undisturbed; and, from the same beginning, with ``kill -9`` at random
moments, each time with the same command again. The gradebook and the table have to be the same.
Writes ``grading_killed.csv`` beside this file; the exit code is 1 if anything differs.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import pandas as pd

from helpers.grading import Course

LESSON = "01_first_look"
SECOND = {  # what changes in the second hand-in of each student
    "anna": {},
    "ben": {"text1-6": "Because of the grid, I now think."},
    "carla": {"ex1-3": "n_molecules, density_g_per_cm3 = 16, 1.0"},
    "dan": {"ex1-1": "n_lines = 5000\nn_snapshots = 100", "text1-6": "No idea."},
}
KEYS = ["student", "name"]


def hand_in(course: Course, student: str, changes: dict[str, str]) -> None:
    """Hand in the solution with some cells changed."""
    path = Course().root / "solutions" / LESSON / f"{LESSON}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = changes.get(cell.id, cell.source)
    target = course.grading / "submitted" / student / LESSON / f"{LESSON}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)


def start(course: Course, step: str = "grade") -> subprocess.Popen:
    """Start the command that an instructor types."""
    command = [sys.executable, "-m", "helpers.grading.grades", step, LESSON]
    command += ["--course", str(course.root)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def marks(course: Course) -> pd.DataFrame:
    """Return every mark in the gradebook, a row for each student and cell."""
    query = """
        select student.id as student, base_cell.name as name, grade.auto_score,
            grade.manual_score, grade.needs_manual_grade, grade.extra_credit
        from grade join base_cell on grade.cell_id = base_cell.id
        join submitted_notebook on grade.notebook_id = submitted_notebook.id
        join submitted_assignment on submitted_notebook.assignment_id = submitted_assignment.id
        join student on submitted_assignment.student_id = student.id"""
    with sqlite3.connect(course.grading / "gradebook.db") as database:
        return pd.read_sql_query(query, database).sort_values(KEYS, ignore_index=True)


def begin(folder: Path) -> Course:
    """Make a class after its first grading, with marks by hand, that has handed in again."""
    (folder / "solutions").mkdir(parents=True)
    shutil.copy(Course().root / "nbgrader_config.py", folder)
    shutil.copytree(Course().root / "solutions" / LESSON, folder / "solutions" / LESSON)
    course = Course(folder)
    for student in SECOND:
        hand_in(course, student, {})
    assert start(course, "release").wait() == 0
    assert start(course).wait() == 0
    with course.api().gradebook as gradebook:
        for student in SECOND:
            grade = gradebook.find_grade("text1-6", LESSON, LESSON, student)
            grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    for student, changes in SECOND.items():
        hand_in(course, student, changes)
    return course


def main() -> int:
    """Kill, resume, compare; return the exit code."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    rows = []
    with tempfile.TemporaryDirectory(prefix="killed") as name:
        course = begin(Path(name) / "first")
        other = Course(Path(shutil.copytree(course.root, Path(name) / "other", symlinks=True)))
        started = time.perf_counter()
        assert start(course).wait() == 0
        seconds = time.perf_counter() - started
        undisturbed = marks(course), (course.grading / f"{LESSON}.csv").read_text("utf-8")
        for number in range(1, kills + 1):
            process, moment = start(other), chance.uniform(0.1, 0.95) * seconds
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
            table = other.grading / f"{LESSON}.csv"
            left = table.read_text("utf-8").count("not graded yet")
            rows.append(
                {
                    "kill": number,
                    "after_s": round(moment, 1),
                    "undisturbed_s": round(seconds, 1),
                    "killed": process.returncode == -signal.SIGKILL,
                    "students_left": left,
                }
            )
            print(rows[-1], flush=True)
        assert start(other).wait() == 0
        killed = marks(other), (other.grading / f"{LESSON}.csv").read_text("utf-8")
    same_marks, same_table = undisturbed[0].equals(killed[0]), undisturbed[1] == killed[1]
    print(undisturbed[1], f"the same marks: {same_marks}, the same table: {same_table}", sep="\n")
    result = pd.DataFrame(rows).assign(same_marks=same_marks, same_table=same_table)
    result.to_csv(Path(__file__).with_suffix(".csv"), index=False)
    return 0 if same_marks and same_table else 1


if __name__ == "__main__":
    sys.exit(main())
