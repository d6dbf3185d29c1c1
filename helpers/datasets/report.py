"""The report's section on the frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ase import Atoms

from helpers.datasets import plots
from helpers.datasets.look import Look
from helpers.plots.frames import plot_snapshot
from helpers.report.sections import ReportTable, ReportView, Section, draw_figure

MOST_FRAMES = 200  # to look at one by one
IN_WORDS = {
    "n_atoms": "atoms in a frame",
    "energy_eV_per_atom": "energy, eV/atom",
    "unexplained_eV_per_atom": "energy less its elements', eV/atom",
    "mean_force_eV_per_A": "mean force, eV/Å",
    "largest_force_eV_per_A": "largest force, eV/Å",
    "volume_A3_per_atom": "volume, Å³/atom",
    "closest_A": "closest atoms, Å",
}


def data_section(look: Look) -> Section:
    """Return the section on what the frames hold and what looks wrong in them."""
    table = look.per_frame
    n_atoms = table["n_atoms"]
    sizes = f"{n_atoms.min()}" if n_atoms.nunique() == 1 else f"{n_atoms.min()} to {n_atoms.max()}"
    elements = sorted({symbol for atoms in look.dataset for symbol in atoms.symbols})
    molecules = ", ".join(f"{count} × {name}" for name, count in look.molecules.items())
    bonds = (
        f"Bonds connect all {n_atoms[0]} atoms of the first frame."
        if sum(look.molecules.values()) == 1
        else f"Bonds make of the first frame {molecules}."
    )
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
        paragraphs=(
            *(f"To mend: {remark.text}" for remark in look.problems),
            *str(look.dataset).splitlines(),
            bonds,
        ),
        views=(_view(look),),
        figures=tuple(figures),
        tables=(
            ReportTable(remarks, "What was seen"),
            ReportTable(look.kinds.head(20), "Frames by composition and periodicity"),
            ReportTable(_in_words(look.spreads), "Spreads", "{:.4g}"),
            ReportTable(look.nearest, "Nearest neighbors", "{:.3f}"),
        ),
    )


def _in_words(spreads: pd.DataFrame) -> pd.DataFrame:
    """Return the table of spreads with names for readers, and no zeros that are 1e-17."""
    rounded = spreads.set_index("quantity").round(9) + 0.0
    names = rounded.rename(index=IN_WORDS, columns={"standard_deviation": "standard deviation"})
    return names.reset_index()


def _view(look: Look) -> ReportView:
    """Return frames to look at one by one: those with remarks, and others evenly."""
    import chemiscope

    table, seen = look.per_frame, {name for remark in look.problems for name in remark.frames}
    others = np.unique(np.linspace(0, len(table) - 1, MOST_FRAMES).astype(int))
    marked = np.flatnonzero(table["frame"].isin(seen))[:MOST_FRAMES]
    indices = np.union1d(others, marked)
    frames = []
    for k in indices:
        atoms = look.dataset[int(k)]
        frames.append(Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc))
    properties = {"frame": {"target": "structure", "values": indices + 1}}
    for column, name in IN_WORDS.items():
        values = table[column].to_numpy(float)[indices]
        if np.isfinite(values).all():
            properties[name] = {"target": "structure", "values": values}
    vertical = next(
        IN_WORDS[c] for c in ("unexplained_eV_per_atom", "n_atoms") if IN_WORDS[c] in properties
    )
    axes = {"x": {"property": "frame"}, "y": {"property": vertical}}
    settings = {"map": axes, "structure": [{"unitCell": bool(look.dataset[0].pbc.any())}]}
    return ReportView(
        chemiscope.create_input(frames, properties=properties, settings=settings),
        "default",
        "Frames one by one: click on a point to see its atoms. "
        + ("All are here." if len(indices) == len(table) else f"{len(indices)} of them are here.")
        + " The menu of the map offers other axes.",
    )


def _some(frames: tuple[str, ...]) -> str:
    return ", ".join(frames[:5]) + (f" and {len(frames) - 5} more" if len(frames) > 5 else "")
