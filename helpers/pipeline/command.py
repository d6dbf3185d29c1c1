"""``mlmd run``: the whole handout in one command."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path

from helpers.files import make_folder
from helpers.gap.fit import ENGINES
from helpers.pipeline.handout import PRESETS, handout_stages
from helpers.pipeline.report import closing_section, overview_section, summary_section
from helpers.pipeline.stages import Outcome, run_stages
from helpers.report.sections import add_section
from helpers.terminal import EXIT_PROBLEM, CommandResult


def run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd run``."""
    parser.epilog = "Example: mlmd run --skip learning-curve,sigmas --output results"
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
    folder = make_folder(folder)
    stages = handout_stages(PRESETS[preset](), engine=engine, progress=progress)

    def report(outcomes: Sequence[Outcome]) -> None:
        add_section(summary_section(folder, outcomes), folder)

    outcomes = run_stages(
        stages, folder, only=only, skip=skip, progress=progress, after_each=report
    )
    add_section(overview_section(folder), folder)
    return CommandResult(outcomes, add_section(closing_section(folder, outcomes), folder))


def _run(options: argparse.Namespace) -> int:
    result = run_handout(
        options.output,
        preset=options.preset,
        only=options.only,
        skip=options.skip,
        engine=options.engine,
        progress=not options.no_progress,
    )
    print()
    for outcome in result.found:
        print(f"{outcome.stage:15s} {outcome.state:12s} {outcome.seconds:6.0f} s  {outcome.reason}")
    assert result.report_path is not None
    print(f"\nThe report is {result.report_path.absolute()}")
    problem = any(outcome.state in ("failed", "not possible") for outcome in result.found)
    return EXIT_PROBLEM if problem else 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
