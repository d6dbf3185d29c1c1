"""``mlmd learning-curve`` and ``mlmd sweep``: run a sweep, keep its table, add to the report."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.errors import FitError
from helpers.files import make_folder
from helpers.gap.config import GapConfig
from helpers.sweeps.power_law import does_more_data_help
from helpers.sweeps.run import learning_curve, sweep
from helpers.sweeps.table import save_table


def learning_curve_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd learning-curve``."""
    _shared_arguments(parser)
    parser.epilog = "Example: mlmd learning-curve --sizes 50,100,200 --workers 2 --output results"
    parser.add_argument("--sizes", type=sizes, help="training-set sizes; default: all that ship")
    parser.set_defaults(run=_learning_curve)


def sweep_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd sweep``."""
    _shared_arguments(parser)
    parser.epilog = (
        "Example: mlmd sweep --over default_sigma=1e-4,1e-3,1e-2 --over cutoff=3.0,3.5 "
        "--train 100 --workers 2 --output results"
    )
    parser.add_argument(
        "--over",
        action="append",
        required=True,
        metavar="KEY=A,B,…",
        help="values of a setting; several settings: every combination",
    )
    parser.add_argument(
        "--train", type=sizes, default=(100,), metavar="SIZES", help="training-set sizes"
    )
    parser.set_defaults(run=_sweep)


def _shared_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help="a gap_config.cfg; default: the default preset")
    parser.add_argument("--repeats", type=int, default=1, help="fits of each point, for error bars")
    parser.add_argument("--workers", type=int, default=1, help="processes; default: %(default)s")
    parser.add_argument("--scheduler", help="address of a Dask scheduler: compute there instead")
    parser.add_argument("--cache", type=Path, help="folder for what was computed; default: inside")
    parser.add_argument(
        "--output", type=Path, default=Path("results"), help="folder for the results"
    )


def sizes(text: str) -> tuple[int, ...]:
    """Read sizes as typed: whole numbers with commas between them."""
    return tuple(int(word) for word in text.split(","))


def _learning_curve(options: argparse.Namespace) -> int:

    config, settings = _sweep_settings(options)
    return _swept(run_learning_curve_job(config, sizes=options.sizes, **settings))


def _sweep(options: argparse.Namespace) -> int:
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


@dataclass(frozen=True)
class SweepJobResult:
    """What a sweep made."""

    table: pd.DataFrame
    table_path: Path
    report_path: Path


def run_learning_curve_job(
    config: GapConfig,
    folder: str | os.PathLike = "results",
    *,
    sizes: Sequence[int] | None = None,
    say: Callable[[str], None] = print,
    **options: Any,
) -> SweepJobResult:
    """Compute a learning curve; write ``learning_curve.csv`` and a section of the report.

    Parameters
    ----------
    config : GapConfig
        The settings.
    folder : path
        Made if its parent exists. The cache is in it, unless `options` name another.
    sizes : sequence of int, optional
        Training-set sizes; by default all that ship.
    say : callable
        Takes one line of news at a time.
    **options
        Those of `helpers.sweep`.

    Raises
    ------
    FitError
        If not a single point could be computed.
    """
    from helpers.sweeps.report import learning_curve_section

    folder = make_folder(folder)
    options.setdefault("cache", folder / "cache")
    table = learning_curve(config, sizes=sizes, **options)
    result = _finish(table, folder, "learning_curve.csv", learning_curve_section, say)
    if table.loc[table["failure"] == "", "n_frames"].nunique() >= 3:
        say(f"Energies: {does_more_data_help(table)}")
    return result


def run_sweep_job(
    over: Mapping[str, Sequence[Any]],
    config: GapConfig,
    folder: str | os.PathLike = "results",
    *,
    say: Callable[[str], None] = print,
    **options: Any,
) -> SweepJobResult:
    """Run a sweep; write ``sweep.csv`` and a section of the report.

    Parameters and errors are those of `run_learning_curve_job`, with `over` as in
    `helpers.sweep`.
    """
    from helpers.sweeps.report import sweep_section

    folder = make_folder(folder)
    options.setdefault("cache", folder / "cache")
    table = sweep(over, config=config, **options)
    return _finish(table, folder, "sweep.csv", sweep_section, say)


def _finish(
    table: pd.DataFrame,
    folder: Path,
    name: str,
    section: Callable[[pd.DataFrame], Any],
    say: Callable[[str], None],
) -> SweepJobResult:
    from helpers.report.sections import add_section

    path = save_table(table, folder / name)
    failed = table[(table["failure"] != "") & (table["set"] == "validation")]
    if 2 * len(failed) == len(table):
        raise FitError("No point could be computed", found=str(failed["failure"].iloc[0]))
    done = table[table["failure"] == ""]
    varied = list(table.columns[: list(table.columns).index("set")])
    errors = ["set", "rmse_energy_meV_per_atom", "rmse_forces_meV_per_A"]
    shown = [name for name in varied if table[name].nunique() > 1]
    say(done[[*shown, *errors]].to_string(index=False, float_format="{:.4g}".format))
    for reason in failed["failure"]:
        say(f"not computed: {reason}")
    say(f"written: {path}")
    return SweepJobResult(table, path, add_section(section(table), folder))
