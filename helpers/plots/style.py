"""One look for every figure: sizes for a projector, colours that colour-blind readers can tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
