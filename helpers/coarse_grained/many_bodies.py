"""Many alike bodies in a periodic box: a start, dynamics, and what is measured of it.

The same function runs bodies with the sum over their beads and with a learned potential, so that
all that differs between two runs is the pair energy. Lennard-Jones units in the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.transform import Rotation

from helpers import checks
from helpers.coarse_grained.bodies import Body, RigidTrajectory
from helpers.coarse_grained.pair_sum import BodyLists, PairEnergy, pair_force_field
from helpers.coarse_grained.quaternions import rotation_matrix
from helpers.coarse_grained.rigid_dynamics import run_bodies, thermal_momenta
from helpers.errors import ConfigError, DataError
from helpers.jax_setup import double_precision

SKIN = 0.6
ATTEMPTS = 2000  # to find room for a body
NORMAL = 2  # the axis of a body whose correlation is measured: that across a flat body


@dataclass(frozen=True)
class Box:
    """Bodies in a cubic periodic box.

    Attributes
    ----------
    body : Body
    poses : ndarray of shape (n_bodies, 7)
    momenta : ndarray of shape (n_bodies, 6)
    cell : ndarray of shape (3, 3)
    kT : float
    """

    body: Body
    poses: np.ndarray
    momenta: np.ndarray
    cell: np.ndarray
    kT: float


def fill_box(
    body: Body,
    n_bodies: int,
    *,
    density: float,
    kT: float,
    reach: float,
    contact: float | None = None,
    seed: int = 0,
) -> Box:
    """Return bodies at random, one after the other where there is room, with thermal momenta.

    Parameters
    ----------
    body : Body
    n_bodies : int
    density : float
        Bodies in a unit of volume. The box of a few bodies is larger, so that it holds nearest
        images out to `reach`.
    kT : float
    reach : float
        Cutoff of the pair energy.
    contact : float, optional
        Least distance between beads of two bodies; by default ``reach - 2 * body.radius``, the
        reach of a bead.
    seed : int

    Raises
    ------
    ConfigError
        If a number cannot be used, or no room is found for a body.
    """
    checks.whole("n_bodies", n_bodies, 2)
    checks.number("density", density)
    checks.number("kT", kT)
    checks.number("reach", reach)
    contact = reach - 2 * body.radius if contact is None else contact
    checks.number("contact", contact)
    checks.seed(seed)
    length = max((n_bodies / density) ** (1 / 3), 2.02 * (reach + SKIN))
    rng = np.random.default_rng(seed)
    poses = np.zeros((0, 7))
    beads = np.zeros((0, 3))
    for _ in range(n_bodies):
        for _ in range(ATTEMPTS):
            quaternion = rng.normal(size=4)
            quaternion /= np.linalg.norm(quaternion)
            pose = np.concatenate([rng.uniform(0, length, 3), quaternion])
            turned = Rotation.from_quat(quaternion[[1, 2, 3, 0]]).apply(body.positions)
            away = beads[:, None] - (pose[:3] + turned)
            away -= length * np.round(away / length)
            if not ((away**2).sum(-1) < contact**2).any():
                break
        else:
            raise ConfigError(
                f"There is no room for body {len(poses) + 1} of {n_bodies}",
                fix=f"lower the density ({density:g})",
            )
        poses = np.concatenate([poses, pose[None]])
        beads = np.concatenate([beads, pose[:3] + turned])
    with double_precision():
        momenta = np.asarray(thermal_momenta(body, kT, rng.normal(size=(n_bodies, 6))))
    return Box(body, poses, momenta, length * np.eye(3), kT)


def run_box(
    pair: PairEnergy,
    parameters: Any,
    box: Box,
    *,
    method: str = "nve",
    timestep: float,
    steps: int,
    record_every: int = 1,
    friction: float = 1.0,
    seed: int = 0,
) -> RigidTrajectory:
    """Run a box with neighbor lists; centers are not wrapped into the cell.

    Parameters
    ----------
    pair : PairEnergy
        Such as `BeadSum`, or a `LearnedPair`.
    parameters : pytree of arrays
        Of the pair energy.
    box : Box
    method, timestep, steps, record_every, friction, seed
        As in `run_bodies`.

    Raises
    ------
    DataError
        If bodies crowd together so that the lists have no room, or energies are not finite.
    """
    lists = BodyLists(float(pair.cutoff), SKIN)
    run = run_bodies(
        _force_field(pair),  # type: ignore[arg-type]
        box.body,
        box.poses,
        box.momenta,
        method=method,
        timestep=timestep,
        steps=steps,
        kT=box.kT,
        friction=friction,
        record_every=record_every,
        seed=seed,
        parameters=parameters,
        cell=box.cell,
        neighbors=lists.build(box.poses, box.cell),
        update_neighbors=lists.update,
    )
    bad = ~np.isfinite(run.energies)
    if bad.any():
        raise DataError(
            f"The energy is not finite from time {run.times[bad.argmax()]:g} on",
            fix="use a shorter time step; a learned potential may not know such arrangements",
        )
    return run


def structure(run: RigidTrajectory, box: Box, *, bin_width: float = 0.1) -> pd.DataFrame:
    """Return g(r) of the centers, and how normals are turned to each other at each distance.

    Returns
    -------
    DataFrame
        r (center of a bin), g, orientation: the mean of P₂(n·n') over pairs in the bin, where n is
        the third principal axis; 1 for parallel, −½ for perpendicular, 0 without order; NaN where
        there is no pair. Up to half the edge of the box.
    """
    checks.number("bin_width", bin_width)
    length = float(box.cell[0, 0])
    edges = np.arange(0.0, length / 2 + 1e-9, bin_width)
    n_bodies = run.poses.shape[1]
    first, second = np.triu_indices(n_bodies, 1)
    with double_precision():
        normals = np.asarray(rotation_matrix(run.poses[..., 3:]))[..., NORMAL]
    counts, orders = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    for centers, axes in zip(run.poses[..., :3], normals, strict=True):
        away = centers[second] - centers[first]
        distances = np.linalg.norm(away - length * np.round(away / length), axis=1)
        p2 = 1.5 * (axes[first] * axes[second]).sum(1) ** 2 - 0.5
        counts += np.histogram(distances, edges)[0]
        orders += np.histogram(distances, edges, weights=p2)[0]
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    ideal = len(first) * shells / length**3 * len(run.poses)
    with np.errstate(invalid="ignore"):
        orientation = orders / counts
    return pd.DataFrame(
        {"r": edges[:-1] + bin_width / 2, "g": counts / ideal, "orientation": orientation}
    )


def diffusion(run: RigidTrajectory, *, longest_share: float = 0.25) -> float:
    """Return the diffusion coefficient of the centers: a sixth of the slope of ⟨Δr²⟩.

    The straight line is fitted between a quarter of the longest lag and the longest lag, which is
    `longest_share` of the run; motion of the common center is taken out.
    """
    checks.number("longest_share", longest_share)
    centers = run.poses[..., :3] - run.poses[..., :3].mean(1, keepdims=True)
    longest = int(longest_share * (len(centers) - 1))
    if longest < 4:
        raise DataError("The run is too short for a diffusion coefficient", expected="20 records")
    lags = np.unique(np.linspace(longest / 4, longest, 12).astype(int))
    squares = [((centers[lag:] - centers[:-lag]) ** 2).sum(-1).mean() for lag in lags]
    slope = np.polyfit(run.times[lags], squares, 1)[0]
    return float(slope / 6)


def turning(run: RigidTrajectory) -> pd.DataFrame:
    """Return ⟨P₂(n(0)·n(t))⟩ of the normals (time, correlation), for lags up to half the run."""
    with double_precision():
        normals = np.asarray(rotation_matrix(run.poses[..., 3:]))[..., NORMAL]
    lags = np.arange(len(normals) // 2)
    values = [
        (1.5 * (normals[lag:] * normals[: len(normals) - lag]).sum(-1) ** 2 - 0.5).mean()
        for lag in lags
    ]
    return pd.DataFrame({"time": run.times[lags] - run.times[0], "correlation": values})


@lru_cache(maxsize=8)
def _force_field(pair: Any) -> Callable[..., tuple[Any, Any]]:
    """Return one force field for each pair energy, which is then compiled once."""
    return pair_force_field(pair)
