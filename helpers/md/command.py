"""``mlmd md``: run molecular dynamics, analyze the run, write the report."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers.datasets import is_water, read_dataset
from helpers.errors import ConfigError, DataError
from helpers.files import make_folder, write_table
from helpers.frames import load_frames
from helpers.md.monitor import GeneralMonitor
from helpers.md.settings import THERMOSTATS
from helpers.md.trajectory import Trajectory
from helpers.terminal import EXIT_INTERRUPTED, CommandResult


def md_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd md``."""
    parser.epilog = "Example: mlmd md results/gap.xml --steps 4000 --output results"
    parser.add_argument("model", type=Path, help="a gap.xml")
    parser.add_argument("--ensemble", choices=("nve", "nvt"), default="nve", help="default: nve")
    parser.add_argument("--steps", type=int, default=4000, help="default: %(default)s")
    parser.add_argument(
        "--timestep", type=float, default=0.5, help="time step, fs; default: %(default)s"
    )
    parser.add_argument("--temperature", type=float, default=300.0, help="K; default: %(default)s")
    parser.add_argument(
        "--thermostat",
        choices=[name for name in THERMOSTATS if name != "none"],
        help="for --ensemble nvt; default: langevin",
    )
    parser.add_argument(
        "--snapshot", type=int, help="validation snapshot to start from; default: 0"
    )
    parser.add_argument(
        "--start", metavar="FILE", help="start from the first frame of a file of your own instead"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the random numbers; default: 0"
    )
    parser.add_argument(
        "--record-every",
        type=int,
        default=4,
        help="number of steps from record to record; default: %(default)s",
    )
    parser.add_argument(
        "--engine",
        choices=("compiled", "ase"),
        default="compiled",
        help="compiled: the fast loop (default); ase: the integrators of ASE",
    )
    parser.add_argument("--resume", action="store_true", help="continue an interrupted run")
    parser.add_argument(
        "--training-frames",
        type=int,
        help="number of frames the model was trained on, to report its cost",
    )
    parser.add_argument(
        "--training-seconds", type=float, default=0.0, help="time that the training took, s"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("results"), help="folder for the results"
    )
    parser.set_defaults(run=_md)


def _md(options: argparse.Namespace) -> int:
    if options.thermostat and options.ensemble == "nve":
        raise ConfigError("--thermostat needs constant temperature", fix="add --ensemble nvt")
    if options.training_seconds and options.training_frames is None:
        raise ConfigError(
            "--training-seconds is given without --training-frames",
            fix="give both: they are a cost",
        )
    result = run_md_job(
        options.model,
        options.output,
        ensemble=options.ensemble,
        **_start(options),
        training_frames=options.training_frames,
        training_seconds=options.training_seconds,
        progress=not options.no_progress,
        steps=options.steps,
        timestep_fs=options.timestep,
        temperature_K=options.temperature,
        record_every=options.record_every,
        seed=options.seed,
        engine=options.engine,
        resume=options.resume,
        **({"thermostat": options.thermostat} if options.thermostat else {}),
    )
    if result.report_path is None:
        print("mlmd md: stopped; the same command with --resume continues the run", file=sys.stderr)
        return EXIT_INTERRUPTED
    print(f"\nThe report is {result.report_path.absolute()}")
    return 0


def _start(options: argparse.Namespace) -> dict[str, Any]:
    """Return where to start, and the frames to compare with: those of a file, or the shipped."""
    if options.start is None:
        return {"snapshot": options.snapshot or 0}
    if options.snapshot is not None:
        raise ConfigError("--start and --snapshot are both given", fix="keep one of them")
    frames = read_dataset(options.start)
    return {"snapshot": frames[0], "frames": list(frames)}


VARIANCE_TIMES = 10  # each takes about a second


def run_md_job(
    model: str | os.PathLike,
    folder: str | os.PathLike = "results",
    *,
    ensemble: str = "nve",
    snapshot: int | Atoms = 0,
    frames: Sequence[Atoms] | None = None,
    training_frames: int | None = None,
    training_seconds: float = 0.0,
    progress: bool = True,
    say: Callable[[str], None] = print,
    **options: Any,
) -> CommandResult:
    """Run from a validation snapshot and write everything into `folder`.

    Writes ``nve.log``, ``nve.xyz`` and ``nve.traj`` (or ``nvt.…``), tables of what was found, and a
    section of ``report.html``.

    Parameters
    ----------
    model : path
        A ``gap.xml``.
    folder : path
        Made if its parent exists.
    ensemble : str
        ``"nve"`` or ``"nvt"``.
    snapshot : int or ase.Atoms
        Number of the validation snapshot to start from, or where to start.
    frames : sequence of ase.Atoms, optional
        Labeled frames to compare with; by default the shipped ones.
    training_frames : int, optional
        How many frames the model was trained on. With it the cost is told, and the break-even.
    training_seconds : float
        What the training took.
    say : callable
        Takes one line of news at a time.
    **options
        Those of `run_nve` or `run_nvt`. The monitor of a start that is no water is by default a
        `GeneralMonitor`.

    Returns
    -------
    CommandResult
        What was found is the `Trajectory`. Without a report if the run was interrupted.
    """
    from helpers.md.report import dynamics_section
    from helpers.md.runs import run_nve, run_nvt
    from helpers.report.sections import add_section

    runs = {"nve": run_nve, "nvt": run_nvt}
    if ensemble not in runs:
        raise ConfigError(f"There is no ensemble {ensemble!r}", expected="nve or nvt")
    folder = make_folder(folder)
    if isinstance(snapshot, Atoms) and not is_water(snapshot):
        options.setdefault("monitor", GeneralMonitor())
    run = runs[ensemble](model, snapshot, output=folder / ensemble, progress=progress, **options)
    if run.interrupted:
        return CommandResult(run, None)
    say(f"{run.times_fs[-1] / 1000:g} ps at {run.temperature_K.mean():.0f} K on average")
    if not run.stable:
        say(f"  stopped: {run.stopped}")
    say(f"  {folder / ensemble}.log, .xyz, .traj")
    found = findings(
        model,
        run,
        frames=frames,
        training_frames=training_frames,
        training_seconds=training_seconds,
    )
    names = (
        "quality",
        "structure",
        "peaks",
        "vibrations",
        "displacement",
        "closest",
        "uncertainty",
    )
    tables = {name: getattr(found, name) for name in names}
    tables["cost"] = None if found.cost is None else found.cost.table()
    tables["phase"] = (
        None
        if found.phase is None
        else pd.DataFrame([{**vars(found.phase), "verdict": found.phase.verdict}])
    )
    tables["stopped"] = (
        None
        if run.stable
        else pd.DataFrame({"time_fs": run.times_fs[-1:], "reason": [run.stopped]})
    )
    for name, table in tables.items():
        path = folder / f"{ensemble}_{name}.csv"
        if table is None:
            path.unlink(missing_ok=True)  # of an earlier run
        else:
            write_table(path, table)
    if found.quality is not None:
        say(found.quality.to_string(index=False, float_format="{:.4g}".format, na_rep="–"))
    if found.cost is not None:
        say(found.cost.table().to_string(index=False, float_format="{:.4g}".format))
    if found.phase is not None:
        say(found.phase.sentence)
    for note in found.notes:
        say(note)
    return CommandResult(run, add_section(dynamics_section(found), folder))


def findings(
    model: str | os.PathLike,
    run: Trajectory,
    *,
    frames: Sequence[Atoms] | None = None,
    training_frames: int | None = None,
    training_seconds: float = 0.0,
) -> Any:
    """Return everything that the report says about a run, as `md.report.Findings`.

    What only water has is looked for where the start is water, by its bonds.
    """
    from helpers.gap.potential import jax_calculator
    from helpers.md import cost, diffusion, phase, quality, structure, vibrations
    from helpers.md.report import Findings

    shipped = frames is None
    if frames is None:
        frames = load_frames("water", "train") + load_frames("water", "validate")
    water = shipped or is_water(run.start)
    element = "O" if water else Counter(run.start.symbols).most_common(1)[0][0]
    pairs = structure.PAIRS if water else _pairs_of_elements(run.start)
    comparable = frames if shipped else [a for a in frames if _alike(a, run.start)]
    settled = run.after(0.1 * run.times_fs[-1])
    calculator = jax_calculator(model)
    parts: dict[str, Any] = {}
    notes = []

    def attempt(name: str, compute: Callable[[], Any]) -> None:
        try:
            parts[name] = compute()
        except DataError as error:
            notes.append(f"No {name}: {error}")

    with contextlib.suppress(DataError):  # no frame of this composition and cell
        parts["reference"] = structure.radial_distributions(comparable, pairs)
    tables: dict[str, Callable[[], Any]] = {
        "quality": lambda: quality.summarize_run(settled),
        "structure": lambda: structure.radial_distributions(settled, pairs),
        "vibrations": lambda: vibrations.vibrational_density_of_states(settled),
        "velocity_autocorrelation": lambda: vibrations.velocity_autocorrelation(settled),
        "displacement": lambda: diffusion.mean_square_displacement(settled, element),
    }
    if water:
        tables["phase"] = lambda: phase.judge_phase(settled)
    else:
        tables["closest"] = lambda: structure.closest_distances(run)
    for name, compute in tables.items():
        attempt(name, compute)
    if water and {"structure", "reference"} <= parts.keys():
        attempt(
            "peaks", lambda: structure.compare_structure(parts["structure"], parts["reference"])
        )
    if water:
        try:
            found = diffusion.diffusion_coefficient(settled)
            notes.append(f"Diffusion coefficient of O: {found} × 10⁻⁹ m²/s.")
        except DataError as error:
            notes.append(f"No diffusion coefficient: {error}")
        parts |= _close_contact(calculator, run, frames)
    try:
        dft_seconds = cost.recorded_dft_seconds(frames)
    except DataError:
        notes.append(
            'No frame records what energy and forces alone took (info["dft_seconds"]), so the cost '
            "of the potential cannot be compared with it."
        )
    else:
        if training_frames is None:
            notes.append(
                "A gap.xml does not record the cost of data and training: give --training-frames "
                "and --training-seconds to see when the potential is cheaper than DFT."
            )
        else:
            step = cost.step_cost(run)
            parts["cost"] = cost.Cost(step, dft_seconds, training_frames, training_seconds)
    return Findings(
        run=run,
        shipped=shipped,
        element=element,
        pairs=tuple(pairs),
        uncertainty=quality.uncertainty_along(run, calculator, VARIANCE_TIMES),
        notes=tuple(notes),
        **parts,
    )


def _close_contact(calculator: Any, run: Trajectory, frames: Sequence[Atoms]) -> dict[str, Any]:
    """Return what happens when two O atoms approach, in water and alone."""
    from helpers.gap.jax.calculator import JaxCalculator
    from helpers.md import short_range

    bare = Atoms("OO", [[0, 0, 0], [3, 0, 0]], cell=[20, 20, 20], pbc=True)
    repulsive = JaxCalculator(short_range.with_core_repulsion(calculator.model))
    apart = short_range.scan_close_contact(calculator, bare)
    return {
        "closest_A": _closest_oxygens_A(frames),
        "approaches": {
            "in the liquid": short_range.scan_close_contact(calculator, run.start),
            "two bare O atoms": apart,
            "the same, with a repulsive core": short_range.scan_close_contact(repulsive, bare),
        },
        "pes_hole": short_range.find_pes_hole(apart),
    }


def _pairs_of_elements(atoms: Atoms) -> list[tuple[str, str]]:
    """Return the pairs of elements that atoms hold, the commonest three elements at most."""
    counts = dict(Counter(atoms.symbols).most_common(3))
    pairs = combinations_with_replacement(sorted(counts), 2)
    return [(one, other) for one, other in pairs if one != other or counts[one] > 1]


def _alike(atoms: Atoms, start: Atoms) -> bool:
    """Tell whether a frame has the composition and the cell of a run."""
    return (
        np.array_equal(np.sort(atoms.numbers), np.sort(start.numbers))
        and np.array_equal(atoms.pbc, start.pbc)
        and bool(np.allclose(atoms.cell.array, start.cell.array, atol=1e-3))
    )


def _closest_oxygens_A(frames: Sequence[Atoms]) -> float:
    closest = []
    for atoms in frames:
        oxygens = atoms[atoms.numbers == 8]
        if len(oxygens) > 1:
            distances = oxygens.get_all_distances(mic=True)
            closest.append(distances[distances > 0].min())
    return float(np.min(closest, initial=np.inf))
