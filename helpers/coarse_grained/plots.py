"""Figures of rigid bodies and of the training of their potential."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from helpers.coarse_grained.bodies import Body, RigidTrajectory
from helpers.coarse_grained.held_out import PairErrors
from helpers.coarse_grained.trainer import Trainer
from helpers.errors import DataError
from helpers.files import write_atomic
from helpers.jax_setup import double_precision
from helpers.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    RED,
    SKY,
    as_png,
    new_axes,
    style,
    write_gif,
)


def plot_loss(history: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Training and validation loss against the epoch.

    Parameters
    ----------
    history : DataFrame
        Of `trainer.Training`.
    """
    with style():
        ax = ax or new_axes()
        ax.semilogy(history["epoch"], history["train_loss"], color=BLUE, lw=1.5, label="training")
        checked = history.dropna(subset=["validation_loss"])
        ax.semilogy(
            checked["epoch"],
            checked["validation_loss"],
            color=ORANGE,
            marker="o",
            label="validation",
        )
        ax.set(title="Loss", xlabel="epoch", ylabel="mean deviation, LJ units")
        ax.legend(loc="upper right", fontsize=11)
    return ax


def plot_separation(
    times: np.ndarray, true: np.ndarray, predicted: np.ndarray, ax: Axes | None = None
) -> Axes:
    """Distance of the centers along a window: beads against the learned potential.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
    true, predicted : ndarray of shape (n_times, 2, 7)
        Poses.
    """
    with style():
        ax = ax or new_axes()
        for poses, color, name, line in (
            (true, BLACK, "beads", "-"),
            (predicted, ORANGE, "learned", "--"),
        ):
            distances = np.linalg.norm(poses[:, 1, :3] - poses[:, 0, :3], axis=-1)
            ax.plot(times, distances, color=color, ls=line, label=name)
        ax.set(title="Distance of the centers", xlabel="time, τ", ylabel="distance, σ")
        ax.legend(loc="best", fontsize=11)
    return ax


class LiveLoss:
    """Draws the loss while a training runs: into a file, and into a notebook's cell.

    Parameters
    ----------
    path : Path
        A PNG file, which is replaced each time.
    display : object with ``update(figure)``, optional
        Such as ``IPython.display.display(…, display_id=True)``.
    """

    def __init__(self, path: Path, display: Any = None) -> None:
        self.path, self.display = Path(path), display

    def __call__(self, trainer: Trainer) -> None:
        """Draw what the training has found so far."""
        with style():
            figure = Figure(figsize=(11, 4.4), layout="constrained")
            left, right = figure.subplots(1, 2)
        plot_loss(pd.DataFrame(trainer.history), left)
        runs = trainer.dataset.splits["validation"]
        length = min(trainer.config.eval_batch_length, len(runs.times))
        predicted, _ = trainer.predict("validation", 0, 0, length)
        plot_separation(runs.times[:length], runs.poses[0, :length], predicted, right)
        write_atomic(self.path, as_png(figure))
        if self.display is not None:
            self.display.update(figure)


# ---------------------------------------------------------------------------------------------
# Bodies


def plot_beads(poses: np.ndarray, body: Body, ax: Axes | None = None, *, size: float = 0.5) -> Axes:
    """Draw the beads of bodies, seen along z; what is nearer to the eye covers what is behind.

    Parameters
    ----------
    poses : ndarray of shape (n_bodies, 7)
    body : Body
    size : float
        Radius of a bead in the drawing.
    """
    with style():
        ax = ax or new_axes()
    with double_precision():
        beads = np.asarray(body.place(np.asarray(poses, float)))
    depths = beads[..., 2]
    order = np.dstack(np.unravel_index(np.argsort(depths, axis=None), depths.shape))[0]
    for which, bead in order:
        color = (BLUE, ORANGE)[which % 2]
        place = beads[which, bead]
        ax.add_patch(Circle(tuple(place[:2]), size, facecolor=color, edgecolor=BLACK, lw=0.8))
    ax.set_aspect("equal")
    ax.autoscale_view()
    return ax


def plot_outlines(poses: np.ndarray, body: Body, ax: Axes | None = None) -> Axes:
    """Draw bodies as their outlines, seen along z, each with its third axis, a line to a dot.

    Parameters
    ----------
    poses : ndarray of shape (n_bodies, 7)
    body : Body
    """
    from scipy.spatial import ConvexHull

    with style():
        ax = ax or new_axes()
    with double_precision():
        places = np.asarray(body.place(np.asarray(poses, float)))
        axes = np.asarray(_thirds(np.asarray(poses, float)))
    for k in np.argsort(places[..., 2].mean(1)):
        color, flat = (BLUE, ORANGE)[k % 2], places[k, :, :2]
        try:
            flat = flat[ConvexHull(flat).vertices]
        except Exception:  # seen edge-on: a line, of which Qhull makes no area
            flat = flat[[flat.sum(1).argmin(), flat.sum(1).argmax()]]
        ax.add_patch(Polygon(flat, closed=True, facecolor=color, edgecolor=BLACK, alpha=0.7))
        shaft = np.stack([poses[k, :2], poses[k, :2] + axes[k, :2]])
        ax.plot(*shaft.T, color=BLACK, marker="o", markevery=[1], ms=5)
    ax.set_aspect("equal")
    ax.autoscale_view()
    return ax


def _thirds(poses: np.ndarray) -> Any:
    from helpers.coarse_grained.quaternions import rotate

    return rotate(poses[:, 3:], np.broadcast_to([0.0, 0.0, 1.0], (len(poses), 3)))


def animate_bodies(run: RigidTrajectory, body: Body, path: Path, *, frames: int = 40) -> Path:
    """Write an animation (GIF): the beads, and beside them the bodies that stand for them.

    Parameters
    ----------
    run : RigidTrajectory
        poses (n_times, n_bodies, 7).
    body : Body
    path : Path
    frames : int
        Pictures, spread over the run.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    chosen = np.unique(np.linspace(0, len(run.poses) - 1, frames).astype(int))
    reach = body.radius + 0.6
    low, high = run.poses[..., :2].min((0, 1)) - reach, run.poses[..., :2].max((0, 1)) + reach
    figures = []
    for k in chosen:
        with style():
            figure = Figure(figsize=(7, 3.6), dpi=80, layout="constrained")
            left, right = figure.subplots(1, 2, sharey=True)
        plot_beads(run.poses[k], body, left)
        plot_outlines(run.poses[k], body, right)
        for ax, title in ((left, "beads"), (right, "bodies")):
            ax.set(title=title, xlabel="x, σ", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        left.set_ylabel("y, σ")
        figures.append(figure)
    return write_gif(path, figures)


# ---------------------------------------------------------------------------------------------
# A learned potential


def plot_energies(errors: PairErrors, ax: Axes | None = None) -> Axes:
    """Learned energies of pairs against the sums over beads."""
    with style():
        ax = ax or new_axes()
        top = errors.energy_range
        ax.plot(errors.true, errors.learned, ".", color=BLUE, ms=5, alpha=0.5, rasterized=True)
        ax.plot([0, top], [0, top], color=BLACK, lw=1)
        ax.set(xlabel="sum over beads, ε", ylabel="learned, ε", title="Energy of a pair")
        ax.set(xlim=(-0.05 * top, 1.1 * top), ylim=(-0.2 * top, 1.2 * top))
    return ax


def plot_scans(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Energy against the distance of the centers for arrangements that do not turn.

    Parameters
    ----------
    table : DataFrame
        arrangement, distance, beads, learned (see `held_out.scan_arrangements`).
    """
    with style():
        ax = ax or new_axes()
        colors = (BLUE, ORANGE, GREEN, RED, SKY)
        for color, (name, rows) in zip(
            colors, table.groupby("arrangement", sort=False), strict=False
        ):
            ax.plot(rows["distance"], rows["beads"], color=color, label=str(name))
            ax.plot(rows["distance"], rows["learned"], color=color, ls="--")
        ax.set(title="Lines: beads; dashes: learned", xlabel="distance of the centers, σ")
        ax.set(ylabel="energy, ε", ylim=(-1, 6))
        ax.legend(fontsize=11)
    return ax


def plot_window_errors(
    tables: Mapping[str, pd.DataFrame], column: str = "separation", ax: Axes | None = None
) -> Axes:
    """How far predictions part from held-out trajectories, with time.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Name → what `window_errors` returned.
    column : str
        ``"separation"``, ``"orientation"``, ``"velocity"`` or ``"omega"``.

    Raises
    ------
    DataError
        If there is no such column.
    """
    units = {
        "separation": "separation, σ",
        "orientation": "orientation, radians",
        "velocity": "relative velocity, σ/τ",
        "omega": "angular velocity, 1/τ",
    }
    if column not in units:
        raise DataError(f"There is no column {column!r}", expected="one of " + ", ".join(units))
    with style():
        ax = ax or new_axes()
        for color, (name, table) in zip((BLUE, ORANGE, GREEN, RED), tables.items(), strict=False):
            ax.plot(table["time"], table[column], color=color, label=name)
        ax.set(xlabel="time, τ", ylabel=f"mean deviation of the {units[column]}", ylim=(0, None))
        ax.legend()
    return ax


def plot_structures(
    tables: Mapping[str, pd.DataFrame], column: str = "g", ax: Axes | None = None
) -> Axes:
    """Structure of boxes of bodies: g(r) of the centers, or the correlation of orientations.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Name → what `structure` returned.
    column : str
        ``"g"`` or ``"orientation"``.
    """
    labels = {"g": "g(r)", "orientation": "⟨P₂(n·n′)⟩"}
    with style():
        ax = ax or new_axes()
        ax.axhline(1.0 if column == "g" else 0.0, color=BLACK, lw=0.8)
        lines = zip((BLACK, BLUE, ORANGE, GREEN), ("-", "--", "-.", ":"), strict=True)
        for (color, dashes), (name, table) in zip(lines, tables.items(), strict=False):
            ax.plot(table["r"], table[column], color=color, ls=dashes, label=name)
        ax.set(xlabel="distance of the centers, σ", ylabel=labels[column])
        ax.legend()
    return ax


WAYS = {
    "forces": ("forces recorded", BLUE, "o"),
    "differences": ("forces from differences", SKY, "s"),
    "motion": ("motion (neural ODE)", ORANGE, "^"),
    "places": ("places alone (relative entropy)", GREEN, "D"),
}
SERIES = {  # what is varied → title, label, its value where something else is varied
    "runs": ("Fewer data", "runs of 5 τ", 16),
    "interval": ("Frames further apart", "time between frames, τ", 0.02),
    "noise": ("Noise", "noise of the records, relative", 0.0),
}


def plot_learning(
    table: pd.DataFrame, series: str, ax: Axes | None = None, *, column: str = "force_error"
) -> Axes:
    """Error against the number of runs, the interval, or the noise, for ways to learn.

    Parameters
    ----------
    table : DataFrame
        ``data/stored/coarse_learning.csv``: runs, interval, noise, way, seed, and errors.
    series : str
        ``"runs"``, ``"interval"`` or ``"noise"``; the other two are 16, 0.02 τ, 0. Bars are
        standard errors over seeds.
    column : str
        ``"force_error"``, ``"torque_error"`` or ``"energy_error"``.
    """
    title, label, _ = SERIES[series]
    others = [name for name in SERIES if name != series]
    part = table[np.all([np.isclose(table[name], SERIES[name][2]) for name in others], axis=0)]
    with style():
        ax = ax or new_axes()
        for way, (name, color, marker) in WAYS.items():
            groups = part[part["way"] == way].groupby(series)[column]
            ax.errorbar(
                groups.mean().index,
                groups.mean(),
                groups.sem(),
                color=color,
                marker=marker,
                capsize=3,
                label=name,
            )
        if series == "noise":
            ax.set_xscale("symlog", linthresh=part[series][part[series] > 0].min())
        else:
            ax.set_xscale("log")
        values = sorted(part[series].unique())
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.set_xticks([], minor=True)
        ax.set_yscale("log")
        ax.axhline(1, color=BLACK, lw=0.8, ls=":")
        ax.set(title=title, xlabel=label, ylabel=column.replace("_", " ") + ", relative")
        ax.set_ylim(0.03, 150)  # room for the legend
        ax.legend(fontsize=9, loc="upper right")
    return ax


def plot_committee(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Error of the forces against the spread of a committee, for committees of several data sizes.

    Parameters
    ----------
    table : DataFrame
        ``data/stored/coarse_committee.csv``: runs, spread, error.
    """
    with style():
        ax = ax or new_axes()
        for (n_runs, part), color in zip(
            table.groupby("runs"), (RED, ORANGE, BLUE, GREEN), strict=False
        ):
            label = f"{n_runs} runs" if n_runs != 1 else "1 run"
            ax.loglog(part["spread"], part["error"], color=color, marker="o", label=label)
        ends = [table[["spread", "error"]].min().min(), table[["spread", "error"]].max().max()]
        ax.plot(ends, ends, color=BLACK, lw=0.8, ls=":", label="error = spread")
        ax.set(title="Committee", xlabel="spread of the members, ε/σ", ylabel="error, ε/σ")
        ax.legend(fontsize=9)
    return ax
