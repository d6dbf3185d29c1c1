"""``mlmd learning-curve`` and ``mlmd sweep``: parse, call one function, print."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_sweeps(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add both commands; `shared` holds the options of all commands."""
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument("--config", type=Path, help="a gap_config.cfg; default: the default preset")
    both.add_argument("--repeats", type=int, default=1, help="fits of each point, for error bars")
    both.add_argument("--workers", type=int, default=1, help="processes; default: %(default)s")
    both.add_argument("--scheduler", help="address of a Dask scheduler: compute there instead")
    both.add_argument("--cache", type=Path, help="folder for what was computed; default: inside")
    both.add_argument("--output", type=Path, default=Path("results"), help="folder for the results")
    curve = commands.add_parser(
        "learning-curve",
        parents=[shared, both],
        help="train on more and more frames: does more data help?",
        epilog="Example: mlmd learning-curve --sizes 50,100,200 --workers 2 --output results",
    )
    curve.add_argument("--sizes", type=sizes, help="training-set sizes; default: all that ship")
    curve.set_defaults(run=_learning_curve)
    sweep = commands.add_parser(
        "sweep",
        parents=[shared, both],
        help="try values of settings: which matter, and where does overfitting begin?",
        epilog="Example: mlmd sweep --over default_sigma=1e-4,1e-3,1e-2 --over cutoff=3.0,3.5 "
        "--train 100 --workers 2 --output results",
    )
    sweep.add_argument(
        "--over",
        action="append",
        required=True,
        metavar="KEY=A,B,…",
        help="values of a setting; several settings: every combination",
    )
    sweep.add_argument(
        "--train", type=sizes, default=(100,), metavar="SIZES", help="training-set sizes"
    )
    sweep.set_defaults(run=_sweep)


def sizes(text: str) -> tuple[int, ...]:
    """Read sizes as typed: whole numbers with commas between them."""
    return tuple(int(word) for word in text.split(","))


def _learning_curve(options: argparse.Namespace) -> int:
    from helpers.sweep_job import run_learning_curve_job

    config, settings = _sweep_settings(options)
    return _swept(run_learning_curve_job(config, sizes=options.sizes, **settings))


def _sweep(options: argparse.Namespace) -> int:
    from helpers.sweep_job import run_sweep_job
    from helpers.sweeps.grid import parse_over

    config, settings = _sweep_settings(options)
    over = dict(parse_over(text) for text in options.over)
    return _swept(run_sweep_job(over, config, sizes=options.train, **settings))


def _sweep_settings(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    from helpers.gap.config import GapConfig

    settings = {
        "folder": options.output,
        "repeats": options.repeats,
        "workers": options.workers,
        "client": options.scheduler,
        "progress": not options.no_progress,
    }
    if options.cache is not None:
        settings["cache"] = options.cache
    return GapConfig.read(options.config) if options.config else GapConfig(), settings


def _swept(result: Any) -> int:
    print(f"\nThe report is {result.report_path.absolute()}")
    return 1 if (result.table["failure"] != "").any() else 0
