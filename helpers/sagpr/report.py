"""The report's section on polarizabilities."""

from __future__ import annotations

import pandas as pd

from helpers.report.sections import ReportFigure, ReportTable, Section, draw_figure
from helpers.sagpr import plots
from helpers.sagpr.model_selection import PolarizabilityFindings
from helpers.sagpr.tensors import LAMBDAS


def polarizability_section(findings: PolarizabilityFindings, *, own: bool = False) -> Section:
    """Return the section: how good, does more data help, how many features, what it looks like.

    Parameters
    ----------
    findings : PolarizabilityFindings
    own : bool
        Whether the frames are other ones than the shipped.
    """
    percent = findings.errors.groupby(["held_out", "component"])["percent"].mean()
    model = findings.model
    regularization = ", ".join(
        f"{solution.regularization:.2g} (λ = {k})" for k, solution in model.solutions_.items()
    )
    paragraphs = [
        "The tensor of a frame has a part that a rotation leaves unchanged (λ = 0, one number) and "
        "a part that rotates like the spherical harmonics of order 2 (λ = 2, five numbers). Each "
        "is learned with an equivariant kernel, so that the prediction of a rotated frame is the "
        f"rotated prediction. The antisymmetric part, {model.antisymmetric_rms_:.2g} Å³ RMS, is "
        f"{'noise' if own else 'the noise of DFT'} and is not learned.",
        "Errors are in % of the standard deviation of what is predicted. Frames of one trajectory "
        f"{'or block' if own else 'are 30 fs apart and'} resemble each other: held out at "
        "random, a frame has siblings among the training frames. With whole trajectories held out "
        "it has none, as in real use.",
        f"The regularization, {regularization}, was chosen by leaving out one trajectory after the "
        "other, in closed form; the same residuals set the uncertainty. "
        "Diagonal components (xx) are sums of λ = 0 and λ = 2, others (xy, and yx, which equals "
        "it) are λ = 2 alone: components with the same parts have similar errors.",
    ]
    tables = [
        ReportTable(_errors_table(findings), "Frames held out, mean over the seeds", "{:.1f}"),
        ReportTable(findings.features, "How many features: errors in %, power spectra in MB"),
    ]
    if findings.search is not None:
        fits = findings.search
        tables.append(
            ReportTable(
                fits[fits["rung"] == fits["rung"].max()].sort_values("score"),
                "The last rung of the search: left-out errors, %",
            )
        )
        paragraphs.append(
            f"The settings come from a search by successive halving, {len(fits)} fits in all: each "
            "candidate was judged by leaving out trajectories, the best third again on more "
            "frames. Whole trajectories were held out before, and never seen by the search: the "
            "errors above are theirs. This is one split; with the default settings, five splits "
            "differ by about two percentage points in λ = 0. The saved model has the best settings "
            "and was trained on all frames."
        )
    return Section(
        name="polarizability",
        order=50,
        title="Polarizability",
        headline=tuple(
            (f"{percent[held_out, f'λ={k}']:.1f} %", f"error of λ = {k}, {held_out} held out")
            for held_out in findings.errors["held_out"].unique()
            for k in LAMBDAS
        ),
        paragraphs=tuple(paragraphs),
        figures=_figures(findings),
        tables=tuple(tables),
    )


def _errors_table(findings: PolarizabilityFindings) -> pd.DataFrame:
    wide = findings.errors.pivot_table(index="component", columns="held_out", values="percent")
    wide.columns = [f"{name} held out, %" for name in wide.columns]
    return wide.reset_index()


def _figures(findings: PolarizabilityFindings) -> tuple[ReportFigure, ...]:
    model = findings.model
    parity = [
        draw_figure(
            f"λ = {k}: each training frame, predicted by the fit without its trajectory.",
            f"Predicted against true components of λ = {k}",
            plots.plot_tensor_parity,
            findings.tensors,
            model.loo_predictions_,
            k,
        )
        for k in LAMBDAS
    ]
    return (
        *parity,
        draw_figure(
            "Learning curves of components; xy and yx are the same number.",
            "Errors of xx, xy, yx against training frames",
            plots.plot_component_curves,
            findings.curve,
        ),
        draw_figure(
            "The contributions of the centers, which the model adds up: an ellipsoid is longest "
            "along the direction in which an electric field polarizes it most. Only the sum was "
            "learned.",
            "Ellipsoids on atoms of a frame",
            plots.plot_ellipsoids,
            findings.frame,
            *model.predict_centers(findings.frame),
            projection="3d",
        ),
    )
