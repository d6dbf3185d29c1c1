"""The parts of the report that belong to the whole: what, how good, with what, what next."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers.datasets import molecule_counts
from helpers.files import digest
from helpers.frames import data_folder, load_frames
from helpers.md.diffusion import water_diffusion_m2_per_s
from helpers.pipeline.stages import Outcome
from helpers.plots.frames import plot_snapshot
from helpers.report.sections import (
    ReportTable,
    Section,
    draw_figure,
    remove_section,
    version_of,
)
from helpers.water import LITERATURE_PER_CM

PACKAGES = ("mlmd-workshop", "ase", "quippy-ase", "jax", "featomic", "numpy", "scikit-learn")
GOOD_FORCE_ERROR = 0.10  # of the spread of the forces
GOOD_DRIFT_meV_PER_ATOM_PS = 1.0
GOOD_DIFFUSION = 0.4  # relative deviation from experiment
GOOD_BAND_PER_CM = 60.0
PERIODICITY = (
    "without periodicity",
    "periodic along one axis",
    "periodic along two axes",
    "periodic along all axes",
)
SECTIONS = {  # of each stage in the report, where they are not called as it is
    "potential": ("accuracy", "settings"),
    "sigmas": ("sweep",),
    "nve": ("dynamics-nve",),
    "nvt": ("dynamics-nvt",),
}


def overview_section(temperature_K: float) -> Section:
    """Return what was simulated, at which temperature, in words and a picture."""
    atoms = load_frames("water", "validate")[0]
    manifest = json.loads((data_folder() / "water" / "manifest.json").read_text(encoding="utf-8"))
    density = atoms.get_masses().sum() / 0.602214076 / atoms.get_volume()
    system = manifest.get("system", f"{len(atoms)} atoms in a cell")
    level = manifest.get("level_of_theory", "its data set does not say which")
    return Section(
        name="overview",
        order=1,
        title="What was simulated",
        paragraphs=(
            f"{system[0].upper()}{system[1:]}. The density is {density:.2f} g/cm³.",
            "A quantum-chemical method computed energies and forces of some hundred frames "
            f"({level}). A Gaussian approximation potential learned them, and then moved the atoms "
            f"in place of the quantum chemistry, at {temperature_K:g} K. A second model learned "
            "how polarizable the liquid is. Together they give a Raman spectrum that no "
            "quantum-chemical calculation of this length could afford.",
        ),
        figures=(
            draw_figure(
                "One of the frames: oxygen and hydrogen in the periodic cell.",
                f"{len(atoms)} atoms of water in their cell, seen along z",
                plot_snapshot,
                atoms,
            ),
        ),
    )


def own_overview_section(data: Any) -> Section:
    """Return what was simulated, for frames of a user, in words and a picture.

    Parameters
    ----------
    data : own_data.OwnData
    """
    frames, start = data.frames, data.start
    n_atoms = [len(atoms) for atoms in frames]
    size = (
        f"{min(n_atoms)}" if min(n_atoms) == max(n_atoms) else f"{min(n_atoms)} to {max(n_atoms)}"
    )
    elements = sorted({symbol for atoms in frames for symbol in atoms.symbols})
    kinds = Counter(int(atoms.pbc.sum()) for atoms in frames)
    boundaries = " and ".join(
        PERIODICITY[n] + (f" ({count} frames)" if len(kinds) > 1 else "")
        for n, count in kinds.most_common()
    )
    molecules = molecule_counts(start)
    listed = ", ".join(f"{count} × {name}" for name, count in molecules.items())
    bonds = "connect all of them" if sum(molecules.values()) == 1 else f"make of them {listed}"
    density = (
        f" The density of the frame from which the dynamics began is "
        f"{start.get_masses().sum() / 0.602214076 / start.get_volume():.2f} g/cm³."
        if start.pbc.all()
        else ""
    )
    return Section(
        name="overview",
        order=1,
        title="What was simulated",
        paragraphs=(
            f"{len(frames)} frames of {size} atoms of {', '.join(elements)}, {boundaries}. The "
            f"frame from which the dynamics began holds {len(start)} atoms; bonds {bonds}."
            f"{density}",
            "Energies and forces of the frames were computed before, by a method that the files do "
            "not have to tell: what is compared with them are the labels that they carry. A "
            "Gaussian approximation potential learned the labels, and then moved the atoms in "
            "place of that method.",
        ),
        figures=(
            draw_figure(
                f"The frame from which the dynamics began: {start.get_chemical_formula()}.",
                f"{len(start)} atoms, seen along z",
                plot_snapshot,
                start,
            ),
        ),
    )


def choices_section(
    how: str, reasons: pd.DataFrame, start: Atoms, timestep_fs: float, temperature_K: float
) -> Section:
    """Return how frames of a user were divided, and the settings with their reasons."""
    light = "hydrogen moves fast" if timestep_fs < 1 else "there is no hydrogen"
    return Section(
        name="choices",
        order=6,
        title="What was chosen for these frames, and why",
        paragraphs=(
            f"{how[0].upper()}{how[1:]}. The two sets stand in training.xyz and validation.xyz.",
            f"Molecular dynamics starts from the first validation frame, "
            f"{start.get_chemical_formula()}, without constraints, at {temperature_K:g} K, in "
            f"steps of {timestep_fs:g} fs ({light}).",
            "The settings of the potential are a start: mlmd sweep tells which others are better.",
        ),
        tables=(ReportTable(reasons, "Settings of the potential"),),
    )


def drop_sections(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Remove from the report what an earlier run wrote of stages that have no result now."""
    for outcome in outcomes:
        if outcome.state in ("failed", "not possible", "no basis"):
            for name in SECTIONS.get(outcome.stage, (outcome.stage,)):
                remove_section(name, folder)


def summary_section(folder: Path, outcomes: Sequence[Outcome]) -> Section:
    """Return the summary: up to five numbers, each with its error, a yardstick and a verdict."""
    stops = (partial(_stopped, "nve"), partial(_stopped, "nvt"))
    makers = (_accuracy, *stops, _stability, _liquid, _temperature, _cost, _spectrum)
    ready = {outcome.stage for outcome in outcomes if outcome.ok}
    rows = [row for make in makers if (row := make(folder, ready)) is not None]
    failed = [o for o in outcomes if o.state in ("failed", "not possible")]
    columns = ["question", "number", "yardstick", "verdict"]
    return Section(
        name="summary",
        order=0,
        title="In short: is it good?",
        headline=tuple((row["number"], row["question"]) for row in rows),
        paragraphs=(
            *(f"No result of {o.stage}: {o.reason}" for o in failed),
            *(f"Left out, {o.stage}: {o.reason}" for o in outcomes if o.state == "no basis"),
        ),
        tables=(
            ReportTable(pd.DataFrame(rows, columns=columns), "Each number beside what to expect"),
        ),
    )


def closing_section(outcomes: Sequence[Outcome], files: Sequence[Path] | None = None) -> Section:
    """Return provenance, the time of each stage, and what to do next.

    Parameters
    ----------
    outcomes : sequence of Outcome
    files : sequence of Path, optional
        What was read; by default the shipped frames.
    """
    own = files is not None
    versions = [("Python", platform.python_version())]
    versions += [(name, version_of(name)) for name in PACKAGES]
    versions.append(("System", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"))
    if files is None:
        files = sorted((data_folder() / "water").glob("*.xyz"))
    files = [
        one for path in files for one in (sorted(path.rglob("*")) if path.is_dir() else [path])
    ]
    digests = [
        (str(path) if own else path.name, digest(path.read_bytes())[:16])
        for path in files
        if path.is_file()
    ]
    columns = ["stage", "state", "seconds", "CPU seconds", "memory, MB"]
    times = pd.DataFrame(
        [(o.stage, o.state, o.seconds, o.cpu_seconds, o.peak_memory_MB) for o in outcomes],
        columns=columns,
    )
    return Section(
        name="provenance",
        order=95,
        title="With what it was made, and what to do next",
        paragraphs=(
            "All random numbers have fixed seeds: the same command gives the same numbers. The "
            "settings of the potential stand above and in gap_config.cfg, every table as a CSV "
            "file beside this page.",
            "What next? Try mlmd run --accurate for "
            f"{'longer runs' if own else 'smaller errors'}; change a setting in "
            f"gap_config.cfg and run {'the same command with --config' if own else 'mlmd fit'}; "
            "work through the lessons (make lab), which ask why each number is what it is"
            + (
                "; or use gap.xml in ASE and LAMMPS (README)."
                if own
                else "; or train on frames of your own (mlmd run my_frames.xyz)."
            ),
        ),
        tables=(
            ReportTable(times, "Time and memory of each stage", "{:.0f}"),
            ReportTable(pd.DataFrame(versions, columns=["program", "version"]), "Versions"),
            ReportTable(pd.DataFrame(digests, columns=["file", "SHA-256"]), "Frames"),
        ),
    )


def _row(question: str, number: str, yardstick: str, good: bool) -> dict[str, str]:
    return {
        "question": question,
        "number": number,
        "yardstick": yardstick,
        "verdict": "good" if good else "look closer",
    }


def _accuracy(folder: Path, ready: set[str]) -> dict[str, str] | None:
    if "potential" not in ready:
        return None
    table = pd.read_csv(folder / "summary.csv").query("set == 'validation' and element == 'all'")
    energy, force = (table.set_index("quantity").loc[name] for name in ("energy", "force"))
    half = (force["rmse_high"] - force["rmse_low"]) / 2
    return _row(
        "error of a force component on new frames",
        f"{force['rmse']:.0f} {'' if np.isnan(half) else f'± {half:.0f} '}meV/Å",
        f"{100 * force['rmse'] / force['spread']:.1f} % of the spread of the forces; up to "
        f"{100 * GOOD_FORCE_ERROR:.0f} % is usual for such models (energies: "
        f"{energy['rmse']:.2f} meV/atom)",
        bool(force["rmse"] <= GOOD_FORCE_ERROR * force["spread"]),
    )


def _stopped(ensemble: str, folder: Path, ready: set[str]) -> dict[str, str] | None:
    path = folder / f"{ensemble}_stopped.csv"
    if ensemble not in ready or not path.exists():
        return None
    stop = pd.read_csv(path).iloc[0]
    return _row(
        f"the {ensemble.upper()} run was stopped",
        f"after {stop['time_fs'] / 1000:.3g} ps",
        str(stop["reason"]),
        good=False,
    )


def _stability(folder: Path, ready: set[str]) -> dict[str, str] | None:
    path = folder / "nve_quality.csv"
    if "nve" not in ready or not path.exists():
        return None
    drift = pd.read_csv(path).set_index("quantity").loc["drift of the energy"]
    return _row(
        "drift of the total energy",
        f"{round(drift['value'], 3) + 0.0:.3f} ± {drift['error']:.3f} meV/atom/ps",
        f"0; up to {GOOD_DRIFT_meV_PER_ATOM_PS:g} does no harm",
        bool(abs(drift["value"]) <= GOOD_DRIFT_meV_PER_ATOM_PS + drift["error"]),
    )


def _liquid(folder: Path, ready: set[str]) -> dict[str, str] | None:
    path = folder / "nvt_phase.csv"
    if "nvt" not in ready or not path.exists():
        return None
    phase = pd.read_csv(path).iloc[0]
    if np.isnan(phase["diffusion_infinite_A2_per_ps"]):
        return _row(
            "is it a liquid?",
            f"{phase['verdict']}, q {phase['tetrahedral_order']:.2f}",
            "q of liquid water: 0.55 to 0.75",
            str(phase["verdict"]).startswith("liquid"),
        )
    quality = pd.read_csv(folder / "nvt_quality.csv").set_index("quantity")
    kelvin = float(quality["expected"]["mean temperature"])
    measured = 1e8 * water_diffusion_m2_per_s(kelvin)  # Å²/ps
    found = phase["diffusion_infinite_A2_per_ps"]
    error = phase["diffusion_error_A2_per_ps"] * found / phase["diffusion_A2_per_ps"]
    return _row(
        f"diffusion: the water is {phase['verdict']}",
        f"{found:.2f} ± {error:.2f} Å²/ps",
        f"experiment at {kelvin:.0f} K: {measured:.2f} Å²/ps; box of finite size corrected",
        phase["verdict"] == "liquid" and abs(found / measured - 1) <= GOOD_DIFFUSION,
    )


def _temperature(folder: Path, ready: set[str]) -> dict[str, str] | None:
    path = folder / "nvt_quality.csv"
    if "nvt" not in ready or not path.exists() or (folder / "nvt_phase.csv").exists():
        return None
    kelvin = pd.read_csv(path).set_index("quantity").loc["mean temperature"]
    return _row(
        "mean temperature at constant temperature",
        f"{kelvin['value']:.0f} ± {kelvin['error']:.0f} K",
        f"the bath: {kelvin['expected']:.0f} K",
        bool(abs(kelvin["value"] - kelvin["expected"]) <= 3 * kelvin["error"]),
    )


def _cost(folder: Path, ready: set[str]) -> dict[str, str] | None:
    path = folder / "nve_cost.csv"
    if "nve" not in ready or not path.exists():
        return None
    rows = pd.read_csv(path).set_index("what")["value"]
    ratio = rows["steps of the potential in one of DFT"]
    return _row(
        "steps of the potential in the time of one of DFT",
        f"{ratio:,.0f}",
        "everything counted, data and training are paid back after "
        f"{rows['break-even']:,.0f} steps",
        bool(np.isfinite(rows["break-even"])),
    )


def _spectrum(folder: Path, ready: set[str]) -> dict[str, str] | None:
    path = folder / "raman_bands.csv"
    if "raman" not in ready or not path.exists():
        return None
    stretch = pd.read_csv(path).set_index("band").loc["stretch"]
    points = pd.read_csv(folder / "raman.csv")["wavenumber_per_cm"].to_numpy()
    half_per_cm = (points[1] - points[0]) / 2  # a band lies between two points
    measured = LITERATURE_PER_CM["stretch"]
    return _row(
        "O–H stretch in the Raman spectrum",
        f"{stretch['VV']:.0f} ± {half_per_cm:.0f} cm⁻¹",
        f"experiment: {measured:.0f} cm⁻¹; within {GOOD_BAND_PER_CM:.0f} is as good as this DFT "
        "with classical nuclei can be",
        bool(abs(stretch["VV"] - measured) <= GOOD_BAND_PER_CM),
    )
