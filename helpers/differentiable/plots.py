"""Figures of descents through simulations."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from helpers.plots.style import BLACK, BLUE, ORANGE, RED, new_axes, style


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
