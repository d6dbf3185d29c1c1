"""Every notebook of the course, run once: tests ask the result many questions."""

from __future__ import annotations

import functools
import os
import resource
import time
from dataclasses import dataclass, field
from datetime import datetime

import nbformat
import pytest
from nbclient import NotebookClient
from other_answers import answers_of, insert, judge

from helpers.grading.course import Course

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


@dataclass(frozen=True)
class Run:
    """A notebook with the outputs of a run that went on after errors."""

    notebook: nbformat.NotebookNode
    cpu_seconds: float
    wall_seconds: float
    wrong_marks: list[str] = field(default_factory=list)  # of the answers of other students

    @property
    def code(self):
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

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
        share = min(1.0, self.cpu_seconds / self.wall_seconds)
        return {cell.id: share * seconds_of(cell) for cell in self.code}


def seconds_of(cell) -> float:
    """Return what a cell took on the clock."""
    times = cell.metadata.execution
    busy, idle = (times[f"iopub.status.{name}"].rstrip("Z") for name in ("busy", "idle"))
    return (datetime.fromisoformat(idle) - datetime.fromisoformat(busy)).total_seconds()


def cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="session")
def run_of(tmp_path_factory, shared_cache):
    """A function: edition, lesson → its run, in an empty folder. Each is run once in a session."""

    @functools.cache
    def run(edition: str, lesson: str) -> Run:
        path = COURSE.root / edition / lesson / f"{lesson}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        own = {cell.id for cell in notebook.cells}
        asked = insert(notebook, answers_of(lesson) if edition == "solutions" else [])
        folder = tmp_path_factory.mktemp(f"{edition}-{lesson}")
        client = NotebookClient(
            notebook,
            timeout=600,
            startup_timeout=300,
            allow_errors=True,
            resources={"metadata": {"path": str(folder)}},
        )
        before, started = cpu_seconds_of_children(), time.perf_counter()
        client.execute(env={**os.environ, "MLMD_CACHE": str(shared_cache)})
        used, took = cpu_seconds_of_children() - before, time.perf_counter() - started
        took_of = {c.id: seconds_of(c) for c in notebook.cells if c.cell_type == "code"}
        share = sum(took_of[name] for name in own & set(took_of)) / sum(took_of.values())
        notebook.cells = [cell for cell in notebook.cells if cell.id in own]
        return Run(notebook, share * used, share * took, judge(asked))

    return run
