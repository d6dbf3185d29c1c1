"""What a run of molecular dynamics leaves behind: times, positions, velocities, energies."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from ase import Atoms, units

A_PER_FS = 1 / units.fs  # 1 Å/fs in ASE's unit of velocity


@dataclass(frozen=True)
class Trajectory:
    """One run.

    Attributes
    ----------
    times_fs : ndarray of shape (n_times,)
        When the run was recorded, from 0.
    positions_A : ndarray of shape (n_times, n_atoms, 3)
        Not wrapped into the cell.
    velocities_A_per_fs : ndarray of shape (n_times, n_atoms, 3)
    potential_eV : ndarray of shape (n_times,)
        With the energies of isolated atoms.
    kinetic_eV : ndarray of shape (n_times,)
    start : ase.Atoms
        The atoms as they were given.
    seed : int or None
        Of the random numbers.
    timestep_fs : float
    degrees_of_freedom : int
        How many the temperature is computed with.
    stable : bool
        False if the run was stopped because it blew up; what was recorded before is kept.
    interrupted : bool
        True if it was stopped with Ctrl-C.
    wall_seconds : float
    n_list_builds : int
        How often neighbour lists were built.
    """

    times_fs: np.ndarray = field(repr=False)
    positions_A: np.ndarray = field(repr=False)
    velocities_A_per_fs: np.ndarray = field(repr=False)
    potential_eV: np.ndarray = field(repr=False)
    kinetic_eV: np.ndarray = field(repr=False)
    start: Atoms = field(repr=False)
    seed: int | None
    timestep_fs: float
    degrees_of_freedom: int
    stable: bool
    interrupted: bool
    wall_seconds: float
    n_list_builds: int

    @property
    def temperature_K(self) -> np.ndarray:
        """Kinetic temperature at each time."""
        return 2 * self.kinetic_eV / (self.degrees_of_freedom * units.kB)

    @property
    def total_eV(self) -> np.ndarray:
        """Potential and kinetic energy at each time; constant in a good NVE run."""
        return self.potential_eV + self.kinetic_eV

    @property
    def drift_meV_per_atom_per_ps(self) -> float:
        """Slope of a straight line through the total energy."""
        if len(self.times_fs) < 2:
            return 0.0
        slope = np.polyfit(self.times_fs, self.total_eV - self.total_eV[0], 1)[0]
        return float(slope) * 1e6 / len(self.start)

    def frames(self) -> list[Atoms]:
        """Return the run as ase.Atoms with velocities, times and potential energies."""
        frames = []
        for time, positions, velocities, energy in zip(
            self.times_fs,
            self.positions_A,
            self.velocities_A_per_fs,
            self.potential_eV,
            strict=True,
        ):
            atoms = self.start.copy()
            atoms.calc = None
            atoms.positions = positions
            atoms.set_velocities(velocities * A_PER_FS)
            atoms.info = {"time_fs": float(time), "potential_eV": float(energy)}
            frames.append(atoms)
        return frames


@dataclass(frozen=True)
class Replicas:
    """Several runs of the same atoms, computed together.

    Attributes
    ----------
    runs : tuple of Trajectory
        One per seed, all with the same times. After a run became unstable its records repeat
        the last state before that.
    failed_fs : ndarray of shape (n_replicas,)
        When a replica became unstable; NaN for the others.
    """

    runs: tuple[Trajectory, ...] = field(repr=False)
    failed_fs: np.ndarray

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, k: int) -> Trajectory:
        return self.runs[k]

    @property
    def stable(self) -> np.ndarray:
        """Which replicas came through, bool, shape (n_replicas,)."""
        return np.isnan(self.failed_fs)

    @property
    def temperature_K(self) -> np.ndarray:
        """Kinetic temperatures, shape (n_replicas, n_times)."""
        return np.array([run.temperature_K for run in self.runs])
