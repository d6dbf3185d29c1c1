"""Better settings by halving: many candidates on few frames, the best of them on more.

Nothing but the training frames is looked at. Each candidate's regularisation is the best by leaving
out, in closed form, so one fit judges it; what is left out are whole trajectories, if they are
known: frames of one trajectory resemble each other, and leaving out one would flatter.

Source: Jamieson, Talwalkar, Proc. 19th AISTATS, 240 (2016), successive halving.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from sklearn.base import clone
from tqdm.auto import tqdm

from helpers.errors import ConfigError, nearest
from helpers.gap import checks
from helpers.sagpr.gram import check_groups
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge
from helpers.sagpr.tensors import check_tensors

# What is tried by default: 144 candidates, of which some are drawn at random.
GRID: Mapping[str, Sequence] = {
    "cutoff_A": (4.0, 5.0, 6.0),
    "sigma_A": (0.3, 0.4, 0.5),
    "scaling_exponent": (3.0, 4.0, 5.0, 6.0),
    "centres": (("O",), ("H", "O")),
    "zeta": (1, {0: 1, 2: 2}),
}


@dataclass(frozen=True)
class SearchResult:
    """What the search found.

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
    frames: Sequence[Atoms],
    tensors: np.ndarray,
    *,
    trajectories: Sequence | np.ndarray | None = None,
    grid: Mapping[str, Sequence] = GRID,
    model: SymmetryAdaptedKernelRidge | None = None,
    n_candidates: int = 24,
    factor: int = 3,
    seed: int = 0,
    progress: bool = False,
) -> SearchResult:
    """Search for settings with the smallest left-out errors.

    Parameters
    ----------
    frames : sequence of ase.Atoms
    tensors : array-like of shape (n_frames, 3, 3)
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
        Show a bar for each round.

    Raises
    ------
    DataError
        If frames, tensors and trajectories cannot be used, or do not fit each other.
    ConfigError
        If a setting cannot be used, or the grid names one that the estimator does not have.
    """
    checks.whole("factor", factor, 2)
    checks.whole("n_candidates", n_candidates, 1)
    base = model or SymmetryAdaptedKernelRidge()
    known = base.get_params()
    for name, values in grid.items():
        if name not in known:
            raise ConfigError(f"The estimator has no setting {name!r}", fix=nearest(name, known))
        if len(values) == 0:
            raise ConfigError(f"The grid has no value of {name!r}", expected="one or more")
    tensors = check_tensors(tensors, len(frames), threshold=base.threshold)
    names = np.arange(len(frames))
    if trajectories is not None:
        names = check_groups(trajectories, len(frames))
    rng = np.random.default_rng(seed)
    everything = [
        dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
    ]
    own = {name: known[name] for name in grid}
    everything = [settings for settings in everything if settings != own]
    drawn = rng.permutation(len(everything))[:n_candidates]
    candidates = [{}, *(everything[k] for k in drawn)]
    n_rungs = 1 + int(np.log(len(candidates)) / np.log(factor))
    order = rng.permutation(len(frames))
    rows: list[dict[str, Any]] = []
    for rung in range(n_rungs):
        size = max(min(25, len(frames)), len(frames) // factor ** (n_rungs - 1 - rung))
        some = order[:size]
        scored = []
        for settings in tqdm(candidates, desc=f"{size} frames", unit="fit", disable=not progress):
            fitted = clone(base).set_params(**settings)
            fitted.fit([frames[k] for k in some], tensors[some], names[some])
            percent = fitted.errors_["percent"][:2].to_numpy()
            score = float(np.sqrt(percent.prod()))
            scored.append((score, settings, fitted))
            shown = {name: getattr(fitted, name) for name in grid}
            rows.append(
                {"rung": rung, "n_frames": size, **shown, "percent_0": percent[0]}
                | {"percent_2": percent[1], "score": score}
            )
        scored.sort(key=lambda one: one[0])
        candidates = [settings for _, settings, _ in scored[: max(1, len(scored) // factor)]]
    return SearchResult(pd.DataFrame(rows), scored[0][2])
