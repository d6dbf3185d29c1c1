"""QUIP's own text form, ``key=value key={a b}``: how gap_fit and quippy cut it into pieces.

Config files and the descriptors inside a gap.xml are written in it. The rules are those of QUIP's
parser as gap_fit 0.10.3 applies them, so that the kit reads what QUIP reads and nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

QUOTES = {"{": "}", '"': '"', "'": "'"}


def split_pairs(text: str) -> list[tuple[str, str | None]]:
    """Return the keys and values of a text, in order; the value is None for a word without ``=``.

    Spaces and commas separate. ``{}``, ``""`` and ``''`` hold a value together and are removed, one
    level of them. Spaces may stand before ``=``, and after it where some stand before it, too:
    ``a=b``, ``a =b`` and ``a = b`` are pairs; ``a= b`` is a key without a value, and a word.

    Raises
    ------
    ValueError
        If a brace or quote is not closed, or a pair has no key; the message tells where.
    """
    pairs: list[tuple[str, str | None]] = []
    for field in _fields(text.replace("\r", " ").replace("\n", " "), " ,", "{\"'"):
        key, equals, value = field.partition("=")
        if not key:
            raise ValueError(field)
        pairs.append((key, value if equals else None))
    return pairs


def split_terms(text: str) -> list[str]:
    """Return the terms of the value of ``gap=``: separated by ``:`` or ``;`` outside braces."""
    flat = text.replace("\r", " ").replace("\n", " ")
    return [term.strip() for term in _fields(flat, ":;", "{") if term.strip()]


def logical(text: str) -> bool:
    """Return what QUIP takes a text for: only T, F, true and false, in any case.

    Raises
    ------
    ValueError
        If it is another text; 1 and .true. are.
    """
    words = {"t": True, "true": True, "f": False, "false": False}
    if text.casefold() not in words:
        raise ValueError(text)
    return words[text.casefold()]


def real(text: str) -> float:
    """Read a number as Fortran does, ``1d-8`` included; NaN and infinities are refused.

    Raises
    ------
    ValueError
        If it is not a finite number.
    """
    number = float(re.sub("[dD]", "e", text.replace("_", "x")))
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _fields(text: str, separators: str, openings: str) -> Iterator[str]:
    """Cut a text at separators outside quotes, and remove the outermost quotes."""
    field: str | None = None
    position, end = 0, len(text.rstrip())
    while position < end:
        letter = text[position]
        if letter in openings:
            closing = _closing(text, position, openings)
            field = (field or "") + text[position + 1 : closing]
            position = closing + 1
        elif letter in separators:
            following = _skip(text, position, end, separators)
            if following < end and text[following] == "=":
                field = (field or "") + "="
                position = _skip(text, following + 1, end, separators)
            else:
                if field is not None:
                    yield field
                field, position = None, following
        else:
            field = (field or "") + letter
            position += 1
    if field is not None:
        yield field


def _skip(text: str, position: int, end: int, separators: str) -> int:
    while position < end and text[position] in separators:
        position += 1
    return position


def _closing(text: str, position: int, openings: str) -> int:
    """Return where the quote that opens at `position` is closed, others inside it respected."""
    closing = QUOTES[text[position]]
    inside = position + 1
    while inside < len(text):
        if text[inside] == closing:
            return inside
        inside = _closing(text, inside, openings) if text[inside] in openings else inside
        inside += 1
    raise ValueError(text[position : position + 40])
