"""The projector edition: solutions and discussions, no tests."""

import pytest

from helpers.grading.build import read_lesson
from helpers.grading.course import Course
from helpers.grading.lesson import LessonError
from helpers.grading.slides import projector_edition, write_slides

SOURCES = Course().sources()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_it_shows_all_but_the_tests(source):
    cells = projector_edition(source).cells
    everything = "\n".join(cell.source for cell in cells)
    for word in ("HIDDEN TESTS", "BEGIN SOLUTION", "END SOLUTION", "MARK SCHEME"):
        assert word not in everything
    assert not any("nbgrader" in cell.metadata for cell in cells)
    whole = read_lesson(source).cells
    discussions = [cell for cell in whole if "discussion" in cell.metadata.get("tags", [])]
    sources = {cell.source.strip() for cell in cells}
    assert discussions and {cell.source.strip() for cell in discussions} <= sources
    tests = [
        cell
        for cell in whole
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")
    ]
    assert len(cells) == len(whole) - len(tests)


def test_what_an_answer_computes_is_still_there(tmp_path):
    (tmp_path / "solutions" / "01_first_look").mkdir(parents=True)
    source = tmp_path / "solutions" / "01_first_look" / "01_first_look.py"
    source.write_text(
        '# %% nbgrader={"grade": false, "grade_id": "a", "solution": true}\n# n = …\n'
        "### BEGIN SOLUTION\nn = 3\n### END SOLUTION\n\n"
        '# %% nbgrader={"grade": true, "grade_id": "b", "solution": false}\nassert n\n'
    )
    (path,) = write_slides([], Course(tmp_path))
    assert path == tmp_path / "slides" / "01_first_look" / "01_first_look.ipynb"
    assert [cell.source for cell in projector_edition(source).cells] == ["n = 3"]
    with pytest.raises(LessonError, match="01_first_look"):
        write_slides(["01_first_lok"], Course(tmp_path))
