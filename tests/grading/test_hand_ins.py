"""A class of odd, unlucky and probing hand-ins, graded once: honest points stay, no harm done."""

from __future__ import annotations

import json
import shutil
import socket

import pandas as pd
import psutil
import pytest
from probes.course import LESSON, hand_in, new_course
from probes.hand_ins import CLAIMS, FILES, FULL, HONEST, UNLUCKY, HandIn, probes

from helpers.grading import grade
from helpers.grading.box import why_no_box
from helpers.grading.build import build
from helpers.grading.course import Course
from helpers.grading.rebuild import rebuild
from helpers.grading.records import Records

# A policy as in nbgrader's manual: a point for each hour.
POLICY = """
from nbgrader.plugins import BasePlugin


class Hours(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return round(total_seconds_late / 3600)


c.AssignLatePenalties.plugin_class = Hours
"""
LATE = "Lesson 1_late_attempt_2026-03-02-08-00-00_homework.ipynb"  # as Blackboard names it
PROBES = ["looks", "network", "stays"]
needs_box = pytest.mark.skipif(why_no_box() is not None, reason=f"no box: {why_no_box()}")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hand-ins")]


class Graded:
    """The class after grading."""

    def __init__(self, course, members, table, connections):
        self.course, self.table, self.connections = course, table, connections
        self.members = {one.name: one for one in members}

    def record(self, name):
        return Records.of(self.course.root).stored(LESSON, name)["examination"]


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All of them, graded at once; beside them lie bait files and a server that counts callers."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MLMD_BAIT", "secret")
    course = new_course(tmp_path_factory.mktemp("class"))
    with (course.root / "nbgrader_config.py").open("a") as settings:
        settings.write(POLICY)
    course = Course(course.root)
    course.generate(LESSON, database=True)
    with course.api().gradebook as gradebook:
        gradebook.update_or_create_assignment(LESSON, duedate="2026-03-02 06:00 UTC")
    archive = course.grading / "downloaded" / LESSON / "archive"
    archive.mkdir(parents=True)
    shutil.copy(hand_in(course, HandIn("late"), folder="elsewhere"), archive / LATE)
    bait = {
        "a file of the instructor": tmp_path_factory.mktemp("home") / "letter.txt",
        "another hand-in": course.grading / "submitted" / "right" / LESSON / f"{LESSON}.ipynb",
        "the solution": course.root / "solutions" / LESSON / f"{LESSON}.py",
        "the gradebook": course.grading / "gradebook.db",
        "hidden tests": Course().root / "solutions" / "01_first_look" / "01_first_look.py",
        "the mark scheme": Course().root / "docs" / "mark_scheme.md",
    }
    bait["a file of the instructor"].write_text("private")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        places = {name: str(path) for name, path in bait.items()}
        looking = probes(places, server.getsockname()[1])
        members = [
            HandIn("late"),
            *HONEST,
            *UNLUCKY,
            *CLAIMS,
            *(looking if why_no_box() is None else []),
        ]
        for one in members[1:]:
            hand_in(course, one)
        table = grade(course, LESSON, progress=False).set_index("student")
        try:
            server.accept()
            connections = 1
        except TimeoutError:
            connections = 0
    patch.undo()
    return Graded(course, members, table, connections)


def test_everybody_has_a_grade(graded):
    assert set(graded.table["status"]) == {"graded"}, graded.table["problem"].to_dict()
    assert set(graded.table.index) == set(graded.members)


@pytest.mark.parametrize("one", [*HONEST, *UNLUCKY, *CLAIMS], ids=lambda one: one.name)
def test_each_gets_the_points_of_the_answers_and_no_others(graded, one):
    assert graded.record(one.name)["marks"] == one.marks()
    row = graded.table.loc[one.name]
    assert row["score"] == sum(one.marks().values()), "nbgrader's gradebook has the same"
    assert one.told in row["problem"]
    if not one.told:
        assert row["problem"] == ""


def test_a_late_policy_subtracts_points_and_says_so(graded):
    row = graded.table.loc["late"]
    assert row["score"] == 8 and row["problem"] == "late: 2 of 10 points are subtracted"
    page = graded.course.grading / "feedback" / "late" / LESSON / f"{LESSON}.html"
    assert "Late submission penalty (Score: -2.0)" in page.read_text("utf-8")
    assert page.with_name("timestamp.txt").is_file(), "for nbgrader's exchange"


@pytest.mark.parametrize("one", FILES, ids=lambda one: one.name)
def test_an_odd_file_with_the_right_answers_is_rebuilt_as_the_right_one(graded, one):
    """All that is graded is the rebuilt notebook, so it gets the same marks."""
    release = Records.of(graded.course.root).lesson(LESSON).release
    right, odd = (
        rebuild(hand_in(graded.course, it, folder="odd").read_bytes(), release)
        for it in (HandIn("plain"), one)
    )
    assert right.notes == [] and odd.notebook.cells == right.notebook.cells
    assert one.told in "; ".join(odd.notes) and bool(one.told) == bool(odd.notes)


@needs_box
@pytest.mark.parametrize("name", PROBES)
def test_a_probe_reaches_nothing_outside_its_box(graded, name):
    outputs = graded.record(name)["outputs"]
    assert "reached" not in json.dumps(outputs["ex1-1"])
    assert graded.record(name)["marks"] == FULL
    assert graded.members[name].told in graded.table.loc[name, "problem"]


def test_no_marker_no_caller_and_no_process_is_left(graded):
    assert graded.connections == 0
    markers = [*graded.course.root.rglob("marker"), *Course().root.glob("*/marker")]
    assert markers == []
    assert ["sleep", "314.159"] not in [p.info["cmdline"] for p in psutil.process_iter(["cmdline"])]


def test_outputs_of_students_are_kept_short(graded):
    folder = graded.course.grading
    pages = [*folder.glob("feedback/*/*/*.html"), *folder.glob("decided/*/*.json")]
    assert len(pages) >= 2 * len(graded.members)
    assert max(path.stat().st_size for path in pages) < 1_500_000


def test_the_second_grading_runs_nobody_again_and_a_mended_test_everybody(graded):
    """Nothing changes then; and when a test is mended, the table says whose marks did."""
    course = graded.course
    keep = ["right", "not a number", "errors"]
    shutil.rmtree(course.grading / "downloaded")
    for name in set(graded.members) - set(keep):
        shutil.rmtree(course.grading / "submitted" / name)
    before = {name: Records.of(course.root).path(LESSON, name).stat().st_mtime_ns for name in keep}
    table = grade(course, LESSON, progress=False).set_index("student")
    assert before == {
        name: Records.of(course.root).path(LESSON, name).stat().st_mtime_ns for name in keep
    }
    pd.testing.assert_frame_equal(table, graded.table.loc[table.index])

    source = course.root / "solutions" / LESSON / f"{LESSON}.py"
    text = source.read_text("utf-8")
    source.write_text(text.replace("float(total) == 5050", "float(total) == 5051"), "utf-8")
    build([LESSON], course)
    table = grade(course, LESSON, progress=False).set_index("student")
    assert table["score"].to_dict() == {"right": 8, "not a number": 8, "errors": 3}
    assert table.loc["right", "problem"] == "the tests were changed: test1-1 2 → 0"
    assert "tests were changed" not in table.loc["errors", "problem"]
