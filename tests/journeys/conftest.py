"""A class of students, as scripts: what they hand in, and what an instructor does with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from helpers.grading import Course


@dataclass
class Class:
    """A course of its own with one lesson, and the result of the last grading."""

    course: Course
    lesson: str
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    said: str = ""

    @property
    def grading(self) -> Path:
        return self.course.root / "grading"

    @property
    def release(self) -> Path:
        return self.course.root / "notebooks" / self.lesson / f"{self.lesson}.ipynb"

    @property
    def model(self) -> Path:
        """What somebody who works with the lesson has beside it."""
        return self.release.with_name("gap.xml")

    def command(self, step: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "helpers.grading.grades", step, self.lesson]
        command += ["--course", str(self.course.root)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def grade(self) -> int:
        path = self.grading / f"{self.lesson}.csv"
        path.unlink(missing_ok=True)
        done = self.command("grade")
        self.said = done.stdout + done.stderr
        assert path.exists(), self.said
        self.table = pd.read_csv(path, index_col="student")
        return done.returncode

    def page(self, student: str) -> str:
        """Return the text of a student's feedback."""
        path = self.grading / "feedback" / student / self.lesson / f"{self.lesson}.html"
        return path.read_text(encoding="utf-8")

    def hand_in(self, student: str, answers: dict[str, str], way: str = "folder") -> Path:
        """Replace what stands in the answer cells; hand in as a folder, a named file or a zip."""
        notebook = nbformat.read(self.release, as_version=4)
        left = dict(answers)
        for cell in notebook.cells:
            if cell.id in left:
                cell.source = left.pop(cell.id).strip()
        assert left == {}, "no such cells"
        archive = self.grading / "downloaded" / self.lesson / "archive"
        path = {
            "folder": self.grading / "submitted" / student / self.lesson / self.release.name,
            "named": archive / f"{student}_{self.release.name}",
            "zip": self.course.root / "elsewhere" / self.release.name,
        }[way]
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        if way == "zip":
            with zipfile.ZipFile(archive / f"{student}.zip", "w") as packed:
                packed.write(path, path.name)
        return path


@pytest.fixture(scope="module")
def new_class(tmp_path_factory):
    """A function: lesson → a class to which it was released."""

    def make(lesson: str) -> Class:
        root, own = tmp_path_factory.mktemp("course"), Course()
        shutil.copy(own.root / "nbgrader_config.py", root)
        shutil.copytree(own.root / "solutions" / lesson, root / "solutions" / lesson)
        group = Class(Course(root), lesson)
        group.model.parent.mkdir(parents=True)
        group.model.write_text("a long fit")
        done = group.command("release")
        assert done.returncode == 0, done.stderr
        committed = own.root / "notebooks" / lesson / f"{lesson}.ipynb"
        assert group.release.read_bytes() == committed.read_bytes()
        return group

    return make
