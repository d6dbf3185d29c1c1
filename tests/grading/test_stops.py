"""What stops a grading: nothing is half written, and the same command does the rest."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from probes.course import LESSON, hand_in, new_course
from probes.hand_ins import HandIn

from helpers.errors import OutputError
from helpers.grading import grade, gradebook
from helpers.grading.box import Limits
from helpers.grading.course import GradingError
from helpers.grading.records import Records

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stops")]
ANSWER = {"text1-6": "Because of noise."}


def marks(course):
    """All that the gradebook knows about marks."""
    tables = ("grade", "submitted_notebook", "submitted_assignment", "comment")
    with sqlite3.connect(course.grading / "gradebook.db") as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
        return {name: database.execute(f"select * from {name}").fetchall() for name in tables}


def pages(course):
    return {path: path.read_bytes() for path in course.grading.glob("feedback/*/*/*.html")}


def graded(course, **settings):
    return grade(course, LESSON, progress=False, **settings).set_index("student")


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def written(path):
    """When a file was written, or 0."""
    return path.stat().st_mtime_ns if path.exists() else 0


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A class of one, who has a mark by hand; another one comes later."""
    made = new_course(tmp_path_factory.mktemp("stops"))
    hand_in(made, HandIn("anna", ANSWER))
    graded(made)
    with made.api().gradebook as gradebook:
        grade = gradebook.find_grade("text1-6", LESSON, LESSON, "anna")
        grade.manual_score, grade.needs_manual_grade = 0.5, False
        gradebook.db.commit()
    return made


def start(course):
    command = [sys.executable, "-m", "helpers.grading.grades", "grade", LESSON, "--jobs", "1"]
    command += ["--course", str(course.root)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)


def test_who_kills_it_amid_the_marks_of_a_student_changes_none(course):
    """Marks are cleared then, those by hand wait to be confirmed, and new ones are not there."""
    table, before = graded(course), marks(course)
    assert table["score"].to_dict() == {"anna": 10.5}
    assert table["status"].to_dict() == {"anna": "graded"}
    records = Records.of(course.root)
    process = start(course)
    until(lambda: "by_hand" in records.entered(LESSON, "anna"))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert "by_hand" in records.entered(LESSON, "anna"), "it was killed in between"
    assert graded(course).equals(table) and marks(course) == before


def test_who_interrupts_it_can_go_on_where_it_was(course):
    """Who was examined is not examined again; an answer that changed is to be confirmed."""
    waits = {"ex1-3": "import time\ntime.sleep(2)"}
    hand_in(course, HandIn("anna", {"text1-6": "Because of the grid."}))
    hand_in(course, HandIn("ben", waits))
    record = Records.of(course.root).path(LESSON, "anna")
    before = written(record)
    process = start(course)
    until(lambda: written(record) != before)
    os.kill(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130 and "same command again does the rest" in said
    before = written(record)
    table = graded(course)
    assert written(record) == before
    assert table["score"].to_dict() == {"anna": 10.5, "ben": 8}
    assert table["status"].to_dict() == {"anna": "to confirm by hand", "ben": "graded"}
    assert table.loc["anna", "problem"] == "text1-6: answered anew after it was marked"


def test_a_gradebook_that_stays_locked_is_told_once(course, monkeypatch):
    monkeypatch.setattr(gradebook, "DATABASE_TRIES", 1)
    hand_in(course, HandIn("ben"))
    record, path = Records.of(course.root).path(LESSON, "ben"), course.grading / "gradebook.db"
    before, done = written(record), threading.Event()

    def lock():
        until(lambda: written(record) != before)
        with sqlite3.connect(path, timeout=60) as other:
            other.execute("begin immediate")
            done.wait(60)
            other.rollback()

    other = threading.Thread(target=lock)
    other.start()
    with pytest.raises(GradingError, match="gradebook cannot be used.*locked.*grade again"):
        graded(course, jobs=1)
    done.set()
    other.join()
    table = graded(course)
    assert table["score"].to_dict() == {"anna": 10.5, "ben": 10}
    assert table.loc["ben", "status"] == "graded"


def test_a_full_disk_stops_it_and_leaves_what_is_there(small_disk, monkeypatch):
    course = new_course(small_disk(6000))
    hand_in(course, HandIn("anna"))
    assert graded(course)["score"].to_dict() == {"anna": 10}
    before, page, table = marks(course), pages(course), course.grading / f"{LESSON}.csv"
    rows = table.read_text()
    hand_in(course, HandIn("ben"))
    filler = course.root / "filler"
    free = os.statvfs(course.root)
    filler.write_bytes(bytes(free.f_bavail * free.f_bsize - 150_000))
    with pytest.raises((OutputError, GradingError), match="No space left|disk is full"):
        graded(course)
    assert marks(course)["grade"][: len(before["grade"])] == before["grade"]
    assert page.items() <= pages(course).items() and table.read_text().startswith(rows[:40])
    filler.unlink()
    assert graded(course)["score"].to_dict() == {"anna": 10, "ben": 10}


def test_what_ran_on_a_full_disk_is_not_kept(course, small_disk, monkeypatch):
    """The notebook is not to blame."""
    monkeypatch.setattr("tempfile.tempdir", str(small_disk(5000)))
    hand_in(course, HandIn("ben", {"ex1-1": "total = 5050"}))
    before = json.dumps(Records.of(course.root).stored(LESSON, "ben"))
    with pytest.raises(OutputError, match="is full, so what notebooks wrote there"):
        graded(course)
    assert json.dumps(Records.of(course.root).stored(LESSON, "ben")) == before


def test_without_a_kernel_nobody_is_graded_and_that_is_told_once(course, monkeypatch):
    monkeypatch.setattr(Records.of(course.root), "limits", Limits(processes=0))
    before = marks(course)
    for name in ("anna", "ben"):
        hand_in(course, HandIn(name, {"ex1-1": "total = 101 * 50"}))
    with pytest.raises(GradingError, match="No kernel can be started, so nobody can be graded"):
        graded(course)
    assert marks(course) == before
