"""``mlmd look``: what is in a researcher's frames, and what looks wrong."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from helpers.datasets.look import look_at
from helpers.datasets.reading import Dataset, read_dataset
from helpers.errors import ConfigError
from helpers.files import make_folder, write_table
from helpers.terminal import CommandResult


def look_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd look``."""
    parser.epilog = "Example: mlmd look my_frames.xyz --output results"
    dataset_arguments(parser)
    parser.add_argument(
        "--output", type=Path, default=Path("results"), help="folder for tables and the page"
    )
    parser.set_defaults(run=_look)


def dataset_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the arguments that say which frames to read and how; `dataset_from` reads them."""
    parser.add_argument(
        "frames",
        nargs="+" if required else "*",
        help="files, patterns or folders: extended XYZ, OUTCAR, .traj, …",
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="WHAT=NAME",
        help="name of a label in the files, such as energy=E0 (default: found by common names)",
    )
    parser.add_argument(
        "--unit",
        action="append",
        default=[],
        metavar="WHAT=UNIT",
        help="unit of energy, forces or positions if not eV, eV/Å, Å: energy=Hartree",
    )
    parser.add_argument(
        "--elements",
        type=lambda text: text.split(","),
        default=(),
        help="what types 1, 2, … of a LAMMPS dump are: O,H",
    )
    parser.add_argument("--lammps-units", help="metal or real, for LAMMPS dumps")


def dataset_from(
    options: argparse.Namespace,
    paths: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Dataset:
    """Read the frames that the arguments of `dataset_arguments` name, or others in the same way.

    Parameters
    ----------
    options : argparse.Namespace
    paths : sequence of str, optional
        Of other frames.
    labels : mapping of str to str, optional
        Names of labels where ``--label`` gives none.
    """
    return read_dataset(
        options.frames if paths is None else paths,
        labels={**(labels or {}), **_pairs("--label", options.label)},
        units=_pairs("--unit", options.unit),
        elements=options.elements,
        lammps_units=options.lammps_units,
    )


def run_look_job(dataset: Dataset, folder: Path) -> CommandResult:
    """Look at frames; write ``frames.csv`` and a section of the report, print what was seen.

    Parameters
    ----------
    dataset : Dataset
    folder : Path
        Made if its parent exists.

    Returns
    -------
    CommandResult
        With the `Look`.
    """
    from helpers.datasets.report import data_section
    from helpers.report.sections import add_section

    folder = make_folder(folder)
    print(dataset)
    look = look_at(dataset)
    for remark in look.remarks:
        if remark.about != "reading":  # told already
            print(f"{'to mend: ' if remark.problem else ''}{remark.text}")
            if remark.frames:
                more = f" and {len(remark.frames) - 3} more" if len(remark.frames) > 3 else ""
                print(f"  {', '.join(remark.frames[:3])}{more}")
    write_table(folder / "frames.csv", look.per_frame)
    return CommandResult(look, add_section(data_section(look), folder))


def _look(options: argparse.Namespace) -> int:
    result = run_look_job(dataset_from(options), options.output)
    assert result.report_path is not None
    print(f"\nThe page is {result.report_path.absolute()}")
    return 0


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        what, equals, name = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"{option} {text!r} cannot be used", expected="what=name")
        pairs[what.strip()] = name.strip()
    return pairs
