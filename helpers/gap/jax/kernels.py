"""Sums of kernels over sparse points: SOAP energies of atoms and energies of pairs.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013). Every array has the atoms, or the pairs, on
its last axis. The sums carry their own derivatives: JAX's would store or repeat more.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from helpers.gap.jax.radial import cutoff_function
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


def pair_sum(
    settings: PairSettings,
    vectors: jax.Array,
    present: jax.Array,
    points: jax.Array,
    weights: jax.Array,
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
    points, weights : arrays of shape (n_sparse,), Å and eV
        Distances of the sparse points, x_s, and w_s.

    Returns
    -------
    array of shape (n_pairs,), eV
    """
    square = (vectors * vectors).sum(0)
    used = present & (square > 0)
    distance = jnp.where(used, jnp.sqrt(jnp.where(used, square, 1.0)), 2 * settings.cutoff_A)
    energy = _gaussians(settings.theta_A, distance, points, weights)
    return energy * cutoff_function(distance, settings.cutoff_A, settings.transition_A)


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


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gaussians(
    theta_A: float, distance: jax.Array, points: jax.Array, weights: jax.Array
) -> jax.Array:
    """Return Σ_s w_s exp(−½((r − x_s)/θ)²) for each distance."""
    return weights @ _each_gaussian(theta_A, distance, points)


def _each_gaussian(theta_A: float, distance: jax.Array, points: jax.Array) -> jax.Array:
    scaled = (distance - points[:, None]) * (1 / theta_A)
    return jnp.exp(-0.5 * scaled * scaled)


def _gaussians_forward(
    theta_A: float, distance: jax.Array, points: jax.Array, weights: jax.Array
) -> tuple[jax.Array, tuple]:
    """Get the derivative, Σ_s w_s (x_s − r)/θ² exp(…), from the same exponentials."""
    sums = jnp.stack([weights, weights * points]) @ _each_gaussian(theta_A, distance, points)
    derivative = (sums[1] - distance * sums[0]) * (1 / theta_A**2)
    return sums[0], (derivative, distance, points, weights)


def _gaussians_backward(theta_A: float, saved: tuple, cotangent: jax.Array) -> tuple:
    derivative, distance, points, weights = saved
    gaussians = _each_gaussian(theta_A, distance, points) * cotangent
    away = (distance - points[:, None]) * (1 / theta_A**2)
    return cotangent * derivative, weights * (gaussians * away).sum(1), gaussians.sum(1)


_gaussians.defvjp(_gaussians_forward, _gaussians_backward)
