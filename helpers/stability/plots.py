"""Figures of stability: what a criterion watches, and how long replicas last."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from helpers.plots.style import BLACK, BLUE, ORANGE, new_axes, style
from helpers.stability.criteria import Criterion
from helpers.stability.simulator import Window
from helpers.stability.survival import survival_curve


def plot_criterion(
    criterion: Criterion, window: Window, timestep_fs: float, ax: Axes | None = None
) -> Axes:
    """Draw what a criterion watches in a window, one line for each replica, and its limit.

    Parameters
    ----------
    criterion : Criterion
    window : Window
        Replicas that are stable to its end are blue, the others orange.
    timestep_fs : float
    """
    values = criterion(window.records)
    times_fs = window.records.steps * timestep_fs
    with style():
        ax = ax or new_axes()
        for replica, stable in enumerate(window.stable[-1]):
            ax.plot(times_fs, values[:, replica], color=BLUE if stable else ORANGE, lw=1)
        ax.axhline(criterion.limit, color=BLACK, ls="--", lw=1)
        name, _, unit = criterion.name.rpartition("_")
        label = f"{name.replace('_', ' ')}, {unit.replace('A', 'Å')}" if name else unit
        ax.set(title=f"{len(window.failures)} unstable", xlabel="time, fs", ylabel=label)
    return ax


def plot_survival(survival: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the share of replicas that are still stable (Kaplan, Meier 1958).

    Replicas that were stable to their end leave the sample without a step (ticks).

    Parameters
    ----------
    survival : DataFrame
        Of `simulator.Simulator.survival`.
    """
    times_fs, shares = survival_curve(survival)
    with style():
        ax = ax or new_axes()
        ax.step(times_fs, shares, where="post", color=BLUE)
        censored = survival.loc[~survival["failed"], "time_fs"].to_numpy()
        at_end = shares[np.searchsorted(times_fs, censored, side="right") - 1]
        ax.plot(censored, at_end, "|", color=BLACK, ms=10)
        ax.set(title="Survival", xlabel="time, fs", ylabel="share still stable", ylim=(0, 1.05))
    return ax
