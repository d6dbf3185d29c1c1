"""The figure of the overfitting explorer: drawn once, then only its points move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.plots.style import BLACK, BLUE, SET_COLORS, as_png, style

SETS = ("training", "validation")
# Every view has the same axes, so that positions can be compared. What lies outside stands on the
# border, whose tick says so.
RMSE_meV = (0.01, 100.0)  # of the energies, per atom
MARGIN_meV = 20.0  # of predicted energies beyond those of the frames, per atom
LETTERS = {"font.size": 15, "axes.titlesize": 15, "axes.labelsize": 15, "legend.fontsize": 14}


@dataclass(frozen=True)
class View:
    """What one pair of sigmas gives: everything that the figure shows.

    Attributes
    ----------
    sigma_energy_eV_per_atom, sigma_force_eV_per_A : float
        The sigmas.
    sigmas : ndarray of shape (n,), eV per atom
        Energy sigmas of the curve.
    curve : dict of ndarray of shape (n,), meV per atom
        Energy RMSE along it, for ``"training"`` and ``"validation"``, at this force sigma.
    rmse_energy, rmse_forces : dict of float
        RMSE of both sets, meV per atom and meV/Å.
    true, predicted : dict of ndarray of shape (n_frames,), meV per atom
        Energies relative to the mean DFT energy of the training frames.
    distance_A, energy_eV : ndarray of shape (n_steps,)
        Energy along the O–H stretch, from its minimum.
    """

    sigma_energy_eV_per_atom: float
    sigma_force_eV_per_A: float
    sigmas: np.ndarray
    curve: dict[str, np.ndarray]
    rmse_energy: dict[str, float]
    rmse_forces: dict[str, float]
    true: dict[str, np.ndarray]
    predicted: dict[str, np.ndarray]
    distance_A: np.ndarray
    energy_eV: np.ndarray


class ExplorerFigure:
    """Three panels for each view: error against sigma, parity, and an O–H stretch.

    Parameters
    ----------
    views : sequence of View
        One row of panels for each.
    reference : View
        Its stretch is drawn dashed in every row.
    """

    def __init__(self, views: Sequence[View], reference: View) -> None:
        with style(), rc_context(LETTERS):
            self.figure = Figure(figsize=(13.6, 4.6 * len(views)), dpi=75)
            FigureCanvasAgg(self.figure)
            axes = self.figure.subplots(len(views), 3, squeeze=False)
            self._rows = [_Row(row, reference) for row in axes]
        self.update(views)
        # Laid out once: to do it again would take most of the time of an update.
        self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")

    def update(self, views: Sequence[View]) -> None:
        """Move the points to other views."""
        for row, view in zip(self._rows, views, strict=True):
            row.update(view)

    def png(self) -> bytes:
        """Return the figure as a PNG image."""
        return as_png(self.figure)


class _Row:
    def __init__(self, axes: Sequence[Axes], reference: View) -> None:
        self._axes = axes
        self._curve: dict[str, Line2D] = {}
        self._now: dict[str, Line2D] = {}
        self._parity: dict[str, Line2D] = {}
        curve, parity, stretch = axes
        for name in SETS:
            color = SET_COLORS[name]
            (self._curve[name],) = curve.plot([], [], "-", color=color, label=name)
            (self._now[name],) = curve.plot([], [], "o", ms=11, color=color)
            (self._parity[name],) = parity.plot(
                [], [], "o", ms=6, alpha=0.7, color=color, label=name
            )
        (low, high), ticks = RMSE_meV, (0.1, 1, 10)
        curve.set(xscale="log", yscale="log", ylim=RMSE_meV, title="Errors of the energies")
        curve.set_yticks(
            (low, *ticks, high), [f"≤ {low:g}", *map("{:g}".format, ticks), f"≥ {high:g}"]
        )
        curve.set_xlim(reference.sigmas[0], reference.sigmas[-1])
        curve.set(xlabel="sigma E, eV/atom", ylabel="RMSE, meV/atom")
        curve.legend(loc="upper left")
        every = np.concatenate([*reference.true.values()])
        self._range = np.array([every.min() - MARGIN_meV, every.max() + MARGIN_meV])
        parity.plot(self._range, self._range, color=BLACK, lw=1, zorder=0)
        parity.set(xlim=self._range, ylim=self._range, title="Energies of the frames")
        parity.set(xlabel="DFT, meV/atom", ylabel="GAP, meV/atom")
        self._legend = parity.legend(loc="upper left", handletextpad=0.1)
        (self._stretch,) = stretch.plot([], [], color=BLUE, label="these sigmas")
        stretch.plot(
            reference.distance_A, reference.energy_eV, "--", color=BLACK, lw=1.5, label="as fitted"
        )
        stretch.set(title="One O–H bond is stretched", xlabel="O–H distance, Å")
        stretch.set(ylabel="energy, eV", ylim=(-0.5, 1.3 * float(reference.energy_eV.max()) + 0.5))
        stretch.set_xlim(reference.distance_A[0], reference.distance_A[-1])
        stretch.legend(loc="upper center")

    def update(self, view: View) -> None:
        for name, errors in view.curve.items():
            now = np.clip(view.rmse_energy[name], *RMSE_meV)
            self._curve[name].set_data(view.sigmas, np.clip(errors, *RMSE_meV))
            self._now[name].set_data([view.sigma_energy_eV_per_atom], [now])
            inside = np.clip(view.predicted[name], *self._range)
            self._parity[name].set_data(view.true[name], inside)
        for name, text in zip(SETS, self._legend.get_texts(), strict=True):
            text.set_text(f"{name}: RMSE {two_digits(view.rmse_energy[name])}")
        self._axes[0].set_title(
            f"sigma E = {view.sigma_energy_eV_per_atom:.2g} eV/atom, "
            f"sigma F = {view.sigma_force_eV_per_A:.2g} eV/Å"
        )
        self._stretch.set_data(view.distance_A, view.energy_eV)


def two_digits(value: float) -> str:
    """Return a number above 0 with two digits; beyond 0.01 and 1000 more of them mean nothing."""
    if value > 1000:
        return "> 1000"
    return f"{float(f'{value:.2g}'):g}" if value >= 0.01 else "< 0.01"
