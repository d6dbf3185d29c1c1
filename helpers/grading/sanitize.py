"""Texts of students, made harmless for the pages and files in which an instructor reads them."""

from __future__ import annotations

import re

from helpers.grading.outputs import plain_text

_IMAGE = re.compile(r"!(?=\s*\[)")
_LINK = re.compile(r"(?i)\b(javascript|vbscript|data)\s*:")
_AUTOLINK = re.compile(r"<(?=[A-Za-z/!?])")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def harmless_markdown(text: str) -> str:
    """Return Markdown in which nothing is HTML, nothing is loaded, and no link runs a program.

    Formulas, lists, emphasis and code stay as they are; ``<`` before a letter is written so that
    browsers show it.
    """
    text = "\n".join(plain_text(line) for line in text.split("\n"))
    text = _AUTOLINK.sub("&lt;", text)
    text = _IMAGE.sub("\\\\!", text)
    return _LINK.sub(lambda match: f"{match[1]}\u200b:", text)


def harmless_cell(value: object) -> object:
    """Return a value for a CSV file that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = plain_text(value.replace("\n", " "))
    return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) else text
