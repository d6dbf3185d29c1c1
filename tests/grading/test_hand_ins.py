"""A class of odd, unlucky and probing hand-ins, graded once: honest points stay, no harm done."""

from __future__ import annotations

import json
import shutil
import socket

import pandas as pd
import psutil
import pytest
from probes.course import LESSON, hand_in, new_course
from probes.hand_ins import CLAIMS, FULL, HONEST, UNLUCKY, probes

from helpers.grading import grade
from helpers.grading.box import why_no_box
from helpers.grading.build import build
from helpers.grading.course import Course
from helpers.grading.records import Records

PROBES = ["looks", "looks around", "network", "stays"]
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
        members = [*HONEST, *UNLUCKY, *CLAIMS, *(looking if why_no_box() is None else [])]
        for one in members:
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
    keep = ["right", "an object", "stub"]
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
    assert table["score"].to_dict() == {"right": 8, "an object": 8, "stub": 8}
    assert table.loc["right", "problem"] == "the tests were changed: test1-1 2 → 0"
    assert "tests were changed" not in table.loc["stub", "problem"]
