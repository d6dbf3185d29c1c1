"""Figures of descents through simulations."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes

from helpers.plots.style import BLACK, BLUE, ORANGE, PURPLE, RED, new_axes, style


def plot_descent(
    table: pd.DataFrame, column: str, target: float, label: str, ax: Axes | None = None
) -> Axes:
    """Draw a fitted number against the epoch, and what theory says.

    Parameters
    ----------
    table : DataFrame
        Of `Descent`.
    column : str
        What to show.
    target : float
        Where it should end.
    label : str
        Name and unit of the number.
    """
    with style():
        ax = ax or new_axes()
        ax.axhline(target, color=RED, lw=1, ls=":", label=f"theory: {target:.4g}")
        ax.plot(table["epoch"], table[column], color=BLUE, marker="o", ms=4, label="fit")
        ax.set(xlabel="epoch", ylabel=label)
        ax.legend()
    return ax


def plot_angle_gradients(table: pd.DataFrame, target_deg: float, ax: Axes | None = None) -> Axes:
    """Draw the gradient of the loss against the angle: it points to the right one.

    Parameters
    ----------
    table : DataFrame
        Of `angle_gradients`.
    target_deg : float
        The right angle.
    """
    with style():
        ax = ax or new_axes()
        ax.axhline(0, color=BLACK, lw=1)
        ax.axvline(target_deg, color=RED, lw=1, ls=":", label=f"theory: {target_deg:.1f}°")
        slope = table["gradient_nm_per_radian"]
        ax.plot(table["angle_deg"], slope, color=ORANGE, marker="o", ms=3, ls="")
        ax.set(xlabel="θ₀, degrees", ylabel="gradient, nm/radian")
        ax.legend()
    return ax


def plot_two_sweeps(ax: Axes | None = None) -> Axes:
    """Draw a simulation as a chain of steps, and how differentiation goes along it."""
    with style():
        ax = ax or new_axes()
    columns = (0.0, 1.0, 2.2, 3.2)
    names = ("$z_0$", "$z_1$", "$z_{n-1}$", "$z_n$")
    box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": BLACK}
    for x, name in zip(columns, names, strict=True):
        ax.text(x, 0, name, ha="center", va="center", fontsize=15, bbox=box)
    ax.text(4.2, 0, "$L$", ha="center", va="center", fontsize=15, bbox=box)
    stops = [*columns, 4.2]

    def arrow(start: tuple, end: tuple, color: str, dashes: str = "-") -> None:
        shape = {"arrowstyle": "->", "color": color, "lw": 2, "ls": dashes}
        ax.annotate("", xy=end, xytext=start, arrowprops=shape)

    for left, right in pairwise(stops):
        dashes = ":" if left == 1.0 else "-"
        arrow((left + 0.2, 0), (right - 0.2, 0), BLACK, dashes)
        arrow((left + 0.1, 0.42), (right - 0.1, 0.42), BLUE, dashes)
        arrow((right - 0.1, -0.42), (left + 0.1, -0.42), ORANGE, dashes)
    for left, right in pairwise(columns):
        ax.text((left + right) / 2, 0.1, "$p$", ha="center", fontsize=12, color=PURPLE)
    ax.text(2.1, 0.55, "forward: $dz/dp$, with the simulation", ha="center", color=BLUE)
    ax.text(2.1, -0.68, "reverse: $dL/dz$, from the end", ha="center", color=ORANGE)
    ax.set(xlim=(-0.4, 4.6), ylim=(-0.85, 0.8), title="A simulation is a chain of steps")
    ax.axis("off")
    return ax
