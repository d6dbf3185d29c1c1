"""Figures of molecular dynamics: energies, structure, motion, the hole, and the cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from helpers.md.phase import ICE_ORDER, LIQUID_ORDER
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
from helpers.water import WATER_BANDS_PER_CM

DFT_STYLE = {"color": BLACK, "ls": "--", "lw": 1.5}
# How a g(r) with one of these names is drawn.
REFERENCES = {
    "DFT frames": DFT_STYLE,
    "labeled frames": DFT_STYLE,
    "experiment": {"color": BLACK, "ls": "", "marker": "o", "ms": 5},
}


LINES = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY)


def plot_energies(log: pd.DataFrame, n_atoms: int, ax: Axes | None = None) -> Axes:
    """Total and potential energy against time, meV per atom from the start.

    Parameters
    ----------
    log : DataFrame
        Of `Trajectory.log`.
    n_atoms : int
    """
    with style():
        ax = ax or new_axes()
        time_ps = log["time_fs"] / 1000
        for column, label, color in (
            ("potential_eV", "potential", SKY),
            ("total_eV", "total", BLACK),
        ):
            values = 1000 * (log[column] - log[column].iloc[0]) / n_atoms
            ax.plot(time_ps, values, color=color, lw=1.5, label=label)
        ax.set(title="Energies", xlabel="time, ps", ylabel="change, meV/atom")
        ax.legend(loc="best", fontsize=11)
    return ax


def plot_temperature(
    log: pd.DataFrame, ax: Axes | None = None, *, target_K: float | None = None
) -> Axes:
    """Temperature against time, with its running mean, and that of the bath if there is one."""
    with style():
        ax = ax or new_axes()
        time_ps, kelvin = log["time_fs"] / 1000, log["temperature_K"]
        mean = kelvin.cumsum() / np.arange(1, len(kelvin) + 1)
        ax.plot(time_ps, kelvin, color=SKY, lw=1, label="each record")
        ax.plot(time_ps, mean, color=BLUE, label="mean so far")
        if target_K is not None:
            ax.axhline(target_K, color=BLACK, ls="--", lw=1.5, label="bath")
        ax.set(title="Temperature", xlabel="time, ps", ylabel="temperature, K")
        ax.legend(loc="best", fontsize=11)
    return ax


def plot_radial_distribution(
    tables: Mapping[str, pd.DataFrame],
    pair: str | tuple[str, str] = "OO",
    ax: Axes | None = None,
    *,
    beyond_A: float | None = None,
) -> Axes:
    """g(r) of one pair of elements from several sources.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Of `structure.radial_distributions`; ``"DFT frames"`` or ``"labeled frames"`` are dashed,
        ``"experiment"`` is drawn as points.
    pair : str or (str, str)
        Two elements, such as ``"OO"`` or ``("Cu", "Al")``.
    beyond_A : float, optional
        Where to begin; by default beyond the pairs inside molecules of water, whose peaks are far
        higher.
    """
    with style():
        ax = ax or new_axes()
        column, tallest = "".join(pair), 0.0
        beyond = {"OH": 1.3, "HH": 1.8}.get(column, 2.0) if beyond_A is None else beyond_A
        for color, (name, table) in zip(LINES, tables.items(), strict=False):
            looks: dict = REFERENCES.get(name, {"color": color})
            ax.plot(table["r_A"], table[column], label=name, **looks)
            tallest = max(tallest, float(table[column][table["r_A"] > beyond].max()))
        ax.axhline(1, color=BLACK, lw=0.5)
        first, second = pair[0], pair[1]
        ax.set(
            title=f"{first}–{second} pairs",
            xlabel=f"{first}–{second} distance, Å",
            ylabel=f"g({first}{second}), 1 = as in a gas",
            xlim=(beyond, max(float(table["r_A"].max()) for table in tables.values())),
            ylim=(0, 1.4 * tallest),
        )
        ax.legend(loc="upper right", fontsize=12)
    return ax


def plot_vibrations(
    spectrum: pd.DataFrame,
    ax: Axes | None = None,
    *,
    bands_per_cm: Mapping[str, tuple[float, float]] = WATER_BANDS_PER_CM,
) -> Axes:
    """Vibrational density of states of the elements, against the wavenumber; bands are shaded."""
    with style():
        ax = ax or new_axes()
        for element in [name for name in spectrum if name not in ("wavenumber_per_cm", "all")]:
            color = ELEMENT_COLORS.get(str(element), PURPLE)
            ax.plot(
                spectrum["wavenumber_per_cm"], 1000 * spectrum[element], color=color, label=element
            )
        for name, (low, high) in bands_per_cm.items():
            ax.axvspan(low, high, color=BLACK, alpha=0.05, lw=0)
            ax.text((low + high) / 2, 0.97, name, ha="center", va="top", **_inside(ax))
        ax.set(
            title="Vibrations",
            xlabel="wavenumber, cm⁻¹",
            ylabel="density of states, 10⁻³ cm",
            xlim=(0, 4500),
        )
        ax.set_ylim(0, None)
        ax.legend(loc="upper left", fontsize=11, bbox_to_anchor=(0.08, 1))
    return ax


def plot_velocity_autocorrelation(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """How long atoms remember their velocity, by element."""
    with style():
        ax = ax or new_axes()
        for element in [name for name in table if name != "lag_fs"]:
            color = ELEMENT_COLORS.get(str(element), PURPLE)
            ax.plot(table["lag_fs"], table[element], color=color, lw=1.5, label=element)
        ax.axhline(0, color=BLACK, lw=0.5)
        ax.set(
            title="Memory of the velocity",
            xlabel="time apart, fs",
            ylabel="autocorrelation, 1 at the start",
            xlim=(0, min(300, float(table["lag_fs"].iloc[-1]))),
        )
        ax.legend(loc="upper right", fontsize=11)
    return ax


def plot_displacement(
    tables: pd.DataFrame | Mapping[str, pd.DataFrame], ax: Axes | None = None, *, element: str = "O"
) -> Axes:
    """Mean square displacement of an element against time, of one run or of several by name.

    Parameters
    ----------
    tables : DataFrame or mapping of str to DataFrame
        Of `diffusion.mean_square_displacement`.
    element : str
    """
    with style():
        ax = ax or new_axes()
        if isinstance(tables, pd.DataFrame):
            ax.plot(tables["lag_fs"] / 1000, tables["msd_A2"], color=RED)
        else:
            for color, (name, table) in zip(LINES, tables.items(), strict=False):
                ax.plot(table["lag_fs"] / 1000, table["msd_A2"], color=color, label=name)
            ax.legend(loc="upper left", fontsize=12)
        ax.set(title=f"How far {element} atoms get", xlabel="time apart, ps", ylabel="⟨|Δr|²⟩, Å²")
        ax.set_xlim(0, None)
        ax.set_ylim(0, None)
    return ax


def plot_order(tables: Mapping[str, pd.DataFrame], ax: Axes | None = None) -> Axes:
    """Tetrahedral order against time, with the ranges of liquid water and of ice shaded.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Of `phase.order_along`, by name.
    """
    with style():
        ax = ax or new_axes()
        for (low, high), name in ((LIQUID_ORDER, "liquid"), ((ICE_ORDER, 1.0), "ice")):
            ax.axhspan(low, high, color=BLACK, alpha=0.08, lw=0)
            ax.text(0.98, low + 0.01, name, ha="right", transform=ax.get_yaxis_transform())
        for color, (name, table) in zip(LINES, tables.items(), strict=False):
            ax.plot(table["time_fs"] / 1000, table["order"], color=color, label=name)
        ax.set(title="Tetrahedral order", xlabel="time, ps", ylabel="q, 1 = tetrahedron")
        ax.set(ylim=(0.4, 1.0))
        ax.set_xlim(0, None)
        ax.legend(loc="lower right", fontsize=12)
    return ax


def plot_closest(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Shortest distance of two atoms against time, of `structure.closest_distances`."""
    with style():
        ax = ax or new_axes()
        ax.plot(table["time_fs"] / 1000, table["closest_A"], color=GREEN, lw=1.5)
        ax.set(title="Closest pair of atoms", xlabel="time, ps", ylabel="distance, Å")
        ax.set_ylim(0, None)
    return ax


def plot_uncertainty(
    table: pd.DataFrame, ax: Axes | None = None, *, training_meV: float | None = None
) -> Axes:
    """Show the standard deviation of atomic energies that a GAP expects, along a run.

    Parameters
    ----------
    table : DataFrame
        Of `quality.uncertainty_along`.
    training_meV : float, optional
        The largest one of frames that it can be compared with.
    """
    with style():
        ax = ax or new_axes()
        ax.plot(table["time_fs"] / 1000, table["largest_meV"], color=RED, label="largest atom")
        ax.plot(table["time_fs"] / 1000, table["mean_meV"], color=BLUE, label="mean of the atoms")
        if training_meV is not None:
            ax.axhline(training_meV, color=BLACK, ls="--", lw=1.5, label="largest, DFT frames")
        ax.set(
            title="How sure the potential is of itself",
            xlabel="time, ps",
            ylabel="σ of an atomic energy, meV",
        )
        ax.set_ylim(0, 1.3 * ax.get_ylim()[1])
        ax.legend(loc="upper right", fontsize=11)
    return ax


def plot_close_contact(
    tables: Mapping[str, pd.DataFrame], ax: Axes | None = None, *, closest_A: float | None = None
) -> Axes:
    """Energy while two O atoms are pushed together: where it turns over is the hole.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Of `short_range.scan_close_contact`, by name.
    closest_A : float, optional
        Shortest O–O distance of the training frames; what is shorter is shaded.
    """
    with style():
        ax = ax or new_axes()
        for color, (name, table) in zip(LINES, tables.items(), strict=False):
            ax.plot(table["distance_A"], table["energy_eV"], color=color, label=name)
        if closest_A is not None:
            ax.axvspan(ax.get_xlim()[0], closest_A, color=BLACK, alpha=0.07, lw=0)
            ax.text(closest_A - 0.03, 0.03, "no data", ha="right", **_inside(ax))
        ax.axhline(0, color=BLACK, lw=0.5)
        ax.margins(x=0)
        ax.set(
            title="Two O atoms pushed together",
            xlabel="O–O distance, Å",
            ylabel="energy, eV (0 at the largest distance)",
            ylim=(-4, 12),
        )
        ax.legend(loc="upper right", fontsize=11)
    return ax


def plot_cost(curves: pd.DataFrame, break_even_steps: float, ax: Axes | None = None) -> Axes:
    """Time for a number of steps: DFT, and the potential with its data and training."""
    with style():
        ax = ax or new_axes()
        ax.loglog(curves["steps"], curves["DFT_s"] / 3600, color=BLACK, label="DFT")
        ax.loglog(
            curves["steps"],
            curves["GAP_s"] / 3600,
            color=BLUE,
            label="potential, with data and training",
        )
        if np.isfinite(break_even_steps):
            ax.axvline(break_even_steps, color=ORANGE, ls="--", lw=1.5)
            ax.text(
                1.25 * break_even_steps,
                0.03,
                f"break-even after {break_even_steps:.0f} steps",
                color=BLACK,
                **_inside(ax),
            )
        ax.set(title="What it costs", xlabel="steps of dynamics", ylabel="time on one core, h")
        ax.legend(loc="upper left", fontsize=11)
    return ax


def _inside(ax: Axes) -> dict:
    """Return options for text at a height given as a fraction of the axes."""
    return {"transform": ax.get_xaxis_transform(), "fontsize": 11}
