"""A Lennard-Jones force field: the smallest example of what `simulate` can run.

E = Σ 4ε [(σ/r)¹² − (σ/r)⁶] over all pairs, nearest periodic images, up to a cutoff. Lennard-Jones,
Proc. Phys. Soc. 43, 461 (1931).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ase import units

from helpers.errors import ConfigError

TRUNCATIONS = ("truncated", "shifted", "switched")
SWITCH_FROM = 0.8  # of the cutoff


class LennardJonesParameters(NamedTuple):
    """Depth of the minimum and the distance at which the energy is zero."""

    epsilon_eV: Any
    sigma_A: Any


# Michels, Wijker, Wijker, Physica 15, 627 (1949)
ARGON = LennardJonesParameters(epsilon_eV=119.8 * units.kB, sigma_A=3.405)


class PairList(NamedTuple):
    """Pairs of atoms, each once, in arrays with room for `capacity` pairs.

    Attributes
    ----------
    first, second : int array of shape (capacity,)
        The atoms. Where there is no pair, both are 0.
    shift : array of shape (3, capacity)
        Cell vectors to add to the second atom's position.
    n_pairs : int
        How many there are. If more than `capacity`, some are missing: the energy is NaN.
    reference : array of shape (n_atoms, 3), Å
        Positions for which the list was built.
    """

    first: Any
    second: Any
    shift: Any
    n_pairs: Any
    reference: Any


@dataclass(frozen=True)
class LennardJones:
    """A force field (see `simulate.ForceField`) for atoms of one kind.

    Parameters
    ----------
    cutoff_A : float
        Pairs further apart do not interact. With a cell it must be less than half of the smallest
        distance between opposite faces, with the skin if there are lists.
    truncation : str
        ``"truncated"``: the energy jumps to zero at the cutoff. ``"shifted"``: it is continuous,
        the force jumps. ``"switched"``: energy, force and the slope of the force go to zero
        smoothly from 80 % of the cutoff on, which conserves energy best.
    skin_A : float
        How much further than the cutoff the lists of `neighbors` reach.

    Raises
    ------
    ConfigError
        If a value cannot be used.

    Notes
    -----
    Its parameters are `LennardJonesParameters`, such as `ARGON`. Without neighbor lists (None) all
    pairs are computed, which is as fast up to some hundred atoms.
    """

    cutoff_A: float
    truncation: str = "switched"
    skin_A: float = 1.0

    def __post_init__(self) -> None:
        if self.truncation not in TRUNCATIONS:
            raise ConfigError(
                f"There is no truncation {self.truncation!r}", expected=" or ".join(TRUNCATIONS)
            )
        for name in ("cutoff_A", "skin_A"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}={getattr(self, name)!r}", expected="a number above 0")

    def __call__(
        self, parameters: LennardJonesParameters, positions: Any, cell: Any, neighbors: Any
    ) -> tuple[Any, Any]:
        """Return the energy in eV and the forces (n_atoms, 3) in eV/Å."""
        energy, gradient = jax.value_and_grad(self.energy, argnums=1)(
            parameters, positions, cell, neighbors
        )
        return energy, -gradient

    def energy(
        self, parameters: LennardJonesParameters, positions: Any, cell: Any, neighbors: Any
    ) -> Any:
        """Return the energy in eV."""
        if neighbors is None:
            vectors, _ = _nearest_vectors(positions, cell)
            return self._pair_energies(parameters, (vectors**2).sum(0), _each_once(positions)).sum()
        first, second, shift, n_pairs, _ = neighbors
        vectors = (positions[second] - positions[first]).T
        if cell is not None:
            vectors = vectors + _combine(shift, cell)
        present = jnp.arange(len(first)) < n_pairs
        energies = self._pair_energies(parameters, (vectors**2).sum(0), present)
        return jnp.where(n_pairs > len(first), jnp.nan, energies.sum())

    def pressure(
        self,
        parameters: LennardJonesParameters,
        positions: Any,
        cell: Any,
        neighbors: Any,
        kinetic_eV: Any,
    ) -> Any:
        """Return the pressure in eV/Å³: (2 K − dE/d ln L)/(3 V), L the length of the cell."""

        def stretched(factor: Any) -> Any:
            return self.energy(parameters, factor * positions, factor * cell, neighbors)

        volume = jnp.abs(jnp.dot(cell[0], jnp.cross(cell[1], cell[2])))
        return (2 * kinetic_eV - jax.grad(stretched)(1.0)) / (3 * volume)

    def tail(self, parameters: LennardJonesParameters, density_per_A3: Any) -> tuple[Any, Any]:
        """Return what a plainly truncated potential lacks in a liquid: eV per atom, and eV/Å³.

        Beyond the cutoff the liquid counts as uniform (Allen, Tildesley, Computer Simulation of
        Liquids, chapter 2).
        """
        epsilon, sigma = parameters
        s3 = (sigma / self.cutoff_A) ** 3
        unit = math.pi * density_per_A3 * epsilon * sigma**3
        energy = 8 / 3 * unit * (s3**3 / 3 - s3)
        return energy, 16 / 3 * unit * density_per_A3 * (2 / 3 * s3**3 - s3)

    def check_cell(self, cell: Any) -> None:
        """Raise `ConfigError` if more than one image of an atom is within reach."""
        limit = 0.5 * float(_heights(np.asarray(cell)).min())
        if self.cutoff_A + self.skin_A > limit:
            raise ConfigError(
                "The cell is too small for nearest images",
                expected=f"a cutoff with skin of at most {limit:.2f} Å",
                found=f"{self.cutoff_A + self.skin_A:.2f} Å",
                fix="shorten the cutoff, or repeat the cell",
            )

    def neighbors(self, positions: Any, cell: Any, capacity: int | None = None) -> PairList:
        """Return all pairs within cutoff and skin; by default with 20 % more room than needed."""
        vectors, shift = _nearest_vectors(positions, cell)
        reach = self.cutoff_A + self.skin_A
        near = ((vectors**2).sum(0) < reach**2) & _each_once(positions)
        if capacity is None:
            capacity = max(1, math.ceil(1.2 * int(near.sum())))
        first, second = jnp.nonzero(near, size=capacity, fill_value=0)
        return PairList(first, second, shift[:, first, second], near.sum(), positions)

    def update(self, neighbors: PairList, positions: Any, cell: Any) -> PairList:
        """Return a new list if an atom moved by half the skin, otherwise the old one.

        For ``simulate(..., update_neighbors=field.update)``.
        """
        moved = ((positions - neighbors.reference) ** 2).sum(-1).max()
        return jax.lax.cond(
            moved >= (self.skin_A / 2) ** 2,
            lambda: self.neighbors(positions, cell, len(neighbors.first)),
            lambda: neighbors,
        )

    def _pair_energies(self, parameters: LennardJonesParameters, squares: Any, present: Any) -> Any:
        """Return the energies of pairs from the squares of their distances."""
        epsilon, sigma = parameters
        inside = present & (squares < self.cutoff_A**2)
        squares = jnp.where(inside, squares, self.cutoff_A**2)  # no 0/0 in the gradient

        def energy(squares: Any) -> Any:
            s6 = (sigma**2 / squares) ** 3
            return 4 * epsilon * (s6**2 - s6)

        energies = energy(squares)
        if self.truncation == "shifted":
            energies = energies - energy(self.cutoff_A**2)
        elif self.truncation == "switched":
            onset = SWITCH_FROM * self.cutoff_A
            t = jnp.clip((jnp.sqrt(squares) - onset) / (self.cutoff_A - onset), 0.0, 1.0)
            energies = energies * (1 - t**3 * (10 - 15 * t + 6 * t**2))
        return jnp.where(inside, energies, 0.0)


def _each_once(positions: Any) -> Any:
    """Return a mask (n_atoms, n_atoms) with one place for each pair."""
    return np.triu(np.ones((len(positions), len(positions)), bool), 1)


def _nearest_vectors(positions: Any, cell: Any) -> tuple[Any, Any]:
    """Return the vectors between all atoms, (3, n_atoms, n_atoms), and their shifts.

    Rounding finds the nearest image of all that are shorter than half the height of the cell.
    """
    vectors = positions.T[:, None, :] - positions.T[:, :, None]
    if cell is None:
        return vectors, jnp.zeros_like(vectors)
    normals = jnp.stack([jnp.cross(cell[(k + 1) % 3], cell[(k + 2) % 3]) for k in range(3)])
    reciprocal = normals / jnp.dot(cell[0], normals[0])
    shift = -jnp.round(_combine(vectors, reciprocal.T))
    return vectors + _combine(shift, cell), shift


def _combine(factors: Any, rows: Any) -> Any:
    """Return Σₖ factorsₖ rowsₖ, shape (3, ...), for factors (3, ...) and three vectors.

    Written out: as a product of matrices it is miscomputed by some versions of JAX on processors
    (jax issue 39103).
    """
    return sum(jnp.multiply.outer(rows[k], factors[k]) for k in range(3))


def _heights(cell: np.ndarray) -> np.ndarray:
    """Return the distances between opposite faces, Å."""
    return 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
