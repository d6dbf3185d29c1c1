"""Shared by all commands: exit codes, results, progress bars, errors in one line."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.errors import WorkshopError

if TYPE_CHECKING:
    from tqdm import tqdm

EXIT_PROBLEM = 1
EXIT_INTERRUPTED = 130  # as shells report Ctrl-C: 128 + SIGINT


@dataclass(frozen=True)
class CommandResult:
    """The result of a command.

    Attributes
    ----------
    found : Any
        What was computed: the findings of the room.
    report_path : Path or None
        The report; None where there is nothing to report yet.
    """

    found: Any
    report_path: Path | None


def progress_bar(
    total: float, description: str, unit: str = "", *, show: bool = True, **options: Any
) -> tqdm:
    """Return a progress bar: on the error stream in a terminal, a widget in a notebook.

    Use it in a ``with`` block, which closes it.

    Parameters
    ----------
    total : float
        Number at which the bar is full.
    description, unit : str
        What is being done; what is being counted.
    show : bool
        If False, nothing is shown.
    **options
        Other options of `tqdm.tqdm`, such as ``initial`` or ``bar_format``.
    """
    from tqdm.auto import tqdm

    return tqdm(
        total=total, desc=description, unit=unit, disable=not show, file=sys.stderr, **options
    )


@contextlib.contextmanager
def dropped_if_it_fails() -> Iterator[None]:
    """Hold back what is written to the error stream; drop it if an exception leaves the block.

    Compiled libraries write there past Python: a panic of Rust shows itself although the exception
    that it becomes is handled. What they write is passed on if nothing fails. The whole process is
    concerned: use it for moments, and in one thread at a time.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or not there
        sys.stderr.flush()
    try:
        stream = os.dup(2)
    except OSError:  # a process without an error stream
        yield
        return
    with tempfile.TemporaryFile() as held:
        try:
            os.dup2(held.fileno(), 2)
            yield
            held.seek(0)
            os.write(stream, held.read())
        finally:
            os.dup2(stream, 2)
            os.close(stream)


def run_guarded(
    name: str, run: Callable[[argparse.Namespace], int], options: argparse.Namespace
) -> int:
    """Run a command and return its exit code; show errors and the kit's warnings as one line.

    Parameters
    ----------
    name : str
        Name of the command, shown before the error.
    run : function
        Takes the parsed options and returns the exit code.
    options : argparse.Namespace
        With ``options.debug`` the traceback of an error is shown.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _in_one_line(name, warnings.showwarning)
            return run(options)
    except KeyboardInterrupt:
        print(f"{name}: stopped; nothing half-written was left behind", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has closed the pipe
        sys.stderr.close()
        return EXIT_PROBLEM
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        else:
            text = " ".join(str(error).splitlines())
            if not isinstance(error, WorkshopError):
                text = f"{type(error).__name__}: {text} (--debug shows the traceback)"
            print(f"{name}: {text}", file=sys.stderr)
        return EXIT_PROBLEM


def _in_one_line(name: str, others: Callable[..., None]) -> Callable[..., None]:
    """Return what shows a plain warning of the kit as one line, and passes on all others."""

    def show(message: Warning | str, category: type[Warning], *where: Any, **options: Any) -> None:
        if category is UserWarning:
            print(f"{name}: {' '.join(str(message).split())}", file=sys.stderr)
        else:
            others(message, category, *where, **options)

    return show


def teaching_script(
    parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]
) -> int:
    """Run a script of the workshop as a command of its own, with errors in one line and --debug."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return run_guarded(Path(sys.argv[0]).name, run, parser.parse_args())
