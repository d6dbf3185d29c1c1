"""Training and validation frames that share no trajectory, or at least no stretch of one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from helpers import checks
from helpers.datasets.reading import Dataset
from helpers.errors import DataError
from helpers.frames import FORCES_NAME

N_BLOCKS = 10
FEWEST_GROUPS = 4  # trajectories or files below which one of them is cut into blocks


@dataclass(frozen=True)
class Split:
    """Two parts of a data set.

    Attributes
    ----------
    training, validation : Dataset
    how : str
        How it was divided, in one sentence.
    """

    training: Dataset
    validation: Dataset
    how: str


def split_dataset(dataset: Dataset, *, fraction: float = 0.2, seed: int = 1) -> Split:
    """Set frames aside for validation, which are not neighbors in time of training frames.

    Frames of one trajectory resemble each other; a potential that is validated on every fifth
    frame of its own trajectory looks better than it is. So whole trajectories are set aside:
    those that ``info["trajectory"]`` numbers, or else files. Where there are fewer than four,
    the frames are cut into ten blocks, of which whole ones are set aside. Single atoms and frames
    without forces stay among the training frames.

    Parameters
    ----------
    dataset : Dataset
    fraction : float
        Part of the frames for validation.
    seed : int
        Chooses the trajectories or blocks.

    Raises
    ------
    DataError
        If there are fewer than five frames to divide.
    """
    checks.number("fraction", fraction)
    if fraction >= 0.9:
        checks.refuse("fraction", fraction, "a number below 0.9")
    rng = np.random.default_rng(checks.seed(seed))
    with_forces = [k for k, atoms in enumerate(dataset) if FORCES_NAME in atoms.arrays]
    movable = [k for k in with_forces if len(dataset[k]) > 1]
    if len(movable) < 5:
        single = len(with_forces) - len(movable)
        raise DataError(
            f"{len(movable)} frames with forces are too few to set some aside for validation",
            expected="at least five" + " frames of several atoms" * (single > 0),
            found=f"{single} frames of a single atom, whose force is zero by symmetry"
            if single
            else None,
            fix="give validation frames of their own",
        )
    groups, kind = frame_groups(dataset.select(movable))
    aside: list[int] = []
    names = list(dict.fromkeys(groups))
    elements = [frozenset(atoms.symbols) for atoms in dataset]
    for number in rng.permutation(len(names)):
        if len(aside) >= fraction * len(movable):
            break
        wanted = [k for k, group in zip(movable, groups, strict=True) if group == names[number]]
        rest = set(range(len(dataset))) - {*aside, *wanted}
        if frozenset().union(*elements) == frozenset().union(*(elements[k] for k in rest)):
            aside += wanted
    if not aside:
        raise DataError(
            "No frames can be set aside for validation",
            found=f"{len(names)} {kind}, each with an element that no other holds",
            fix="give validation frames of their own",
        )
    n_aside = len({group for k, group in zip(movable, groups, strict=True) if k in set(aside)})
    return Split(
        training=dataset.select([k for k in range(len(dataset)) if k not in set(aside)]),
        validation=dataset.select(sorted(aside)),
        how=f"{n_aside} of {len(names)} {kind} were set aside for validation: {len(aside)} of "
        f"{len(dataset)} frames (seed {seed})",
    )


def frame_groups(dataset: Dataset) -> tuple[list[Hashable], str]:
    """Return for each frame the trajectory, file or block that it belongs to; what these are."""
    trajectories: list[Hashable] = [atoms.info.get("trajectory") for atoms in dataset]
    files: list[Hashable] = [source.rpartition(":")[0] for source in dataset.sources]
    for groups, kind in ((trajectories, "trajectories"), (files, "files")):
        if None not in groups and len(set(groups)) >= FEWEST_GROUPS:
            return groups, kind
    blocks = np.array_split(np.arange(len(dataset)), min(N_BLOCKS, len(dataset)))
    numbers: list[Hashable] = [n for n, block in enumerate(blocks) for _ in block]
    return numbers, "blocks of frames that follow each other"
