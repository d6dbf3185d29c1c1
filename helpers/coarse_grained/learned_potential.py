"""A neural network as the potential of two rigid bodies, invariant by construction.

The network never sees coordinates. It sees the distance of the centers and numbers that stay the
same when the pair is moved, turned, or its bodies exchanged, when a quaternion changes its sign,
and when a body is turned into itself:

- for each degree l the mean of Legendre polynomials P_l(r̂ · uᵢ) over the directions uᵢ of a body's
  beads, for either body: where the partner is, seen from this body;
- the mean of P_l(uᵢ · vⱼ) over the directions of both: how the bodies are turned to each other;
- r̂ᵀ Q Q' r̂ with the second moments Q, Q' of both: the twist about the line of centers.

Means over the beads are those of the body's multipoles, hence its symmetry comes for free: those
that a symmetry forbids vanish and are left out. A hexagon needs l = 6, the first degree that tells
a tip from an edge. Beads of different kinds are averaged apart.

The energy goes to zero at the cutoff with two continuous derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.coarse_grained.bead_potential import switch
from helpers.coarse_grained.bodies import Body
from helpers.coarse_grained.quaternions import rotation_matrix

ACTIVATIONS = {
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
    "softplus": jax.nn.softplus,
}
MOST_DEGREES = 6
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
        Distance at which a fixed wall (core/r)¹² reaches one unit of energy: it keeps bodies
        apart where no trajectory ever was. 0: no wall.

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

    def __post_init__(self) -> None:
        checks.number("cutoff", self.cutoff)
        checks.whole("depth", self.depth, 1)
        checks.whole("width", self.width, 1)
        checks.one_of("activation", self.activation, tuple(ACTIVATIONS))
        checks.number("core", self.core, positive=False)

    @cached_property
    def _channels(self) -> list[_Channel]:
        """Directions of the beads of each kind, and the degrees that do not vanish."""
        channels = [_channel(self.body, kind) for kind in sorted(set(self.body.kinds))]
        return [channel for channel in channels if len(channel.directions)]

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
                jax.random.normal(one, (n_in, n_out), dtype) * np.sqrt(2 / (n_in + n_out)),
                jnp.zeros(n_out, dtype),
            )
            for one, n_in, n_out in zip(keys, sizes[:-1], sizes[1:], strict=False)
        ]

    def __call__(self, parameters: Any, separation: Any, q1: Any, q2: Any) -> Any:
        """Return the energy of one pair."""
        distance = jnp.sqrt((separation**2).sum())
        hidden = self.features(separation, q1, q2)
        for weights, biases in parameters[:-1]:
            hidden = ACTIVATIONS[self.activation](hidden @ weights + biases)
        weights, biases = parameters[-1]
        energy = (hidden @ weights + biases)[0] + (self.core / distance) ** 12
        return energy * switch(distance, ONSET * self.cutoff, self.cutoff)

    def features(self, separation: Any, q1: Any, q2: Any) -> Any:
        """Return the invariants of one pair, each about 1 in size, shape (n_features,)."""
        distance = jnp.sqrt((separation**2).sum())
        unit = separation / distance
        scaled = distance / self.cutoff
        radial = jnp.stack([4 * scaled - 2, 0.5 / scaled - 1])
        if not self.orientations:
            return radial
        frames = rotation_matrix(q1), rotation_matrix(q2)
        own = [
            [jnp.matmul(one.directions.astype(unit.dtype), frame.T) for one in self._channels]
            for frame in frames
        ]  # directions of the beads in space
        towards = [
            jnp.concatenate(
                [
                    _means((sign * unit * directions).sum(-1), channel.degrees)
                    / channel.sizes.astype(unit.dtype)
                    for directions, channel in zip(row, self._channels, strict=True)
                ]
            )
            for sign, row in ((1.0, own[0]), (-1.0, own[1]))
        ]
        i, j = np.triu_indices(len(towards[0]))
        a, b = towards
        parts = [radial, a + b, a[i] * b[j] + a[j] * b[i]]
        for m, one in enumerate(self._channels):
            for n, two in enumerate(self._channels):
                if n < m:
                    continue
                parts.append(_relative(own[0][m], own[1][n], one, two, unit))
                if n > m:
                    parts[-1] = parts[-1] + _relative(own[0][n], own[1][m], two, one, unit)
        return jnp.concatenate(parts)


@dataclass(frozen=True, eq=False)
class _Channel:
    """Beads of one kind: unit vectors (n, 3), degrees l, and the usual size of each mean."""

    directions: np.ndarray
    degrees: tuple[int, ...]
    sizes: np.ndarray


def _channel(body: Body, kind: str) -> _Channel:
    beads = body.positions[[k == kind for k in body.kinds]]
    lengths = np.linalg.norm(beads, axis=1)
    directions = (beads / np.where(lengths > 0, lengths, 1)[:, None])[lengths > 1e-6 * body.radius]
    opposite = np.linalg.norm(directions[:, None] + directions[None], axis=-1) < 1e-6
    if len(directions) and opposite.any(1).all():  # only even degrees: one of each two is enough
        partner = opposite.argmax(1)
        directions = directions[np.arange(len(partner)) < partner]
    cosines = directions @ directions.T
    polynomials = _legendre(cosines, MOST_DEGREES)
    powers = {
        degree: float(polynomials[degree].mean())
        for degree in range(1, MOST_DEGREES + 1)
        if len(directions)
    }
    symmetric = bool(len(directions)) and bool(opposite.any(1).all())
    degrees = tuple(
        degree
        for degree, power in powers.items()
        if power > 1e-6 and not (symmetric and degree % 2)
    )
    # Mean squares over all directions: power/(2 l + 1)
    sizes = np.array([np.sqrt(powers[degree] / (2 * degree + 1)) for degree in degrees])
    return _Channel(directions, degrees, sizes)


def _relative(first: Any, second: Any, one: _Channel, two: _Channel, unit: Any) -> Any:
    """Return how the beads of one kind of a body lie to those of another kind of the other."""
    cosines = (first[:, None] * second[None]).sum(-1)
    shared = [degree for degree in one.degrees if degree in two.degrees]
    sizes = [
        one.sizes[one.degrees.index(d)] * two.sizes[two.degrees.index(d)] * np.sqrt(2 * d + 1)
        for d in shared
    ]
    means = _means(cosines, tuple(shared)) / np.array(sizes).astype(unit.dtype)
    a, b = (first * unit).sum(-1), (second * unit).sum(-1)
    # r̂ᵀ Q Q' r̂ with Q = ⟨u uᵀ⟩ − ⅓
    twist = jnp.mean(a[:, None] * b[None] * cosines) - (jnp.mean(a**2) + jnp.mean(b**2)) / 3 + 1 / 9
    return jnp.concatenate([means, 10 * twist[None]])


def _means(cosines: Any, degrees: tuple[int, ...]) -> Any:
    """Return the mean of P_l over all cosines, for each degree l."""
    if not degrees:
        return jnp.zeros(0, cosines.dtype)
    polynomials = _legendre(cosines, max(degrees))
    return jnp.stack([polynomials[degree].mean() for degree in degrees])


def _legendre(x: Any, highest: int) -> list[Any]:
    """Return P₀ … P_highest: (l + 1) P_{l+1} = (2 l + 1) x P_l − l P_{l−1}."""
    values = [x * 0 + 1, x]
    for degree in range(1, highest):
        values.append(((2 * degree + 1) * x * values[-1] - degree * values[-2]) / (degree + 1))
    return values
