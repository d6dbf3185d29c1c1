"""`Simulator`: replicas that go on from window to window; unstable ones are rewound.

Replicas persist: a window starts where the one before ended. At the end of a window every replica
that met a criterion is set back to the start of that window, where it was stable; the others go on
undisturbed. The first failure of a replica counts and stays, whatever happens after it is rewound.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers import checks
from helpers.errors import CheckpointError, ConfigError
from helpers.jax_setup import double_precision
from helpers.md.compiled_engine import CompiledEngine
from helpers.md.integrators import temperature
from helpers.md.settings import RunSettings
from helpers.md.trajectory import Records
from helpers.neural.array_files import filled, read_arrays, write_arrays
from helpers.neural.calculator import NeuralCalculator
from helpers.neural.neural_potential import NeuralPotential
from helpers.stability.criteria import Criterion

BLOWN_UP = "blown_up"  # the engine gave the replica up: numbers that are not finite, a jump


@dataclass(frozen=True)
class Window:
    """What happened in a window.

    Attributes
    ----------
    records : Records
        Of all replicas. Where a replica is unstable they are no sample of any ensemble.
    stable : bool ndarray of shape (n_times, n_replicas)
        False from the first violation of a criterion on.
    failures : DataFrame
        A row for each replica that became unstable: replica, time_fs, criterion.
    """

    records: Records
    stable: np.ndarray
    failures: pd.DataFrame

    @property
    def unstable_fraction(self) -> float:
        """Share of the replicas that became unstable."""
        return float(1 - self.stable[-1].mean())


class Simulator:
    """Runs replicas with a neural potential, window by window.

    Parameters
    ----------
    calculator : NeuralCalculator
    starts : sequence of ase.Atoms
        One for each replica: the same elements in the same order.
    seeds : sequence of int
        One for each replica, of velocities and thermostat.
    criteria : sequence of Criterion
    settings : RunSettings
        ``steps`` is the length of a window. With a deterministic thermostat a rewound replica does
        the same again; with ``"langevin"`` or ``"bussi"`` it goes another way.

    Attributes
    ----------
    log : list of dict
        A row for each window: window, time_fs, unstable (how many), unstable_fraction,
        temperature_K (mean of stable records), temperature_error_K (standard error, from the
        spread of the replicas), and the number of failures by each criterion.

    Raises
    ------
    ConfigError
        If there are no replicas, or a window is shorter than the time between records.
    PredictionError
        If the potential cannot be asked about the atoms.
    """

    def __init__(
        self,
        calculator: NeuralCalculator,
        starts: Sequence[Atoms],
        seeds: Sequence[int],
        criteria: Sequence[Criterion],
        settings: RunSettings,
    ) -> None:
        if not starts or len(starts) != len(seeds):
            raise ConfigError(
                f"There are {len(seeds)} seeds for {len(starts)} starts",
                expected="one for each replica, one replica at least",
            )
        if settings.steps % settings.record_every:
            raise ConfigError(
                f"A window of {settings.steps} steps has no record at its end",
                expected=f"a multiple of record_every, {settings.record_every}",
            )
        self.calculator, self.criteria, self.settings = calculator, tuple(criteria), settings
        self.starts, self.seeds = list(starts), [checks.seed(seed) for seed in seeds]
        self._engine = CompiledEngine(calculator, self.starts, self.seeds, settings)
        self._engine.run(0)
        self._engine.pop_records()
        self.log: list[dict[str, Any]] = []
        self._first_failures: dict[int, tuple[float, str]] = {}

    @property
    def time_fs(self) -> float:
        """Time at the end of the last window."""
        return float(self._engine.step * self.settings.timestep_fs)

    def run_window(self) -> Window:
        """Run all replicas for a window, and rewind those that became unstable."""
        before = self._engine.state()
        self._engine.run(self._engine.step + self.settings.steps)
        records = self._engine.pop_records()
        violated = {}
        for criterion in self.criteria:
            values = criterion(records)
            violated[criterion.name] = ~(values <= criterion.limit)  # NaN counts, too
        blown_up = np.zeros((len(records.steps), len(self.seeds)), bool)
        for replica, (step, _) in self._engine.failures().items():
            blown_up[records.steps >= step, replica] = True
        violated[BLOWN_UP] = blown_up
        stable = ~np.logical_or.accumulate(np.any(list(violated.values()), axis=0), axis=0)
        rows = []
        for replica in map(int, np.flatnonzero(~stable[-1])):
            first = int(np.argmin(stable[:, replica]))
            name = next(n for n, where in violated.items() if where[first, replica])
            time_fs = float(records.steps[first] * self.settings.timestep_fs)
            rows.append({"replica": replica, "time_fs": time_fs, "criterion": name})
            self._first_failures.setdefault(replica, (time_fs, name))
        window = Window(
            records, stable, pd.DataFrame(rows, columns=["replica", "time_fs", "criterion"])
        )
        self._add_to_log(window, list(violated))
        self._rewind(np.flatnonzero(~stable[-1]), before)
        return window

    def survival(self) -> pd.DataFrame:
        """Return how long each replica was stable: replica, time_fs, failed, criterion.

        `time_fs` is that of the first failure; where `failed` is False it is the time until now,
        which is a lower bound (a censored observation).
        """
        rows = []
        for replica in range(len(self.seeds)):
            time_fs, name = self._first_failures.get(replica, (self.time_fs, ""))
            rows.append((replica, time_fs, replica in self._first_failures, name))
        return pd.DataFrame(rows, columns=["replica", "time_fs", "failed", "criterion"])

    def set_potential(self, potential: NeuralPotential) -> None:
        """Go on with another potential: forces at the present positions are computed anew."""
        self.calculator.potential = potential
        state = self._engine.state()
        frames = []
        for start, positions in zip(self.starts, state["positions"], strict=True):
            frames.append(start.copy())
            frames[-1].positions = positions
        predictions = self.calculator.predict_frames(frames)
        offset = potential.atoms_energy(self.starts[0])
        state["energy"] = np.array([energy - offset for energy, _ in predictions])
        state["forces"] = np.array([forces for _, forces in predictions])
        self._engine.restore(state)

    def save(self, path: str | os.PathLike) -> Path:
        """Write all replicas and the log, completely or not at all; the potential is not in it."""
        failures = {str(replica): value for replica, value in self._first_failures.items()}
        facts = {"seeds": self.seeds, "log": self.log, "first_failures": failures}
        return write_arrays(Path(path), self._engine.state(), facts)

    def restore(self, path: str | os.PathLike) -> None:
        """Go on from what `save` wrote.

        Raises
        ------
        CheckpointError
            If the file is damaged, or of other replicas.
        """
        arrays, facts = read_arrays(Path(path), CheckpointError)
        with double_precision():
            state = filled(self._engine.state(), arrays, Path(path), CheckpointError)
        if facts.get("seeds") != self.seeds:
            raise CheckpointError(
                f"{path} holds replicas with other seeds",
                expected=str(facts.get("seeds")),
                found=str(self.seeds),
            )
        self._engine.restore({name: np.array(values) for name, values in state.items()})
        self.log = facts["log"]
        self._first_failures = {
            int(replica): (time_fs, name)
            for replica, (time_fs, name) in facts["first_failures"].items()
        }

    def _rewind(self, replicas: np.ndarray, before: dict[str, np.ndarray]) -> None:
        """Set some replicas back to an earlier state; the number of the step goes on."""
        if not len(replicas):
            return
        state = {name: np.array(values) for name, values in self._engine.state().items()}
        for name, values in state.items():
            if values.ndim:
                values[replicas] = before[name][replicas]
        self._engine.restore(state)

    def _add_to_log(self, window: Window, names: list[str]) -> None:
        masses = self.starts[0].get_masses()
        n_dof = self.settings.degrees_of_freedom(len(masses))
        kelvin = np.asarray(temperature(window.records.velocities_A_per_fs, masses, n_dof))
        counts = window.stable.sum(0)
        of_replica = np.where(window.stable, kelvin, 0.0).sum(0)[counts > 0] / counts[counts > 0]
        n_means = len(of_replica)
        error = of_replica.std(ddof=1) / np.sqrt(n_means) if n_means > 1 else np.nan
        self.log.append(
            {
                "window": len(self.log) + 1,
                "time_fs": self.time_fs,
                "unstable": len(window.failures),
                "unstable_fraction": window.unstable_fraction,
                "temperature_K": float(of_replica.mean()) if n_means else float("nan"),
                "temperature_error_K": float(error),
                **{name: int((window.failures["criterion"] == name).sum()) for name in names},
            }
        )
