"""The engine to read along: ASE's integrators, one step after the other.

Each step is two or three lines of ASE that a reader can look up; `compiled` does the same several
times faster. Units inside ASE: Å, eV, u, and a time in which they fit together (`units.fs`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import CalculatorError
from ase.constraints import FixCom
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.verlet import VelocityVerlet

from helpers.errors import PredictionError
from helpers.md.settings import RunSettings
from helpers.md.trajectory import A_PER_FS, LOG_COLUMNS, Records
from helpers.md.velocities import start_at


class AseEngine:
    """Steps one replica for `drive`, with an integrator of ASE and any calculator."""

    name = "ase"
    steps_per_call = 10

    def __init__(self, calculator: Any, start: Atoms, seed: int, settings: RunSettings) -> None:
        self._atoms = start_at(start, seed, settings)
        self._atoms.calc = calculator
        self.step = 0
        # Of the bath: not the numbers that the velocities were drawn with.
        self._rng = np.random.default_rng([seed, 1])
        self._record_every = settings.record_every
        self._dynamics = integrator(self._atoms, settings, self._rng)
        self._failed: tuple[int, str] | None = None
        self._stopped = False
        self._records: list[tuple] = []
        self._record()

    @property
    def running(self) -> bool:
        """True while the atoms move."""
        return self._failed is None and not self._stopped

    def run(self, end: int) -> None:
        """Go on until step `end` is complete, or until the potential gives no forces."""
        while self.step < end and self.running:
            try:
                self._dynamics.run(1)
            except (PredictionError, CalculatorError) as error:
                self._failed = self.step + 1, f"the potential gave up: {error}"
                return
            self.step += 1
            if self.step % self._record_every == 0:
                self._record()

    def take_records(self) -> Records:
        """Return what was recorded since the last call."""
        n_atoms = len(self._atoms)
        steps, positions, velocities, energies = (
            zip(*self._records, strict=True) if self._records else ((),) * 4
        )
        self._records = []
        shape = (len(steps), 1, n_atoms, 3)
        return Records(
            np.array(steps, int),
            np.array(positions).reshape(shape),
            np.array(velocities).reshape(shape),
            np.array(energies, float).reshape(-1, 1),
        )

    def stop(self, replica: int, step: int) -> None:
        """Move the atoms no further."""
        self._stopped = True

    def failures(self) -> dict[int, tuple[int, str]]:
        """Return the step at which the potential gave up, and what it said, if it did."""
        return {} if self._failed is None else {0: self._failed}

    def state(self) -> dict[str, Any]:
        """Return arrays from which `restore` goes on."""
        return {
            "step": np.array(self.step),
            "positions": self._atoms.get_positions(),
            "momenta": self._atoms.get_momenta(),
            "running": np.array(self.running),
            "random": np.array(json.dumps(self._rng.bit_generator.state)),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.step, self._stopped = int(state["step"]), not bool(state["running"])
        self._atoms.set_positions(state["positions"], apply_constraint=False)
        self._atoms.set_momenta(state["momenta"], apply_constraint=False)
        self._rng.bit_generator.state = json.loads(str(state["random"]))
        self._records = []

    def _record(self) -> None:
        self._records.append(
            (
                self.step,
                self._atoms.get_positions(),
                self._atoms.get_velocities() / A_PER_FS,
                self._atoms.get_potential_energy(),
            )
        )


def integrator(atoms: Atoms, settings: RunSettings, rng: np.random.Generator) -> MolecularDynamics:
    """Return ASE's integrator for `settings`."""
    timestep = settings.timestep_fs * units.fs
    if settings.thermostat == "none":
        return VelocityVerlet(atoms, timestep)
    if settings.thermostat == "langevin":
        friction = 1 / (settings.relaxation_fs * units.fs)
        return Langevin(
            atoms,
            timestep,
            temperature_K=settings.temperature_K,
            friction=friction,
            fixcm=False,  # a fixed centre of mass would not be quite canonical
            rng=rng,
        )
    # The centre of mass is at rest: so that Bussi counts 3 N − 3 degrees of freedom, too.
    atoms.set_constraint(FixCom())
    return Bussi(
        atoms,
        timestep,
        temperature_K=settings.temperature_K,
        taut=settings.relaxation_fs * units.fs,
        rng=rng,
    )


def ase_calculator(potential: Any) -> Any:
    """Return a potential, given as a path or a calculator, as a calculator."""
    from helpers.gap.potential import load_potential

    return load_potential(potential) if isinstance(potential, (str, os.PathLike)) else potential


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
        3 N − 3 by default: right if the centre of mass is at rest.
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
    """Return one line of a log file: headings, or the values of `LOG_COLUMNS`."""
    if isinstance(values[0], str):
        return "{:>8} {:>10} {:>15} {:>15} {:>13} {:>13}\n".format(*values)
    return "{:8d} {:10.2f} {:15.6f} {:15.6f} {:13.6f} {:13.2f}\n".format(*values)
