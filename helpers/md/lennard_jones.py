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
from ase import units

from helpers.md.pairs import PairList, PairSearch, check_truncation, pairs_of, truncate


class LennardJonesParameters(NamedTuple):
    """Depth of the minimum and the distance at which the energy is zero."""

    epsilon_eV: Any
    sigma_A: Any


# Michels, Wijker, Wijker, Physica 15, 627 (1949)
ARGON = LennardJonesParameters(epsilon_eV=119.8 * units.kB, sigma_A=3.405)


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
        the force jumps. ``"shifted_force"``: the force is continuous, too. ``"switched"``: energy,
        force and the slope of the force go to zero smoothly from 80 % of the cutoff on, which
        conserves energy best. See `pairs.truncate`.
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
        check_truncation(self.truncation, self.cutoff_A, self.skin_A)

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
        epsilon, sigma = parameters

        def energy(squares: Any) -> Any:
            s6 = (sigma**2 / squares) ** 3
            return 4 * epsilon * (s6**2 - s6)

        pairs = pairs_of(positions, cell, neighbors)
        return truncate(energy, pairs, self.cutoff_A, self.truncation)

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
        self._search.check_cell(cell)

    def neighbors(self, positions: Any, cell: Any, capacity: int | None = None) -> PairList:
        """Return all pairs within cutoff and skin; by default with 20 % more room than needed."""
        return self._search.build(positions, cell, capacity)

    def update(self, neighbors: PairList, positions: Any, cell: Any) -> PairList:
        """Return a new list if an atom moved by half the skin, otherwise the old one.

        For ``simulate(..., update_neighbors=field.update)``.
        """
        return self._search.update(neighbors, positions, cell)

    @property
    def _search(self) -> PairSearch:
        return PairSearch(self.cutoff_A, self.skin_A)
