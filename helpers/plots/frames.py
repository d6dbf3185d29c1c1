"""Figures of frames and their labels: atoms, histograms, a force as a slope, a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Polygon

from helpers.boundaries import with_boundaries
from helpers.plots.style import (
    BLACK,
    BLUE,
    ELEMENT_COLORS,
    GREEN,
    ORANGE,
    PURPLE,
    new_axes,
    style,
)
from helpers.water import whole_molecules

_OTHER_COLORS = (BLUE, GREEN, ORANGE, PURPLE)


def plot_snapshot(atoms: Atoms, ax: Axes | None = None) -> Axes:
    """Draw the atoms of one frame with their cell, seen along z; positions in Å.

    Atoms have the usual (CPK) colors. A hydrogen is drawn at the image that is nearest to its
    oxygen, so that molecules of water are whole; some then reach out of the cell.
    """
    from ase.data import covalent_radii
    from ase.data.colors import jmol_colors

    with style():
        ax = ax or new_axes()
        atoms = with_boundaries(atoms)
        positions, bonded = whole_molecules(atoms)
        for oxygen, hydrogen in bonded:
            x, y, z = positions[[oxygen, hydrogen]].T
            ax.plot(x, y, color="dimgray", lw=5, zorder=float(z.min()), solid_capstyle="round")
        for number, (x, y, z) in zip(atoms.numbers, positions, strict=True):
            circle = Circle((x, y), 0.65 * covalent_radii[number], zorder=z + 0.3)
            circle.set(facecolor=jmol_colors[number], edgecolor=BLACK, linewidth=1)
            ax.add_patch(circle)
        if atoms.pbc.any():  # a molecule has no cell to draw
            corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) @ atoms.cell.array
            behind = float(positions[:, 2].min()) - 1
            ax.add_patch(Polygon(corners[:, :2], fill=False, ls="--", zorder=behind))
        for element in sorted(set(atoms.symbols)):
            color = jmol_colors[atomic_numbers[element]]
            ax.plot([], [], "o", ms=11, color=color, mec=BLACK, label=element)
        ax.set(title=f"{len(atoms)} atoms, seen along z", xlabel="x, Å", ylabel="y, Å")
        ax.set_aspect("equal")
        ax.autoscale_view()
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def plot_strips(sets: Mapping[str, Any], *, title: str, label: str, ax: Axes | None = None) -> Axes:
    """Draw every value of a few groups as a point, with a box over each group.

    The box spans the middle half of the values, its line is the median.

    Parameters
    ----------
    sets : mapping of str to array-like
        Values by the name of the group, drawn from bottom to top.
    title, label : str
        Title of the figure; the quantity with its unit.
    """
    rng = np.random.default_rng(0)
    values = [np.ravel(numbers) for numbers in sets.values()]
    with style():
        ax = ax or new_axes()
        places = np.arange(len(values))
        ax.boxplot(
            values,
            positions=places,
            orientation="horizontal",
            widths=0.6,
            showfliers=False,
            medianprops={"color": BLACK, "lw": 2},
        )
        for place, numbers in zip(places, values, strict=True):
            height = place + rng.uniform(-0.15, 0.15, len(numbers))
            ax.plot(numbers, height, "o", ms=5, alpha=0.6, color=BLUE, mec="none", zorder=3)
        ax.set_yticks(places, [str(name) for name in sets])
        ax.set(title=title, xlabel=label)
    return ax


def plot_distribution(
    sets: Mapping[str, Any], *, title: str, label: str, n_bins: int = 40, ax: Axes | None = None
) -> Axes:
    """Draw histograms of one quantity, one line for each set.

    Parameters
    ----------
    sets : mapping of str to array-like
        Values by the name of the set. A set named after an element gets its color.
    title, label : str
        Title of the figure; the quantity with its unit.
    """
    with style():
        ax = ax or new_axes()
        values = {name: np.ravel(numbers) for name, numbers in sets.items()}
        edges = np.histogram_bin_edges(np.concatenate([*values.values()]), n_bins)
        for number, (name, numbers) in enumerate(values.items()):
            color = ELEMENT_COLORS.get(name, _OTHER_COLORS[number % len(_OTHER_COLORS)])
            ax.hist(numbers, edges, density=True, histtype="step", lw=2, color=color, label=name)
        ax.set(title=title, xlabel=label, ylabel="density")
        ax.legend()
    return ax


def plot_curve_and_slope(
    x: Any, energy_eV: Any, at: tuple[float, float], slope: float, ax: Axes | None = None
) -> Axes:
    """Draw the energy along a distance, and a tangent.

    Parameters
    ----------
    x, energy_eV : array-like of shape (n,)
        Distances (Å) and energies (eV).
    at : tuple of float
        Distance (Å) and energy (eV) where the tangent touches.
    slope : float
        Slope of the tangent, eV/Å.
    """
    with style():
        ax = ax or new_axes()
        ax.plot(x, 1000 * np.asarray(energy_eV), color=BLUE, label="energy")
        near = at[0] + np.array([-0.35, 0.35])
        line = 1000 * (at[1] + slope * (near - at[0]))
        ax.plot(near, line, color=ORANGE, label=f"slope {1000 * slope:.1f} meV/Å")
        ax.plot(at[0], 1000 * at[1], "o", color=BLACK)
        ax.set(
            title="Force: the negative slope of the energy",
            xlabel="distance, Å",
            ylabel="energy, meV",
        )
        ax.legend()
    return ax


def plot_tensor(matrix: Any, *, title: str, unit: str, ax: Axes | None = None) -> Axes:
    """Draw a 3×3 tensor as a table of shaded numbers."""
    matrix = np.asarray(matrix)
    with style():
        ax = ax or new_axes()
        widest = float(np.abs(matrix).max())
        ax.imshow(matrix, cmap="cividis", vmin=-widest, vmax=widest)
        for row, column in np.ndindex(matrix.shape):
            value = matrix[row, column]
            color = BLACK if value > 0.3 * widest else "white"
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, fontsize=16)
        ax.set(title=f"{title}, {unit}", xticks=range(3), yticks=range(3))
        ax.set_xticklabels("xyz")
        ax.set_yticklabels("xyz")
    return ax
