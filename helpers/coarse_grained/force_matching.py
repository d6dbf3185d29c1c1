"""Learn a pair energy from forces and torques, where snapshots hold them; and committees.

Force matching for rigid bodies: the least sum of |ΔF|²/⟨F²⟩ and |Δτ|²/⟨τ²⟩ over snapshots
(Wilson, Huang, J. Chem. Phys. 159, 024110 (2023)). It needs no dynamics and is cheap; but forces
have to be recorded, which trajectories often lack: then `trainer.Trainer` learns from motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.coarse_grained.learned_potential import LearnedPair
from helpers.coarse_grained.pair_sum import PairEnergy, energies_and_forces, pair_force_field
from helpers.errors import DataError


def forces_of(pair: PairEnergy, parameters: Any, poses: Any) -> np.ndarray:
    """Return forces (in space) and torques (in the body's frame), (n, 2, 6), of pairs (n, 2, 7).

    Of a `BeadSum`, ``parameters=()``: what snapshots of beads hold.
    """
    return energies_and_forces(pair, parameters, poses)[1]


def match_forces(
    pair: LearnedPair,
    poses: Any,
    forces: Any,
    *,
    iterations: int = 2000,
    batch_size: int = 128,
    learning_rate: float = 0.005,
    seed: int = 0,
) -> Any:
    """Return weights of a network whose forces and torques are those of snapshots.

    Parameters
    ----------
    pair : LearnedPair
    poses : array of shape (n, 2, 7)
    forces : array of shape (n, 2, 6)
        See `forces_of`; of the pair energy alone, without a spring.
    iterations : int
        Steps of Adam, with a rate that falls to zero as a cosine.
    batch_size : int
        Half of a batch are pairs on which a force acts, as far as there are any.
    learning_rate : float
    seed : int

    Raises
    ------
    ConfigError
        If a number cannot be used.
    DataError
        If shapes do not fit, a number is not finite, or no force acts anywhere.
    """
    import optax

    checks.whole("iterations", iterations, 1)
    checks.whole("batch_size", batch_size, 2)
    checks.number("learning_rate", learning_rate)
    checks.seed(seed)
    poses, forces = np.asarray(poses, np.float32), np.asarray(forces, np.float32)
    if poses.shape[1:] != (2, 7) or forces.shape != (len(poses), 2, 6):
        raise DataError(
            "Poses and forces do not belong together",
            expected="shapes (n, 2, 7) and (n, 2, 6)",
            found=f"{poses.shape} and {forces.shape}",
        )
    if not (np.isfinite(poses).all() and np.isfinite(forces).all()):
        raise DataError("Poses or forces are not finite")
    touching = np.flatnonzero(np.abs(forces).max((1, 2)) > 0)
    if not len(touching):
        raise DataError("No force acts in any snapshot", fix="take snapshots of pairs that touch")
    sizes = np.sqrt([(forces[touching][..., part] ** 2).mean() for part in (slice(3), slice(3, 6))])
    weight = jnp.asarray(np.repeat(1 / np.maximum(sizes, 1e-12), 3), jnp.float32)
    field = jax.vmap(pair_force_field(pair), (None, 0, None, None))
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adam(optax.cosine_decay_schedule(learning_rate, iterations)),
    )

    def loss(parameters: Any, x: Any, wanted: Any) -> Any:
        return (((field(parameters, x, None, None)[1] - wanted) * weight) ** 2).mean()

    def step(parameters: Any, state: Any, x: Any, wanted: Any) -> tuple[Any, Any]:
        changes, state = optimizer.update(jax.grad(loss)(parameters, x, wanted), state)
        return optax.apply_updates(parameters, changes), state

    update = jax.jit(step)
    rng = np.random.default_rng(seed)
    parameters: Any = pair.initialize(jax.random.key(seed), jnp.float32)
    state = optimizer.init(parameters)
    half = batch_size // 2
    for _ in range(iterations):
        rows = np.concatenate(
            [rng.choice(touching, half), rng.integers(len(poses), size=batch_size - half)]
        )
        parameters, state = update(parameters, state, poses[rows], forces[rows])
    return parameters


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
