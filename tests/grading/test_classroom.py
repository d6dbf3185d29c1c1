"""What an instructor may type wrongly; a class that goes well is in tests/journeys."""

import shutil

import pytest

from helpers.grading import classroom
from helpers.grading.course import Course, GradingError


def test_a_lesson_that_nobody_handed_in_says_where_files_belong(tmp_path):
    own = Course()
    shutil.copy(own.root / "nbgrader_config.py", tmp_path)
    shutil.copytree(own.root / "solutions" / "01_first_look", tmp_path / "solutions/01_first_look")
    message = "Nobody has handed in 01_first_look.*grading/submitted/STUDENT.*downloaded"
    with pytest.raises(GradingError, match=message):
        classroom.grade(Course(tmp_path), "01_first_look")


def test_a_misspelt_lesson_gets_a_hint(capsys):
    assert classroom.main(["grade", "01_first_lok"]) == 1
    said = capsys.readouterr().err
    assert "no lesson '01_first_lok'" in said and "did you mean '01_first_look'" in said
