"""Gradients through a simulation that is run backwards: memory does not grow with its length.

Reverse-mode differentiation needs the states of a simulation in reverse order. `simulate` stores
them, or some of them. Here the simulation itself goes backwards and finds them again, and with each
step the derivatives of the loss with respect to positions and velocities are carried one step
further back (the discrete adjoint: the step transposed), which needs one derivative of the forces.

Floating-point numbers lose the way back: their rounding errors grow with the chaos of the atoms and
with friction, and after some thousand steps nothing is left. So positions and velocities are whole
numbers here (units `POSITION_A` and `VELOCITY_A_PER_FS`). Adding a rounded force, or a rounded
shift, is undone exactly by subtracting it. Multiplying a velocity by a factor is exact as a
fraction, n/2²⁰, of which the remainder goes into an information buffer, from where it comes back.
Friction fills the buffer by log₂(2²⁰/n) bits per step, 0.0014 for 1/ps and 1 fs; full buffers are
put aside. Random numbers depend on key and step alone. Thermostats that forget (Bussi, Berendsen,
rescaling, Nosé–Hoover) leave one factor for each step, Andersen the old velocities.

The derivatives are those of the smooth step, without the rounding.

Sources
-------
- Maclaurin, Duvenaud, Adams, ICML 2015 (arXiv 1502.03492): the information buffer
- Levesque, Verlet, J. Stat. Phys. 72, 519 (1993): whole numbers make dynamics reversible
- Greener, PNAS 122, e2426058122 (2025): reversible molecular simulation
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from helpers import checks
from helpers.errors import ConfigError
from helpers.md import integrators as md
from helpers.md.integrators import Integrator, State
from helpers.md.simulation import ForceField, Frame, Simulation

POSITION_A = 2.0**-40
VELOCITY_A_PER_FS = 2.0**-55
KICK = 2**11  # velocities change by multiples of this
DENOMINATOR = 2**20
BUFFER_BITS = 62 - 20
LOST_A = 1e-6  # if the way back misses a stored position by this, the gradient is NaN

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


class Whole(NamedTuple):
    """A system in whole numbers.

    Attributes
    ----------
    x, v : int64 array of shape (n_atoms, 3)
        Positions and velocities in `POSITION_A` and `VELOCITY_A_PER_FS`.
    buffer : int64 array of shape (n_atoms, 3)
        Remainders of divisions.
    full : int64 array of shape (n_buffers, n_atoms, 3)
        Full buffers.
    old : int64 array of shape (capacity, 3)
        Velocities before collisions, and how many there are: `n_old`.
    n_old : int64
    """

    x: Any
    v: Any
    buffer: Any
    full: Any
    old: Any
    n_old: Any


class Stop(NamedTuple):
    """The end of a step: whole numbers, and what else a `State` is made of."""

    whole: Whole
    forces: Any
    energy: Any
    thermostat: Any


@dataclass(frozen=True, eq=False)
class _Plan:
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
        return Integrator(self.method, self.n_dof, *constants["integrator"])

    def state(self, stop: Stop, constants: Any, step: Any) -> State:
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
        return State(x, v, None, None, constants["masses"], constants["key"], thermostat, step)

    def evaluate(self, constants: Any, x: Any) -> tuple[Any, Any]:
        names = ("cell", "neighbors")
        return self.field(constants["parameters"], x, *(constants[name] for name in names))

    # --- the smooth parts of a step, of which the derivatives are taken ---

    def kick(self, constants: Any, forces: Any) -> Any:
        half = constants["integrator"][0] / 2
        return half * md.ACCELERATION / constants["masses"][:, None] * forces

    def scale(self, factor: Factor, constants: Any, v: Any, thermostat: Any, step: Any) -> Any:
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
        state = self.moving(constants, None, v, (), step)
        return md.collide(state, *constants["integrator"]).velocities

    # --- the same in whole numbers, and backwards ---

    def whole_kick(self, constants: Any, forces: Any) -> Any:
        return _whole(self.kick(constants, forces), VELOCITY_A_PER_FS * KICK) * KICK

    def drifted(self, constants: Any, v: Any) -> Any:
        half = constants["integrator"][0] / 2
        return _whole(half * (v * VELOCITY_A_PER_FS), POSITION_A)

    def friction(self, constants: Any) -> Any:
        dt, _, tau = constants["integrator"]
        return jnp.exp(-dt / tau)

    def noise(self, constants: Any, like: Any, step: Any) -> Any:
        state = self.moving(constants, None, jnp.zeros(like.shape), (), step)
        noise = md.ornstein_uhlenbeck(state, *constants["integrator"]).velocities
        return _whole(noise, VELOCITY_A_PER_FS * KICK) * KICK

    def whole_move(self, constants: Any, whole: Whole, step: Any) -> Whole:
        whole = whole._replace(x=whole.x + self.drifted(constants, whole.v))
        if self.parts.noise:
            whole = self.new_buffer(constants, whole, step)
            v, buffer = _multiply(whole.v, whole.buffer, _numerator(self.friction(constants)))
            whole = whole._replace(v=v + self.noise(constants, v, step), buffer=buffer)
        return whole._replace(x=whole.x + self.drifted(constants, whole.v))

    def whole_move_back(self, constants: Any, whole: Whole, step: Any) -> Whole:
        whole = whole._replace(x=whole.x - self.drifted(constants, whole.v))
        if self.parts.noise:
            v = whole.v - self.noise(constants, whole.v, step)
            v, buffer = _divide(v, whole.buffer, _numerator(self.friction(constants)))
            whole = self.old_buffer(constants, whole._replace(v=v, buffer=buffer), step)
        return whole._replace(x=whole.x - self.drifted(constants, whole.v))

    def new_buffer(self, constants: Any, whole: Whole, step: Any) -> Whole:
        row, full = self.buffer_at(constants, step)
        kept = whole.full.at[row].set(jnp.where(full, whole.buffer, whole.full[row]))
        return whole._replace(full=kept, buffer=jnp.where(full, 0, whole.buffer))

    def old_buffer(self, constants: Any, whole: Whole, step: Any) -> Whole:
        row, full = self.buffer_at(constants, step)
        return whole._replace(buffer=jnp.where(full, whole.full[row], whole.buffer))

    def buffer_at(self, constants: Any, step: Any) -> tuple[Any, Any]:
        n_before = step - constants["step0"]
        return n_before // self.steps_per_buffer, n_before % self.steps_per_buffer == 0

    def whole_collide(self, constants: Any, whole: Whole, step: Any) -> Whole:
        hit, slots, thermal = self.collisions(constants, whole, step)
        slots = jnp.where(hit, whole.n_old + slots, len(whole.old))
        old = whole.old.at[slots].set(whole.v, mode="drop")
        v = jnp.where(hit[:, None], thermal, whole.v)
        return whole._replace(v=v, old=old, n_old=whole.n_old + hit.sum())

    def whole_collide_back(self, constants: Any, whole: Whole, step: Any) -> Whole:
        hit, slots, _ = self.collisions(constants, whole, step)
        n_old = whole.n_old - hit.sum()
        v = jnp.where(hit[:, None], whole.old[jnp.where(hit, n_old + slots, 0)], whole.v)
        return whole._replace(v=v, n_old=n_old)

    def collisions(self, constants: Any, whole: Whole, step: Any) -> tuple[Any, Any, Any]:
        state = self.moving(constants, None, jnp.zeros(whole.v.shape), (), step)
        hit, thermal = md.collisions(state, *constants["integrator"])
        hit = hit[:, 0]
        return hit, jnp.cumsum(hit) - hit, _whole(thermal, VELOCITY_A_PER_FS * KICK) * KICK

    def whole_scale(
        self, factor: Factor, constants: Any, whole: Whole, thermostat: Any, step: Any
    ) -> tuple[Whole, Any, Any]:
        """Return the system, the thermostat, and what has to be known to undo it."""
        state = self.moving(constants, None, whole.v * VELOCITY_A_PER_FS, thermostat, step)
        ratio, after = factor(state, self.integrator(constants))
        numerator = jnp.where(ratio < 0, -1, 1) * _numerator(jnp.abs(ratio))
        v, buffer = _multiply(whole.v, whole.buffer, numerator)
        return whole._replace(v=v, buffer=buffer), after, (numerator, thermostat)

    # --- a step: from "begun" (after the first half kick) to the next "begun" ---

    def begin(self, constants: Any, stop: Stop, step: Any) -> tuple[Whole, Any, Any]:
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
            ending = Stop(_numbers(stop.whole), stop.forces, stop.energy, stop.thermostat)
            return (whole, thermostat, ending, step), (end_note, begin_note)

        def take_steps(carry: Any, length: int) -> tuple[Any, Any]:
            return jax.lax.scan(take_step, carry, None, length)

        def take_steps_and_record(carry: Any, _: None) -> tuple[Any, Any]:
            carry, notes = take_steps(carry, self.record_every)
            return carry, (notes, carry[2], self.recorded(constants, carry[2], carry[3]))

        ending = Stop(_numbers(stop.whole), forces, energy, stop.thermostat)
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
        return self.record(self.state(stop, constants, step), self.integrator(constants))


def simulate_reversibly(
    force_field: ForceField,
    state: State,
    integrator: Integrator,
    steps: int,
    *,
    parameters: Any = (),
    cell: Any = None,
    neighbors: Any = None,
    record: Callable[[State, Integrator], Any] | None = None,
    record_every: int = 1,
) -> Simulation:
    """Take `steps` time steps, like `simulate`; reverse mode goes back without stored states.

    Memory grows with the number of records only: each is a place at which the way back is compared
    with the way there. Forward mode is that of `simulate`.

    Parameters
    ----------
    force_field : ForceField
    state : State
        Of one system; `jax.vmap` makes replicas.
    integrator : Integrator
        Any of `md.integrators.METHODS`. Its time step and relaxation time must be known numbers
        (sizes of buffers depend on them); gradients with respect to its temperature are given.
    steps : int
    parameters, cell : pytrees of arrays
        As for `simulate`; gradients are given with respect to both.
    neighbors : pytree of arrays, or None
        Lists that stay as they are. None: all pairs.
    record : function of State and Integrator → pytree of arrays, optional
        What to record: `Frame` by default. It must depend on nothing that is differentiated, other
        than through its arguments.
    record_every : int
        Steps between two records.

    Returns
    -------
    Simulation
        With gradients with respect to `parameters`, `cell`, temperature, masses, and the positions,
        velocities and thermostat of the start. They are NaN if the way back was lost: if a position
        is not where it was by more than `LOST_A`, or a buffer was too small.

    Raises
    ------
    ConfigError
        If the integrator is not known here, or a number cannot be used.
    """
    checks.whole("steps", steps, 1)
    checks.whole("record_every", record_every, 1, steps)
    if integrator.method.step not in PARTS:
        raise ConfigError(
            "This integrator cannot be run backwards",
            expected=", ".join(function.__name__ for function in PARTS),
            found=getattr(integrator.method.step, "__name__", "another function"),
            fix="use simulate(…, checkpoint_every=…)",
        )
    if state.positions.ndim != 2:
        raise ConfigError("Several systems at once", expected="one", fix="use jax.vmap")
    dt, tau = (_known(name, getattr(integrator, name)) for name in ("timestep_fs", "relaxation_fs"))
    parts = PARTS[integrator.method.step]
    if parts.noise:  # a friction that is a fraction, exactly
        numerator = max(1, round(math.exp(-dt / tau) * DENOMINATOR))
        tau = -dt / math.log(numerator / DENOMINATOR)
        integrator = replace(integrator, relaxation_fs=tau)
        per_buffer = _steps_per_buffer(numerator)
        n_buffers = -(-steps // per_buffer)
    else:
        per_buffer, n_buffers = steps, 0
    if record is None:
        record = _frame
    plan = _Plan(
        field=force_field,
        method=integrator.method,
        n_dof=integrator.n_dof,
        parts=parts,
        steps=steps,
        record_every=record_every,
        record=record,
        steps_per_buffer=per_buffer,
    )
    constants = {
        "parameters": parameters,
        "cell": cell,
        "neighbors": neighbors,
        "masses": state.masses,
        "key": state.key,
        "step0": state.step,
        "integrator": (
            integrator.timestep_fs,
            integrator.temperature_K,
            integrator.relaxation_fs,
        ),
    }
    constants = jax.tree.map(jnp.asarray, constants)
    collisions = _most_collisions(len(state.masses), steps, dt, tau) if parts.collide else 0
    rooms = (n_buffers, collisions)
    final, records = _differentiable(plan, rooms)(
        constants, state.positions, state.velocities, state.thermostat
    )
    return Simulation(final, records, neighbors)


def _differentiable(plan: _Plan, rooms: tuple[int, int]) -> Callable[..., Any]:
    """Return the run as a function with a derivative of its own."""
    from helpers.differentiable.adjoint import go_back

    def start(positions: Any, velocities: Any, thermostat: Any) -> Any:
        zeros = jnp.zeros(positions.shape, jnp.int64)
        whole = Whole(
            _whole(positions, POSITION_A),
            _whole(velocities, VELOCITY_A_PER_FS * KICK) * KICK,
            zeros,
            jnp.zeros((rooms[0], *positions.shape), jnp.int64),
            jnp.zeros((rooms[1], 3), jnp.int64),
            jnp.zeros((), jnp.int64),
        )
        return whole, thermostat

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def run(constants: Any, positions: Any, velocities: Any, thermostat: Any) -> Any:
        return plan.run(constants, start(positions, velocities, thermostat))[0]

    def there(constants: Any, positions: Any, velocities: Any, thermostat: Any) -> Any:
        wanted = jax.tree.map(lambda one: one.perturbed, constants)
        values = jax.tree.map(lambda one: one.value, (constants, positions, velocities, thermostat))
        begun = start(*values[1:])
        results, kept = plan.run(values[0], begun)
        return results, (_Static(wanted), values[0], begun, kept)

    def back(residuals: Any, cotangents: Any) -> Any:
        wanted, constants, begun, kept = residuals
        return go_back(plan, wanted.value, constants, begun, kept, cotangents)

    run.defvjp(there, back, symbolic_zeros=True)
    return run


@jax.tree_util.register_pytree_node_class
class _Static:
    """A value that is no array, among arrays."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tree_flatten(self) -> tuple[tuple, Any]:
        leaves, tree = jax.tree.flatten(self.value)
        return (), (tuple(leaves), tree)

    @classmethod
    def tree_unflatten(cls, auxiliary: Any, _: Any) -> _Static:
        leaves, tree = auxiliary
        return cls(jax.tree.unflatten(tree, leaves))


def _frame(state: State, integrator: Integrator) -> Frame:
    conserved = md.conserved_energy(state, integrator)
    return Frame(state.positions, state.velocities, state.energy, conserved)


def _numbers(whole: Whole) -> Whole:
    """Return the system without what has been put aside."""
    return whole._replace(full=(), old=(), n_old=())


def _whole(values: Any, unit: float) -> Any:
    return jnp.round(values / unit).astype(jnp.int64)


def _numerator(factor: Any) -> Any:
    return jnp.maximum(_whole(factor, 1 / DENOMINATOR), 1)


def _multiply(v: Any, buffer: Any, numerator: Any) -> tuple[Any, Any]:
    """Return v · numerator/2²⁰ and the buffer with the remainder: nothing is lost."""
    size = jnp.abs(numerator)
    buffer = buffer * DENOMINATOR + v % DENOMINATOR
    v = v // DENOMINATOR
    v, buffer = v * size + buffer % size, buffer // size
    return jnp.where(numerator < 0, -v, v), buffer


def _divide(v: Any, buffer: Any, numerator: Any) -> tuple[Any, Any]:
    """Undo `_multiply`."""
    size = jnp.abs(numerator)
    v = jnp.where(numerator < 0, -v, v)
    buffer = buffer * size + v % size
    v = v // size
    return v * DENOMINATOR + buffer % DENOMINATOR, buffer // DENOMINATOR


def _steps_per_buffer(numerator: int) -> int:
    """Return after how many steps with friction a buffer may be full.

    It is at most Σ (2²⁰/n)ᵏ ≤ (2²⁰/n)^steps/(1 − n/2²⁰).
    """
    keep = numerator / DENOMINATOR
    if keep == 1:
        return 2 ** (BUFFER_BITS - 1)
    bits = BUFFER_BITS - math.log2(1 / (1 - keep))
    return max(1, math.floor(bits / -math.log2(keep)))


def _most_collisions(n_atoms: int, steps: int, dt: float, tau: float) -> int:
    """Return more than the number of collisions, but for a chance of 1e-9."""
    mean = n_atoms * steps * -math.expm1(-dt / tau)
    return math.ceil(mean + 6.5 * math.sqrt(mean) + 20)


def _known(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, jax.errors.ConcretizationTypeError):
        raise ConfigError(
            f"{name} is not known when the run is prepared",
            expected="a number that is neither differentiated nor an argument of a jitted function",
            fix="use simulate(…, checkpoint_every=…)",
        ) from None
