"""The figure of the overfitting explorer: drawn once, then only its points move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.plots.style import BLACK, BLUE, SET_COLORS, as_png, style


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
        with style():
            self.figure = Figure(figsize=(12.6, 3.7 * len(views)), dpi=75)
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
        sets = ("training", "validation")
        self._curve: dict[str, Line2D] = {}
        self._now: dict[str, Line2D] = {}
        self._parity: dict[str, Line2D] = {}
        curve, parity, stretch = axes
        for name in sets:
            color = SET_COLORS[name]
            (self._curve[name],) = curve.plot([], [], "-", color=color, label=name)
            (self._now[name],) = curve.plot([], [], "o", ms=9, color=color)
            (self._parity[name],) = parity.plot([], [], "o", ms=4, alpha=0.7, color=color)
        (self._line,) = parity.plot([], [], color=BLACK, lw=1, zorder=0)
        curve.set(xscale="log", yscale="log")
        curve.set(xlabel="sigma of the energies, eV/atom", ylabel="energy RMSE, meV/atom")
        curve.legend(fontsize=10, loc="lower right")
        parity.set(xlabel="DFT energy, meV/atom", ylabel="GAP energy, meV/atom")
        (self._stretch,) = stretch.plot([], [], color=BLUE)
        stretch.plot(
            reference.distance_A, reference.energy_eV, "--", color=BLACK, lw=1, label="as fitted"
        )
        stretch.legend(fontsize=10, loc="lower right")
        stretch.set(title="Stretch of one O–H bond", xlabel="O–H distance, Å")
        stretch.set(ylabel="energy, eV", ylim=(-0.5, 1.3 * float(reference.energy_eV.max()) + 0.5))
        stretch.set_xlim(reference.distance_A[0], reference.distance_A[-1])
        curve.set_xlim(reference.sigmas[0], reference.sigmas[-1])
        every = np.concatenate([*reference.true.values()])
        self._range = np.array([every.min() - 2, every.max() + 2])
        parity.set(xlim=self._range, ylim=self._range)
        self._line.set_data(self._range, self._range)

    def update(self, view: View) -> None:
        curve, parity, _ = self._axes
        for name, errors in view.curve.items():
            self._curve[name].set_data(view.sigmas, errors)
            self._now[name].set_data([view.sigma_energy_eV_per_atom], [view.rmse_energy[name]])
            self._parity[name].set_data(view.true[name], view.predicted[name])
        every = np.concatenate([*view.curve.values(), [*view.rmse_energy.values()]])
        curve.set_ylim(0.7 * every.min(), 1.4 * every.max())
        sigmas = view.sigma_energy_eV_per_atom, view.sigma_force_eV_per_A
        curve.set_title("sigma = {:.2g} eV/atom, {:.2g} eV/Å".format(*sigmas))
        parity.set_title(
            f"RMSE {view.rmse_energy['training']:.2g} (training), "
            f"{view.rmse_energy['validation']:.2g} (validation)"
        )
        self._stretch.set_data(view.distance_A, view.energy_eV)
