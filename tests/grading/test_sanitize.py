"""Texts of students in pages, tables and terminals: shown, not obeyed."""

from __future__ import annotations

import nbformat
import pytest

from helpers.grading.feedback import DrawFormulas, picture_of
from helpers.grading.outputs import Outputs, plain_text
from helpers.grading.sanitize import harmless_cell, harmless_markdown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a *b* `c` $x < y$", "a *b* `c` $x < y$"),
        ("<b>bold</b>", "&lt;b>bold&lt;/b>"),
        ("![alt](picture.png)", "\\![alt](picture.png)"),
        ("[text](javascript:x)", "[text](javascript\u200b:x)"),
        ("a\x1b[31mb\x00", "ab\\x00"),
    ],
)
def test_markdown_keeps_its_form_and_loses_its_html(text, shown):
    assert harmless_markdown(text) == shown


@pytest.mark.parametrize(
    ("value", "written"),
    [(3.5, 3.5), ("Ada", "Ada"), ("=1+1", "'=1+1"), (" @x", "' @x"), ("a\rb\nc", "a\\x0db c")],
)
def test_no_spreadsheet_takes_a_cell_for_a_formula(value, written):
    assert harmless_cell(value) == written


def test_control_characters_are_shown():
    assert plain_text("a\x07b\x1b]0;title\x07c\u009b") == "a\\x07b\\x1b]0;title\\x07c\\x9b"


def message(kind, **content):
    return {"msg_type": kind, "content": content}


def test_outputs_keep_text_and_pictures_and_nothing_else():
    outputs = Outputs(1000)
    outputs.add(message("stream", name="stdout", text="10%\r20%\rdone\n"))
    data = {"text/plain": "<table>", "text/html": "<b>", "application/javascript": "1"}
    outputs.add(message("display_data", data=data))
    figure = '<img alt="A figure &amp; more" src="data:image/png;base64,QUJD">'
    outputs.add(message("execute_result", data={"text/plain": "x", "text/html": figure}))
    outputs.add(message("display_data", data={"image/png": "<svg>"}))
    outputs.add(message("stream", name="stdout", text="y" * 2000))
    first, table, picture, rest = outputs.cells
    assert first["text"] == "done\n" and table["data"] == {"text/plain": "<table>"}
    assert picture["data"] == {"image/png": "QUJD", "text/plain": "A figure & more"}
    assert outputs.cut and len(rest["text"]) < 1000


def test_formulas_become_pictures_but_not_in_code():
    source = "Energy $\\boldsymbol\\mu = \\mathbf F / 2$ and `$HOME` cost $5.\n\n$$\\frac{1}{2}$$"
    cell = nbformat.v4.new_markdown_cell(source)
    DrawFormulas().preprocess_cell(cell, {}, 0)
    assert cell.source.count("<img ") == 2 and "`$HOME` cost $5." in cell.source
    assert 'alt="\\frac{1}{2}"' in cell.source
    assert picture_of("\\unknown{x}") is None
