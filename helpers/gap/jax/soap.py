"""SOAP power spectra: a pure function of the vectors from atoms to their neighbors.

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
from math import factorial, pi, sqrt

import jax
import jax.numpy as jnp
import numpy as np

from helpers.gap.jax.radial import (
    radial_basis,
    radial_functions,
    radial_functions_and_derivatives,
)
from helpers.gap.jax.terms import SoapSettings


def power_spectrum(
    settings: SoapSettings,
    vectors: jax.Array,
    present: jax.Array,
    capacity: tuple[int, ...],
    center_species: jax.Array,
) -> jax.Array:
    """Return the normalized SOAP power spectrum of each central atom.

    Parameters
    ----------
    settings : SoapSettings
        Hyperparameters.
    vectors : array of shape (3, n_neighbors, n_centers), Å
        From each central atom to its neighbors, those of one species after the other.
    present : bool array of shape (n_neighbors, n_centers)
        False where a place is not used.
    capacity : tuple of int
        Number of places for the neighbors of each species; they add up to n_neighbors.
    center_species : array of shape (n_species, n_centers)
        1 where the central atom is of that species, otherwise 0.

    Returns
    -------
    array of shape (n_components, n_centers)
        In the order of `component_order`, each column of length 1.
    """
    far = jnp.array([2 * settings.cutoff_A, 0.0, 0.0])[:, None, None]  # no weight, no division by 0
    density = _density(settings, capacity, jnp.where(present, vectors, far))
    basis = radial_basis(settings)
    transform = jnp.asarray(basis.transform)[:, :, None, None]
    central = settings.central_weight / math.sqrt(4 * math.pi) * jnp.asarray(basis.center)
    channels = []
    for l, of_l in enumerate(density):  # species, n, m, atom
        channel = (transform * of_l[:, :, None]).sum(1)
        if l == 0:
            channel = channel + (central[:, None] * center_species[:, None])[:, :, None]
        channels.append(channel.reshape(settings.n_channels, 2 * l + 1, -1))
    return _products(settings, channels)


def component_order(settings: SoapSettings) -> np.ndarray:
    """Return which component of gap_fit's order stands at each place of ours.

    gap_fit: channels u ≥ v outermost, l innermost. Here: l outermost, which the processor prefers.
    """
    pairs, angular = settings.n_channels * (settings.n_channels + 1) // 2, settings.l_max + 1
    return np.arange(pairs * angular).reshape(pairs, angular).T.ravel()


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


@lru_cache(maxsize=32)
def _weights(settings: SoapSettings) -> np.ndarray:
    """Return the factor of each component: (2l + 1)^(−1/2), times √2 off the diagonal."""
    upper, lower = np.tril_indices(settings.n_channels)
    double = np.where(upper == lower, 1.0, math.sqrt(2.0))
    by_l = [double / math.sqrt(2 * l + 1) for l in range(settings.l_max + 1)]
    return np.concatenate(by_l)[:, None]


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _density(
    settings: SoapSettings, capacity: tuple[int, ...], vectors: jax.Array
) -> list[jax.Array]:
    """Return Σ_j R_l(r_j) Y_lm(r̂_j) over the neighbors of each species: (species, n, m, atom)."""
    distance, units = _polar(vectors)
    radial = radial_functions(settings, distance)
    angular = real_spherical_harmonics(settings.l_max, *units)
    return _sum_over_neighbors(capacity, radial, angular)


def _density_forward(
    settings: SoapSettings, capacity: tuple[int, ...], vectors: jax.Array
) -> tuple[list[jax.Array], tuple]:
    distance, units = _polar(vectors)
    radial, slopes = radial_functions_and_derivatives(settings, distance)
    angular = real_spherical_harmonics(settings.l_max, *units)
    density = _sum_over_neighbors(capacity, radial, angular)
    return density, (distance, units, radial, slopes, angular)


def _density_backward(
    settings: SoapSettings, capacity: tuple[int, ...], saved: tuple, cotangents: list[jax.Array]
) -> tuple[jax.Array]:
    """Along a unit vector R changes; across it, Y does: dY/dv = (∇Y − û (û · ∇Y)) / r."""
    distance, units, radial, slopes, angular = saved
    along, to_angular = [], []
    for r, slope, y, cotangent in zip(radial, slopes, angular, cotangents, strict=True):
        parts, start = [], 0
        for size, c in zip(capacity, cotangent[:, :, :, None], strict=True):
            of = slice(start, start + size)
            start += size
            to_y = (c * r[:, None, of]).sum(0)
            to_r = ((c * slope[:, None, of]).sum(0) * y[:, of]).sum(0)
            parts.append((to_y, to_r))
        to_angular.append(jnp.concatenate([to_y for to_y, _ in parts], 1))
        along.append(jnp.concatenate([to_r for _, to_r in parts]))
    _, gradient = jax.vjp(partial(real_spherical_harmonics, settings.l_max), *units)
    across = gradient(to_angular)
    inverse = 1 / distance
    projection = _total(u * g for u, g in zip(units, across, strict=True)) * inverse
    outward = _total(along) - projection
    return (jnp.stack([u * outward + g * inverse for u, g in zip(units, across, strict=True)]),)


_density.defvjp(_density_forward, _density_backward)


def _polar(vectors: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    x, y, z = vectors
    square = x * x + y * y + z * z
    distance = jnp.sqrt(jnp.where(square > 0, square, 1e-60))
    inverse = 1 / distance
    return distance, (x * inverse, y * inverse, z * inverse)


def _sum_over_neighbors(
    capacity: tuple[int, ...], radial: list[jax.Array], angular: list[jax.Array]
) -> list[jax.Array]:
    ends = np.cumsum(capacity)
    species = [slice(end - size, end) for end, size in zip(ends, capacity, strict=True)]
    return [
        jnp.stack([(r[:, None, of] * y[None, :, of]).sum(2) for of in species])
        for r, y in zip(radial, angular, strict=True)
    ]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _products(settings: SoapSettings, channels: list[jax.Array]) -> jax.Array:
    """Return w_uvl Σ_m X_um X_vm for v ≤ u, normalized: l × (channels, m, atom) → (D, atom)."""
    return _products_forward(settings, channels)[0]


def _products_forward(settings: SoapSettings, channels: list[jax.Array]) -> tuple[jax.Array, tuple]:
    upper, lower = np.tril_indices(settings.n_channels)
    products = []
    for x in channels:
        full = (x[:, None] * x[None]).sum(2)
        products.append(
            full.reshape(settings.n_channels**2, -1)[upper * settings.n_channels + lower]
        )
    spectrum = jnp.concatenate(products) * jnp.asarray(_weights(settings))
    square = (spectrum * spectrum).sum(0)
    length = jnp.sqrt(jnp.where(square > 0, square, 1.0))
    spectrum = spectrum / length
    return spectrum, (channels, spectrum, length)


def _products_backward(
    settings: SoapSettings, saved: tuple, cotangent: jax.Array
) -> tuple[list[jax.Array]]:
    channels, spectrum, length = saved
    n = settings.n_channels
    upper, lower = np.tril_indices(n)
    place = np.zeros((n, n), int)
    place[upper, lower] = place[lower, upper] = np.arange(len(upper))
    twice = np.tile(np.where(upper == lower, 2.0, 1.0), settings.l_max + 1)  # u = v counts twice
    factors = jnp.asarray(_weights(settings) * twice[:, None])
    across = (cotangent - spectrum * (spectrum * cotangent).sum(0)) * factors
    gradients = []
    for x, part in zip(channels, jnp.split(across, len(channels)), strict=True):
        # Divided only now: the compiler keeps quotients, and would repeat a product n times.
        full = part[place.ravel()].reshape(n, n, -1) / length
        gradients.append((full[:, :, None] * x[None]).sum(1))
    return (gradients,)


_products.defvjp(_products_forward, _products_backward)


def _total(parts: Iterable[jax.Array]) -> jax.Array:
    """Add up arrays one after the other (the compiler makes one pass of it)."""
    return functools.reduce(jnp.add, parts)


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
