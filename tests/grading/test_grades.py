"""What an instructor may type wrongly; a class that goes well is in tests/journeys."""

import os
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest

from helpers.grading import grades
from helpers.grading.course import Course, GradingError


def test_a_lesson_that_nobody_handed_in_says_where_files_belong(tmp_path):
    shutil.copy(Course().root / "nbgrader_config.py", tmp_path)
    message = "Nobody has handed in 01_first_look.*grading/submitted/STUDENT.*downloaded"
    with pytest.raises(GradingError, match=message):
        grades.grade(Course(tmp_path), "01_first_look")


def test_a_misspelled_lesson_gets_a_hint(capsys):
    assert grades.main(["grade", "01_first_lok"]) == 1
    said = capsys.readouterr().err
    assert "no lesson '01_first_lok'" in said and "did you mean '01_first_look'" in said


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course in which two students handed in; nbgrader is not asked."""
    for student in ("anna", "ben"):
        (tmp_path / "grading" / "submitted" / student / "01_first_look").mkdir(parents=True)
    (tmp_path / "solutions" / "01_first_look").mkdir(parents=True)
    (tmp_path / "solutions" / "01_first_look" / "01_first_look.py").touch()
    shutil.copy(Course().root / "nbgrader_config.py", tmp_path)
    monkeypatch.setattr(Course, "generate", lambda *_, **__: None)
    monkeypatch.delenv("MLMD_CACHE", raising=False)
    return Course(tmp_path)


def graded_row(course, api, lesson, student):
    return {"student": student, "status": "graded", "score": 1.0}


def test_a_grading_that_is_stopped_keeps_the_rows_so_far(course, monkeypatch, capsys):
    def stopped_at_ben(course, api, lesson, student):
        if student == "ben":
            raise KeyboardInterrupt
        return graded_row(course, api, lesson, student)

    monkeypatch.setattr(grades, "_grade_one", stopped_at_ben)
    assert grades.main(["grade", "01_first_look", "--course", str(course.root)]) == 130
    said = capsys.readouterr().err
    assert "Stopped" in said and "same command again" in said
    table = pd.read_csv(course.grading / "01_first_look.csv", index_col="student")
    assert table["status"].to_dict() == {"anna": "graded", "ben": "not graded yet"}


def test_nbgrader_does_not_hide_that_it_was_stopped():
    error = "Traceback (most recent call last):\n  …\nKeyboardInterrupt\n"
    api = SimpleNamespace(autograde=lambda *_: {"success": False, "error": error, "log": "…"})
    with pytest.raises(KeyboardInterrupt):
        Course().step("autograde", "01_first_look", "anna", api=api)


def test_lessons_share_one_cache_of_fits_while_graded(course, monkeypatch):
    def where_fits_are(*arguments):
        assert os.environ["MLMD_CACHE"] == str(course.grading / "cache")
        return graded_row(*arguments)

    monkeypatch.setattr(grades, "_grade_one", where_fits_are)
    assert grades.main(["grade", "01_first_look", "--course", str(course.root)]) == 0


def test_who_cannot_be_graded_has_a_row_and_no_old_feedback(course, monkeypatch):
    def no_notebook(*_):
        raise GradingError("…", found="no JSON")

    page = course.grading / "feedback" / "anna" / "01_first_look" / "01_first_look.html"
    page.parent.mkdir(parents=True)
    page.write_text("14 of 16")
    archive = course.grading / "downloaded" / "01_first_look" / "archive"
    archive.mkdir(parents=True)
    (archive / "nobody.rar").touch()
    monkeypatch.setattr(grades, "_grade_one", no_notebook)
    table = grades.grade(course, "01_first_look", progress=False).set_index("student")
    assert set(table["status"]) == {"failed"} and not page.exists()
    assert list(table.index) == ["anna", "ben", "nobody.rar"]
    assert table["problem"]["ben"] == "no JSON"
    assert "does not tell whose it is" in table["problem"]["nobody.rar"]
