"""One time step of molecular dynamics for a batch of replicas, in JAX.

Lengths in Å, times in fs, energies in eV, masses in atomic mass units.

- velocity Verlet: Swope, Andersen, Berens, Wilson, J. Chem. Phys. 76, 637 (1982)
- Langevin BAOAB: Leimkuhler, Matthews, Appl. Math. Res. Express 2013, 34 (2013)
- stochastic velocity rescaling: Bussi, Donadio, Parrinello, J. Chem. Phys. 126, 014101 (2007)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ase import units

ACCELERATION = units.fs**2  # 1 eV/(Å u) in Å/fs²


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
    """Replicas on their way, R of them: R comes first in every array.

    Attributes
    ----------
    positions : array of shape (R, n_atoms, 3), Å
        Where the forces are wanted next.
    velocities : array of shape (R, n_atoms, 3), Å/fs
        Half a step before that (at step 0, of that moment).
    done_positions, done_velocities, done_energy : arrays
        The last complete step: Å, Å/fs, and the potential energy (R,) in eV without that of
        isolated atoms.
    alive : bool array of shape (R,)
        False for a replica that became unstable: it is not moved any more.
    failed_step : int array of shape (R,)
        The step at which it did, or −1.
    step : int
        The step that `positions` belong to.
    """

    positions: Any
    velocities: Any
    done_positions: Any
    done_velocities: Any
    done_energy: Any
    alive: Any
    failed_step: Any
    step: Any


def kinetic_energy(velocities: Any, masses: Any) -> Any:
    """Return ½ Σ m v² in eV for velocities of shape (..., n_atoms, 3) in Å/fs."""
    return 0.5 * (masses[:, None] * velocities**2).sum((-2, -1)) / ACCELERATION


def finish_step(
    ensemble: Ensemble, masses: jax.Array, keys: jax.Array, state: State, forces: jax.Array
) -> jax.Array:
    """Return the velocities at ``state.positions``, where the forces (eV/Å) are now known.

    The noise of a step depends on the replica's key and the number of the step only.
    """
    kick = jnp.where(state.step == 0, 0.0, 0.5 * ensemble.timestep_fs * ACCELERATION)
    velocities = state.velocities + kick / masses[:, None] * forces
    if ensemble.thermostat != "bussi":
        return velocities
    scaled = _rescale(ensemble, masses, keys, state.step, velocities)
    return jnp.where(state.step == 0, velocities, scaled)


def start_step(
    ensemble: Ensemble,
    masses: jax.Array,
    keys: jax.Array,
    state: State,
    velocities: jax.Array,
    forces: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return the positions of the next step and the velocities half a step before it."""
    step = ensemble.timestep_fs
    velocities = velocities + 0.5 * step * ACCELERATION / masses[:, None] * forces
    if ensemble.thermostat != "langevin":
        return state.positions + step * velocities, velocities
    halfway = state.positions + 0.5 * step * velocities
    velocities = _friction_and_noise(ensemble, masses, keys, state.step, velocities)
    return halfway + 0.5 * step * velocities, velocities


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
