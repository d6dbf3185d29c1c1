"""Many time steps in one compiled loop, which stops when the neighbour lists are used up."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ase import units

from helpers.gap.jax.energy import energy_and_forces
from helpers.gap.jax.plan import Plan
from helpers.md.steps import Ensemble, State, advance, kinetic_energy


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
def compiled_loop(plan: Plan, ensemble: Ensemble, n_steps: int, stride: int) -> Any:
    """Return the compiled `run_steps` for one plan, ensemble, length and stride."""
    return jax.jit(partial(run_steps, plan, ensemble, n_steps, stride))


@lru_cache(maxsize=32)
def compiled_forces(plan: Plan) -> Any:
    """Return the compiled energies and forces of a batch, for its first step."""

    def of_batch(arrays: Any, positions: Any, cells: Any, neighbours: Any) -> Any:
        return batch_forces(plan, arrays, cells, neighbours, positions)

    return jax.jit(of_batch)


def batch_forces(
    plan: Plan, arrays: Any, cells: jax.Array, neighbours: Any, positions: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return energies (R,) and forces (R, n_atoms, 3) of replicas with lists of their own."""
    one = partial(energy_and_forces, plan, arrays)
    return jax.vmap(one)(positions, cells, neighbours)


def run_steps(
    plan: Plan,
    ensemble: Ensemble,
    n_steps: int,
    stride: int,
    arrays: Any,
    masses: jax.Array,
    keys: jax.Array,
    cells: jax.Array,
    neighbours: Any,
    reference: jax.Array,
    limits: Limits,
    last_step: jax.Array,
    state: State,
) -> tuple[State, Records, jax.Array]:
    """Take up to `n_steps` steps, none of them with neighbour lists that are too old.

    A step that takes an atom further than half the skin from `reference` is not accepted; the
    loop ends before it, and the caller builds new lists and calls again.

    Parameters
    ----------
    reference : array of shape (R, n_atoms, 3), Å
        Positions for which the lists were built.
    last_step : int
        Not to be passed.
    state : State
        Where to start.

    Returns
    -------
    State
        Where it ended.
    Records
        The states after those of its steps whose number is a multiple of `stride`.
    bool
        True if new lists are needed.
    """
    force_field = partial(batch_forces, plan, arrays, cells, neighbours)
    n_records = n_steps // stride + 1
    first = state.step // stride + 1  # number of the next record
    records = Records(
        jnp.zeros((n_records + 1, *state.positions.shape)),
        jnp.zeros((n_records + 1, *state.velocities.shape)),
        jnp.zeros((n_records + 1, *state.energy.shape)),
    )
    end = jnp.minimum(state.step + n_steps, last_step)

    def go_on(carry: tuple) -> jax.Array:
        state, _, stale = carry
        return (state.step < end) & ~stale & state.alive.any()

    def body(carry: tuple) -> tuple:
        before, records, _ = carry
        after = _guarded(
            ensemble, limits, masses, before, advance(ensemble, force_field, masses, keys, before)
        )
        moved = _longest(after.positions - reference, after.alive)
        stale = moved >= limits.half_skin_A
        state = jax.tree.map(lambda new, old: jnp.where(stale, old, new), after, before)
        wanted = ~stale & (state.step % stride == 0)
        row = jnp.where(wanted, state.step // stride - first, n_records)
        kept = (state.positions, state.velocities, state.energy)
        records = Records(*(r.at[row].set(new) for r, new in zip(records, kept, strict=True)))
        return state, records, stale

    return jax.lax.while_loop(go_on, body, (state, records, jnp.zeros((), bool)))


def _longest(vectors: jax.Array, alive: jax.Array) -> jax.Array:
    lengths = jnp.sqrt((vectors**2).sum(-1)).max(-1)
    return jnp.where(alive, lengths, 0.0).max()


def _guarded(
    ensemble: Ensemble, limits: Limits, masses: jax.Array, before: State, after: State
) -> State:
    """Freeze, in the state before, the replicas for which the step went wrong.

    Wrong is a number that is not finite, a temperature above the limit, or an atom that goes
    further in one step than lists can follow.
    """
    free = ensemble.degrees_of_freedom
    temperature = 2 * kinetic_energy(after.velocities, masses) / (free * units.kB)
    jump = jnp.sqrt(((after.positions - before.positions) ** 2).sum(-1)).max(-1)
    finite = jnp.isfinite(after.energy) & jnp.isfinite(after.forces).all((1, 2))
    good = finite & (temperature <= limits.temperature_K) & (jump < limits.half_skin_A)
    moving = before.alive & good

    def chosen(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(moving.reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    return State(
        positions=chosen(after.positions, before.positions),
        velocities=chosen(after.velocities, before.velocities),
        forces=chosen(after.forces, before.forces),
        energy=chosen(after.energy, before.energy),
        alive=moving,
        failed_step=jnp.where(before.alive & ~good, after.step, before.failed_step),
        step=after.step,
    )
