"""Gradients through a simulation that is run backwards: memory does not grow with its length.

Reverse-mode differentiation needs the states of a simulation in reverse order. `simulate` stores
them, or some of them. Here the simulation itself goes backwards and finds them again, and with each
step the derivatives of the loss with respect to positions and velocities are carried one step
further back (the discrete adjoint: the step transposed), which needs one derivative of the forces.

Floating-point numbers lose the way back: their rounding errors grow with the chaos of the atoms and
with friction, and after some thousand steps nothing is left. So positions and velocities are whole
numbers here (units `POSITION_A` and `VELOCITY_A_PER_FS` of `whole_numbers`). Adding a rounded force
or a rounded shift is undone exactly by subtracting it. Multiplying a velocity by a factor is exact
as a fraction, n/2²⁰, of which the remainder goes into an information buffer, from where it comes
back. Friction fills the buffer by log₂(2²⁰/n) bits per step, 0.0014 for 1/ps and 1 fs; full buffers
are put aside. Random numbers depend on key and step alone. Thermostats that forget (Bussi,
Berendsen, rescaling, Nosé–Hoover) leave one factor for each step, Andersen the old velocities.

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
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from helpers import checks
from helpers.differentiable.adjoint import go_back
from helpers.differentiable.reversible_steps import PARTS, Plan
from helpers.differentiable.whole_numbers import (
    DENOMINATOR,
    KICK,
    POSITION_A,
    VELOCITY_A_PER_FS,
    Whole,
    most_collisions,
    steps_per_buffer,
    to_whole,
)
from helpers.errors import ConfigError
from helpers.md import integrators as md
from helpers.md.integrators import Integrator, State
from helpers.md.simulation import ForceField, Frame, Simulation


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
        is not where it was by more than `adjoint.LOST_A`, or a buffer was too small.

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
        per_buffer = steps_per_buffer(numerator)
        n_buffers = -(-steps // per_buffer)
    else:
        per_buffer, n_buffers = steps, 0
    if record is None:
        record = _frame
    plan = Plan(
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
    collisions = most_collisions(len(state.masses), steps, dt, tau) if parts.collide else 0
    rooms = (n_buffers, collisions)
    final, records = _differentiable(plan, rooms)(
        constants, state.positions, state.velocities, state.thermostat
    )
    return Simulation(final, records, neighbors)


def _differentiable(plan: Plan, rooms: tuple[int, int]) -> Callable[..., Any]:
    """Return the run as a function with a derivative of its own."""

    def start(positions: Any, velocities: Any, thermostat: Any) -> Any:
        zeros = jnp.zeros(positions.shape, jnp.int64)
        whole = Whole(
            to_whole(positions, POSITION_A),
            to_whole(velocities, VELOCITY_A_PER_FS * KICK) * KICK,
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


def _known(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, jax.errors.ConcretizationTypeError):
        raise ConfigError(
            f"{name} is not known when the run is prepared",
            expected="a number that is neither differentiated nor an argument of a jitted function",
            fix="use simulate(…, checkpoint_every=…)",
        ) from None
