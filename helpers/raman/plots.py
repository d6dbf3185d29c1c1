"""Figures of Raman spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from helpers.plots.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, new_axes, style

PART_COLORS = {
    "VV": BLUE,
    "VH": ORANGE,
    "isotropic": BLUE,
    "anisotropic": ORANGE,
    "unpolarized": GREEN,
}


def plot_raman(
    spectrum: pd.DataFrame,
    parts: Sequence[str] = ("VV", "VH"),
    ax: Axes | None = None,
    *,
    literature_per_cm: Mapping[str, float] | None = None,
    title: str = "Raman spectrum of water",
) -> Axes:
    """Raman intensities against the wavenumber, with their standard errors as bands.

    Parameters
    ----------
    spectrum : DataFrame
        Of `raman_spectrum`.
    parts : sequence of str
        Columns to show.
    literature_per_cm : mapping of str to float, optional
        Measured positions of bands, by name, to mark.
    title : str
    """
    with style():
        ax = ax or new_axes()
        wavenumbers = spectrum["wavenumber_per_cm"]
        shown = wavenumbers <= 4200
        for name in parts:
            x, color = wavenumbers[shown], PART_COLORS.get(name, PURPLE)
            values, errors = 1000 * spectrum[name][shown], 1000 * spectrum[f"{name}_error"][shown]
            ax.plot(x, values, color=color, lw=1.5, label=name)
            ax.fill_between(x, values - errors, values + errors, color=color, alpha=0.25, lw=0)
        for name, position in (literature_per_cm or {}).items():
            ax.axvline(position, color=BLACK, ls=":", lw=1)
            ax.text(
                position,
                0.98,
                name,
                rotation=90,
                ha="left",
                va="top",
                fontsize=10,
                transform=ax.get_xaxis_transform(),
            )
        ax.set(
            title=title,
            xlabel="wavenumber, cm⁻¹",
            ylabel="intensity, 10⁻³ cm",
            xlim=(0, 4200),
        )
        ax.set_ylim(0, 1.25 * ax.get_ylim()[1])
        ax.legend(loc="upper left", fontsize=11, bbox_to_anchor=(0.3, 0.9))
    return ax


def plot_raman_and_vibrations(
    spectrum: pd.DataFrame, vibrations: pd.DataFrame, ax: Axes | None = None
) -> Axes:
    """Raman spectrum and vibrational density of states, each relative to its highest point.

    Parameters
    ----------
    spectrum : DataFrame
        Of `raman_spectrum`.
    vibrations : DataFrame
        Of `vibrational_density_of_states`.
    """
    with style():
        ax = ax or new_axes()
        for table, column, label, color in (
            (spectrum, "isotropic", "Raman, isotropic", BLUE),
            (spectrum, "anisotropic", "Raman, anisotropic", ORANGE),
            (vibrations, "all", "vibrational density of states", BLACK),
        ):
            wavenumbers = table["wavenumber_per_cm"]
            shown = wavenumbers.between(300, 4200)
            values = table[column][shown] / np.max(table[column][shown])
            ax.plot(wavenumbers[shown], values, color=color, lw=1.5, label=label)
        ax.set(
            title="Raman spectrum and density of states",
            xlabel="wavenumber, cm⁻¹",
            ylabel="relative to the highest point",
            xlim=(300, 4200),
            ylim=(0, 1.35),
        )
        ax.legend(loc="upper left", fontsize=11)
    return ax
