"""The way back of `simulate_reversibly`: states found again, derivatives carried along."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from helpers.differentiable.reversible_steps import Plan, Stop
from helpers.differentiable.whole_numbers import (
    BUFFER_BITS,
    POSITION_A,
    VELOCITY_A_PER_FS,
    Whole,
    divide,
)

LOST_A = 1e-6  # if the way back misses a stored position by this, the gradient is NaN


class Adjoint(NamedTuple):
    """Derivatives of the loss.

    Attributes
    ----------
    x, v : array of shape (n_atoms, 3)
        With respect to positions and velocities, where the way back is.
    thermostat : pytree of arrays
    constants : list of arrays
        With respect to the wanted constants, as far as the later steps depend on them.
    """

    x: Any
    v: Any
    thermostat: Any
    constants: Any


def go_back(
    plan: Plan, wanted: Any, constants: Any, begun: Any, kept: Any, cotangents: Any
) -> tuple[Any, Any, Any, Any]:
    """Return the derivatives with respect to constants, positions, velocities, thermostat.

    Parameters
    ----------
    plan : Plan
    wanted : pytree of bool
        Which of the constants are differentiated.
    constants : pytree of arrays
    begun : tuple
        Whole numbers and thermostat of the start.
    kept : tuple
        What `Plan.run` kept.
    cotangents : pytree
        Derivatives with respect to the final state and the records.
    """
    leaves, tree = jax.tree.flatten(constants)
    flags = jax.tree.leaves(wanted)
    chosen = [leaf for leaf, flag in zip(leaves, flags, strict=True) if flag]

    def merged(values: list[Any]) -> Any:
        rows = iter(values)
        return jax.tree.unflatten(
            tree, [next(rows) if flag else leaf for leaf, flag in zip(leaves, flags, strict=True)]
        )

    def pull(function: Any, arguments: tuple, cotangent: Any) -> tuple[list[Any], tuple]:
        """Return derivatives with respect to the chosen constants and the arguments."""
        _, transposed = jax.vjp(lambda c, *args: function(merged(c), *args), chosen, *arguments)
        of_constants, *of_arguments = transposed(cotangent)
        return of_constants, tuple(of_arguments)

    def unscale(factor: Any, whole: Whole, note: Any, adjoint: Adjoint, step: Any) -> Any:
        numerator, thermostat = note
        v, buffer = divide(whole.v, whole.buffer, numerator)
        whole = whole._replace(v=v, buffer=buffer)
        more, (of_v, of_thermostat) = pull(
            lambda c, v, bath: plan.scale(factor, c, v, bath, step),
            (v * VELOCITY_A_PER_FS, thermostat),
            (adjoint.v, adjoint.thermostat),
        )
        changed = adjoint._replace(
            v=of_v, thermostat=of_thermostat, constants=_add(adjoint.constants, more)
        )
        return whole, changed

    def unkick(whole: Whole, forces: Any, adjoint: Adjoint) -> tuple[Whole, Adjoint, Any]:
        more, (of_forces,) = pull(plan.kick, (forces,), adjoint.v)
        whole = whole._replace(v=whole.v - plan.whole_kick(constants, forces))
        return whole, adjoint._replace(constants=_add(adjoint.constants, more)), of_forces

    def through_forces(
        adjoint: Adjoint, transposed: Any, of_energy: Any, of_forces: Any
    ) -> Adjoint:
        more, of_x = transposed((of_energy, of_forces))
        return adjoint._replace(x=adjoint.x + of_x, constants=_add(adjoint.constants, more))

    def forces_at(whole: Whole) -> tuple[Any, Any]:
        (_, forces), transposed = jax.vjp(
            lambda c, x: plan.evaluate(merged(c), x), chosen, whole.x * POSITION_A
        )
        return forces, transposed

    def unbegin(whole: Whole, forces: Any, note: Any, adjoint: Adjoint, step: Any) -> Any:
        whole, adjoint, of_forces = unkick(whole, forces, adjoint)
        if plan.parts.begin is not None:
            whole, adjoint = unscale(plan.parts.begin, whole, note, adjoint, step)
        return whole, adjoint, of_forces

    def step_back(carry: Any, notes: Any) -> tuple[Any, None]:
        whole, adjoint, pending, step, most = carry
        end_note, begin_note = notes
        forces, transposed = forces_at(whole)
        whole, adjoint, of_forces = unbegin(whole, forces, begin_note, adjoint, step)
        adjoint = adjoint._replace(
            x=adjoint.x + pending["x"],
            v=adjoint.v + pending["v"],
            thermostat=_add(adjoint.thermostat, pending["thermostat"]),
        )
        of_forces = of_forces + pending["forces"]
        if plan.parts.collide:
            whole = plan.whole_collide_back(constants, whole, step)
            more, (of_v,) = pull(
                lambda c, v: plan.collide(c, v, step), (whole.v * VELOCITY_A_PER_FS,), adjoint.v
            )
            adjoint = adjoint._replace(v=of_v, constants=_add(adjoint.constants, more))
        if plan.parts.end is not None:
            whole, adjoint = unscale(plan.parts.end, whole, end_note, adjoint, step)
        whole, adjoint, more_of_forces = unkick(whole, forces, adjoint)
        of_forces = of_forces + more_of_forces
        adjoint = through_forces(adjoint, transposed, pending["energy"], of_forces)
        step = step - 1
        whole = plan.whole_move_back(constants, whole, step)
        more, (of_x, of_v) = pull(
            lambda c, x, v: plan.move(c, x, v, step),
            (whole.x * POSITION_A, whole.v * VELOCITY_A_PER_FS),
            (adjoint.x, adjoint.v),
        )
        adjoint = Adjoint(of_x, of_v, adjoint.thermostat, _add(adjoint.constants, more))
        most = jnp.maximum(most, whole.buffer.max())
        return (whole, adjoint, jax.tree.map(jnp.zeros_like, pending), step, most), None

    def of_stop(stop: Stop, step: Any, cotangent: Any, function: Any) -> tuple[dict, list[Any]]:
        """Return the derivatives with respect to a stop of a function of its state."""

        def of_floats(c: Any, x: Any, v: Any, forces: Any, energy: Any, thermostat: Any) -> Any:
            state = plan.state(stop, c, step)._replace(
                positions=x, velocities=v, forces=forces, energy=energy, thermostat=thermostat
            )
            return function(c, state)

        floats = (
            stop.whole.x * POSITION_A,
            stop.whole.v * VELOCITY_A_PER_FS,
            stop.forces,
            stop.energy,
            stop.thermostat,
        )
        more, found = pull(of_floats, floats, cotangent)
        names = ("x", "v", "forces", "energy", "thermostat")
        return dict(zip(names, found, strict=True)), more

    whole, ending, stops, first_note, notes, last_notes = kept
    cot_state, cot_records = jax.tree.map(
        _instantiate,
        cotangents,
        is_leaf=lambda one: isinstance(one, jax.custom_derivatives.SymbolicZero),
    )
    masses_cot = cot_state.masses
    n_records, rest = divmod(plan.steps, plan.record_every)
    last_step = constants["step0"] + plan.steps

    def final(c: Any, state: Any) -> Any:
        return (state.positions, state.velocities, state.forces, state.energy, state.thermostat)

    pending, more = of_stop(
        ending,
        last_step,
        (
            cot_state.positions,
            cot_state.velocities,
            cot_state.forces,
            cot_state.energy,
            cot_state.thermostat,
        ),
        final,
    )
    adjoint = Adjoint(
        jnp.zeros_like(pending["x"]),
        jnp.zeros_like(pending["v"]),
        jax.tree.map(jnp.zeros_like, pending["thermostat"]),
        more,
    )
    lost = jnp.zeros(())
    carry = (whole, adjoint, pending, last_step, jnp.zeros((), jnp.int64))
    if rest:
        carry, _ = jax.lax.scan(step_back, carry, last_notes, rest, reverse=True)

    def stretch_back(carry: Any, rows: Any) -> tuple[Any, None]:
        (whole, adjoint, pending, step, most), lost = carry
        stretch_notes, stop, cot_record = rows
        # Go on from the stored numbers, and see how far the way back has missed them.
        lost = jnp.maximum(lost, jnp.abs(whole.x - stop.whole.x).max() * POSITION_A)
        stored = stop.whole._replace(full=whole.full, old=whole.old, n_old=whole.n_old)
        whole, _, _ = plan.begin(constants, stop._replace(whole=stored), step)
        found, more = of_stop(
            stop,
            step,
            cot_record,
            lambda c, state: plan.record(state, plan.integrator(c)),
        )
        adjoint = adjoint._replace(constants=_add(adjoint.constants, more))
        pending = _add(pending, found)
        carry, _ = jax.lax.scan(
            step_back,
            (whole, adjoint, pending, step, most),
            stretch_notes,
            plan.record_every,
            reverse=True,
        )
        return (carry, lost), None

    (carry, lost), _ = jax.lax.scan(
        stretch_back, (carry, lost), (notes, stops, cot_records), n_records, reverse=True
    )
    whole, adjoint, _, step, most = carry
    forces, transposed = forces_at(whole)
    whole, adjoint, of_forces = unbegin(whole, forces, first_note, adjoint, step)
    adjoint = through_forces(adjoint, transposed, jnp.zeros(()), of_forces)

    lost = jnp.maximum(lost, jnp.abs(whole.x - begun[0].x).max() * POSITION_A)
    good = (lost <= LOST_A) & (most < 2**BUFFER_BITS) & (kept[0].n_old <= len(kept[0].old))
    x, v, thermostat, of_chosen = jax.tree.map(
        lambda one: jnp.where(good, one, jnp.nan), tuple(adjoint)
    )
    rows = iter(of_chosen)
    of_constants = jax.tree.unflatten(
        tree,
        [next(rows) if flag else _zero(leaf) for leaf, flag in zip(leaves, flags, strict=True)],
    )
    of_constants["masses"] = of_constants["masses"] + masses_cot
    return of_constants, x, v, thermostat


def _add(a: Any, b: Any) -> Any:
    return jax.tree.map(jnp.add, a, b)


def _zero(leaf: Any) -> Any:
    if jnp.issubdtype(leaf.dtype, jnp.inexact):
        return jnp.zeros_like(leaf)
    return np.zeros(leaf.shape, jax.dtypes.float0)


def _instantiate(one: Any) -> Any:
    if not isinstance(one, jax.custom_derivatives.SymbolicZero):
        return one
    if jnp.issubdtype(one.dtype, jnp.inexact):
        return jnp.zeros(one.shape, one.dtype)
    return np.zeros(one.shape, jax.dtypes.float0)
