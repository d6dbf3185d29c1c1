"""What is committed is what the sources give; a source that cannot be built says why."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from helpers.grading.build import LessonError, build, read_lesson
from helpers.grading.course import Course

OWN = Course()


@pytest.fixture
def copy(tmp_path):
    """A course beside the checkout, with the sources of its lessons and nothing built."""
    shutil.copy(OWN.root / "nbgrader_config.py", tmp_path)
    (tmp_path / "docs").mkdir()
    for source in OWN.sources():
        folder = tmp_path / "solutions" / source.stem
        folder.mkdir(parents=True)
        shutil.copy(source, folder)
    return Course(tmp_path)


def test_all_that_is_committed_is_what_the_build_gives(copy):
    written = build([], copy)
    assert len(written) == 2 * len(OWN.sources()) + 1
    for path in written:
        committed = OWN.root / path.relative_to(copy.root)
        assert path.read_bytes() == committed.read_bytes(), f"run 'make notebooks': {committed}"
    assert {path.name for path in (copy.root / "notebooks").rglob("*") if path.is_file()} == {
        f"{source.stem}.ipynb" for source in OWN.sources()
    }, "students get notebooks and nothing else"


def lesson(folder, text):
    path = folder / "01_first_look.py"
    path.write_text(text)
    return path


def test_the_same_text_in_two_cells_gets_two_ids(tmp_path):
    cells = read_lesson(lesson(tmp_path, "# %%\nprint(1)\n\n# %%\nprint(1)\n")).cells
    assert len({cell.id for cell in cells}) == 2
    again = read_lesson(lesson(tmp_path, "# %%\nprint(1)\n\n# %%\nprint(1)\n")).cells
    assert [cell.id for cell in cells] == [cell.id for cell in again]


@pytest.mark.parametrize("name", ["twice", "with space"])
def test_a_grade_id_that_cannot_be_used_is_named(tmp_path, name):
    cell = f'# %% nbgrader={{"grade": false, "grade_id": "{name}", "solution": true}}\nx = 1\n\n'
    with pytest.raises(LessonError, match=f"grade_id that cannot be used: '{name}'.*once"):
        read_lesson(lesson(tmp_path, 2 * cell))


def test_a_free_text_question_needs_a_mark_scheme(copy):
    (source, *_) = copy.sources()
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("=== BEGIN MARK SCHEME ===", ""), encoding="utf-8")
    with pytest.raises(LessonError, match="text1-6 has no mark scheme.*BEGIN MARK SCHEME"):
        build([source.stem], copy)


def test_what_nbgrader_refuses_is_told_in_its_words_and_costs_no_work(copy, listing):
    (source, *_) = copy.sources()
    work = copy.root / "notebooks" / source.stem
    work.mkdir(parents=True)
    (work / "gap.xml").write_text("a long fit")
    (work / f"{source.stem}.ipynb").write_text("answers")
    before = listing(work)
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("### END SOLUTION", "", 1), encoding="utf-8")
    with pytest.raises(RuntimeError, match="nbgrader generate_assignment 01_first_look failed"):
        build([source.stem], copy)
    assert listing(work) == before


def test_an_unknown_lesson_is_refused_with_a_hint():
    done = subprocess.run(
        [sys.executable, "-m", "helpers.grading.build", "01_first_lok"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no lesson '01_first_lok'" in done.stderr and "'01_first_look'?" in done.stderr
