"""Figures of descents through simulations."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from helpers.plots.style import BLACK, BLUE, ORANGE, PURPLE, RED, new_axes, style, write_gif


def plot_descent(
    table: pd.DataFrame, column: str, target: float, label: str, ax: Axes | None = None
) -> Axes:
    """Draw a fitted number against the epoch, and where it should end.

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
        ax.axhline(target, color=RED, lw=1.5, ls=":", label=f"target: {target:.4g}")
        ax.plot(table["epoch"], table[column], color=BLUE, marker="o", ms=4, label="fit")
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
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
        ax.axvline(target_deg, color=RED, lw=1.5, ls=":", label=f"theory: {target_deg:.1f}°")
        slope = table["gradient_nm_per_radian"]
        ax.plot(table["angle_deg"], slope, color=ORANGE, marker="o", ms=3, ls="")
        ax.set(xlabel="θ₀, degrees", ylabel="gradient, nm/radian")
        ax.legend()
    return ax


def plot_truncation_bias(
    table: pd.DataFrame, ax: Axes | None = None, *, color: str = BLUE, label: str | None = None
) -> Axes:
    """Draw by how much truncated gradients are too small or too large, against the window.

    Parameters
    ----------
    table : DataFrame
        Of `truncation_bias`.
    color, label : str
    """
    with style():
        ax = ax or new_axes()
        ax.axhline(0, color=BLACK, lw=1)
        bias, error = 100 * table["relative_bias"], 100 * table["standard_error"]
        ax.errorbar(
            table["window_steps"], bias, error, color=color, marker="o", capsize=3, label=label
        )
        ax.set(xscale="log", xlabel="window, steps", ylabel="bias of the gradient, %")
        if label:
            ax.legend()
    return ax


def plot_structure(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw g(r) before and after a fit.

    Parameters
    ----------
    table : DataFrame
        Of `structure_before_and_after`.
    """
    with style():
        ax = ax or new_axes()
        for name, color in (("before", ORANGE), ("after", BLUE)):
            ax.plot(table["r_nm"], table[name], color=color, label=name)
        ax.set(xlabel="r, nm", ylabel="g(r)", ylim=(0, None))
        ax.legend()
    return ax


def plot_triangle(motion: np.ndarray, ax: Axes | None = None) -> Axes:
    """Draw three atoms at the start, and where they end before and after training.

    Parameters
    ----------
    motion : array of shape (2, n_frames, 3, 2), nm
        Of `triangle_before_and_after`.
    """
    with style():
        ax = ax or new_axes()
        shown = (
            (motion[0, 0], BLACK, ":", "start"),
            (motion[0, -1], ORANGE, "--", "end, not trained"),
            (motion[1, -1], BLUE, "-", "end, trained"),
        )
        for corners, color, dashes, label in shown:
            x, y = corners[[0, 1, 2, 0]].T
            ax.plot(x, y, color=color, ls=dashes, marker="o", label=label)
        low, high = motion[..., 1].min(), motion[..., 1].max()
        ax.set(xlabel="x, nm", ylabel="y, nm", aspect="equal")
        ax.set_ylim(low - 0.05 * (high - low), high + 0.45 * (high - low))  # the legend lies above
        ax.legend(loc="upper right")
    return ax


def animate_triangle(motion: np.ndarray, path: Path) -> Path:
    """Write an animation (GIF) of three atoms before and after training.

    Parameters
    ----------
    motion : array of shape (2, n_frames, 3, 2), nm
        Of `triangle_before_and_after`.
    path : Path

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    figures = []
    low, high = motion.min((0, 1, 2)) - 0.15, motion.max((0, 1, 2)) + 0.15
    for moment in np.moveaxis(motion, 1, 0):
        with style():
            figure = Figure(figsize=(7, 3.6), dpi=80)
            axes = figure.subplots(1, 2, sharey=True)
        for ax, corners, color, title in zip(
            axes, moment, (ORANGE, BLUE), ("not trained", "trained"), strict=True
        ):
            x, y = corners[[0, 1, 2, 0]].T
            ax.plot(x, y, color=color, marker="o")
            ax.set(title=title, xlabel="x, nm", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
            ax.set_aspect("equal")
        axes[0].set_ylabel("y, nm")
        figures.append(figure)
    return write_gif(path, figures)


def plot_parting_paths(ax: Axes | None = None) -> Axes:
    """Draw two balls among round disks: a small difference of direction grows with each bounce."""
    from matplotlib.patches import Circle

    radius, height, bounces, degrees = 0.3, np.sqrt(3) / 2, 7, 17.0
    centers = np.array(
        [(i + 0.5 * (j % 2), j * height) for i in range(-9, 20) for j in range(-9, 20)]
    )
    start = np.array([1.0, 2.5 * height])
    paths = []
    with style():
        ax = ax or new_axes()
    for angle, color in ((np.radians(degrees), BLUE), (np.radians(degrees + 0.1), ORANGE)):
        direction = np.array([np.cos(angle), np.sin(angle)])
        path = _bounce(start, direction, centers, radius, bounces)
        ax.plot(*path.T, color=color, lw=1.5)
        paths.append(path)
    low, high = (np.concatenate(paths).min(0) - 0.5, np.concatenate(paths).max(0) + 0.5)
    for center in centers[((centers > low) & (centers < high)).all(1)]:
        ax.add_patch(Circle(tuple(center), radius, facecolor="0.85", edgecolor=BLACK, lw=0.8))
    ax.plot(*start, "o", color=BLACK)
    ax.set(title="Two directions, 0.1° apart", aspect="equal")
    ax.axis("off")
    return ax


def _bounce(
    start: np.ndarray, direction: np.ndarray, centers: np.ndarray, radius: float, bounces: int
) -> np.ndarray:
    """Return the corners of the path of a point that disks reflect."""
    path = [start]
    for _ in range(bounces):
        away = path[-1] - centers
        along = away @ direction
        roots = along**2 - (away**2).sum(1) + radius**2
        times = np.where(roots > 0, -along - np.sqrt(np.maximum(roots, 0)), np.inf)
        times[times < 1e-9] = np.inf
        hit = int(times.argmin())
        if not np.isfinite(times[hit]):
            return np.array([*path, path[-1] + 3 * direction])
        path.append(path[-1] + times[hit] * direction)
        normal = (path[-1] - centers[hit]) / radius
        direction = direction - 2 * (direction @ normal) * normal
    return np.array(path)


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
