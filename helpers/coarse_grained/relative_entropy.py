"""Learn a pair energy from where pairs are: the least relative entropy to what was seen.

The relative entropy (Shell, J. Chem. Phys. 129, 144108 (2008)) tells how unlikely the observed
places are for the model in equilibrium at the same temperature. Up to a constant it is

    S = β ⟨U⟩ + ln ∫ exp(−β U),

with the mean over what was observed; dS/dθ = β (⟨∂U/∂θ⟩ observed − ⟨∂U/∂θ⟩ model). It needs neither
forces nor momenta nor the order of the frames, but the temperature, and that frames are drawn from
equilibrium.

For a pair held by a spring the integral needs no dynamics: pairs that feel the spring alone are
drawn independently of each other, and ∫ exp(−β U) is the mean of exp(−β U) over them, up to a
factor that does not depend on θ.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.coarse_grained.learned_potential import LearnedPair, minimize
from helpers.coarse_grained.pair_sum import Spring
from helpers.errors import DataError


def sprung_pairs(spring: Spring, kT: float, n: int, seed: int = 0) -> np.ndarray:
    """Return poses (n, 2, 7) of pairs in equilibrium that feel nothing but the spring.

    Distances have the density r² exp(−β K (r − r₀)²/2), directions and orientations none.
    """
    rng = np.random.default_rng(seed)
    width = np.sqrt(kT / spring.stiffness)
    grid = np.linspace(max(0.0, spring.length - 8 * width), spring.length + 8 * width, 20_001)
    density = grid**2 * np.exp(-0.5 * ((grid - spring.length) / width) ** 2)
    distances = np.interp(rng.uniform(size=n), np.cumsum(density) / density.sum(), grid)
    directions = rng.normal(size=(n, 3))
    quaternions = rng.normal(size=(n, 2, 4))
    poses = np.zeros((n, 2, 7))
    poses[:, 1, :3] = directions * (distances / np.linalg.norm(directions, axis=1))[:, None]
    poses[..., 3:] = quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)
    return poses


def match_distribution(
    pair: LearnedPair,
    poses: Any,
    spring: Spring,
    kT: float,
    *,
    iterations: int = 2000,
    batch_size: int = 256,
    n_drawn: int = 1024,
    learning_rate: float = 0.005,
    seed: int = 0,
) -> Any:
    """Return weights of a network whose equilibrium at kT is that of snapshots of pairs.

    Parameters
    ----------
    pair : LearnedPair
    poses : array of shape (n, 2, 7)
    spring : Spring
        Holds the pairs together, in the snapshots and in the model.
    kT : float
    iterations : int
        Steps of Adam, with a rate that falls to zero as a cosine.
    batch_size, n_drawn : int
        Snapshots, and pairs of the spring alone, in a step.
    learning_rate : float
    seed : int

    Raises
    ------
    ConfigError
        If a number cannot be used.
    DataError
        If the shape does not fit, or a number is not finite.
    """
    checks.whole("iterations", iterations, 1)
    checks.whole("batch_size", batch_size, 1)
    checks.whole("n_drawn", n_drawn, 2)
    checks.number("kT", kT)
    checks.number("learning_rate", learning_rate)
    checks.seed(seed)
    poses = np.asarray(poses, np.float32)
    if poses.ndim != 3 or poses.shape[1:] != (2, 7):
        raise DataError("These are no pairs", expected="shape (n, 2, 7)", found=str(poses.shape))
    if not np.isfinite(poses).all():
        raise DataError("Poses are not finite")
    drawn = sprung_pairs(spring, kT, 64 * n_drawn, seed).astype(np.float32)

    def energies(parameters: Any, x: Any) -> Any:
        separations = x[:, 1, :3] - x[:, 0, :3]
        values = jax.vmap(pair, (None, 0, 0, 0))(parameters, separations, x[:, 0, 3:], x[:, 1, 3:])
        return jnp.where((separations**2).sum(-1) < pair.cutoff**2, values, 0.0)

    def entropy(parameters: Any, observed: Any, free: Any) -> Any:
        partition = jax.nn.logsumexp(-energies(parameters, free) / kT)
        return energies(parameters, observed).mean() / kT + partition

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        observed = poses[rng.integers(len(poses), size=batch_size)]
        return observed, drawn[rng.integers(len(drawn), size=n_drawn)]

    return minimize(
        entropy, pair, draw, iterations=iterations, learning_rate=learning_rate, seed=seed
    )
