"""One time step of molecular dynamics for a batch of replicas, in JAX.

Lengths in Å, times in fs, energies in eV, masses in atomic mass units.

- velocity Verlet: Swope, Andersen, Berens, Wilson, J. Chem. Phys. 76, 637 (1982)
- Langevin BAOAB: Leimkuhler, Matthews, Appl. Math. Res. Express 2013, 34 (2013)
- stochastic velocity rescaling: Bussi, Donadio, Parrinello, J. Chem. Phys. 126, 014101 (2007)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ase import units

ACCELERATION = units.fs**2  # 1 eV/(Å u) in Å/fs²
THERMOSTATS = ("none", "langevin", "bussi")


@dataclass(frozen=True)
class Ensemble:
    """How the velocities are coupled to a bath.

    Attributes
    ----------
    thermostat : str
        ``"none"`` (NVE), ``"langevin"`` or ``"bussi"``.
    timestep_fs : float
    temperature_K : float
        Of the bath; without meaning for NVE.
    relaxation_fs : float
        Langevin: 1/friction. Bussi: how fast the kinetic energy relaxes.
    degrees_of_freedom : int
    """

    thermostat: str
    timestep_fs: float
    temperature_K: float
    relaxation_fs: float
    degrees_of_freedom: int


class State(NamedTuple):
    """Replicas at one moment, R of them.

    Attributes
    ----------
    positions, velocities, forces : arrays of shape (R, n_atoms, 3), Å, Å/fs, eV/Å
    energy : array of shape (R,), eV
        Potential energy without isolated atoms.
    alive : bool array of shape (R,)
        False for a replica that became unstable: it is not moved any more.
    failed_step : int array of shape (R,)
        The step at which it did, or −1.
    step : int
        Steps done.
    """

    positions: Any
    velocities: Any
    forces: Any
    energy: Any
    alive: Any
    failed_step: Any
    step: Any


ForceField = Callable[[jax.Array], tuple[jax.Array, jax.Array]]


def kinetic_energy(velocities: Any, masses: Any) -> Any:
    """Return ½ Σ m v² in eV for velocities of shape (..., n_atoms, 3) in Å/fs."""
    return 0.5 * (masses[:, None] * velocities**2).sum((-2, -1)) / ACCELERATION


def advance(
    ensemble: Ensemble,
    force_field: ForceField,
    masses: jax.Array,
    keys: jax.Array,
    state: State,
) -> State:
    """Return the replicas one time step later; `alive` and `failed_step` are left as they are.

    Parameters
    ----------
    force_field : callable
        Positions (R, n_atoms, 3) → energies (R,) and forces (R, n_atoms, 3).
    masses : array of shape (n_atoms,), u
    keys : array of shape (R,)
        One random key per replica. The noise of a step depends on the key and the number of the
        step only, so a step can be taken again.
    """
    step = ensemble.timestep_fs
    scale = ACCELERATION / masses[:, None]
    velocities = state.velocities + 0.5 * step * scale * state.forces
    if ensemble.thermostat == "langevin":
        positions = state.positions + 0.5 * step * velocities
        velocities = _friction_and_noise(ensemble, masses, keys, state.step, velocities)
        positions = positions + 0.5 * step * velocities
    else:
        positions = state.positions + step * velocities
    energy, forces = force_field(positions)
    velocities = velocities + 0.5 * step * scale * forces
    if ensemble.thermostat == "bussi":
        velocities = _rescale(ensemble, masses, keys, state.step, velocities)
    return state._replace(
        positions=positions,
        velocities=velocities,
        forces=forces,
        energy=energy,
        step=state.step + 1,
    )


def _noise(keys: jax.Array, step: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Return normal random numbers (R, *shape) for one step."""
    return jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, step), shape))(keys)


def _friction_and_noise(
    ensemble: Ensemble, masses: jax.Array, keys: jax.Array, step: jax.Array, velocities: jax.Array
) -> jax.Array:
    """Solve the Ornstein–Uhlenbeck part of Langevin dynamics exactly."""
    keep = math.exp(-ensemble.timestep_fs / ensemble.relaxation_fs)
    thermal = jnp.sqrt(units.kB * ensemble.temperature_K * ACCELERATION / masses)[:, None]
    noise = _noise(keys, step, velocities.shape[1:])
    return keep * velocities + math.sqrt(1 - keep**2) * thermal * noise


def _rescale(
    ensemble: Ensemble, masses: jax.Array, keys: jax.Array, step: jax.Array, velocities: jax.Array
) -> jax.Array:
    """Draw the next kinetic energy from its exact distribution and scale all velocities."""
    free = ensemble.degrees_of_freedom
    keep = math.exp(-ensemble.timestep_fs / ensemble.relaxation_fs)
    noise = _noise(keys, step, (free,))
    first, squares = noise[:, 0], (noise**2).sum(1)
    kinetic = kinetic_energy(velocities, masses)
    per_mode = 0.5 * units.kB * ensemble.temperature_K * (1 - keep)
    safe = jnp.where(kinetic > 0, kinetic, 1.0)
    new = keep + per_mode * squares / safe + 2 * first * jnp.sqrt(keep * per_mode / safe)
    sign = jnp.where(first + jnp.sqrt(keep * safe / per_mode) < 0, -1.0, 1.0)
    factor = jnp.where(kinetic > 0, sign * jnp.sqrt(jnp.maximum(new, 0.0)), 1.0)
    return velocities * factor[:, None, None]
