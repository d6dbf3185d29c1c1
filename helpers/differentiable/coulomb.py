"""Coulomb interactions: plain, with a reaction field, and by Ewald summation.

Sources
-------
- reaction field: Tironi, Sperb, Smith, van Gunsteren, J. Chem. Phys. 102, 5451 (1995)
- Ewald, Ann. Phys. 369, 253 (1921); errors: Kolafa, Perram, Mol. Simul. 9, 351 (1992)
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from ase import units
from jax.scipy.special import erf

from helpers import checks
from helpers.differentiable.interactions import Interaction
from helpers.differentiable.pair_interactions import scaled
from helpers.md.pairs import pairs_of, truncate

COULOMB_EV_A = units.Hartree * units.Bohr  # e²/(4π ε₀): 14.4 eV Å


@dataclass(frozen=True, eq=False)
class Coulomb(Interaction):
    """Σ k qᵢ qⱼ/r up to a cutoff, if there is one, at which it jumps to zero.

    Parameters
    ----------
    cutoff_A : float or None
        None: all pairs, for atoms without a cell.
    scaling : array of shape (n_atoms, n_atoms), optional
        By what to multiply each pair, such as `pair_scaling` returns.

    Notes
    -----
    Parameters: ``charge_e``, an array of shape (n_atoms,).
    """

    cutoff_A: float | None = None
    scaling: Any = None

    parameter_names = ("charge_e",)

    def energy(self, parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        """Return the energy in eV."""
        (charge,) = self.take(parameters)
        pairs = pairs_of(positions, cell, neighbors)
        first, second = pairs.of_atoms(jnp.asarray(charge))
        strength = scaled(COULOMB_EV_A * first * second, self.scaling, pairs)
        return truncate(lambda squares: strength / jnp.sqrt(squares), pairs, self.cutoff_A)


@dataclass(frozen=True, eq=False)
class ReactionField(Interaction):
    """Σ k qᵢ qⱼ (1/r + a r² − b): beyond the cutoff there is a dielectric.

    a = (ε − 1)/((2 ε + 1) R³) and b = 1/R + a R², so that the energy is 0 at the cutoff R.

    Parameters
    ----------
    cutoff_A : float
    permittivity : float
        Relative permittivity ε of the dielectric: 78.3 for water.
    scaling : array of shape (n_atoms, n_atoms), optional
        0: no interaction; 1: the one above; between: plain k qᵢ qⱼ/r times that number, which is
        the custom for atoms three bonds apart.

    Notes
    -----
    Parameters: ``charge_e``, an array of shape (n_atoms,).
    """

    cutoff_A: float
    permittivity: float = 78.3
    scaling: Any = None

    parameter_names = ("charge_e",)

    def __post_init__(self) -> None:
        checks.number("cutoff_A", self.cutoff_A)
        checks.number("permittivity", self.permittivity)

    def energy(self, parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        """Return the energy in eV."""
        (charge,) = self.take(parameters)
        pairs = pairs_of(positions, cell, neighbors)
        first, second = pairs.of_atoms(jnp.asarray(charge))
        a = (self.permittivity - 1) / ((2 * self.permittivity + 1) * self.cutoff_A**3)
        b = 1 / self.cutoff_A + a * self.cutoff_A**2
        weight = scaled(jnp.ones_like(pairs.squares), self.scaling, pairs)

        def energy(squares: Any) -> Any:
            field = jnp.where(weight == 1, a * squares - b, 0.0)
            return COULOMB_EV_A * first * second * weight * (1 / jnp.sqrt(squares) + field)

        return truncate(energy, pairs, self.cutoff_A)


@dataclass(frozen=True, eq=False)
class Ewald(Interaction):
    """The energy of charges and all their periodic images, k Σ qᵢ qⱼ/r, by Ewald summation.

    Short distances are summed directly with erfc(α r)/r, long ones as waves. A net charge is
    neutralized by a uniform background.

    Parameters
    ----------
    cutoff_A : float
        Of the direct sum.
    cell_A : array of shape (3, 3)
        Decides how many waves are needed; the cell of a simulation may differ by some per cent.
    tolerance : float
        Relative error of the forces, about.
    scaling : array of shape (n_atoms, n_atoms), optional
        By what to multiply the interaction of each pair's nearest images, such as `pair_scaling`
        returns.

    Attributes
    ----------
    alpha_per_A : float
        α = √(−ln(2 tolerance))/cutoff.
    waves : ndarray of shape (n_waves, 3)
        Whole numbers: the waves, one of each two opposite ones.

    Notes
    -----
    Parameters: ``charge_e``, an array of shape (n_atoms,).
    """

    cutoff_A: float
    cell_A: Any
    tolerance: float = 5e-4
    scaling: Any = None
    alpha_per_A: float = field(init=False)
    waves: Any = field(init=False)

    parameter_names = ("charge_e",)

    def __post_init__(self) -> None:
        checks.number("cutoff_A", self.cutoff_A)
        if not 0 < self.tolerance < 0.1:
            checks.refuse("tolerance", self.tolerance, "a number above 0 and below 0.1")
        alpha = math.sqrt(-math.log(2 * self.tolerance)) / self.cutoff_A
        cell = np.asarray(self.cell_A, float)
        lengths = np.linalg.norm(cell, axis=1)
        most = [_waves_along(length, alpha, self.tolerance) for length in lengths]
        waves = np.array(list(itertools.product(*(range(-n, n + 1) for n in most))))
        vectors = 2 * np.pi * waves @ np.linalg.inv(cell).T
        # A wave counts as much as exp(−(k/2α)²): those in the corners of the box are left out.
        longest = min(2 * np.pi * n / length for n, length in zip(most, lengths, strict=True))
        half = (waves > 0) @ [9, 3, 1] > (waves < 0) @ [9, 3, 1]
        object.__setattr__(self, "alpha_per_A", alpha)
        near = np.linalg.norm(vectors, axis=1) <= longest * (1 + 1e-9)
        object.__setattr__(self, "waves", waves[half & near])

    def energy(self, parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        """Return the energy in eV."""
        (charge,) = self.take(parameters)
        charge = jnp.asarray(charge)
        direct = self._direct(charge, positions, cell, neighbors)
        return COULOMB_EV_A * (direct + self._of_waves(charge, positions, cell))

    def _direct(self, charge: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        pairs = pairs_of(positions, cell, neighbors)
        first, second = pairs.of_atoms(charge)
        weight = scaled(jnp.ones_like(pairs.squares), self.scaling, pairs)

        def energy(squares: Any) -> Any:
            r = jnp.sqrt(squares)
            return first * second * (weight - erf(self.alpha_per_A * r)) / r

        return truncate(energy, pairs, self.cutoff_A)

    def _of_waves(self, charge: Any, positions: Any, cell: Any) -> Any:
        """Return the sum over waves, less the self-energy and the background's."""
        alpha = self.alpha_per_A
        normals = jnp.stack([jnp.cross(cell[(k + 1) % 3], cell[(k + 2) % 3]) for k in range(3)])
        volume = jnp.dot(cell[0], normals[0])
        vectors = 2 * jnp.pi / volume * sum(self.waves[:, k, None] * normals[k] for k in range(3))
        squares = (vectors**2).sum(1)
        phase = sum(vectors[:, k, None] * positions[None, :, k] for k in range(3))
        amplitude = (charge * jnp.cos(phase)).sum(1) ** 2 + (charge * jnp.sin(phase)).sum(1) ** 2
        volume = jnp.abs(volume)
        waves = 4 * jnp.pi / volume * (jnp.exp(-squares / (4 * alpha**2)) / squares * amplitude)
        background = jnp.pi / (2 * volume * alpha**2) * charge.sum() ** 2
        return waves.sum() - alpha / jnp.sqrt(jnp.pi) * (charge**2).sum() - background


def _waves_along(length_A: float, alpha_per_A: float, tolerance: float) -> int:
    """Return how many waves along a cell vector leave an error below the tolerance."""
    n = 1
    scale = 0.05 * math.sqrt(alpha_per_A * length_A)
    while scale * n * math.exp(-((math.pi * n / (alpha_per_A * length_A)) ** 2)) >= tolerance:
        n += 1
    return n
