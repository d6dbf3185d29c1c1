"""Bonds, angles and torsions between given atoms.

Sources
-------
- Morse, Phys. Rev. 34, 57 (1929)
- Ryckaert, Bellemans, Faraday Discuss. Chem. Soc. 66, 95 (1978)
- OPLS torsions: Jorgensen, Maxwell, Tirado-Rives, J. Am. Chem. Soc. 118, 11225 (1996)

Parameters are one number for all, or arrays with one number for each bond, angle or torsion. With a
cell, vectors go to nearest periodic images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from helpers import checks
from helpers.differentiable.interactions import Interaction, atom_indices
from helpers.md.pairs import to_nearest_image

TINY = 1e-24  # squared sine of an angle below which three atoms count as collinear


@dataclass(frozen=True, eq=False)
class HarmonicBonds(Interaction):
    """Σ ½ k (r − r₀)².

    Parameters
    ----------
    atoms : int array of shape (n_bonds, 2)

    Notes
    -----
    Parameters: ``stiffness_eV_per_A2`` (k) and ``length_A`` (r₀).
    """

    atoms: Any

    parameter_names = ("stiffness_eV_per_A2", "length_A")

    def __post_init__(self) -> None:
        object.__setattr__(self, "atoms", atom_indices("atoms", self.atoms, 2))

    def energy(self, parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        """Return the energy in eV."""
        stiffness, length = self.take(parameters)
        r = distances(positions, self.atoms, cell)
        return (0.5 * stiffness * (r - length) ** 2).sum()


@dataclass(frozen=True, eq=False)
class MorseBonds(Interaction):
    """Σ D (1 − exp(−a (r − r₀)))².

    Parameters
    ----------
    atoms : int array of shape (n_bonds, 2)

    Notes
    -----
    Parameters: ``depth_eV`` (D), ``width_per_A`` (a) and ``length_A`` (r₀).
    """

    atoms: Any

    parameter_names = ("depth_eV", "width_per_A", "length_A")

    def __post_init__(self) -> None:
        object.__setattr__(self, "atoms", atom_indices("atoms", self.atoms, 2))

    def energy(self, parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        """Return the energy in eV."""
        depth, width, length = self.take(parameters)
        r = distances(positions, self.atoms, cell)
        return (depth * (1 - jnp.exp(-width * (r - length))) ** 2).sum()


@dataclass(frozen=True, eq=False)
class HarmonicAngles(Interaction):
    """Σ ½ k (θ − θ₀)², the second atom of each row in the middle.

    Parameters
    ----------
    atoms : int array of shape (n_angles, 3)

    Notes
    -----
    Parameters: ``stiffness_eV`` (k, per square radian) and ``angle`` (θ₀, radians). Three atoms in
    a line feel no force: it has no direction.
    """

    atoms: Any

    parameter_names = ("stiffness_eV", "angle")

    def __post_init__(self) -> None:
        object.__setattr__(self, "atoms", atom_indices("atoms", self.atoms, 3))

    def energy(self, parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        """Return the energy in eV."""
        stiffness, angle = self.take(parameters)
        return (0.5 * stiffness * (angles(positions, self.atoms, cell) - angle) ** 2).sum()


class _Torsions(Interaction):
    """Σ V(φ), φ the torsion of four atoms in a row."""

    atoms: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "atoms", atom_indices("atoms", self.atoms, 4))

    def energy(self, parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        """Return the energy in eV."""
        phi = torsions(positions, self.atoms, cell)
        return self.of_torsion(phi, *self.take(parameters)).sum()

    def of_torsion(self, phi: Any, *parameters: Any) -> Any:
        """Return the energy of each torsion in eV; φ in radians."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class PeriodicTorsions(_Torsions):
    """Σ k (1 + cos(n φ − φ₀)).

    Parameters
    ----------
    atoms : int array of shape (n_torsions, 4)
        The same atoms may stand in several rows, with other n.
    periodicity : int array of shape (n_torsions,), or one number
        n.

    Notes
    -----
    Parameters: ``stiffness_eV`` (k; there is no factor ½) and ``phase`` (φ₀, radians).
    """

    atoms: Any
    periodicity: Any = 1

    parameter_names = ("stiffness_eV", "phase")

    def of_torsion(self, phi: Any, *parameters: Any) -> Any:
        """Return the energy of each torsion in eV; φ in radians."""
        stiffness, phase = parameters
        return stiffness * (1 + jnp.cos(jnp.asarray(self.periodicity) * phi - phase))


@dataclass(frozen=True, eq=False)
class RyckaertBellemansTorsions(_Torsions):
    """Σ Cₙ cosⁿψ, n = 0 … 5, ψ = φ − 180°, so that ψ = 0 is trans.

    Parameters
    ----------
    atoms : int array of shape (n_torsions, 4)

    Notes
    -----
    Parameters: ``C_eV``, an array of shape (6,), or (6, n_torsions).
    """

    atoms: Any

    parameter_names = ("C_eV",)

    def of_torsion(self, phi: Any, *parameters: Any) -> Any:
        """Return the energy of each torsion in eV; φ in radians."""
        (coefficients,) = parameters
        cosine = -jnp.cos(phi)
        energy = jnp.zeros_like(phi)
        for n in reversed(range(6)):
            energy = energy * cosine + coefficients[n]
        return energy


@dataclass(frozen=True, eq=False)
class OPLSTorsions(_Torsions):
    """Σ ½ [F₁ (1 + cos φ) + F₂ (1 − cos 2φ) + F₃ (1 + cos 3φ) + F₄ (1 − cos 4φ)].

    Parameters
    ----------
    atoms : int array of shape (n_torsions, 4)

    Notes
    -----
    Parameters: ``F_eV``, an array of shape (4,), or (4, n_torsions). Some programs call this form
    Ryckaert–Bellemans: see `ryckaert_bellemans_from_opls`.
    """

    atoms: Any

    parameter_names = ("F_eV",)

    def of_torsion(self, phi: Any, *parameters: Any) -> Any:
        """Return the energy of each torsion in eV; φ in radians."""
        (F,) = parameters
        signs = (1, -1, 1, -1)
        return sum(0.5 * F[n] * (1 + signs[n] * jnp.cos((n + 1) * phi)) for n in range(4))


def ryckaert_bellemans_from_opls(F: Any) -> Any:
    """Return the Ryckaert–Bellemans coefficients C of the same torsion energy.

    Parameters
    ----------
    F : array of shape (4, ...)
        Of `OPLSTorsions`.

    Returns
    -------
    array of shape (6, ...)
        Of `RyckaertBellemansTorsions`, in the same unit.
    """
    F = jnp.asarray(F)
    if F.ndim == 0 or len(F) != 4:
        checks.refuse("F", F, "four numbers for each torsion")
    F1, F2, F3, F4 = F
    zero = jnp.zeros_like(F1)
    return jnp.stack([F2 + (F1 + F3) / 2, (3 * F3 - F1) / 2, 4 * F4 - F2, -2 * F3, -4 * F4, zero])


# ---------------------------------------------------------------------------------------------
# Geometry


def bond_vectors(positions: Any, first: Any, second: Any, cell: Any) -> Any:
    """Return the vectors from the first to the second atoms, (3, n), Å, to nearest images."""
    vectors = (positions[second] - positions[first]).T
    return vectors if cell is None else to_nearest_image(vectors, cell)[0]


def distances(positions: Any, atoms: Any, cell: Any = None) -> Any:
    """Return the distances of pairs of atoms (n, 2), Å; the gradient at 0 is 0."""
    vectors = bond_vectors(positions, atoms[:, 0], atoms[:, 1], cell)
    return safe_sqrt((vectors**2).sum(0))


def angles(positions: Any, atoms: Any, cell: Any = None) -> Any:
    """Return the angles of three atoms (n, 3), the second in the middle, radians.

    By the arctangent, whose slope is finite at all angles but 0 and 180°; there it is taken as 0.
    """
    a = bond_vectors(positions, atoms[:, 1], atoms[:, 0], cell)
    b = bond_vectors(positions, atoms[:, 1], atoms[:, 2], cell)
    cosine = (a * b).sum(0)
    squares = (jnp.cross(a, b, axis=0) ** 2).sum(0)
    bent = squares > TINY * (a**2).sum(0) * (b**2).sum(0)
    sine = jnp.sqrt(jnp.where(bent, squares, 1.0))
    straight = jnp.where(cosine < 0, jnp.pi, 0.0)
    return jnp.where(bent, jnp.arctan2(sine, jnp.where(bent, cosine, 1.0)), straight)


def torsions(positions: Any, atoms: Any, cell: Any = None) -> Any:
    """Return the torsions of four atoms in a row (n, 4), −π … π, radians.

    By the IUPAC convention: 0 is cis, and positive if the far bond is turned clockwise. Where three
    of the atoms are collinear it is not defined: 0, with a gradient of 0.
    """
    i, j, k, l = (atoms[:, column] for column in range(4))  # noqa: E741
    b1, b2, b3 = (bond_vectors(positions, *ends, cell) for ends in ((i, j), (j, k), (k, l)))
    n1, n2 = jnp.cross(b1, b2, axis=0), jnp.cross(b2, b3, axis=0)
    middle, length1, length3 = ((b**2).sum(0) for b in (b2, b1, b3))
    square1, square2 = (n1**2).sum(0), (n2**2).sum(0)
    defined = (square1 > TINY * length1 * middle) & (square2 > TINY * length3 * middle)
    y = jnp.sqrt(jnp.where(middle > 0, middle, 1.0)) * (b1 * n2).sum(0)
    x = (n1 * n2).sum(0)
    return jnp.where(
        defined, jnp.arctan2(jnp.where(defined, y, 0.0), jnp.where(defined, x, 1.0)), 0.0
    )


def safe_sqrt(squares: Any) -> Any:
    """Return the square root; at 0 its gradient is taken as 0, not as infinite."""
    return jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1.0)), 0.0)
