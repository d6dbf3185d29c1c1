"""Implicit solvent: the generalized Born model of Onufriev, Bashford and Case.

Sources
-------
- generalized Born: Still, Tempczyk, Hawley, Hendrickson, J. Am. Chem. Soc. 112, 6127 (1990)
- Born radii: Hawkins, Cramer, Truhlar, J. Phys. Chem. 100, 19824 (1996); Onufriev, Bashford, Case,
  Proteins 55, 383 (2004)
- surface: Schaefer, Bartels, Karplus, J. Mol. Biol. 284, 835 (1998)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from ase import units

from helpers import checks
from helpers.differentiable.coulomb import COULOMB_EV_A
from helpers.differentiable.interactions import Interaction
from helpers.md.pairs import nearest_vectors

OFFSET_A = 0.09
PROBE_A = 1.4
SURFACE_EV_PER_A2 = 0.283919551 * units.kJ / units.mol  # 4π · 5.4 cal/(mol Å²)
TANH = {"OBC1": (0.8, 0.0, 2.909125), "OBC2": (1.0, 0.8, 4.85)}


@dataclass(frozen=True, eq=False)
class GeneralizedBorn(Interaction):
    """Free energy of solvation of charges in a cavity, for molecules without a cell.

    E = −k/2 (1/ε_in − 1/ε_out) Σᵢⱼ qᵢ qⱼ/f + surface, f² = r² + Bᵢ Bⱼ exp(−r²/(4 Bᵢ Bⱼ)), with the
    Born radii B of `born_radii`.

    Parameters
    ----------
    model : str
        ``"OBC2"`` or ``"OBC1"``: how Born radii depend on the atoms around.
    permittivity, inner_permittivity : float
        Of the solvent, and within the molecule.
    surface : bool
        Whether to add 4π · 5.4 cal/(mol Å²) (ρ + 1.4 Å)² (ρ/B)⁶ for each atom: the nonpolar part.

    Notes
    -----
    Parameters: ``charge_e``, ``radius_A`` (ρ) and ``screening`` (a number below 1 by which the
    radius is multiplied where the atom screens others), each of shape (n_atoms,).
    """

    model: str = "OBC2"
    permittivity: float = 78.5
    inner_permittivity: float = 1.0
    surface: bool = True

    parameter_names = ("charge_e", "radius_A", "screening")

    def __post_init__(self) -> None:
        checks.one_of("model", self.model, tuple(TANH))
        checks.number("permittivity", self.permittivity)
        checks.number("inner_permittivity", self.inner_permittivity)

    def energy(self, parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        """Return the free energy in eV."""
        charge, radius, screening = (jnp.asarray(value) for value in self.take(parameters))
        if cell is not None:
            checks.refuse("cell", "a periodic cell", "None: implicit solvent surrounds a molecule")
        squares = (nearest_vectors(positions, None)[0] ** 2).sum(0)
        born = born_radii(squares, radius, screening, self.model)
        product = born[:, None] * born[None, :]
        f = jnp.sqrt(squares + product * jnp.exp(-squares / (4 * product)))
        factor = COULOMB_EV_A * (1 / self.inner_permittivity - 1 / self.permittivity)
        energy = -0.5 * factor * (charge[:, None] * charge[None, :] / f).sum()
        if self.surface:
            area = SURFACE_EV_PER_A2 * (radius + PROBE_A) ** 2 * (radius / born) ** 6
            energy = energy + area.sum()
        return energy


def born_radii(squares: Any, radius_A: Any, screening: Any, model: str) -> Any:
    """Return the Born radii, Å: the deeper inside the molecule, the larger.

    With ρ' = ρ − 0.09 Å, B = 1/(1/ρ' − tanh(α ψ − β ψ² + γ ψ³)/ρ), where ψ = I ρ', and I is the
    integral of 1/r⁴ over the spheres of the other atoms (as far as outside ρ'), over 4π.

    Parameters
    ----------
    squares : array of shape (n_atoms, n_atoms), Å²
        Squared distances.
    radius_A, screening : array of shape (n_atoms,)
    model : str
    """
    own = (radius_A - OFFSET_A)[:, None]
    sphere = (screening * (radius_A - OFFSET_A))[None, :]
    other = ~np.eye(len(squares), dtype=bool)
    r = jnp.sqrt(jnp.where(other, squares, 1.0))
    far = r + sphere
    near = jnp.maximum(own, jnp.abs(r - sphere))
    outside = other & (own < far)
    near, far = jnp.where(outside, near, 1.0), jnp.where(outside, far, 1.0)
    integral = 0.5 * (
        1 / near
        - 1 / far
        + 0.25 * (r - sphere**2 / r) * (1 / far**2 - 1 / near**2)
        + 0.5 * jnp.log(near / far) / r
    )
    swallowed = jnp.where(own < sphere - r, 1 / own - 1 / near, 0.0)
    psi = (jnp.where(outside, integral + swallowed, 0.0)).sum(1) * own[:, 0]
    alpha, beta, gamma = TANH[model]
    bend = jnp.tanh(alpha * psi - beta * psi**2 + gamma * psi**3)
    return 1 / (1 / own[:, 0] - bend / radius_A)
