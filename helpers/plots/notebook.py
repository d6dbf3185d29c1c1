"""Figures in notebooks that can also be heard: each with a text for those who do not see it."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.errors import DataError
from helpers.plots.explorer import as_png
from helpers.plots.style import style


@dataclass(frozen=True)
class DescribedFigure:
    """A picture with its alternative text. Made by `described`; a cell's last line shows it."""

    alt: str
    png: bytes

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        picture = base64.b64encode(self.png).decode()
        # As HTML, because JupyterLab and nbconvert give pictures of other kinds no text.
        image = f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{picture}"'
        return {"text/html": f'{image} style="max-width: 100%">', "text/plain": self.alt}


def described(figure: Figure | Axes, alt: str) -> DescribedFigure:
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
    return DescribedFigure(alt, png)
