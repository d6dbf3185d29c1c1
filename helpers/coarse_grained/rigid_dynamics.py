"""Dynamics of rigid bodies: a symplectic step on quaternions, at constant energy or in a heat bath.

As in `helpers.md.integrators` a method is a function (state, force, integrator) → state, composed
of `kick`, `drift` and `ornstein_uhlenbeck`; `helpers.md.simulate` runs it as it is, with
checkpoints, records and neighbor lists.

Orientations are quaternions, angular momenta L are those in the body's frame. The free turn is
split into turns about single axes, each of which is exact: this is the NO_SQUISH step of Miller et
al., J. Chem. Phys. 116, 8649 (2002), whose conjugate momenta p = 2 q (0, L) are not needed here
(Dullweber, Leimkuhler, McLachlan, J. Chem. Phys. 107, 5840 (1997)). It keeps |q| = 1 up to
rounding, is symplectic, and retraces its path exactly when time is reversed. Heat bath: B A O A B
(Leimkuhler, Matthews, Appl. Math. Res. Express 2013, 34), with a friction for each component of the
linear momentum and of L.

Any consistent units; kT is an energy. ``(...)`` stands for any axes in front, such as replicas.
Work inside ``with double_precision():``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.coarse_grained.bodies import Body, RigidTrajectory
from helpers.coarse_grained.quaternions import body_torque, check_unit, turn_about_axis
from helpers.errors import ConfigError, DataError, nearest
from helpers.jax_setup import double_precision
from helpers.md.simulation import bind, simulate

Force: TypeAlias = Callable[[Any], tuple[Any, Any]]  # poses → energy, forces and torques


class RigidState(NamedTuple):
    """Rigid bodies at the end of a time step.

    Attributes
    ----------
    poses : array of shape (..., n_bodies, 7)
        Mass centers, quaternions (w, x, y, z).
    momenta : array of shape (..., n_bodies, 6)
        Linear momenta in space, angular momenta in the body's frame.
    forces : array of shape (..., n_bodies, 6)
        Forces in space, torques in the body's frame, at `poses`.
    energy : array of shape (...)
        Potential energy at `poses`.
    key : random key, shape (...)
        Never changed: the random numbers of a step depend on it and on the number of the step.
    step : int
        Number of complete steps.
    """

    poses: Any
    momenta: Any
    forces: Any
    energy: Any
    key: Any
    step: Any


class RigidMethod(NamedTuple):
    """How an integrator works; ``step(state, force, integrator)`` completes one time step."""

    step: Callable[[RigidState, Force, RigidIntegrator], RigidState]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["timestep", "kT", "friction", "inertia"],
    meta_fields=["method"],
)
@dataclass(frozen=True)
class RigidIntegrator:
    """A method with its numbers; in JAX a pytree whose leaves are the numbers.

    Attributes
    ----------
    method : RigidMethod
    timestep : float
    kT : float
        Of the heat bath; without meaning at constant energy.
    friction : float
        Rate, in 1/time, at which momenta decay; without meaning at constant energy.
    inertia : array of shape (6,)
        Three times the mass, then the principal moments of inertia.
    """

    method: RigidMethod
    timestep: Any
    kT: Any
    friction: Any
    inertia: Any


def make_rigid_integrator(
    name: str, body: Body, *, timestep: Any, kT: Any = 1.0, friction: Any = 1.0
) -> RigidIntegrator:
    """Return an integrator by name, ``"nve"`` or ``"langevin"``.

    Raises
    ------
    ConfigError
        If there is no such method.
    """
    if name not in RIGID_METHODS:
        raise ConfigError(f"There is no method {name!r}", fix=nearest(str(name), RIGID_METHODS))
    inertia = np.concatenate([np.full(3, body.mass), body.inertia])
    return RigidIntegrator(RIGID_METHODS[name], timestep, kT, friction, inertia)


# ---------------------------------------------------------------------------------------------
# Quantities


def kinetic_energies(momenta: Any, inertia: Any) -> Any:
    """Return the kinetic energy of each degree of freedom, shape of `momenta`.

    Their means in equilibrium are ½ kT each: three of the motion, three of the turning.
    """
    return 0.5 * momenta**2 / inertia


def total_energy(state: RigidState, integrator: RigidIntegrator) -> Any:
    """Return potential and kinetic energy, shape (...)."""
    return state.energy + kinetic_energies(state.momenta, integrator.inertia).sum((-2, -1))


def thermal_momenta(body: Body, kT: Any, noise: Any) -> Any:
    """Return momenta (..., n_bodies, 6) of a temperature, at rest overall.

    Parameters
    ----------
    body : Body
    kT : float
    noise : array of shape (..., n_bodies, 6)
        Standard normal random numbers.
    """
    scale = jnp.sqrt(kT * np.concatenate([np.full(3, body.mass), body.inertia]))
    momenta = scale * noise
    if noise.shape[-2] == 1:
        return momenta
    drift_momentum = momenta[..., :3].mean(-2, keepdims=True)
    return momenta.at[..., :3].add(-drift_momentum)


# ---------------------------------------------------------------------------------------------
# Parts of a step


def kick(state: RigidState, duration: Any) -> RigidState:
    """Let forces and torques act on the momenta."""
    return state._replace(momenta=state.momenta + duration * state.forces)


def drift(state: RigidState, duration: Any, inertia: Any) -> RigidState:
    """Let the bodies move and turn freely: exact turns about the axes 3, 2, 1, 2, 3."""
    momentum, spin = state.momenta[..., :3], state.momenta[..., 3:]
    centers = state.poses[..., :3] + duration * momentum / inertia[:3]
    quaternions = state.poses[..., 3:]
    for axis, share in ((2, 0.5), (1, 0.5), (0, 1.0), (1, 0.5), (2, 0.5)):
        angle = share * duration * spin[..., axis] / inertia[3 + axis]
        quaternions = turn_about_axis(quaternions, axis, angle)
        spin = _turn_back(spin, axis, angle)
    return state._replace(
        poses=jnp.concatenate([centers, quaternions], -1),
        momenta=jnp.concatenate([momentum, spin], -1),
    )


def ornstein_uhlenbeck(
    state: RigidState, duration: Any, kT: Any, friction: Any, inertia: Any
) -> RigidState:
    """Let friction and noise act on the momenta for a while, exactly.

    Each component: p ← c p + √((1 − c²) kT I) ξ, c = exp(−friction · t), with I the mass or the
    principal moment of inertia that belongs to it.
    """
    keep = jnp.exp(-friction * duration)
    shape = state.momenta.shape[-2:]

    def draw(key: Any) -> Any:
        return jax.random.normal(jax.random.fold_in(key, state.step), shape, state.momenta.dtype)

    for _ in range(jnp.ndim(state.key)):
        draw = jax.vmap(draw)
    noise = jnp.sqrt((1 - keep**2) * kT * inertia) * draw(state.key)
    return state._replace(momenta=keep * state.momenta + noise)


def update_forces(state: RigidState, force: Force) -> RigidState:
    """Compute energy, forces and torques at the new poses, which belong to the next step."""
    energy, forces = force(state.poses)
    return state._replace(energy=energy, forces=forces, step=state.step + 1)


def no_squish(state: RigidState, force: Force, integrator: RigidIntegrator) -> RigidState:
    """Complete a step at constant energy."""
    dt = integrator.timestep
    state = kick(state, dt / 2)
    state = drift(state, dt, integrator.inertia)
    state = update_forces(state, force)
    return kick(state, dt / 2)


def rigid_langevin(state: RigidState, force: Force, integrator: RigidIntegrator) -> RigidState:
    """Complete a step of Langevin dynamics: B A O A B."""
    dt, inertia = integrator.timestep, integrator.inertia
    state = kick(state, dt / 2)
    state = drift(state, dt / 2, inertia)
    state = ornstein_uhlenbeck(state, dt, integrator.kT, integrator.friction, inertia)
    state = drift(state, dt / 2, inertia)
    state = update_forces(state, force)
    return kick(state, dt / 2)


RIGID_METHODS = {"nve": RigidMethod(no_squish), "langevin": RigidMethod(rigid_langevin)}


def _turn_back(vectors: Any, axis: int, angle: Any) -> Any:
    """Return vectors of space seen from a body that turned by an angle about its axis."""
    along = np.eye(3)[axis]
    crossed = jnp.matmul(
        vectors, jnp.asarray(-_cross_table(along), vectors.dtype), precision="highest"
    )
    kept = vectors * along.astype(vectors.dtype)
    cosine, sine = jnp.cos(angle)[..., None], jnp.sin(angle)[..., None]
    return kept + cosine * (vectors - kept) + sine * crossed


def _cross_table(axis: np.ndarray) -> np.ndarray:
    """Return C with ``vector @ C`` the vector product axis × vector."""
    return np.cross(axis, np.eye(3))


# ---------------------------------------------------------------------------------------------
# Force fields and runs


def rigid_force_field(energy: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Return a force field of a function (parameters, poses, cell, neighbors) → energy.

    Its forces have shape (n_bodies, 6): force in space, torque in the body's frame. Call it once
    and keep what it returns: each one is compiled for itself.
    """
    gradient = jax.value_and_grad(energy, argnums=1)

    def force_field(parameters: Any, poses: Any, cell: Any, neighbors: Any) -> tuple[Any, Any]:
        value, slope = gradient(parameters, poses, cell, neighbors)
        torque = body_torque(poses[..., 3:], slope[..., 3:])
        return value, jnp.concatenate([-slope[..., :3], torque], -1)

    return force_field


def initial_state(
    force_field: Callable[..., tuple[Any, Any]],
    poses: Any,
    momenta: Any,
    key: Any,
    *,
    parameters: Any = (),
    cell: Any = None,
    neighbors: Any = None,
) -> RigidState:
    """Return the state at step 0, with its forces."""
    energy, forces = bind(force_field, parameters, cell, neighbors, True)(poses)
    return RigidState(poses, momenta, forces, energy, key, jnp.asarray(np.array(0)))


def run_bodies(
    force_field: Callable[..., tuple[Any, Any]],
    body: Body,
    poses: Any,
    momenta: Any,
    *,
    method: str = "nve",
    timestep: float,
    steps: int,
    kT: float = 1.0,
    friction: float = 1.0,
    record_every: int = 1,
    seed: int = 0,
    parameters: Any = (),
    cell: Any = None,
    neighbors: Any = None,
    update_neighbors: Callable[[Any, Any, Any], Any] | None = None,
) -> RigidTrajectory:
    """Run dynamics of rigid bodies in 64 bit and return the records, the start among them.

    Parameters
    ----------
    force_field : function (parameters, poses, cell, neighbors) → energy, forces
        See `rigid_force_field`.
    body : Body
        All bodies are alike.
    poses : array of shape (n_bodies, 7), or (n_replicas, n_bodies, 7)
        With replicas, their axis comes after that of times in the result.
    momenta : array of shape (n_bodies, 6), or (n_replicas, n_bodies, 6)
    method : str
        ``"nve"`` or ``"langevin"``.
    timestep, kT, friction : float
    steps, record_every : int
    seed : int
        Of the heat bath.
    parameters, cell, neighbors, update_neighbors
        As in `helpers.md.simulate`.

    Raises
    ------
    ConfigError
        If a number cannot be used.
    DataError
        If a quaternion is not of length 1, or bodies overlap so that their energy is not finite.
    """
    checks.number("timestep", timestep)
    checks.whole("steps", steps, 1)
    checks.whole("record_every", record_every, 1, steps)
    checks.number("kT", kT)
    checks.number("friction", friction, positive=False)
    checks.seed(seed)
    check_unit(np.asarray(poses)[..., 3:])
    with double_precision():
        integrator = make_rigid_integrator(
            method, body, timestep=timestep, kT=kT, friction=friction
        )
        at = {"parameters": parameters, "cell": cell, "neighbors": neighbors}
        keys = jax.random.key(seed)
        if np.ndim(poses) == 3:
            keys = jax.random.split(keys, len(poses))
        start = jnp.asarray(poses), jnp.asarray(momenta), keys
        first, records = _compiled_run(
            force_field, start, integrator, steps, record_every, update_neighbors, at
        )
    if not np.isfinite(first[2]).all():
        raise DataError(
            "The energy of the start is not finite",
            fix="see that no bodies overlap and that all numbers are finite",
        )
    rows = [np.concatenate([np.asarray(a)[None], b]) for a, b in zip(first, records, strict=True)]
    return RigidTrajectory(
        times=timestep * record_every * np.arange(steps // record_every + 1),
        poses=rows[0],
        momenta=rows[1],
        energies=rows[2],
    )


@partial(jax.jit, static_argnums=(0, 3, 4, 5))
def _compiled_run(
    force_field: Any,
    start: Any,
    integrator: Any,
    steps: int,
    record_every: int,
    update_neighbors: Any,
    at: dict[str, Any],
) -> Any:
    first = initial_state(force_field, *start, **at)
    _, records, _ = simulate(
        force_field,
        first,  # type: ignore[arg-type]
        integrator,
        steps,
        update_neighbors=update_neighbors,
        record=_record,  # type: ignore[arg-type]
        record_every=record_every,
        **at,
    )
    return _record(first), records


def _record(state: RigidState) -> tuple[Any, Any, Any]:
    return state.poses, state.momenta, state.energy
