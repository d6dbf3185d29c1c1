"""Lennard-Jones interactions of atoms of different kinds.

Sources
-------
- energy: Lennard-Jones, Proc. Phys. Soc. 43, 461 (1931)
- mixing: Lorentz, Ann. Phys. 248, 127 (1881); Berthelot, C. R. Acad. Sci. 126, 1703 (1898)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.differentiable.interactions import Interaction
from helpers.md.pairs import Pairs, check_truncation, pairs_of, truncate


@dataclass(frozen=True, eq=False)
class MixedLennardJones(Interaction):
    """Σ 4ε [(σ/r)¹² − (σ/r)⁶] with σ = (σᵢ + σⱼ)/2 and ε = √(εᵢ εⱼ).

    Parameters
    ----------
    cutoff_A : float or None
        None: all pairs, for atoms without a cell.
    truncation : str
        How it ends at the cutoff: see `pairs.truncate`. With ``"truncated"`` the energy jumps
        there, and the derivative of an average with respect to a parameter has a part that comes
        from atoms crossing the cutoff: no gradient contains it.
    switch_from_A : float, optional
        Where the switch of ``"switched"`` begins; 80 % of the cutoff by default.
    scaling : array of shape (n_atoms, n_atoms), optional
        By what to multiply each pair, such as `pair_scaling` returns.

    Notes
    -----
    Parameters: ``epsilon_eV`` and ``sigma_A``, arrays of shape (n_atoms,) or one number for all. A
    pair of which one σ or ε is 0 has no energy, and no gradient.
    """

    cutoff_A: float | None
    truncation: str = "switched"
    switch_from_A: float | None = None
    scaling: Any = None

    parameter_names = ("epsilon_eV", "sigma_A")

    def __post_init__(self) -> None:
        if self.cutoff_A is None:
            return
        check_truncation(self.truncation, self.cutoff_A, 1.0)
        if self.switch_from_A is not None and not 0 < self.switch_from_A < self.cutoff_A:
            checks.refuse("switch_from_A", self.switch_from_A, "a length below the cutoff")

    def energy(self, parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        """Return the energy in eV."""
        epsilon, sigma = self.take(parameters)
        pairs = pairs_of(positions, cell, neighbors)
        depth, length = geometric_mean(*pairs.of_atoms(epsilon)), sum(pairs.of_atoms(sigma)) / 2
        depth = scaled(depth, self.scaling, pairs)
        smallest = jnp.minimum(*pairs.of_atoms(sigma))
        depth = jnp.where(smallest == 0, 0.0, depth)

        def energy(squares: Any) -> Any:
            s6 = (length**2 / squares) ** 3
            return 4 * depth * (s6**2 - s6)

        return truncate(energy, pairs, self.cutoff_A, self.truncation, self.switch_from_A)


def geometric_mean(a: Any, b: Any) -> Any:
    """Return √(a b), which is 0 with a gradient of 0 where a or b is 0."""
    product = jnp.asarray(a * b)
    zero = product == 0
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, product)))


def scaled(values: Any, scaling: Any, pairs: Pairs) -> Any:
    """Return the values of pairs times the elements of a matrix, if there is one."""
    return values if scaling is None else values * pairs.of_pairs(jnp.asarray(np.asarray(scaling)))
