"""``mlmd learning-curve`` and ``mlmd sweep``: run a sweep, write its table and report."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.datasets import read_dataset, split_dataset
from helpers.errors import ConfigError, FitError
from helpers.files import make_folder, write_table
from helpers.frames import (
    ENERGY_NAME,
    FORCES_NAME,
    find_frames_file,
    names_shipped_frames,
)
from helpers.gap.config import GapConfig
from helpers.gap.fit import ENGINES
from helpers.report.sections import Section, add_section
from helpers.sweeps.grid import SIGMAS, parse_over
from helpers.sweeps.power_law import does_more_data_help
from helpers.sweeps.report import learning_curve_section, sweep_section
from helpers.sweeps.run import JUDGES, OwnFrames, learning_curve, sweep
from helpers.sweeps.table import ENERGY, FORCES, settings_of
from helpers.terminal import CommandResult

# A data set carries its labels under the kit's names.
KIT_NAMES = {"energy_parameter_name": ENERGY_NAME, "force_parameter_name": FORCES_NAME}


def learning_curve_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd learning-curve``."""
    _shared_arguments(parser)
    parser.epilog = "Example: mlmd learning-curve --sizes 50,100,200 --workers 2 --output results"
    parser.add_argument(
        "--sizes", type=sizes, help="training-set sizes; default: all shipped sizes"
    )
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
        help="values of a setting; given several times: every combination",
    )
    parser.add_argument(
        "--train",
        type=sizes,
        metavar="SIZES",
        help="training-set sizes; default: 100 of the shipped frames, or all of yours",
    )
    parser.set_defaults(run=_sweep)


def run_learning_curve_job(
    config: GapConfig,
    folder: str | os.PathLike = "results",
    *,
    sizes: Sequence[int] | None = None,
    **options: Any,
) -> CommandResult:
    """Compute a learning curve; write ``learning_curve.csv`` and a section of the report.

    Parameters
    ----------
    config : GapConfig
        The settings.
    folder : path
        Made if its parent exists. The cache is in it, unless `options` name another.
    sizes : sequence of int, optional
        Training-set sizes; by default all that ship.
    **options
        Those of `helpers.sweep`.

    Returns
    -------
    CommandResult
        ``found`` is the table of `helpers.learning_curve`.

    Raises
    ------
    FitError
        If not a single point could be computed.
    """
    folder = make_folder(folder)
    options.setdefault("cache", folder / "cache")
    table = learning_curve(config, sizes=sizes, **options)
    result = _write_and_print(table, folder / "learning_curve.csv", learning_curve_section)
    if table.loc[table["failure"] == "", "n_frames"].nunique() >= 3:
        print(f"Energies: {does_more_data_help(table)}")
    return result


def run_sweep_job(
    over: Mapping[str, Sequence[Any]],
    config: GapConfig,
    folder: str | os.PathLike = "results",
    **options: Any,
) -> CommandResult:
    """Run a sweep; write ``sweep.csv`` and a section of the report.

    Parameters, result and errors are those of `run_learning_curve_job`, with `over` as in
    `helpers.sweep`.
    """
    folder = make_folder(folder)
    options.setdefault("cache", folder / "cache")
    table = sweep(over, config=config, **options)
    return _write_and_print(table, folder / "sweep.csv", sweep_section)


def _write_and_print(
    table: pd.DataFrame, path: Path, section: Callable[[pd.DataFrame], Section]
) -> CommandResult:
    write_table(path, table, digits=None)
    failed = table[(table["failure"] != "") & (table["set"] == "validation")]
    if 2 * len(failed) == len(table):
        raise FitError("No point could be computed", found=str(failed["failure"].iloc[0]))
    done = table[table["failure"] == ""]
    settings = [*settings_of(table), "n_frames", "repeat", *SIGMAS]
    varied = [name for name in dict.fromkeys(settings) if table[name].nunique() > 1]
    rows = done[[*varied, "set", ENERGY, FORCES]]
    print(rows.to_string(index=False, float_format="{:.4g}".format))
    for reason in failed["failure"]:
        print(f"not computed: {reason}")
    print(f"written: {path}")
    return CommandResult(table, add_section(section(table), path.parent))


def _learning_curve(options: argparse.Namespace) -> int:
    config, own = _config(options), _own_frames(options)
    config = config.replace(**KIT_NAMES) if own else config
    return _exit_code(
        run_learning_curve_job(
            config, options.output, sizes=options.sizes, **own, **_options(options)
        )
    )


def _sweep(options: argparse.Namespace) -> int:
    over = dict(parse_over(text) for text in options.over)
    config, own = _config(options), _own_frames(options)
    config = config.replace(**KIT_NAMES) if own else config
    sizes = options.train or ((len(own["dataset"].training),) if own else (100,))
    return _exit_code(
        run_sweep_job(over, config, options.output, sizes=sizes, **own, **_options(options))
    )


def _config(options: argparse.Namespace) -> GapConfig:
    return GapConfig.read(options.config) if options.config else GapConfig()


def _own_frames(options: argparse.Namespace) -> dict[str, Any]:
    """Return the frames that the config names as an option of `helpers.sweep`, and tell them.

    Empty where it names shipped frames.
    """
    name = _config(options).atoms_filename
    near = options.config.parent if options.config else None
    if names_shipped_frames(name):
        if options.validate:
            raise ConfigError(
                "--validate is given, and the training frames are the shipped ones",
                fix="name your frames in the config: atoms_filename=…",
            )
        return {}
    path = find_frames_file(name, near)
    names = _config(options).label_names
    labels = {"energy": names["energy_name"], "forces": names["forces_name"]}
    dataset = read_dataset(path, labels=labels)
    if options.validate:
        validation = read_dataset(options.validate, labels=labels)
        how = f"validated on the {len(validation)} frames of {options.validate}"
        frames = OwnFrames(dataset, validation)
    else:
        parts = split_dataset(dataset)
        frames, how = OwnFrames(parts.training, parts.validation), parts.how
    print(f"Trained on frames of {path}; {how}.")
    return {"dataset": frames}


def _options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `helpers.sweep` that both commands have."""
    cache = {} if options.cache is None else {"cache": options.cache}
    return {
        "repeats": options.repeats,
        "engine": options.engine,
        "judge": options.judge,
        "workers": options.workers,
        "client": options.scheduler,
        "progress": not options.no_progress,
        **cache,
    }


def _exit_code(result: CommandResult) -> int:
    assert result.report_path is not None
    print(f"\nThe report is {result.report_path.absolute()}")
    return 1 if (result.found["failure"] != "").any() else 0


def _shared_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help="a gap_config.cfg; default: the default preset")
    parser.add_argument(
        "--validate",
        help="frames to judge by, if the config names frames of your own; default: some of these",
    )
    parser.add_argument("--repeats", type=int, default=1, help="fits of each point, for error bars")
    parser.add_argument(
        "--engine",
        choices=tuple(ENGINES),
        default="gap_fit",
        help="gap_fit (default), or the kit's own, which is faster",
    )
    parser.add_argument(
        "--judge",
        choices=JUDGES,
        default="validation",
        help="errors on the validation frames (default), or on training trajectories left out",
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="fits at the same time; default: %(default)s"
    )
    parser.add_argument("--scheduler", help="address of a Dask scheduler, to compute on a cluster")
    parser.add_argument(
        "--cache",
        type=Path,
        help="folder that keeps finished fits; default: cache/ in the output folder",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("results"), help="folder for the results"
    )


def sizes(text: str) -> tuple[int, ...]:
    """Read sizes as typed: whole numbers with commas between them."""
    return tuple(int(word) for word in text.split(","))
