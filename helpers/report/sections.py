"""A section is a title, text, figures and tables; the report is all sections of a folder.

To add to the report: make a `Section`, then ``add_section(section, folder)``. The section is kept
as a file in ``folder/sections/`` and ``folder/report.html`` is built again from all of them; a
section with the same name replaces the older one.
"""

from __future__ import annotations

import base64
import html
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.errors import WorkshopError
from helpers.files import check_writable, write_atomic
from helpers.plots.style import style


@dataclass(frozen=True)
class ReportFigure:
    """A Matplotlib figure, its caption, and words for those who cannot see it."""

    figure: Figure
    caption: str
    alt: str


def draw_figure(
    caption: str,
    alt: str,
    plot: Callable[..., Axes],
    *tables: object,
    projection: str | None = None,
    **options: object,
) -> ReportFigure:
    """Draw with a function of `helpers.plots`: its tables and options, on axes of its own."""
    with style():
        figure = Figure()
        plot(*tables, ax=figure.add_subplot(projection=projection), **options)
    return ReportFigure(figure, caption, alt)


@dataclass(frozen=True)
class ReportTable:
    """A table and its caption; numbers are shown as `float_format` says."""

    table: pd.DataFrame
    caption: str
    float_format: str = "{:.2f}"


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Attributes
    ----------
    name : str
        Lower-case letters, digits and hyphens: the file and the anchor in the page.
    order : int
        Place in the report; small numbers come first.
    title : str
        The heading.
    headline : tuple of (str, str)
        Numbers to be seen first, each with what it means: ``(("1.2 meV/atom", "energy RMSE"),)``.
    paragraphs : tuple of str
        Plain text.
    figures, tables : tuple
        `ReportFigure` and `ReportTable`, shown in this order.
    """

    name: str
    order: int
    title: str
    headline: tuple[tuple[str, str], ...] = ()
    paragraphs: tuple[str, ...] = ()
    figures: tuple[ReportFigure, ...] = ()
    tables: tuple[ReportTable, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", self.name) or not 0 <= self.order <= 99:
            raise WorkshopError(
                f"Section name {self.name!r}, order {self.order!r} cannot be used",
                expected="lower-case letters, digits and hyphens; 0 to 99",
            )


def add_section(section: Section, folder: str | os.PathLike) -> Path:
    """Store a section in `folder`, build ``report.html`` again, and return its path."""
    sections = Path(folder, "sections")
    check_writable(sections.parent / "report.html")
    sections.mkdir(exist_ok=True)
    for older in sections.glob(f"[0-9][0-9]-{section.name}.html"):
        if not older.name.startswith(f"{section.order:02d}-"):
            older.unlink()
    page = _templates().get_template("section.html").render(section=section)
    write_atomic(sections / f"{section.order:02d}-{section.name}.html", page)
    return build_report(folder)


def build_report(folder: str | os.PathLike) -> Path:
    """Join all sections of `folder` into ``report.html``: one file that opens without a network."""
    parts = sorted(Path(folder, "sections").glob("[0-9][0-9]-*.html"))
    bodies = [part.read_text(encoding="utf-8") for part in parts]
    titles = [re.search(r"<h2>(.*?)</h2>", body) for body in bodies]
    page = (
        _templates()
        .get_template("page.html")
        .render(
            contents=[
                (part.stem[3:], html.unescape(title.group(1)) if title else part.stem)
                for part, title in zip(parts, titles, strict=True)
            ],
            bodies=[Markup(body) for body in bodies],
            written=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )
    return write_atomic(Path(folder, "report.html"), page)


def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("helpers.report", "templates"), autoescape=select_autoescape()
    )
    environment.filters["image"] = _image
    environment.filters["table"] = _table
    return environment


def _image(figure: Figure) -> str:
    """Return a figure as a data URL, so that the page needs no other file."""
    buffer = io.BytesIO()
    # No date and no version inside: the same numbers give the same bytes.
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _table(item: ReportTable) -> Markup:
    return Markup(
        item.table.to_html(index=False, border=0, na_rep="–", float_format=item.float_format.format)
    )
