"""Trajectories of rigid bodies that can be differentiated: three ways to their gradient.

The equations of motion with a network inside are a neural ordinary differential equation (Chen et
al., NeurIPS 2018). Two families of solvers stand behind `integrate`:

- ``"symplectic"``: the step of `rigid_dynamics`, of fixed length;
- solvers of the library diffrax, such as ``"tsit5"``, of fixed or adaptive step.

and three gradients:

- ``"checkpoint"``: that of the steps that were taken, by reverse mode; states are kept at the
  recorded times and computed again between them (discretize, then optimize);
- ``"reversible"``: the same gradient, but the states are found again by stepping back in time, so
  that memory does not grow with the number of steps; for the symplectic step, which retraces its
  path up to rounding;
- ``"adjoint"``: the adjoint equation is solved backwards in time (optimize, then discretize);
  memory does not grow, the gradient is only as good as both solutions; for diffrax, whose own
  gradient by checkpoints was wrong where it was tried here (diffrax 0.7.2, JAX 0.10.1).

Work inside ``with double_precision():``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from helpers import checks
from helpers.coarse_grained.quaternions import multiply
from helpers.coarse_grained.rigid_dynamics import (
    RigidIntegrator,
    RigidState,
    drift,
    kick,
    no_squish,
)

ForceField = Callable[[Any, Any, Any, Any], tuple[Any, Any]]

DIFFRAX_SOLVERS = {
    "tsit5": "Tsit5",
    "dopri5": "Dopri5",
    "dopri8": "Dopri8",
    "leapfrog_midpoint": "LeapfrogMidpoint",
}
SOLVERS = ("symplectic", *DIFFRAX_SOLVERS)
GRADIENTS = ("checkpoint", "reversible", "adjoint")


@dataclass(frozen=True)
class Solver(checks.Settings):
    """How trajectories are computed, and their gradients.

    Attributes
    ----------
    name : str
        One of `SOLVERS`. ``"leapfrog_midpoint"`` is diffrax's two-step method, not velocity
        Verlet: it is neither symplectic here nor stable with friction.
    gradient : str
        One of `GRADIENTS`.
    steps_per_record : int
        Steps between two recorded times; the first guess of the step for adaptive solvers.
    rtol, atol : float
        Tolerances of an adaptive solver; both 0 for steps of fixed length.

    Raises
    ------
    ConfigError
        If solver and gradient do not go together.
    """

    name: str = "symplectic"
    gradient: str = "checkpoint"
    steps_per_record: int = 1
    rtol: float = 0.0
    atol: float = 0.0

    def __post_init__(self) -> None:
        checks.one_of("solver", self.name, SOLVERS)
        checks.one_of("gradient", self.gradient, GRADIENTS)
        checks.whole("steps_per_record", self.steps_per_record, 1)
        checks.number("rtol", self.rtol, positive=False)
        checks.number("atol", self.atol, positive=False)
        symplectic = self.name == "symplectic"
        if symplectic and self.gradient == "adjoint":
            checks.refuse("gradient", "adjoint", "'checkpoint' or 'reversible' with 'symplectic'")
        if not symplectic and self.gradient != "adjoint":
            checks.refuse("gradient", self.gradient, "'adjoint' with the solvers of diffrax")
        if (self.rtol > 0) != (self.atol > 0):
            checks.refuse("atol", self.atol, "rtol and atol both 0, or both above 0")
        if self.rtol > 0 and self.name in ("symplectic", "leapfrog_midpoint"):
            checks.refuse("rtol", self.rtol, f"0: the steps of {self.name!r} are of fixed length")


def integrate(
    force_field: ForceField,
    integrator: RigidIntegrator,
    parameters: Any,
    poses: Any,
    momenta: Any,
    n_records: int,
    interval: float,
    solver: Solver = Solver(),
) -> tuple[Any, Any]:
    """Return poses and momenta at n_records times after the start, all an interval apart.

    Differentiable in reverse mode with respect to parameters, poses and momenta.

    Parameters
    ----------
    force_field : function (parameters, poses, cell, neighbors) → energy, forces
        See `rigid_dynamics.rigid_force_field`; called without cell and neighbor lists.
    integrator : RigidIntegrator
        Of constant energy; its time step is replaced by interval/steps_per_record.
    parameters : pytree of arrays
    poses : array of shape (n_bodies, 7)
    momenta : array of shape (n_bodies, 6)
    n_records : int
    interval : float
    solver : Solver

    Returns
    -------
    array of shape (n_records + 1, n_bodies, 7)
    array of shape (n_records + 1, n_bodies, 6)
        The start is the first record.
    """
    if solver.name != "symplectic":
        return _by_diffrax(
            force_field, integrator.inertia, parameters, poses, momenta, n_records, interval, solver
        )
    timestep = jnp.asarray(interval / solver.steps_per_record, poses.dtype)
    numbers = RigidIntegrator(
        integrator.method, timestep, integrator.kT, integrator.friction, integrator.inertia
    )
    path = _reversible if solver.gradient == "reversible" else _path
    later = path(
        force_field, n_records, solver.steps_per_record, parameters, numbers, poses, momenta
    )
    return jnp.concatenate([poses[None], later[0]]), jnp.concatenate([momenta[None], later[1]])


def equations_of_motion(
    force_field: ForceField, inertia: Any, parameters: Any, poses: Any, momenta: Any
) -> tuple[Any, Any]:
    """Return the time derivatives of poses and momenta.

    ẋ = p/m, q̇ = ½ q (0, ω), ṗ = F, L̇ = τ − ω × L, with ω = I⁻¹ L in the body's frame. Quaternions
    are divided by their length first: a general solver does not keep it.
    """
    quaternions = poses[..., 3:]
    unit = quaternions / jnp.sqrt((quaternions**2).sum(-1, keepdims=True))
    _, forces = force_field(parameters, jnp.concatenate([poses[..., :3], unit], -1), None, None)
    rates = momenta / inertia
    omega = rates[..., 3:]
    turning = 0.5 * multiply(unit, jnp.concatenate([jnp.zeros_like(omega[..., :1]), omega], -1))
    gyration = jnp.cross(momenta[..., 3:], omega)
    return (
        jnp.concatenate([rates[..., :3], turning], -1),
        jnp.concatenate([forces[..., :3], forces[..., 3:] + gyration], -1),
    )


def _by_diffrax(
    force_field: ForceField,
    inertia: Any,
    parameters: Any,
    poses: Any,
    momenta: Any,
    n_records: int,
    interval: float,
    solver: Solver,
) -> tuple[Any, Any]:
    import diffrax

    def field(t: Any, state: Any, parameters: Any) -> Any:
        return equations_of_motion(force_field, inertia, parameters, *state)

    adaptive = solver.rtol > 0
    n_steps = n_records * solver.steps_per_record
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        getattr(diffrax, DIFFRAX_SOLVERS[solver.name])(),
        t0=0.0,
        t1=n_records * interval,
        dt0=interval / solver.steps_per_record,
        y0=(poses, momenta),
        args=parameters,
        saveat=diffrax.SaveAt(ts=interval * jnp.arange(n_records + 1, dtype=poses.dtype)),
        stepsize_controller=(
            diffrax.PIDController(rtol=solver.rtol, atol=solver.atol)
            if adaptive
            else diffrax.ConstantStepSize()
        ),
        adjoint=diffrax.BacksolveAdjoint(),
        max_steps=64 * n_steps + 1024 if adaptive else n_steps + 16,
    )
    return solution.ys


# ---------------------------------------------------------------------------------------------
# The gradient by stepping back


def _forward(
    force_field: ForceField,
    n_records: int,
    steps_per_record: int,
    parameters: Any,
    integrator: RigidIntegrator,
    poses: Any,
    momenta: Any,
) -> tuple[Any, Any]:
    """Return the state at the end, and the records after the start."""

    def one_step(carry: Any, _: None) -> tuple[Any, None]:
        return _step(force_field, parameters, integrator, carry), None

    def one_record(carry: Any, _: None) -> tuple[Any, Any]:
        if steps_per_record == 1:
            carry, _ = one_step(carry, None)
        else:
            carry, _ = jax.lax.scan(one_step, carry, None, steps_per_record)
        return carry, carry[:2]

    start = poses, momenta, force_field(parameters, poses, None, None)[1]
    return jax.lax.scan(jax.checkpoint(one_record), start, None, n_records)


def _path(*arguments: Any) -> tuple[Any, Any]:
    """Return the records after the start; in reverse mode only records are kept."""
    return _forward(*arguments)[1]


_reversible = jax.custom_vjp(_path, nondiff_argnums=(0, 1, 2))


def _reversible_forward(*arguments: Any) -> tuple[Any, Any]:
    end, records = _forward(*arguments)
    return records, (end, *arguments[3:])


def _reversible_backward(
    force_field: ForceField, n_records: int, steps_per_record: int, kept: Any, wanted: Any
) -> tuple[Any, ...]:
    end, parameters, integrator, poses, momenta = kept

    def one_step(_: Any, carry: Any) -> Any:
        after, slopes, parameter_slopes = carry
        before = _step_back(force_field, parameters, integrator, after)
        _, pull = jax.vjp(
            lambda parameters, state: _step(force_field, parameters, integrator, state),
            parameters,
            before,
        )
        more, slopes = pull(slopes)
        return before, slopes, jax.tree.map(jnp.add, parameter_slopes, more)

    def one_record(carry: Any, wanted: Any) -> tuple[Any, None]:
        state, (pose_slopes, momentum_slopes, force_slopes), parameter_slopes = carry
        slopes = pose_slopes + wanted[0], momentum_slopes + wanted[1], force_slopes
        carry = state, slopes, parameter_slopes
        return jax.lax.fori_loop(0, steps_per_record, one_step, carry), None

    nothing = jax.tree.map(jnp.zeros_like, (end, parameters))
    (_, slopes, parameter_slopes), _ = jax.lax.scan(
        one_record, (end, *nothing), wanted, reverse=True
    )
    _, pull = jax.vjp(
        lambda parameters, poses: force_field(parameters, poses, None, None)[1], parameters, poses
    )
    more, pose_slopes = pull(slopes[2])
    return (
        jax.tree.map(jnp.add, parameter_slopes, more),
        jax.tree.map(jnp.zeros_like, integrator),
        slopes[0] + pose_slopes,
        slopes[1],
    )


_reversible.defvjp(_reversible_forward, _reversible_backward)


def _step(
    force_field: ForceField, parameters: Any, integrator: RigidIntegrator, carry: Any
) -> tuple[Any, Any, Any]:
    """Complete one step of (poses, momenta, forces)."""
    state = no_squish(
        _as_state(carry), lambda poses: force_field(parameters, poses, None, None), integrator
    )
    return state.poses, state.momenta, state.forces


def _step_back(
    force_field: ForceField, parameters: Any, integrator: RigidIntegrator, carry: Any
) -> tuple[Any, Any, Any]:
    """Undo one step: the same parts with the time reversed."""
    dt = integrator.timestep
    state = kick(_as_state(carry), -dt / 2)
    state = drift(state, -dt, integrator.inertia)
    _, forces = force_field(parameters, state.poses, None, None)
    state = kick(state._replace(forces=forces), -dt / 2)
    return state.poses, state.momenta, state.forces


def _as_state(carry: Any) -> RigidState:
    poses, momenta, forces = carry
    return RigidState(poses, momenta, forces, energy=jnp.zeros(()), key=None, step=0)
