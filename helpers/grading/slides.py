"""The projector edition of lessons: ``python -m helpers.grading.slides [LESSON …]``.

An instructor shows solutions and discussions to a class, but nobody wants to look at tests. The
edition is made from the sources of the lessons, like the other two, and written to ``slides/``:
without test cells, without the marks that nbgrader needs, and with the model answers. Slides are
marked for `jupyter nbconvert --to slides`: one for each heading.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.files import write_atomic
from helpers.grading.build import (
    BEGIN_MARKS,
    END_MARKS,
    read_lesson,
    run_on_lessons,
    sources_of,
)
from helpers.grading.course import Course

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

    written = []
    for source in sources_of(names, course):
        folder = course.root / FOLDER / source.stem
        folder.mkdir(parents=True, exist_ok=True)
        text = nbformat.writes(projector_edition(source), indent=1) + "\n"
        written.append(write_atomic(folder / f"{source.stem}.ipynb", text))
    return written


if __name__ == "__main__":
    sys.exit(run_on_lessons("helpers.grading.slides", __doc__, write_slides))
