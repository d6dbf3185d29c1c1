"""Sections of the report: accuracy of a trained potential, and the settings of its fit."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd

from helpers.evaluation import Evaluation
from helpers.gap.config import UNITS, GapConfig
from helpers.gap.fit import FitResult
from helpers.plots.parity import (
    plot_energy_parity,
    plot_error_histogram,
    plot_force_parity,
    plot_force_residuals,
)
from helpers.report.sections import (
    ReportFigure,
    ReportTable,
    Section,
    draw_figure,
    version_of,
)

PACKAGES = ("quippy-ase", "ase", "numpy", "pandas", "mlmd-workshop")


def accuracy_section(
    fit: FitResult,
    training: Evaluation,
    validation: Evaluation,
    how: str | None = None,
    *,
    noise: Mapping[str, float] | None = None,
) -> Section:
    """Return the section on the accuracy of the potential, with parity plots.

    Parameters
    ----------
    fit : FitResult
    training, validation : Evaluation
    how : str, optional
        How validation frames were chosen; by default they are of other trajectories.
    noise : mapping, optional
        The error of the labels themselves, as `helpers.frames.label_noise` tells it.
    """
    n_frames = len(validation.energies)
    chosen = (
        f"{n_frames} frames of other trajectories, the validation frames. Errors are GAP − DFT."
        if how is None
        else f"{n_frames} validation frames. {how[0].upper()}{how[1:]}. Errors are predictions "
        "less labels; where a figure says DFT, it means the labels, whatever method they come from."
    )
    return Section(
        name="accuracy",
        order=10,
        title="How accurate is the potential?",
        headline=(
            (f"{validation.rmse_energy_meV_per_atom:.2f} meV/atom", "energy RMSE, validation"),
            (f"{validation.rmse_forces_meV_per_A:.0f} meV/Å", "force RMSE, validation"),
            (f"{fit.n_frames} frames", "used for training"),
            (f"{fit.cpu_seconds:.0f} s", f"to train, {fit.peak_memory_MB:.0f} MB"),
        ),
        paragraphs=(
            f"The potential was trained on {fit.n_frames} frames and tested on "
            f"{chosen} The validation error is the one to quote; if it is much larger than the "
            "training error, the model is overfitted: it has memorized its training frames.",
            *([_about_noise(validation, noise)] if noise else []),
        ),
        figures=_figures(training, validation),
        tables=(
            _error_table(validation, "Validation errors"),
            _error_table(training, "Training errors"),
        ),
    )


def _about_noise(validation: Evaluation, noise: Mapping[str, float]) -> str:
    """Say how exact the labels are, and what the force error would be without their errors."""
    label_rmse = noise["forces_meV_per_A"]
    exact = np.sqrt(max(validation.rmse_forces_meV_per_A**2 - label_rmse**2, 0))
    return (
        f"The labels have errors of their own, because DFT is solved on a grid: about "
        f"{label_rmse:g} meV/Å and {noise['energy_meV_per_atom']:g} meV/atom. No model's error can "
        f"fall below them. Against exact labels the force RMSE would be {exact:.0f} meV/Å."
    )


def settings_section(fit: FitResult) -> Section:
    """Return the section on data, settings, cost and versions: enough to do it again."""
    settings = asdict(fit.config)
    two_body, more_terms = settings.pop("two_body") or {}, settings.pop("more_terms")
    rows = [_setting(name, name, value) for name, value in settings.items() if value is not None]
    rows += [_setting(f"two_body {name}", name, value) for name, value in two_body.items()]
    rows += [
        _setting(f"term {number} {name}", name, value)
        for number, term in enumerate(more_terms, start=1)
        for name, value in term.items()
    ]
    estimate = fit.estimated_memory_MB
    cost = [
        ("Training frames", f"{fit.n_frames}"),
        ("Energies found", f"{fit.n_energies}"),
        ("Force components found", f"{fit.n_force_components}"),
        ("Sparse points", f"{fit.n_sparse}"),
        ("Wall time", f"{fit.wall_seconds:.1f} s"),
        ("CPU time", f"{fit.cpu_seconds:.1f} s"),
        ("Peak memory", f"{fit.peak_memory_MB:.0f} MB"),
        (f"Memory estimated by {fit.engine}", "–" if estimate is None else f"{estimate:.0f} MB"),
    ]
    versions = [("gap_fit", fit.gap_fit_version)] if fit.gap_fit_version else []
    versions.append(("Python", platform.python_version()))
    versions += [(name, version_of(name)) for name in PACKAGES]
    versions.append(("System", f"{platform.system()} {platform.machine()}"))
    return Section(
        name="settings",
        order=90,
        title="Settings, cost and versions",
        paragraphs=(
            *_in_words(fit.config),
            f"The model is {fit.model_path.name}; gap_config.cfg in the same folder contains the "
            "settings in the form that gap_fit reads.",
        ),
        tables=(
            ReportTable(pd.DataFrame(cost, columns=["what", "value"]), "The fit"),
            ReportTable(pd.DataFrame(rows), "All settings, as gap_fit names them", folded=True),
            ReportTable(pd.DataFrame(versions, columns=["program", "version"]), "Versions"),
        ),
    )


def _in_words(config: GapConfig) -> list[str]:
    """Return the settings in plain words."""
    words = []
    if config.soap:
        words.append(
            "The energy is a sum over atoms. The energy of an atom depends on its neighbors up to "
            f"{config.cutoff:g} Å, which fade out over the last "
            f"{config.cutoff_transition_width:g} Å; each neighbor is seen as a cloud "
            f"{config.atom_sigma:g} Å wide. What an atom sees is described by {config.n_max} "
            f"radial functions and angular momenta up to {config.l_max} (SOAP), and compared with "
            f"that of up to {config.n_sparse} representative atoms of each element."
        )
    if config.two_body is not None:
        pairs = config.two_body
        words.append(
            f"A second part depends on the distances of pairs alone, up to {pairs.cutoff:g} Å, "
            f"through {pairs.n_sparse} distances for each pair of elements."
        )
    others = len(config.more_terms) + len(config.other_terms)
    if others:
        words.append(f"There are {others} further terms, listed among all settings below.")
    energy, force, virial, _ = config.default_sigma
    words.append(
        f"The labels were trusted to {1000 * energy:g} meV per atom and {1000 * force:g} meV/Å"
        + (f", virials to {1000 * virial:g} meV per atom" if virial else "")
        + ": smaller numbers make the potential follow its training frames more closely, noise "
        "included."
    )
    return words


def _setting(title: str, name: str, value: object) -> dict[str, str]:
    return {"setting": title, "value": str(value), "unit": UNITS.get(name, "")}


def _error_table(result: Evaluation, caption: str) -> ReportTable:
    names = {"rmse": "RMSE", "mae": "MAE", "max_error": "largest error"}
    return ReportTable(result.summary().rename(columns=names), caption)


def _figures(training: Evaluation, validation: Evaluation) -> tuple[ReportFigure, ...]:
    sets = {"training": training, "validation": validation}
    return (
        draw_figure(
            "Energies relative to their mean. On the line, GAP and DFT are equal.",
            f"Parity plot of energies; validation RMSE {validation.rmse_energy_meV_per_atom:.2f} "
            "meV per atom",
            plot_energy_parity,
            sets,
        ),
        draw_figure(
            "Every force component of the validation frames.",
            f"Parity plot of forces; RMSE {validation.rmse_forces_meV_per_A:.0f} meV per Å",
            plot_force_parity,
            validation,
            title="Forces, validation frames",
        ),
        draw_figure(
            "Distribution of the errors of the force components.",
            "Histogram of force errors for training and validation frames",
            plot_error_histogram,
            sets,
            "forces",
        ),
        draw_figure(
            "Do large forces have large errors? Each dot is an atom; the lines are medians.",
            "Force errors against the magnitude of the DFT force, by element",
            plot_force_residuals,
            validation,
        ),
    )
