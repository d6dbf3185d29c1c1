"""Sums of kernels over sparse points: SOAP energies of atoms and energies of pairs.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013). Every array has the atoms, or the pairs, on
its last axis. The sums carry their own derivatives: JAX's would store or repeat more.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from helpers.gap.jax.layout import PairParameters, PairTable
from helpers.gap.jax.radial import cutoff_derivative, cutoff_function
from helpers.gap.jax.terms import PairSettings


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def kernel_sum(
    zeta: float,
    spectrum: jax.Array,
    points: jax.Array,
    points_transposed: jax.Array,
    weights: jax.Array,
) -> jax.Array:
    """Return Σ_s w_s (p · p_s)^ζ for each atom.

    Parameters
    ----------
    zeta : float
        Power of the kernel.
    spectrum : array of shape (n_components, n_centers)
        Normalized power spectra p.
    points : array of shape (n_sparse, n_components)
        Those of the sparse points, p_s.
    points_transposed : array of shape (n_components, n_sparse)
        The same once more: both products then read memory in order.
    weights : array of shape (n_sparse,), eV
        w_s.

    Returns
    -------
    array of shape (n_centers,), eV
    """
    return weights @ kernel_power(points @ spectrum, zeta)


@jax.custom_vjp  # type: ignore[untyped-decorator]
def quadratic_sum(spectrum: jax.Array, matrix: jax.Array) -> jax.Array:
    """Return pᵀ A p for each atom: Σ_s w_s (p · p_s)² for A = Σ_s w_s p_s p_sᵀ.

    Parameters
    ----------
    spectrum : array of shape (n_components, n_centers)
        Normalized power spectra p.
    matrix : array of shape (n_components, n_components), eV
        A, symmetric.

    Returns
    -------
    array of shape (n_centers,), eV
    """
    return (spectrum * (matrix @ spectrum)).sum(0)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def pair_sum(
    settings: PairSettings,
    vectors: jax.Array,
    present: jax.Array,
    parameters: PairParameters | PairTable,
) -> jax.Array:
    """Return f_c(r) Σ_s w_s exp(−½((r − x_s)/θ)²) for each pair.

    Parameters
    ----------
    settings : PairSettings
        Hyperparameters.
    vectors : array of shape (3, n_pairs), Å
        From one atom to the other.
    present : bool array of shape (n_pairs,)
        False where a place is not used; its result is 0.
    parameters : PairParameters or PairTable
        Sparse points and weights, or the table that stands for their sum.

    Returns
    -------
    array of shape (n_pairs,), eV
    """
    distance = _pair_distance(settings, vectors, present)
    cut = cutoff_function(distance, settings.cutoff_A, settings.transition_A)
    return cut * _radial_sum(settings, distance, parameters)


def kernel_power(overlap: jax.Array, zeta: float) -> jax.Array:
    """Return overlap^ζ; only whole powers may have negative overlaps (by rounding)."""
    if zeta == int(zeta):
        return jax.lax.integer_pow(overlap, int(zeta))
    return jnp.where(overlap > 0, jnp.where(overlap > 0, overlap, 1.0) ** zeta, 0.0)


def _quadratic_sum_forward(spectrum: jax.Array, matrix: jax.Array) -> tuple[jax.Array, tuple]:
    product = matrix @ spectrum
    return (spectrum * product).sum(0), (spectrum, product)


def _quadratic_sum_backward(saved: tuple, cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    spectrum, product = saved
    return 2 * product * cotangent, (spectrum * cotangent) @ spectrum.T


quadratic_sum.defvjp(_quadratic_sum_forward, _quadratic_sum_backward)


def _kernel_sum_forward(
    zeta: float,
    spectrum: jax.Array,
    points: jax.Array,
    points_transposed: jax.Array,
    weights: jax.Array,
) -> tuple[jax.Array, tuple]:
    overlap = points @ spectrum
    saved = (overlap, spectrum, points, points_transposed, weights)
    return weights @ kernel_power(overlap, zeta), saved


def _kernel_sum_backward(zeta: float, saved: tuple, cotangent: jax.Array) -> tuple:
    overlap, spectrum, points, points_transposed, weights = saved
    along = (zeta * weights)[:, None] * kernel_power(overlap, zeta - 1) * cotangent
    return (
        points_transposed @ along,
        along @ spectrum.T,
        jnp.zeros_like(points_transposed),  # a copy: its derivative is counted with `points`
        kernel_power(overlap, zeta) @ cotangent,
    )


kernel_sum.defvjp(_kernel_sum_forward, _kernel_sum_backward)


def _pair_distance(settings: PairSettings, vectors: jax.Array, present: jax.Array) -> jax.Array:
    """Return distances, beyond the cutoff where a place is not used."""
    square = (vectors * vectors).sum(0)
    return jnp.sqrt(jnp.where(present & (square > 0), square, (2 * settings.cutoff_A) ** 2))


def _pair_sum_forward(
    settings: PairSettings,
    vectors: jax.Array,
    present: jax.Array,
    parameters: PairParameters | PairTable,
) -> tuple[jax.Array, tuple]:
    distance = _pair_distance(settings, vectors, present)
    cut = cutoff_function(distance, settings.cutoff_A, settings.transition_A)
    cut_slope = cutoff_derivative(distance, settings.cutoff_A, settings.transition_A)
    energy, slope = _radial_sum_and_derivative(settings, distance, parameters)
    over_distance = (cut * slope + cut_slope * energy) / distance
    return cut * energy, (vectors, distance, over_distance, parameters)


def _pair_sum_backward(settings: PairSettings, saved: tuple, cotangent: jax.Array) -> tuple:
    vectors, distance, over_distance, parameters = saved

    def energy(parameters: Any) -> jax.Array:
        cut = cutoff_function(distance, settings.cutoff_A, settings.transition_A)
        return cut * _radial_sum(settings, distance, parameters)

    (to_parameters,) = jax.vjp(energy, parameters)[1](cotangent)
    return vectors * (over_distance * cotangent), None, to_parameters


pair_sum.defvjp(_pair_sum_forward, _pair_sum_backward)


def _radial_sum(
    settings: PairSettings, distance: jax.Array, parameters: PairParameters | PairTable
) -> jax.Array:
    """Return Σ_s w_s exp(−½((r − x_s)/θ)²) for each distance."""
    if isinstance(parameters, PairTable):
        return _interpolate(settings, distance, parameters.coefficients)[0]
    return parameters.weights @ _each_gaussian(settings, distance, parameters.points)


def _radial_sum_and_derivative(
    settings: PairSettings, distance: jax.Array, parameters: PairParameters | PairTable
) -> tuple[jax.Array, jax.Array]:
    """Return `_radial_sum` and its derivative by the distance, eV/Å."""
    if isinstance(parameters, PairTable):
        return _interpolate(settings, distance, parameters.coefficients)
    points, weights = parameters
    gaussians = _each_gaussian(settings, distance, points)
    energy, moment = jnp.stack([weights, weights * points]) @ gaussians
    return energy, (moment - distance * energy) * (1 / settings.theta_A**2)


def _each_gaussian(settings: PairSettings, distance: jax.Array, points: jax.Array) -> jax.Array:
    scaled = (distance - points[:, None]) * (1 / settings.theta_A)
    return jnp.exp(-0.5 * scaled * scaled)


def _interpolate(
    settings: PairSettings, distance: jax.Array, table: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the values of a `PairTable` and their derivatives by the distance.

    Beyond the cutoff it goes on with the value there, for the cutoff function to make it 0.
    """
    n_intervals = len(table)
    place = jnp.minimum(distance * (n_intervals / settings.cutoff_A), n_intervals)
    interval = jnp.minimum(place.astype(jnp.int32), n_intervals - 1)
    x = 2 * (place - interval) - 1
    rows = table.at[interval].get(mode="promise_in_bounds").T  # whole rows are copied fast
    value, slope = rows[0], jnp.zeros_like(x)
    for coefficient in rows[1:]:
        value, slope = value * x + coefficient, slope * x + value
    return value, slope * (2 * n_intervals / settings.cutoff_A)
