"""The report's sections about learning curves and sweeps."""

from __future__ import annotations

import itertools

import pandas as pd

from helpers.errors import DataError
from helpers.report.sections import ReportTable, Section, draw_figure
from helpers.sweeps.analysis import (
    Onset,
    best_points,
    overfitting,
    overfitting_onset,
    rank_effects,
)
from helpers.sweeps.grid import SIGMAS
from helpers.sweeps.plots import (
    plot_effects,
    plot_heat_map,
    plot_learning_curve,
    plot_setting,
    plot_sigma_curve,
)
from helpers.sweeps.power_law import MoreData, does_more_data_help, fit_power_law
from helpers.sweeps.table import ENERGY, FORCES, settings_of, unit_of

ERRORS = {
    "set": "set",
    "rmse_energy_meV_per_atom": "energy RMSE, meV/atom",
    "mae_energy_meV_per_atom": "energy MAE, meV/atom",
    "rmse_forces_meV_per_A": "force RMSE, meV/Å",
    "mae_forces_meV_per_A": "force MAE, meV/Å",
    "fit_seconds": "fit, s",
    "peak_memory_MB": "memory, MB",
}


def learning_curve_section(table: pd.DataFrame) -> Section:
    """Return the section on training-set size: does more data still help."""
    figures, sentences, headline = [], [], []
    for quantity in (ENERGY, FORCES):
        verdict = _more_data(table, quantity)
        law = fit_power_law(table, quantity) if verdict is not None and verdict.helps else None
        alt = f"Training and validation {quantity} against the number of training frames"
        figures.append(
            draw_figure(
                "Both axes are logarithmic: a power law is a straight line.",
                alt,
                plot_learning_curve,
                table,
                law,
                quantity,
            )
        )
        if verdict is None:
            continue
        kind = "energies" if quantity == ENERGY else "forces"
        sentences.append(f"For {kind}, {verdict}.")
        if verdict.helps:
            expected = f"{verdict.error_then:.2f} {unit_of(quantity)}"
            headline.append((expected, f"expected for {2 * verdict.n_frames} frames, {kind}"))
    if not sentences:
        sentences.append(
            "There are too few points to say whether more data helps: add sizes or repeats."
        )
    return Section(
        name="learning-curve",
        order=20,
        title="Does more data help?",
        headline=tuple(headline),
        paragraphs=(
            "Each potential was trained on a part of the frames and evaluated on its training "
            "frames and on frames of other trajectories. Where the two curves meet, more "
            "frames of the same kind change little; where they are apart, the potential overfits "
            "its training frames.",
            " ".join(sentences),
            *_failures(table),
        ),
        figures=tuple(figures),
        tables=(_points(table), _ratios(table)),
    )


def sweep_section(table: pd.DataFrame) -> Section:
    """Return the section on the settings that a sweep varied."""
    done = table[table["failure"] == ""]
    settings = [name for name in settings_of(done) if done[name].nunique() > 1]
    figures, sentences, tables = [], [], []
    for column in SIGMAS:
        if done[column].nunique() > 1:
            quantity = ENERGY if column.startswith("sigma_energy") else FORCES
            onset = overfitting_onset(done, quantity, column=column)
            sentences.append(_onset_sentence(onset))
            figures.append(
                draw_figure(
                    "The smaller sigma, the closer the potential follows its training frames.",
                    f"Training and validation error against {column}",
                    plot_sigma_curve,
                    done,
                    onset,
                    quantity,
                    column=column,
                )
            )
    for name in settings:
        if name not in SIGMAS and name != "default_sigma":
            figures.append(
                draw_figure(
                    "Mean over all other settings.",
                    f"Errors for each value of {name}",
                    plot_setting,
                    done,
                    name,
                )
            )
    for across, down in itertools.islice(itertools.combinations(settings, 2), 3):
        figures.append(
            draw_figure(
                "Dark colors: small errors.",
                f"Validation error for each {across} and {down}",
                plot_heat_map,
                done,
                across,
                down,
            )
        )
    if settings or done["n_frames"].nunique() > 1:
        effects = rank_effects(done)
        first = effects.iloc[0]
        sentences.append(
            f"Most important is {first['setting']}: its worst value ({first['worst']}) has a "
            f"validation error {100 * (first['effect'] - 1):.0f} % above its best "
            f"({first['best']})."
        )
        figures.append(
            draw_figure(
                "Means over all other settings.",
                "Bars: the effect of each setting on the validation error",
                plot_effects,
                effects,
            )
        )
        tables.append(ReportTable(effects, "Effects, energies (1 = none)", "{:.3g}"))
    if done["n_frames"].nunique() > 1:
        tables.append(ReportTable(best_points(done), "The best point of each size", "{:.3g}"))
    return Section(
        name="sweep",
        order=30,
        title="Which settings matter?",
        paragraphs=(
            "Each combination of values was trained and evaluated. A large ratio of "
            "validation to training error is a sign of overfitting.",
            " ".join(sentences),
            *_failures(table),
        ),
        figures=tuple(figures),
        tables=(*tables, _points(done), _ratios(done)),
    )


def _more_data(table: pd.DataFrame, quantity: str) -> MoreData | None:
    try:
        return does_more_data_help(table, quantity)
    except DataError:  # too few points
        return None


def _onset_sentence(onset: Onset) -> str:
    unit = "eV/atom" if onset.column.startswith("sigma_energy") else "eV/Å"
    kind = "energies" if onset.column.startswith("sigma_energy") else "forces"
    onset_text = (
        f"nowhere between these sigmas does the validation error of the {kind} cross "
        f"{onset.ratio:g} times the training error"
        if onset.sigma is None
        else f"below a sigma of {onset.sigma:.2g} {unit} the validation error of the {kind} is "
        f"more than {onset.ratio:g} times the training error"
    )
    return f"Overfitting: {onset_text}; it is lowest at {onset.best_sigma:g} {unit}."


def _failures(table: pd.DataFrame) -> tuple[str, ...]:
    failed = table[(table["failure"] != "") & (table["set"] == "validation")]
    names = [*settings_of(table), "n_frames", "repeat"]
    return tuple(
        "Not computed: "
        + ", ".join(f"{name} {row[name]}" for name in names)
        + f". Reason: {row['failure']}"
        for _, row in failed.iterrows()
    )


def _points(table: pd.DataFrame) -> ReportTable:
    done = table[table["failure"] == ""]
    names = list(dict.fromkeys([*settings_of(table), "n_frames", "repeat", *ERRORS]))
    return ReportTable(done[names].rename(columns=ERRORS), "All points", "{:.3g}")


def _ratios(table: pd.DataFrame) -> ReportTable:
    return ReportTable(
        overfitting(table), "Energy RMSE, meV/atom: validation and training", "{:.3g}"
    )
