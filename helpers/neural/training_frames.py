"""Which shipped frames a neural potential is trained on: how many, and drawn or consecutive."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ase import Atoms

from helpers import checks
from helpers.errors import ConfigError, DataError
from helpers.frames import load_frames


def number_of_frames(size: str | int) -> int:
    """Return a number such as ``"1k"`` or ``"100"``.

    Raises
    ------
    ConfigError
        If it is none.
    """
    match = re.fullmatch(r"(\d+)(k?)", str(size).strip())
    if match is None or not int(match[1]):
        checks.refuse("size", size, "a number of frames, such as 100 or 1k")
    return int(match[1]) * (1000 if match[2] else 1)


def training_frames(
    dataset: str, size: str | int | None = None, *, contiguous: bool = False
) -> list[Atoms]:
    """Return training frames of a shipped data set.

    Parameters
    ----------
    dataset : str
        Such as ``"aspirin"``.
    size : str or int, optional
        How many, such as ``"1k"``; all by default.
    contiguous : bool
        Frames that follow each other in time, of as few trajectories as possible, in place of a
        random sample: correlation functions need them, and they teach less.

    Raises
    ------
    ConfigError
        If `size` is no number, or more than there are.
    DataError
        If there is no such data set, or its frames do not tell their place in a trajectory.
    """
    frames = load_frames(dataset, "train")
    number = len(frames) if size is None else number_of_frames(size)
    if number > len(frames):
        raise ConfigError(
            f"{dataset!r} has no {number} training frames", expected=f"at most {len(frames)}"
        )
    return (in_time(frames) if contiguous else frames)[:number]


def in_time(frames: Sequence[Atoms]) -> list[Atoms]:
    """Return frames by trajectory and time (``info["trajectory"]``, ``info["frame"]``).

    Raises
    ------
    DataError
        If a frame does not tell, or frames are missing within a trajectory.
    """
    if not all({"trajectory", "frame"} <= set(atoms.info) for atoms in frames):
        raise DataError(
            "The frames do not tell their place in a trajectory",
            expected="info['trajectory'] and info['frame']",
            fix="train on a random sample, without --contiguous",
        )
    ordered = sorted(frames, key=lambda a: (a.info["trajectory"], a.info["frame"]))
    for before, after in zip(ordered, ordered[1:], strict=False):
        step = after.info["frame"] - before.info["frame"]
        if after.info["trajectory"] == before.info["trajectory"] and step != 1:
            raise DataError(
                "The frames of a trajectory are not consecutive",
                found=f"frame {after.info['frame']} after {before.info['frame']}",
            )
    return ordered
