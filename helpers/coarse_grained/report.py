"""The report's section on coarse-grained bodies."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from helpers.coarse_grained import plots
from helpers.coarse_grained.held_out import PairErrors
from helpers.coarse_grained.hexagons import BoxComparison
from helpers.report.sections import ReportTable, Section, draw_figure


@dataclass(frozen=True)
class CoarseFindings:
    """What ``mlmd lab coarse-grained`` found.

    Attributes
    ----------
    history : DataFrame or None
        Of the training with orientations; None if the stored potentials were taken.
    errors : PairErrors
        Of the potential with orientations, on held-out runs.
    windows : dict of str to DataFrame
        ``"with orientations"``, ``"without"`` → `window_errors`.
    scans : DataFrame
        Of `scan_arrangements`.
    box : BoxComparison
    """

    history: pd.DataFrame | None
    errors: PairErrors
    windows: dict[str, pd.DataFrame]
    scans: pd.DataFrame
    box: BoxComparison

    def ratio(self, column: str) -> float:
        """Return the deviation with orientations over that without, at the end of the windows."""
        sighted, blind = self.windows.values()
        return float(sighted[column].iloc[-1] / blind[column].iloc[-1])


def coarse_section(found: CoarseFindings) -> Section:
    """Return the section: pairs, held-out motion, and a box of many bodies."""
    errors, box = found.errors, found.box
    columns = ("separation", "orientation", "velocity", "omega")
    deviations = pd.DataFrame(
        [
            (name, *(float(table[name].iloc[-1]) for table in found.windows.values()))
            + (found.ratio(name),)
            for name in columns
        ],
        columns=["deviation at the end", *found.windows, "ratio"],
    )
    ends = next(iter(found.windows.values()))["time"].iloc[-1]
    curves = []
    if found.history is not None:
        curves.append(
            draw_figure(
                "Loss of the windows of training, and of longer ones of held-out runs.",
                "Loss against the epoch",
                plots.plot_loss,
                found.history,
            )
        )
    return Section(
        name="coarse-grained",
        order=72,
        title="Coarse-grained bodies",
        headline=(
            (f"{found.ratio('separation'):.2f}", "error with orientations over that without"),
            (f"{errors.share_of_range:.1%}", "of the range: error of the pair energy"),
            (f"{box.difference('g'):.3f}", "mean difference of g(r) from the beads"),
        ),
        paragraphs=(
            "Two hexagons of seven beads were simulated bead by bead. A network learned the energy "
            "of a pair as a function of separation and orientations from their motion alone, by "
            "the gradient through the equations of motion; it saw no energy and no force. "
            f"Deviations are those of windows of {ends:.2f} τ of runs that were held out, in which "
            "beads touch.",
            "The box compares averages: after some τ no model predicts where a body is. Two runs "
            f"of the beads differ in g(r) by {box.difference('g', of='beads, another run'):.3f}: "
            "that is the noise.",
        ),
        figures=(
            *curves,
            draw_figure(
                "Energies of pairs at arrangements of held-out runs.",
                "Learned energies against sums over beads",
                plots.plot_energies,
                errors,
            ),
            draw_figure(
                "Energies along four arrangements; walls beyond 6 ε were hardly ever visited.",
                "Energy against the distance of the centers",
                plots.plot_scans,
                found.scans,
            ),
            *(
                draw_figure(
                    f"How predictions part from held-out motion: {name}.",
                    f"Deviation of {name} against time",
                    plots.plot_window_errors,
                    found.windows,
                    name,
                )
                for name in ("separation", "omega")
            ),
            *(
                draw_figure(caption, title, plots.plot_structures, box.structures, column)
                for caption, title, column in (
                    (
                        "Structure of the box: g(r) of the centers.",
                        "Radial distribution of the centers",
                        "g",
                    ),
                    (
                        "How two axes are turned to each other: 1 parallel, −½ perpendicular.",
                        "Correlation of orientations against distance",
                        "orientation",
                    ),
                )
            ),
        ),
        tables=(
            ReportTable(deviations, "Held-out motion, with and without orientations", "{:.4f}"),
            ReportTable(box.summary, "A box of many bodies (ε, σ, τ)", "{:.3f}"),
        ),
    )
