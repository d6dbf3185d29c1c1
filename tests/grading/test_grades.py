"""What an instructor may type wrongly, who cannot be graded, and the tables that are written."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from probes.course import LESSON, hand_in, new_course
from probes.hand_ins import HandIn

from helpers.grading import grade, grades
from helpers.grading.box import why_no_box
from helpers.grading.course import Course, GradingError
from helpers.grading.exports import exports
from helpers.grading.roster import Roster


def test_a_lesson_that_nobody_handed_in_says_where_files_belong(tmp_path):
    shutil.copy(Course().root / "nbgrader_config.py", tmp_path)
    message = "Nobody has handed in 01_first_look.*grading/submitted/STUDENT.*downloaded"
    with pytest.raises(GradingError, match=message):
        grade(Course(tmp_path), "01_first_look")


def test_a_misspelled_lesson_gets_a_hint(capsys):
    assert grades.main(["grade", "01_first_lok"]) == 1
    said = capsys.readouterr().err
    assert "no lesson '01_first_lok'" in said and "did you mean '01_first_look'" in said


def test_a_number_of_jobs_that_cannot_be_used_is_refused(capsys):
    assert grades.main(["grade", "01_first_look", "--jobs", "0"]) == 1
    assert "a whole number of at least 1" in capsys.readouterr().err


def test_nbgrader_does_not_hide_that_it_was_stopped():
    error = "Traceback (most recent call last):\n  …\nKeyboardInterrupt\n"
    api = SimpleNamespace(autograde=lambda *_: {"success": False, "error": error, "log": "…"})
    with pytest.raises(KeyboardInterrupt):
        Course().step("autograde", "01_first_look", "anna", api=api)


@contextlib.contextmanager
def not_as_root():
    """Let this thread heed the permissions of files, even if it is root's."""
    if sys.platform != "linux" or os.geteuid() != 0:
        yield
        return
    library, header = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522, 0)
    rights = (ctypes.c_uint32 * 6)()  # of Linux's capabilities, 1 and 2 overrule permissions
    assert library.capget(header, rights) == 0
    rights[0] &= ~0b110
    assert library.capset(header, rights) == 0
    try:
        yield
    finally:
        rights[0] |= 0b110
        assert library.capset(header, rights) == 0


@pytest.fixture
def no_bubblewrap(monkeypatch, tmp_path):
    """A machine on which bubblewrap is not installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    why_no_box.cache_clear()
    yield
    why_no_box.cache_clear()


@pytest.mark.slow
def test_without_a_box_it_says_first_what_is_not_protected_or_refuses(
    tmp_path, no_bubblewrap, capsys
):
    course = new_course(tmp_path)
    hand_in(course, HandIn("anna"))
    with pytest.raises(GradingError, match="cannot be put into a box.*bubblewrap"):
        grade(course, LESSON, require_box=True, progress=False)
    assert not (course.grading / f"{LESSON}.csv").exists()
    capsys.readouterr()
    table = grade(course, LESSON, progress=False)
    assert table["score"].tolist() == [10]
    said = capsys.readouterr().err
    assert said.startswith("Without a box (bubblewrap") and "runs with your rights" in said


@pytest.mark.slow
def test_who_cannot_be_graded_has_a_row_and_no_old_feedback(tmp_path):
    course = new_course(tmp_path)
    hand_in(course, HandIn("anna", write=lambda _: b"{half a noteb"))
    hand_in(course, HandIn("ben", write=lambda _: b"[" * 100_000))
    hand_in(course, HandIn("carl", write=lambda _: b'{"cells": [{"source": "x"}]}'))
    hand_in(course, HandIn("dora")).chmod(0)
    of_another_lesson = {"nbgrader": {"grade_id": "ex2-1", "solution": True}}
    more = [{"cell_type": "code", "source": "x = 1", "metadata": of_another_lesson}]
    cells = json.loads((course.root / "notebooks" / LESSON / f"{LESSON}.ipynb").read_text())
    cells["cells"] = [*cells["cells"][:2], *more]
    hand_in(course, HandIn("emil", write=lambda _: json.dumps(cells).encode()))
    page = course.grading / "feedback" / "anna" / LESSON / f"{LESSON}.html"
    page.parent.mkdir(parents=True)
    page.write_text("14 of 16")
    archive = course.grading / "downloaded" / LESSON / "archive"
    archive.mkdir(parents=True)
    (archive / "nobody.rar").touch()
    unreadable = archive / f"fred_{LESSON}.ipynb"
    unreadable.touch(0)
    with not_as_root():
        table = grade(course, LESSON, progress=False).set_index("student")
    assert set(table["status"]) == {"failed"} and not page.exists()
    names = ["anna", "ben", "carl", "dora", "emil", "fred", "nobody.rar"]
    assert list(table.index) == names
    told = ["damaged or not a notebook", "nested too deeply", "no answer cell", "denied"]
    told += ["no answer cell", "denied", "whose it is"]
    for problem, part in zip(table["problem"], told, strict=True):
        assert part in problem


def test_tables_for_other_systems_leave_open_what_is_not_final(tmp_path):
    (tmp_path / "roster.csv").write_text("student,name,email,number\nada,=Ada,ada@uni.edu,7\n")
    table = pd.DataFrame(
        [
            ["ada", "graded", 14.0, 16.0, 0.0, ""],
            ["bo", "to mark by hand", 12.0, 16.0, 2.0, ""],
            ["cy", "failed", None, None, None, "no notebook"],
        ],
        columns=grades.COLUMNS,
    )
    tables = exports(table, "01_first_look", Roster(tmp_path / "roster.csv"))
    moodle = tables["moodle"].set_index("Username")
    assert moodle["01_first_look"].to_dict() == {"ada": "14", "bo": "", "cy": ""}
    assert moodle.loc["ada", ["Full name", "Email address", "ID number"]].tolist() == [
        "'=Ada",
        "ada@uni.edu",
        "7",
    ]
    assert moodle.loc["bo", "01_first_look (feedback)"] == "2 points are not marked yet"
    canvas = tables["canvas"]
    assert canvas["Student"].tolist() == ["    Points Possible", "'=Ada", "bo", "cy"]
    assert canvas["01_first_look"].tolist() == ["16", "14", "", ""]
    assert canvas["Notes"].tolist()[-1] == "failed"
