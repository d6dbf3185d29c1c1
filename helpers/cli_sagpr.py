"""``mlmd polarizability`` and ``mlmd raman``: their place in the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_sagpr(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add both subcommands to the parser of ``mlmd``."""
    learn = commands.add_parser(
        "polarizability",
        parents=[shared],
        help="learn polarizabilities: train, judge, report",
        epilog="Example: mlmd polarizability --features 500 --output results",
    )
    learn.add_argument("--features", type=int, help="to keep of each element and λ; default: all")
    learn.add_argument("--zeta", type=int, choices=(1, 2), default=1, help="of λ = 2; default: 1")
    learn.add_argument(
        "--search",
        action="store_true",
        help="search for better settings first; one split judges them",
    )
    learn.add_argument("--seeds", type=int, default=5, help="splits to judge by; default: 5")
    learn.add_argument("--output", type=Path, default=Path("results"), help="folder for results")
    learn.set_defaults(run=_polarizability)

    raman = commands.add_parser(
        "raman",
        parents=[shared],
        help="a Raman spectrum by molecular dynamics with a potential",
        epilog="Example: mlmd raman results/gap.xml --model results/polarizability.npz",
    )
    raman.add_argument("potential", type=Path, help="a gap.xml")
    raman.add_argument(
        "--model", type=Path, help="of mlmd polarizability; default: one is trained, in seconds"
    )
    raman.add_argument("--picoseconds", type=float, default=20.0, help="default: %(default)s")
    raman.add_argument("--temperature", type=float, default=300.0, help="K; default: %(default)s")
    raman.add_argument("--replicas", type=int, default=4, help="runs at once; default: 4")
    raman.add_argument(
        "--resolution",
        type=float,
        default=30.0,
        help="distance of the spectrum's points, 1/cm: bands twice as far apart are told apart; "
        "default: %(default)s",
    )
    raman.add_argument("--seed", type=int, default=0, help="of the random numbers; default: 0")
    raman.add_argument("--output", type=Path, default=Path("results"), help="folder for results")
    raman.set_defaults(run=_raman)


def _polarizability(options: argparse.Namespace) -> int:
    from helpers.gap import checks
    from helpers.polarizability_job import run_polarizability_job
    from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge

    checks.whole("seeds", options.seeds, 1, 100)
    result = run_polarizability_job(
        options.output,
        model=SymmetryAdaptedKernelRidge(
            n_features=options.features, zeta={0: 1, 2: 2} if options.zeta == 2 else 1
        ),
        search=options.search,
        seeds=range(options.seeds),
        progress=not options.no_progress,
    )
    print(f"\nThe report is {result.report_path.absolute()}")
    return 0


def _raman(options: argparse.Namespace) -> int:
    from helpers.raman_job import run_raman_job

    result = run_raman_job(
        options.potential,
        options.output,
        model=options.model,
        picoseconds=options.picoseconds,
        temperature_K=options.temperature,
        replicas=options.replicas,
        resolution_per_cm=options.resolution,
        seed=options.seed,
        progress=not options.no_progress,
    )
    print(f"\nThe report is {result.report_path.absolute()}")
    return 0
