"""``mlmd md``: molecular dynamics from the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from helpers.errors import DataError

EXIT_INTERRUPTED = 130


def add_md(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the subcommand to the parser of ``mlmd``."""
    md = commands.add_parser(
        "md",
        parents=[shared],
        help="molecular dynamics with a potential: run, judge, report",
        epilog="Example: mlmd md results/gap.xml --steps 4000 --output results",
    )
    md.add_argument("model", type=Path, help="a gap.xml")
    md.add_argument("--ensemble", choices=("nve", "nvt"), default="nve", help="default: nve")
    md.add_argument("--steps", type=int, default=4000, help="default: %(default)s")
    md.add_argument("--timestep", type=float, default=0.5, help="fs; default: %(default)s")
    md.add_argument("--temperature", type=float, default=300.0, help="K; default: %(default)s")
    md.add_argument("--thermostat", choices=("langevin", "bussi"), help="of nvt; default: langevin")
    md.add_argument("--snapshot", type=int, default=0, help="validation snapshot to start from")
    md.add_argument("--seed", type=int, default=0, help="of the random numbers; default: 0")
    md.add_argument("--record-every", type=int, default=4, help="steps; default: %(default)s")
    md.add_argument(
        "--engine",
        choices=("compiled", "ase"),
        default="compiled",
        help="compiled: the fast loop (default); ase: the integrators of ASE",
    )
    md.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    md.add_argument("--training-frames", type=int, help="of the model: to tell what it costs")
    md.add_argument("--training-seconds", type=float, default=0.0, help="that its training took")
    md.add_argument("--output", type=Path, default=Path("results"), help="folder for the results")
    md.set_defaults(run=_md)


def _md(options: argparse.Namespace) -> int:
    from helpers.md_job import run_md_job

    if options.thermostat and options.ensemble == "nve":
        raise DataError("--thermostat has no meaning at constant energy", fix="add --ensemble nvt")
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
        print("mlmd md: stopped; the same command with --resume goes on", file=sys.stderr)
        return EXIT_INTERRUPTED
    print(f"\nThe report is {result.report_path.absolute()}")
    return 0
