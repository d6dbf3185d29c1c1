"""Descriptors as pure functions: vectors to the neighbours → SOAP power spectra, pair energies.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013). Every array has the atoms on its last
axis: loops over channels and components are written out, and the processor works on several
atoms with each instruction. The three bilinear steps carry their own derivatives, because the
ones that JAX derives run several times slower on a CPU.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from helpers.gap.jax.harmonics import real_spherical_harmonics
from helpers.gap.jax.radial import cutoff_function, radial_basis, radial_functions
from helpers.gap.jax.settings import PairSettings, SoapSettings

UNROLLED = 48  # slots up to which a sum over neighbours is written out


def power_spectrum(
    settings: SoapSettings,
    vectors: jax.Array,
    present: jax.Array,
    slots: tuple[int, ...],
    own_channel: jax.Array,
) -> jax.Array:
    """Return the normalised SOAP power spectrum of each central atom.

    Parameters
    ----------
    settings : SoapSettings
        Hyperparameters.
    vectors : array of shape (3, n_slots, n_centres), Å
        From each central atom to its neighbours, those of one species after the other.
    present : bool array of shape (n_slots, n_centres)
        False where a slot is not used.
    slots : tuple of int
        Number of slots of each species; they add up to n_slots.
    own_channel : array of shape (n_species, n_centres)
        1 where the central atom is of that species, otherwise 0.

    Returns
    -------
    array of shape (n_components, n_centres)
        In the order of `component_order`, each column of length 1.
    """
    dtype = vectors.dtype
    far = 2 * settings.cutoff_A  # where unused slots stand: no weight, and no division by 0
    x, y, z = (jnp.where(present, v, far if k == 0 else 0.0) for k, v in enumerate(vectors))
    square = x * x + y * y + z * z
    distance = jnp.sqrt(jnp.where(square > 0, square, 1e-60 if dtype == jnp.float64 else 1e-30))
    inverse = 1 / distance
    units = x * inverse, y * inverse, z * inverse
    radial = radial_functions(settings, distance)
    angular = real_spherical_harmonics(settings.l_max, *units)
    basis = radial_basis(settings)
    transform = jnp.asarray(basis.transform.T, dtype)
    centre = settings.central_weight / math.sqrt(4 * math.pi) * jnp.asarray(basis.centre, dtype)
    products = []
    for l in range(settings.l_max + 1):
        grid = _density(slots, radial[l], angular[l])  # species, n, m, atom
        channels = _total(
            transform[:, n, None, None] * grid[:, n, None] for n in range(settings.n_max)
        )
        if l == 0:
            channels = channels + centre[:, None, None] * own_channel[:, None, None, :]
        flat = channels.reshape(settings.n_channels, 2 * l + 1, -1)
        products.append(_products(flat))
    spectrum = jnp.concatenate(products) * jnp.asarray(_weights(settings), dtype)
    length_square = (spectrum * spectrum).sum(0)
    some = length_square > 0
    return spectrum * jnp.where(some, 1 / jnp.sqrt(jnp.where(some, length_square, 1.0)), 0.0)


def component_order(settings: SoapSettings) -> np.ndarray:
    """Return which component of gap_fit's order stands at each place of ours.

    gap_fit: channels u ≥ v outermost, l innermost. Here: l outermost, which the processor prefers.
    """
    pairs, angular = settings.n_channels * (settings.n_channels + 1) // 2, settings.l_max + 1
    return np.arange(pairs * angular).reshape(pairs, angular).T.ravel()


@lru_cache(maxsize=32)
def _weights(settings: SoapSettings) -> np.ndarray:
    """Return the factor of each component: (2l + 1)^(−1/2), times √2 off the diagonal."""
    upper, lower = np.tril_indices(settings.n_channels)
    double = np.where(upper == lower, 1.0, math.sqrt(2.0))
    by_l = [double / math.sqrt(2 * l + 1) for l in range(settings.l_max + 1)]
    return np.concatenate(by_l)[:, None]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _density(slots: tuple[int, ...], radial: jax.Array, angular: jax.Array) -> jax.Array:
    """Sum radial × angular over the neighbours of each species: (species, n, m, atom)."""
    parts, start = [], 0
    for size in slots:
        part = slice(start, start + size)
        r, y = radial[:, part], angular[:, part]
        if 0 < size <= UNROLLED:
            parts.append(_total(r[:, None, j] * y[None, :, j] for j in range(size)))
        else:
            parts.append(jnp.einsum("nja,mja->nma", r, y))
        start += size
    return jnp.stack(parts)


def _density_forward(
    slots: tuple[int, ...], radial: jax.Array, angular: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _density(slots, radial, angular), (radial, angular)


def _density_backward(
    slots: tuple[int, ...], saved: tuple[jax.Array, jax.Array], change: jax.Array
) -> tuple[jax.Array, jax.Array]:
    radial, angular = saved
    to_radial, to_angular, start = [], [], 0
    for species, size in enumerate(slots):
        r, y = radial[:, start : start + size], angular[:, start : start + size]
        c = change[species]
        to_radial.append(_total(c[:, m, None] * y[m] for m in range(y.shape[0])))
        to_angular.append(_total(c[n, :, None] * r[n] for n in range(r.shape[0])))
        start += size
    return jnp.concatenate(to_radial, 1), jnp.concatenate(to_angular, 1)


_density.defvjp(_density_forward, _density_backward)


@jax.custom_vjp  # type: ignore[untyped-decorator]
def _products(channels: jax.Array) -> jax.Array:
    """Return Σ_m X_um X_vm for v ≤ u: (channels, m, atom) → (pairs, atom)."""
    n = channels.shape[0]
    upper, lower = np.tril_indices(n)
    full = _total(channels[:, None, m] * channels[None, :, m] for m in range(channels.shape[1]))
    return full.reshape(n * n, -1)[upper * n + lower]


def _products_forward(channels: jax.Array) -> tuple[jax.Array, jax.Array]:
    return _products(channels), channels


def _products_backward(channels: jax.Array, change: jax.Array) -> tuple[jax.Array]:
    n = channels.shape[0]
    place = np.zeros((n, n), int)
    upper, lower = np.tril_indices(n)
    place[upper, lower] = place[lower, upper] = np.arange(len(upper))
    both = 1.0 + np.eye(n)[:, :, None]  # u = v counts twice
    full = change[place.ravel()].reshape(n, n, -1) * jnp.asarray(both, change.dtype)
    return (_total(full[:, v, None] * channels[v] for v in range(n)),)


_products.defvjp(_products_forward, _products_backward)


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
    spectrum : array of shape (n_components, n_centres)
        Normalised power spectra p.
    points : array of shape (n_sparse, n_components)
        Those of the sparse points, p_s.
    points_transposed : array of shape (n_components, n_sparse)
        The same once more: both products then read memory in order.
    weights : array of shape (n_sparse,), eV
        w_s.

    Returns
    -------
    array of shape (n_centres,), eV
    """
    return weights @ kernel_power(points @ spectrum, zeta)


def kernel_power(overlap: jax.Array, zeta: float) -> jax.Array:
    """Return overlap^ζ; only whole powers may have negative overlaps (by rounding)."""
    if zeta == int(zeta):
        return jax.lax.integer_pow(overlap, int(zeta))
    return jnp.where(overlap > 0, jnp.where(overlap > 0, overlap, 1.0) ** zeta, 0.0)


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


def _kernel_sum_backward(zeta: float, saved: tuple, change: jax.Array) -> tuple:
    overlap, spectrum, points, points_transposed, weights = saved
    slope = (zeta * weights)[:, None] * kernel_power(overlap, zeta - 1) * change
    return (
        points_transposed @ slope,
        slope @ spectrum.T,
        jnp.zeros_like(points_transposed),  # a copy: its derivative is counted with `points`
        kernel_power(overlap, zeta) @ change,
    )


kernel_sum.defvjp(_kernel_sum_forward, _kernel_sum_backward)


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


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _gaussians(
    theta_A: float, distance: jax.Array, points: jax.Array, weights: jax.Array
) -> jax.Array:
    scaled = (distance - points[:, None]) * (1 / theta_A)
    return (weights[:, None] * jnp.exp(-0.5 * scaled * scaled)).sum(0)


@_gaussians.defjvp  # type: ignore[untyped-decorator]
def _gaussians_jvp(theta_A: float, primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    """Differentiate by distance, points and weights with one set of exponentials."""
    distance, points, weights = primals
    to_distance, to_points, to_weights = tangents
    scaled = (distance - points[:, None]) * (1 / theta_A)
    gaussians = jnp.exp(-0.5 * scaled * scaled)
    slopes = weights[:, None] * gaussians * scaled * (1 / theta_A)
    change = -slopes.sum(0) * to_distance
    change = change + to_points @ slopes + to_weights @ gaussians
    return (weights[:, None] * gaussians).sum(0), change


def _total(parts: Iterable[jax.Array]) -> jax.Array:
    """Add up arrays one after the other (the compiler makes one pass of it)."""
    return functools.reduce(jnp.add, parts)
