"""The steps of a simulation in whole numbers, there and back.

`Plan.run` takes them; `adjoint.go_back` undoes them one by one. What an integrator adds to velocity
Verlet is a line of `PARTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from helpers.differentiable.whole_numbers import (
    KICK,
    POSITION_A,
    VELOCITY_A_PER_FS,
    Whole,
    divide,
    multiply,
    numerator_of,
    to_whole,
    without_stores,
)
from helpers.md import integrators as md
from helpers.md.integrators import Integrator, State
from helpers.md.simulation import ForceField

Factor = Callable[[State, Integrator], tuple[Any, Any]]  # → factor, thermostat afterwards


class Parts(NamedTuple):
    """What a method adds to velocity Verlet.

    Attributes
    ----------
    noise : bool
        Friction and noise in the middle of the step.
    collide : bool
        Andersen's collisions at the end.
    begin, end : Factor or None
        By what velocities are multiplied before and after the step.
    """

    noise: bool = False
    collide: bool = False
    begin: Factor | None = None
    end: Factor | None = None


def _chain(state: State, integrator: Integrator) -> tuple[Any, Any]:
    return md.chain_factor(state, integrator, integrator.timestep_fs / 2)


def _without_bath(factor: Callable[[State, Integrator], Any]) -> Factor:
    return lambda state, integrator: (factor(state, integrator), ())


PARTS: dict[Callable, Parts] = {
    md.velocity_verlet: Parts(),
    md.langevin: Parts(noise=True),
    md.andersen: Parts(collide=True),
    md.bussi: Parts(end=_without_bath(md.bussi_factor)),
    md.berendsen: Parts(end=_without_bath(md.berendsen_factor)),
    md.rescaling: Parts(end=_without_bath(md.rescaling_factor)),
    md.nose_hoover: Parts(begin=_chain, end=_chain),
}


class Stop(NamedTuple):
    """The end of a step: whole numbers, and what else a `State` is made of."""

    whole: Whole
    forces: Any
    energy: Any
    thermostat: Any


@dataclass(frozen=True, eq=False)
class Plan:
    """What does not change during a run; `constants` are the arrays that may be differentiated."""

    field: ForceField
    method: md.Method
    n_dof: int
    parts: Parts
    steps: int
    record_every: int
    record: Callable[[State, Integrator], Any]
    steps_per_buffer: int

    # --- numbers ---

    def integrator(self, constants: Any) -> Integrator:
        """Return the method with the numbers among the constants."""
        return Integrator(self.method, self.n_dof, *constants["integrator"])

    def state(self, stop: Stop, constants: Any, step: Any) -> State:
        """Return a stop as a `State`, in floating-point numbers."""
        return State(
            positions=stop.whole.x * POSITION_A,
            velocities=stop.whole.v * VELOCITY_A_PER_FS,
            forces=stop.forces,
            energy=stop.energy,
            masses=constants["masses"],
            key=constants["key"],
            thermostat=stop.thermostat,
            step=step,
        )

    def moving(self, constants: Any, x: Any, v: Any, thermostat: Any, step: Any) -> State:
        """Return a `State` without forces, for the parts that need none."""
        return State(x, v, None, None, constants["masses"], constants["key"], thermostat, step)

    def evaluate(self, constants: Any, x: Any) -> tuple[Any, Any]:
        """Return energy and forces at positions in Å."""
        names = ("cell", "neighbors")
        return self.field(constants["parameters"], x, *(constants[name] for name in names))

    # --- the smooth parts of a step, of which the derivatives are taken ---

    def kick(self, constants: Any, forces: Any) -> Any:
        """Return the change of velocities in half a step."""
        half = constants["integrator"][0] / 2
        return half * md.ACCELERATION / constants["masses"][:, None] * forces

    def scale(self, factor: Factor, constants: Any, v: Any, thermostat: Any, step: Any) -> Any:
        """Return velocities times the factor of a thermostat, and the thermostat afterwards."""
        state = self.moving(constants, None, v, thermostat, step)
        ratio, after = factor(state, self.integrator(constants))
        return ratio * v, after

    def move(self, constants: Any, x: Any, v: Any, step: Any) -> tuple[Any, Any]:
        """Return positions and velocities after drift, friction and noise, drift."""
        half = constants["integrator"][0] / 2
        state = md.drift(self.moving(constants, x, v, (), step), half)
        if self.parts.noise:
            state = md.ornstein_uhlenbeck(state, *constants["integrator"])
        state = md.drift(state, half)
        return state.positions, state.velocities

    def collide(self, constants: Any, v: Any, step: Any) -> Any:
        """Return velocities after Andersen's collisions."""
        state = self.moving(constants, None, v, (), step)
        return md.collide(state, *constants["integrator"]).velocities

    # --- the same in whole numbers, and backwards ---

    def whole_kick(self, constants: Any, forces: Any) -> Any:
        """Return the change of velocities in half a step, rounded."""
        return to_whole(self.kick(constants, forces), VELOCITY_A_PER_FS * KICK) * KICK

    def drifted(self, constants: Any, v: Any) -> Any:
        """Return the change of positions in half a step, rounded."""
        half = constants["integrator"][0] / 2
        return to_whole(half * (v * VELOCITY_A_PER_FS), POSITION_A)

    def friction(self, constants: Any) -> Any:
        """Return by what friction multiplies velocities in a step."""
        dt, _, tau = constants["integrator"]
        return jnp.exp(-dt / tau)

    def noise(self, constants: Any, like: Any, step: Any) -> Any:
        """Return the random velocities of a step, rounded: of key and step alone."""
        state = self.moving(constants, None, jnp.zeros(like.shape), (), step)
        noise = md.ornstein_uhlenbeck(state, *constants["integrator"]).velocities
        return to_whole(noise, VELOCITY_A_PER_FS * KICK) * KICK

    def whole_move(self, constants: Any, whole: Whole, step: Any) -> Whole:
        """Drift, let friction and noise act, drift."""
        whole = whole._replace(x=whole.x + self.drifted(constants, whole.v))
        if self.parts.noise:
            whole = self.new_buffer(constants, whole, step)
            v, buffer = multiply(whole.v, whole.buffer, numerator_of(self.friction(constants)))
            whole = whole._replace(v=v + self.noise(constants, v, step), buffer=buffer)
        return whole._replace(x=whole.x + self.drifted(constants, whole.v))

    def whole_move_back(self, constants: Any, whole: Whole, step: Any) -> Whole:
        """Undo `whole_move`."""
        whole = whole._replace(x=whole.x - self.drifted(constants, whole.v))
        if self.parts.noise:
            v = whole.v - self.noise(constants, whole.v, step)
            v, buffer = divide(v, whole.buffer, numerator_of(self.friction(constants)))
            whole = self.old_buffer(constants, whole._replace(v=v, buffer=buffer), step)
        return whole._replace(x=whole.x - self.drifted(constants, whole.v))

    def new_buffer(self, constants: Any, whole: Whole, step: Any) -> Whole:
        """Put a full buffer aside, and go on with an empty one."""
        row, full = self.buffer_at(constants, step)
        kept = whole.full.at[row].set(jnp.where(full, whole.buffer, whole.full[row]))
        return whole._replace(full=kept, buffer=jnp.where(full, 0, whole.buffer))

    def old_buffer(self, constants: Any, whole: Whole, step: Any) -> Whole:
        """Undo `new_buffer`."""
        row, full = self.buffer_at(constants, step)
        return whole._replace(buffer=jnp.where(full, whole.full[row], whole.buffer))

    def buffer_at(self, constants: Any, step: Any) -> tuple[Any, Any]:
        """Return which buffer a step uses, and whether it is the first step to do so."""
        n_before = step - constants["step0"]
        return n_before // self.steps_per_buffer, n_before % self.steps_per_buffer == 0

    def whole_collide(self, constants: Any, whole: Whole, step: Any) -> Whole:
        """Let atoms collide; keep their old velocities."""
        hit, slots, thermal = self.collisions(constants, whole, step)
        slots = jnp.where(hit, whole.n_old + slots, len(whole.old))
        old = whole.old.at[slots].set(whole.v, mode="drop")
        v = jnp.where(hit[:, None], thermal, whole.v)
        return whole._replace(v=v, old=old, n_old=whole.n_old + hit.sum())

    def whole_collide_back(self, constants: Any, whole: Whole, step: Any) -> Whole:
        """Undo `whole_collide`."""
        hit, slots, _ = self.collisions(constants, whole, step)
        n_old = whole.n_old - hit.sum()
        v = jnp.where(hit[:, None], whole.old[jnp.where(hit, n_old + slots, 0)], whole.v)
        return whole._replace(v=v, n_old=n_old)

    def collisions(self, constants: Any, whole: Whole, step: Any) -> tuple[Any, Any, Any]:
        """Return which atoms are hit, their places among the old velocities, and the new ones."""
        state = self.moving(constants, None, jnp.zeros(whole.v.shape), (), step)
        hit, thermal = md.collisions(state, *constants["integrator"])
        hit = hit[:, 0]
        return hit, jnp.cumsum(hit) - hit, to_whole(thermal, VELOCITY_A_PER_FS * KICK) * KICK

    def whole_scale(
        self, factor: Factor, constants: Any, whole: Whole, thermostat: Any, step: Any
    ) -> tuple[Whole, Any, Any]:
        """Return the system, the thermostat, and what has to be known to undo it."""
        state = self.moving(constants, None, whole.v * VELOCITY_A_PER_FS, thermostat, step)
        ratio, after = factor(state, self.integrator(constants))
        numerator = jnp.where(ratio < 0, -1, 1) * numerator_of(jnp.abs(ratio))
        v, buffer = multiply(whole.v, whole.buffer, numerator)
        return whole._replace(v=v, buffer=buffer), after, (numerator, thermostat)

    # --- a step: from "begun" (after the first half kick) to the next "begun" ---

    def begin(self, constants: Any, stop: Stop, step: Any) -> tuple[Whole, Any, Any]:
        """Let a thermostat and half a kick act; return what undoes it."""
        whole, thermostat, note = stop.whole, stop.thermostat, ()
        if self.parts.begin is not None:
            whole, thermostat, note = self.whole_scale(
                self.parts.begin, constants, whole, thermostat, step
            )
        return whole._replace(v=whole.v + self.whole_kick(constants, stop.forces)), thermostat, note

    def advance(self, constants: Any, whole: Whole, thermostat: Any, step: Any) -> tuple[Any, Any]:
        """Return the end of the step that follows number `step`, and notes to undo it."""
        whole = self.whole_move(constants, whole, step)
        energy, forces = self.evaluate(constants, whole.x * POSITION_A)
        whole, note = whole._replace(v=whole.v + self.whole_kick(constants, forces)), ()
        if self.parts.end is not None:
            whole, thermostat, note = self.whole_scale(
                self.parts.end, constants, whole, thermostat, step + 1
            )
        if self.parts.collide:
            whole = self.whole_collide(constants, whole, step + 1)
        return Stop(whole, forces, energy, thermostat), note

    def run(self, constants: Any, start: Any) -> tuple[Any, Any]:
        """Return state and records, and what `back` needs."""
        whole, thermostat = start
        energy, forces = self.evaluate(constants, whole.x * POSITION_A)
        stop = Stop(whole, forces, energy, thermostat)
        whole, thermostat, note = self.begin(constants, stop, constants["step0"])
        first_note = note

        def take_step(carry: Any, _: None) -> tuple[Any, Any]:
            whole, thermostat, _, step = carry
            stop, end_note = self.advance(constants, whole, thermostat, step)
            step = step + 1
            whole, thermostat, begin_note = self.begin(constants, stop, step)
            ending = Stop(without_stores(stop.whole), stop.forces, stop.energy, stop.thermostat)
            return (whole, thermostat, ending, step), (end_note, begin_note)

        def take_steps(carry: Any, length: int) -> tuple[Any, Any]:
            return jax.lax.scan(take_step, carry, None, length)

        def take_steps_and_record(carry: Any, _: None) -> tuple[Any, Any]:
            carry, notes = take_steps(carry, self.record_every)
            return carry, (notes, carry[2], self.recorded(constants, carry[2], carry[3]))

        ending = Stop(without_stores(stop.whole), forces, energy, stop.thermostat)
        carry = (whole, thermostat, ending, constants["step0"])
        n_records, rest = divmod(self.steps, self.record_every)
        carry, (notes, stops, records) = jax.lax.scan(take_steps_and_record, carry, None, n_records)
        last_notes = ()
        if rest:
            carry, last_notes = take_steps(carry, rest)
        whole, thermostat, ending, step = carry
        kept = (whole, ending, stops, first_note, notes, last_notes)
        return (self.state(ending, constants, step), records), kept

    def recorded(self, constants: Any, stop: Stop, step: Any) -> Any:
        """Return what is recorded at a stop."""
        return self.record(self.state(stop, constants, step), self.integrator(constants))
