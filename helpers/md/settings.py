"""`RunSettings`: everything that decides how a run of molecular dynamics goes, checked."""

from __future__ import annotations

from dataclasses import dataclass, field

from helpers.checks import Settings, number, whole
from helpers.errors import ConfigError, nearest
from helpers.md.integrators import METHODS, degrees_of_freedom
from helpers.md.monitor import GeneralMonitor, Monitor

THERMOSTATS = tuple(METHODS)
LONGEST_STEP_FS = 5.0  # an O–H bond vibrates in 9 fs


@dataclass(frozen=True)
class RunSettings(Settings):
    """How a run goes. What is not given has a value that suits liquid water.

    Parameters
    ----------
    steps : int
        How many.
    timestep_fs : float
        Length of a step, at most 5 fs; 0.5 fs suits water.
    temperature_K : float
        Of the Maxwell–Boltzmann velocities at the start, and of the bath if there is one.
    thermostat : str
        ``"none"`` (NVE), or one of those told at `run_nvt`.
    relaxation_fs : float
        How fast the thermostat acts (see `integrators.Integrator`).
    keep_velocities : bool
        Start with the velocities of the atoms in place of new ones.
    record_every : int
        Steps between two records; the start is recorded too. A spectrum needs a record every
        4 fs at least.
    monitor : Monitor or GeneralMonitor
        When to stop; the first knows water, the second suits any atoms.
    skin_A : float
        How much further than the cutoffs the neighbor lists of the compiled engine reach.

    Raises
    ------
    ConfigError
        If a value cannot be used.
    """

    steps: int
    timestep_fs: float = 0.5
    temperature_K: float = 300.0
    thermostat: str = "none"
    relaxation_fs: float = 100.0
    keep_velocities: bool = False
    record_every: int = 4
    monitor: Monitor | GeneralMonitor = field(default_factory=Monitor)
    skin_A: float = 0.6

    def __post_init__(self) -> None:
        for name in ("steps", "record_every"):
            whole(name, getattr(self, name), 1)
        for name in ("timestep_fs", "temperature_K", "relaxation_fs", "skin_A"):
            number(name, getattr(self, name))
        if self.timestep_fs > LONGEST_STEP_FS:
            raise ConfigError(
                f"timestep_fs={self.timestep_fs:g} is too long",
                expected=f"at most {LONGEST_STEP_FS:g} fs; 0.5 fs suits water",
                fix="check the unit: femtoseconds",
            )
        if self.thermostat not in THERMOSTATS:
            raise ConfigError(
                f"There is no thermostat {self.thermostat!r}",
                fix=nearest(str(self.thermostat), THERMOSTATS),
            )

    def degrees_of_freedom(self, n_atoms: int) -> int:
        """Return the number of degrees of freedom that the temperature is computed with."""
        return degrees_of_freedom(METHODS[self.thermostat], n_atoms)
