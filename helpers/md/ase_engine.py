"""The engine to read along: ASE's integrators, one step after the other.

Each step is two or three lines of ASE that a reader can look up; `compiled_engine` does the same
several times faster. Units inside ASE: Å, eV, u, and a time in which they fit together
(`units.fs`).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import CalculatorError
from ase.constraints import FixCom
from ase.md.andersen import Andersen
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.nose_hoover_chain import NoseHooverChainNVT, NoseHooverChainThermostat
from ase.md.nvtberendsen import NVTBerendsen
from ase.md.verlet import VelocityVerlet

from helpers.errors import ConfigError, PredictionError, WorkshopError
from helpers.md.engine import initial_atoms
from helpers.md.settings import RunSettings
from helpers.md.trajectory import A_PER_FS, Records


class AseEngine:
    """Steps one replica for `engine.run_engine`, with an integrator of ASE and any calculator."""

    name = "ase"
    steps_per_call = 10

    def __init__(self, calculator: Any, start: Atoms, seed: int, settings: RunSettings) -> None:
        self._atoms = initial_atoms(start, seed, settings)
        self._atoms.calc = calculator
        self.step = 0
        # Of the bath: not the numbers that the velocities were drawn with.
        self._rng = np.random.default_rng([seed, 1])
        self._record_every = settings.record_every
        self._dynamics = ase_integrator(self._atoms, settings, self._rng)
        self._failed: tuple[int, str] | None = None
        self._stopped = False
        self._records: list[tuple] = []
        try:
            self._record()
        except WorkshopError:
            raise
        except Exception as error:
            raise PredictionError(
                f"{type(calculator).__name__} gives no energy for the atoms at the start",
                found=f"{type(error).__name__}: {error}",
                fix="ask it for the energy of these atoms yourself, to see the whole error",
            ) from error

    @property
    def running(self) -> bool:
        """True while the atoms move."""
        return self._failed is None and not self._stopped

    def run(self, end: int) -> None:
        """Go on until step `end` is complete, or until the potential gives no forces."""
        while self.step < end and self.running:
            try:
                self._dynamics.run(1)
            except Exception as error:  # of any calculator
                ours = isinstance(error, (WorkshopError, CalculatorError))
                words = str(error) if ours else f"{type(error).__name__}: {error}"
                self._failed = self.step + 1, f"the potential gave up: {words}"
                return
            self.step += 1
            if self.step % self._record_every == 0:
                self._record()

    def pop_records(self) -> Records:
        """Return what was recorded since the last call."""
        steps, positions, velocities, energies, conserved = (
            zip(*self._records, strict=True) if self._records else ((),) * 5
        )
        self._records = []
        shape = (len(steps), 1, len(self._atoms), 3)
        return Records(
            np.array(steps, int),
            np.array(positions).reshape(shape),
            np.array(velocities).reshape(shape),
            np.array(energies, float).reshape(-1, 1),
            np.array(conserved, float).reshape(-1, 1),
        )

    def stop(self, replica: int, step: int) -> None:
        """Move the atoms no further."""
        self._stopped = True

    def failures(self) -> dict[int, tuple[int, str]]:
        """Return the step at which the potential gave up, and what it said, if it did."""
        return {} if self._failed is None else {0: self._failed}

    def state(self) -> dict[str, Any]:
        """Return arrays from which `restore` goes on."""
        state = {
            "step": np.array(self.step),
            "positions": self._atoms.get_positions(),
            "momenta": self._atoms.get_momenta(),
            "running": np.array(self.running),
            "random": np.array(json.dumps(self._rng.bit_generator.state)),
        }
        if isinstance(self._dynamics, NoseHoover):
            state["thermostat"] = self._dynamics.chain
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.step, self._stopped = int(state["step"]), not bool(state["running"])
        self._atoms.set_positions(state["positions"], apply_constraint=False)
        self._atoms.set_momenta(state["momenta"], apply_constraint=False)
        self._rng.bit_generator.state = json.loads(str(state["random"]))
        if isinstance(self._dynamics, NoseHoover):
            self._dynamics.restore(state["thermostat"])
        self._records = []

    def _record(self) -> None:
        self._records.append(
            (
                self.step,
                self._atoms.get_positions(),
                self._atoms.get_velocities() / A_PER_FS,
                self._atoms.get_potential_energy(),
                self._conserved_energy(),
            )
        )

    def _conserved_energy(self) -> float:
        if isinstance(self._dynamics, NoseHoover):
            return self._dynamics.get_conserved_energy()
        if type(self._dynamics) is VelocityVerlet:
            return self._atoms.get_total_energy()
        return np.nan


class NoseHoover(NoseHooverChainNVT):
    """ASE's Nosé–Hoover chain for atoms whose center of mass is at rest.

    ASE counts 3 N degrees of freedom; without those of the center of mass they are 3 (N − 1), and
    the atoms would be hotter than the bath by a factor N/(N − 1).
    """

    def __init__(self, atoms: Atoms, timestep: float, temperature_K: float, tdamp: float) -> None:
        super().__init__(atoms, timestep, temperature_K=temperature_K, tdamp=tdamp)
        self._thermostat = NoseHooverChainThermostat(
            num_atoms_global=max(1, len(atoms) - 1),
            masses=self.masses,
            temperature_K=temperature_K,
            tdamp=tdamp,
        )

    @property
    def chain(self) -> np.ndarray:
        """Positions and momenta of the bath, shape (2, length of the chain)."""
        return np.array([self._thermostat._eta, self._thermostat._p_eta])

    def restore(self, chain: np.ndarray) -> None:
        """Go on with the atoms as they are now, and this chain."""
        self._q, self._p = self.atoms.get_positions(), self.atoms.get_momenta()
        self._thermostat._eta, self._thermostat._p_eta = chain.copy()


class Rescaling(VelocityVerlet):
    """Velocity Verlet, then all velocities are scaled to one temperature."""

    def __init__(self, atoms: Atoms, timestep: float, temperature_K: float) -> None:
        super().__init__(atoms, timestep)
        self.temperature_K = temperature_K

    def step(self, forces: Any = None) -> Any:
        """Complete a step."""
        forces = super().step(forces)
        factor = np.sqrt(self.temperature_K / self.atoms.get_temperature())
        self.atoms.set_momenta(factor * self.atoms.get_momenta())
        return forces


def ase_integrator(
    atoms: Atoms, settings: RunSettings, rng: np.random.Generator
) -> MolecularDynamics:
    """Return ASE's integrator for `settings`.

    Where the center of mass stays at rest ASE is told so (`FixCom`): it counts 3 N − 3 degrees of
    freedom then, as the compiled engine does.

    Raises
    ------
    ConfigError
        If ASE has none for this thermostat.
    """
    timestep, kelvin = settings.timestep_fs * units.fs, settings.temperature_K
    relaxation = settings.relaxation_fs * units.fs
    if settings.thermostat in ("bussi", "berendsen", "rescaling"):
        atoms.set_constraint(FixCom())
    builders = {
        "none": lambda: VelocityVerlet(atoms, timestep),
        # fixcm=False: a fixed center of mass would not be quite canonical
        "langevin": lambda: Langevin(
            atoms, timestep, temperature_K=kelvin, friction=1 / relaxation, fixcm=False, rng=rng
        ),
        "bussi": lambda: Bussi(atoms, timestep, temperature_K=kelvin, taut=relaxation, rng=rng),
        "nose_hoover": lambda: NoseHoover(atoms, timestep, kelvin, relaxation),
        "andersen": lambda: Andersen(
            atoms,
            timestep,
            temperature_K=kelvin,
            andersen_prob=-np.expm1(-timestep / relaxation),
            fixcm=False,
            rng=rng,
        ),
        "berendsen": lambda: NVTBerendsen(atoms, timestep, temperature_K=kelvin, taut=relaxation),
        "rescaling": lambda: Rescaling(atoms, timestep, kelvin),
    }
    if settings.thermostat not in builders:
        raise ConfigError(
            f"The ASE engine has no thermostat {settings.thermostat!r}",
            expected=", ".join(builders),
            fix="use engine='compiled'",
        )
    return builders[settings.thermostat]()
