"""A lesson is released where people work: what they wrote stays."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.grading.course import publish


def lesson(*, text="lesson", answer="raise NotImplementedError()", count=None):
    solution = new_code_cell(answer, metadata={"nbgrader": {"solution": True}}, id="answer")
    cells = [new_code_cell(f"# {text}", id="text", execution_count=count), solution]
    return nbformat.writes(new_notebook(cells=cells)).encode()


@pytest.fixture
def made(tmp_path):
    """What nbgrader made."""
    (tmp_path / "made").mkdir()
    path = tmp_path / "made" / "01_first_look.ipynb"
    path.write_bytes(lesson(text="renewed"))
    return path


@pytest.fixture
def folder(tmp_path):
    """Where somebody works, with a model beside the notebook."""
    folder = tmp_path / "notebooks" / "01_first_look"
    folder.mkdir(parents=True)
    (folder / "gap.xml").write_text("a long fit")
    return folder


@pytest.mark.parametrize(
    "student_work",
    [lesson(count=1), lesson(answer="x = 1"), b"{half a noteb", b"\xff"],
    ids=["cells were run", "an answer", "cut off", "not text"],
)
def test_a_notebook_that_was_worked_in_is_kept_beside_the_new_one(made, folder, student_work):
    (folder / made.name).write_bytes(student_work)
    released, backup = publish(made, folder)
    assert released == folder / made.name and released.read_bytes() == made.read_bytes()
    assert backup.name.startswith("01_first_look.before-") and backup.suffix == ".ipynb"
    assert backup.read_bytes() == student_work
    assert (folder / "gap.xml").read_text() == "a long fit"


@pytest.mark.parametrize(
    "there",
    [None, lesson(), lesson(text="renewed")],
    ids=["nothing there", "an older release", "the same release"],
)
def test_a_notebook_as_it_was_released_leaves_no_copy(made, folder, there):
    if there is not None:
        (folder / made.name).write_bytes(there)
    assert publish(made, folder) == [folder / made.name]
    assert {path.name for path in folder.iterdir()} == {made.name, "gap.xml"}
