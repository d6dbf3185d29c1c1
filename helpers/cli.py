"""``mlmd``: the table of its commands. Each one lives in the ``command.py`` of its room."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from helpers import __version__
from helpers.terminal import run_guarded

# Name of a command → module and function that add its arguments, and one line of help.
COMMANDS = {
    "doctor": (
        "helpers.doctor:doctor_arguments",
        "check that programs, packages and data are in place",
    ),
    "look": (
        "helpers.datasets.command:look_arguments",
        "look at your own frames: labels, units, outliers, duplicates",
    ),
    "run": (
        "helpers.pipeline.command:run_arguments",
        "the whole handout in one command: train, evaluate, sweep, simulate, spectrum, report",
    ),
    "fit": ("helpers.gap.command:fit_arguments", "train a potential with gap_fit"),
    "evaluate": (
        "helpers.gap.command:evaluate_arguments",
        "errors of a potential: compare its energies and forces with DFT",
    ),
    "learning-curve": (
        "helpers.sweeps.command:learning_curve_arguments",
        "errors against the number of training frames: would more data help?",
    ),
    "sweep": (
        "helpers.sweeps.command:sweep_arguments",
        "errors for many values of settings: which of them matter, and when does it overfit?",
    ),
    "md": (
        "helpers.md.command:md_arguments",
        "run molecular dynamics with a potential, analyze it, write the report",
    ),
    "polarizability": (
        "helpers.sagpr.command:polarizability_arguments",
        "train a model of the polarizability, evaluate it, write the report",
    ),
    "raman": (
        "helpers.raman.command:raman_arguments",
        "Raman spectrum from molecular dynamics with a potential",
    ),
    "pretrain": (
        "helpers.neural.command:pretrain_arguments",
        "train a neural potential on energies and forces",
    ),
    "lab": ("helpers.lab:lab_arguments", "one of the labs, such as differentiable"),
    "coarse-data": (
        "helpers.coarse_grained.command:coarse_data_arguments",
        "make a dataset of pairs of rigid bodies by molecular dynamics of their beads",
    ),
    "coarse": (
        "helpers.coarse_grained.command:coarse_arguments",
        "learn the potential of rigid bodies from their trajectories",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit code: 0, 1 for an error, 2 for wrong usage."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(arguments).parse_args(arguments)
    return run_guarded(f"mlmd {options.command}", options.run, options)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; of the commands, only the requested one is imported."""
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
    for name, (home, help_line) in COMMANDS.items():
        command = commands.add_parser(name, parents=[shared], help=help_line)
        if name in arguments[:1]:
            module, _, function = home.partition(":")
            getattr(importlib.import_module(module), function)(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
