"""A neural network as the potential of two rigid bodies, invariant by construction.

The network never sees coordinates. It sees the distance of the centers, and how near the sites of
one body come to those of the other, on several scales: logarithms of Σ exp(−d²/w) over the
distances d between sites, for widths w that double from one to the next. A narrow width sees the
closest two sites alone, a wide one how many there are around. Sites are the places of the beads;
nothing else of the beads is known: not what they do to each other, nor how far they reach. Sites of
different kinds are taken apart.

Distances between sites are functions of the separation and both orientations that stay the same
when the pair is moved, turned, or its bodies exchanged, when a quaternion changes its sign, and
when a body is turned into itself, which only exchanges its sites. Whatever is made of them has
these symmetries, too. So have means of Legendre polynomials of the sites' directions; they were
given up, because up to degree 6 they tell arrangements apart too faintly to learn from.

The energy goes to zero at the cutoff with two continuous derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.coarse_grained.bead_potential import site_squares, switch
from helpers.coarse_grained.bodies import Body

ACTIVATIONS = {
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
    "softplus": jax.nn.softplus,
}
WIDTHS = tuple(0.1 * 2**k for k in range(7))  # of the squared radius of the body
FLOOR = 1e-6  # sums below this count as nothing
ONSET = 0.85  # of the cutoff


@dataclass(frozen=True, eq=False)
class LearnedPair:
    """Pair energy of two alike bodies, computed by a neural network (see `pair_sum.PairEnergy`).

    Attributes
    ----------
    body : Body
    cutoff : float
        Distance of mass centers from which on the energy is zero: for bodies of beads twice the
        radius of the body and the reach of a bead.
    depth, width : int
        Hidden layers, and units in each.
    activation : str
        One of `ACTIVATIONS`; all but ``"elu"`` have two continuous derivatives.
    orientations : bool
        If False, the network sees the distance only.
    core : float
        Distance of two sites (without orientations: of the centers) at which a fixed wall
        (core/d)¹² reaches `energy_scale`: it keeps bodies apart where no trajectory ever was.
        0: no wall.
    energy_scale : float
        The unit of what the network says, in the units of the body. Lennard-Jones units need none;
        in eV take about kT: untrained weights would otherwise be forces of 100 kT/Å.

    Raises
    ------
    ConfigError
        If a value cannot be used.
    """

    body: Body
    cutoff: float
    depth: int = 2
    width: int = 64
    activation: str = "tanh"
    orientations: bool = True
    core: float = 0.0
    energy_scale: float = 1.0

    def __post_init__(self) -> None:
        checks.number("cutoff", self.cutoff)
        checks.whole("depth", self.depth, 1)
        checks.whole("width", self.width, 1)
        checks.one_of("activation", self.activation, tuple(ACTIVATIONS))
        checks.number("core", self.core, positive=False)
        checks.number("energy_scale", self.energy_scale)

    @cached_property
    def n_features(self) -> int:
        """How many numbers the network sees."""
        q = jnp.array([1.0, 0, 0, 0])
        return len(jax.eval_shape(self.features, jnp.ones(3), q, q))

    def initialize(self, key: Any, dtype: Any = jnp.float64) -> list[tuple[Any, Any]]:
        """Return random weights and zero biases of each layer (Glorot, Bengio 2010)."""
        sizes = [self.n_features, *[self.width] * self.depth, 1]
        keys = jax.random.split(key, len(sizes))
        return [
            (
                jax.random.normal(one, (n_in, n_out), dtype) * math.sqrt(2 / (n_in + n_out)),
                jnp.zeros(n_out, dtype),
            )
            for one, n_in, n_out in zip(keys, sizes[:-1], sizes[1:], strict=False)
        ]

    def __call__(self, parameters: Any, separation: Any, q1: Any, q2: Any) -> Any:
        """Return the energy of one pair."""
        distance = jnp.sqrt((separation**2).sum())
        squares = self._squares(separation, q1, q2)
        hidden = self._features(distance, squares)
        for weights, biases in parameters[:-1]:
            hidden = ACTIVATIONS[self.activation](hidden @ weights + biases)
        weights, biases = parameters[-1]
        energy = (hidden @ weights + biases)[0]
        if self.core:
            energy = energy + ((self.core**2 / squares) ** 6).sum()
        return self.energy_scale * energy * switch(distance, ONSET * self.cutoff, self.cutoff)

    def features(self, separation: Any, q1: Any, q2: Any) -> Any:
        """Return the invariants of one pair, each a few units in size, shape (n_features,)."""
        distance = jnp.sqrt((separation**2).sum())
        return self._features(distance, self._squares(separation, q1, q2))

    def _squares(self, separation: Any, q1: Any, q2: Any) -> Any:
        """Return squared distances of sites, (n_sites²,); without orientations of the centers."""
        if not self.orientations:
            return (separation**2).sum()[None]
        squares = site_squares(self.body.positions, separation, q1, q2).reshape(-1)
        return jnp.maximum(squares, 1e-6 * self.body.radius**2)  # sites at one place

    def _features(self, distance: Any, squares: Any) -> Any:
        scaled = distance / self.cutoff
        radial = jnp.stack([4 * scaled - 2, 0.5 / scaled - 1])
        if not self.orientations:
            return radial
        scales = self.body.radius**2 * np.array(WIDTHS, squares.dtype)
        nearness = jnp.exp(-squares / scales[:, None])
        sums = jnp.matmul(nearness, jnp.asarray(self._members, squares.dtype), precision="highest")
        return jnp.concatenate([radial, 0.5 * jnp.log(sums.reshape(-1) + FLOOR)])

    @cached_property
    def _members(self) -> np.ndarray:
        """Which pairs of sites belong to which pair of kinds, (n_sites², n_pairs_of_kinds)."""
        kinds = sorted(set(self.body.kinds))
        of_kind = np.array([[kind == one for one in kinds] for kind in self.body.kinds], float)
        columns = [
            np.maximum(
                np.outer(of_kind[:, a], of_kind[:, b]), np.outer(of_kind[:, b], of_kind[:, a])
            )
            for a, b in zip(*np.triu_indices(len(kinds)), strict=True)
        ]
        return np.stack([one.reshape(-1) for one in columns], axis=1)


def minimize(
    loss: Callable[..., Any],
    pair: LearnedPair,
    draw: Callable[[np.random.Generator], tuple[Any, ...]],
    *,
    iterations: int,
    learning_rate: float,
    seed: int,
) -> Any:
    """Return weights, in 32 bit, for which a loss of batches becomes least.

    Adam, with gradients clipped at a norm of 1 and a rate that falls to zero as a cosine.

    Parameters
    ----------
    loss : function of the weights and the arrays of a batch
    pair : LearnedPair
    draw : function
        Draws a batch with a random generator.
    iterations : int
        Steps, each with a batch of its own.
    learning_rate : float
    seed : int
        Of the first weights, and of the batches.
    """
    import optax

    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adam(optax.cosine_decay_schedule(learning_rate, iterations)),
    )

    def step(parameters: Any, state: Any, *batch: Any) -> tuple[Any, Any]:
        changes, state = optimizer.update(jax.grad(loss)(parameters, *batch), state)
        return optax.apply_updates(parameters, changes), state

    update = jax.jit(step)
    rng = np.random.default_rng(seed)
    parameters: Any = pair.initialize(jax.random.key(seed), jnp.float32)
    state = optimizer.init(parameters)
    for _ in range(iterations):
        parameters, state = update(parameters, state, *draw(rng))
    return parameters
