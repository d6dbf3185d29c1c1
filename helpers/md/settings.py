"""`RunSettings`: everything that decides how a run of molecular dynamics goes, checked."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from helpers.errors import PredictionError, nearest
from helpers.md.monitor import Monitor

THERMOSTATS = ("none", "langevin", "bussi")
LONGEST_STEP_FS = 5.0  # an O–H bond vibrates in 9 fs


@dataclass(frozen=True)
class RunSettings:
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
        ``"none"`` (NVE), ``"langevin"``, or ``"bussi"`` (stochastic velocity rescaling, which
        disturbs the dynamics least).
    relaxation_fs : float
        How fast the thermostat acts: 1/friction, or the time constant of the kinetic energy.
    keep_velocities : bool
        Start with the velocities of the atoms in place of new ones.
    record_every : int
        Steps between two records; the start is recorded too. A spectrum needs a record every
        4 fs at least.
    monitor : Monitor
        When to stop.
    skin_A : float
        How much further than the cutoffs the neighbor lists of the compiled engine reach.

    Raises
    ------
    PredictionError
        If a value cannot be used.
    """

    steps: int
    timestep_fs: float = 0.5
    temperature_K: float = 300.0
    thermostat: str = "none"
    relaxation_fs: float = 100.0
    keep_velocities: bool = False
    record_every: int = 4
    monitor: Monitor = field(default_factory=Monitor)
    skin_A: float = 0.6

    def __post_init__(self) -> None:
        for name in ("steps", "record_every"):
            check_whole(name, getattr(self, name))
        for name in ("timestep_fs", "temperature_K", "relaxation_fs", "skin_A"):
            _check_positive(name, getattr(self, name))
        if self.timestep_fs > LONGEST_STEP_FS:
            raise PredictionError(
                f"timestep_fs={self.timestep_fs:g} is too long",
                expected=f"at most {LONGEST_STEP_FS:g} fs; 0.5 fs suits water",
                fix="check the unit: femtoseconds",
            )
        if self.thermostat not in THERMOSTATS:
            raise PredictionError(
                f"There is no thermostat {self.thermostat!r}",
                fix=nearest(str(self.thermostat), THERMOSTATS),
            )

    @classmethod
    def of(cls, **values: Any) -> RunSettings:
        """Return settings, or raise an error that names the nearest right name."""
        known = [one.name for one in fields(cls)]
        for name in values:
            if name not in known:
                raise PredictionError(f"There is no setting {name!r}", fix=nearest(name, known))
        return cls(**values)

    def degrees_of_freedom(self, n_atoms: int) -> int:
        """Return how many the temperature is computed with.

        Langevin noise moves the center of mass; without it, it stays at rest.
        """
        return 3 * n_atoms if self.thermostat == "langevin" or n_atoms == 1 else 3 * n_atoms - 3


def check_whole(name: str, value: Any) -> None:
    """Raise `PredictionError` unless `value` is a whole number above 0."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise PredictionError(f"{name}={value!r} cannot be used", expected="a whole number above 0")


def check_seed(seed: Any) -> int:
    """Return `seed`, or raise `PredictionError`."""
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise PredictionError(
            f"seed={seed!r} cannot be used", expected="a whole number, 0 … 4294967295"
        )
    return int(seed)


def _check_positive(name: str, value: Any) -> None:
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or isinstance(value, bool) or not (np.isfinite(value) and value > 0):
        raise PredictionError(f"{name}={value!r} cannot be used", expected="a number above 0")
