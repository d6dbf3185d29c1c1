"""What all commands share: errors in one line, exit codes, progress bars, results."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.errors import WorkshopError

if TYPE_CHECKING:
    from tqdm import tqdm

EXIT_PROBLEM, EXIT_INTERRUPTED = 1, 130


def teaching_script(
    parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]
) -> int:
    """Run a script of the workshop like a subcommand: errors in one line, --debug for more."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return run_guarded(Path(sys.argv[0]).name, run, parser.parse_args())


def run_guarded(
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


@dataclass(frozen=True)
class CommandResult:
    """What a command made.

    Attributes
    ----------
    found : Any
        What was computed: the findings of the room.
    report_path : Path or None
        The report that tells it; None where there is nothing to tell yet.
    """

    found: Any
    report_path: Path | None


def progress_bar(
    total: float, description: str, unit: str = "", *, show: bool = True, **options: Any
) -> tqdm:
    """Return a progress bar on the error stream (a widget in notebooks); ``with`` closes it.

    Parameters
    ----------
    total : float
        Where the bar is full.
    description, unit : str
        What is done, and of what there are so many.
    show : bool
        Without it nothing is printed.
    **options
        Others of `tqdm.tqdm`, such as ``initial`` or ``bar_format``.
    """
    from tqdm.auto import tqdm

    return tqdm(
        total=total, desc=description, unit=unit, disable=not show, file=sys.stderr, **options
    )
