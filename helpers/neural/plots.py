"""Figures of neural potentials and their training."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.files import write_atomic
from helpers.plots.style import SET_COLORS, as_png, new_axes, style


def plot_training(history: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Training and validation loss against the epoch.

    Parameters
    ----------
    history : DataFrame
        Of `pretraining.PretrainResult`.
    """
    with style():
        ax = ax or new_axes()
        for name in SET_COLORS:
            loss = history["train_loss" if name == "training" else "validation_loss"]
            ax.semilogy(history["epoch"], loss, color=SET_COLORS[name], label=name)
        ax.set(title="Loss", xlabel="epoch", ylabel="weighted squared error")
        ax.legend(loc="upper right", fontsize=11)
    return ax


def write_training_curve(path: Path, history: pd.DataFrame) -> Path:
    """Write `plot_training` as a PNG."""
    figure = Figure()
    plot_training(history, figure.add_subplot())
    return write_atomic(path, as_png(figure))
