"""Errors of held-out frames, learning curves, and a search for better settings.

The search is successive halving (Jamieson, Talwalkar, Proc. 19th AISTATS, 240 (2016)): many
candidates on few frames, the best of them on more. Nothing but the training frames is looked at.
Each candidate's regularization is the best by leave-one-out in closed form, so one fit judges it;
what is left out are whole trajectories, if they are known: frames of one trajectory resemble each
other, and the error of leaving out one of them would be too small.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from sklearn.base import clone

from helpers import checks
from helpers.errors import ConfigError, DataError, nearest
from helpers.sagpr.feature_map import select_features
from helpers.sagpr.frame_input import as_frames
from helpers.sagpr.kernel_ridge import check_groups
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge
from helpers.sagpr.tensors import LAMBDAS, check_tensors, component_errors
from helpers.terminal import progress_bar

# What is searched by default: 144 candidates, of which some are drawn at random.
GRID: Mapping[str, Sequence] = {
    "cutoff_A": (4.0, 5.0, 6.0),
    "sigma_A": (0.3, 0.4, 0.5),
    "scaling_exponent": (3.0, 4.0, 5.0, 6.0),
    "centers": (("O",), ("H", "O")),
    "zeta": (1, {0: 1, 2: 2}),
}
FEWEST_FRAMES = 25  # in the first rung of the search, if there are so many


def train_test_split(
    n_frames: int, n_test: int, seed: int, trajectories: Sequence | np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return training and test frames, in random order.

    Parameters
    ----------
    n_frames : int
    n_test : int
        How many are held out; with trajectories, so many or a few more.
    seed : int
    trajectories : sequence of n_frames names, optional
        Hold out whole trajectories, so that no test frame has a sibling among the training frames.

    Returns
    -------
    ndarray of int, ndarray of int
        Numbers of the frames, from 0.

    Raises
    ------
    DataError
        If the trajectories do not fit, or holding them out leaves nothing to train on.
    ConfigError
        If ``n_test`` or the seed is not a whole number that fits.
    """
    checks.seed(seed)
    if n_frames < 3:
        raise DataError(f"{n_frames} frames are too few to hold some out", expected="3 or more")
    checks.whole("n_test", n_test, 1, n_frames - 2)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_frames)
    if trajectories is None:
        return order[:-n_test], order[-n_test:]
    names = np.asarray(trajectories)
    if len(names) != n_frames:
        raise DataError(f"{len(names)} trajectories do not fit {n_frames} frames")
    held_out = np.zeros(n_frames, bool)
    for name in rng.permutation(np.unique(names)):
        if held_out.sum() >= n_test:
            break
        held_out |= names == name
    if held_out.sum() > n_frames - 2:
        raise DataError(
            f"Nothing is left to train on: {n_test} of {n_frames} frames in whole trajectories",
            fix="hold out fewer frames",
        )
    return order[~held_out[order]], order[held_out[order]]


def split_by_trajectory(
    frames: Iterable[Atoms], n_test: int, seed: int
) -> tuple[list[Atoms], list[Atoms]]:
    """Return training and test frames, each in their own order, that share no trajectory.

    Parameters
    ----------
    frames : iterable of ase.Atoms
        ``info["trajectory"]`` says where each comes from.
    n_test : int
        So many are held out, or a few more: trajectories stay whole.
    seed : int
    """
    frames = as_frames(frames)
    names = [atoms.info["trajectory"] for atoms in frames]
    training, test = train_test_split(len(frames), n_test, seed, names)
    return [frames[i] for i in sorted(training)], [frames[i] for i in sorted(test)]


def held_out_errors(
    model: SymmetryAdaptedKernelRidge,
    frames: Any,
    tensors: Any,
    *,
    trajectories: Sequence | np.ndarray | None = None,
    sizes: Sequence[int] | None = None,
    n_test: int = 50,
    seeds: Sequence[int] = range(5),
    progress: bool = False,
) -> pd.DataFrame:
    """Train anew for each seed and size, and return the errors of the frames held out.

    Parameters
    ----------
    model : SymmetryAdaptedKernelRidge
        Its settings are used.
    frames : iterable of ase.Atoms
    tensors : array-like of shape (n_frames, 3, 3) or (n_frames, 9)
    trajectories : sequence, optional
        Hold out whole trajectories, and let each fit choose its regularization by leaving out
        trajectories, too; by default single frames at random.
    sizes : sequence of int, optional
        Train on the first so many training frames: a learning curve. By default on all.
    n_test : int
        Frames to hold out.
    seeds : sequence of int
        One split for each.
    progress : bool
        Show a bar.

    Returns
    -------
    DataFrame
        Columns ``n_frames``, ``seed`` and those of `component_errors`.

    Raises
    ------
    DataError
        If frames, tensors, trajectories or sizes cannot be used.
    ConfigError
        If a setting of the model or of the splits cannot be used.
    """
    frames = as_frames(frames)
    tensors = check_tensors(tensors, len(frames), threshold=model.threshold)
    splits = {seed: train_test_split(len(frames), n_test, seed, trajectories) for seed in seeds}
    fits = [
        (seed, size)
        for seed, (training, _) in splits.items()
        for size in ([len(training)] if sizes is None else sizes)
        if 2 <= size <= len(training)
    ]
    if not fits:
        raise DataError("No size fits", expected="2 to the number of training frames")
    tables = []
    with progress_bar(len(fits), "fits", "fit", show=progress) as bar:
        for seed, size in fits:
            training, test = splits[seed][0][:size], splits[seed][1]
            groups = None if trajectories is None else np.asarray(trajectories)[training]
            fitted = clone(model).fit(*_pick(frames, tensors, training), groups=groups)
            test_frames, test_tensors = _pick(frames, tensors, test)
            errors = component_errors(test_tensors, fitted.predict(test_frames))
            tables.append(errors.assign(n_frames=size, seed=seed))
            bar.update()
    return pd.concat(tables, ignore_index=True)


def cross_validate_splits(
    model: SymmetryAdaptedKernelRidge,
    frames: Any,
    tensors: Any,
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
    frames = as_frames(frames)
    tensors = check_tensors(tensors, len(frames), threshold=model.threshold)
    groups = {"frames": None} if at_random else {}
    return pd.concat(
        [
            held_out_errors(model, frames, tensors, trajectories=names, **settings).assign(
                held_out=held_out
            )
            for held_out, names in {**groups, "trajectories": trajectories}.items()
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
    frames: Any,
    tensors: Any,
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
    frames = as_frames(frames)
    tensors = check_tensors(tensors, len(frames), threshold=model.threshold)
    n_centers = sum(symbol in model.centers for atoms in frames for symbol in atoms.symbols)
    for number in numbers:
        candidate = clone(model).set_params(n_features=number)
        errors = held_out_errors(candidate, frames, tensors, **settings)
        percent = errors.groupby("component")["percent"].mean()
        row: dict[str, Any] = {"features": "all" if number is None else str(number)}
        n_features = _n_features(candidate, frames)
        for k in LAMBDAS:
            row[f"kept_{k}"] = n_features[k]
            row[f"percent_{k}"] = percent[f"λ={k}"]
            row[f"MB_{k}"] = n_centers * (2 * k + 1) * n_features[k] * 8 / 1e6
        rows.append(row)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class SearchResult:
    """The candidates of a search, and the best of them.

    Attributes
    ----------
    table : DataFrame
        One row for each fit: ``rung``, ``n_frames``, the settings, left-out errors in % of λ = 0
        and 2 (``percent_0``, ``percent_2``), and ``score``, their geometric mean.
    best : SymmetryAdaptedKernelRidge
        The best of the last rung, fitted to all frames.
    """

    table: pd.DataFrame
    best: SymmetryAdaptedKernelRidge = field(repr=False)


def halving_search(
    frames: Any,
    tensors: Any,
    *,
    trajectories: Sequence | np.ndarray | None = None,
    grid: Mapping[str, Sequence] = GRID,
    model: SymmetryAdaptedKernelRidge | None = None,
    n_candidates: int = 24,
    factor: int = 3,
    seed: int = 0,
    progress: bool = False,
) -> SearchResult:
    """Search for settings with the smallest left-out errors, by successive halving.

    A candidate whose settings cannot be used is left out with a warning.

    Parameters
    ----------
    frames : iterable of ase.Atoms
    tensors : array-like of shape (n_frames, 3, 3) or (n_frames, 9)
        The training set, and nothing else.
    trajectories : sequence of n_frames names, optional
        What is left out together; by default single frames.
    grid : mapping of str to sequence
        Values of settings of the estimator.
    model : SymmetryAdaptedKernelRidge, optional
        The other settings; it is always a candidate itself.
    n_candidates : int
        How many are drawn from the grid.
    factor : int
        Each rung keeps one of so many candidates, and looks at so many times more frames.
    seed : int
        Of the draw and of the order of frames.
    progress : bool
        Show a bar for each rung.

    Raises
    ------
    DataError
        If frames, tensors and trajectories cannot be used, or do not fit each other.
    ConfigError
        If a setting cannot be used, or the grid names one that the estimator does not have.
    """
    frames = as_frames(frames)
    checks.whole("factor", factor, 2)
    checks.whole("n_candidates", n_candidates, 1)
    base = model or SymmetryAdaptedKernelRidge()
    _check_grid(grid, base)
    tensors = check_tensors(tensors, len(frames), threshold=base.threshold)
    groups = np.arange(len(frames))
    if trajectories is not None:
        groups = check_groups(trajectories, len(frames))
    rng = np.random.default_rng(seed)
    candidates = _draw_candidates(grid, base, n_candidates, rng)
    n_rungs = 1 + int(np.log(len(candidates)) / np.log(factor))
    order = rng.permutation(len(frames))
    rows: list[dict[str, Any]] = []
    failure: ConfigError | None = None
    for rung in range(n_rungs):
        n_frames = len(frames) // factor ** (n_rungs - 1 - rung)
        subset = order[: max(min(FEWEST_FRAMES, len(frames)), n_frames)]
        fits = []
        with progress_bar(len(candidates), f"{len(subset)} frames", "fit", show=progress) as bar:
            for settings in candidates:
                fitted = clone(base).set_params(**settings)
                try:
                    fitted.fit(*_pick(frames, tensors, subset), groups[subset])
                except ConfigError as error:
                    failure = error
                    warnings.warn(f"{settings} was left out: {error}", stacklevel=2)
                    bar.update()
                    continue
                percent = fitted.loo_errors_["percent"][:2].to_numpy()
                score = float(np.sqrt(percent.prod()))
                fits.append((score, settings, fitted))
                values = {name: getattr(fitted, name) for name in grid}
                rows.append(
                    {"rung": rung, "n_frames": len(subset), **values, "percent_0": percent[0]}
                    | {"percent_2": percent[1], "score": score}
                )
                bar.update()
        if not fits:
            assert failure is not None
            raise failure
        fits.sort(key=lambda fit: fit[0])
        candidates = [settings for _, settings, _ in fits[: max(1, len(fits) // factor)]]
    return SearchResult(pd.DataFrame(rows), fits[0][2])


@dataclass(frozen=True)
class PolarizabilityFindings:
    """A model of polarizabilities and how good it is: what the report tells.

    Attributes
    ----------
    model : SymmetryAdaptedKernelRidge
        Trained on all frames.
    frame : ase.Atoms
        To draw.
    tensors : ndarray of shape (n_frames, 3, 3), Å³
        That it was trained on.
    errors : DataFrame
        Of `cross_validate_splits`.
    curve : DataFrame
        Of `held_out_errors` for several sizes.
    features : DataFrame
        Of `compare_features`.
    search : DataFrame or None
        The table of `halving_search`.
    """

    model: SymmetryAdaptedKernelRidge = field(repr=False)
    frame: Atoms = field(repr=False)
    tensors: np.ndarray = field(repr=False)
    errors: pd.DataFrame = field(repr=False)
    curve: pd.DataFrame = field(repr=False)
    features: pd.DataFrame = field(repr=False)
    search: pd.DataFrame | None = field(repr=False)


def _pick(
    frames: Sequence[Atoms], tensors: np.ndarray, indices: np.ndarray
) -> tuple[list[Atoms], np.ndarray]:
    return [frames[i] for i in indices], tensors[indices]


def _n_features(model: SymmetryAdaptedKernelRidge, frames: Sequence[Atoms]) -> dict[int, int]:
    """Return how many features of each λ every element has, as `sagpr_get_PS` writes them."""
    soap = model.soap
    if model.n_features is None:
        return {k: soap.n_features(k) for k in LAMBDAS}
    selection, _ = select_features(frames, soap, LAMBDAS, model.n_features)
    return {k: min(len(selection[element, k]) for element in soap.centers) for k in LAMBDAS}


def _check_grid(grid: Mapping[str, Sequence], model: SymmetryAdaptedKernelRidge) -> None:
    """Raise `ConfigError` unless the grid has values, and the estimator such settings."""
    known = model.get_params()
    for name, values in grid.items():
        if name not in known:
            raise ConfigError(f"The estimator has no setting {name!r}", fix=nearest(name, known))
        if len(values) == 0:
            raise ConfigError(f"The grid has no value of {name!r}", expected="one or more")


def _draw_candidates(
    grid: Mapping[str, Sequence],
    model: SymmetryAdaptedKernelRidge,
    n_candidates: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Return the changes of settings to try: none, then some that are drawn from the grid."""
    products = itertools.product(*grid.values())
    changes = [dict(zip(grid, values, strict=True)) for values in products]
    unchanged = {name: getattr(model, name) for name in grid}
    changes = [settings for settings in changes if settings != unchanged]
    drawn = rng.permutation(len(changes))[:n_candidates]
    return [{}, *(changes[i] for i in drawn)]
