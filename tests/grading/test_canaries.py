"""Canaries in a real kernel: silent in an honest notebook, loud where tests were tampered with."""

from __future__ import annotations

import ast

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from helpers.grading.build import HIDDEN, read_lesson
from helpers.grading.canaries import CANARIES
from helpers.grading.course import Course

STRIP_ASSERTS = """
import ast
from IPython import get_ipython
class Strip(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
get_ipython().ast_transformers.append(Strip())
"""
STRIP_UNSEEN = STRIP_ASSERTS.replace(
    "get_ipython().ast_transformers.append(Strip())", "get_ipython().transform_ast = Strip().visit"
)
PATCHED_NUMPY = """
import numpy.testing
numpy.testing.assert_allclose = lambda *_, **__: None
"""
PATCHED_HELPERS = """
import helpers.frames
helpers.frames.load_frames = helpers.load_frames = lambda *_, **__: []
"""
TEST = CANARIES + "from helpers import load_frames\nassert load_frames('water', 'train', 50)\n"
AFTERWARDS = "import helpers\nprint(len(helpers.load_frames('water', 'train', 50)))"


@pytest.fixture
def outputs(tmp_path):
    """A function: cells → what each of them shows, in a kernel."""

    def run(*cells):
        notebook = new_notebook(cells=[new_code_cell(text) for text in cells])
        where = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, allow_errors=True, timeout=60, resources=where).execute()
        return [
            " ".join(o.get("text", "") or f"{o.ename}: {o.evalue}" for o in cell.outputs)
            for cell in nbformat.from_dict(notebook).cells
        ]

    return run


def test_an_honest_notebook_hears_nothing_and_keeps_its_modules(outputs):
    own = "import helpers.errors\nmine = helpers.errors.DataError"
    same = "import helpers.errors\nprint(helpers.errors.DataError is mine)"
    assert outputs(own, TEST, same) == ["", "", "True\n"]


@pytest.mark.parametrize(
    ("trick", "heard"),
    [
        (STRIP_ASSERTS, "changes code before it runs"),
        (STRIP_UNSEEN, "asserts do nothing"),
        (PATCHED_NUMPY, "numpy.testing was changed"),
    ],
    ids=["transformer", "transformer elsewhere", "numpy.testing"],
)
def test_tampering_is_heard(outputs, trick, heard):
    assert heard in outputs(trick, TEST)[1]


def test_a_patched_kit_does_not_count_in_the_test(outputs):
    """The test sees the kit as it is on disk; after it, the student has his own back."""
    assert outputs(PATCHED_HELPERS, TEST, AFTERWARDS) == ["", "", "0\n"]


def test_modules_come_back_after_a_test_that_fails_too(outputs):
    failing = CANARIES + "assert False"
    shown = outputs(PATCHED_HELPERS, failing, AFTERWARDS)
    assert shown[1].startswith("AssertionError") and shown[2] == "0\n"


OWN_SCOPE = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def bound_names(tree):
    """Return the names that a piece of code gives a meaning where it stands, not in functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif not isinstance(node, OWN_SCOPE):
            if isinstance(node, ast.alias):
                yield node.asname or node.name.partition(".")[0]
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            yield from bound_names(node)


@pytest.mark.parametrize("source", Course().sources(), ids=lambda path: path.stem)
def test_a_test_leaves_the_names_of_the_student_alone(source):
    """Or what follows would mean another thing in grading than it did to the student."""
    for cell in read_lesson(source).cells:
        if HIDDEN in cell.source:
            own = set(bound_names(ast.parse(cell.source))) - {"sys", "check_canaries"}
            assert [name for name in own if not name.startswith("_")] == [], cell.id
