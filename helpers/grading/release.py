"""Put a lesson where students work, without taking their work away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.files import keep_copy, write_whole


def place(made: Path, folder: Path) -> list[Path]:
    """Write a student's edition into `folder`; a copy of one that was worked in stays beside it.

    Returns
    -------
    list of Path
        The notebook, and the copy if there is one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, content = folder / made.name, made.read_bytes()
    kept = []
    if target.exists() and worked_in(target.read_bytes(), content):
        kept = [keep_copy(target, folder)]
    return [write_whole(target, content), *kept]


def worked_in(there: bytes, new: bytes) -> bool:
    """Whether a notebook holds outputs, or answers other than the new one; or cannot be read."""
    try:
        theirs = _cells(there)
    except Exception:  # whatever it is, it is not ours to lose
        return True
    if any(cell.get("outputs") or cell.get("execution_count") for cell in theirs):
        return True
    return _answers(theirs) != _answers(_cells(new))


def _cells(notebook: bytes) -> list[Any]:
    import nbformat

    return nbformat.reads(notebook.decode(), as_version=4).cells


def _answers(cells: list[Any]) -> list[str]:
    return [c.source for c in cells if c.metadata.get("nbgrader", {}).get("solution")]
