"""``mlmd polarizability``: train a model, measure its errors, write a section of the report."""

from __future__ import annotations

import argparse
import os
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from sklearn.base import clone

from helpers import checks
from helpers.files import make_folder, write_table
from helpers.report.sections import add_section
from helpers.sagpr.model_file import save_model
from helpers.sagpr.model_selection import (
    PolarizabilityFindings,
    compare_features,
    cross_validate_splits,
    halving_search,
    held_out_errors,
    summary,
    train_test_split,
)
from helpers.sagpr.report import polarizability_section
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge
from helpers.sagpr.tensors import labeled_frames, read_tensors
from helpers.terminal import CommandResult

MODEL_NAME = "polarizability.npz"
SIZES = (10, 20, 40, 80, 150)  # of the learning curve
N_TEST = 50


def polarizability_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd polarizability``."""
    parser.epilog = "Example: mlmd polarizability --features 500 --output results"
    parser.add_argument(
        "--features", type=int, help="number of features for each element and λ; default: all"
    )
    parser.add_argument(
        "--zeta",
        type=int,
        choices=(1, 2),
        default=1,
        help="exponent of the kernel of λ = 2; default: 1",
    )
    parser.add_argument(
        "--search",
        action="store_true",
        help="search for better settings first; they are evaluated on one split",
    )
    parser.add_argument(
        "--seeds", type=int, default=5, help="number of random splits for the errors; default: 5"
    )
    parser.add_argument("--output", type=Path, default=Path("results"), help="folder for results")
    parser.set_defaults(run=_polarizability)


def _polarizability(options: argparse.Namespace) -> int:
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
    if result.report_path:
        print(f"\nThe report is {result.report_path.absolute()}")
    return 0


def run_polarizability_job(
    folder: str | os.PathLike = "results",
    *,
    model: SymmetryAdaptedKernelRidge | None = None,
    search: bool = False,
    seeds: Sequence[int] = range(5),
    frames: Sequence[Atoms] | None = None,
    trajectories: Sequence[Hashable] = (),
    progress: bool = True,
) -> CommandResult:
    """Learn the polarizability of water or of frames of your own; write all into `folder`.

    Writes the model, ``polarizability.npz``, tables of errors, and a section of ``report.html``.

    Parameters
    ----------
    folder : path
        Made if its parent exists.
    model : SymmetryAdaptedKernelRidge, optional
        Its settings are used.
    search : bool
        First search for better settings than those; about a minute. Whole trajectories are held out
        before, by the first of the seeds, and only they judge the settings.
    seeds : sequence of int
        One split into training and test frames for each.
    frames : sequence of ase.Atoms, optional
        Frames of your own, all with a polarizability; by default the shipped ones.
    trajectories : sequence
        Trajectory or block of each of them.
    progress : bool
        Show bars.

    Returns
    -------
    CommandResult
        ``found`` is a `PolarizabilityFindings`: the model, trained on all labeled frames, and the
        tables.

    Raises
    ------
    ConfigError
        If a setting cannot be used.
    OutputError
        If the folder cannot be written to.
    """
    folder = make_folder(folder)
    own = frames is not None
    if frames is None:
        frames, tensors, names = labeled_frames()
    else:
        # Of names only their equality counts.
        known = list(dict.fromkeys(trajectories))
        tensors, names = read_tensors(frames), np.array([known.index(t) for t in trajectories])
    n_test = min(N_TEST, len(frames) // 4)
    model = model or SymmetryAdaptedKernelRidge()
    search_table, groups = None, None
    if search:
        seeds, groups = seeds[:1], names
        training, _ = train_test_split(len(frames), n_test, seeds[0], groups)
        print(f"Searching for better settings on {len(training)} frames: trajectories left out …")
        search_result = halving_search(
            [frames[i] for i in training],
            tensors[training],
            trajectories=names[training],
            model=model,
            progress=progress,
        )
        model, search_table = clone(search_result.best), search_result.table
        write_table(folder / "polarizability_search.csv", search_table)
    final = clone(model).fit(frames, tensors, groups=names)
    path = save_model(final, folder / MODEL_NAME)
    print(f"  {path}: trained on {len(frames)} frames")
    print("Evaluating frames held out …")
    shared: dict[str, Any] = {"seeds": seeds, "n_test": n_test, "progress": progress}
    errors = cross_validate_splits(model, frames, tensors, names, at_random=not search, **shared)
    shared["trajectories"] = groups
    features = compare_features(model, frames, tensors, **shared)
    shared["seeds"] = seeds[:3]
    curve = held_out_errors(model, frames, tensors, sizes=SIZES, **shared)
    for name, table in (("errors", errors), ("curve", curve), ("features", features)):
        write_table(folder / f"polarizability_{name}.csv", table)
    print(summary(errors).to_string(index=False, float_format="{:.1f}".format))
    print(features.to_string(index=False, float_format="{:.2f}".format))
    findings = PolarizabilityFindings(
        final, frames[0], tensors, errors, curve, features, search_table
    )
    return CommandResult(findings, add_section(polarizability_section(findings, own=own), folder))
