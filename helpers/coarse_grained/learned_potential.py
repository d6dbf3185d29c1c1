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

import math
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
    def _averages(self) -> _Averages:
        return _averages(self.body)

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
        table = self._averages
        directions = jnp.asarray(table.directions, unit.dtype)
        first = _matmul(directions, rotation_matrix(q1).T)  # directions of the beads in space
        second = _matmul(directions, rotation_matrix(q2).T)
        towards, back = _matmul(first, unit), -_matmul(second, unit)
        relative = _matmul(first, second.T)
        cosines = jnp.concatenate([towards, back, relative.reshape(-1)])
        polynomials = jnp.stack(_legendre(cosines, MOST_DEGREES)[1:])
        means = _matmul(polynomials, jnp.asarray(table.groups, unit.dtype))
        linear = _matmul(jnp.asarray(table.selection, unit.dtype), means.reshape(-1))
        n = table.n_towards
        a, b, others = linear[:n], linear[n : 2 * n], linear[2 * n :]
        i, j = table.products
        twist = _twist(towards, -back, relative, jnp.asarray(table.members, unit.dtype))
        return jnp.concatenate([radial, a + b, a[i] * b[j] + a[j] * b[i], others, 10 * twist])


@dataclass(frozen=True, eq=False)
class _Averages:
    """How the means over beads are taken: constant matrices.

    Attributes
    ----------
    directions : ndarray of shape (n, 3)
        Unit vectors to the beads of all kinds.
    members : ndarray of shape (n, n_kinds)
        1/number of beads of the kind that a direction belongs to.
    groups : ndarray of shape (2 n + n², 2 n_kinds + n_kinds²)
        Takes the means over the cosines of one body, of the other, of both.
    selection : ndarray
        Picks the degrees that do not vanish, divided by their root mean squares over all
        arrangements: n_towards rows for either body, then those for both.
    n_towards : int
    products : two int arrays
        Which products of the numbers of the two bodies are taken.
    """

    directions: np.ndarray
    members: np.ndarray
    groups: np.ndarray
    selection: np.ndarray
    n_towards: int
    products: tuple[np.ndarray, np.ndarray]


def _averages(body: Body) -> _Averages:
    kinds = [_directions(body, kind) for kind in sorted(set(body.kinds))]
    kinds = [directions for directions in kinds if len(directions)]
    n_kinds, n = len(kinds), sum(map(len, kinds))
    members = np.zeros((n, n_kinds))
    start = 0
    for k, directions in enumerate(kinds):
        members[start : start + len(directions), k] = 1 / len(directions)
        start += len(directions)
    groups = np.zeros((2 * n + n * n, 2 * n_kinds + n_kinds**2))
    groups[:n, :n_kinds] = groups[n : 2 * n, n_kinds : 2 * n_kinds] = members
    groups[2 * n :, 2 * n_kinds :] = np.einsum("ik,jl->ijkl", members, members).reshape(n * n, -1)
    # Mean squares over all arrangements: power/(2 l + 1), and the product of powers/(2 l + 1)
    powers = np.array(
        [
            [p.mean() for p in _legendre(directions @ directions.T, MOST_DEGREES)[1:]]
            for directions in kinds
        ]
    )
    present = [(k, l) for k in range(n_kinds) for l in range(MOST_DEGREES) if powers[k, l] > 1e-6]

    def row(columns: list[int], degree: int, size: float) -> np.ndarray:
        picked = np.zeros((MOST_DEGREES, groups.shape[1]))
        picked[degree, columns] = 1 / (size * len(columns))
        return picked.reshape(-1)

    rows = [
        row([offset + k], l, np.sqrt(powers[k, l] / (2 * l + 3)))
        for offset in (0, n_kinds)
        for k, l in present
    ]
    for k in range(n_kinds):
        for m in range(k, n_kinds):
            columns = sorted({2 * n_kinds + k * n_kinds + m, 2 * n_kinds + m * n_kinds + k})
            rows += [
                row(columns, l, np.sqrt(powers[k, l] * powers[m, l] / (2 * l + 3)))
                for l in range(MOST_DEGREES)
                if (k, l) in present and (m, l) in present
            ]
    i, j = np.triu_indices(len(present))
    return _Averages(np.concatenate(kinds), members, groups, np.array(rows), len(present), (i, j))


def _directions(body: Body, kind: str) -> np.ndarray:
    """Return the directions of the beads of one kind that are not in the mass center."""
    beads = body.positions[[k == kind for k in body.kinds]]
    lengths = np.linalg.norm(beads, axis=1)
    away = lengths > 1e-6 * body.radius
    return beads[away] / lengths[away, None]


def _twist(a: Any, b: Any, relative: Any, members: Any) -> Any:
    """Return r̂ᵀ Q Q' r̂ with Q = ⟨u uᵀ⟩ − ⅓ for each two kinds, the same for both orders."""
    first, second = a[:, None] * members, b[:, None] * members
    squares_1, squares_2 = _matmul(a**2, members), _matmul(b**2, members)
    twist = _matmul(_matmul(first.T, relative), second)
    twist = twist - (squares_1[:, None] + squares_2[None]) / 3 + 1 / 9
    k, m = np.triu_indices(members.shape[1])
    return 0.5 * (twist + twist.T)[k, m]


def _matmul(a: Any, b: Any) -> Any:
    return jnp.matmul(a, b, precision="highest")


def _legendre(x: Any, highest: int) -> list[Any]:
    """Return P₀ … P_highest: (l + 1) P_{l+1} = (2 l + 1) x P_l − l P_{l−1}."""
    values = [x * 0 + 1, x]
    for l in range(1, highest):
        values.append(((2 * l + 1) * x * values[-1] - l * values[-2]) / (l + 1))
    return values
