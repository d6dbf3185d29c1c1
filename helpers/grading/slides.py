"""The projector edition of lessons: ``python -m helpers.grading.slides [LESSON …]``.

An instructor shows solutions and discussions to a class, but nobody wants to look at tests. The
edition is made from the sources of the lessons, like the other two, and written to ``slides/``:
without test cells, without the marks that nbgrader needs, and with the model answers. Slides are
marked for `jupyter nbconvert --to slides`: one for each heading.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.errors import WorkshopError, nearest
from helpers.files import write_atomic
from helpers.grading.build import BEGIN_MARKS, END_MARKS, read_lesson
from helpers.grading.course import Course
from helpers.grading.lesson import LessonError

FOLDER = "slides"
_SOLUTION = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
_MARKS = re.compile(rf"\n*{BEGIN_MARKS}.*?{END_MARKS}\n*", re.DOTALL)


def projector_edition(source: Path) -> Any:
    """Return the projector edition of a lesson's source, a notebook (nbformat)."""
    notebook = read_lesson(source)
    cells = []
    for cell in notebook.cells:
        nbgrader = cell.metadata.pop("nbgrader", {})
        if cell.cell_type == "code" and nbgrader.get("grade"):
            continue  # a test
        if cell.cell_type == "code":
            cell.source = _without_names_to_make(_SOLUTION.sub("", cell.source)).strip()
        elif nbgrader.get("solution"):
            cell.source = "**A model answer.** " + _MARKS.sub("", cell.source).strip()
        if cell.cell_type == "markdown":
            starts = re.match(r"#{1,2} ", cell.source)
            cell.metadata["slideshow"] = {"slide_type": "slide" if starts else "fragment"}
        cells.append(cell)
    notebook.cells = cells
    return notebook


def _without_names_to_make(code: str) -> str:
    """Return code without the comments that name what an answer has to make (``# fit = …``)."""
    return re.sub(r"^# (?:def )?\w+(?:\(.*\))?:? ?=? ?…\n", "", code, flags=re.MULTILINE)


def write_slides(names: Sequence[str], course: Course) -> list[Path]:
    """Write the projector edition of the named lessons, of all if `names` is empty.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    LessonError
        If a lesson does not exist.
    """
    import nbformat

    sources = {source.stem: source for source in course.sources()}
    for name in names:
        if name not in sources:
            raise LessonError(f"There is no lesson {name!r}", fix=nearest(name, sources))
    written = []
    for name in names or sources:
        folder = course.root / FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        text = nbformat.writes(projector_edition(sources[name]), indent=1) + "\n"
        written.append(write_atomic(folder / f"{name}.ipynb", text))
    return written


def main() -> int:
    """Write the edition of the lessons that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="helpers.grading.slides",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("lesson", nargs="*", help="such as 01_first_look; by default all")
    try:
        for path in write_slides(parser.parse_args().lesson, Course()):
            print(path)
    except WorkshopError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
