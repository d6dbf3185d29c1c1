"""All-bead molecular dynamics of bodies that are stiffly bonded, not rigid.

A spring binds each bead to its place in the shape of its body, where the shape is laid over the
beads with the least squares of distances (Müller et al., ACM Trans. Graph. 24, 471 (2005)). A flat
body of springs between beads alone would be soft: bending it changes distances to second order
only. For stiff springs the motion is that of rigid bodies; `bodies.reduce` finds it.

Lennard-Jones units. The dynamics are those of `helpers.md`, whose units fall out: masses carry the
factor that turns eV/(Å u) into Å/fs².
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import units

from helpers import checks
from helpers.coarse_grained.bead_potential import SmoothRepulsion
from helpers.coarse_grained.bodies import Body, RigidTrajectory, bead_velocities, reduce
from helpers.coarse_grained.pair_sum import Spring
from helpers.errors import DataError
from helpers.jax_setup import double_precision
from helpers.md.integrators import ACCELERATION, kinetic_energy, make_integrator
from helpers.md.simulation import Frame, initialize, simulate


@dataclass(frozen=True)
class BondedRun:
    """A run of all beads.

    Attributes
    ----------
    times : ndarray of shape (n_times,)
    positions, velocities : ndarray of shape (n_times, n_bodies, n_beads, 3)
    energies, total_energies : ndarray of shape (n_times,)
        Potential energy (springs of the shapes included), and the sum with the kinetic energy.
    """

    times: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    energies: np.ndarray
    total_energies: np.ndarray

    def rigid(self, body: Body) -> RigidTrajectory:
        """Return the motion of the bodies."""
        return reduce(body, self.positions, self.velocities, self.times)


@dataclass(frozen=True, eq=False)
class BondedBeads:
    """A force field of all beads of some alike bodies.

    Attributes
    ----------
    body : Body
    stiffness : float
        Of the spring that binds a bead to its place.
    core : SmoothRepulsion
        What beads of different bodies feel.
    spring : Spring, optional
        Between the mass centers of two bodies.
    """

    body: Body
    stiffness: float
    core: SmoothRepulsion = SmoothRepulsion()
    spring: Spring | None = None

    def __post_init__(self) -> None:
        checks.number("stiffness", self.stiffness)

    def __call__(
        self, parameters: Any, positions: Any, cell: Any, neighbors: Any
    ) -> tuple[Any, Any]:
        """Return the energy and the forces (n_bodies · n_beads, 3); see `md.ForceField`."""
        energy, slope = jax.value_and_grad(self.energy)(positions, cell)
        return energy, -slope

    def energy(self, positions: Any, cell: Any = None) -> Any:
        """Return the energy of beads (n_bodies · n_beads, 3), all pairs, nearest images."""
        n_beads = len(self.body.masses)
        beads = positions.reshape(-1, n_beads, 3)
        weights = jnp.asarray(self.body.masses / self.body.mass)[:, None]
        centers = (weights * beads).sum(1)
        relative = beads - centers[:, None]
        # The best rotation is where the energy is least, so its own slope does not count.
        rotations = jax.lax.stop_gradient(self._rotations(relative))
        places = jnp.einsum("nij,bj->nbi", rotations, self.body.positions)
        energy = 0.5 * self.stiffness * (self._shares * (relative - places) ** 2).sum()
        first, second = np.triu_indices(len(beads), 1)
        between = centers[second] - centers[first]
        if cell is not None:
            moved = -jnp.round(between @ jnp.linalg.inv(cell)) @ cell
        else:
            moved = jnp.zeros_like(between)
        away = beads[second][:, None] - beads[first][:, :, None] + moved[:, None, None]
        energy = energy + self.core((away**2).sum(-1)).sum()
        if self.spring is not None:
            one = self.spring
            distances = jnp.sqrt(jnp.maximum(((between + moved) ** 2).sum(-1), 1e-30))
            energy = energy + 0.5 * one.stiffness * ((distances - one.length) ** 2).sum()
        return energy

    @property
    def _shares(self) -> np.ndarray:
        """Weights of the springs, 1 on average: by mass, as in the superposition."""
        return (self.body.masses / self.body.masses.mean())[:, None]

    def _rotations(self, relative: Any) -> Any:
        """Return the rotations (n_bodies, 3, 3) of the superposed shapes (Kabsch)."""
        correlation = jnp.einsum("b,nbi,bj->nij", self.body.masses, relative, self.body.positions)
        left, _, right = jnp.linalg.svd(correlation)
        handed = jnp.linalg.det(left) * jnp.linalg.det(right)
        left = left.at[..., :, 2].multiply(handed[..., None])
        return left @ right


def run_bonded(
    force_field: BondedBeads,
    poses: Any,
    momenta: Any,
    *,
    method: str = "none",
    timestep: float,
    steps: int,
    record_every: int = 1,
    kT: float = 1.0,
    friction: float = 1.0,
    cell: Any = None,
    seed: int = 0,
) -> BondedRun:
    """Run all beads from the places and velocities that rigid bodies give them.

    Parameters
    ----------
    force_field : BondedBeads
    poses : array of shape (n_bodies, 7)
    momenta : array of shape (n_bodies, 6)
    method : str
        ``"none"`` (constant energy) or ``"langevin"``, which also warms the vibrations.
    timestep : float
        Several steps must fit into a vibration, whose period is 2π √(mass/stiffness).
    steps, record_every : int
    kT, friction : float
    cell : array of shape (3, 3), optional
        Cubic or not; nearest images of the mass centers count.
    seed : int

    Raises
    ------
    ConfigError
        If a number cannot be used.
    DataError
        If the energy does not stay finite.
    """
    checks.number("timestep", timestep)
    checks.whole("steps", steps, 1)
    checks.whole("record_every", record_every, 1, steps)
    checks.number("kT", kT)
    checks.number("friction", friction)
    checks.seed(seed)
    body = force_field.body
    shape = (len(poses), len(body.masses), 3)
    with double_precision():
        positions = jnp.asarray(body.place(jnp.asarray(poses))).reshape(-1, 3)
        velocities = jnp.asarray(bead_velocities(body, jnp.asarray(poses), jnp.asarray(momenta)))
        masses = jnp.asarray(np.tile(body.masses, shape[0]) * ACCELERATION)
        integrator = make_integrator(
            method,
            len(positions),
            timestep_fs=timestep,
            temperature_K=kT / units.kB,
            relaxation_fs=1 / friction,
        )
        cell = None if cell is None else jnp.asarray(cell)

        frames, kinetic = _compiled_run(
            force_field,
            steps,
            record_every,
            (positions, velocities.reshape(-1, 3), masses, jax.random.key(seed)),
            integrator,
            cell,
        )
    energies = np.asarray(frames.energy)
    if not np.isfinite(energies).all():
        raise DataError(
            "The energy of the beads does not stay finite", fix="use a shorter time step"
        )
    return BondedRun(
        times=timestep * record_every * np.arange(len(energies)),
        positions=np.asarray(frames.positions).reshape(-1, *shape),
        velocities=np.asarray(frames.velocities).reshape(-1, *shape),
        energies=energies,
        total_energies=energies + np.asarray(kinetic),
    )


@partial(jax.jit, static_argnums=(0, 1, 2))
def _compiled_run(
    force_field: BondedBeads,
    steps: int,
    record_every: int,
    start: tuple[Any, Any, Any, Any],
    integrator: Any,
    cell: Any,
) -> tuple[Frame, Any]:
    """Return frames, the start among them, and kinetic energies."""
    masses = start[2]
    first = initialize(force_field, integrator, *start, cell=cell)
    later = simulate(
        force_field, first, integrator, steps, record=_frame, record_every=record_every, cell=cell
    ).records
    frames = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), _frame(first), later)
    return frames, kinetic_energy(frames.velocities, masses)


def _frame(state: Any) -> Frame:
    return Frame(state.positions, state.velocities, state.energy, state.energy)
