"""Gradient descent through simulations, and what to check before."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from helpers import checks
from helpers.differentiable.interactions import parameter_names
from helpers.errors import ConfigError, DataError
from helpers.md.integrators import Integrator, State
from helpers.md.simulation import ForceField
from helpers.terminal import progress_bar

CLOSEST_A = 0.3  # two atoms closer than this lie on top of each other
STABLE = 2.0  # velocity Verlet needs frequency · time step below this


@dataclass(frozen=True)
class Descent:
    """What `descend` returns.

    Attributes
    ----------
    parameters : pytree of arrays
        After the last epoch.
    table : DataFrame
        One row per epoch: ``epoch``, ``loss``, ``gradient_norm``, what the loss reports, and for
        each parameter that is a number its derivative, such as ``gradient.sigma_nm``; all before
        the step of that epoch.
    units : mapping of str to str
        Units of the table's columns.
    steps_per_second : float
        Time steps simulated with their gradient, per second of wall time, without compilation.
    """

    parameters: Any
    table: pd.DataFrame
    units: Mapping[str, str]
    steps_per_second: float


def descend(
    loss: Callable[[Any, Any], tuple[Any, Mapping[str, Any]]],
    parameters: Any,
    optimizer: Any,
    draws: Sequence[Any],
    *,
    steps: int,
    units: Mapping[str, str] | None = None,
    progress: bool = False,
) -> Descent:
    """Take one step of an optimizer for each draw.

    Parameters
    ----------
    loss : function (parameters, draw) → (loss, report)
        The report is a dict of numbers for the table.
    parameters : pytree of arrays
        Where to start.
    optimizer : optax.GradientTransformation
        Such as ``optax.sgd(0.01)`` or ``optax.adam(1e-3)``.
    draws : sequence of pytrees of arrays
        What differs from epoch to epoch: starts, random keys. One epoch each.
    steps : int
        Time steps in one epoch, for `Descent.steps_per_second`.
    units : mapping of str to str, optional
        Of the reported numbers.

    Raises
    ------
    DataError
        If loss or gradient is not finite: the epoch and the parameters are told.

    Warns
    -----
    UserWarning
        Names each parameter on which the loss of the first epoch does not depend.
    """
    import optax

    checks.whole("number of draws", len(draws), 1)
    parameters = jax.tree.map(jnp.asarray, parameters)
    state = optimizer.init(parameters)

    def step(parameters: Any, state: Any, draw: Any) -> Any:
        (value, report), gradient = jax.value_and_grad(loss, has_aux=True)(parameters, draw)
        updates, state = optimizer.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, value, gradient, report

    compiled = jax.jit(step).lower(parameters, state, draws[0]).compile()
    rows = []
    started = time.perf_counter()
    with progress_bar(len(draws), "descent", "epoch", show=progress) as bar:
        for epoch, draw in enumerate(draws, 1):
            new, state, value, gradient, report = compiled(parameters, state, draw)
            norm = float(sum(jnp.vdot(one, one) for one in jax.tree.leaves(gradient)) ** 0.5)
            if not np.isfinite(float(value)) or not np.isfinite(norm):
                raise DataError(
                    f"Epoch {epoch}: loss {float(value):.3g}, norm of its gradient {norm:.3g}",
                    expected="finite numbers",
                    fix="a shorter time step, fewer steps, a start without overlaps, or a "
                    "reversible run with more records",
                )
            if epoch == 1:
                warn_of_unused(gradient)
            row = {"epoch": epoch, "loss": float(value), "gradient_norm": norm}
            row |= {name: float(number) for name, number in report.items()}
            named = zip(parameter_names(gradient), jax.tree.leaves(gradient), strict=True)
            row |= {f"gradient.{name}": float(one) for name, one in named if one.ndim == 0}
            rows.append(row)
            parameters = new
            bar.update()
    seconds = time.perf_counter() - started
    return Descent(parameters, pd.DataFrame(rows), dict(units or {}), steps * len(rows) / seconds)


def warn_of_unused(gradient: Any) -> None:
    """Warn of parameters whose derivative is zero, by their names."""
    zero = [
        name
        for name, value in zip(parameter_names(gradient), jax.tree.leaves(gradient), strict=True)
        if not np.any(np.asarray(value))
    ]
    if zero:
        warnings.warn(
            f"The loss does not depend on {', '.join(name or 'its parameter' for name in zero)}: "
            "the derivative is zero",
            stacklevel=3,
        )


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


def memory_needed_MB(function: Callable[..., Any], *arguments: Any) -> float:
    """Return how much memory a compiled function needs, without running it, MB.

    Such as the gradient of a loss: results and intermediate values, without the arguments.
    """
    analysis = jax.jit(function).lower(*arguments).compile().memory_analysis()
    return (analysis.temp_size_in_bytes + analysis.output_size_in_bytes) / 2**20


def checkpoint_interval(
    bytes_per_step: float, steps: int, available_bytes: float, state_bytes: float
) -> int | None:
    """Return a `checkpoint_every` with which a reverse-mode run fits into memory.

    Parameters
    ----------
    bytes_per_step : float
        What one step keeps without checkpoints.
    steps : int
    available_bytes : float
    state_bytes : float
        What a checkpoint keeps.

    Returns
    -------
    int or None
        None if all steps fit without checkpoints.

    Raises
    ------
    ConfigError
        If no interval will do: what would be needed at least, and what to do.
    """
    if steps * bytes_per_step <= available_bytes:
        return None
    best = max(1, round((steps * state_bytes / bytes_per_step) ** 0.5))
    needed = best * bytes_per_step + steps / best * state_bytes
    if needed > available_bytes:
        raise ConfigError(
            f"{steps} steps need {needed / 2**20:.0f} MB even with the best checkpoint interval",
            expected=f"at most {available_bytes / 2**20:.0f} MB",
            fix="use simulate_reversibly, whose memory does not grow with the number of steps",
        )
    return best


def _closest_pair(positions: Any, cell: Any) -> tuple[float, int, int] | None:
    from helpers.md.pairs import nearest_vectors

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
    from helpers.md.integrators import ACCELERATION

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
