"""Figures of a potential's errors: parity plots, histograms, force residuals.

Colors come from `helpers.plots.style`: `SET_COLORS` and `ELEMENT_COLORS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from helpers.evaluation import Evaluation
from helpers.plots.style import BLACK, ELEMENT_COLORS, PURPLE, SET_COLORS, new_axes, style


def plot_energy_parity(sets: Mapping[str, Evaluation], ax: Axes | None = None) -> Axes:
    """Draw a parity plot of energies per atom, relative to the mean DFT energy, meV/atom.

    Parameters
    ----------
    sets : mapping of str to Evaluation
        Such as ``{"training": …, "validation": …}``, drawn in this order.
    """
    with style():
        ax = ax or new_axes()
        zero = float(np.mean(next(iter(sets.values())).energies["true"]))
        for name, result in sets.items():
            ax.plot(
                1000 * (result.energies["true"] - zero),
                1000 * (result.energies["predicted"] - zero),
                "o",
                ms=4,
                alpha=0.7,
                color=SET_COLORS.get(name, PURPLE),
                label=f"{name}: RMSE {result.rmse_energy_meV_per_atom:.2f} meV/atom",
            )
        _diagonal(ax)
        ax.set(title="Energies", xlabel="DFT, meV/atom", ylabel="GAP, meV/atom")
        ax.legend(loc="upper left", fontsize=11)
    return ax


def plot_force_parity(result: Evaluation, ax: Axes | None = None, *, title: str = "Forces") -> Axes:
    """Draw a parity plot of force components, eV/Å, in one color per element."""
    with style():
        ax = ax or new_axes()
        # In random order, so that no element covers the other.
        rows = result.forces.sample(frac=1, random_state=0)
        colors = [ELEMENT_COLORS.get(str(element), PURPLE) for element in rows["element"]]
        ax.scatter(rows["true"], rows["predicted"], s=3, c=colors, alpha=0.5, rasterized=True)
        for row in result.summary().query("quantity == 'force' and element != 'all'").itertuples():
            color = ELEMENT_COLORS.get(str(row.element), PURPLE)
            ax.plot([], [], "o", color=color, label=f"{row.element}: RMSE {row.rmse:.0f} meV/Å")
        _diagonal(ax)
        ax.set(title=title, xlabel="DFT, eV/Å", ylabel="GAP, eV/Å")
        ax.legend(loc="upper left", fontsize=11)
    return ax


def plot_error_histogram(
    sets: Mapping[str, Evaluation], quantity: str = "forces", ax: Axes | None = None
) -> Axes:
    """Draw a histogram of errors, GAP − DFT.

    Parameters
    ----------
    sets : mapping of str to Evaluation
        Such as ``{"training": …, "validation": …}``, one line each.
    quantity : str
        ``"energies"`` (meV/atom) or ``"forces"`` (all components, meV/Å).
    """
    unit = {"energies": "meV/atom", "forces": "meV/Å"}[quantity]
    with style():
        ax = ax or new_axes()
        errors = {name: _errors(getattr(result, quantity)) for name, result in sets.items()}
        widest = max(float(np.abs(values).max()) for values in errors.values())
        edges = np.linspace(-widest, widest, 101)
        for name, values in errors.items():
            ax.hist(
                values,
                edges,
                density=True,
                histtype="step",
                lw=2,
                color=SET_COLORS.get(name, PURPLE),
                label=name,
            )
        ax.set(
            title=f"Distribution of the errors of {quantity}",
            xlabel=f"GAP − DFT, {unit}",
            ylabel=f"density, 1/({unit})",
        )
        ax.legend(loc="upper right", fontsize=11)
    return ax


def plot_force_residuals(result: Evaluation, ax: Axes | None = None) -> Axes:
    """Draw the error of each force vector (meV/Å) against the magnitude of the DFT force (eV/Å)."""
    true = result.forces["true"].to_numpy().reshape(-1, 3)
    error = 1000 * np.linalg.norm(
        result.forces["predicted"].to_numpy().reshape(-1, 3) - true, axis=1
    )
    magnitude, elements = np.linalg.norm(true, axis=1), result.forces["element"].to_numpy()[::3]
    with style():
        ax = ax or new_axes()
        for element in sorted(set(elements)):
            mask = elements == element
            color = ELEMENT_COLORS.get(element, PURPLE)
            ax.plot(
                magnitude[mask], error[mask], ".", ms=3, alpha=0.3, color=color, rasterized=True
            )
            ax.plot(*_running_median(magnitude[mask], error[mask]), color="white", lw=5)
            ax.plot(
                *_running_median(magnitude[mask], error[mask]),
                color=color,
                label=f"{element}, median",
            )
        ax.set_ylim(bottom=0)
        ax.set(
            title="Force error against force magnitude",
            xlabel="|DFT force|, eV/Å",
            ylabel="|GAP − DFT|, meV/Å",
        )
        ax.legend(loc="upper left", fontsize=11)
    return ax


def _errors(table: pd.DataFrame) -> np.ndarray:
    return 1000 * (table["predicted"] - table["true"]).to_numpy()


def _running_median(x: np.ndarray, y: np.ndarray, n_bins: int = 12) -> tuple[Any, Any]:
    """Return medians of `y` in bins of `x` that hold equally many points."""
    order = np.array_split(np.argsort(x), min(n_bins, len(x)))
    return [np.median(x[part]) for part in order], [np.median(y[part]) for part in order]


def _diagonal(ax: Axes) -> None:
    """Draw the line of perfect agreement and give both axes the same range."""
    low = min(ax.get_xlim()[0], ax.get_ylim()[0])
    high = max(ax.get_xlim()[1], ax.get_ylim()[1])
    ax.plot([low, high], [low, high], color=BLACK, lw=1, zorder=0)
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
