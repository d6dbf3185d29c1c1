"""Answers of other students, given in the kernel that ran the solution and decided as all are.

`answers/NN.py` holds those of lesson NN, cell after cell:

    # %% test2-4-1 | 3 | numbers of NumPy
    timestep_fs = np.float64(0.5)

The id of a test, the points that it should give, what the student did; then code that makes the
variables of the solution those of this student. It runs where the test stands in the notebook.
A test without points gives 0, or -1 where it fails.
Give names new values; never change what they hold: only the names are put back afterwards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nbformat.v4 import new_code_cell

FOLDER = Path(__file__).with_name("answers")
# Kept where no test can reach it: their names begin with _, too.
PUT_ASIDE = """\
import builtins
builtins.put_aside = {k: v for k, v in globals().items() if not k.startswith("_")}
"""
PUT_BACK = """\
import builtins
for _name in [k for k in globals() if not k.startswith("_") and k not in builtins.put_aside]:
    del globals()[_name]
globals().update(builtins.put_aside)
"""


@dataclass(frozen=True)
class Answer:
    """What a student did, and how many points the test should give for it."""

    test: str
    points: float
    what: str
    code: str


def answers_of(lesson: str) -> list[Answer]:
    path = FOLDER / f"{lesson[:2]}.py"
    if not path.is_file():
        return []
    _, *cells = re.split(r"^# %% ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    read = []
    for cell in cells:
        head, code = cell.split("\n", 1)
        test, points, what = (part.strip() for part in head.split(" | "))
        read.append(Answer(test, float(points), what, code.strip()))
    return read


def insert(notebook, answers):
    """Add, after each test and for each answer to it: its code, the test, what puts names back.

    Returns the answers, each with the ids of its code and of its test.
    """
    cells, asked = [], []
    for cell in notebook.cells:
        cells.append(cell)
        for answer in (one for one in answers if one.test == cell.id):
            code = new_code_cell(PUT_ASIDE + answer.code, id=f"answer-{len(asked)}")
            test = new_code_cell(id=f"{code.id}-test")
            cells += [code, test, new_code_cell(PUT_BACK, id=f"{code.id}-back")]
            asked.append((answer, code.id, test.id))
    notebook.cells = cells
    return asked


def judge(asked, found, lesson):
    """Return what went wrong, a sentence for each answer."""
    wrong = []
    for answer, code, test in asked:
        failed = [o["evalue"] for o in found.outputs[code] if o["output_type"] == "error"]
        score = found.marks[test]
        if not lesson.tests[answer.test].points:  # such a test can only fail or not
            score = -float(any(o["output_type"] == "error" for o in found.outputs[test]))
        if failed:
            wrong.append(f"{answer.test}, {answer.what}: its own code fails, {failed[0]}")
        elif abs(score - answer.points) > 0.01:
            said = [o.get("text") or o.get("evalue") for o in found.outputs[test]]
            wrong.append(f"{answer.test}, {answer.what}: {score}, not {answer.points}; {said}")
    return wrong
