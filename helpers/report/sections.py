"""The report: sections of title, text, figures and tables, joined into one HTML file.

To add to the report, make a `Section` and call ``add_section(section, folder)``. It stores the
section as a file in ``folder/sections/`` and builds ``folder/report.html`` again from all sections
there. A section replaces an older one with the same name.
"""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.errors import ConfigError
from helpers.files import check_writable, write_atomic
from helpers.plots.style import as_png, style


@dataclass(frozen=True)
class ReportFigure:
    """A Matplotlib figure with a caption and an alternative text for readers who cannot see it."""

    figure: Figure
    caption: str
    alt: str


@dataclass(frozen=True)
class ReportTable:
    """A table with a caption; `float_format` is a format string such as ``"{:.2f}"``."""

    table: pd.DataFrame
    caption: str
    float_format: str = "{:.2f}"


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Attributes
    ----------
    name : str
        Lower-case letters, digits and hyphens. Names the file and the anchor in the page.
    order : int
        0 to 99; sections with small numbers come first.
    title : str
        The heading.
    headline : tuple of (str, str)
        The main results in large letters, each with its meaning:
        ``(("1.2 meV/atom", "energy RMSE"),)``.
    paragraphs : tuple of str
        Plain text.
    figures, tables : tuple
        `ReportFigure` and `ReportTable`; figures are shown first.
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
            raise ConfigError(
                f"Section name {self.name!r}, order {self.order!r} cannot be used",
                expected="lower-case letters, digits and hyphens; 0 to 99",
            )


def version_of(package: str) -> str:
    """Return the version of an installed package, for a table of versions."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def draw_figure(
    caption: str,
    alt: str,
    plot: Callable[..., Axes],
    *tables: object,
    projection: str | None = None,
    **options: object,
) -> ReportFigure:
    """Draw a figure for the report.

    Parameters
    ----------
    caption, alt : str
        Caption and alternative text.
    plot : function
        One of `helpers.plots` or of a room's ``plots.py``; it takes the axes as ``ax``.
    *tables, **options
        Its arguments.
    projection : str, optional
        Of the axes, such as ``"3d"``.
    """
    with style():
        figure = Figure()
        plot(*tables, ax=figure.add_subplot(projection=projection), **options)
    return ReportFigure(figure, caption, alt)


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
    """Join the sections of `folder` into ``report.html``: one file that needs no network."""
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
    return "data:image/png;base64," + base64.b64encode(as_png(figure, dpi=150)).decode()


def _table(item: ReportTable) -> Markup:
    return Markup(
        item.table.to_html(index=False, border=0, na_rep="–", float_format=item.float_format.format)
    )
