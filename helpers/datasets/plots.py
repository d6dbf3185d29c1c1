"""Figures of a look at frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from helpers.plots.style import BLUE, ORANGE, new_axes, style


def plot_energies(per_frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw what the elements alone do not explain of each frame's energy, in order of the frames.

    Parameters
    ----------
    per_frame : DataFrame
        Of `Look`.
    """
    with style():
        ax = ax or new_axes()
        energies = 1000 * per_frame["unexplained_eV_per_atom"]
        ax.plot(np.arange(1, len(energies) + 1), energies, ".", color=BLUE)
        ax.set(title="Energies", xlabel="frame", ylabel="energy less its elements', meV/atom")
    return ax


def plot_forces(per_frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the mean and the largest force of each frame, in order of the frames."""
    with style():
        ax = ax or new_axes()
        numbers = np.arange(1, len(per_frame) + 1)
        for column, color, label in (
            ("largest_force_eV_per_A", ORANGE, "largest force"),
            ("mean_force_eV_per_A", BLUE, "mean component"),
        ):
            ax.plot(numbers, per_frame[column], ".", color=color, label=label)
        ax.set(title="Forces", xlabel="frame", ylabel="force, eV/Å", yscale="log")
        ax.legend()
    return ax


def plot_nearest(per_frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the shortest distance of each frame, relative to the length of a bond."""
    with style():
        ax = ax or new_axes()
        ax.hist(per_frame["closest_ratio"].dropna(), 30, color=BLUE)
        ax.axvline(1.0, color=ORANGE, label="sum of covalent radii")
        ax.set(
            title="Closest atoms",
            xlabel="shortest distance / sum of covalent radii",
            ylabel="number of frames",
        )
        ax.legend(loc="upper left")
    return ax
