"""Learn a pair energy from forces and torques, where snapshots hold them; and committees.

Force matching for rigid bodies: the least sum of |ΔF|²/⟨F²⟩ and |Δτ|²/⟨τ²⟩ over snapshots
(Wilson, Huang, J. Chem. Phys. 159, 024110 (2023)). It needs no dynamics and is cheap; but forces
have to be recorded, which trajectories often lack. Then they can be taken from differences of
momenta, if frames are close and exact enough (`forces_from_momenta`); `trainer.Trainer` learns from
the motion itself, `relative_entropy` from places alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.coarse_grained.bodies import RigidTrajectory
from helpers.coarse_grained.learned_potential import LearnedPair, minimize
from helpers.coarse_grained.pair_sum import (
    PairEnergy,
    Spring,
    energies_and_forces,
    pair_force_field,
)
from helpers.coarse_grained.quaternions import rotation_matrix
from helpers.errors import DataError
from helpers.jax_setup import double_precision


def forces_of(pair: PairEnergy, parameters: Any, poses: Any) -> np.ndarray:
    """Return forces (in space) and torques (in the body's frame), (n, 2, 6), of pairs (n, 2, 7).

    Of a `BeadSum`, ``parameters=()``: what snapshots of beads hold.
    """
    return energies_and_forces(pair, parameters, poses)[1]


def forces_from_momenta(runs: RigidTrajectory) -> tuple[np.ndarray, np.ndarray]:
    """Return poses (n, 2, 7) and their forces and torques (n, 2, 6) where only motion was recorded.

    Central differences of the linear and angular momenta in space, at all frames but the first and
    the last of each run: means over two intervals. Their error grows with the square of the
    interval; noise of the momenta is divided by it.

    Parameters
    ----------
    runs : RigidTrajectory
        With an axis for the runs in front, as in `dataset.Dataset`.

    Raises
    ------
    DataError
        If there are fewer than three frames.
    """
    if len(runs.times) < 3:
        raise DataError("Differences need three frames", found=str(len(runs.times)))
    with double_precision():
        rotations = np.asarray(rotation_matrix(jnp.asarray(runs.poses[..., 3:])))
    spin = np.einsum("...ij,...j->...i", rotations, runs.momenta[..., 3:])
    in_space = np.concatenate([runs.momenta[..., :3], spin], -1)
    rates = (in_space[:, 2:] - in_space[:, :-2]) / (runs.times[2] - runs.times[0])
    torques = np.einsum("...ji,...j->...i", rotations[:, 1:-1], rates[..., 3:])
    forces = np.concatenate([rates[..., :3], torques], -1)
    return runs.poses[:, 1:-1].reshape(-1, 2, 7), forces.reshape(-1, 2, 6)


def without_spring(poses: Any, forces: Any, spring: Spring) -> np.ndarray:
    """Return forces of pairs, (..., 2, 6), less those of the spring between them."""
    separations = poses[..., 1, :3] - poses[..., 0, :3]
    distances = np.linalg.norm(separations, axis=-1, keepdims=True)
    pull = spring.stiffness * (1 - spring.length / distances) * separations
    forces = np.array(forces, float)
    forces[..., 0, :3] -= pull
    forces[..., 1, :3] += pull
    return forces


def match_forces(
    pair: LearnedPair,
    poses: Any,
    forces: Any,
    *,
    cell: Any = None,
    neighbors: Any = None,
    iterations: int = 2000,
    batch_size: int = 128,
    learning_rate: float = 0.005,
    seed: int = 0,
) -> Any:
    """Return weights of a network whose forces and torques are those of snapshots.

    Parameters
    ----------
    pair : LearnedPair
    poses : array of shape (n, n_bodies, 7)
        Such as pairs, n_bodies = 2.
    forces : array of shape (n, n_bodies, 6)
        See `forces_of`; of the pair energies alone, without a spring.
    cell : array of shape (3, 3), optional
        Of all snapshots.
    neighbors : PairList, optional
        Of each snapshot, see `pair_sum.lists_with_images`; by default all pairs.
    iterations : int
        Steps of Adam, with a rate that falls to zero as a cosine.
    batch_size : int
        Half of a batch are snapshots with a force above a tenth of the root mean square.
    learning_rate : float
    seed : int

    Raises
    ------
    ConfigError
        If a number cannot be used.
    DataError
        If shapes do not fit, a number is not finite, or no force acts anywhere.
    """
    checks.whole("iterations", iterations, 1)
    checks.whole("batch_size", batch_size, 2)
    checks.number("learning_rate", learning_rate)
    checks.seed(seed)
    poses, forces = np.asarray(poses, np.float32), np.asarray(forces, np.float32)
    if poses.ndim != 3 or poses.shape[2] != 7 or forces.shape != (*poses.shape[:2], 6):
        raise DataError(
            "Poses and forces do not belong together",
            expected="shapes (n, n_bodies, 7) and (n, n_bodies, 6)",
            found=f"{poses.shape} and {forces.shape}",
        )
    if not (np.isfinite(poses).all() and np.isfinite(forces).all()):
        raise DataError("Poses or forces are not finite")
    overall = np.sqrt((forces**2).mean((0, 1)))
    touching = np.flatnonzero((np.abs(forces) > 0.1 * overall).any((1, 2)))
    if not len(touching):
        raise DataError("No force acts in any snapshot", fix="take snapshots of pairs that touch")
    sizes = np.sqrt([(forces[touching][..., part] ** 2).mean() for part in (slice(3), slice(3, 6))])
    weight = jnp.asarray(np.repeat(1 / np.maximum(sizes, 1e-12), 3), jnp.float32)
    listed = None if neighbors is None else 0
    field = jax.vmap(pair_force_field(pair), (None, 0, None, listed))
    cell = None if cell is None else jnp.asarray(cell, jnp.float32)
    if neighbors is not None:
        neighbors = neighbors._replace(shift=np.asarray(neighbors.shift, np.float32))

    def loss(parameters: Any, x: Any, near: Any, wanted: Any) -> Any:
        return (((field(parameters, x, cell, near)[1] - wanted) * weight) ** 2).mean()

    half = batch_size // 2

    def draw(rng: np.random.Generator) -> tuple[Any, ...]:
        rows = np.concatenate(
            [rng.choice(touching, half), rng.integers(len(poses), size=batch_size - half)]
        )
        return poses[rows], jax.tree.map(lambda values: values[rows], neighbors), forces[rows]

    return minimize(loss, pair, draw, iterations=iterations, learning_rate=learning_rate, seed=seed)


def committee_spread(pair: PairEnergy, members: Sequence[Any], poses: Any) -> np.ndarray:
    """Return by how much members of a committee disagree on the forces of pairs, shape (n,).

    The standard deviation over members of forces and torques, as the root mean square over the
    twelve components: large where training has seen nothing alike. Members are weights of one
    network that were trained with different seeds.

    Raises
    ------
    DataError
        If there are fewer than two members.
    """
    if len(members) < 2:
        raise DataError("A committee needs two members", found=str(len(members)))
    forces = np.stack([forces_of(pair, one, poses) for one in members])
    return np.sqrt(forces.var(0).mean((1, 2)))
