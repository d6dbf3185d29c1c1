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
        ax.axline((ends[0], ends[0]), slope=1, color=BLACK, lw=1, zorder=0)
        margin = 0.04 * (ends[1] - ends[0])
        limits = (ends[0] - margin, ends[1] + margin)
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
            xlim=limits,
            ylim=limits,
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
        ticks = [0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0]
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


def plot_turning_tensor(
    atoms: Atoms,
    tensor: Any,
    angles_deg: Sequence[float] = (0, 30, 60),
    *,
    exaggeration: float = 1.0,
) -> list[Axes]:
    """Draw a planar molecule at several angles, with the ellipse of its polarizability.

    A horizontal field induces a dipole, which points along the field only where the field points
    along an axis of the ellipse.

    Parameters
    ----------
    atoms : ase.Atoms
        Of the molecule, in the y–z plane.
    tensor : array-like of shape (3, 3), Å³
    angles_deg : sequence of float
        By which the molecule is turned, one panel for each.
    exaggeration : float
        Factor by which the tensor's deviation from its mean is drawn larger than it is; the
        numbers are those of the tensor itself.

    Returns
    -------
    list of Axes
    """
    import matplotlib.pyplot as plt

    plane = as_tensors([tensor])[0][1:, 1:]
    mean = np.trace(plane) / 2
    drawn = np.eye(2) + exaggeration * (plane - mean * np.eye(2)) / mean
    around = np.linspace(0, 2 * np.pi, 200)
    circle = np.array([np.cos(around), np.sin(around)])
    with style():
        figure, panels = plt.subplots(1, len(angles_deg), figsize=(3.6 * len(angles_deg), 4.2))
        for ax, degrees in zip(np.atleast_1d(panels), angles_deg, strict=True):
            cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
            rotation = np.array([[cos, -sin], [sin, cos]])
            turned = rotation @ plane @ rotation.T
            ellipse = rotation @ drawn @ rotation.T
            ax.fill(*(1.3 * ellipse @ circle), color=SKY, alpha=0.35, lw=0)
            oxygen = atoms.positions[atoms.numbers.argmax()]
            for symbol, position in zip(atoms.symbols, atoms.positions - oxygen, strict=True):
                place = rotation @ position[1:]
                ax.plot([0, place[0]], [0, place[1]], color=BLACK, lw=3, zorder=1)
                size = 26 if symbol == "O" else 16
                ax.plot(*place, "o", ms=size, color=ELEMENT_COLORS.get(symbol, PURPLE), mec=BLACK)
            dipole = 1.9 * ellipse[:, 0]
            for end, color, name in (((1.9, 0), BLACK, "field E"), (dipole, PURPLE, "dipole μ")):
                ax.annotate(
                    "",
                    end,
                    (0, 0),
                    arrowprops={"arrowstyle": "-|>", "color": color, "lw": 3},
                    zorder=3,
                )
                ax.plot([], [], color=color, label=name)
            ax.set_title(f"turned by {degrees:g}°\nxx {turned[0, 0]:.3f}, xy {turned[0, 1]:.3f} Å³")
            ax.set(xlim=(-2.0, 2.6), ylim=(-2.1, 2.1), aspect="equal")
            ax.axis("off")
        figure.legend(*ax.get_legend_handles_labels(), loc="lower center", ncols=2)
    return list(np.atleast_1d(panels))


def _sphere() -> np.ndarray:
    """Return points of a sphere of radius 1, shape (3, 16, 24)."""
    polar, azimuth = np.meshgrid(
        np.linspace(0, np.pi, 16), np.linspace(0, 2 * np.pi, 24), indexing="ij"
    )
    x, y = np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)
    return np.array([x, y, np.cos(polar)])
