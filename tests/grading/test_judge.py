"""The process that decides: what arrives damaged gives no points, and no student's line runs."""

from __future__ import annotations

import json
from dataclasses import replace

import nbformat
import pytest
from probes.course import LESSON, LIMITS, hand_in, new_course
from probes.hand_ins import FULL, RIGHT, HandIn

from helpers.grading.examine import examine
from helpers.grading.judge import Judge
from helpers.grading.lesson import HiddenTest, Lesson
from helpers.grading.rebuild import rebuild

GIVEN = "from pathlib import Path\nLIMIT = 10"


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    with Judge(GIVEN, tmp_path_factory.mktemp("copies")) as started:
        yield started


def decide(judge, source, told="{}", points=2.0, names=("x", "f"), reply=""):
    asked = []

    def ask(request):
        asked.append(request)
        return reply

    return judge.decide(HiddenTest(source, points, names), told, ask), asked


def values(**told):
    return json.dumps({"values": told})


@pytest.mark.parametrize(
    ("source", "points"),
    [
        ("assert x == 3", 2.0),
        ("assert x == 4", 0.0),
        ("assert x < LIMIT\n0.5", 0.5),
        ("print('well')\nfloat(x - 3)", 0.0),
        ("x.missing", 0.0),
        ("raise SystemExit", 0.0),
        ("import os\nos._exit(0)", 0.0),
    ],
)
def test_a_test_gives_its_last_number_or_all_or_nothing(judge, source, points):
    verdict, _ = decide(judge, source, values(x=3))
    assert verdict.points == points
    assert decide(judge, "assert x == 3", values(x=3))[0].points == 2.0, "the next one is decided"


@pytest.mark.parametrize("last", ["2.5", "-0.5", "float('nan')", "True", "2", "'2.0'"])
def test_a_mark_that_is_no_number_of_points_is_an_error(judge, last):
    verdict, _ = decide(judge, last)
    assert verdict.points == 0 and verdict.error.startswith("MarkError: this test gave")


@pytest.mark.parametrize(
    "told",
    [
        "",
        "{",
        "[]",
        "null",
        '{"values": 3}',
        '{"values": {"x": {"pickle": "gASV"}}}',
        '{"values": {"x": {"array": {"dtype": "|O", "shape": [], "base64": ""}}}}',
        '{"values": {"x": {"untold": "TypeError"}}}',
        '{"values": {"y": 3}}',
        "[" * 100_000,
    ],
)
def test_a_missing_or_damaged_value_gives_nothing(judge, told):
    verdict, _ = decide(judge, "assert x == 3 or True", told)
    assert verdict.points == 0 and "'x' is not defined" in verdict.error


@pytest.mark.parametrize(
    "reply", ["", "{", "3", "{}", '{"value": {"class": 1}}', '{"error": "ValueError: no"}']
)
def test_a_function_that_does_not_reply_gives_nothing(judge, reply):
    verdict, asked = decide(judge, "f(1.5)\n1.0", values(f={"object": 1}), reply=reply)
    assert verdict.points == 0 and verdict.error
    assert asked[0]["step"] == "call" and asked[0]["arguments"] == [1.5]


def test_a_function_is_asked_with_plain_data_and_its_changes_come_back(judge):
    source = "import numpy as _np\n_a = _np.zeros(2)\nassert f(_a) == 7\nassert _a[1] == 1"
    one = {"array": {"dtype": "<f8", "shape": [2], "base64": "AAAAAAAAAAAAAAAAAADwPw=="}}
    reply = json.dumps({"value": 7, "arguments": [one]})
    verdict, asked = decide(judge, source, values(f={"object": 5}), reply=reply)
    assert verdict.error == "" and verdict.points == 2
    assert asked[0]["object"] == 5 and "array" in asked[0]["arguments"][0]


@pytest.mark.parametrize("use", ["bool(f)", "f == f", "float(f)", "f + 1", "abs(f) < 1", "1 < f"])
def test_an_object_is_no_number_and_neither_true_nor_false(judge, use):
    verdict, _ = decide(judge, use, values(f={"object": 1}), reply='{"value": 1}')
    assert verdict.points == 0 and "TypeError" in verdict.error


def test_names_of_the_lesson_are_the_lesson_s(judge):
    told = json.dumps({"values": {"LIMIT": 99, "x": 3}})
    verdict, _ = decide(judge, "assert LIMIT == 10", told, names=("x", "LIMIT"))
    assert verdict.points == 2


def test_nothing_can_be_unpickled_or_imported_from_where_copies_lie(judge):
    source = """
import collections, os, pickle, sys
Path("mine.py").write_text("raise SystemError")
assert "mine.py" in os.listdir() and "" not in sys.path and os.getcwd() not in sys.path
assert "IPython" not in sys.modules and "ipykernel" not in sys.modules
try:
    pickle.loads(pickle.dumps(collections.OrderedDict(a=1)))
except RuntimeError as error:
    assert "nothing may be unpickled" in str(error)
else:
    raise AssertionError
"""
    assert decide(judge, source)[0].error == ""


NOTED = """
import sys as _sys
_ran = []
_sys.addaudithook(lambda event, given: _ran.append((event, str(given[:2])))
                  if event in ("compile", "exec", "import") else None)
"""
LOOK = """
import os as _os
assert any("<test>" in text for event, text in _ran if event == "exec")
_not_ours = [text for _, text in _ran if "of_the" "_student" in text or _os.getcwd() in text]
assert not _not_ours, _not_ours
"""


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """The right answers, each with a mark in its text; and the lesson."""
    course = new_course(tmp_path_factory.mktemp("handed-in"))
    mark = "\nof_the_student = None  # of_the_student"
    path = hand_in(course, HandIn("anna", {name: text + mark for name, text in RIGHT.items()}))
    solution, release = (
        nbformat.read(course.root / folder / LESSON / f"{LESSON}.ipynb", as_version=4)
        for folder in ("solutions", "notebooks")
    )
    notebook = rebuild(path.read_bytes(), release).notebook
    return notebook, Lesson.split(LESSON, solution, release)


@pytest.mark.slow
def test_when_the_time_of_a_hand_in_is_over_the_rest_gives_nothing(handed_in):
    found = examine(*handed_in, limits=replace(LIMITS, total_s=0.01))
    assert found.marks == dict.fromkeys(FULL, 0.0)
    assert found.problems[0].endswith(": the time for a hand-in was over")
    assert "the rest was not run" in found.problems


@pytest.mark.slow
def test_no_line_of_a_hand_in_reaches_the_process_that_decides(handed_in, monkeypatch):
    """All that is written to it is kept, and all that it compiles, imports and runs."""
    notebook, lesson = handed_in
    tests = {name: replace(test, source=LOOK + test.source) for name, test in lesson.tests.items()}
    written, write = [], Judge._write

    def note(self, message):
        written.append(json.dumps(message))
        write(self, message)

    monkeypatch.setattr(Judge, "_write", note)
    lesson = replace(lesson, tests=tests, given=lesson.given + NOTED)
    assert examine(notebook, lesson, limits=LIMITS).marks == FULL
    assert len(written) > len(FULL)
    assert not [text for text in written if "of_the_student" in text]
