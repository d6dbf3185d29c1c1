"""``mlmd learning-curve`` and ``mlmd sweep``: run a sweep, keep its table, add to the report."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.errors import FitError
from helpers.files import make_folder
from helpers.gap.config import GapConfig
from helpers.sweeps.learning import does_more_data_help
from helpers.sweeps.run import learning_curve, sweep
from helpers.sweeps.table import save_table


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
    from helpers.report.sweep_sections import learning_curve_section

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
    from helpers.report.sweep_sections import sweep_section

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
