"""``mlmd polarizability``: learn the tensor, judge the model, add to the report."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.base import clone

from helpers.files import make_folder, write_atomic
from helpers.report.sections import add_section
from helpers.sagpr.model_file import save_model
from helpers.sagpr.model_selection import (
    compare_features,
    cross_validate_splits,
    halving_search,
    held_out_errors,
    split,
    summary,
)
from helpers.sagpr.report import PolarizabilityFindings, polarizability_section
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge
from helpers.sagpr.tensors import labeled_frames


def polarizability_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd polarizability``."""
    parser.epilog = "Example: mlmd polarizability --features 500 --output results"
    parser.add_argument("--features", type=int, help="to keep of each element and λ; default: all")
    parser.add_argument("--zeta", type=int, choices=(1, 2), default=1, help="of λ = 2; default: 1")
    parser.add_argument(
        "--search",
        action="store_true",
        help="search for better settings first; one split judges them",
    )
    parser.add_argument("--seeds", type=int, default=5, help="splits to judge by; default: 5")
    parser.add_argument("--output", type=Path, default=Path("results"), help="folder for results")
    parser.set_defaults(run=_polarizability)


def _polarizability(options: argparse.Namespace) -> int:
    from helpers import checks
    from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge

    checks.whole("seeds", options.seeds, 1, 100)
    result = run_polarizability_job(
        options.output,
        model=SymmetryAdaptedKernelRidge(
            n_features=options.features, zeta={0: 1, 2: 2} if options.zeta == 2 else 1
        ),
        search=options.search,
        seeds=range(options.seeds),
        progress=not options.no_progress,
    )
    print(f"\nThe report is {result.report_path.absolute()}")
    return 0


SIZES = (10, 20, 40, 80, 150)


N_TEST = 50


MODEL_NAME = "polarizability.npz"


@dataclass(frozen=True)
class PolarizabilityResult:
    """What the job made.

    Attributes
    ----------
    findings : PolarizabilityFindings
        The model, trained on all labeled frames, and the tables.
    model_path, report_path : Path
    """

    findings: PolarizabilityFindings
    model_path: Path
    report_path: Path


def run_polarizability_job(
    folder: str | os.PathLike = "results",
    *,
    model: SymmetryAdaptedKernelRidge | None = None,
    search: bool = False,
    seeds: Sequence[int] = range(5),
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> PolarizabilityResult:
    """Learn the polarizability of water and write everything into `folder`.

    Writes the model, ``polarizability.npz``, tables of errors, and a section of ``report.html``.

    Parameters
    ----------
    folder : path
        Made if its parent exists.
    model : SymmetryAdaptedKernelRidge, optional
        Its settings are used.
    search : bool
        First search for better settings than those; about a minute. Whole trajectories are held out
        before, by the first of the seeds, and only they judge what was found.
    seeds : sequence of int
        One split into training and test frames for each.
    progress : bool
        Show bars.
    say : callable
        Takes one line of news at a time.

    Raises
    ------
    ConfigError
        If a setting cannot be used.
    OutputError
        If the folder cannot be written to.
    """
    folder = make_folder(folder)
    frames, tensors, trajectories = labeled_frames()
    model = model or SymmetryAdaptedKernelRidge()
    found, groups = None, None
    if search:
        seeds, groups = seeds[:1], trajectories
        known, _ = split(len(frames), N_TEST, seeds[0], groups)
        say(f"Searching for better settings on {len(known)} frames, by leaving out trajectories …")
        found = halving_search(
            [frames[k] for k in known],
            tensors[known],
            trajectories=trajectories[known],
            model=model,
            progress=progress,
        )
        model = clone(found.best)
        write_atomic(folder / "polarizability_search.csv", found.table.to_csv(index=False))
    final = clone(model).fit(frames, tensors, groups=trajectories)
    path = save_model(final, folder / MODEL_NAME)
    say(f"  {path}: trained on {len(frames)} frames")
    say("Judging on frames held out …")
    shared: dict[str, Any] = {"seeds": seeds, "n_test": N_TEST, "progress": progress}
    errors = cross_validate_splits(
        model, frames, tensors, trajectories, at_random=found is None, **shared
    )
    shared["trajectories"] = groups
    features = compare_features(model, frames, tensors, **shared)
    shared["seeds"] = seeds[:3]
    curve = held_out_errors(model, frames, tensors, sizes=SIZES, **shared)
    for name, table in (("errors", errors), ("curve", curve), ("features", features)):
        text = table.to_csv(index=False, float_format="%.6g")
        write_atomic(folder / f"polarizability_{name}.csv", text)
    say(summary(errors).to_string(index=False, float_format="{:.1f}".format))
    say(features.to_string(index=False, float_format="{:.2f}".format))
    findings = PolarizabilityFindings(
        final, frames[0], tensors, errors, curve, features, None if found is None else found.table
    )
    return PolarizabilityResult(
        findings, path, add_section(polarizability_section(findings), folder)
    )
