"""Integrators of molecular dynamics, composed of kick, drift and thermostat steps.

Every integrator is a function that completes one time step: it takes a `State`, something that
gives forces, and an `Integrator` with the numbers (time step, temperature, …), and returns the next
`State`. `velocity_verlet` is the shortest; the others add a thermostat to it. `METHODS` lists them
by name; an integrator of your own is one such function and one line there.

All functions are pure, and differentiable with respect to everything that is not a whole number.
Any number of axes may come in front, such as one for replicas: below, ``(...)`` stands for them.

Units: lengths in Å, times in fs, energies in eV, masses in atomic mass units (u), temperatures in
K. Work inside ``with double_precision():``.

====== ==================== ============================================
symbol here                 meaning
====== ==================== ============================================
Δt     timestep_fs          length of a time step
T₀     temperature_K        temperature of the bath
τ      relaxation_fs        time in which the bath acts
n      n_dof                degrees of freedom that have kinetic energy
K      kinetic_energy       ½ Σ m v²
====== ==================== ============================================

Sources
-------
- velocity Verlet: Swope, Andersen, Berens, Wilson, J. Chem. Phys. 76, 637 (1982)
- Langevin, BAOAB: Leimkuhler, Matthews, Appl. Math. Res. Express 2013, 34 (2013)
- stochastic velocity rescaling: Bussi, Donadio, Parrinello, J. Chem. Phys. 126, 014101 (2007)
- Nosé–Hoover chain: Martyna, Tuckerman, Tobias, Klein, Mol. Phys. 87, 1117 (1996)
- Andersen: J. Chem. Phys. 72, 2384 (1980)
- Berendsen et al., J. Chem. Phys. 81, 3684 (1984)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from ase import units

from helpers.errors import ConfigError, nearest

ACCELERATION = units.fs**2  # 1 eV/(Å u) in Å/fs²
CHAIN_LENGTH = 3
# Weights of a fourth-order splitting: Suzuki, Phys. Lett. A 146, 319; Yoshida, 150, 262 (1990)
SUZUKI_YOSHIDA = (1 / (2 - 2 ** (1 / 3)), -(2 ** (1 / 3)) / (2 - 2 ** (1 / 3)))

Force: TypeAlias = Callable[[Any], tuple[Any, Any]]  # positions → energy, forces


class State(NamedTuple):
    """One system at the end of a time step, or several of the same atoms.

    Attributes
    ----------
    positions : array of shape (..., n_atoms, 3), Å
        Not wrapped into the cell.
    velocities : array of shape (..., n_atoms, 3), Å/fs
    forces : array of shape (..., n_atoms, 3), eV/Å
        At `positions`: the next step begins with them, so that a step needs one evaluation.
    energy : array of shape (...), eV
        Potential energy at `positions`.
    masses : array of shape (n_atoms,), u
    key : array of random keys, shape (...)
        Made by ``jax.random.key(seed)``, never changed: the random numbers of a step depend on the
        key and on the number of the step alone, so a run is the same alone and among others.
    thermostat : pytree of arrays with the leading axes (...)
        Variables of the bath, such as `Chain`; an empty tuple for most.
    step : int
        Number of complete steps; −1 as long as `forces` are unknown (see `new_state`).
    """

    positions: Any
    velocities: Any
    forces: Any
    energy: Any
    masses: Any
    key: Any
    thermostat: Any
    step: Any


class Chain(NamedTuple):
    """Variables of a Nosé–Hoover chain, arrays of shape (..., CHAIN_LENGTH).

    Attributes
    ----------
    positions : array
        η, without unit.
    velocities : array, 1/fs
        dη/dt: the rate at which the first one takes velocity from the atoms.
    """

    positions: Any
    velocities: Any


class Method(NamedTuple):
    """How an integrator works: a line of `METHODS`.

    Attributes
    ----------
    step : function (state, force, integrator) → State
        Completes one time step. With Δt = 0 it must change the forces only.
    canonical : bool
        True if the states are those of the canonical ensemble.
    moves_center_of_mass : bool
        True if its random forces give the whole system momentum, which then has 3 N degrees of
        freedom. Otherwise the momentum is conserved, and 3 N − 3 are left.
    new_thermostat : function (shape of the leading axes) → pytree
        Variables of the bath at the start.
    thermostat_energy : function (state, integrator) → array (...), eV, or None
        What the bath has taken up: with it the total energy is conserved. None if not known.
    """

    step: Callable[[State, Force, Integrator], State]
    canonical: bool = True
    moves_center_of_mass: bool = False
    new_thermostat: Callable[[tuple[int, ...]], Any] = lambda shape: ()
    thermostat_energy: Callable[[State, Integrator], Any] | None = None


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["timestep_fs", "temperature_K", "relaxation_fs"],
    meta_fields=["method", "n_dof"],
)
@dataclass(frozen=True)
class Integrator:
    """A method with its numbers; in JAX a pytree whose leaves are those with units.

    Attributes
    ----------
    method : Method
    n_dof : int
        Degrees of freedom (see `make_integrator`).
    timestep_fs : float
    temperature_K : float
        Of the bath; without meaning for velocity Verlet.
    relaxation_fs : float
        Langevin: 1/friction. Bussi, Berendsen: time in which the kinetic energy relaxes.
        Nosé–Hoover: period of the bath's oscillation divided by 2π, about. Andersen: mean time
        between two collisions of an atom. Without meaning for the others.
    """

    method: Method
    n_dof: int
    timestep_fs: Any
    temperature_K: Any
    relaxation_fs: Any


# ---------------------------------------------------------------------------------------------
# Quantities


def kinetic_energy(velocities: Any, masses: Any) -> Any:
    """Return ½ Σ m v² in eV, shape (...), for velocities (..., n_atoms, 3) in Å/fs."""
    return 0.5 * (masses[..., None] * velocities**2).sum((-2, -1)) / ACCELERATION


def temperature(velocities: Any, masses: Any, n_dof: int) -> Any:
    """Return the kinetic temperature 2 K/(n kB) in K, shape (...)."""
    return 2 * kinetic_energy(velocities, masses) / (n_dof * units.kB)


def conserved_energy(state: State, integrator: Integrator) -> Any:
    """Return the energy of atoms and bath in eV, shape (...): constant but for rounding and Δt².

    NaN where the energy of the bath is not known.
    """
    total = state.energy + kinetic_energy(state.velocities, state.masses)
    bath = integrator.method.thermostat_energy
    if bath is None:
        return jnp.full_like(total, jnp.nan)  # not total · NaN, which would make gradients NaN
    return total + bath(state, integrator)


def degrees_of_freedom(method: Method, n_atoms: int) -> int:
    """Return how many degrees of freedom of free or periodic atoms have kinetic energy."""
    return 3 * n_atoms if method.moves_center_of_mass or n_atoms == 1 else 3 * n_atoms - 3


# ---------------------------------------------------------------------------------------------
# The start


def make_integrator(
    name: str,
    n_atoms: int,
    *,
    timestep_fs: Any,
    temperature_K: Any = 300.0,
    relaxation_fs: Any = 100.0,
    n_dof: int | None = None,
) -> Integrator:
    """Return an integrator by the name of its thermostat, one of `METHODS`.

    Parameters
    ----------
    name : str
    n_atoms : int
    timestep_fs, temperature_K, relaxation_fs : float
        See `Integrator`.
    n_dof : int, optional
        Degrees of freedom. By default those of free or periodic atoms whose total momentum is zero
        at the start; give 3 N for atoms in an external potential, which keeps no momentum.

    Raises
    ------
    ConfigError
        If there is no such thermostat.
    """
    if name not in METHODS:
        raise ConfigError(f"There is no thermostat {name!r}", fix=nearest(str(name), METHODS))
    method = METHODS[name]
    n_dof = degrees_of_freedom(method, n_atoms) if n_dof is None else n_dof
    return Integrator(method, n_dof, timestep_fs, temperature_K, relaxation_fs)


def new_state(
    integrator: Integrator, positions: Any, velocities: Any, masses: Any, key: Any
) -> State:
    """Return a state whose forces are not known yet, at step −1.

    `update_forces`, or a step of length 0, makes it step 0.
    """
    shape = positions.shape[:-2]
    return State(
        positions=positions,
        velocities=velocities,
        forces=jnp.zeros_like(positions),
        energy=jnp.full(shape, jnp.nan, positions.dtype),
        masses=masses,
        key=key,
        thermostat=integrator.method.new_thermostat(shape),
        step=jnp.asarray(np.array(-1)),
    )


def maxwell_boltzmann(masses: Any, temperature_K: Any, noise: Any) -> Any:
    """Return velocities (..., n_atoms, 3) in Å/fs of a temperature, at rest overall.

    Parameters
    ----------
    masses : array of shape (n_atoms,), u
    temperature_K : float
    noise : array of shape (..., n_atoms, 3)
        Standard normal random numbers, of NumPy or of JAX.
    """
    velocities = (units.kB * temperature_K * ACCELERATION / masses)[:, None] ** 0.5 * noise
    if len(masses) == 1:
        return velocities
    momentum = (masses[:, None] * velocities).sum(-2, keepdims=True)
    return velocities - momentum / masses.sum()


# ---------------------------------------------------------------------------------------------
# Parts of a step


def kick(state: State, duration_fs: Any) -> State:
    """Let the forces act on the velocities: v ← v + F/m · t."""
    change = duration_fs * ACCELERATION / state.masses[..., None] * state.forces
    return state._replace(velocities=state.velocities + change)


def drift(state: State, duration_fs: Any) -> State:
    """Let the atoms move: x ← x + v · t."""
    return state._replace(positions=state.positions + duration_fs * state.velocities)


def update_forces(state: State, force: Force) -> State:
    """Compute energy and forces at the new positions, which belong to the next step."""
    energy, forces = force(state.positions)
    return state._replace(energy=energy, forces=forces, step=state.step + 1)


def ornstein_uhlenbeck(
    state: State, duration_fs: Any, temperature_K: Any, relaxation_fs: Any
) -> State:
    """Let friction and noise act for a while, exactly: v ← c v + √(1 − c²) √(kB T₀/m) ξ.

    c = exp(−t/τ), ξ are normal random numbers.
    """
    keep = jnp.exp(-duration_fs / relaxation_fs)
    noise = _random(state, partial(jax.random.normal, shape=state.velocities.shape[-2:]))
    change = jnp.sqrt(1 - keep**2) * _thermal_speed(state, temperature_K) * noise
    return state._replace(velocities=keep * state.velocities + change)


def collide(state: State, duration_fs: Any, temperature_K: Any, relaxation_fs: Any) -> State:
    """Give atoms new thermal velocities, each with the probability 1 − exp(−t/τ)."""
    hit, thermal = collisions(state, duration_fs, temperature_K, relaxation_fs)
    return state._replace(velocities=jnp.where(hit, thermal, state.velocities))


def collisions(
    state: State, duration_fs: Any, temperature_K: Any, relaxation_fs: Any
) -> tuple[Any, Any]:
    """Return which atoms `collide` hits, (..., n_atoms, 1), and thermal velocities for all."""
    n_atoms = state.velocities.shape[-2]

    def draw(key: Any) -> tuple[Any, Any]:
        which, what = jax.random.split(key)
        return jax.random.uniform(which, (n_atoms, 1)), jax.random.normal(what, (n_atoms, 3))

    uniform, noise = _random(state, draw)
    hit = uniform < -jnp.expm1(-duration_fs / relaxation_fs)
    return hit, _thermal_speed(state, temperature_K) * noise


def rescale(state: State, factor: Any) -> State:
    """Multiply all velocities of a system by one factor of shape (...)."""
    return state._replace(velocities=factor[..., None, None] * state.velocities)


def _thermal_speed(state: State, temperature_K: Any) -> Any:
    """Return √(kB T/m), the standard deviation of each component of a velocity, (n_atoms, 1)."""
    return jnp.sqrt(units.kB * temperature_K * ACCELERATION / state.masses)[..., None]


def _random(state: State, draw: Callable[[Any], Any]) -> Any:
    """Return what `draw` makes of the key of this step, for each system."""

    def draw_for_step(key: Any) -> Any:
        return draw(jax.random.fold_in(key, state.step))

    for _ in range(jnp.ndim(state.key)):
        draw_for_step = jax.vmap(draw_for_step)
    return draw_for_step(state.key)


# ---------------------------------------------------------------------------------------------
# Integrators


def velocity_verlet(state: State, force: Force, integrator: Integrator) -> State:
    """Complete a step at constant energy (NVE)."""
    dt = integrator.timestep_fs
    state = kick(state, dt / 2)
    state = drift(state, dt)
    state = update_forces(state, force)
    return kick(state, dt / 2)


def langevin(state: State, force: Force, integrator: Integrator) -> State:
    """Complete a step of Langevin dynamics: B A O A B.

    Of all splittings this one samples positions best: exactly for harmonic forces.
    """
    dt, T, tau = integrator.timestep_fs, integrator.temperature_K, integrator.relaxation_fs
    state = kick(state, dt / 2)  # B
    state = drift(state, dt / 2)  # A
    state = ornstein_uhlenbeck(state, dt, T, tau)  # O
    state = drift(state, dt / 2)  # A
    state = update_forces(state, force)
    return kick(state, dt / 2)  # B


def andersen(state: State, force: Force, integrator: Integrator) -> State:
    """Complete a step of velocity Verlet, then let atoms collide with those of a bath."""
    state = velocity_verlet(state, force, integrator)
    return collide(
        state, integrator.timestep_fs, integrator.temperature_K, integrator.relaxation_fs
    )


def bussi(state: State, force: Force, integrator: Integrator) -> State:
    """Complete a step of velocity Verlet, then draw a new kinetic energy and rescale."""
    state = velocity_verlet(state, force, integrator)
    return rescale(state, bussi_factor(state, integrator))


def bussi_factor(state: State, integrator: Integrator) -> Any:
    """Return the factor α of stochastic velocity rescaling.

    With c = exp(−Δt/τ), K₀ = ½ kB T₀ (per degree of freedom), normal numbers R₁ … Rₙ (equation A7):
    α² = c + (1 − c) K₀/K ΣRᵢ² + 2 R₁ √(c (1 − c) K₀/K), and α has the sign of R₁ + √(c K/((1 − c)
    K₀)).
    """
    n_dof = integrator.n_dof
    keep = jnp.exp(-integrator.timestep_fs / integrator.relaxation_fs)
    noise = _random(state, partial(jax.random.normal, shape=(n_dof,)))
    first, squares = noise[..., 0], (noise**2).sum(-1)
    kinetic = kinetic_energy(state.velocities, state.masses)
    safe = jnp.where(kinetic > 0, kinetic, 1.0)
    ratio = 0.5 * units.kB * integrator.temperature_K * (1 - keep) / safe
    # α² is the square of (√c + R₁ √ratio) plus squares: never negative but for rounding
    along = jnp.sqrt(keep) + first * jnp.sqrt(ratio)
    alpha = jnp.sqrt(along**2 + ratio * (squares - first**2))
    return jnp.where(kinetic > 0, jnp.where(along < 0, -alpha, alpha), 1.0)


def berendsen(state: State, force: Force, integrator: Integrator) -> State:
    """Complete a step of velocity Verlet, then rescale by λ² = 1 + Δt/τ (T₀/T − 1).

    The temperature relaxes to T₀, but it fluctuates less than it should: not canonical.
    """
    state = velocity_verlet(state, force, integrator)
    return rescale(state, berendsen_factor(state, integrator))


def berendsen_factor(state: State, integrator: Integrator) -> Any:
    """Return the factor λ, which is at most that of `rescaling`."""
    share = integrator.timestep_fs / integrator.relaxation_fs
    return _factor_towards_bath(state, integrator, jnp.minimum(share, 1.0))


def rescaling(state: State, force: Force, integrator: Integrator) -> State:
    """Complete a step of velocity Verlet, then rescale to T₀ exactly: not canonical."""
    state = velocity_verlet(state, force, integrator)
    return rescale(state, rescaling_factor(state, integrator))


def rescaling_factor(state: State, integrator: Integrator) -> Any:
    """Return the factor √(T₀/T); 1 for a step of length 0."""
    share = jnp.where(integrator.timestep_fs == 0, 0.0, 1.0)
    return _factor_towards_bath(state, integrator, share)


def _factor_towards_bath(state: State, integrator: Integrator, share: Any) -> Any:
    """Return √(1 + share (T₀/T − 1)), and 1 for atoms at rest."""
    kelvin = temperature(state.velocities, state.masses, integrator.n_dof)
    ratio = integrator.temperature_K / jnp.where(kelvin > 0, kelvin, 1.0)
    return jnp.sqrt(jnp.where(kelvin > 0, 1 + share * (ratio - 1), 1.0))


def nose_hoover(state: State, force: Force, integrator: Integrator) -> State:
    """Complete a step of velocity Verlet between two half steps of a Nosé–Hoover chain."""
    state = propagate_chain(state, integrator, integrator.timestep_fs / 2)
    state = velocity_verlet(state, force, integrator)
    return propagate_chain(state, integrator, integrator.timestep_fs / 2)


def propagate_chain(state: State, integrator: Integrator, duration_fs: Any) -> State:
    """Let a Nosé–Hoover chain act on the velocities for a while; positions stand still.

    The first element is driven by the kinetic energy: Q₁ η̈₁ = 2 K − n kB T₀, each other one by the
    one before: Qⱼ η̈ⱼ = Qⱼ₋₁ η̇ⱼ₋₁² − kB T₀; and each is slowed down by the next, −η̇ⱼ η̇ⱼ₊₁, as the
    atoms are by the first, −η̇₁ v.
    """
    factor, chain = chain_factor(state, integrator, duration_fs)
    return rescale(state, factor)._replace(thermostat=chain)


def chain_factor(state: State, integrator: Integrator, duration_fs: Any) -> tuple[Any, Chain]:
    """Return the factor by which a chain slows the atoms down for a while, and the chain then."""
    kT = units.kB * integrator.temperature_K
    inertia = _chain_inertia(integrator)
    twice_kinetic = 2 * kinetic_energy(state.velocities, state.masses)
    eta = [state.thermostat.positions[..., j] for j in range(CHAIN_LENGTH)]
    rate = [state.thermostat.velocities[..., j] for j in range(CHAIN_LENGTH)]
    factor = jnp.ones_like(twice_kinetic)

    def push(j: int, time: Any) -> None:
        drag = jnp.exp(-time / 2 * rate[j + 1]) if j + 1 < CHAIN_LENGTH else 1.0
        if j == 0:
            drive = (twice_kinetic - integrator.n_dof * kT) / inertia[0]
        else:
            drive = (inertia[j - 1] * rate[j - 1] ** 2 - kT) / inertia[j]
        rate[j] = (rate[j] * drag + time * drive) * drag

    edge, middle = SUZUKI_YOSHIDA
    for weight in (edge, middle, edge):
        time = weight * duration_fs
        for j in reversed(range(CHAIN_LENGTH)):
            push(j, time / 2)
        slowing = jnp.exp(-time * rate[0])
        factor, twice_kinetic = factor * slowing, twice_kinetic * slowing**2
        eta = [x + time * v for x, v in zip(eta, rate, strict=True)]
        for j in range(CHAIN_LENGTH):
            push(j, time / 2)
    return factor, Chain(jnp.stack(eta, -1), jnp.stack(rate, -1))


def chain_energy(state: State, integrator: Integrator) -> Any:
    """Return Σ ½ Qⱼ η̇ⱼ² + kB T₀ (n η₁ + η₂ + …) in eV, shape (...)."""
    kT = units.kB * integrator.temperature_K
    n_dof = jnp.array([integrator.n_dof, *[1] * (CHAIN_LENGTH - 1)])
    inertia = jnp.stack(_chain_inertia(integrator))
    chain = state.thermostat
    return (0.5 * inertia * chain.velocities**2 + kT * n_dof * chain.positions).sum(-1)


def _chain_inertia(integrator: Integrator) -> list[Any]:
    """Return Q₁ = n kB T₀ τ² and Qⱼ = kB T₀ τ², eV fs²."""
    one = units.kB * integrator.temperature_K * integrator.relaxation_fs**2
    return [integrator.n_dof * one, *[one] * (CHAIN_LENGTH - 1)]


def _chain_at_rest(shape: tuple[int, ...]) -> Chain:
    zeros = jnp.zeros((*shape, CHAIN_LENGTH))
    return Chain(zeros, zeros)


METHODS: dict[str, Method] = {
    "none": Method(velocity_verlet, canonical=False, thermostat_energy=lambda *_: 0.0),
    "langevin": Method(langevin, moves_center_of_mass=True),
    "bussi": Method(bussi),
    "nose_hoover": Method(
        nose_hoover, new_thermostat=_chain_at_rest, thermostat_energy=chain_energy
    ),
    "andersen": Method(andersen, moves_center_of_mass=True),
    "berendsen": Method(berendsen, canonical=False),
    "rescaling": Method(rescaling, canonical=False),
}
