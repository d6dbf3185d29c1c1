"""Radial basis of SOAP: orthonormalized Gaussians on an equispaced grid, and the cutoff function.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013), with the basis that gap_fit calls
EQUISPACED_GAUSS. Arrays have the atoms last, so that the processor works on several at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers.gap.jax.terms import SoapSettings

SMALL = 2.0  # arguments of Bessel functions below which the power series is used
SERIES_TERMS = 11  # of that series


@dataclass(frozen=True)
class RadialBasis:
    """Radial grid and the matrix that makes its Gaussians orthonormal.

    Attributes
    ----------
    grid : ndarray of shape (n_max,), Å
        Centers of the Gaussians, equally spaced from 0.
    transform : ndarray of shape (n_max, n_max)
        From grid values to orthonormal coefficients.
    center : ndarray of shape (n_max,)
        Coefficients of a Gaussian at the origin: the central atom itself.
    """

    grid: np.ndarray
    transform: np.ndarray
    center: np.ndarray


@lru_cache(maxsize=32)
def radial_basis(settings: SoapSettings) -> RadialBasis:
    """Build the radial basis: overlaps of the Gaussians, their Cholesky factor, the transform."""
    from scipy.special import erf

    exponent = _exponent(settings)
    reach = settings.sigma_A * math.sqrt(2 * settings.basis_error_exponent * math.log(10.0))
    grid = np.arange(settings.n_max) * (settings.cutoff_A + reach) / settings.n_max
    square = grid[:, None] ** 2 + grid**2
    total = grid[:, None] + grid
    difference = (grid[:, None] - grid) ** 2
    far = np.exp(-exponent * square) * math.sqrt(2.0) * exponent**1.5 * total
    near = exponent * np.exp(-0.5 * exponent * difference) * math.sqrt(math.pi)
    near = near * (1 + exponent * total**2) * (1 + erf(math.sqrt(exponent / 2) * total))
    overlap = (far + near) / math.sqrt(128 * exponent**5)
    factor = np.linalg.cholesky(overlap)
    return RadialBasis(grid, np.linalg.solve(np.exp(-exponent * difference), factor), factor[0])


def cutoff_function(distance: jax.Array, cutoff_A: float, transition_A: float) -> jax.Array:
    """Return 1 inside, a half cosine wave over the last `transition_A`, 0 from the cutoff on."""
    if transition_A == 0:
        return jnp.where(distance < cutoff_A, 1.0, 0.0)
    angle, _ = _phase(distance, cutoff_A, transition_A)
    return 0.5 - 0.5 * _sine(angle)


def cutoff_derivative(distance: jax.Array, cutoff_A: float, transition_A: float) -> jax.Array:
    """Return the derivative of `cutoff_function`, 1/Å: −π/(2 w) cos(angle) in the shell."""
    if transition_A == 0:
        return jnp.zeros_like(distance)
    angle, inside = _phase(distance, cutoff_A, transition_A)
    cosine = _sine(0.5 * math.pi - jnp.abs(angle))
    return jnp.where(inside, (-0.5 * math.pi / transition_A) * cosine, 0.0)


def _phase(
    distance: jax.Array, cutoff_A: float, transition_A: float
) -> tuple[jax.Array, jax.Array]:
    """Return an angle from −π/2 to π/2 across the shell, and where the shell is."""
    phase = jnp.clip((distance - cutoff_A) * (1 / transition_A) + 1.0, 0.0, 1.0)
    return math.pi * (phase - 0.5), (phase > 0) & (phase < 1)


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
        Distances of the neighbors, more than 0.

    Returns
    -------
    list of l_max + 1 arrays of shape (n_max, ...)
    """
    return _where_near(settings, distance, partial(_values, settings))


@radial_functions.defjvp  # type: ignore[untyped-decorator]
def _radial_functions_jvp(
    settings: SoapSettings, primals: tuple, tangents: tuple
) -> tuple[list[jax.Array], list[jax.Array]]:
    (distance,), (tangent,) = primals, tangents
    values, derivatives = radial_functions_and_derivatives(settings, distance)
    return values, [derivative * tangent for derivative in derivatives]


def radial_functions_and_derivatives(
    settings: SoapSettings, distance: jax.Array
) -> tuple[list[jax.Array], list[jax.Array]]:
    """Return `radial_functions` and their derivatives by the distance, 1/Å.

    i_l' = (l i_{l−1} + (l + 1) i_{l+1}) / (2l + 1): no division by r.
    """
    return _where_near(settings, distance, partial(_values_and_derivatives, settings))


def _where_near(settings: SoapSettings, distance: jax.Array, evaluate: Any) -> Any:
    """Call ``evaluate(bessel functions, distance)``.

    Upward recursion loses digits where the argument of a Bessel function is small: the power
    series takes over there. It is left out unless some neighbor is so near, which in matter
    none is.
    """
    first = float(radial_basis(settings).grid[1:2].sum())  # after 0, a case of its own
    near = (distance * (2 * _exponent(settings) * first) < SMALL).any() & (first > 0)
    return jax.lax.cond(
        near,
        partial(evaluate, _bessel_with_series),
        partial(evaluate, _bessel_by_recursion),
        distance,
    )


def _values(settings: SoapSettings, bessel: Any, distance: jax.Array) -> list[jax.Array]:
    cut = cutoff_function(distance, settings.cutoff_A, settings.transition_A) / distance
    return [cut * values for values in bessel(settings, settings.l_max, distance)]


def _values_and_derivatives(
    settings: SoapSettings, bessel: Any, distance: jax.Array
) -> tuple[list[jax.Array], list[jax.Array]]:
    """Divide by r before the many products: the compiler keeps quotients, and only them."""
    exponent, l_max = _exponent(settings), settings.l_max
    shell = settings.cutoff_A, settings.transition_A
    cut = cutoff_function(distance, *shell) / distance
    slope = cutoff_derivative(distance, *shell) / distance
    scale = 2 * exponent * _on_grid(settings, distance)
    functions = bessel(settings, l_max + 1, distance)
    derivatives = []
    for l in range(l_max + 1):
        inner = functions[l + 1] * ((l + 1) / (2 * l + 1))
        if l:
            inner = inner + functions[l - 1] * (l / (2 * l + 1))
        outer = slope - (2 * exponent) * cut * distance
        derivatives.append(cut * (scale * inner) + outer * functions[l])
    return [cut * values for values in functions[:-1]], derivatives


def _exponent(settings: SoapSettings) -> float:
    return 1 / (2 * settings.sigma_A**2)


def _on_grid(settings: SoapSettings, distance: jax.Array) -> jax.Array:
    """Return the radial grid with as many trailing axes as `distance` has."""
    grid = radial_basis(settings).grid.reshape(-1, *(1,) * distance.ndim)
    return jnp.asarray(grid)


def _bessel_by_recursion(
    settings: SoapSettings, l_max: int, distance: jax.Array
) -> list[jax.Array]:
    """Return r exp(−a(r² + r_n²)) i_l(2 a r r_n): upward from cosh and sinh, without division."""
    exponent, grid = _exponent(settings), radial_basis(settings).grid
    points = _on_grid(settings, distance)
    origin = points == 0  # where i_0 = 1, and the others are 0
    scale = np.where(grid == 0, 0.0, 1 / (2 * exponent * np.where(grid == 0, 1.0, grid)))
    half = jnp.asarray(0.5 * scale.reshape(points.shape))
    minus = jnp.exp(-exponent * (distance - points) ** 2)
    plus = jnp.exp(-exponent * (distance + points) ** 2)
    inverse = 2 * half * (1 / distance)
    before, now = half * (minus + plus), half * (minus - plus)
    values = [jnp.where(origin, distance * minus, now)]
    for l in range(1, l_max + 1):
        before, now = now, before - (2.0 * l - 1.0) * (now * inverse)
        values.append(now)
    return values


def _bessel_with_series(settings: SoapSettings, l_max: int, distance: jax.Array) -> list[jax.Array]:
    """Take the power series where the argument is small, otherwise recur upward."""
    exponent, points = _exponent(settings), _on_grid(settings, distance)
    argument = (2 * exponent) * distance * points
    small = argument < SMALL
    power = distance * jnp.exp(-exponent * (distance**2 + points**2))
    values = []
    for l, recurred in enumerate(_bessel_by_recursion(settings, l_max, distance)):
        values.append(jnp.where(small, power * _series(l, argument, small), recurred))
        power = power * jnp.where(small, argument, 0.0) * (1 / (2 * l + 3))
    return values


def _series(l: int, argument: jax.Array, small: jax.Array) -> jax.Array:
    """Return i_l(x) (2l + 1)!! / x^l for small x."""
    square = jnp.where(small, argument, 0.0) ** 2 / 2
    series = jnp.ones_like(square)
    for k in range(SERIES_TERMS, 0, -1):
        series = 1.0 + series * square * (1 / (k * (2 * l + 2 * k + 1)))
    return series
