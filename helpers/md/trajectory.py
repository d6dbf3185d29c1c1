"""What a run of molecular dynamics leaves behind: times, positions, velocities, energies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms, units

A_PER_FS = 1 / units.fs  # 1 Å/fs in ASE's unit of velocity
LOG_COLUMNS = ("step", "time_fs", "total_eV", "potential_eV", "kinetic_eV", "temperature_K")


class Records(NamedTuple):
    """Recorded states of R replicas.

    Attributes
    ----------
    steps : ndarray of shape (n_times,)
    positions_A : ndarray of shape (n_times, R, n_atoms, 3)
        Not wrapped into the cell.
    velocities_A_per_fs : ndarray of shape (n_times, R, n_atoms, 3)
    potential_eV : ndarray of shape (n_times, R)
        With the energies of isolated atoms.
    """

    steps: np.ndarray
    positions_A: np.ndarray
    velocities_A_per_fs: np.ndarray
    potential_eV: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Records]) -> Records:
        """Return records that follow each other as one."""
        return cls(*(np.concatenate(values) for values in zip(*parts, strict=True)))


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
    seed : int
        Of the random numbers.
    timestep_fs : float
    target_temperature_K : float
        That was asked for: of the velocities at the start, and of the bath.
    thermostat : str
        ``"none"``, ``"langevin"`` or ``"bussi"``.
    degrees_of_freedom : int
        How many the temperature is computed with.
    engine : str
        ``"compiled"`` or ``"ase"``.
    stopped : str
        Why the run was ended before its time, or an empty text. What was recorded is kept.
    interrupted : bool
        True if it was stopped with Ctrl-C.
    clock_s_per_step, processor_s_per_step : float
        What a step of all replicas took, as a median, on the clock and of the processor.
    """

    times_fs: np.ndarray = field(repr=False)
    positions_A: np.ndarray = field(repr=False)
    velocities_A_per_fs: np.ndarray = field(repr=False)
    potential_eV: np.ndarray = field(repr=False)
    kinetic_eV: np.ndarray = field(repr=False)
    start: Atoms = field(repr=False)
    seed: int
    timestep_fs: float
    target_temperature_K: float
    thermostat: str
    degrees_of_freedom: int
    engine: str
    stopped: str
    interrupted: bool
    clock_s_per_step: float
    processor_s_per_step: float

    @property
    def stable(self) -> bool:
        """True if nothing went wrong."""
        return not self.stopped

    @property
    def temperature_K(self) -> np.ndarray:
        """Kinetic temperature at each time."""
        return 2 * self.kinetic_eV / (self.degrees_of_freedom * units.kB)

    @property
    def total_eV(self) -> np.ndarray:
        """Potential and kinetic energy at each time; constant in a good NVE run."""
        return self.potential_eV + self.kinetic_eV

    @property
    def interval_fs(self) -> float:
        """Time between two records."""
        return float(self.times_fs[1] - self.times_fs[0]) if len(self.times_fs) > 1 else np.nan

    def log(self) -> pd.DataFrame:
        """Return one row per record: the columns of a log file, the same for both engines."""
        values = (
            np.rint(self.times_fs / self.timestep_fs).astype(int),
            self.times_fs,
            self.total_eV,
            self.potential_eV,
            self.kinetic_eV,
            self.temperature_K,
        )
        return pd.DataFrame(dict(zip(LOG_COLUMNS, values, strict=True)))

    def after(self, time_fs: float) -> Trajectory:
        """Return the part from a time on, such as after equilibration; times start from 0 again."""
        kept = self.times_fs >= time_fs
        parts = {
            name: getattr(self, name)[kept]
            for name in ("positions_A", "velocities_A_per_fs", "potential_eV", "kinetic_eV")
        }
        times = self.times_fs[kept]
        return replace(self, times_fs=times - times[:1], **parts)

    def frames(self, every: int = 1) -> list[Atoms]:
        """Return every n-th record as ase.Atoms with velocities, time and potential energy."""
        frames = []
        for k in range(0, len(self.times_fs), every):
            atoms = self.start.copy()
            atoms.calc = None
            for name in set(atoms.arrays) - {"numbers", "positions", "masses"}:
                del atoms.arrays[name]  # labels of the start, such as its DFT forces
            atoms.positions = self.positions_A[k]
            atoms.set_velocities(self.velocities_A_per_fs[k] * A_PER_FS)
            atoms.info = {
                "time_fs": float(self.times_fs[k]),
                "potential_eV": float(self.potential_eV[k]),
            }
            frames.append(atoms)
        return frames


@dataclass(frozen=True)
class Replicas:
    """Several runs of the same atoms, computed together.

    Attributes
    ----------
    runs : tuple of Trajectory
        One per seed. One that became unstable ends there.
    """

    runs: tuple[Trajectory, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, k: int) -> Trajectory:
        return self.runs[k]

    @property
    def stable(self) -> np.ndarray:
        """Which replicas came through, bool, shape (n_replicas,)."""
        return np.array([run.stable for run in self.runs])
