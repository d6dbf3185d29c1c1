"""Every notebook of the course, run once: tests ask the result many questions."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

import nbformat
import pytest
from other_answers import answers_of, insert, judge

from helpers.grading.box import Limits
from helpers.grading.course import Course
from helpers.grading.examine import Examination, examine
from helpers.grading.lesson import Lesson
from helpers.grading.rebuild import rebuild

COURSE = Course()
LESSONS = [source.stem for source in COURSE.sources()]


def pytest_generate_tests(metafunc):
    """Ask about each lesson; questions about one lesson share a process, and so its runs."""
    if "lesson" in metafunc.fixturenames:
        lessons = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in LESSONS]
        metafunc.parametrize("lesson", lessons)


@pytest.fixture(scope="session")
def cells_of():
    """A function: edition, lesson and, if wanted, type → cells of the committed notebook."""

    def read(edition, lesson, kind=None):
        path = COURSE.root / edition / lesson / f"{lesson}.ipynb"
        cells = nbformat.read(path, as_version=4).cells
        return [cell for cell in cells if kind in (None, cell.cell_type)]

    return read


PATIENT = Limits(cell_s=1800, total_s=3600, memory_bytes=8_000_000_000)


@dataclass(frozen=True)
class Run:
    """A notebook that was graded: its cells with their outputs, and its marks."""

    code: list[nbformat.NotebookNode]
    found: Examination
    wrong_marks: list[str] = field(default_factory=list)  # of the answers of other students

    def errors(self) -> dict[str, str]:
        """Return the ids of the cells that failed, each with its error."""
        return {
            cell.id: f"{output.ename}: {output.evalue}"
            for cell in self.code
            for output in cell.outputs
            if output.output_type == "error"
        }

    def seconds(self) -> dict[str, float]:
        """Return what each cell took, as on a machine of its own: the clock, less its waiting."""
        share = min(1.0, self.found.kernel_cpu_s / self.found.seconds)
        return {cell.id: share * self.found.seconds_of[cell.id] for cell in self.code}


def read(edition, lesson):
    return nbformat.read(COURSE.root / edition / lesson / f"{lesson}.ipynb", as_version=4)


@pytest.fixture(scope="session")
def split():
    """A function: lesson → the lesson, taken apart as for grading."""

    @functools.cache
    def taken_apart(lesson: str) -> Lesson:
        return Lesson.split(lesson, read("solutions", lesson), read("notebooks", lesson))

    return taken_apart


@pytest.fixture(scope="session")
def run_of(split, shared_cache):
    """A function: edition, lesson → how it was graded. Each is graded once in a session."""

    @functools.cache
    def run(edition: str, lesson: str) -> Run:
        parts = split(lesson)
        handed_in = nbformat.writes(read(edition, lesson)).encode()
        notebook = rebuild(handed_in, parts.release).notebook
        own = {cell.id for cell in notebook.cells}
        asked = insert(notebook, answers_of(lesson) if edition == "solutions" else [])
        tests = {again: parts.tests[answer.test] for answer, _, again in asked}
        found = examine(
            notebook,
            replace(parts, tests={**parts.tests, **tests}),
            limits=PATIENT,
            cache=shared_cache,
            keep_cache=True,
        )
        code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.id in own]
        for cell in code:
            cell.outputs = [nbformat.from_dict(one) for one in found.outputs[cell.id]]
        return Run(code, found, judge(asked, found, parts))

    return run
