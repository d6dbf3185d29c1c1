"""Gradient descent through simulations."""

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
from helpers.differentiable.feasibility import free_memory_MB, of_compiled_MB, too_large
from helpers.differentiable.interactions import parameter_names
from helpers.errors import DataError
from helpers.terminal import progress_bar


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
        Units of the parameters and of the table's columns.
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
        Of the parameters and of the reported numbers.

    Raises
    ------
    ConfigError
        If loss and gradient need more memory than is free: told before the first epoch.
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
    needed_MB, free_MB = of_compiled_MB(compiled), free_memory_MB()
    if needed_MB > free_MB:
        raise too_large(needed_MB, free_MB, max(1, round(steps**0.5)))
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


def over_seeds(
    loss: Callable[[Any, Any], tuple[Any, Mapping[str, Any]]],
) -> Callable[[Any, Any], tuple[Any, Mapping[str, Any]]]:
    """Return the mean of a loss over a batch of draws, which are simulated side by side.

    Parameters
    ----------
    loss : function (parameters, draw) → (loss, report)
        As for `descend`.

    Returns
    -------
    function (parameters, draws) → (loss, report)
        Of draws that are stacked (see `stack`): means over the batch.
    """

    def mean(parameters: Any, draws: Any) -> tuple[Any, Mapping[str, Any]]:
        values, reports = jax.vmap(loss, (None, 0))(parameters, draws)
        return values.mean(), jax.tree.map(lambda rows: rows.mean(0), reports)

    return mean


def stack(draws: Sequence[Any]) -> Any:
    """Return draws as one pytree, whose arrays have an axis for the draws in front."""
    return jax.tree.map(lambda *rows: jnp.stack(rows), *draws)


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
