"""The report's section on gradients through simulations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.differentiable import plots
from helpers.differentiable.descent import Descent
from helpers.differentiable.examples import TRUE_ANGLE_DEG, TRUE_SIGMA_NM
from helpers.report.sections import ReportTable, Section, draw_figure


@dataclass(frozen=True)
class DescentFindings:
    """What ``mlmd lab differentiable`` found.

    Attributes
    ----------
    sigma, angle, triangle : Descent
    gradients : DataFrame
        Of `angle_gradients`.
    structure : DataFrame
        Of `structure_before_and_after`.
    motion : ndarray
        Of `triangle_before_and_after`.
    """

    sigma: Descent
    angle: Descent
    triangle: Descent
    gradients: pd.DataFrame
    structure: pd.DataFrame
    motion: np.ndarray


def differentiable_section(found: DescentFindings) -> Section:
    """Return the section: three fits, each with what it should find."""
    sigma, angle, side = (
        found.sigma.table["sigma_nm"].iloc[-1],
        found.angle.table["angle_deg"].iloc[-1],
        found.triangle.table["side_nm"].iloc[-1],
    )
    rows = [
        ("σ of a fluid, nm", found.sigma, sigma, TRUE_SIGMA_NM),
        ("angle, degrees", found.angle, angle, TRUE_ANGLE_DEG),
        ("side of the triangle, nm", found.triangle, side, 1.0),
    ]
    table = pd.DataFrame(
        [
            (name, value, target, len(one.table), round(one.steps_per_second))
            for name, one, value, target in rows
        ],
        columns=["fitted", "last epoch", "target", "epochs", "steps with gradient per s"],
    )
    return Section(
        name="differentiable",
        order=70,
        title="Gradients through simulations",
        headline=(
            (f"{sigma:.3f} nm", f"σ; theory {TRUE_SIGMA_NM:.3f}"),
            (f"{angle:.1f}°", f"angle; theory {TRUE_ANGLE_DEG:.1f}°"),
            (f"{side:.2f} nm", "side of the triangle; 1 was asked for"),
        ),
        paragraphs=(
            "Each epoch simulates, compares the end with what it should be, and takes the "
            "derivative of the difference with respect to the parameters, through all time steps. "
            "The rate is constant and the loss an absolute value, so that the angle goes back and "
            "forth around its minimum; the fluid starts from new random places each time.",
        ),
        figures=(
            draw_figure(
                "σ for which nearest neighbors are 0.5 nm apart.",
                "σ against the epoch",
                plots.plot_descent,
                found.sigma.table,
                "sigma_nm",
                TRUE_SIGMA_NM,
                "σ, nm",
            ),
            draw_figure(
                "g(r) of the fluid with the first and the last σ: the first peak moves.",
                "g(r) before and after the fit",
                plots.plot_structure,
                found.structure,
            ),
            draw_figure(
                "The angle at which outer atoms are 1 nm apart.",
                "Angle against the epoch",
                plots.plot_descent,
                found.angle.table,
                "angle_deg",
                TRUE_ANGLE_DEG,
                "θ₀, degrees",
            ),
            draw_figure(
                "The gradient points to the angle that is sought from both sides (close to 180° "
                "its sign is not reliable); its size does not tell how far it is.",
                "Gradient against the angle",
                plots.plot_angle_gradients,
                found.gradients,
                TRUE_ANGLE_DEG,
            ),
            draw_figure(
                "A network in the force makes a triangle.",
                "Mean side against the epoch",
                plots.plot_descent,
                found.triangle.table,
                "side_nm",
                1.0,
                "mean side, nm",
            ),
            draw_figure(
                "The triangle at the start, and after 400 steps with a new and with the trained "
                "network (differentiable_triangle.gif shows it moving).",
                "The triangle before and after training",
                plots.plot_triangle,
                found.motion,
            ),
        ),
        tables=(ReportTable(table, "Three fits through simulations", "{:.3f}"),),
    )
