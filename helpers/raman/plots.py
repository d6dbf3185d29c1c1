"""Figures of Raman spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.interpolate import PchipInterpolator

from helpers.plots.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, new_axes, style
from helpers.water import MEASURED_RANGES_PER_CM

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
            ylabel="intensity per 1000 cm⁻¹ (area = 1)",
            xlim=(0, 4200),
        )
        ax.set_ylim(0, 1.25 * ax.get_ylim()[1])
        ax.legend(loc="upper left", fontsize=11, bbox_to_anchor=(0.3, 0.9))
    return ax


def plot_raman_comparison(
    spectra: Mapping[str, pd.DataFrame],
    part: str = "VV",
    ax: Axes | None = None,
    *,
    from_per_cm: float = 300.0,
    enlarged_per_cm: tuple[float, float] | None = None,
    measured_per_cm: Mapping[str, tuple[float, float]] = MEASURED_RANGES_PER_CM,
    title: str = "Raman spectra",
) -> Axes:
    """One part of several spectra, with their standard errors; where bands were measured is shaded.

    Lines are drawn smoothly through the points (monotonic between neighbors).

    Parameters
    ----------
    spectra : mapping of str to DataFrame
        Of `raman_spectrum`, by what they are of.
    part : str
        Column to show.
    from_per_cm : float
        Where to begin. Towards 0 the intensity of a liquid rises above all bands.
    enlarged_per_cm : (float, float), optional
        A range with a weak band, to be shown once more in an inset of its own scale.
    measured_per_cm : mapping of str to (float, float)
        Ranges of the measured bands, by name.
    title : str
    """
    with style():
        ax = ax or new_axes()
        tallest = _draw_spectra(ax, spectra, part, (from_per_cm, 4200))
        for name, (low, high) in measured_per_cm.items():
            if high < from_per_cm:
                continue
            ax.axvspan(low, high, color=BLACK, alpha=0.08, lw=0)
            ax.text(
                (low + high) / 2,
                0.985,
                f"measured\n{name}",
                ha="center",
                va="top",
                fontsize=11,
                transform=ax.get_xaxis_transform(),
            )
        ax.set(
            title=title,
            xlabel="wavenumber, cm⁻¹",
            ylabel="intensity per 1000 cm⁻¹ (area = 1)",
            xlim=(from_per_cm, 4200),
            ylim=(0, 1.3 * tallest),
        )
        ax.legend(loc="upper left", bbox_to_anchor=(0.02, 0.86), fontsize=12)
        if enlarged_per_cm is not None:
            inset = ax.inset_axes([0.09, 0.16, 0.36, 0.36])
            tallest = _draw_spectra(inset, spectra, part, enlarged_per_cm)
            inset.set(xlim=enlarged_per_cm, ylim=(0, 1.2 * tallest))
            inset.set_title("enlarged", fontsize=11)
            inset.tick_params(labelsize=10)
    return ax


def _draw_spectra(
    ax: Axes, spectra: Mapping[str, pd.DataFrame], part: str, range_per_cm: tuple[float, float]
) -> float:
    """Draw one part of spectra and their errors; return the highest point."""
    tallest = 0.0
    colors = (BLUE, ORANGE, GREEN, PURPLE)
    for (name, spectrum), color in zip(spectra.items(), colors, strict=False):
        points = spectrum["wavenumber_per_cm"]
        x = np.linspace(*range_per_cm, 800)
        x = x[(x >= points.min()) & (x <= points.max())]
        height, error = (
            1000 * PchipInterpolator(points, spectrum[column])(x)
            for column in (part, f"{part}_error")
        )
        ax.plot(x, height, color=color, label=name)
        ax.fill_between(x, height - error, height + error, color=color, alpha=0.22, lw=0)
        tallest = max(tallest, float(height.max()))
    return tallest


def plot_scattered_light(
    times_fs: np.ndarray, polarizability: np.ndarray, dipole: np.ndarray, laser_per_cm: float
) -> list[Axes]:
    """Draw a vibrating polarizability, its dipole in laser light, and the light that it emits.

    Parameters
    ----------
    times_fs : ndarray of shape (n,)
        Evenly spaced.
    polarizability, dipole : ndarray of shape (n,)
        In any unit.
    laser_per_cm : float
        Wavenumber of the laser, from which those of the scattered light are counted.

    Returns
    -------
    list of Axes
    """
    import matplotlib.pyplot as plt

    from helpers.md.vibrations import PER_CM_PER_FS

    power = np.abs(np.fft.rfft(dipole * np.hanning(len(dipole)))) ** 2
    shift = laser_per_cm - PER_CM_PER_FS * np.fft.rfftfreq(len(dipole), times_fs[1] - times_fs[0])
    with style():
        _, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
        first = times_fs <= 40
        left.plot(times_fs[first], dipole[first], color=SKY, lw=1.5, label="dipole α E")
        left.plot(times_fs[first], polarizability[first], color=BLUE, label="polarizability α")
        left.set(
            title="In the light of a laser", xlabel="time, fs", ylabel="relative to the mean α"
        )
        left.set_ylim(-1.4, 2.2)
        left.legend(loc="upper right", ncols=2)
        right.semilogy(shift, power / power.max(), color=BLUE)
        for place, name in ((0, "Rayleigh"), (3400, "Stokes"), (-3400, "anti-Stokes")):
            right.text(place, 1.5, name, ha="center")
        right.set(
            title="Scattered light",
            xlabel="wavenumber of the laser − that of the light, cm⁻¹",
            ylabel="intensity, relative",
            xlim=(-6000, 6000),
            ylim=(1e-5, 6),
        )
    return [left, right]


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
