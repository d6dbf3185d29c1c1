"""One look for every figure: sizes for a projector, colors that colorblind readers can tell.

In notebooks every figure also carries a text for those who do not see it (`with_alt_text`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
import base64
import html
import io
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.errors import DataError

# Okabe & Ito (2008), "Color Universal Design".
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)


ELEMENT_COLORS = {"O": RED, "H": BLUE}


SET_COLORS = {"training": SKY, "validation": ORANGE}


_STYLE = {
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
    """Use the kit's style for the figures made inside, and only for those."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def new_axes() -> Axes:
    """Return the axes of a new figure, for whoever gave none."""
    import matplotlib.pyplot as plt

    return plt.figure().add_subplot()


@dataclass(frozen=True)
class FigureWithAltText:
    """A picture with its alternative text. Made by `with_alt_text`; a cell's last line shows it."""

    alt: str
    png: bytes

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        picture = base64.b64encode(self.png).decode()
        # As HTML, because JupyterLab and nbconvert give pictures of other kinds no text.
        image = f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{picture}"'
        return {"text/html": f'{image} style="max-width: 100%">', "text/plain": self.alt}


def with_alt_text(figure: Figure | Axes, alt: str) -> FigureWithAltText:
    """Return a figure as a picture with an alternative text, and close it.

    Parameters
    ----------
    figure : Figure or Axes
        What one of `helpers.plots` returned.
    alt : str
        What the figure shows, with the numbers that matter: a sentence or two.

    Raises
    ------
    DataError
        If the text is too short to tell anything.
    """
    import matplotlib.pyplot as plt

    if len(alt.split()) < 5:
        raise DataError(
            f"The text {alt!r} does not tell what the figure shows",
            expected="a sentence with what is drawn and what it tells",
        )
    whole = figure if isinstance(figure, Figure) else figure.get_figure()
    with style():
        png = as_png(whole)
    plt.close(whole)  # or Jupyter would show it once more, without the text
    return FigureWithAltText(alt, png)


def as_png(figure: Figure) -> bytes:
    """Return a figure as a PNG image, at its own resolution."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi="figure", metadata={"Software": None})
    return buffer.getvalue()
