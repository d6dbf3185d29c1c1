"""Figures of how a GAP works: a fitted curve, a neighborhood, similarity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from helpers.gap.environments import Neighborhood
from helpers.gap.one_dimension import CurveFit
from helpers.plots.style import BLACK, BLUE, ORANGE, PURPLE, new_axes, style

SEEN_COLORS = {"O": "#E3170A", "H": "#7f7f7f"}  # red, and gray in place of white on white


def plot_curve_fit(fit: CurveFit, ax: Axes | None = None, *, title: str = "") -> Axes:
    """Draw a curve that a Gaussian process fitted, its labels, and the true curve."""
    with style():
        ax = ax or new_axes()
        low, high = (fit.mean_eV + side * 2 * fit.error_eV for side in (-1, 1))
        ax.fill_between(fit.x_A, low, high, color=BLUE, alpha=0.15, lw=0)
        ax.plot(fit.x_A, fit.true_eV, "--", color=BLACK, lw=1.5, label="true curve")
        ax.plot(fit.x_A, fit.mean_eV, color=BLUE, label="fit ± 2 standard deviations")
        ax.plot(fit.training_x_A, fit.training_eV, "o", color=ORANGE, label="labels, with noise")
        ax.set(ylim=(-1.5, 6.5), xlim=(fit.x_A[0], fit.x_A[-1]))
        ax.set(xlabel="O–H distance, Å", ylabel="energy, eV")
        settings = f"sigma {fit.sigma_eV:.2g} eV, length scale {fit.length_A:.2g} Å"
        errors = (
            f"RMSE {fit.rmse_training_eV:.2f} eV training, {fit.rmse_validation_eV:.2f} validation"
        )
        ax.set_title("\n".join(filter(None, (title, settings, errors))), fontsize=13)
    return ax


def curve_figure(fits: Mapping[str, CurveFit]) -> Figure:
    """Return a figure with one panel for each fit, under its name."""
    with style():
        figure = Figure(figsize=(max(7.0, 4.6 * len(fits)), 4.6), dpi=80)
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(fits), squeeze=False, sharey=True)[0]
        for ax, (name, fit) in zip(panels, fits.items(), strict=True):
            plot_curve_fit(fit, ax, title=name)
            ax.label_outer()
        panels[-1].legend(fontsize=11, loc="upper right")
    return figure


def plot_neighborhood(seen: Neighborhood, ax: Axes | None = None) -> Axes:
    """Draw the neighbor density of one atom, one color for each element, seen along z."""
    with style():
        ax = ax or new_axes()
        reach = seen.cutoff_A
        for element, density in seen.density.items():
            color = SEEN_COLORS.get(element, PURPLE)
            image = np.empty((*density.shape, 4))
            image[..., :3] = to_rgb(color)
            image[..., 3] = np.clip(density / max(1.0, float(density.max())), 0, 1)
            ax.imshow(image, origin="lower", extent=(-reach, reach, -reach, reach))
            ax.plot(*seen.positions_A[element].T, ".", color=BLACK, ms=3)
            ax.plot([], [], "o", ms=9, color=color, label=element)
        ax.add_patch(Circle((0, 0), reach, fill=False, ls="--", lw=1.5, color=BLACK))
        ax.set(title="What SOAP sees of one oxygen atom", xlabel="x, Å", ylabel="y, Å")
        ax.set(
            aspect="equal", xlim=(-1.05 * reach, 1.05 * reach), ylim=(-1.05 * reach, 1.05 * reach)
        )
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def plot_similarity(
    distance_A: Any, similarity: Mapping[str, Any], at_A: float, ax: Axes | None = None
) -> Axes:
    """Draw how similar a neighborhood stays to itself while one bond is stretched.

    Parameters
    ----------
    distance_A : array-like of shape (n,)
        Lengths of the bond.
    similarity : mapping of str to array-like of shape (n,)
        One line for each name.
    at_A : float
        The length of the bond with which the others are compared.
    """
    with style():
        ax = ax or new_axes()
        for (name, values), line in zip(similarity.items(), ("-", "--", ":", "-."), strict=False):
            ax.plot(distance_A, values, line, color=BLUE, label=name)
        ax.axvline(at_A, color=BLACK, lw=1)
        ax.set(title="Similarity while one O–H bond is stretched")
        ax.set(xlabel="O–H distance, Å", ylabel="similarity to the start (1 = same)")
        ax.legend(fontsize=12)
    return ax
