"""The report's section on the frames."""

from __future__ import annotations

import pandas as pd

from helpers.datasets import plots
from helpers.datasets.look import Look
from helpers.plots.frames import plot_snapshot
from helpers.report.sections import ReportTable, Section, draw_figure


def data_section(look: Look) -> Section:
    """Return the section on what the frames hold and what looks wrong in them."""
    table = look.per_frame
    n_atoms = table["n_atoms"]
    sizes = f"{n_atoms.min()}" if n_atoms.nunique() == 1 else f"{n_atoms.min()} to {n_atoms.max()}"
    elements = sorted({symbol for atoms in look.dataset for symbol in atoms.symbols})
    molecules = ", ".join(f"{count} × {name}" for name, count in look.molecules.items())
    figures = [
        draw_figure(
            "The first frame, seen along z.",
            f"The {n_atoms[0]} atoms of the first frame",
            plot_snapshot,
            look.dataset[0],
        )
    ]
    for column, plot, caption, alt in (
        (
            "unexplained_eV_per_atom",
            plots.plot_energies,
            "Energies less what the elements alone explain: outliers, steps and drifts show here.",
            "Energy per atom of each frame",
        ),
        (
            "mean_force_eV_per_A",
            plots.plot_forces,
            "Forces of each frame.",
            "Mean and largest force of each frame",
        ),
        (
            "closest_ratio",
            plots.plot_nearest,
            "How close atoms come to each other.",
            "Histogram of the shortest distance in each frame",
        ),
    ):
        if table[column].notna().any():
            figures.append(draw_figure(caption, alt, plot, table))
    remarks = pd.DataFrame(
        [
            {
                "": "to mend" if remark.problem else "",
                "about": remark.about,
                "what was seen": remark.text,
                "frames": _some(remark.frames),
            }
            for remark in look.remarks
        ]
    )
    return Section(
        name="data",
        order=5,
        title="The frames",
        headline=(
            (f"{len(table)}", "frames"),
            (", ".join(elements), "elements"),
            (sizes, "atoms in a frame"),
            (f"{len(look.problems)}", "things to mend"),
        ),
        paragraphs=(*str(look.dataset).splitlines(), f"The first frame holds {molecules}."),
        figures=tuple(figures),
        tables=(
            ReportTable(remarks, "What was seen"),
            ReportTable(look.kinds.head(20), "Frames by composition and periodicity"),
            ReportTable(look.spreads, "Spreads", "{:.4g}"),
            ReportTable(look.nearest, "Nearest neighbors", "{:.3f}"),
        ),
    )


def _some(frames: tuple[str, ...]) -> str:
    return ", ".join(frames[:5]) + (f" and {len(frames) - 5} more" if len(frames) > 5 else "")
