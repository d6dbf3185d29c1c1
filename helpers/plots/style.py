"""The look of all figures: colors, letter sizes for a projector, alternative texts.

Change a color here and it changes everywhere: `SET_COLORS` for training and validation frames (the
parity plots, learning curves and sweeps), `ELEMENT_COLORS` for oxygen and hydrogen.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.errors import DataError
from helpers.files import atomic_writer

# Colors that color-blind readers can tell apart: Okabe, Ito (2008), "Color Universal Design".
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, RED, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
ELEMENT_COLORS = {"O": RED, "H": BLUE}  # of curves and points; atoms are drawn in CPK colors
SET_COLORS = {"training": SKY, "validation": ORANGE}
RC_PARAMS = {
    "figure.figsize": (6.4, 4.8),
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "savefig.dpi": 150,
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.labelsize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 2,
}


@contextmanager
def style() -> Iterator[None]:
    """Use the kit's style for the figures drawn in the ``with`` block, and for no others."""
    import matplotlib

    with matplotlib.rc_context(RC_PARAMS):
        yield


def new_axes() -> Axes:
    """Return the axes of a new figure; plotting functions call it when they are given no axes."""
    import matplotlib.pyplot as plt

    return plt.figure().add_subplot()


@dataclass(frozen=True)
class FigureWithAltText:
    """A picture with its alternative text, made by `with_alt_text`; Jupyter displays it.

    Attributes
    ----------
    alt : str
        The alternative text.
    png : bytes
        The picture.
    """

    alt: str
    png: bytes

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        # As HTML, because JupyterLab and nbconvert show no alternative text of plain pictures.
        picture = base64.b64encode(self.png).decode()
        image = f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{picture}"'
        return {"text/html": f'{image} style="max-width: 100%">', "text/plain": self.alt}


def with_alt_text(figure: Figure | Axes, alt: str) -> FigureWithAltText:
    """Return a figure as a picture with an alternative text, and close the figure.

    Screen readers read the alternative text to people who cannot see the picture.

    Parameters
    ----------
    figure : Figure or Axes
        A figure, or the axes that a function of `helpers.plots` returned.
    alt : str
        What the figure shows, with the numbers that matter: a sentence or two.

    Raises
    ------
    DataError
        If the text has fewer than five words.
    """
    import matplotlib.pyplot as plt

    if len(alt.split()) < 5:
        raise DataError(
            f"The text {alt!r} does not tell what the figure shows",
            expected="a sentence with what is drawn and what it tells",
        )
    figure = figure if isinstance(figure, Figure) else figure.get_figure()
    with style():
        png = as_png(figure)
    plt.close(figure)  # or Jupyter would show it a second time, without the text
    return FigureWithAltText(alt, png)


def as_png(figure: Figure, dpi: float | str = "figure") -> bytes:
    """Return a figure as a PNG image, by default at its own resolution.

    Neither date nor version is stored: the same numbers give the same bytes.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def write_gif(path: Path, figures: Iterable[Figure]) -> Path:
    """Write figures of one size as an animation, 80 ms each, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from PIL import Image

    pictures = [Image.open(io.BytesIO(as_png(figure))).convert("P") for figure in figures]
    with atomic_writer(path) as file:
        pictures[0].save(
            file, format="GIF", save_all=True, append_images=pictures[1:], duration=80, loop=0
        )
    return path


def as_svg(figure: Figure) -> bytes:
    """Return a figure as an SVG image; the same numbers give the same bytes."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "mlmd"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
