"""Figures of a sweep: learning curves, errors against sigma, heat maps, ranked effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from helpers.gap.config import UNITS
from helpers.plots.style import BLACK, BLUE, SET_COLORS, new_axes, style
from helpers.sweeps.analysis import Onset
from helpers.sweeps.power_law import PowerLaw
from helpers.sweeps.table import ENERGY, rows_of, unit_of

_MARKERS = {"training": "s", "validation": "o"}
_SIGMA_LABELS = {
    "default_sigma": "default_sigma",  # numbers of two units
    "sigma_energy_eV_per_atom": "sigma of the energies, eV/atom",
    "sigma_force_eV_per_A": "sigma of the forces, eV/Å",
}


def plot_learning_curve(
    table: pd.DataFrame, law: PowerLaw | None = None, quantity: str = ENERGY, ax: Axes | None = None
) -> Axes:
    """Training and validation error against the number of frames, both logarithmic.

    Parameters
    ----------
    table : DataFrame
        What `learning_curve` returns. Points are means over repeats; where there are some, bars
        show their standard deviation.
    law : PowerLaw, optional
        Drawn with its 95 % bounds, to twice the largest size.
    quantity : str
        A column of errors.
    """
    with style():
        ax = ax or new_axes()
        for name, rows in rows_of(table, quantity, None).groupby("set"):
            groups = rows.groupby("n_frames")[quantity]
            mean, spread = groups.mean(), groups.std()
            ax.errorbar(
                mean.index,
                mean,
                yerr=spread if spread.notna().any() else None,
                fmt=_MARKERS[str(name)] + ("" if law and name == "validation" else "-"),
                capsize=4,
                color=SET_COLORS[str(name)],
                label=name,
            )
        if law is not None:
            _draw_law(ax, table, law)
        ax.set(xscale="log", yscale="log", title=f"Learning curve, {_kind(quantity)}")
        ax.set(xlabel="training frames", ylabel=f"{_name(quantity)}, {unit_of(quantity)}")
        sizes = sorted(table["n_frames"].unique())
        _plain_ticks(ax, [*sizes, 2 * sizes[-1]] if law else sizes)
        ax.legend(fontsize=11)
    return ax


def plot_expected_curves() -> Figure:
    """Sketch learning curves where the data is the limit, and where the model is."""
    n = np.geomspace(1, 100, 50)
    sketches = {
        "The data is the limit": {"validation": 8 * n**-0.35, "training": 0.5 * n**0.05},
        "The model is the limit": {"validation": 2 + 6 / n, "training": 2 - 1.2 / n},
    }
    with style():
        figure = Figure(figsize=(10, 3.8))
        panels = figure.subplots(1, 2, sharey=True)
        for ax, (title, curves) in zip(panels, sketches.items(), strict=True):
            for name, errors in curves.items():
                ax.loglog(n, errors, color=SET_COLORS[name], label=f"{name} error")
            ax.set(title=title, xlabel="training frames", xticks=[], yticks=[], ylim=(0.4, 10))
            ax.minorticks_off()
        panels[0].set_ylabel("error")
        panels[1].legend()
    return figure


def plot_sigma_curve(
    table: pd.DataFrame,
    onset: Onset | None = None,
    quantity: str = ENERGY,
    *,
    column: str = "sigma_energy_eV_per_atom",
    ax: Axes | None = None,
) -> Axes:
    """Training and validation error against a sigma: where they part, overfitting begins.

    One line for each training-set size; other settings and repeats are averaged.
    """
    with style():
        ax = ax or new_axes()
        rows = rows_of(table, quantity, None)
        sizes = sorted(rows["n_frames"].unique())
        dashes = dict(zip(sizes, ("-", "--", "-.", ":"), strict=False))
        for (name, size), group in rows.groupby(["set", "n_frames"]):
            mean = group.groupby(column)[quantity].mean()
            ax.plot(
                mean.index,
                mean,
                _MARKERS[str(name)],
                ls=dashes.get(size, "-"),
                color=SET_COLORS[str(name)],
                label=f"{name}, {size} frames",
            )
        if onset is not None and onset.sigma is not None:
            ax.axvline(onset.sigma, color=BLACK, lw=1, ls=":")
            right_half = onset.sigma > np.sqrt(np.prod(ax.get_xlim()))
            ax.annotate(
                f"validation = {onset.ratio:g} × training",
                (onset.sigma, 0.02),
                xycoords=ax.get_xaxis_transform(),
                xytext=(-4 if right_half else 4, 0),
                textcoords="offset points",
                ha="right" if right_half else "left",
                fontsize=12,
            )
        ax.set(xscale="log", yscale="log", title=f"Overfitting, {_kind(quantity)}")
        ax.set(xlabel=_SIGMA_LABELS[column], ylabel=f"{_name(quantity)}, {unit_of(quantity)}")
        _plain_ticks(ax, None)
        ax.legend(fontsize=12)
    return ax


def plot_setting(
    table: pd.DataFrame, setting: str, quantity: str = ENERGY, ax: Axes | None = None
) -> Axes:
    """Training and validation error against a setting: numbers in their true distances.

    Points are geometric means over the other settings, sizes and repeats, as in `rank_effects`.
    """
    with style():
        ax = ax or new_axes()
        for name, rows in rows_of(table, quantity, None).groupby("set"):
            mean = np.exp(np.log(rows[quantity]).groupby(rows[setting].to_numpy()).mean())
            are_numbers = pd.api.types.is_numeric_dtype(mean.index)
            ax.plot(
                mean.index if are_numbers else [_text(value) for value in mean.index],
                mean,
                _MARKERS[str(name)] + "-",
                color=SET_COLORS[str(name)],
                label=name,
            )
            if are_numbers:
                ax.set_xticks(mean.index, [f"{value:g}" for value in mean.index])
        together = ax.get_shared_y_axes().get_siblings(ax)
        highest = max(np.max(line.get_ydata()) for one in together for line in one.get_lines())
        ax.set_ylim(0, 1.08 * highest)
        ax.set(
            title=f"{_name(quantity)} of {_kind(quantity)} against {setting}",
            xlabel=_label(setting),
        )
        ax.set(ylabel=f"{_name(quantity)}, {unit_of(quantity)}")
        ax.legend(fontsize=12)
    return ax


def plot_heat_map(
    table: pd.DataFrame, across: str, down: str, quantity: str = ENERGY, ax: Axes | None = None
) -> Axes:
    """Map the validation error for each pair of values of two settings, with its numbers.

    Parameters
    ----------
    across, down : str
        The settings on the horizontal and the vertical axis; others are averaged.
    """
    with style():
        ax = ax or new_axes()
        rows = rows_of(table, quantity, "validation")
        grid = rows.pivot_table(index=down, columns=across, values=quantity)
        image = ax.imshow(grid, cmap="cividis", origin="lower", aspect="auto")
        middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
        for (row, column), value in np.ndenumerate(grid.to_numpy()):
            shade = "white" if value < middle else BLACK
            text = "–" if np.isnan(value) else f"{value:.3g}"
            ax.text(column, row, text, ha="center", va="center", color=shade, fontsize=12)
        ax.set_xticks(range(grid.shape[1]), [_text(value) for value in grid.columns])
        ax.set_yticks(range(grid.shape[0]), [_text(value) for value in grid.index])
        ax.set(title=f"Validation {_name(quantity)} of {_kind(quantity)}")
        ax.set(xlabel=_label(across), ylabel=_label(down))
        ax.figure.colorbar(image, ax=ax, label=f"{_name(quantity)}, {unit_of(quantity)}")
    return ax


def plot_effects(effects: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """How much worse the worst value of each setting is than its best, the largest on top.

    Parameters
    ----------
    effects : DataFrame
        What `helpers.sweeps.analysis.rank_effects` returns.
    """
    with style():
        ax = ax or new_axes()
        rows = effects.iloc[::-1]
        percent = 100 * (rows["effect"] - 1)
        error = 100 * rows["uncertainty"]
        bars = ax.barh(
            rows["setting"], percent, xerr=error if error.notna().all() else None, color=BLUE
        )
        for bar, row in zip(bars, rows.itertuples(), strict=True):
            text = f" {_text(row.best)} best, {_text(row.worst)} worst"
            above_bar = (0, bar.get_y() + bar.get_height() + 0.02)
            ax.annotate(text, above_bar, va="bottom", fontsize=10)
        ax.set_xlim(left=0)
        ax.set(title="Effects on the validation error", xlabel="worst value above the best, %")
        ax.margins(y=0.15)
    return ax


def _draw_law(ax: Axes, table: pd.DataFrame, law: PowerLaw) -> None:
    sizes = np.geomspace(table["n_frames"].min(), 2 * table["n_frames"].max(), 50)
    middle, low, high = np.array([law.predict(size) for size in sizes]).T
    color = SET_COLORS["validation"]
    label = f"a n$^{{-b}}$, b = {law.exponent:.2f} ± {law.exponent_error:.2f}"
    ax.plot(sizes, middle, "--", color=color, label=label)
    ax.fill_between(
        sizes, low, high, color=color, alpha=0.2, lw=0, label="95 % prediction interval"
    )


def _plain_ticks(ax: Axes, sizes: list | None) -> None:
    """Write numbers as numbers on logarithmic axes, and name the sizes that there are."""
    if sizes is not None:
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.xaxis.set_minor_formatter(NullFormatter())
    low, high = ax.get_ylim()
    parts = (1, 2, 5) if high < 1e3 * low else (1,)
    round_numbers = [n * 10.0**e for e in range(-7, 5) for n in parts]
    ticks = [tick for tick in round_numbers if low <= tick <= high]
    if len(ticks) < 3:  # less than a decade
        ticks = [tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.yaxis.set_minor_formatter(NullFormatter())


def _kind(quantity: str) -> str:
    return "energies" if "energy" in quantity else "forces"


def _name(quantity: str) -> str:
    return quantity.partition("_")[0].upper()


def _label(setting: str) -> str:
    label = _SIGMA_LABELS.get(setting)
    unit = UNITS.get(setting.rpartition(".")[2], "")  # two_body.cutoff, too
    return label or (f"{setting}, {unit}" if unit else setting)


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
