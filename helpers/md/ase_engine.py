"""md.ase_engine."""

from __future__ import annotations

import json
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
from helpers.md.trajectory import A_PER_FS, Records
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
            fixcm=False,  # a fixed center of mass would not be quite canonical
            rng=rng,
        )
    # The center of mass is at rest: so that Bussi counts 3 N − 3 degrees of freedom, too.
    atoms.set_constraint(FixCom())
    return Bussi(
        atoms,
        timestep,
        temperature_K=settings.temperature_K,
        taut=settings.relaxation_fs * units.fs,
        rng=rng,
    )
