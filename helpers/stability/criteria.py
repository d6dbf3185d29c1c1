"""When is a run of a molecule unstable? Each criterion watches one number, which has a limit.

A criterion takes the records of replicas and returns that number for each time and replica; above
the limit, or where it is not finite, the replica is unstable. `plots.plot_criterion` draws it.
A potential that was trained on what one criterion watches should be judged by others, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list

from helpers import checks
from helpers.errors import DataError
from helpers.md.integrators import temperature
from helpers.md.trajectory import Records


class Criterion(Protocol):
    """What `simulator.Simulator` asks of a criterion.

    Attributes
    ----------
    name : str
        With the unit, such as ``"bond_stretch_A"``.
    limit : float
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def limit(self) -> float: ...  # noqa: D102

    def __call__(self, records: Records) -> np.ndarray:
        """Return the number that is watched, shape (n_times, n_replicas)."""


@dataclass(frozen=True, eq=False)
class BondStretch:
    """How far the most deformed bond is from its mean length, Å (Fu et al., TMLR 2023).

    Attributes
    ----------
    bonds : int ndarray of shape (n_bonds, 2)
    lengths_A : ndarray of shape (n_bonds,)
        Mean lengths.
    limit : float
        0.5 Å where potentials are compared, 0.25 Å where they are trained.
    """

    bonds: np.ndarray
    lengths_A: np.ndarray
    limit: float = 0.5
    name = "bond_stretch_A"

    @classmethod
    def of_frames(cls, frames: Sequence[Atoms], limit: float = 0.5) -> BondStretch:
        """Return the criterion for the bonds and mean lengths of stable frames."""
        bonds = find_bonds(frames[0])
        positions = np.array([atoms.positions for atoms in frames])
        return cls(bonds, _distances(positions, bonds).mean(0), limit)

    def __call__(self, records: Records) -> np.ndarray:
        """Return the largest deviation, shape (n_times, n_replicas)."""
        deviations = _distances(records.positions_A, self.bonds) - self.lengths_A
        return np.abs(deviations).max(-1)


@dataclass(frozen=True, eq=False)
class Contact:
    """How much closer than they should be two atoms are that share no bond, Å.

    Attributes
    ----------
    pairs : int ndarray of shape (n_pairs, 2)
    closest_A : float
        Distance that they should keep.
    """

    pairs: np.ndarray
    closest_A: float
    name = "contact_A"
    limit = 0.0

    @classmethod
    def of_frames(cls, frames: Sequence[Atoms], share: float = 0.75) -> Contact:
        """Return the criterion with a share of the smallest distance in stable frames."""
        checks.number("share", share)
        bonded = {tuple(sorted(map(int, bond))) for bond in find_bonds(frames[0])}
        everyone = itertools.combinations(range(len(frames[0])), 2)
        pairs = np.array([pair for pair in everyone if pair not in bonded]).reshape(-1, 2)
        if not len(pairs):
            raise DataError("All atoms are bonded to each other: there is nothing to watch")
        positions = np.array([atoms.positions for atoms in frames])
        return cls(pairs, share * float(_distances(positions, pairs).min()))

    def __call__(self, records: Records) -> np.ndarray:
        """Return the lacking distance, negative where all is well, (n_times, n_replicas)."""
        return self.closest_A - _distances(records.positions_A, self.pairs).min(-1)


@dataclass(frozen=True, eq=False)
class Heat:
    """The kinetic temperature, K.

    Attributes
    ----------
    masses : ndarray of shape (n_atoms,), u
    n_dof : int
        Degrees of freedom.
    limit : float
        Small molecules fluctuate a lot: with n degrees of freedom by T √(2/n).
    """

    masses: np.ndarray
    n_dof: int
    limit: float = 5000.0
    name = "temperature_K"

    def __call__(self, records: Records) -> np.ndarray:
        """Return the temperature, shape (n_times, n_replicas)."""
        return np.asarray(temperature(records.velocities_A_per_fs, self.masses, self.n_dof))


@dataclass(frozen=True, eq=False)
class Chirality:
    """Whether stereocenters have turned over: −1 if none has, 1 if one has.

    Attributes
    ----------
    centers : int ndarray of shape (n_centers, 4)
        The center and three of its neighbors.
    signs : ndarray of shape (n_centers,)
        Of the volume that the neighbors span, as it shall stay.
    """

    centers: np.ndarray
    signs: np.ndarray
    name = "chirality"
    limit = 0.0

    @classmethod
    def of_frame(cls, atoms: Atoms, centers: Sequence[Sequence[int]]) -> Chirality:
        """Return the criterion for the stereocenters of a frame."""
        rows = np.asarray(centers, int).reshape(-1, 4)
        return cls(rows, np.sign(_volumes(atoms.positions, rows)))

    def __call__(self, records: Records) -> np.ndarray:
        """Return −1 or 1, shape (n_times, n_replicas)."""
        signs = np.sign(_volumes(records.positions_A, self.centers))
        return np.where((signs == self.signs).all(-1), -1.0, 1.0)


def find_bonds(atoms: Atoms) -> np.ndarray:
    """Return the bonds of a molecule, (n_bonds, 2): closer than 1.2 times the sum of the radii.

    ASE's own neighbor lists add 0.3 Å to each radius unless told otherwise; here nothing is added.

    Raises
    ------
    DataError
        If the atoms are periodic, or there are no bonds.
    """
    if atoms.pbc.any():
        raise DataError(
            "Bonds are found in molecules only", expected="frames with pbc False, not wrapped"
        )
    first, second = neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=1.2))
    bonds = np.stack([first, second], 1)[first < second]
    if not len(bonds):
        raise DataError(f"{atoms.get_chemical_formula()} has no bonds")
    return bonds


def _distances(positions: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return np.linalg.norm(positions[..., pairs[:, 1], :] - positions[..., pairs[:, 0], :], axis=-1)


def _volumes(positions: np.ndarray, centers: np.ndarray) -> np.ndarray:
    center = positions[..., centers[:, 0], :]
    a, b, c = (positions[..., centers[:, k], :] - center for k in (1, 2, 3))
    return (a * np.cross(b, c)).sum(-1)
