"""The report's section on molecular dynamics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from helpers.md import plots
from helpers.md.cost import Cost
from helpers.md.phase import Phase
from helpers.md.short_range import PesHole
from helpers.md.trajectory import Trajectory
from helpers.md.view import trajectory_data
from helpers.report.sections import ReportFigure, ReportTable, ReportView, Section, draw_figure

VIEW_FRAMES = 100  # of the run that the page shows


@dataclass(frozen=True)
class Findings:
    """What is to be said about a run. None where the run was too short, or something is unknown.

    Attributes
    ----------
    run : Trajectory
    quality : DataFrame
        Of `quality.summarize_run`.
    shipped : bool
        Whether the run is compared with the shipped water frames.
    element, pairs : str, tuple of (str, str)
        Of whose displacement and g(r) the tables tell.
    structure, reference : DataFrame
        g(r) of the run and of the labeled frames.
    peaks : DataFrame
        Of `structure.compare_structure`.
    vibrations, velocity_autocorrelation, displacement : DataFrame
        Of `vibrations` and `diffusion`.
    phase : Phase
        Liquid or frozen, of `phase.judge_phase`.
    uncertainty : DataFrame
        Of `quality.uncertainty_along`.
    approaches : mapping of str to DataFrame
        Of `short_range.scan_close_contact`, by name.
    pes_hole : PesHole
        Of two bare O atoms.
    closest_A : float
        Shortest O–O distance of the DFT frames. With `approaches` and `pes_hole` for water only.
    closest : DataFrame
        Of `structure.closest_distances`, for what is no water.
    cost : Cost
    notes : tuple of str
        What could not be computed, and why.
    """

    run: Trajectory
    shipped: bool
    element: str
    pairs: tuple[tuple[str, str], ...]
    reference: pd.DataFrame | None = None
    closest_A: float = float("nan")
    approaches: Mapping[str, pd.DataFrame] | None = None
    pes_hole: PesHole | None = None
    closest: pd.DataFrame | None = None
    structure: pd.DataFrame | None = None
    peaks: pd.DataFrame | None = None
    quality: pd.DataFrame | None = None
    vibrations: pd.DataFrame | None = None
    velocity_autocorrelation: pd.DataFrame | None = None
    displacement: pd.DataFrame | None = None
    phase: Phase | None = None
    uncertainty: pd.DataFrame | None = None
    cost: Cost | None = None
    notes: tuple[str, ...] = ()


def dynamics_section(found: Findings) -> Section:
    """Return the section on one run: stability, analysis, cost."""
    run = found.run
    nve = run.thermostat == "none"
    length_ps = run.times_fs[-1] / 1000
    ensemble = "constant energy (NVE)" if nve else f"constant temperature (NVT, {run.thermostat})"
    verdict = (
        "The run was stable."
        if run.stable
        else f"The run was stopped: {run.stopped}. Everything recorded before is kept."
    )
    return Section(
        name=f"dynamics-{'nve' if nve else 'nvt'}",
        order=40 if nve else 41,
        title=f"Molecular dynamics at {ensemble}",
        headline=_headline(found),
        paragraphs=(
            f"{len(run.start)} atoms, {length_ps:.1f} ps in steps of {run.timestep_fs:g} fs, "
            f"initial velocities at {run.target_temperature_K:g} K, seed {run.seed}, "
            f"{run.engine} engine. {verdict}",
            "The first tenth of the run counts as equilibration and is left out of structure, "
            "spectra and averages."
            + (
                " The DFT frames come from runs of another GAP at 300 to 450 K."
                if found.shipped
                else ""
            ),
            *([found.phase.sentence] if found.phase else []),
            *([_short_range(found.pes_hole, found.closest_A)] if found.pes_hole else []),
            *([_closest(found.closest)] if found.closest is not None else []),
            *found.notes,
        ),
        views=(
            ReportView(
                trajectory_data(run, n_frames=VIEW_FRAMES),
                "default",
                "The run itself: play it with the slider, turn the atoms with the mouse, click on "
                "a point of the map to see its frame; the menu of the map offers other axes.",
            ),
        ),
        figures=_figures(found),
        tables=_tables(found),
    )


def _closest(table: pd.DataFrame) -> str:
    least, first = table["closest_A"].min(), table["closest_A"].iloc[0]
    return (
        f"The closest two atoms of the run came to {least:.2f} Å; at the start they were "
        f"{first:.2f} Å apart. Where a potential has no data it may pull atoms together: "
        "such a run is stopped at 0.6 of the sum of the covalent radii."
    )


def _short_range(pes_hole: PesHole, closest_A: float) -> str:
    return (
        "The energy of two isolated O atoms rises as they approach each other, as it should."
        if pes_hole.depth_eV == 0
        else "The energy of two approaching isolated O atoms has a maximum at "
        f"{pes_hole.edge_A:.2f} Å and falls by {pes_hole.depth_eV:.1f} eV: a hole in the potential "
        "energy surface of the GAP, which has no data there. The DFT frames have no pair closer "
        f"than {closest_A:.2f} Å. A monitor stops such a run, and a repulsive core "
        "(helpers.md.short_range.with_core_repulsion) prevents it."
    )


def _headline(found: Findings) -> tuple[tuple[str, str], ...]:
    lines = [
        (
            f"{found.run.times_fs[-1] / 1000:.1f} ps",
            found.run.stopped and "until the run was stopped" or "stable",
        )
    ]
    if found.quality is not None:
        rows = found.quality.set_index("quantity")
        drift, kelvin = rows.loc["drift of the energy"], rows.loc["mean temperature"]
        if found.run.thermostat == "none":
            lines.append((f"{drift['value']:.3f} ± {drift['error']:.3f}", "drift, meV/atom/ps"))
        lines.append((f"{kelvin['value']:.0f} ± {kelvin['error']:.0f} K", "mean temperature"))
    lines.append((f"{1000 * found.run.clock_s_per_step:.1f} ms", "per step, wall time"))
    if found.phase is not None:
        lines.append((found.phase.verdict, f"q {found.phase.tetrahedral_order:.2f}"))
    if found.cost is not None:
        lines.append((f"{found.cost.ratio:.0f} ×", "faster than DFT"))
    return tuple(lines)


def _figures(found: Findings) -> tuple[ReportFigure, ...]:
    run, log = found.run, found.run.log()
    bath = None if run.thermostat == "none" else run.target_temperature_K
    water = found.approaches is not None
    made = [
        draw_figure(
            "At constant energy the total energy should not drift.",
            "Potential and total energy against time",
            plots.plot_energies,
            log,
            len(run.start),
        ),
        draw_figure(
            "The temperature of few atoms fluctuates strongly around its mean.",
            "Temperature against time",
            plots.plot_temperature,
            log,
            target_K=bath,
        ),
    ]
    if found.structure is not None:
        name = "DFT frames" if found.shipped else "labeled frames"
        tables = {"this run": found.structure}
        if found.reference is not None:
            tables[name] = found.reference
        made += [
            draw_figure(
                f"Radial distribution of {pair[0]}–{pair[1]} pairs, relative to an ideal gas.",
                f"Radial distribution of {pair[0]}–{pair[1]} pairs, {' and '.join(tables)}",
                plots.plot_radial_distribution,
                tables,
                pair,
                beyond_A=None if water else 0.5,
            )
            for pair in found.pairs
            if found.structure["".join(pair)].any()
        ]
    for table, plot, caption, alt in (
        (
            found.vibrations,
            plots.plot_vibrations if water else partial(plots.plot_vibrations, bands_per_cm={}),
            "Vibrational density of states: motion of the atoms by wavenumber.",
            "Vibrational density of states",
        ),
        (
            found.velocity_autocorrelation,
            plots.plot_velocity_autocorrelation,
            "Velocity autocorrelation: for how long an atom keeps its velocity.",
            "Velocity autocorrelation of each element",
        ),
        (
            found.displacement,
            partial(plots.plot_displacement, element=found.element),
            "The slope at long times is six times the diffusion coefficient.",
            f"Mean square displacement of {found.element}",
        ),
        (
            found.closest,
            plots.plot_closest,
            "Atoms that come too close end a run.",
            "Shortest distance of two atoms along the run",
        ),
        (
            found.uncertainty,
            plots.plot_uncertainty,
            "The predicted standard deviation grows where atoms leave the training data.",
            "Standard deviation of atomic energies along the run",
        ),
    ):
        if table is not None:
            made.append(draw_figure(caption, alt, plot, table))
    if found.cost is not None:
        made.append(
            draw_figure(
                "The potential pays for its training data first; then its steps are cheap.",
                "Time against the number of steps, for DFT and for the potential",
                plots.plot_cost,
                found.cost.curves(),
                found.cost.break_even_steps,
            )
        )
    if found.approaches is not None:
        made.append(
            draw_figure(
                "Without training frames (shaded), the energies of a GAP are an extrapolation.",
                "Energy against the O–O distance",
                plots.plot_close_contact,
                found.approaches,
                closest_A=found.closest_A,
            )
        )
    return tuple(made)


def _tables(found: Findings) -> tuple[ReportTable, ...]:
    tables = []
    if found.quality is not None:
        tables.append(ReportTable(found.quality, "Quality of the run", "{:.3f}"))
    if found.peaks is not None:
        caption = (
            "First peaks of g(r) between molecules, and number of neighbors up to the next minimum"
        )
        tables.append(ReportTable(found.peaks, caption))
    if found.cost is not None:
        tables.append(ReportTable(found.cost.table(), "Cost", "{:,.4g}"))
    return tuple(tables)
