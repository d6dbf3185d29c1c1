"""The radial half of SOAP: Gaussians on an equispaced grid, made orthonormal, and the cutoff.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013), with the basis that gap_fit calls
EQUISPACED_GAUSS. Arrays have the atoms last, so that the processor works on several at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from helpers.gap.jax.settings import SoapSettings

SERIES_TERMS = 11  # of the Bessel functions' power series, used below an argument of 2


@dataclass(frozen=True)
class RadialBasis:
    """Radial grid and the matrix that makes its Gaussians orthonormal.

    Attributes
    ----------
    grid : ndarray of shape (n_max,), Å
        Centres of the Gaussians, equally spaced from 0.
    transform : ndarray of shape (n_max, n_max)
        From grid values to orthonormal coefficients.
    centre : ndarray of shape (n_max,)
        Coefficients of a Gaussian at the origin: the central atom itself.
    """

    grid: np.ndarray
    transform: np.ndarray
    centre: np.ndarray


@lru_cache(maxsize=32)
def radial_basis(settings: SoapSettings) -> RadialBasis:
    """Build the radial basis: overlaps of the Gaussians, their Cholesky factor, the transform."""
    from scipy.special import erf

    exponent = _exponent(settings)
    reach = settings.sigma_A * math.sqrt(2 * settings.basis_error_exponent * math.log(10.0))
    grid = np.arange(settings.n_max) * (settings.cutoff_A + reach) / settings.n_max
    square = grid[:, None] ** 2 + grid**2
    total = grid[:, None] + grid
    apart = (grid[:, None] - grid) ** 2
    far = np.exp(-exponent * square) * math.sqrt(2.0) * exponent**1.5 * total
    near = exponent * np.exp(-0.5 * exponent * apart) * math.sqrt(math.pi)
    near = near * (1 + exponent * total**2) * (1 + erf(math.sqrt(exponent / 2) * total))
    overlap = (far + near) / math.sqrt(128 * exponent**5)
    factor = np.linalg.cholesky(overlap)
    return RadialBasis(grid, np.linalg.solve(np.exp(-exponent * apart), factor), factor[0])


def cutoff_function(distance: jax.Array, cutoff_A: float, transition_A: float) -> jax.Array:
    """Return 1 inside, a half cosine wave over the last `transition_A`, 0 from the cutoff on."""
    if transition_A == 0:
        return jnp.where(distance < cutoff_A, 1.0, 0.0).astype(distance.dtype)
    phase = jnp.clip((distance - cutoff_A) * (1 / transition_A) + 1.0, 0.0, 1.0)
    return 0.5 - 0.5 * _sine(math.pi * (phase - 0.5))


def _sine(angle: jax.Array) -> jax.Array:
    """Return sin of angles between −π/2 and π/2 by its power series, exact to rounding.

    On a CPU a polynomial is over ten times faster than the sine of the standard library.
    """
    square = angle * angle
    series = jnp.ones_like(angle)
    for k in range(22, 0, -2):
        series = 1.0 - series * square * (1 / (k * (k + 1)))
    return angle * series


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def radial_functions(settings: SoapSettings, distance: jax.Array) -> list[jax.Array]:
    """Return f_c(r) exp(−a(r² + r_n²)) i_l(2 a r r_n) on the radial grid, one array per l.

    Parameters
    ----------
    settings : SoapSettings
        a = 1/(2σ²); r_n are the points of the grid, i_l the modified spherical Bessel functions.
    distance : array of shape (...), Å
        Distances of the neighbours; 0 is allowed.

    Returns
    -------
    list of l_max + 1 arrays of shape (n_max, ...)
    """
    return _weighted(settings, distance, _bessel(settings, distance, settings.l_max))


@radial_functions.defjvp  # type: ignore[untyped-decorator]
def _radial_functions_jvp(
    settings: SoapSettings, primals: tuple, tangents: tuple
) -> tuple[list[jax.Array], list[jax.Array]]:
    """Differentiate with i_l' = (l i_{l−1} + (l + 1) i_{l+1}) / (2l + 1): no division by r."""
    (distance,), (change,) = primals, tangents
    exponent = _exponent(settings)
    values = _bessel(settings, distance, settings.l_max + 1)
    scale = 2 * exponent * _on_grid(settings, distance)
    slopes = []
    for l in range(settings.l_max + 1):
        inner = values[l + 1] * ((l + 1) / (2 * l + 1))
        if l:
            inner = inner + values[l - 1] * (l / (2 * l + 1))
        slopes.append(scale * inner - (2 * exponent) * distance * values[l])
    cut_slope = jax.grad(
        lambda r: cutoff_function(r, settings.cutoff_A, settings.transition_A).sum()
    )(distance)
    first = _weighted(settings, distance, slopes)
    second = [value * cut_slope for value in values[: settings.l_max + 1]]
    return (
        _weighted(settings, distance, values[: settings.l_max + 1]),
        [(a + b) * change for a, b in zip(first, second, strict=True)],
    )


def _weighted(
    settings: SoapSettings, distance: jax.Array, values: list[jax.Array]
) -> list[jax.Array]:
    cut = cutoff_function(distance, settings.cutoff_A, settings.transition_A)
    return [value * cut for value in values]


def _exponent(settings: SoapSettings) -> float:
    return 1 / (2 * settings.sigma_A**2)


def _on_grid(settings: SoapSettings, distance: jax.Array) -> jax.Array:
    """Return the radial grid with as many trailing axes as `distance` has."""
    grid = radial_basis(settings).grid.reshape(-1, *(1,) * distance.ndim)
    return jnp.asarray(grid, distance.dtype)


def _bessel(settings: SoapSettings, distance: jax.Array, l_max: int) -> list[jax.Array]:
    """Return exp(−a(r² + r_n²)) i_l(2 a r r_n) for l = 0 … l_max.

    Upward recursion loses digits where the argument is small: the power series takes over there.
    """
    exponent = _exponent(settings)
    grid = _on_grid(settings, distance)
    argument = 2 * exponent * distance * grid
    minus = jnp.exp(-exponent * (distance - grid) ** 2)
    plus = jnp.exp(-exponent * (distance + grid) ** 2)
    small = argument < 2.0
    inverse = 1.0 / jnp.where(small, 2.0, argument)
    before, now = 0.5 * (minus + plus) * inverse, 0.5 * (minus - plus) * inverse
    upward = [now]
    for l in range(1, l_max + 1):
        before, now = now, before - (2.0 * l - 1.0) * now * inverse
        upward.append(now)
    argument = jnp.where(small, argument, 0.0)
    square = argument**2 / 2
    power = jnp.exp(-exponent * (distance**2 + grid**2))
    values = []
    for l in range(l_max + 1):
        series = jnp.ones_like(square)
        for k in range(SERIES_TERMS, 0, -1):
            series = 1.0 + series * square * (1 / (k * (2 * l + 2 * k + 1)))
        values.append(jnp.where(small, power * series, upward[l]))
        power = power * argument * (1 / (2 * l + 3))
    return values
