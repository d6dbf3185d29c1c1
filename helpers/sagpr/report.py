"""The report's section on polarizabilities."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from ase import Atoms

from helpers.report.sections import ReportFigure, ReportTable, Section, draw_figure
from helpers.sagpr import plots
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge


@dataclass(frozen=True)
class PolarizabilityFindings:
    """What is to be said about a model of polarizabilities.

    Attributes
    ----------
    model : SymmetryAdaptedKernelRidge
        Trained on all frames.
    frame : ase.Atoms
        To draw.
    tensors : ndarray of shape (n_frames, 3, 3), Å³
        That it was trained on.
    errors : DataFrame
        Of frames held out: columns of `component_errors`, ``seed`` and ``held_out``.
    curve : DataFrame
        Of `sagpr.learning.held_out_errors` for several sizes.
    features : DataFrame
        Errors and file sizes by number of features.
    search : DataFrame or None
        Of `sagpr.search.halving_search`.
    """

    model: SymmetryAdaptedKernelRidge = field(repr=False)
    frame: Atoms = field(repr=False)
    tensors: np.ndarray = field(repr=False)
    errors: pd.DataFrame = field(repr=False)
    curve: pd.DataFrame = field(repr=False)
    features: pd.DataFrame = field(repr=False)
    search: pd.DataFrame | None = field(repr=False)


def polarizability_section(found: PolarizabilityFindings) -> Section:
    """Return the section: how good, does more data help, how many features, what it looks like."""
    means = found.errors.groupby(["held_out", "component"])["percent"].mean()
    ways = found.errors["held_out"].unique()
    model = found.model
    chosen = ", ".join(f"{s.regularization:.2g} (λ = {k})" for k, s in model.solutions_.items())
    paragraphs = [
        "The tensor of a frame has a part that a rotation leaves alone (λ = 0, one number) and a "
        "part that turns like the spherical harmonics of order 2 (λ = 2, five numbers). Each is "
        "learned with a kernel that turns as it does, so a turned frame has the turned prediction. "
        f"The antisymmetric part, {model.antisymmetric_rms_:.2g} Å³ RMS, is the noise of DFT and "
        "is not learned.",
        "Errors are in % of the standard deviation of what is predicted. Frames of one trajectory "
        "are 30 fs apart and resemble each other: held out at random, a frame has siblings among "
        "the training frames. With whole trajectories held out it has none, as in use.",
        "Regularization, chosen by leaving out trajectory after trajectory in closed form, which "
        f"also sets the uncertainty: {chosen}. "
        "Diagonal components (xx) hold parts of λ = 0 and 2, others (xy, and yx, which equals it) "
        "of λ = 2 alone: those that share parts have errors alike.",
    ]
    tables = [
        ReportTable(_errors_table(found), "Frames held out, mean over the seeds", "{:.1f}"),
        ReportTable(found.features, "How many features: errors in %, power spectra in MB"),
    ]
    if found.search is not None:
        fits = found.search
        tables.append(
            ReportTable(
                fits[fits["rung"] == fits["rung"].max()].sort_values("score"),
                "The last round of the search: left-out errors, %",
            )
        )
        paragraphs.append(
            f"The settings were searched for by halving, {len(fits)} fits in all: each candidate "
            "judged by leaving out trajectories, the best third judged again on more frames. Whole "
            "trajectories were held out before, and never seen by the search: the errors above are "
            "theirs. It is one split; five of the default settings differ by two points or so in "
            "λ = 0. The model that is saved has the settings that were found, and all frames."
        )
    return Section(
        name="polarizability",
        order=50,
        title="Polarizability",
        headline=tuple(
            (f"{means[held_out, f'λ={k}']:.1f} %", f"error of λ = {k}, {held_out} held out")
            for held_out in ways
            for k in (0, 2)
        ),
        paragraphs=tuple(paragraphs),
        figures=_figures(found),
        tables=tuple(tables),
    )


def _errors_table(found: PolarizabilityFindings) -> pd.DataFrame:
    wide = found.errors.pivot_table(index="component", columns="held_out", values="percent")
    wide.columns = [f"{name} held out, %" for name in wide.columns]
    return wide.reset_index()


def _figures(found: PolarizabilityFindings) -> tuple[ReportFigure, ...]:
    model = found.model
    parity = [
        draw_figure(
            f"λ = {k}: each training frame, predicted by the fit without its trajectory.",
            f"Predicted against true components of λ = {k}",
            plots.plot_tensor_parity,
            found.tensors,
            model.left_out_,
            k,
        )
        for k in (0, 2)
    ]
    return (
        *parity,
        draw_figure(
            "More frames help; xy and yx are one and the same number.",
            "Errors of xx, xy, yx against training frames",
            plots.plot_component_curves,
            found.curve,
        ),
        draw_figure(
            "What the model adds up, center by center: an ellipsoid is long where an electric "
            "field polarizes it most. Only the sum was learned.",
            "Ellipsoids on atoms of a frame",
            plots.plot_ellipsoids,
            found.frame,
            *model.predict_centers(found.frame),
            projection="3d",
        ),
    )
