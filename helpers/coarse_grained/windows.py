"""Windows of trajectories: what a training compares, cut from the runs of a dataset."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.coarse_grained.bodies import RigidTrajectory
from helpers.coarse_grained.pair_sum import Spring
from helpers.errors import DataError


class Windows:
    """All windows of some runs: each frame that has enough frames after it starts one.

    Parameters
    ----------
    runs : RigidTrajectory
        With an axis for the runs in front, as in `dataset.Dataset`.
    spring : Spring
        Contact is where the energy is not that of the spring alone.
    dtype : str

    Attributes
    ----------
    poses, momenta : ndarray of shape (n_runs, n_times, 2, ...)
    """

    def __init__(self, runs: RigidTrajectory, spring: Spring, dtype: str) -> None:
        self.poses = runs.poses.astype(dtype)
        self.momenta = runs.momenta.astype(dtype)
        centers = runs.poses[..., :3]
        distances = np.linalg.norm(centers[..., 1, :] - centers[..., 0, :], axis=-1)
        excess = runs.energies - 0.5 * spring.stiffness * (distances - spring.length) ** 2
        self._in_contact = np.abs(excess) > 1e-6

    def check_length(self, length: int, key: str) -> None:
        """Raise `DataError` if no run is long enough."""
        n_times = self.poses.shape[1]
        if length > n_times:
            raise DataError(
                f"{key} asks for windows of {length} points",
                expected=f"at most {n_times}, the length of the runs of the dataset",
                fix=f"lower {key}, or make a dataset of longer runs",
            )

    def starts(self, length: int) -> np.ndarray:
        """Return (run, frame) of all windows of a length, shape (n_windows, 2)."""
        n_runs, n_times = self.poses.shape[:2]
        return np.stack(
            np.meshgrid(np.arange(n_runs), np.arange(n_times - length + 1), indexing="ij"), -1
        ).reshape(-1, 2)

    def apart(self, length: int) -> np.ndarray:
        """Return (run, frame) of windows that share no more than an end."""
        n_runs, n_times = self.poses.shape[:2]
        frames = np.arange(0, n_times - length + 1, length - 1)
        return np.stack(np.meshgrid(np.arange(n_runs), frames, indexing="ij"), -1).reshape(-1, 2)

    def touch(self, starts: np.ndarray, length: int) -> np.ndarray:
        """Return which windows hold a frame where beads touch."""
        counts = np.concatenate(
            [np.zeros((len(self._in_contact), 1), int), np.cumsum(self._in_contact, axis=1)], axis=1
        )
        run, frame = starts.T
        return counts[run, frame + length] > counts[run, frame]

    def draw(
        self,
        rng: np.random.Generator,
        length: int,
        *,
        shuffle: bool,
        n_windows: int,
        contact_fraction: float,
    ) -> np.ndarray:
        """Return the windows of an epoch in their order.

        Parameters
        ----------
        rng : Generator
        length : int
        shuffle : bool
            If False, the first ones in the order of runs and frames.
        n_windows : int
            How many; 0: all.
        contact_fraction : float
            Share that must hold a contact, as far as there are enough.
        """
        starts = self.starts(length)
        n_windows = min(n_windows or len(starts), len(starts))
        order = rng.permutation(len(starts)) if shuffle else np.arange(len(starts))
        touching = self.touch(starts[order], length)
        n_contacts = min(round(contact_fraction * n_windows), int(touching.sum()))
        first = np.flatnonzero(touching)[:n_contacts]
        rest = np.setdiff1d(np.arange(len(order)), first)[: n_windows - n_contacts]
        members = np.concatenate([first, rest])
        members = rng.permutation(members) if shuffle else np.sort(members)
        return starts[order[members]]

    def cut(self, starts: np.ndarray, length: int) -> tuple[Any, Any]:
        """Return poses and momenta (n_windows, length, 2, ...) of windows."""
        frames = starts[:, 1, None] + np.arange(length)
        return self.poses[starts[:, 0, None], frames], self.momenta[starts[:, 0, None], frames]
