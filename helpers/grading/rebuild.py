"""A hand-in is never graded as it is: the release is, with the student's answers put in.

From the student's file come the text of answer cells, of cells that the student added, and of given
cells that the student changed (an import more, for instance); nothing else. Tests, metadata, tags,
kernel and ids are those of the release.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from typing import Any

from helpers.errors import WorkshopError

LARGEST = 100_000_000  # bytes of a file
MOST_CELLS = 1000
MOST_TEXT = 2_000_000  # characters of all cells
MISSING = "# This cell is not in the file that was handed in."
LARGE_OUTPUTS = 1_000_000  # bytes of a file beside its text, from which it is worth a note
_PICTURE = re.compile(r"data:image/[^)\"'\s]{1000,}")


class HandInError(WorkshopError, ValueError):
    """A hand-in that cannot be graded, with the reason.

    A `WorkshopError`; it stands here because nobody outside this room meets it.
    """


@dataclass
class Rebuilt:
    """A rebuilt notebook, and what an instructor should know about the file it was made from."""

    notebook: Any
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Cell:
    kind: str
    source: str
    grade_id: str | None
    identity: str | None
    graded: bool
    pictures: bool


def rebuild(content: bytes, release: Any) -> Rebuilt:
    """Return the release with the answers of a hand-in.

    Parameters
    ----------
    content : bytes
        The file: JSON of nbformat 3 or 4, as UTF-8 (with a byte-order mark or without),
        UTF-16 or Windows-1252.
    release : notebook
        The student's edition of the lesson.

    Raises
    ------
    HandInError
        If the file is not a notebook of this lesson.
    """
    theirs, notes = _read(content)
    ours = {cell.id: cell for cell in release.cells}
    by_text = {_clean(cell.source): cell.id for cell in release.cells}
    answerable = {name for name, cell in ours.items() if _nbgrader(cell).get("solution")}
    bare = not any(cell.grade_id in ours for cell in theirs)  # a program dropped all metadata
    result = Rebuilt(copy.deepcopy(release), notes)
    answers: dict[str, list[str]] = {}
    own: dict[str | None, list[_Cell]] = {}
    last: str | None = None
    seen: set[str] = set()
    retyped, changed, with_pictures = [], [], []
    edited: dict[str, _Cell] = {}  # given cells
    for cell in theirs:
        name = cell.grade_id if cell.grade_id in ours else None
        if name is None and cell.grade_id is None:
            name = cell.identity if cell.identity in ours else by_text.get(_clean(cell.source))
        if name is None and bare and cell.grade_id is None:
            name = _expected_next(release, last, seen, cell)
        if cell.pictures:
            with_pictures.append(name if name in answerable and name else "a cell of the student's")
        given = name is not None and not _nbgrader(ours[name])
        differs = name is not None and _clean(cell.source) != _clean(ours[name].source)
        if given and name in seen and (differs or name in edited):
            name = None  # a copy of a given cell, put to another use
        if name is None or (name in seen and name not in answerable):
            if name is None and cell.source.strip():
                own.setdefault(last, []).append(cell)
                if cell.graded:
                    result.notes.append("a graded cell was added")
            continue
        seen.add(name)
        last = name
        if name in answerable:
            answers.setdefault(name, []).append(cell.source)
            if cell.kind != ours[name].cell_type:
                retyped.append(name)
        elif given and differs and cell.source.strip():
            edited[name] = cell
        elif differs and _nbgrader(ours[name]).get("grade"):
            changed.append(name)
    if not answers:
        raise HandInError("no answer cell of this lesson is in the file", fix="ask for it again")
    _note(result, "changed: ", changed)
    _note(result, "changed its type: ", retyped)
    graded = [name for name, cell in ours.items() if _nbgrader(cell).get("grade")]
    _note(result, "missing in the file: ", [n for n in ours if n in {*graded, *answerable} - seen])
    _note(result, "several times in the file: ", [n for n in answers if _several(answers[n])])
    _note(result, "pictures, which only the file handed in shows: ", with_pictures)
    if edited:
        result.notes.append(f"given cells that were changed: {len(edited)}")
    result.notebook.cells = _put_together(result.notebook, answers, own, edited, answerable - seen)
    return result


def _note(result: Rebuilt, text: str, names: list[str]) -> None:
    if names:
        result.notes.append(text + ", ".join(dict.fromkeys(names)))


def _several(texts: list[str]) -> bool:
    return len({_clean(text) for text in texts}) > 1


def _put_together(
    notebook: Any,
    answers: dict[str, list[str]],
    own: dict[str | None, list[_Cell]],
    edited: dict[str, _Cell],
    missing: set[str],
) -> list[Any]:
    """Return the cells of the release, with answers and the student's own cells between them.

    A given cell that was changed stands where it stood if it is code, and after the release's
    if it is a text.
    """
    from nbformat.v4 import new_code_cell, new_markdown_cell

    cells: list[Any] = []

    def add(kind: str, source: str) -> None:
        make = new_code_cell if kind == "code" else new_markdown_cell
        cells.append(make(source, id=f"own-{len(cells)}"))

    for cell in own.get(None, []):
        add(cell.kind, cell.source)
    for cell in notebook.cells:
        stub = cell.source
        if cell.id in answers:
            # As in the student's notebook, a later cell of the same name counts after an earlier.
            texts = [text for text in answers[cell.id] if _clean(text) != _clean(stub)] or [stub]
            for earlier in texts[:-1]:
                add(cell.cell_type, earlier)
            cell.source = texts[-1]
        elif cell.id in missing and cell.cell_type == "code":
            cell.source = MISSING
        change = edited.get(cell.id)
        if change is not None and change.kind == cell.cell_type == "code":
            add("code", change.source)
        else:
            cells.append(cell)
            if change is not None:
                add(change.kind, change.source)
        for added in own.get(cell.id, []):
            add(added.kind, added.source)
    return cells


def _expected_next(release: Any, last: str | None, seen: set[str], cell: _Cell) -> str | None:
    """Return the answer cell that stands where an unknown cell does, or None."""
    names = [one.id for one in release.cells]
    place = names.index(last) + 1 if last is not None else 0
    if place < len(names) and names[place] not in seen:
        after = release.cells[place]
        if _nbgrader(after).get("solution") and after.cell_type == cell.kind:
            return names[place]
    return None


def _nbgrader(cell: Any) -> dict[str, Any]:
    return cell.metadata.get("nbgrader", {})


def _clean(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _read(content: bytes) -> tuple[list[_Cell], list[str]]:
    """Return the cells of a notebook file, and what is odd about the file."""
    if len(content) > LARGEST:
        raise HandInError(f"the file has more than {LARGEST // 10**6} MB")
    try:
        text, notes = _decoded(content)
        raw = json.loads(text.strip("\ufeff\0 \t\r\n"))
    except RecursionError as error:
        raise HandInError("the file is nested too deeply to be a notebook") from error
    except ValueError as error:
        raise HandInError(
            f"the file is damaged or not a notebook: {error}"[:200], fix="ask for it again"
        ) from error
    sheets = raw.get("worksheets") if isinstance(raw, dict) else None
    if isinstance(sheets, list):  # nbformat 3
        cells = [cell for s in sheets if isinstance(s, dict) for cell in _list(s.get("cells"))]
        notes.append("the file has the old format nbformat 3")
    else:
        cells = _list(raw.get("cells")) if isinstance(raw, dict) else []
    if not cells:
        raise HandInError("the file is no notebook: it has no cells", fix="ask for it again")
    read = [_cell(cell) for cell in cells if isinstance(cell, dict)]
    length = sum(len(cell.source) for cell in read)
    if len(read) > MOST_CELLS or length > MOST_TEXT:
        raise HandInError("the notebook is far too long", expected=f"at most {MOST_CELLS} cells")
    if len(content) - length > LARGE_OUTPUTS:
        notes.append(f"the file holds {len(content) / 1e6:.0f} MB, outputs or pictures")
    return read, notes


def _decoded(content: bytes) -> tuple[str, list[str]]:
    """Return the text of a file, and a note unless it is UTF-8 as Jupyter writes it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16"), ["the file was saved as UTF-16"]
    for encoding in ("utf-16-le", "utf-16-be"):
        if content[:200].decode(encoding, "replace").lstrip().startswith("{"):
            return content.decode(encoding), ["the file was saved as UTF-16"]
    notes = []
    if content.startswith(b"\xef\xbb\xbf"):
        notes.append("the file begins with a byte-order mark")
    if b"\r\n" in content:
        notes.append("the file has line ends of Windows")
    try:
        return content.decode("utf-8-sig"), notes
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace"), [*notes, "the file was saved as Windows-1252"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _cell(raw: dict[str, Any]) -> _Cell:
    source = raw.get("source", raw.get("input", "")) or ""
    if isinstance(source, list):
        source = "".join(str(line) for line in source)
    text = str(source).replace("\r\n", "\n").replace("\r", "\n")
    metadata = raw.get("metadata")
    given = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    given = given if isinstance(given, dict) else {}
    name, identity = given.get("grade_id"), raw.get("id")
    kind = "code" if raw.get("cell_type") == "code" else "markdown"
    pictures = bool(raw.get("attachments"))
    if kind == "markdown" and _PICTURE.search(text):
        text, pictures = _PICTURE.sub("picture", text), True
    return _Cell(
        kind,
        "".join(c for c in text if c in "\n\t" or ord(c) >= 32 and not 0xD800 <= ord(c) < 0xE000),
        name if isinstance(name, str) else None,
        identity if isinstance(identity, str) else None,
        bool(given.get("grade")),
        pictures,
    )
