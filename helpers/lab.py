"""``mlmd lab``: the table of the labs. Each one lives in the ``command.py`` of its room."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

# Name of a lab → module and function that add its arguments, and one line of help.
LABS = {
    "differentiable": (
        "helpers.differentiable.command:differentiable_arguments",
        "gradients through simulations: find a diameter, an angle and a network",
    ),
    "coarse-grained": (
        "helpers.coarse_grained.command:coarse_grained_arguments",
        "rigid bodies whose potential is learned from their motion",
    ),
}


def lab_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the labs to ``mlmd lab``."""
    parser.epilog = "Example: mlmd lab differentiable --output results"
    labs = parser.add_subparsers(dest="lab", required=True, metavar="LAB")
    for name, (home, help_line) in LABS.items():
        lab = labs.add_parser(name, help=help_line)
        for flag in ("--debug", "--no-progress"):  # as of every command, also after the lab's name
            lab.add_argument(
                flag, action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
            )
        lab.add_argument(
            "--seed", type=int, default=0, help="seed of the random numbers; default: 0"
        )
        lab.add_argument(
            "--output", type=Path, default=Path("results"), help="folder for the results"
        )
        module, _, function = home.partition(":")
        getattr(importlib.import_module(module), function)(lab)
