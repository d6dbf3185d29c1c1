"""What a simulation with its gradient needs, told before it runs: a good start, enough memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.errors import ConfigError, DataError
from helpers.md.integrators import ACCELERATION, Integrator, State
from helpers.md.pairs import nearest_vectors
from helpers.md.simulation import ForceField

CLOSEST_A = 0.3  # two atoms closer than this lie on top of each other
STABLE = 2.0  # velocity Verlet needs frequency · time step below this
MB = 2**20


def check_start(
    force_field: ForceField,
    state: State,
    integrator: Integrator,
    *,
    parameters: Any = (),
    cell: Any = None,
    neighbors: Any = None,
    closest_A: float = CLOSEST_A,
) -> float:
    """Look at a start before a long run, and return the highest frequency · time step there.

    Velocity Verlet is stable up to 2; energies are good up to about 0.3. The frequency is that of
    the stiffest vibration around the start: the largest eigenvalue of the mass-weighted Hessian, by
    power iteration.

    Raises
    ------
    DataError
        If positions, velocities, energy or forces are not finite, two atoms overlap, or the time
        step is too long: which atoms, and what would do.
    """
    positions = jnp.asarray(state.positions)
    for name, values in (("positions", positions), ("velocities", jnp.asarray(state.velocities))):
        bad = np.flatnonzero(~np.isfinite(np.asarray(values)).all(1))
        if len(bad):
            raise DataError(f"The {name} of atom {bad[0]} are not finite numbers")
    overlap = _closest_pair(positions, cell)
    if overlap is not None and overlap[0] < closest_A:
        raise DataError(
            f"Atoms {overlap[1]} and {overlap[2]} overlap",
            expected=f"a distance of at least {closest_A:g} Å",
            found=f"{overlap[0]:.3g} Å",
            fix="start from atoms that are further apart, or minimize the energy first",
        )
    energy, forces = force_field(parameters, positions, cell, neighbors)
    if not (np.isfinite(float(energy)) and np.isfinite(np.asarray(forces)).all()):
        raise DataError(
            "Energy or forces at the start are not finite numbers",
            fix="look for atoms on top of each other, and for parameters that are zero or NaN",
        )
    product = float(integrator.timestep_fs) * float(
        _highest_frequency(force_field, parameters, positions, cell, neighbors, state.masses)
    )
    if product >= STABLE:
        dt = float(integrator.timestep_fs)
        raise DataError(
            f"timestep_fs={dt:g} is too long for the fastest vibration at the start",
            expected=f"at most {dt * STABLE / product:.3g} fs; {dt * 0.3 / product:.2g} fs is good",
            found=f"{product:.2f} times its inverse frequency; unstable from {STABLE:g} on",
        )
    return product


def check_memory(
    gradient: Callable[[int | None], Callable[..., Any]],
    arguments: Sequence[Any],
    *,
    steps: int,
    available_MB: float | None = None,
) -> float:
    """Look whether a gradient in reverse mode fits into memory, and return how much it needs, MB.

    Parameters
    ----------
    gradient : function of checkpoint_every (an int, or None) → function of the arguments
        Such as ``lambda every: jax.grad(lambda p: loss(p, checkpoint_every=every))``. It is
        compiled without checkpoints, and if that is too much, with an interval of √steps, which
        needs least. Nothing is run.
    arguments : sequence
        Of that function.
    steps : int
        Of the simulation.
    available_MB : float, optional
        By default what is free on the device.

    Raises
    ------
    ConfigError
        If it does not fit: with the interval that does, or with what else to do.
    """
    checks.whole("steps", steps, 1)
    free_MB = free_memory_MB() if available_MB is None else available_MB
    needed_MB = memory_needed_MB(gradient(None), *arguments)
    if needed_MB <= free_MB:
        return needed_MB
    every = max(1, round(steps**0.5))
    least_MB = memory_needed_MB(gradient(every), *arguments)
    raise too_large(needed_MB, free_MB, every, least_MB)


def too_large(
    needed_MB: float, free_MB: float, every: int, least_MB: float | None = None
) -> ConfigError:
    """Return the error of a gradient that does not fit into memory.

    Parameters
    ----------
    needed_MB, free_MB : float
    every : int
        The best checkpoint interval.
    least_MB : float, optional
        What it needs, if known.
    """
    fix = f"checkpoint_every={every}"
    if least_MB is not None:
        fix += f", which needs {least_MB:.3g} MB"
    if least_MB is not None and least_MB > free_MB:
        fix = (
            f"simulate_reversibly, or fewer systems; even checkpoint_every={every} needs "
            f"{least_MB:.3g} MB"
        )
    return ConfigError(
        f"The gradient needs {needed_MB:.3g} MB of memory",
        expected=f"at most the {free_MB:.3g} MB that are free",
        fix=fix,
    )


def memory_needed_MB(function: Callable[..., Any], *arguments: Any) -> float:
    """Return how much memory a compiled function needs, without running it, MB.

    Such as the gradient of a loss: results and intermediate values, without the arguments.
    """
    return of_compiled_MB(jax.jit(function).lower(*arguments).compile())


def of_compiled_MB(compiled: Any) -> float:
    """Return the memory of results and intermediate values of a compiled function, MB."""
    analysis = compiled.memory_analysis()
    return (analysis.temp_size_in_bytes + analysis.output_size_in_bytes) / MB


def free_memory_MB() -> float:
    """Return the free memory of the device on which JAX computes, MB."""
    import psutil

    limits = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" in limits:
        return (limits["bytes_limit"] - limits.get("bytes_in_use", 0)) / MB
    return psutil.virtual_memory().available / MB


def _closest_pair(positions: Any, cell: Any) -> tuple[float, int, int] | None:
    if len(positions) < 2:
        return None
    squares = np.array((nearest_vectors(positions, cell)[0] ** 2).sum(0))
    np.fill_diagonal(squares, np.inf)
    first, second = np.unravel_index(squares.argmin(), squares.shape)
    return float(np.sqrt(squares[first, second])), int(first), int(second)


def _highest_frequency(
    force_field: ForceField, parameters: Any, positions: Any, cell: Any, neighbors: Any, masses: Any
) -> Any:
    """Return √λ of the largest eigenvalue of M^−½ H M^−½, 1/fs, after 50 power iterations."""
    roots = jnp.sqrt(jnp.asarray(masses))[:, None]

    def times(vector: Any) -> Any:
        forces = lambda x: force_field(parameters, x, cell, neighbors)[1]  # noqa: E731
        return -jax.jvp(forces, (positions,), (vector / roots,))[1] / roots * ACCELERATION

    def iterate(_: int, carry: Any) -> Any:
        vector, _ = carry
        new = times(vector)
        size = jnp.sqrt((new**2).sum())
        return jnp.where(size > 0, new / jnp.where(size > 0, size, 1.0), vector), size

    start = jax.random.normal(jax.random.key(0), positions.shape, positions.dtype)
    start = start / jnp.sqrt((start**2).sum())
    _, size = jax.jit(lambda: jax.lax.fori_loop(0, 50, iterate, (start, jnp.zeros(()))))()
    return jnp.sqrt(size)
