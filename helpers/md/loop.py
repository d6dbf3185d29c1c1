"""Many time steps in one compiled loop, which stops when the neighbor lists are used up."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ase import units

from helpers.gap.jax.energy import energy_and_forces
from helpers.gap.jax.layout import Layout
from helpers.md.steps import Ensemble, State, finish_step, kinetic_energy, start_step


class Limits(NamedTuple):
    """When to rebuild lists and when to give a replica up.

    Attributes
    ----------
    half_skin_A : float
        How far an atom may be from where it was when the lists were built.
    temperature_K : float
        Kinetic temperature above which a replica counts as unstable.
    """

    half_skin_A: Any
    temperature_K: Any


class Records(NamedTuple):
    """Recorded states: arrays (n_records + 1, R, …); the last row is scratch."""

    positions: Any
    velocities: Any
    energy: Any


@lru_cache(maxsize=32)
def compiled_loop(layout: Layout, ensemble: Ensemble, n_steps: int, stride: int) -> Any:
    """Return the compiled `run_steps` for one layout, ensemble, length and stride."""
    return jax.jit(partial(run_steps, layout, ensemble, n_steps, stride))


def batch_forces(
    layout: Layout, arrays: Any, cells: jax.Array, neighbors: Any, positions: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return energies (R,) and forces (R, n_atoms, 3) of replicas with lists of their own."""
    # One after the other: the numbers of one replica stay in the processor's cache.
    return jax.lax.map(
        lambda one: energy_and_forces(layout, arrays, *one), (positions, cells, neighbors)
    )


def run_steps(
    layout: Layout,
    ensemble: Ensemble,
    n_steps: int,
    stride: int,
    arrays: Any,
    masses: jax.Array,
    keys: jax.Array,
    cells: jax.Array,
    neighbors: Any,
    reference: jax.Array,
    limits: Limits,
    end: jax.Array,
    state: State,
) -> tuple[State, Records, jax.Array]:
    """Go on until step `end` is complete, or until the neighbor lists are too old.

    Forces are never computed where an atom is further than half the skin from `reference`: the
    loop ends before, and the caller builds new lists and calls again.

    Parameters
    ----------
    n_steps : int
        No more than this many steps are to be done in one call: there is room for their records.
    reference : array of shape (R, n_atoms, 3), Å
        Positions for which the lists were built.
    end : int
        Number of the last step to complete.
    state : State
        Where to start.

    Returns
    -------
    State
        Where it ended.
    Records
        The complete steps whose number is a multiple of `stride`.
    bool
        True if new lists are needed.
    """
    force_field = partial(batch_forces, layout, arrays, cells, neighbors)
    n_records = n_steps // stride + 1
    first = -(-state.step // stride)  # number of the next record
    records = Records(
        jnp.zeros((n_records + 1, *state.positions.shape)),
        jnp.zeros((n_records + 1, *state.velocities.shape)),
        jnp.zeros((n_records + 1, *state.done_energy.shape)),
    )

    def stale(state: State) -> jax.Array:
        return _longest(state.positions - reference, state.alive) >= limits.half_skin_A

    def go_on(carry: tuple[State, Records]) -> jax.Array:
        state, _ = carry
        return (state.step <= end) & state.alive.any() & ~stale(state)

    def body(carry: tuple[State, Records]) -> tuple[State, Records]:
        before, records = carry
        after = _one_step(ensemble, force_field, limits, masses, keys, before)
        wanted = before.step % stride == 0
        row = jnp.where(wanted, before.step // stride - first, n_records)
        kept = (after.done_positions, after.done_velocities, after.done_energy)
        return after, Records(*(r.at[row].set(new) for r, new in zip(records, kept, strict=True)))

    state, records = jax.lax.while_loop(go_on, body, (state, records))
    return state, records, stale(state)


def _longest(vectors: jax.Array, alive: jax.Array) -> jax.Array:
    lengths = jnp.sqrt((vectors**2).sum(-1)).max(-1)
    return jnp.where(alive, lengths, 0.0).max()


def _one_step(
    ensemble: Ensemble,
    force_field: Any,
    limits: Limits,
    masses: jax.Array,
    keys: jax.Array,
    state: State,
) -> State:
    """Complete one step and start the next; freeze replicas for which something goes wrong.

    Wrong is a number that is not finite, a temperature above the limit, or an atom that goes
    further in one step than lists can follow.
    """
    energy, forces = force_field(state.positions)
    velocities = finish_step(ensemble, masses, keys, state, forces)
    free = ensemble.degrees_of_freedom
    temperature = 2 * kinetic_energy(velocities, masses) / (free * units.kB)
    finite = jnp.isfinite(energy) & jnp.isfinite(forces).all((1, 2))
    good = state.alive & finite & (temperature <= limits.temperature_K)
    positions, next_velocities = start_step(ensemble, masses, keys, state, velocities, forces)
    jump = jnp.sqrt(((positions - state.positions) ** 2).sum(-1)).max(-1)
    moving = good & (jump < limits.half_skin_A)

    def chosen(mask: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(mask.reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    done_positions = chosen(good, state.positions, state.done_positions)
    done_velocities = chosen(good, velocities, state.done_velocities)
    return State(
        positions=chosen(moving, positions, done_positions),
        velocities=chosen(moving, next_velocities, done_velocities),
        done_positions=done_positions,
        done_velocities=done_velocities,
        done_energy=chosen(good, energy, state.done_energy),
        alive=moving,
        failed_step=jnp.where(state.alive & ~moving, state.step, state.failed_step),
        step=state.step + 1,
    )
