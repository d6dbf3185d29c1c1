"""What the beads of two rigid bodies do to each other: the exact potential that a network replaces.

Bodies are rigid, so the energy of a pair as a function of poses *is* the sum over its beads: there
is no entropy in it, and a learned potential can be compared with it point by point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from ase import units

from helpers import checks
from helpers.coarse_grained.bodies import Body
from helpers.coarse_grained.quaternions import rotation_matrix
from helpers.errors import ConfigError

COULOMB_EV_A = 14.399645478  # e²/(4π ε₀)
KCAL = units.kcal / units.mol
# Kind of bead → ε (eV), σ (Å), charge (e).
SPC_E = {"O": (0.1553 * KCAL, 3.166, -0.8476), "H": (0.0, 0.0, 0.4238)}  # J. Phys. Chem. 91, 6269
OPLS_BENZENE = {"C": (0.07 * KCAL, 3.55, -0.115), "H": (0.03 * KCAL, 2.42, 0.115)}  # JACS 112, 4768


@dataclass(frozen=True)
class SmoothRepulsion:
    """A Lennard-Jones core (ε = σ = 1) whose force goes to zero smoothly: LAMMPS' ``lj/smooth``.

    Up to `inner` it is Lennard-Jones, then the force is a cubic polynomial with continuous value
    and slope that is zero, with zero slope, at `outer`. With the outer radius in the minimum of
    Lennard-Jones it is purely repulsive.

    Attributes
    ----------
    inner, outer : float
    """

    inner: float = 0.95 * 2 ** (1 / 6)
    outer: float = 2 ** (1 / 6)

    def __post_init__(self) -> None:
        checks.number("inner", self.inner)
        checks.number("outer", self.outer)
        if not self.inner < self.outer:
            checks.refuse("inner", self.inner, f"a distance below outer={self.outer:g}")

    @cached_property
    def polynomial(self) -> tuple[float, float, float, float]:
        """C₁ … C₄ of the force C₁ + C₂ d + C₃ d² + C₄ d³, d = r − inner."""
        r, t = self.inner, self.outer - self.inner
        force = 48 * r**-13 - 24 * r**-7
        slope = -624 * r**-14 + 168 * r**-8
        return force, slope, -(3 * force + 2 * slope * t) / t**2, (2 * force + slope * t) / t**3

    def __call__(self, squares: Any) -> Any:
        """Return energies of pairs of beads from the squares of their distances."""
        inside = squares < self.outer**2
        safe = jnp.where(inside, squares, self.outer**2)
        s6 = safe**-3
        core = 4 * (s6**2 - s6) + (self._tail(0.0) - 4 * (self.inner**-12 - self.inner**-6))
        tail = self._tail(jnp.sqrt(safe) - self.inner)
        return jnp.where(inside, jnp.where(safe < self.inner**2, core, tail), 0.0)

    def _tail(self, d: Any) -> Any:
        t = self.outer - self.inner

        def integral(x: Any) -> Any:
            return sum(c * x ** (k + 1) / (k + 1) for k, c in enumerate(self.polynomial))

        return integral(t) - integral(d)


@dataclass(frozen=True, eq=False)
class BeadSum:
    """Pair energy of two alike bodies: the sum over all pairs of their beads.

    Attributes
    ----------
    body : Body
    core : SmoothRepulsion
        What each two beads feel.
    """

    body: Body
    core: SmoothRepulsion = SmoothRepulsion()

    @property
    def cutoff(self) -> float:
        """Distance of mass centers from which on no two beads feel each other."""
        return 2 * self.body.radius + self.core.outer

    def __call__(self, parameters: Any, separation: Any, q1: Any, q2: Any) -> Any:
        """Return the energy; there are no parameters."""
        return self.core(site_squares(self.body.positions, separation, q1, q2)).sum()


@dataclass(frozen=True, eq=False)
class MoleculePair:
    """Pair energy of two alike molecules: Lennard-Jones and charges of a published force field.

    Energies in eV, distances in Å. σ and ε of unlike beads are geometric means. The energy of the
    whole pair goes to zero between 0.8 `cutoff` and `cutoff` of the mass centers, with continuous
    first and second derivatives.

    Attributes
    ----------
    body : Body
    force_field : dict of str to tuple
        Kind of bead → ε (eV), σ (Å), charge (e), such as `SPC_E`, `OPLS_BENZENE`.
    cutoff : float

    Raises
    ------
    ConfigError
        If a kind of bead is missing.
    """

    body: Body
    force_field: dict[str, tuple[float, float, float]]
    cutoff: float = 10.0

    def __post_init__(self) -> None:
        missing = sorted(set(self.body.kinds) - set(self.force_field))
        if missing:
            raise ConfigError(
                f"The force field does not know the beads {', '.join(missing)} of {self.body.name}",
                expected="a line for each of " + ", ".join(sorted(set(self.body.kinds))),
            )
        checks.number("cutoff", self.cutoff)

    def __call__(self, parameters: Any, separation: Any, q1: Any, q2: Any) -> Any:
        """Return the energy; there are no parameters."""
        epsilon, sigma, charge = np.array([self.force_field[kind] for kind in self.body.kinds]).T
        squares = site_squares(self.body.positions, separation, q1, q2)
        s6 = (np.outer(sigma, sigma) / squares) ** 3
        dispersion = 4 * np.sqrt(np.outer(epsilon, epsilon)) * (s6**2 - s6)
        coulomb = COULOMB_EV_A * np.outer(charge, charge) / jnp.sqrt(squares)
        distance = jnp.sqrt((separation**2).sum())
        return (dispersion + coulomb).sum() * switch(distance, 0.8 * self.cutoff, self.cutoff)


def switch(distance: Any, onset: float, cutoff: float) -> Any:
    """Return a factor that falls from 1 at `onset` to 0 at `cutoff`, with two derivatives."""
    t = jnp.clip((distance - onset) / (cutoff - onset), 0.0, 1.0)
    return 1 - t**3 * (10 - 15 * t + 6 * t**2)


def molecule_pair(body: Body) -> MoleculePair:
    """Return the published pair energy of `bodies.water` or `bodies.benzene`."""
    fields = {"water": SPC_E, "benzene": OPLS_BENZENE}
    checks.one_of("body", body.name, tuple(fields))
    return MoleculePair(body, fields[body.name])


def site_squares(beads: np.ndarray, separation: Any, q1: Any, q2: Any) -> Any:
    """Return the squares of the distances (n_beads, n_beads) of beads of two bodies."""
    first = _turned(q1, beads)
    second = _turned(q2, beads) + separation
    return ((second[None] - first[:, None]) ** 2).sum(-1)


def _turned(q: Any, beads: np.ndarray) -> Any:
    rotation = rotation_matrix(q)
    return sum(beads[:, k, None] * rotation[:, k] for k in range(3))
