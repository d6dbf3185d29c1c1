"""A course with the lesson for tests, and hand-ins to it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from probes.hand_ins import RIGHT

from helpers.grading.box import Limits
from helpers.grading.build import build
from helpers.grading.course import Course
from helpers.grading.records import Records

LESSON = "01_probe"
LIMITS = Limits(
    cell_s=6,
    total_s=60,
    memory_bytes=280_000_000,
    file_bytes=1_000_000,
    folder_bytes=20_000_000,
    output_bytes=100_000,
)


def new_course(root):
    """Return a course with the lesson for tests; in this process its limits are narrow."""
    (root / "docs").mkdir()
    shutil.copy(Course().root / "nbgrader_config.py", root)
    (root / "solutions" / LESSON).mkdir(parents=True)
    shutil.copy(Path(__file__).with_name(f"{LESSON}.py"), root / "solutions" / LESSON)
    course = Course(root)
    build([LESSON], course)
    Records.of(course.root).limits = LIMITS
    return course


def add_copy(course, name):
    """Add the lesson once more, under another name."""
    source = course.root / "solutions" / LESSON / f"{LESSON}.py"
    (course.root / "solutions" / name).mkdir()
    shutil.copy(source, course.root / "solutions" / name / f"{name}.py")
    build([name], course)


def hand_in(course, one, lesson=LESSON, folder="submitted"):
    """Write a hand-in where grading looks for it."""
    path = course.root / "notebooks" / lesson / f"{lesson}.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        text = {**RIGHT, **one.answers}.get(cell["id"])
        if text is not None:
            cell["source"] = text
    if one.change is not None:
        one.change(notebook)
    target = course.grading / folder / one.name / lesson / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(one.write(notebook))
    return target
