"""SOAP power spectra and their gradients by the position of each neighbor.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013). A neighbor adds a term of its own to the
neighbor density, so a gradient costs three forward derivatives of that term and the product rule
of the power spectrum. (`soap.power_spectrum` is written for reverse derivatives: one number by
all positions. Here all components are wanted by the positions of one neighbor.)
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from helpers.gap.jax.radial import radial_basis, radial_functions
from helpers.gap.jax.soap import real_spherical_harmonics
from helpers.gap.jax.terms import SoapSettings


def power_spectra_and_gradients(
    settings: SoapSettings,
    vectors: jax.Array,
    center: jax.Array,
    species: jax.Array,
    present: jax.Array,
    center_species: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return normalized power spectra and their gradients by the positions of the neighbors.

    Parameters
    ----------
    settings : SoapSettings
        Hyperparameters.
    vectors : array of shape (3, n_pairs), Å
        From each center to its neighbor.
    center : int array of shape (n_pairs,)
        The center of each pair.
    species : array of shape (n_species, n_pairs)
        1 where the neighbor is of that species, otherwise 0.
    present : bool array of shape (n_pairs,)
        False where a place is not used.
    center_species : array of shape (n_species, n_centers)
        1 where the center is of that species, otherwise 0.

    Returns
    -------
    spectra : array of shape (n_centers, n_components)
        Of length 1, in the order of `component_order`: what `power_spectrum` gives.
    gradients : array of shape (n_pairs, 3, n_components), 1/Å
        Derivative of the center's spectrum by the neighbor's position.
    """
    n_pairs, n_centers = vectors.shape[1], center_species.shape[1]
    away = jnp.array([2 * settings.cutoff_A, 0.0, 0.0])[:, None]
    vectors = jnp.where(present, vectors, away)

    def along(direction: jax.Array) -> tuple[jax.Array, jax.Array]:
        tangent = jnp.broadcast_to(direction[:, None], vectors.shape)
        return jax.jvp(lambda v: neighbor_density(settings, v), (vectors,), (tangent,))

    density, density_gradient = jax.vmap(along, out_axes=(None, 0))(jnp.eye(3))
    channels = jnp.einsum("mnp,sp->pmsn", density, species).reshape(
        n_pairs, -1, settings.n_channels
    )
    channels = jax.ops.segment_sum(channels, center, n_centers)  # center, m, channel
    basis = radial_basis(settings)
    weight = settings.central_weight / math.sqrt(4 * math.pi)
    central = jnp.einsum("sc,n->csn", center_species, weight * jnp.asarray(basis.center))
    channels = channels.at[:, 0].add(central.reshape(n_centers, -1))
    channel_gradient = jnp.einsum("kmnp,sp->pkmsn", density_gradient, species)
    channel_gradient = channel_gradient.reshape(n_pairs, 3, -1, settings.n_channels)

    upper, lower = np.tril_indices(settings.n_channels)
    double = np.where(upper == lower, 1.0, math.sqrt(2.0))
    spectra, gradients = [], []
    for l in range(settings.l_max + 1):
        block = slice(l * l, (l + 1) ** 2)
        x, dx = channels[:, block], channel_gradient[:, :, block]
        scale = double / math.sqrt(2 * l + 1)
        spectra.append(jnp.einsum("cmu,cmv->cuv", x, x)[:, upper, lower] * scale)
        half = jnp.einsum("pkmu,pmv->pkuv", dx, x[center])
        gradients.append((half[:, :, upper, lower] + half[:, :, lower, upper]) * scale)
    spectrum, gradient = jnp.concatenate(spectra, -1), jnp.concatenate(gradients, -1)
    # p/|p| changes only across p.
    length = jnp.sqrt((spectrum * spectrum).sum(-1))
    inverse = jnp.where(length > 0, 1 / jnp.where(length > 0, length, 1.0), 0.0)
    spectrum = spectrum * inverse[:, None]
    gradient = gradient * inverse[center, None, None]
    unit = spectrum[center][:, None]
    return spectrum, gradient - unit * (gradient * unit).sum(-1, keepdims=True)


def neighbor_density(settings: SoapSettings, vectors: jax.Array) -> jax.Array:
    """Return R_l(n) Y_lm of each neighbor, (all l and m, n_max, n_pairs)."""
    distance = jnp.sqrt((vectors * vectors).sum(0))
    units = vectors / distance
    transform = jnp.asarray(radial_basis(settings).transform.T)
    parts = zip(
        radial_functions(settings, distance),
        real_spherical_harmonics(settings.l_max, *units),
        strict=True,
    )
    return jnp.concatenate([y[:, None] * (transform @ r) for r, y in parts])
