"""Positions and velocities in whole numbers, and multiplications that can be undone.

See `reversible` for why; sources there.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp

POSITION_A = 2.0**-40
VELOCITY_A_PER_FS = 2.0**-55
KICK = 2**11  # velocities change by multiples of this
DENOMINATOR = 2**20
BUFFER_BITS = 62 - 20


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


def without_stores(whole: Whole) -> Whole:
    """Return the system without what has been put aside."""
    return whole._replace(full=(), old=(), n_old=())


def to_whole(values: Any, unit: float) -> Any:
    """Return values in whole units."""
    return jnp.round(values / unit).astype(jnp.int64)


def numerator_of(factor: Any) -> Any:
    """Return a factor as the numerator of a fraction with `DENOMINATOR`, at least 1."""
    return jnp.maximum(to_whole(factor, 1 / DENOMINATOR), 1)


def multiply(v: Any, buffer: Any, numerator: Any) -> tuple[Any, Any]:
    """Return v · numerator/2²⁰ and the buffer with the remainder: nothing is lost."""
    size = jnp.abs(numerator)
    buffer = buffer * DENOMINATOR + v % DENOMINATOR
    v = v // DENOMINATOR
    v, buffer = v * size + buffer % size, buffer // size
    return jnp.where(numerator < 0, -v, v), buffer


def divide(v: Any, buffer: Any, numerator: Any) -> tuple[Any, Any]:
    """Undo `multiply`."""
    size = jnp.abs(numerator)
    v = jnp.where(numerator < 0, -v, v)
    buffer = buffer * size + v % size
    v = v // size
    return v * DENOMINATOR + buffer % DENOMINATOR, buffer // DENOMINATOR


def steps_per_buffer(numerator: int) -> int:
    """Return after how many steps with friction a buffer may be full.

    It is at most Σ (2²⁰/n)ᵏ ≤ (2²⁰/n)^steps/(1 − n/2²⁰).
    """
    keep = numerator / DENOMINATOR
    if keep == 1:
        return 2 ** (BUFFER_BITS - 1)
    bits = BUFFER_BITS - math.log2(1 / (1 - keep))
    return max(1, math.floor(bits / -math.log2(keep)))


def most_collisions(n_atoms: int, steps: int, dt: float, tau: float) -> int:
    """Return more than the number of collisions, but for a chance of 1e-9."""
    mean = n_atoms * steps * -math.expm1(-dt / tau)
    return math.ceil(mean + 6.5 * math.sqrt(mean) + 20)
