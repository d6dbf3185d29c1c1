"""Does more data help, and is the test honest? Errors of held-out frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from sklearn.base import clone
from tqdm.auto import tqdm

from helpers.errors import DataError
from helpers.gap import checks
from helpers.sagpr.accuracy import component_errors
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge
from helpers.sagpr.tensors import check_tensors


def split(
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
    checks.whole("seed", seed, 0)
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
    frames: Sequence[Atoms], n_test: int, seed: int
) -> tuple[list[Atoms], list[Atoms]]:
    """Return training and test frames, each in their own order, that share no trajectory.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        ``info["trajectory"]`` says where each comes from.
    n_test : int
        So many are held out, or a few more: trajectories stay whole.
    seed : int
    """
    names = [atoms.info["trajectory"] for atoms in frames]
    training, test = split(len(frames), n_test, seed, names)
    return [frames[k] for k in sorted(training)], [frames[k] for k in sorted(test)]


def held_out_errors(
    model: SymmetryAdaptedKernelRidge,
    frames: Sequence[Atoms],
    tensors: np.ndarray,
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
    tensors : ndarray of shape (n_frames, 3, 3)
    trajectories : sequence, optional
        Hold out whole trajectories, and let each fit choose its regularisation by leaving out
        trajectories, too; by default single frames at random.
    sizes : sequence of int, optional
        Train on the first so many training frames: a learning curve. By default on all.
    n_test : int
        Frames to hold out.
    seeds : sequence of int
        One split for each.

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
    tensors = check_tensors(tensors, len(frames), threshold=model.threshold)
    splits = {seed: split(len(frames), n_test, seed, trajectories) for seed in seeds}
    tasks = [
        (seed, size)
        for seed, (training, _) in splits.items()
        for size in ([len(training)] if sizes is None else sizes)
        if 2 <= size <= len(training)
    ]
    if not tasks:
        raise DataError("No size fits", expected="2 to the number of training frames")
    tables = []
    for seed, size in tqdm(tasks, desc="fits", unit="fit", disable=not progress):
        training, test = splits[seed][0][:size], splits[seed][1]
        groups = None if trajectories is None else np.asarray(trajectories)[training]
        fitted = clone(model).fit(*_pick(frames, tensors, training), groups=groups)
        some, true = _pick(frames, tensors, test)
        table = component_errors(true, fitted.predict(some))
        tables.append(table.assign(n_frames=size, seed=seed))
    return pd.concat(tables, ignore_index=True)


def _pick(frames: Sequence[Atoms], tensors: np.ndarray, which: np.ndarray) -> tuple[Any, Any]:
    return [frames[k] for k in which], tensors[which]
