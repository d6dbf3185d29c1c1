"""``mlmd run``: the whole handout in one command."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from helpers import checks
from helpers.datasets.command import dataset_arguments, dataset_from
from helpers.datasets.reading import Dataset
from helpers.errors import ConfigError, OutputError
from helpers.files import make_folder
from helpers.frames import ENERGY_NAME, FORCES_NAME
from helpers.gap.config import GapConfig
from helpers.gap.fit import ENGINES
from helpers.pipeline.handout import PRESETS, TEMPERATURE_K, handout_stages
from helpers.pipeline.report import (
    closing_section,
    drop_sections,
    overview_section,
    own_overview_section,
    summary_section,
)
from helpers.pipeline.stages import RECORDS, Outcome, Stage, run_stages
from helpers.report.sections import add_section
from helpers.terminal import EXIT_PROBLEM, CommandResult


def run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd run``."""
    parser.epilog = (
        "Example: mlmd run --skip learning-curve,sigmas --output results, or for your own frames: "
        "mlmd run my_frames.xyz --output mine"
    )
    dataset_arguments(parser, required=False)
    parser.add_argument(
        "--validate", help="frames of your own to validate on; default: some of yours are set aside"
    )
    parser.add_argument(
        "--config",
        type=Path,
        help="a gap_config.cfg for frames of your own; default: settings that follow from them",
    )
    size = parser.add_mutually_exclusive_group()
    for name, words in (
        ("quick", "small models and runs of a few steps, to see that everything works"),
        ("fast", "the default: about four minutes on two cores"),
        ("accurate", "more frames, longer runs"),
    ):
        size.add_argument(f"--{name}", dest="preset", action="store_const", const=name, help=words)
    parser.add_argument(
        "--only", type=_names, default=(), help="do these stages and what they need"
    )
    parser.add_argument("--skip", type=_names, default=(), help="do all stages but these")
    parser.add_argument(
        "--temperature",
        type=float,
        default=TEMPERATURE_K,
        help="of the dynamics and of the spectrum, K; default: %(default)s",
    )
    parser.add_argument(
        "--engine",
        choices=tuple(ENGINES),
        default="jax",
        help="what trains the potentials: the kit's own (default), or gap_fit, which is slower",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("results"), help="folder for the results"
    )
    parser.set_defaults(run=_run, preset="fast")


def run_handout(
    folder: str | Path = "results",
    *,
    preset: str = "fast",
    temperature_K: float = TEMPERATURE_K,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    engine: str = "jax",
    progress: bool = True,
) -> CommandResult:
    """Run the handout on the shipped water, and write everything into `folder`.

    What was finished before, and whose inputs did not change, is not done again.

    Parameters
    ----------
    folder : path
        Made if its parent exists.
    preset : str
        ``"quick"``, ``"fast"`` or ``"accurate"``.
    temperature_K : float
        Of the dynamics and of the spectrum.
    only, skip : collection of str
        Names of stages (see `handout.handout_stages`).
    engine : str
        What trains the potentials, ``"jax"`` or ``"gap_fit"``.
    progress : bool
        Show bars.

    Returns
    -------
    CommandResult
        ``found`` is a list of `Outcome`, one for each stage.

    Raises
    ------
    ConfigError, OutputError
        As `run_stages`.
    """
    checks.number("temperature_K", temperature_K, unit="K")
    stages = handout_stages(
        PRESETS[preset](), temperature_K=temperature_K, engine=engine, progress=progress
    )
    outcomes = _run_stages(stages, folder, only, skip, progress)
    add_section(overview_section(temperature_K), folder)
    return CommandResult(outcomes, add_section(closing_section(outcomes), folder))


def run_own_data(
    dataset: Dataset,
    folder: str | Path = "results",
    *,
    validation: Dataset | None = None,
    config: GapConfig | None = None,
    preset: str = "fast",
    temperature_K: float = TEMPERATURE_K,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    engine: str = "jax",
    progress: bool = True,
) -> CommandResult:
    """Run the handout on frames of your own, and write everything into `folder`.

    Parameters
    ----------
    dataset : Dataset
        The frames (`helpers.datasets.read_dataset`).
    folder : path
        Made if its parent exists.
    validation : Dataset, optional
        Frames to validate on; by default some of `dataset` are set aside.
    config : GapConfig, optional
        Settings; by default those that follow from the data.
    preset : str
        How long the runs are: ``"quick"``, ``"fast"`` or ``"accurate"``.
    temperature_K, only, skip, engine, progress
        As for `run_handout`.

    Returns
    -------
    CommandResult
        ``found`` is a list of `Outcome`, one for each stage.

    Raises
    ------
    DataError
        If the frames cannot be used at all.
    ConfigError, OutputError
        As `run_stages`.
    """
    from helpers.pipeline.own_data import own_data_stages, prepare

    checks.number("temperature_K", temperature_K, unit="K")
    data = prepare(dataset, validation, config, preset=preset)
    stages = own_data_stages(
        data, preset=preset, temperature_K=temperature_K, engine=engine, progress=progress
    )
    outcomes = _run_stages(stages, folder, only, skip, progress)
    add_section(own_overview_section(data), folder)
    sources = [*dataset.sources, *(validation.sources if validation else ())]
    files = list(dict.fromkeys(Path(source.rpartition(":")[0]) for source in sources))
    return CommandResult(outcomes, add_section(closing_section(outcomes, files), folder))


def _run_stages(
    stages: Sequence[Stage],
    folder: str | Path,
    only: Collection[str],
    skip: Collection[str],
    progress: bool,
) -> list[Outcome]:
    folder = make_folder(folder)
    _check_same_job(stages, folder)

    def report(outcomes: Sequence[Outcome]) -> None:
        drop_sections(folder, outcomes)
        add_section(summary_section(folder, outcomes), folder)

    return run_stages(stages, folder, only=only, skip=skip, progress=progress, after_each=report)


def _check_same_job(stages: Sequence[Stage], folder: Path) -> None:
    """Refuse to mix results of the shipped water and of other frames in one folder."""
    own = any(stage.name == "data" for stage in stages)
    there = {path.stem for path in (folder / RECORDS).glob("*.json")}
    if there and ("data" in there) != own:
        raise OutputError(
            f"{folder} holds results of {'the shipped water' if own else 'other frames'}",
            fix="give another folder: --output NAME",
        )


def _run(options: argparse.Namespace) -> int:
    shared = {
        "preset": options.preset,
        "temperature_K": options.temperature,
        "only": options.only,
        "skip": options.skip,
        "engine": options.engine,
        "progress": not options.no_progress,
    }
    if options.frames:
        result = _run_own(options, shared)
    else:
        _refuse_without_frames(options)
        result = run_handout(options.output, **shared)
    print()
    for outcome in result.found:
        print(f"{outcome.stage:15s} {outcome.state:12s} {outcome.seconds:6.0f} s  {outcome.reason}")
    assert result.report_path is not None
    print(f"\nThe report is {result.report_path.absolute()}")
    problem = any(outcome.state in ("failed", "not possible") for outcome in result.found)
    return EXIT_PROBLEM if problem else 0


def _run_own(options: argparse.Namespace, shared: dict[str, Any]) -> CommandResult:
    config = GapConfig.read(options.config) if options.config else None
    labels = {}
    if config is not None:  # names that the kit does not use itself were chosen
        names = config.label_names
        given = {"energy": names["energy_name"], "forces": names["forces_name"]}
        labels = {
            what: name for what, name in given.items() if name not in (ENERGY_NAME, FORCES_NAME)
        }
    dataset = dataset_from(options, labels=labels)
    validation = (
        dataset_from(options, [options.validate], labels=labels) if options.validate else None
    )
    return run_own_data(dataset, options.output, validation=validation, config=config, **shared)


def _refuse_without_frames(options: argparse.Namespace) -> None:
    for name in ("validate", "config", "label", "unit", "elements", "lammps_units"):
        if getattr(options, name):
            raise ConfigError(
                f"--{name.replace('_', '-')} is given without frames of your own",
                fix="name them: mlmd run my_frames.xyz; the shipped water takes no such option",
            )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
