"""Limits that stop a run, with the reason: for liquid water and for any atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.data import covalent_radii
from ase.geometry import complete_cell, find_mic

from helpers.boundaries import with_boundaries
from helpers.checks import Settings, number
from helpers.errors import ConfigError, PredictionError
from helpers.gap.calculator import check_atoms
from helpers.md.integrators import kinetic_energy
from helpers.md.trajectory import Records
from helpers.neighbors import find_pairs
from helpers.water import bonds, oxygen_pairs

OVERLAP_A = 0.5  # no two nuclei come closer in any molecule


@dataclass(frozen=True)
class Monitor(Settings):
    """Limits inside which a run of liquid water is credible.

    Parameters
    ----------
    shortest_OH_A, longest_OH_A : float
        Of the bonds that are there at the start. In the shipped DFT frames they lie between
        0.88 and 1.13 Å.
    closest_OO_A : float
        Below 2 Å the energy of a GAP that never saw such pairs turns over, and atoms fall into
        each other. The closest pair of the shipped DFT frames is at 2.38 Å.
    highest_temperature_K : float
    largest_jump_meV_per_atom : float
        Change of the total energy between two records.
    """

    shortest_OH_A: float = 0.7
    longest_OH_A: float = 1.5
    closest_OO_A: float = 2.1
    highest_temperature_K: float = 2000.0
    largest_jump_meV_per_atom: float = 50.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            number(name, value)


@dataclass(frozen=True)
class GeneralMonitor(Settings):
    """Limits inside which a run of any atoms is credible.

    Parameters
    ----------
    closest_ratio : float
        Shortest distance of two atoms, relative to the sum of their covalent radii. Bonds are
        near 1, and hardly any falls below 0.8.
    highest_temperature_K : float
    largest_jump_meV_per_atom : float
        Change of the total energy between two records. With a thermostat it is some kT/N.
    """

    closest_ratio: float = 0.6
    highest_temperature_K: float = 5000.0
    largest_jump_meV_per_atom: float = 200.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            number(name, value)


class ReplicaMonitor:
    """A `Monitor` or `GeneralMonitor` at work on one replica.

    Parameters
    ----------
    monitor : Monitor or GeneralMonitor
    start : ase.Atoms
        The bonds are those that are there: each H belongs to its nearest atom, if that is an O.
        O atoms that are bonded to each other, as in O2, may stay so.
    n_dof : int
        Degrees of freedom.
    timestep_fs : float
    """

    def __init__(
        self, monitor: Monitor | GeneralMonitor, start: Atoms, n_dof: int, timestep_fs: float
    ) -> None:
        self.monitor, self.timestep_fs = monitor, timestep_fs
        start = with_boundaries(start)
        self._cell, self._pbc = start.cell, start.pbc
        self._masses, self._n_dof = start.get_masses(), n_dof
        self._radii = covalent_radii[start.numbers]
        if isinstance(monitor, Monitor):
            self._oo = oxygen_pairs(start)
            self._oh = bonds(start)
        self._last_eV: float | None = None
        self._periodic_cell = np.where(self._pbc[:, None], self._cell.array, 0.0)
        self._inverse_cell = np.where(
            self._pbc, np.linalg.inv(complete_cell(self._periodic_cell)), 0.0
        )
        heights = 1 / np.linalg.norm(self._inverse_cell[:, self._pbc], axis=0)
        self._half_height_A = float(heights.min(initial=np.inf)) / 2

    def problem(self, records: Records, replica: int = 0) -> tuple[int, str] | None:
        """Look at new records of one replica, which follow those of the call before.

        Returns
        -------
        (int, str) or None
            The number of the first record outside the limits, counted from 0, and the reason.
        """
        m = self.monitor
        positions = records.positions_A[:, replica]
        kinetic = kinetic_energy(records.velocities_A_per_fs[:, replica], self._masses)
        temperature = 2 * kinetic / (self._n_dof * units.kB)
        total = records.potential_eV[:, replica] + kinetic
        before = np.concatenate([[total[0] if self._last_eV is None else self._last_eV], total])
        self._last_eV = float(total[-1])
        jump = 1000 * np.abs(np.diff(before)) / len(self._masses)
        limits = (
            *self._limits_of_distances(positions),
            (
                temperature > m.highest_temperature_K,
                temperature,
                "a temperature of {:.0f} K",
                m.highest_temperature_K,
                "K",
            ),
            (
                jump > m.largest_jump_meV_per_atom,
                jump,
                "a jump of the total energy by {:.0f} meV/atom",
                m.largest_jump_meV_per_atom,
                "meV/atom",
            ),
        )
        bad = np.array([broken for broken, *_ in limits])
        if not bad.any():
            return None
        first = int(np.flatnonzero(bad.any(0))[0])
        _, values, words, limit, unit = limits[int(np.flatnonzero(bad[:, first])[0])]
        time_fs = records.steps[first] * self.timestep_fs
        return first, f"{words.format(values[first])} at {time_fs:g} fs (limit {limit:g} {unit})"

    def _limits_of_distances(self, positions: np.ndarray) -> tuple[tuple, ...]:
        """Return where distances are outside, their values, words, limit and unit."""
        m = self.monitor
        if isinstance(m, GeneralMonitor):
            ratio = np.array([self._closest_ratio(each) for each in positions])
            words = "two atoms at {:.2f} of the sum of their covalent radii"
            return ((ratio < m.closest_ratio, ratio, words, m.closest_ratio, "of it"),)
        bond = self._lengths(positions, self._oh, np.inf)
        contact = self._lengths(positions, self._oo, m.closest_OO_A)
        longest, shortest = bond.max(1, initial=0.0), bond.min(1, initial=np.inf)
        closest = contact.min(1, initial=np.inf)
        return (
            (closest < m.closest_OO_A, closest, "two O atoms at {:.2f} Å", m.closest_OO_A, "Å"),
            (longest > m.longest_OH_A, longest, "an O–H bond of {:.2f} Å", m.longest_OH_A, "Å"),
            (shortest < m.shortest_OH_A, shortest, "an O–H bond of {:.2f} Å", m.shortest_OH_A, "Å"),
        )

    def _closest_ratio(self, positions: np.ndarray) -> float:
        """Return the shortest distance relative to the sum of covalent radii; infinite if far."""
        pairs = find_pairs(positions, self._cell.array, self._pbc, 2 * float(self._radii.max()))
        sums = self._radii[pairs.first] + self._radii[pairs.second]
        return float((pairs.distance / sums).min(initial=np.inf))

    def _lengths(self, positions: np.ndarray, pairs: np.ndarray, limit_A: float) -> np.ndarray:
        """Return distances (n_times, n_pairs) in Å, to the nearest periodic image.

        Those beyond `limit_A` may be to another image. A vector shorter than half of every height
        of the cell is found by rounding; for the others all images around must be tried.
        """
        if len(pairs) == 0:
            return np.empty((len(positions), 0))
        vectors = (positions[:, pairs[:, 1]] - positions[:, pairs[:, 0]]).reshape(-1, 3)
        if self._pbc.any():
            vectors = vectors - np.round(vectors @ self._inverse_cell) @ self._periodic_cell
        lengths = np.sqrt((vectors**2).sum(1))
        if limit_A >= self._half_height_A:
            far = lengths >= self._half_height_A
            if far.any():
                lengths[far] = find_mic(vectors[far], self._cell, self._pbc)[1]
        return lengths.reshape(len(positions), -1)


def check_start(atoms: Atoms, monitor: Monitor | GeneralMonitor, calculator: Any) -> None:
    """Raise `PredictionError` if a run cannot begin here.

    The positions are not finite, the calculator cannot be asked about the elements, or atoms
    overlap. Atoms with constraints raise `ConfigError`.
    """
    check_atoms(atoms, None, "")
    if atoms.constraints:
        raise ConfigError(
            "Constraints are not kept by these dynamics",
            found=", ".join(type(each).__name__ for each in atoms.constraints),
            fix="remove them with atoms.set_constraint(), or run the dynamics of ASE or of LAMMPS "
            "(helpers.md.LammpsWithCalculator with its fix setforce)",
        )
    atoms = with_boundaries(atoms)
    if hasattr(calculator, "check_frames"):
        calculator.check_frames([atoms])
    at_rest, no_energy = np.zeros((1, 1, len(atoms), 3)), np.zeros((1, 1))
    start = Records(np.zeros(1, int), atoms.positions[None, None], at_rest, no_energy, no_energy)
    problem = ReplicaMonitor(monitor, atoms, 3 * len(atoms), 1.0).problem(start)
    distances = atoms.get_all_distances(mic=bool(atoms.pbc.any()))
    np.fill_diagonal(distances, np.inf)
    words = problem[1] if problem else f"two atoms at {distances.min():.2f} Å"
    if problem or distances.min() < OVERLAP_A:
        raise PredictionError(
            "A run cannot start from these atoms",
            found=words,
            fix="move overlapping atoms apart, or take another snapshot",
        )
