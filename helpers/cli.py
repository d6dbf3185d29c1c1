"""``mlmd``: each subcommand parses, calls one function of the package, and prints."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from helpers import __version__
from helpers.cli_md import EXIT_INTERRUPTED, add_md
from helpers.cli_sagpr import add_sagpr
from helpers.cli_sweeps import add_sweeps
from helpers.errors import DataError, WorkshopError

EXIT_PROBLEM = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit code: 0, 1 for an error, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    return _guarded(f"mlmd {options.command}", options.run, options)


def error_script(description: str, *, split: str, csv: str) -> int:
    """Be ``gap_error_train.py`` or ``gap_error_validate.py`` of the workshop's terminal edition.

    Parameters
    ----------
    description : str
        For ``--help``.
    split : str
        ``"train"``: the frames that the config file names; ``"validate"``: the shipped ones.
    csv : str
        Default name of the table of true and predicted values.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--config", type=Path, default=Path("gap_config.cfg"), help="default: %(default)s"
    )
    parser.add_argument("--model", type=Path, help="default: the gap_file of the config")
    parser.add_argument("--output", type=Path, default=Path(csv), help="default: %(default)s")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args()
    options.split, options.no_progress = split, False
    return _guarded(Path(sys.argv[0]).name, _error_table, options)


def teaching_script(
    parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]
) -> int:
    """Run a script of the workshop like a subcommand: errors in one line, --debug for more."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return _guarded(Path(sys.argv[0]).name, run, parser.parse_args())


def _guarded(
    name: str, run: Callable[[argparse.Namespace], int], options: argparse.Namespace
) -> int:
    """Run a command; an error becomes one line, and a traceback only with --debug."""
    try:
        return run(options)
    except KeyboardInterrupt:
        print(f"{name}: stopped; nothing half-written was left behind", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stderr.close()
        return EXIT_PROBLEM
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        else:
            text = " ".join(str(error).splitlines())
            if not isinstance(error, WorkshopError):
                text = f"{type(error).__name__}: {text} (--debug tells more)"
            print(f"{name}: {text}", file=sys.stderr)
        return EXIT_PROBLEM


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    shared.add_argument("--no-progress", action="store_true", help="show no progress bars")
    parser = argparse.ArgumentParser(
        prog="mlmd",
        description="Accelerating molecular dynamics with machine learning: the workshop kit.",
        epilog="Start with: mlmd doctor, then mlmd run",
    )
    parser.add_argument("--version", action="version", version=f"mlmd {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    doctor = commands.add_parser(
        "doctor", parents=[shared], help="check that everything needed is installed and sound"
    )
    doctor.set_defaults(run=_doctor)

    fit = commands.add_parser(
        "fit",
        parents=[shared],
        help="train a potential with gap_fit",
        epilog="Example: mlmd fit workshop/gap_config.cfg --output gap.xml",
    )
    fit.add_argument(
        "config", nargs="?", type=Path, help="a gap_config.cfg; without one, the default preset"
    )
    fit.add_argument("--accurate", action="store_true", help="the preset for accuracy: 400 frames")
    fit.add_argument("--output", type=Path, help="model file to write (default: as configured)")
    fit.set_defaults(run=_fit)

    evaluate = commands.add_parser(
        "evaluate",
        parents=[shared],
        help="compare a potential with DFT",
        epilog="Example: mlmd evaluate gap.xml --csv validation_errors.csv",
    )
    evaluate.add_argument("model", type=Path, help="a gap.xml")
    evaluate.add_argument(
        "--frames", help="an extended XYZ file (default: the shipped validation frames)"
    )
    evaluate.add_argument("--energy-name", default="dft_energy", help="label of the energies (eV)")
    evaluate.add_argument("--forces-name", default="dft_forces", help="label of the forces (eV/Å)")
    evaluate.add_argument("--csv", type=Path, help="write true and predicted values to this file")
    evaluate.add_argument("--processes", type=int, help="default: one per core")
    evaluate.set_defaults(run=_evaluate)

    run = commands.add_parser(
        "run",
        parents=[shared],
        help="the main job: train, judge, report",
        epilog="Example: mlmd run --quick --output results",
    )
    size = run.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="seconds instead of a minute, to try")
    size.add_argument("--accurate", action="store_true", help="the preset for accuracy: minutes")
    run.add_argument("--output", type=Path, default=Path("results"), help="folder for the results")
    run.set_defaults(run=_run)
    add_sweeps(commands, shared)
    add_md(commands, shared)
    add_sagpr(commands, shared)
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from helpers.doctor import examine

    checks = examine()
    for check in checks:
        print(check)
    n_problems = sum(not check.ok for check in checks)
    print(f"\n{n_problems} problems" if n_problems else "\nEverything needed is here.")
    return EXIT_PROBLEM if n_problems else 0


def _fit(options: argparse.Namespace) -> int:
    from helpers.frames import find_frames_file
    from helpers.gap.config import GapConfig
    from helpers.gap.fit import fit_gap

    if options.config is not None and options.accurate:
        raise DataError("A config and --accurate are both given", fix="keep one of them")
    near = None
    if options.config is not None:
        config, near = GapConfig.read(options.config), options.config.parent
    else:
        config = GapConfig.accurate() if options.accurate else GapConfig()
    result = fit_gap(
        config,
        find_frames_file(config.atoms_filename, near),
        output=options.output,
        progress=not options.no_progress,
    )
    print(result)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from helpers.frames import load_frames, read_frames

    frames = read_frames(options.frames) if options.frames else load_frames("water", "validate")
    _compare(
        options.model,
        frames,
        csv=options.csv,
        energy_name=options.energy_name,
        forces_name=options.forces_name,
        processes=options.processes,
        progress=not options.no_progress,
    )
    return 0


def _error_table(options: argparse.Namespace) -> int:
    from helpers.frames import find_frames_file, load_frames, read_frames
    from helpers.gap.config import GapConfig

    folder = options.config.parent
    config = GapConfig.read(options.config)
    model = options.model or folder / config.gap_file
    if options.split == "train":
        frames = read_frames(find_frames_file(config.atoms_filename, folder))
        names = {
            "energy_name": config.energy_parameter_name,
            "forces_name": config.force_parameter_name,
        }
    else:
        frames, names = load_frames("water", "validate"), {}
    _compare(model, frames, csv=options.output, progress=True, **names)
    return 0


def _compare(model: Path, frames: list, *, csv: Path | None, **settings: Any) -> None:
    """Evaluate, print the errors, and write the table of true and predicted values."""
    from helpers.evaluation import evaluate
    from helpers.files import check_target

    if csv is not None:
        check_target(csv)
    result = evaluate(model, frames, **settings)
    print(result)
    print(result.summary().to_string(index=False, float_format="{:.2f}".format))
    if csv is not None:
        print(f"written: {result.to_csv(csv)}")


def _run(options: argparse.Namespace) -> int:
    from helpers.gap.config import GapConfig
    from helpers.main_job import quick_config, run_main_job

    config = GapConfig()
    if options.quick:
        config = quick_config()
    elif options.accurate:
        config = GapConfig.accurate()
    result = run_main_job(config, options.output, progress=not options.no_progress)
    print(f"\nThe report is {result.report_path.absolute()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
