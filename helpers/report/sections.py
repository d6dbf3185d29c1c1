"""The report: sections of title, text, figures and tables, joined into one HTML file.

To add to the report, make a `Section` and call ``add_section(section, folder)``. It stores the
section as a file in ``folder/sections/``, its figures as SVG and PNG in ``folder/figures/``, its
tables as CSV in ``folder/tables/``, and builds ``folder/report.html`` again from all sections
there. A section replaces an older one with the same name.
"""

from __future__ import annotations

import base64
import functools
import gzip
import html
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.errors import ConfigError, MissingToolError
from helpers.files import check_writable, write_atomic, write_table
from helpers.plots.style import as_png, as_svg, style

FIGURES, TABLES = "figures", "tables"  # folders beside the page


@dataclass(frozen=True)
class ReportFigure:
    """A Matplotlib figure with a caption and an alternative text for readers who cannot see it."""

    figure: Figure
    caption: str
    alt: str


@dataclass(frozen=True)
class ReportTable:
    """A table with a caption; `float_format` is a format string such as ``"{:.2f}"``.

    A `folded` table is hidden behind its caption until a reader opens it.
    """

    table: pd.DataFrame
    caption: str
    float_format: str = "{:.2f}"
    folded: bool = False


@dataclass(frozen=True)
class ReportView:
    """What a reader can turn, play or enlarge: a data set of chemiscope with a caption.

    Attributes
    ----------
    data : dict
        As `chemiscope.create_input` returns it, with finite numbers only.
    mode : str
        ``"default"`` (a map and structures) or ``"map"``.
    caption : str
        What it shows, and what can be done with it.
    """

    data: Mapping[str, Any]
    mode: str
    caption: str


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
    figures, tables, views : tuple
        `ReportFigure`, `ReportTable` and `ReportView`; views are shown first, then figures. What a
        view shows must also be in a figure, for readers on paper.
    """

    name: str
    order: int
    title: str
    headline: tuple[tuple[str, str], ...] = ()
    paragraphs: tuple[str, ...] = ()
    figures: tuple[ReportFigure, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    views: tuple[ReportView, ...] = ()

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
    """Store a section in `folder`, build ``report.html`` again, and return its path.

    Raises
    ------
    OutputError
        If the folder is missing or cannot be written to.
    """
    folder = Path(folder)
    check_writable(folder / "report.html")
    for name in ("sections", FIGURES, TABLES):
        (folder / name).mkdir(exist_ok=True)
    written, images = set(), []
    for number, item in enumerate(section.figures, start=1):
        path = folder / FIGURES / f"{section.name}-{number}.png"
        images.append(as_png(item.figure, dpi=150))
        written.add(write_atomic(path, images[-1]))
        item.figure.set_layout_engine("none")  # the places of all parts are found
        written.add(write_atomic(path.with_suffix(".svg"), as_svg(item.figure)))
    for number, table in enumerate(section.tables, start=1):
        path = folder / TABLES / f"{section.name}-{number}.csv"
        written.add(write_table(path, table.table))
    page = _templates().get_template("section.html").render(section=section, images=images)
    path = folder / "sections" / f"{section.order:02d}-{section.name}.html"
    written.add(write_atomic(path, page))
    for path in _files_of(section.name, folder):
        if path not in written:  # of an older section
            path.unlink()
    return build_report(folder)


def remove_section(name: str, folder: str | os.PathLike) -> None:
    """Remove a section, its figures and its tables; the page is built without it the next time."""
    for path in _files_of(name, Path(folder)):
        path.unlink()


def _files_of(name: str, folder: Path) -> list[Path]:
    paths = (path for kind in ("sections", FIGURES, TABLES) for path in folder.glob(f"{kind}/*"))
    return [path for path in paths if re.fullmatch(rf"(\d\d-)?{name}(-\d+)?", path.stem)]


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
            viewer=_viewer() if any('<div class="view"' in body for body in bodies) else "",
            written=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )
    return write_atomic(Path(folder, "report.html"), page)


@functools.cache
def _viewer() -> str:
    """Return chemiscope's program for pages, compressed and in base64."""
    try:
        program = resources.files("chemiscope") / "sphinx" / "static" / "chemiscope.min.js"
        script = program.read_bytes()
    except (ImportError, OSError) as error:
        raise MissingToolError(
            "chemiscope, which shows runs in the report, is not installed or of another version",
            fix="pip install 'chemiscope>=1.1'",
        ) from error
    return base64.b64encode(gzip.compress(script, mtime=0)).decode()


def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("helpers.report", "templates"), autoescape=select_autoescape()
    )
    environment.filters["image"] = _image
    environment.filters["table"] = _table
    environment.filters["json"] = _json
    return environment


def _image(png: bytes) -> str:
    """Return a picture as a data URL, so that the page needs no other file."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _table(item: ReportTable) -> Markup:
    words = not any(pd.api.types.is_numeric_dtype(kind) for kind in item.table.dtypes)
    return Markup(
        item.table.to_html(
            index=False,
            border=0,
            na_rep="–",
            float_format=item.float_format.format,
            classes="words" if words else None,
        )
    )


def _json(data: Mapping[str, Any]) -> Markup:
    """Return data as JSON that can stand in a page."""
    return Markup(json.dumps(data, allow_nan=False).replace("<", "\\u003c"))
