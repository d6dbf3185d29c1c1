"""`Trajectory`: what a run of molecular dynamics leaves behind, and its files."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.io.trajectory import TrajectoryWriter
from ase.md.md import MolecularDynamics

from helpers.files import check_writable, output_error, write_atomic

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
    conserved_eV : ndarray of shape (n_times, R)
        Total energy of atoms and bath; NaN where that of the bath is not known.
    """

    steps: np.ndarray
    positions_A: np.ndarray
    velocities_A_per_fs: np.ndarray
    potential_eV: np.ndarray
    conserved_eV: np.ndarray

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
    conserved_eV : ndarray of shape (n_times,)
        Total energy of atoms and bath: constant but for errors of the integrator. It is the total
        energy itself at constant energy, and known for ``"nose_hoover"``; otherwise NaN.
    start : ase.Atoms
        The atoms as they were given.
    seed : int
        Of the random numbers.
    timestep_fs : float
    target_temperature_K : float
        That was asked for: of the velocities at the start, and of the bath.
    thermostat : str
        ``"none"`` (constant energy), ``"langevin"``, … (see `run_nvt`).
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
    conserved_eV: np.ndarray = field(repr=False)
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
    def conserves_with_bath(self) -> bool:
        """True if there is a thermostat and the energy that it takes up is known."""
        return self.thermostat != "none" and bool(np.isfinite(self.conserved_eV).all())

    @property
    def interval_fs(self) -> float:
        """Time between two records."""
        return float(self.times_fs[1] - self.times_fs[0]) if len(self.times_fs) > 1 else np.nan

    def log(self) -> pd.DataFrame:
        """Return one row per record: the columns of a log file, the same for both engines.

        ``conserved_eV`` is the last where the energy of a bath is known.
        """
        values = (
            np.rint(self.times_fs / self.timestep_fs).astype(int),
            self.times_fs,
            self.total_eV,
            self.potential_eV,
            self.kinetic_eV,
            self.temperature_K,
        )
        table = pd.DataFrame(dict(zip(LOG_COLUMNS, values, strict=True)))
        if self.conserves_with_bath:
            table["conserved_eV"] = self.conserved_eV
        return table

    def after(self, time_fs: float) -> Trajectory:
        """Return the part from a time on, such as after equilibration; times start from 0 again."""
        kept = self.times_fs >= time_fs
        parts = {
            name: getattr(self, name)[kept]
            for name in (
                "positions_A",
                "velocities_A_per_fs",
                "potential_eV",
                "kinetic_eV",
                "conserved_eV",
            )
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


class LogFile:
    """Appends a line with the energies and the temperature each time it is called.

    For ``dynamics.attach(LogFile("nve.log", atoms, dynamics), interval=1)``. The columns are those
    of the log of `run_nve` and `run_nvt`.

    Parameters
    ----------
    path : path
        Written anew, with a line of headings.
    atoms : ase.Atoms
    dynamics : ase.md.md.MolecularDynamics
        Tells the time.
    degrees_of_freedom : int, optional
        3 N − 3 by default: right if the center of mass is at rest.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        atoms: Atoms,
        dynamics: MolecularDynamics,
        degrees_of_freedom: int | None = None,
    ) -> None:
        self.path, self.atoms, self.dynamics = Path(path), atoms, dynamics
        self.degrees_of_freedom = degrees_of_freedom or 3 * len(atoms) - 3
        self.path.write_text(log_line(LOG_COLUMNS))

    def __call__(self) -> None:
        """Append a line."""
        potential = self.atoms.get_potential_energy()
        kinetic = self.atoms.get_kinetic_energy()
        temperature = 2 * kinetic / (self.degrees_of_freedom * units.kB)
        time_fs = self.dynamics.get_time() / units.fs
        step = self.dynamics.nsteps
        values = (step, time_fs, potential + kinetic, potential, kinetic, temperature)
        with self.path.open("a") as file:
            file.write(log_line(values))


def log_line(values: Any) -> str:
    """Return one line of a log file: headings, or the values of `LOG_COLUMNS`.

    A seventh value is that of ``conserved_eV``.
    """
    if isinstance(values[0], str):
        line = "{:>8} {:>10} {:>15} {:>15} {:>13} {:>13}".format(*values)
        return line + "".join(f" {name:>15}" for name in values[6:]) + "\n"
    line = "{:8d} {:10.2f} {:15.6f} {:15.6f} {:13.6f} {:13.2f}".format(*values)
    return line + "".join(f" {value:15.6f}" for value in values[6:]) + "\n"


def write_results(run: Trajectory, prefix: str | os.PathLike) -> tuple[Path, Path, Path]:
    """Write ``prefix.log``, ``prefix.xyz`` and ``prefix.traj``, each whole or not at all.

    The log holds one line per record; the other two the frames, with velocities (in the XYZ file as
    momenta, as ASE reads them) and energies.

    Raises
    ------
    OutputError
        If the folder is missing, may not be written to, or the disk is full.
    """
    log, xyz, traj = (Path(f"{os.fspath(prefix)}.{kind}") for kind in ("log", "xyz", "traj"))
    table = run.log()
    rows = [tuple(table.columns), *table.itertuples(index=False)]
    write_atomic(log, "".join(log_line(tuple(row)) for row in rows))
    text = io.StringIO()
    write(text, run.frames(), format="extxyz")
    write_atomic(xyz, text.getvalue())
    _write_traj(run, traj)
    return log, xyz, traj


def _write_traj(run: Trajectory, path: Path) -> None:
    """ASE writes this format into a file only: so beside it first."""
    check_writable(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with TrajectoryWriter(aside) as writer:
                for atoms in run.frames():
                    energy = atoms.info["potential_eV"]
                    atoms.calc = SinglePointCalculator(atoms, energy=energy)
                    writer.write(atoms)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
