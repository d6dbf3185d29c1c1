"""Figures of rigid bodies and of the training of their potential."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.coarse_grained.trainer import Trainer
from helpers.files import write_atomic
from helpers.plots.style import BLACK, BLUE, ORANGE, as_png, new_axes, style


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
