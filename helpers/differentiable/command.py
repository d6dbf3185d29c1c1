"""``mlmd lab differentiable``: three fits through simulations, and their section of the report."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

from helpers import checks
from helpers.files import make_folder, write_table
from helpers.terminal import CommandResult


def differentiable_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd lab differentiable``."""
    parser.epilog = "Example: mlmd lab differentiable --output results"
    parser.add_argument(
        "--epochs", type=int, help="epochs of each fit; default: those of the published examples"
    )
    parser.set_defaults(run=_differentiable)


def _differentiable(options: argparse.Namespace) -> int:
    result = run_differentiable_job(options.output, epochs=options.epochs, seed=options.seed)
    print(f"\nThe report is {result.report_path.absolute()}" if result.report_path else "")
    return 0


def run_differentiable_job(
    folder: str | os.PathLike = "results",
    *,
    epochs: int | None = None,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> CommandResult:
    """Fit σ, the angle and the triangle; write their tables and the report's section.

    Parameters
    ----------
    folder : path
        Made if its parent exists.
    epochs : int, optional
        Of each; by default 15, 20 and 20.
    seed : int
    say : callable
        Takes one line of news at a time.

    Returns
    -------
    CommandResult
        What was found are `DescentFindings`.
    """
    if epochs is not None:
        checks.whole("epochs", epochs, 1)
    checks.seed(seed)
    folder = make_folder(folder)

    from helpers.differentiable import examples
    from helpers.differentiable.plots import animate_triangle
    from helpers.differentiable.report import DescentFindings, differentiable_section
    from helpers.report.sections import add_section

    some: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    sigma = examples.fit_sigma(seed=seed, **some)
    say(f"σ: {sigma.table['sigma_nm'].iloc[-1]:.3f} nm; theory {examples.TRUE_SIGMA_NM:.3f}")
    angle = examples.fit_angle(**some)
    say(f"angle: {angle.table['angle_deg'].iloc[-1]:.1f}°; theory {examples.TRUE_ANGLE_DEG:.1f}°")
    triangle = examples.fit_triangle(seed=seed, **some)
    say(f"side of the triangle: {triangle.table['side_nm'].iloc[-1]:.3f} nm; 1 was asked for")
    gradients = examples.angle_gradients(range(3, 181, 3))
    first, last = sigma.table["sigma_nm"].iloc[[0, -1]]
    structure = examples.structure_before_and_after(first, last, seed=seed)
    motion = examples.triangle_before_and_after(triangle.parameters, seed=seed)
    tables = {
        "sigma": sigma.table,
        "angle": angle.table,
        "triangle": triangle.table,
        "angle_gradients": gradients,
        "structure": structure,
    }
    for name, table in tables.items():
        write_table(folder / f"differentiable_{name}.csv", table)
    animate_triangle(motion, folder / "differentiable_triangle.gif")
    found = DescentFindings(sigma, angle, triangle, gradients, structure, motion)
    return CommandResult(found, add_section(differentiable_section(found), folder))
