"""Feedback pages that need no network and run no program."""

from __future__ import annotations

import base64
import functools
import html
import io
import re
import shutil
from pathlib import Path
from typing import Any

from nbgrader.preprocessors import NbGraderPreprocessor

from helpers.files import write_atomic

# Code blocks and code spans are left alone; then formulas, those on a line of their own first.
_PARTS = re.compile(r"(```.*?```|`[^`\n]+`)|\$\$(.+?)\$\$|\$(?!\s)([^$\n]+?)(?<!\s)\$", re.DOTALL)
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
_FONT = re.compile(r"@font-face\s*\{[^}]*\}")  # of icons that the page does not use
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
# What Matplotlib calls otherwise, or cannot do without.
_REWRITTEN = [
    (re.compile(r"\\tfrac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\(?:text|operatorname)(?![A-Za-z])"), r"\\mathrm"),
    (re.compile(r"\\[Bb]ig(?![A-Za-z])"), ""),
    (re.compile(r"\\(mathbf|mathsf|mathrm|boldsymbol)\s*(\\[A-Za-z]+|\w)"), r"\\\1{\2}"),
]


class DrawFormulas(NbGraderPreprocessor):
    """Replace formulas in Markdown by pictures, with their source as the alternative text."""

    def preprocess_cell(
        self, cell: Any, resources: dict[str, Any], _: int
    ) -> tuple[Any, dict[str, Any]]:
        """Return the cell with pictures; what cannot be drawn stays as it was typed."""
        if cell.cell_type == "markdown":
            cell.source = _PARTS.sub(_replace, cell.source)
        return cell, resources


def _replace(match: re.Match[str]) -> str:
    code, block, inline = match.groups()
    if code is not None:
        return code
    source = html.unescape(block if block is not None else inline)
    picture = picture_of(" ".join(source.split()))
    if picture is None:
        return match[0]
    text = html.escape(" ".join(source.split()), quote=True).replace("|", "&#124;")
    style = "display:block;margin:1em auto" if block is not None else "vertical-align:middle"
    return f'<img alt="{text}" style="{style}" src="data:image/svg+xml;base64,{picture}">'


@functools.lru_cache(maxsize=2000)
def picture_of(formula: str) -> str | None:
    """Return a formula as SVG in base64, or None if Matplotlib cannot draw it."""
    from matplotlib import mathtext

    for pattern, other in _REWRITTEN:
        formula = pattern.sub(other, formula)
    buffer = io.BytesIO()
    try:
        mathtext.math_to_image(f"${formula}$", buffer, dpi=100, format="svg")
    except (ValueError, RuntimeError):
        return None
    return base64.b64encode(buffer.getvalue()).decode()


def finish_page(made: Path, path: Path) -> None:
    """Take the programs out of a feedback page, and tell browsers to run and load nothing.

    Parameters
    ----------
    made : Path
        As nbgrader made it; its folder is removed. What else lies in it, such as the time of the
        hand-in, which nbgrader's exchange needs, goes to the page.
    path : Path
        Where students and instructors find it.

    Raises
    ------
    OutputError
        If it cannot be written. A former page is untouched then.
    """
    page = _FONT.sub("", _SCRIPT.sub("", made.read_text(encoding="utf-8")))
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    path.parent.mkdir(parents=True, exist_ok=True)
    for beside in made.parent.iterdir():
        if beside != made and beside.is_file():
            write_atomic(path.with_name(beside.name), beside.read_bytes())
    write_atomic(path, page.replace("<head>", f"<head>\n{policy}", 1))
    shutil.rmtree(made.parent)
