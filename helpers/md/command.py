"""``mlmd md``: run molecular dynamics, analyze the run, write the report."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers.errors import ConfigError, DataError
from helpers.files import make_folder, write_table
from helpers.frames import load_frames
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
    parser.add_argument("--snapshot", type=int, default=0, help="validation snapshot to start from")
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
    result = run_md_job(
        options.model,
        options.output,
        ensemble=options.ensemble,
        snapshot=options.snapshot,
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


VARIANCE_TIMES = 10  # each takes about a second


def run_md_job(
    model: str | os.PathLike,
    folder: str | os.PathLike = "results",
    *,
    ensemble: str = "nve",
    snapshot: int = 0,
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
    snapshot : int
        Number of the validation snapshot to start from.
    training_frames : int, optional
        How many frames the model was trained on. With it the cost is told, and the break-even.
    training_seconds : float
        What the training took.
    say : callable
        Takes one line of news at a time.
    **options
        Those of `run_nve` or `run_nvt`.

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
    run = runs[ensemble](model, snapshot, output=folder / ensemble, progress=progress, **options)
    if run.interrupted:
        return CommandResult(run, None)
    say(f"{run.times_fs[-1] / 1000:g} ps at {run.temperature_K.mean():.0f} K on average")
    if not run.stable:
        say(f"  stopped: {run.stopped}")
    say(f"  {folder / ensemble}.log, .xyz, .traj")
    found = findings(model, run, training_frames=training_frames, training_seconds=training_seconds)
    for name in ("quality", "structure", "peaks", "vibrations", "displacement", "uncertainty"):
        if (table := getattr(found, name)) is not None:
            write_table(folder / f"{ensemble}_{name}.csv", table)
    if found.cost is not None:
        write_table(folder / f"{ensemble}_cost.csv", found.cost.table())
    if found.phase is not None:
        row = {**vars(found.phase), "verdict": found.phase.verdict}
        write_table(folder / f"{ensemble}_phase.csv", pd.DataFrame([row]))
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
    training_frames: int | None = None,
    training_seconds: float = 0.0,
) -> Any:
    """Return everything that the report says about a run, as `md.report.Findings`."""
    from helpers.gap.jax.calculator import JaxCalculator
    from helpers.gap.potential import jax_calculator
    from helpers.md import cost, diffusion, phase, quality, short_range, structure, vibrations
    from helpers.md.report import Findings

    calculator = jax_calculator(model)
    frames = load_frames("water", "train") + load_frames("water", "validate")
    reference = structure.radial_distributions(frames)
    settled = run.after(0.1 * run.times_fs[-1])
    parts: dict[str, Any] = {}
    notes = []
    for name, compute in (
        ("quality", lambda: quality.summarize_run(settled)),
        ("structure", lambda: structure.radial_distributions(settled)),
        ("peaks", lambda: structure.compare_structure(parts["structure"], reference)),
        ("vibrations", lambda: vibrations.vibrational_density_of_states(settled)),
        ("velocity_autocorrelation", lambda: vibrations.velocity_autocorrelation(settled)),
        ("displacement", lambda: diffusion.mean_square_displacement(settled)),
        ("phase", lambda: phase.judge_phase(settled)),
    ):
        try:
            parts[name] = compute()
        except DataError as error:
            notes.append(f"No {name}: {error}")
    try:
        found = diffusion.diffusion_coefficient(settled)
        notes.append(f"Diffusion coefficient of O: {found} × 10⁻⁹ m²/s.")
    except DataError as error:
        notes.append(f"No diffusion coefficient: {error}")
    bare = Atoms("OO", [[0, 0, 0], [3, 0, 0]], cell=[20, 20, 20], pbc=True)
    repulsive = JaxCalculator(short_range.with_core_repulsion(calculator.model))
    apart = short_range.scan_close_contact(calculator, bare)
    if training_frames is None:
        notes.append(
            "A gap.xml does not record the cost of data and training: give --training-frames and "
            "--training-seconds to see when the potential is cheaper than DFT."
        )
    else:
        parts["cost"] = cost.Cost(
            cost.step_cost(run),
            cost.recorded_dft_seconds(frames),
            training_frames,
            training_seconds,
        )
    return Findings(
        run=run,
        reference=reference,
        closest_A=_closest_oxygens_A(frames),
        approaches={
            "in the liquid": short_range.scan_close_contact(calculator, run.start),
            "two bare O atoms": apart,
            "the same, with a repulsive core": short_range.scan_close_contact(repulsive, bare),
        },
        pes_hole=short_range.find_pes_hole(apart),
        uncertainty=quality.uncertainty_along(run, calculator, VARIANCE_TIMES),
        notes=tuple(notes),
        **parts,
    )


def _closest_oxygens_A(frames: list[Atoms]) -> float:
    closest = []
    for atoms in frames:
        oxygens = atoms[atoms.numbers == 8]
        distances = oxygens.get_all_distances(mic=True)
        closest.append(distances[distances > 0].min())
    return float(np.min(closest))
