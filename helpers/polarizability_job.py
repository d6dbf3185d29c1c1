"""The job ``mlmd polarizability``: learn polarizabilities, judge, save the model, report."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from sklearn.base import clone

from helpers.files import make_folder, write_whole
from helpers.frames import load_frames
from helpers.report.polarizability import PolarizabilityFindings, polarizability_section
from helpers.report.sections import add_section
from helpers.sagpr.frame_map import FrameMap
from helpers.sagpr.learning import held_out_errors, split
from helpers.sagpr.model_file import save_model
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge
from helpers.sagpr.search import halving_search
from helpers.sagpr.tensors import LAMBDAS, read_tensors

SIZES = (10, 20, 40, 80, 150)
N_TEST = 50
MODEL_NAME = "polarizability.npz"


@dataclass(frozen=True)
class PolarizabilityResult:
    """What the job made.

    Attributes
    ----------
    findings : PolarizabilityFindings
        The model, trained on all labelled frames, and the tables.
    model_path, report_path : Path
    """

    findings: PolarizabilityFindings
    model_path: Path
    report_path: Path


def labelled_frames() -> tuple[list[Atoms], np.ndarray, np.ndarray]:
    """Return the water frames with polarizabilities, these (Å³), and their trajectories."""
    frames = load_frames("water", "train", 200)
    return frames, read_tensors(frames), np.array([a.info["trajectory"] for a in frames])


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
    frames, tensors, trajectories = labelled_frames()
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
        write_whole(folder / "polarizability_search.csv", found.table.to_csv(index=False))
    final = clone(model).fit(frames, tensors, groups=trajectories)
    path = save_model(final, folder / MODEL_NAME)
    say(f"  {path}: trained on {len(frames)} frames")
    say("Judging on frames held out …")
    shared: dict[str, Any] = {"seeds": seeds, "n_test": N_TEST, "progress": progress}
    errors = judge_splits(model, frames, tensors, trajectories, at_random=found is None, **shared)
    shared["trajectories"] = groups
    features = compare_features(model, frames, tensors, **shared)
    shared["seeds"] = seeds[:3]
    curve = held_out_errors(model, frames, tensors, sizes=SIZES, **shared)
    for name, table in (("errors", errors), ("curve", curve), ("features", features)):
        text = table.to_csv(index=False, float_format="%.6g")
        write_whole(folder / f"polarizability_{name}.csv", text)
    say(summary(errors).to_string(index=False, float_format="{:.1f}".format))
    say(features.to_string(index=False, float_format="{:.2f}".format))
    findings = PolarizabilityFindings(
        final, frames[0], tensors, errors, curve, features, None if found is None else found.table
    )
    return PolarizabilityResult(
        findings, path, add_section(polarizability_section(findings), folder)
    )


def judge_splits(
    model: SymmetryAdaptedKernelRidge,
    frames: Sequence[Atoms],
    tensors: np.ndarray,
    trajectories: Sequence | np.ndarray,
    *,
    at_random: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Return the errors of frames held out at random, and of whole trajectories held out.

    Parameters
    ----------
    model, frames, tensors, trajectories
        Those of `held_out_errors`.
    at_random : bool
        Whether to hold out frames at random at all.
    **settings
        The others of `held_out_errors`.

    Returns
    -------
    DataFrame
        That of `held_out_errors`, and ``held_out``: ``"frames"`` or ``"trajectories"``.
    """
    kinds = {"frames": None} if at_random else {}
    return pd.concat(
        [
            held_out_errors(model, frames, tensors, trajectories=groups, **settings).assign(
                held_out=name
            )
            for name, groups in {**kinds, "trajectories": trajectories}.items()
        ],
        ignore_index=True,
    )


def summary(errors: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation over the seeds of the errors of λ = 0 and 2, in %."""
    groups = errors[errors["component"].str.startswith("λ")].groupby(["held_out", "component"])
    table = groups["percent"].agg(["mean", "std"]).reset_index()
    return table.rename(columns={"mean": "percent", "std": "percent_std"})


def compare_features(
    model: SymmetryAdaptedKernelRidge,
    frames: Sequence[Atoms],
    tensors: np.ndarray,
    *,
    numbers: Sequence[int | None] = (200, 500, None),
    **settings: Any,
) -> pd.DataFrame:
    """Return errors, and sizes of the files of power spectra, by the number of features kept.

    Parameters
    ----------
    model, frames, tensors
        Those of `held_out_errors`.
    numbers : sequence of int or None
        Features to keep of each element and λ; None: all.
    **settings
        The others of `held_out_errors`.

    Returns
    -------
    DataFrame
        Columns ``features`` (asked for, as text; ``"all"``), ``kept_0``, ``kept_2``, ``percent_0``,
        ``percent_2`` (mean over seeds), ``MB_0``, ``MB_2``.
    """
    rows = []
    n_centres = sum(symbol in model.centres for atoms in frames for symbol in atoms.symbols)
    for number in numbers:
        chosen = clone(model).set_params(n_features=number)
        table = held_out_errors(chosen, frames, tensors, **settings)
        means = table.groupby("component")["percent"].mean()
        row: dict[str, Any] = {"features": "all" if number is None else str(number)}
        kept = _kept(chosen, frames)
        for k in LAMBDAS:
            row[f"kept_{k}"] = kept[k]
            row[f"percent_{k}"] = means[f"λ={k}"]
            row[f"MB_{k}"] = n_centres * (2 * k + 1) * kept[k] * 8 / 1e6
        rows.append(row)
    return pd.DataFrame(rows)


def _kept(model: SymmetryAdaptedKernelRidge, frames: Sequence[Atoms]) -> dict[int, int]:
    """Return how many features of each λ every element has, as `sagpr_get_PS` writes them."""
    soap, number = model.soap, model.n_features
    if number is None:
        return {k: soap.n_features(k) for k in LAMBDAS}
    found = FrameMap.learn(
        frames, soap, dict.fromkeys(LAMBDAS, 1), n_features=number, n_scalars=1, mixing=1.0
    ).selection
    assert found is not None
    return {k: min(len(found[element, k]) for element in soap.centres) for k in LAMBDAS}
