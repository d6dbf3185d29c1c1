"""Molecular dynamics with the whole loop compiled: one run, or many replicas at once.

Between two builds of the neighbour lists nothing returns to Python, which is what makes these
runs fast. `ase_runs` does the same with ASE, step by step, to read along.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms, units

from helpers.errors import PredictionError
from helpers.md.trajectory import Replicas, Trajectory

THERMOSTATS = ("none", "langevin", "bussi")


def run_nve(
    potential: Any,
    atoms: Atoms,
    *,
    steps: int,
    timestep_fs: float = 0.5,
    temperature_K: float | None = None,
    seed: int = 0,
    **options: Any,
) -> Trajectory:
    """Run molecular dynamics at constant energy (velocity Verlet).

    Parameters
    ----------
    potential : path or JaxCalculator
        What `load_potential` takes or returns, for a model that JAX can evaluate.
    atoms : ase.Atoms
        Where to start; not changed. Its velocities are used unless `temperature_K` is given.
    steps : int
        How many.
    timestep_fs : float
        Length of a step; 0.5 fs suits water.
    temperature_K : float, optional
        Draw new velocities for this temperature.
    seed : int
        Of the random numbers. The same seed gives the same run.
    **options
        Those of `run_replicas`.

    Returns
    -------
    Trajectory
    """
    return run_replicas(
        potential,
        atoms,
        seeds=[seed],
        steps=steps,
        timestep_fs=timestep_fs,
        temperature_K=temperature_K,
        thermostat="none",
        **options,
    )[0]


def run_nvt(
    potential: Any,
    atoms: Atoms,
    *,
    steps: int,
    temperature_K: float,
    timestep_fs: float = 0.5,
    thermostat: str = "langevin",
    seed: int = 0,
    **options: Any,
) -> Trajectory:
    """Run molecular dynamics at constant temperature.

    Parameters are those of `run_nve`, and `thermostat`: ``"langevin"`` (BAOAB) or ``"bussi"``
    (stochastic velocity rescaling, which disturbs the dynamics least).
    """
    return run_replicas(
        potential,
        atoms,
        seeds=[seed],
        steps=steps,
        timestep_fs=timestep_fs,
        temperature_K=temperature_K,
        thermostat=thermostat,
        **options,
    )[0]


def run_replicas(
    potential: Any,
    atoms: Atoms | Sequence[Atoms],
    *,
    seeds: Sequence[int],
    steps: int,
    timestep_fs: float = 0.5,
    temperature_K: float | None = None,
    thermostat: str = "none",
    relaxation_fs: float = 100.0,
    keep_velocities: bool = False,
    record_every: int = 10,
    max_temperature_K: float | None = None,
    skin_A: float = 0.6,
    progress: bool = True,
) -> Replicas:
    """Run several replicas at once, one for each seed.

    A replica that becomes unstable (numbers that are not finite, a temperature above
    `max_temperature_K`, or an atom that moves by half the skin in one step) is frozen in its
    last good state and flagged; the others go on. Ctrl-C keeps what was computed.

    Parameters
    ----------
    potential : path or JaxCalculator
        As in `run_nve`.
    atoms : ase.Atoms, or one per seed
        Where to start: the same elements in the same order.
    seeds : sequence of int
        One per replica. Replica k is the run that its seed gives alone.
    steps : int
    timestep_fs : float
    temperature_K : float, optional
        Of the bath, and of the new velocities; needed with a thermostat.
    thermostat : str
        ``"none"`` (NVE), ``"langevin"`` or ``"bussi"``.
    relaxation_fs : float
        How fast the thermostat acts: 1/friction, or the time constant of the kinetic energy.
    keep_velocities : bool
        Start with the velocities of `atoms` although there is a `temperature_K`.
    record_every : int
        Steps between two records; the start is recorded too.
    max_temperature_K : float, optional
        By default ten times `temperature_K`, at least 5000 K.
    skin_A : float
        How much further than the cutoffs the neighbour lists reach.
    progress : bool
        Show a bar.

    Returns
    -------
    Replicas
        One `Trajectory` per seed.

    Raises
    ------
    PredictionError
        If the potential cannot be asked about the atoms, or an option cannot be used.
    """
    from helpers.md.batch import STEPS_PER_CALL, Batch

    seeds = [int(seed) for seed in seeds]
    starts = [atoms] * len(seeds) if isinstance(atoms, Atoms) else list(atoms)
    _check(starts, seeds, steps, timestep_fs, temperature_K, thermostat, relaxation_fs)
    _check_whole("record_every", record_every)
    limit = max_temperature_K or max(5000.0, 10 * (temperature_K or 0.0))
    batch = Batch(
        _jax_calculator(potential),
        starts,
        seeds,
        thermostat=thermostat,
        timestep_fs=float(timestep_fs),
        temperature_K=temperature_K,
        relaxation_fs=float(relaxation_fs),
        keep_velocities=keep_velocities,
        record_every=record_every,
        max_temperature_K=float(limit),
        skin_A=float(skin_A),
    )
    started = time.perf_counter()
    interrupted = False
    with _bar(steps, progress) as bar:
        try:
            while batch.step < steps and batch.any_alive:
                batch.run(min(batch.step + STEPS_PER_CALL, steps))
                bar.update(batch.step - bar.n)
        except KeyboardInterrupt:
            interrupted = True
    return _collect(batch, starts, seeds, float(timestep_fs), interrupted, started)


def _collect(
    batch: Any,
    starts: list[Atoms],
    seeds: list[int],
    timestep_fs: float,
    interrupted: bool,
    started: float,
) -> Replicas:
    numbers, positions, velocities, potential = batch.records()
    masses = starts[0].get_masses()
    kinetic = 0.5 * np.einsum("a,traj,traj->tr", masses, velocities, velocities)
    kinetic /= units.fs**2
    failed = np.where(batch.failed_step >= 0, batch.failed_step * timestep_fs, np.nan)
    runs = [
        Trajectory(
            times_fs=numbers * timestep_fs,
            positions_A=positions[:, k],
            velocities_A_per_fs=velocities[:, k],
            potential_eV=potential[:, k],
            kinetic_eV=kinetic[:, k],
            start=starts[k].copy(),
            seed=seed,
            timestep_fs=timestep_fs,
            degrees_of_freedom=batch.ensemble.degrees_of_freedom,
            stable=bool(np.isnan(failed[k])),
            interrupted=interrupted,
            wall_seconds=time.perf_counter() - started,
            n_list_builds=batch.n_builds,
        )
        for k, seed in enumerate(seeds)
    ]
    return Replicas(tuple(runs), failed)


def _jax_calculator(potential: Any) -> Any:
    from helpers.gap.jax.calculator import JaxCalculator
    from helpers.gap.potential import load_potential

    if isinstance(potential, JaxCalculator):
        return potential
    if getattr(potential, "engine", None) == "quippy":
        potential = potential.path
    return load_potential(potential, engine="jax")


def _bar(steps: int, progress: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=steps, desc="molecular dynamics", unit="step", disable=not progress)


def _check(
    starts: list[Atoms],
    seeds: list[int],
    steps: int,
    timestep_fs: float,
    temperature_K: float | None,
    thermostat: str,
    relaxation_fs: float,
) -> None:
    _check_whole("steps", steps)
    if not all(0 <= seed < 2**32 for seed in seeds):
        raise PredictionError("A seed is out of range", expected="0 … 4294967295")
    if not seeds or len(starts) != len(seeds):
        raise PredictionError(
            f"There are {len(seeds)} seeds for {len(starts)} atoms", expected="one seed for each"
        )
    if any(list(a.numbers) != list(starts[0].numbers) for a in starts):
        raise PredictionError("The replicas differ in their elements", expected="the same order")
    if thermostat not in THERMOSTATS:
        raise PredictionError(
            f"There is no thermostat {thermostat!r}", expected=" or ".join(THERMOSTATS)
        )
    if thermostat != "none" and temperature_K is None:
        raise PredictionError(f"{thermostat} needs a temperature", fix="give temperature_K")
    for name, value in (("timestep_fs", timestep_fs), ("relaxation_fs", relaxation_fs)):
        if not (np.isfinite(value) and value > 0):
            raise PredictionError(f"{name}={value!r} cannot be used", expected="a number above 0")
    if temperature_K is not None and not (np.isfinite(temperature_K) and temperature_K >= 0):
        raise PredictionError(
            f"temperature_K={temperature_K!r} cannot be used", expected="a number from 0 up"
        )


def _check_whole(name: str, value: Any) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise PredictionError(f"{name}={value!r} cannot be used", expected="a whole number above 0")
