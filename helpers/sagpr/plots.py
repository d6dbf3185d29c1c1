"""Figures of polarizabilities: parity of components, learning curves, ellipsoids on atoms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import covalent_radii
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, ScalarFormatter

from helpers.plots.style import (
    BLACK,
    BLUE,
    ELEMENT_COLORS,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    new_axes,
    style,
)
from helpers.sagpr.tensors import SPHERICAL, as_tensors, component_errors, to_spherical

COMPONENT_COLORS = {"xx": BLUE, "xy": ORANGE, "yx": GREEN, "λ=0": SKY, "λ=2": RED}
COMPONENT_MARKERS = {"xx": "o", "xy": "s", "yx": "x", "λ=0": "^", "λ=2": "D"}
M_COLORS = (BLUE, ORANGE, GREEN, RED, PURPLE)


def plot_tensor_parity(
    tensors: Any,
    predictions: Any,
    lambda_: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Predicted against true spherical components of one λ.

    Parameters
    ----------
    tensors, predictions : array-like of shape (n, 3, 3) or (n, 9), Å³
    lambda_ : 0 or 2
    """
    tensors = as_tensors(tensors)
    predictions = as_tensors(predictions, len(tensors), "predictions")
    true, predicted = to_spherical(tensors)[lambda_], to_spherical(predictions)[lambda_]
    error = component_errors(tensors, predictions).set_index("component").loc[f"λ={lambda_}"]
    with style():
        ax = ax or new_axes()
        for m, name in enumerate(SPHERICAL[lambda_]):
            points = true[:, m], predicted[:, m]
            ax.plot(*points, "o", ms=4, alpha=0.6, color=M_COLORS[m], label=name)
        ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
        ax.plot(ends, ends, color=BLACK, lw=1)
        ax.text(
            0.97,
            0.04,
            f"RMSE {error['rmse']:.3f} Å³\n{error['percent']:.1f} % of the spread",
            transform=ax.transAxes,
            ha="right",
            fontsize=11,
        )
        ax.set(
            title=f"Polarizability, λ = {lambda_}",
            xlabel="DFT, Å³",
            ylabel="predicted, Å³",
            aspect="equal",
        )
        ax.legend(loc="upper left", fontsize=11)
    return ax


def plot_component_curves(
    table: pd.DataFrame,
    components: Sequence[str] = ("xx", "xy", "yx"),
    ax: Axes | None = None,
) -> Axes:
    """Error against the number of training frames, for some components.

    Parameters
    ----------
    table : DataFrame
        Of `held_out_errors` with several sizes. Points are means over seeds, bars their standard
        deviation.
    components : sequence of str
        Names in the column ``component``.
    """
    with style():
        ax = ax or new_axes()
        for name in components:
            groups = table[table["component"] == name].groupby("n_frames")["rmse"]
            ax.errorbar(
                groups.mean().index,
                groups.mean(),
                yerr=groups.std().fillna(0),
                fmt=COMPONENT_MARKERS.get(name, "o") + "-",
                capsize=4,
                color=COMPONENT_COLORS.get(name, PURPLE),
                label=name,
            )
        ax.set(
            xscale="log",
            yscale="log",
            title="Learning curves of tensor components",
            xlabel="training frames",
            ylabel="RMSE of frames held out, Å³",
        )
        ax.set_xticks(sorted(table["n_frames"].unique()))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(ScalarFormatter())
            axis.set_minor_formatter(NullFormatter())
        ticks = [0.05, 0.1, 0.2, 0.5, 1.0]
        ax.set_yticks([t for t in ticks if ax.get_ylim()[0] <= t <= ax.get_ylim()[1]])
        ax.legend(loc="upper right", fontsize=11)
    return ax


def plot_ellipsoids(
    atoms: Atoms,
    centers: np.ndarray,
    tensors: Any,
    ax: Axes | None = None,
    *,
    size_A: float = 0.9,
) -> Axes:
    """Polarizability ellipsoids on atoms: the longer an axis, the more polarizable along it.

    Parameters
    ----------
    atoms : ase.Atoms
    centers, tensors
        Of `SymmetryAdaptedKernelRidge.predict_centers`.
    ax : Axes, optional
        With ``projection="3d"``.
    size_A : float
        Radius of a sphere with the mean polarizability.
    """
    import matplotlib.pyplot as plt

    tensors = as_tensors(tensors, len(centers))
    mean = np.trace(tensors, axis1=1, axis2=2).mean() / 3
    with style():
        ax = ax or plt.figure().add_subplot(projection="3d")
        sphere = _sphere()
        for position, tensor in zip(atoms.positions[centers], tensors, strict=True):
            x, y, z = np.tensordot(size_A * tensor / mean, sphere, 1) + position[:, None, None]
            ax.plot_surface(x, y, z, color=SKY, alpha=0.35, linewidth=0, shade=True)
        for symbol in sorted(set(atoms.symbols)):
            positions = atoms.positions[atoms.symbols == symbol]
            radius = covalent_radii[atoms.numbers[atoms.symbols == symbol][0]]
            color = ELEMENT_COLORS.get(symbol, PURPLE)
            ax.scatter(*positions.T, s=90 * radius, color=color, label=symbol, depthshade=False)
        ax.set(
            title="Contributions of the centers",
            xlabel="x, Å",
            ylabel="y, Å",
            zlabel="z, Å",
            aspect="equal",
        )
        ax.legend(loc="upper right", fontsize=11)
    return ax


def _sphere() -> np.ndarray:
    """Return points of a sphere of radius 1, shape (3, 16, 24)."""
    polar, azimuth = np.meshgrid(
        np.linspace(0, np.pi, 16), np.linspace(0, 2 * np.pi, 24), indexing="ij"
    )
    x, y = np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)
    return np.array([x, y, np.cos(polar)])
