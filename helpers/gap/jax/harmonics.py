"""Real spherical harmonics, orthonormal, as polynomials of a unit vector: smooth everywhere."""

from __future__ import annotations

from math import factorial, pi, sqrt

import jax
import jax.numpy as jnp


def real_spherical_harmonics(
    l_max: int, x: jax.Array, y: jax.Array, z: jax.Array
) -> list[jax.Array]:
    """Return Y_lm of unit vectors for l = 0 … l_max.

    With polynomials in x, y and z in place of angles there is nothing special about the z axis,
    so derivatives exist everywhere. cos mφ and sin mφ (times sin^m θ) are the real and imaginary
    part of (x + iy)^m; the rest is the recursion of the associated Legendre polynomials.

    Parameters
    ----------
    l_max : int
        Highest angular momentum.
    x, y, z : arrays of shape (...)
        Components of the unit vectors.

    Returns
    -------
    list of l_max + 1 arrays of shape (2l + 1, ...)
        m = −l … l along the first axis.
    """
    cosine, sine = [jnp.ones_like(x)], [jnp.zeros_like(x)]
    for m in range(1, l_max + 1):
        cosine.append(x * cosine[m - 1] - y * sine[m - 1])
        sine.append(x * sine[m - 1] + y * cosine[m - 1])
    legendre = _legendre(l_max, z)
    harmonics = []
    for l in range(l_max + 1):
        rows = []
        for m in range(-l, l + 1):
            norm = sqrt((2 * l + 1) / (4 * pi) * factorial(l - abs(m)) / factorial(l + abs(m)))
            if m == 0:
                rows.append(norm * legendre[l, 0])
            else:
                part = cosine[m] if m > 0 else sine[-m]
                rows.append(sqrt(2.0) * norm * legendre[l, abs(m)] * part)
        harmonics.append(jnp.stack(rows))
    return harmonics


def _legendre(l_max: int, z: jax.Array) -> dict[tuple[int, int], jax.Array]:
    """Return P_lm(z) / sin^m θ, without the Condon–Shortley sign."""
    values = {(0, 0): jnp.ones_like(z)}
    for m in range(l_max + 1):
        if m:
            values[m, m] = (2 * m - 1) * values[m - 1, m - 1]
        if m < l_max:
            values[m + 1, m] = (2 * m + 1) * z * values[m, m]
        for l in range(m + 2, l_max + 1):
            two_back = (l + m - 1) * values[l - 2, m]
            values[l, m] = ((2 * l - 1) * z * values[l - 1, m] - two_back) / (l - m)
    return values
