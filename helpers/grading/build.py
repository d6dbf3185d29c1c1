"""Build the notebooks of lessons: ``python -m helpers.grading.build [LESSON …]``.

The source of a lesson is ``solutions/NN_name/NN_name.py``. The build writes the solution as a
notebook beside it, and the student's edition, which nbgrader makes, into ``notebooks/``. The same
source always gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from helpers.errors import WorkshopError, nearest
from helpers.files import write_atomic
from helpers.grading.course import Course
from helpers.grading.lesson import Lesson, LessonError

HIDDEN = "### BEGIN HIDDEN TESTS\n"
BEGIN_MARKS, END_MARKS = "=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ==="
_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def build_solution(source: Path) -> Path:
    """Write the notebook of a lesson's source beside it, without outputs; return its path.

    Raises
    ------
    LessonError
        If the source does not make a notebook that nbgrader accepts.
    """
    import nbformat

    path = source.with_suffix(".ipynb")
    notebook = read_lesson(source)
    Lesson.split(source.stem, notebook, notebook)  # raises an error if its tests cannot be decided
    return write_atomic(path, nbformat.writes(notebook, indent=1) + "\n")


def read_lesson(source: Path) -> Any:
    """Return a lesson's source as a notebook (nbformat)."""
    import jupytext
    from nbformat.v4 import new_notebook

    notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    ids: set[str] = set()
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in ("nbgrader", "tags")}
        cell.id = _cell_id(cell, ids, source)
        ids.add(cell.id)
        # With empty lines around them, or Markdown makes them part of the list.
        cell.source = cell.source.replace(f"{BEGIN_MARKS}\n", f"{BEGIN_MARKS}\n\n")
        cell.source = cell.source.replace(f"\n{END_MARKS}", f"\n\n{END_MARKS}")
    return new_notebook(cells=notebook.cells, metadata=_METADATA, nbformat_minor=5)


def _cell_id(cell: Any, taken: set[str], source: Path) -> str:
    """Return an id that is the same in every build: the grade_id, or a hash of the content."""
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    if grade_id is not None:
        if grade_id in taken or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", grade_id):
            raise LessonError(
                f"{source} has a grade_id that cannot be used: {grade_id!r}",
                expected="letters, digits and dashes, once in a lesson",
                fix="choose another name for the cell",
            )
        return grade_id
    text, number = cell.cell_type + cell.source, 0
    while True:
        digest = hashlib.sha256(f"{text}{number}".encode()).hexdigest()[:12]
        if digest not in taken:
            return digest
        number += 1


def mark_scheme(sources: Sequence[Path]) -> str:
    """Return the mark scheme of the course, a page in Markdown: every exercise and its points."""
    lines = ["# Mark scheme", "", "Made by `make notebooks` from the sources in `solutions/`."]
    for source in sources:
        lesson = read_lesson(source)
        lines += ["", f"## {source.stem}", ""]
        for cell in lesson.cells:
            data = cell.metadata.get("nbgrader", {})
            if not data.get("grade"):
                continue
            points = f"{data['points']} point{'' if data['points'] == 1 else 's'}"
            lines.append(f"- `{data['grade_id']}`, {points}, {_how(cell, data)}")
    return "\n".join(lines) + "\n"


def _how(cell: Any, data: dict[str, Any]) -> str:
    if not data["solution"]:
        return "automatic: " + cell.source.split("\n", 1)[0].lstrip("# ")
    scheme = re.search(f"{BEGIN_MARKS}\n(.*?)\n{END_MARKS}", cell.source, re.DOTALL)
    if scheme is None:
        raise LessonError(
            f"The free-text question {data['grade_id']} has no mark scheme",
            fix=f"end the model answer with {BEGIN_MARKS} … {END_MARKS}",
        )
    return "by hand:\n" + "\n".join("  " + line for line in scheme[1].strip().splitlines())


def build(names: Sequence[str], course: Course) -> list[Path]:
    """Build both notebooks of the named lessons (of all if `names` is empty) and the mark scheme.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    LessonError
        If a lesson does not exist or cannot be built.
    """
    written = []
    for source in sources_of(names, course):
        written += [build_solution(source), *course.release(source.stem)]
    marks = mark_scheme(course.sources())
    return [*written, write_atomic(course.root / "docs" / "mark_scheme.md", marks)]


def sources_of(names: Sequence[str], course: Course) -> list[Path]:
    """Return the sources of the named lessons in the order of the course, of all if there are none.

    Raises
    ------
    LessonError
        If a lesson does not exist.
    """
    sources = {source.stem: source for source in course.sources()}
    for name in names:
        if name not in sources:
            raise LessonError(f"There is no lesson {name!r}", fix=nearest(name, sources))
    return [source for name, source in sources.items() if not names or name in names]


def run_on_lessons(
    program: str, description: str | None, make: Callable[[Sequence[str], Course], list[Path]]
) -> int:
    """Make something of the lessons that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(
        prog=program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lesson", nargs="*", help="such as 01_first_look; by default all")
    names = parser.parse_args().lesson
    try:
        for path in make(names, Course()):
            print(path)
    except WorkshopError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_on_lessons("helpers.grading.build", __doc__, build))
