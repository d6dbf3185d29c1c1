"""Many time steps in one compiled loop, for any force field and any integrator.

A **force field** is a function (or an object that can be called) of parameters, positions, cell
and neighbor lists that returns energy and forces: see `ForceField`. One made of an energy alone
is `from_energy`. It knows nothing of integrators, and integrators know nothing of it.

Two loops take the same steps, those of ``integrator.method.step``:

- `simulate` takes a given number of steps and can be differentiated, in both directions: gradients
  of anything that is recorded with respect to parameters, temperature, start, cell.
- `simulate_segment` goes on for as long as the neighbor lists are good, and stops replicas that
  blow up alone. It is the loop of `run_nve` and `run_nvt`; it has no reverse-mode gradient, because
  nobody knows beforehand how many steps it takes.

Units as in `integrators`; work inside ``with double_precision():``.

Examples
--------
How the final energy of an argon crystal depends on ε and σ::

    field = LennardJones(cutoff_A=8.0, truncation="switched")
    integrator = make_integrator("langevin", len(masses), timestep_fs=2.0, temperature_K=60.0)

    def final_energy(parameters):
        at = {"parameters": parameters, "cell": cell}
        state = initialize(field, integrator, positions, velocities, masses, key, **at)
        return simulate(field, state, integrator, 500, checkpoint_every=25, **at).state.energy

    jax.grad(final_energy)(ARGON)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from helpers import checks
from helpers.md.integrators import (
    Force,
    Integrator,
    State,
    conserved_energy,
    new_state,
    temperature,
    update_forces,
)


class ForceField(Protocol):
    """What computes energy and forces of one system: a pure function that JAX can trace.

    Whatever decides about sizes and formulas belongs to the force field itself, which must be
    hashable (a function, or a frozen dataclass that can be called): JAX compiles anew for another
    one. What may change from call to call, or shall be differentiated, is in the arguments.
    """

    def __call__(
        self, parameters: Any, positions: Any, cell: Any, neighbors: Any
    ) -> tuple[Any, Any]:
        """Return the energy (eV, a scalar) and the forces (n_atoms, 3), eV/Å.

        Parameters
        ----------
        parameters : pytree of arrays
            The numbers of the model.
        positions : array of shape (n_atoms, 3), Å
            Not wrapped into the cell.
        cell : array of shape (3, 3), Å, or None
            One cell vector per row.
        neighbors : pytree of arrays, or None
            Neighbor lists in arrays of fixed size, in whatever form the force field wants them.
        """


class Frame(NamedTuple):
    """What is recorded of a state, unless told otherwise; units as in `State`.

    Attributes
    ----------
    positions, velocities : array of shape (..., n_atoms, 3)
    energy : array of shape (...)
        Potential energy.
    conserved : array of shape (...)
        Energy of atoms and bath (see `integrators.conserved_energy`).
    """

    positions: Any
    velocities: Any
    energy: Any
    conserved: Any


class Simulation(NamedTuple):
    """What `simulate` returns.

    Attributes
    ----------
    state : State
        After the last step.
    records : pytree of arrays
        What was recorded, times first.
    neighbors : pytree of arrays
        The neighbor lists at the end.
    """

    state: State
    records: Any
    neighbors: Any


class Limits(NamedTuple):
    """How far `simulate_segment` may go.

    Attributes
    ----------
    last_step : int
        Number of the step to end with.
    reference : array of shape (R, n_atoms, 3), Å
        Positions for which the neighbor lists were built.
    half_skin_A : float
        How far from there an atom may be: half of what the lists reach further than the cutoff.
    temperature_K : float
        Kinetic temperature above which a replica counts as unstable.
    """

    last_step: Any
    reference: Any
    half_skin_A: Any
    temperature_K: Any


class Segment(NamedTuple):
    """What `simulate_segment` starts from and returns.

    Attributes
    ----------
    state : State
        Of R replicas. One that became unstable stands still where it was good for the last time.
    alive : bool array of shape (R,)
        False for a replica that became unstable.
    failed_step : int array of shape (R,)
        The first step that it could not complete, or −1.
    """

    state: State
    alive: Any
    failed_step: Any


def from_energy(energy: Callable[..., Any]) -> ForceField:
    """Return a force field of a function (parameters, positions, cell, neighbors) → energy.

    The forces are its negative gradient, by reverse mode. Call it once and keep what it returns:
    each one is compiled for itself.
    """
    gradient = jax.value_and_grad(energy, argnums=1)

    def force_field(parameters: Any, positions: Any, cell: Any, neighbors: Any) -> tuple[Any, Any]:
        value, slope = gradient(parameters, positions, cell, neighbors)
        return value, -slope

    return force_field


def initialize(
    force_field: ForceField,
    integrator: Integrator,
    positions: Any,
    velocities: Any,
    masses: Any,
    key: Any,
    *,
    parameters: Any = (),
    cell: Any = None,
    neighbors: Any = None,
    vectorize: bool = True,
) -> State:
    """Return the state at step 0, with the forces there.

    Parameters are told at `State` and `simulate`.
    """
    state = new_state(integrator, positions, velocities, masses, key)
    return update_forces(state, bind(force_field, parameters, cell, neighbors, vectorize))


def simulate(
    force_field: ForceField,
    state: State,
    integrator: Integrator,
    steps: int,
    *,
    parameters: Any = (),
    cell: Any = None,
    neighbors: Any = None,
    update_neighbors: Callable[[Any, Any, Any], Any] | None = None,
    record: Callable[[State], Any] | None = None,
    record_every: int = 1,
    checkpoint_every: int | None = None,
    window: int | None = None,
    vectorize: bool = True,
) -> Simulation:
    """Take `steps` time steps; differentiable in forward and in reverse mode.

    Parameters
    ----------
    force_field : ForceField
    state : State
        Where to start (see `initialize`). With an axis for R replicas in front, `cell` and
        `neighbors` have it, too.
    integrator : Integrator
    steps : int
        How many.
    parameters : pytree of arrays
        Of the force field.
    cell : array of shape (3, 3) or (R, 3, 3), Å, or None
    neighbors : pytree of arrays, or None
        Neighbor lists at the start.
    update_neighbors : function (neighbors, positions, cell) → neighbors, optional
        Makes the lists right for the positions, which it is given before each evaluation of forces;
        without it the lists stay as they are. It is not differentiated.
    record : function of a State → pytree of arrays, optional
        What to record; `Frame` by default.
    record_every : int
        Steps between two records. The start is not recorded.
    checkpoint_every : int, optional
        For long runs in reverse mode: keep only every n-th state, and compute those between again.
        Memory falls from `steps` states to about steps/n + n, least at n = √steps; the gradient
        takes as long as one more run.
    window : int, optional
        Gradients go back through the last `window` steps before each record only, as if the system
        had been there by itself (truncated backpropagation). Where the motion is chaotic they do
        not explode, and are biased: they lack what takes longer. At most `record_every`.
        (`helpers.differentiable.truncation_bias` measures the bias.)
    vectorize : bool
        Compute all replicas at once (fast for small systems, and on a GPU), or one after the other
        (fast where the numbers of one replica fill the cache of a processor).
    """
    checks.whole("steps", steps, 0)
    checks.whole("record_every", record_every, 1)
    if checkpoint_every is not None:
        checks.whole("checkpoint_every", checkpoint_every, 1)
    if window is not None:
        checks.whole("window", window, 1, record_every)
    record = _frame(integrator) if record is None else record

    def stepper(parameters: Any, cell: Any, integrator: Integrator) -> Callable[..., Any]:
        def take_step(carry: tuple[State, Any], _: None) -> tuple[tuple[State, Any], None]:
            state, lists = carry

            def force(positions: Any) -> tuple[Any, Any]:
                nonlocal lists
                if update_neighbors is not None:
                    lists = _update(update_neighbors, lists, positions, cell)
                return bind(force_field, parameters, cell, lists, vectorize)(positions)

            state = integrator.method.step(state, force, integrator)
            return (state, lists), None

        return take_step

    take_step = stepper(parameters, cell, integrator)

    def take_steps_and_record(carry: tuple[State, Any], _: None) -> tuple[tuple[State, Any], Any]:
        if window is None:
            carry, _ = _scan(take_step, carry, record_every, checkpoint_every)
            return carry, record(carry[0])
        fixed = jax.lax.stop_gradient((parameters, cell, integrator))
        carry = jax.lax.stop_gradient(carry)
        carry, _ = jax.lax.scan(stepper(*fixed), carry, None, record_every - window)
        state, lists = jax.lax.stop_gradient(carry)
        # The forces at the beginning of the window belong to its first step.
        energy, forces = bind(force_field, parameters, cell, lists, vectorize)(state.positions)
        carry = (state._replace(energy=energy, forces=forces), lists)
        carry, _ = _scan(take_step, carry, window, checkpoint_every)
        return carry, record(carry[0])

    records_per_checkpoint = (checkpoint_every or steps) // record_every or None
    carry = (state._replace(step=jnp.asarray(state.step)), neighbors)
    carry, records = _scan(
        take_steps_and_record, carry, steps // record_every, records_per_checkpoint
    )
    if steps % record_every:
        carry, _ = _scan(take_step, carry, steps % record_every, checkpoint_every)
    return Simulation(carry[0], records, carry[1])


def simulate_segment(
    force_field: ForceField,
    segment: Segment,
    integrator: Integrator,
    max_steps: int,
    *,
    parameters: Any,
    cell: Any,
    neighbors: Any,
    limits: Limits,
    record: Callable[[State], Any] | None = None,
    record_every: int = 1,
    vectorize: bool = False,
) -> tuple[Segment, Any, Any]:
    """Go on to `limits.last_step`, as far as the neighbor lists reach.

    Forces are never computed where an atom is further than half the skin from `limits.reference`:
    such a step is not taken, the loop ends, and the caller builds new lists and calls again. A
    replica is given up if a number is not finite, its temperature is above the limit, or an atom
    goes further in one step than lists can follow; the others are not disturbed.

    To find the forces at the start, call it with a new state (step −1) and a time step of 0.

    Parameters
    ----------
    segment : Segment
        Where to start.
    max_steps : int
        No more steps than this may be missing to `limits.last_step`: the records must find room.
    force_field, integrator, parameters, cell, neighbors, record, vectorize
        As in `simulate`, for R replicas.
    limits : Limits
    record_every : int
        Steps whose number is a multiple of this are recorded.

    Returns
    -------
    Segment
        Where it ended.
    pytree of arrays
        Records; rows that were not needed are at the end.
    bool
        True if it ended because new lists are needed.
    """
    record = _frame(integrator) if record is None else record
    force = bind(force_field, parameters, cell, neighbors, vectorize)
    n_records = max_steps // record_every + 1
    first = segment.state.step // record_every + 1  # number of the next record
    records = jax.tree.map(
        lambda row: jnp.zeros((n_records + 1, *row.shape), row.dtype),  # the last row is scratch
        jax.eval_shape(record, segment.state),
    )

    def go_on(carry: tuple[Segment, Any, Any]) -> Any:
        (state, alive, _), _, stale = carry
        return (state.step < limits.last_step) & alive.any() & ~stale

    def take_step(carry: tuple[Segment, Any, Any]) -> tuple[Segment, Any, Any]:
        (state, alive, failed_step), records, _ = carry

        def jumped(positions: Any) -> Any:
            return ~(_farthest(positions - state.positions) < limits.half_skin_A)

        def out_of_reach(positions: Any) -> Any:
            moved = _farthest(positions - limits.reference) >= limits.half_skin_A
            return (moved & alive & ~jumped(positions)).any()

        def force_within_reach(positions: Any) -> tuple[Any, Any]:
            nothing = state.energy, state.forces
            return jax.lax.cond(out_of_reach(positions), lambda: nothing, lambda: force(positions))

        new = integrator.method.step(state, force_within_reach, integrator)
        stale = out_of_reach(new.positions)
        finite = jnp.isfinite(new.energy) & jnp.isfinite(new.forces).all((1, 2))
        kelvin = temperature(new.velocities, new.masses, integrator.n_dof)
        good = finite & (kelvin <= limits.temperature_K) & ~jumped(new.positions)
        advanced = alive & good & ~stale
        after = Segment(
            _where(advanced, new, state)._replace(step=jnp.where(stale, state.step, new.step)),
            advanced | (alive & stale),
            jnp.where(alive & ~good & ~stale, new.step, failed_step),
        )
        wanted = ~stale & (new.step % record_every == 0)
        row = jnp.where(wanted, new.step // record_every - first, n_records)
        records = jax.tree.map(
            lambda rows, one: rows.at[row].set(one), records, record(after.state)
        )
        return after, records, stale

    return jax.lax.while_loop(go_on, take_step, (segment, records, jnp.zeros((), bool)))


def bind(
    force_field: ForceField, parameters: Any, cell: Any, neighbors: Any, vectorize: bool
) -> Force:
    """Return forces as a function of positions alone, of one system or of R replicas."""

    def force(positions: Any) -> tuple[Any, Any]:
        if positions.ndim == 2:
            return force_field(parameters, positions, cell, neighbors)
        systems = (positions, cell, neighbors)
        if len(positions) == 1:  # without a loop, whose turns copy the lists
            one = force_field(parameters, *jax.tree.map(lambda of_all: of_all[0], systems))
            return jax.tree.map(lambda value: value[None], one)
        if vectorize:
            return jax.vmap(lambda one: force_field(parameters, *one))(systems)
        return jax.lax.map(lambda one: force_field(parameters, *one), systems)

    return force


def _frame(integrator: Integrator) -> Callable[[State], Frame]:
    return lambda state: Frame(
        state.positions, state.velocities, state.energy, conserved_energy(state, integrator)
    )


def _update(update: Callable[..., Any], neighbors: Any, positions: Any, cell: Any) -> Any:
    positions, cell = jax.lax.stop_gradient((positions, cell))
    if positions.ndim == 2:
        return update(neighbors, positions, cell)
    return jax.vmap(update)(neighbors, positions, cell)


def _scan(step: Callable[..., Any], carry: Any, length: int, chunk: int | None) -> tuple[Any, Any]:
    """Call `step` `length` times; in reverse mode keep the carry only every `chunk` calls."""
    if chunk is None or chunk >= length:
        return jax.lax.scan(step, carry, None, length)
    scan_chunk = jax.checkpoint(lambda carry, _: jax.lax.scan(step, carry, None, chunk))
    carry, outputs = jax.lax.scan(scan_chunk, carry, None, length // chunk)
    outputs = jax.tree.map(lambda rows: rows.reshape(-1, *rows.shape[2:]), outputs)
    if length % chunk:
        carry, rest = jax.lax.scan(step, carry, None, length % chunk)
        outputs = jax.tree.map(lambda *rows: jnp.concatenate(rows), outputs, rest)
    return carry, outputs


def _farthest(vectors: Any) -> Any:
    """Return the length of the longest vector of each replica, shape (R,)."""
    return jnp.sqrt((vectors**2).sum(-1)).max(-1)


def _where(mask: Any, new: State, old: State) -> State:
    """Take for each replica what belongs to it from the new or the old state."""

    def choose(a: Any, b: Any) -> Any:
        return jnp.where(mask.reshape(-1, *(1,) * (a.ndim - 1)), a, b)

    per_replica = ("positions", "velocities", "forces", "energy", "thermostat")
    chosen = {
        name: jax.tree.map(choose, getattr(new, name), getattr(old, name)) for name in per_replica
    }
    return old._replace(**chosen)
