"""Energy, energies of atoms, forces and virial: pure functions of a model and positions.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013). The energy is a function of the edges (the
vectors between neighbors) alone, so one reverse pass gives its gradient along each of them: added
up at the atoms they are the forces, multiplied with the edges the strain derivative (the virial).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from helpers.gap.jax.kernels import kernel_sum, pair_sum, quadratic_sum
from helpers.gap.jax.layout import (
    Layout,
    ModelParameters,
    QuadraticParameters,
    SoapParameters,
)
from helpers.gap.jax.neighbors import Neighbors
from helpers.gap.jax.soap import power_spectrum
from helpers.gap.jax.terms import SoapSettings

CENTERS_AT_ONCE = 64

Vectors = tuple[tuple[Any, ...], tuple[Any, ...]]  # for each SOAP block, for each pair term
SoapEnergies = list[tuple[list[slice], list[Any]]]  # where each term acts, and its energies


@dataclass(frozen=True)
class _Environment:
    """Energies of environments of one central element: a function that can be hashed."""

    spectrum: Any
    zeta: float

    def __call__(self, parameters: Any, vectors: Any, present: Any, species: Any) -> jax.Array:
        return _soap_sum(self.zeta, parameters, self.spectrum(vectors, present, species))


class Prediction(NamedTuple):
    """What a model says about atoms, without the energies of isolated atoms.

    Attributes
    ----------
    energy : array, scalar, eV
    energies : array of shape (n_atoms,), eV
        Share of each atom.
    forces : array of shape (n_atoms, 3), eV/Å
    virial : array of shape (3, 3), eV
        Derivative of the energy with respect to strain; divided by the volume, the stress.
    """

    energy: Any
    energies: Any
    forces: Any
    virial: Any


def predict(
    layout: Layout,
    parameters: ModelParameters,
    positions: jax.Array,
    cell: jax.Array,
    neighbors: Neighbors,
) -> Prediction:
    """Return energy, energies of atoms, forces and virial (arguments as `energy_and_forces`)."""
    vectors = neighbor_vectors(positions, cell, neighbors)

    def total(vectors: Vectors) -> tuple[jax.Array, jax.Array]:
        soaps = _soap_energies(layout, parameters, vectors, neighbors)
        pairs = _pair_energies(layout, parameters, vectors, neighbors)
        return _sum(soaps, pairs), _atomic_energies(soaps, pairs, neighbors)

    (energy, energies), gradients = jax.value_and_grad(total, has_aux=True)(vectors)
    virial = jnp.zeros((3, 3))
    for gradient, vector in zip(jax.tree.leaves(gradients), jax.tree.leaves(vectors), strict=True):
        virial = virial + gradient.reshape(3, -1) @ vector.reshape(3, -1).T
    return Prediction(energy, energies, _forces(gradients, neighbors), (virial + virial.T) / 2)


def energy_and_forces(
    layout: Layout,
    parameters: ModelParameters,
    positions: jax.Array,
    cell: jax.Array,
    neighbors: Neighbors,
) -> tuple[jax.Array, jax.Array]:
    """Return the energy (eV, without isolated atoms) and the forces (n_atoms, 3), eV/Å.

    Parameters
    ----------
    layout : Layout
        Sizes: static, what the function is compiled for.
    parameters : ModelParameters
        Sparse points and weights of the model.
    positions : array of shape (n_atoms, 3), Å
        Atoms in the order of `layout.counts`.
    cell : array of shape (3, 3), Å
        One cell vector per row.
    neighbors : Neighbors
        Neighbor lists of that layout.
    """
    vectors = neighbor_vectors(positions, cell, neighbors)
    energy, gradients = jax.value_and_grad(partial(interaction_energy, layout, parameters))(
        vectors, neighbors
    )
    return energy, _forces(gradients, neighbors)


def interaction_energy(
    layout: Layout, parameters: ModelParameters, vectors: Vectors, neighbors: Neighbors
) -> jax.Array:
    """Return the energy without that of isolated atoms, eV, as a function of the edges."""
    soaps = _soap_energies(layout, parameters, vectors, neighbors)
    return _sum(soaps, _pair_energies(layout, parameters, vectors, neighbors))


def neighbor_vectors(positions: jax.Array, cell: jax.Array, neighbors: Neighbors) -> Vectors:
    """Return the edges: vectors from atoms to their neighbors, periodic images included.

    Parameters
    ----------
    positions : array of shape (n_atoms, 3), Å
    cell : array of shape (3, 3), Å
        One cell vector per row.
    neighbors : Neighbors
        The neighbor lists.

    Returns
    -------
    tuple of arrays (3, n_neighbors, n_centers), tuple of arrays (3, n_pairs), Å
        For each SOAP block, for each pair term.
    """
    p = positions.T
    soaps = tuple(
        p[:, s.index] - p[:, s.center][:, None] + jnp.einsum("kc,kja->cja", cell, s.shift)
        for s in neighbors.soaps
    )
    pairs = tuple(p[:, e.second] - p[:, e.first] + cell.T @ e.shift for e in neighbors.pairs)
    return soaps, pairs


def power_spectra(layout: Layout, vectors: Vectors, neighbors: Neighbors) -> list[jax.Array]:
    """Return the power spectra of each SOAP block, (n_components, n_centers)."""
    return [
        power_spectrum(block.settings, vector, soap.present, capacity, soap.center_species)
        for block, vector, soap, capacity in zip(
            layout.structure.blocks,
            vectors[0],
            neighbors.soaps,
            layout.neighbor_capacity,
            strict=True,
        )
    ]


def concatenate_edges(
    neighbors: Sequence[Any], centers: Sequence[Any], pairs: Sequence[Any]
) -> jax.Array:
    """Join values of SOAP neighbors, of SOAP centers and of pairs, in the order of `Incidence`.

    All may have further axes in front.
    """
    parts = []
    for neighbor, center in zip(neighbors, centers, strict=True):
        parts += [neighbor.reshape(*neighbor.shape[:-2], -1), center]
    return jnp.concatenate([*parts, *pairs], axis=-1)


def _forces(gradients: Vectors, neighbors: Neighbors) -> jax.Array:
    """Add up the gradients along the edges at both of their ends."""
    soaps, pairs = gradients
    edges = concatenate_edges(soaps, [gradient.sum(1) for gradient in soaps], pairs)
    index, sign = neighbors.incidence
    return (edges[:, index] * sign).sum(1).T


def _atomic_energies(
    soaps: SoapEnergies, pairs: list[jax.Array], neighbors: Neighbors
) -> jax.Array:
    """Give each atom its SOAP energies and half of its pair energies."""
    centers = []
    for (columns, energies), nearby in zip(soaps, neighbors.soaps, strict=True):
        of_block = jnp.zeros(len(nearby.center))
        for column, energy in zip(columns, energies, strict=True):
            of_block = of_block.at[column].add(energy)
        centers.append(of_block)
    nothing = [jnp.zeros(soap.index.shape) for soap in neighbors.soaps]
    edges = concatenate_edges(nothing, centers, [pair / 2 for pair in pairs])
    index, sign = neighbors.incidence
    return (edges[index] * jnp.abs(sign)).sum(0)


def _sum(soaps: SoapEnergies, pairs: list[jax.Array]) -> jax.Array:
    parts = [energy for _, energies in soaps for energy in energies] + pairs
    return sum((part.sum() for part in parts), start=jnp.zeros(()))


def _soap_energies(
    layout: Layout, parameters: ModelParameters, vectors: Vectors, neighbors: Neighbors
) -> SoapEnergies:
    """Return for each SOAP block where each term acts, and its energies."""
    energies_of_blocks = []
    for block, vector, soap, capacity, of_terms in zip(
        layout.structure.blocks,
        vectors[0],
        neighbors.soaps,
        layout.neighbor_capacity,
        parameters.soaps,
        strict=True,
    ):
        columns = layout.columns(block)
        present = [
            (columns[term.center], term.zeta, points)
            for term, points in zip(block.terms, of_terms, strict=True)
            if term.center in columns
        ]
        environments = vector, soap.present, soap.center_species
        spectrum = partial(_power_spectrum, block.settings, capacity)
        if len(soap.center) <= CENTERS_AT_ONCE:
            spectra = spectrum(*environments)
            energies = [_soap_sum(zeta, p, spectra[:, column]) for column, zeta, p in present]
        else:
            energies = [
                _energies_in_parts(
                    _Environment(spectrum, zeta), p, *(x[..., column] for x in environments)
                )
                for column, zeta, p in present
            ]
        energies_of_blocks.append(([column for column, _, _ in present], energies))
    return energies_of_blocks


def _soap_sum(
    zeta: float, parameters: SoapParameters | QuadraticParameters, spectrum: jax.Array
) -> jax.Array:
    if isinstance(parameters, QuadraticParameters):
        return quadratic_sum(spectrum, *parameters)
    return kernel_sum(zeta, spectrum, *parameters)


def _power_spectrum(
    settings: SoapSettings, capacity: tuple[int, ...], vectors: Any, present: Any, species: Any
) -> jax.Array:
    return power_spectrum(settings, vectors, present, capacity, species)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _energies_in_parts(
    energies: Callable[..., jax.Array],
    parameters: Any,
    vectors: jax.Array,
    present: jax.Array,
    species: jax.Array,
) -> jax.Array:
    """Return `energies` of some environments at a time: what they need fits the cache.

    The gradient by the vectors is computed together with the energies, part by part, so nothing
    else need be stored, nor computed twice.
    """

    def of_part(part: tuple) -> jax.Array:
        return energies(parameters, *part)

    return _map_in_parts(of_part, (vectors, present, species))


def _energies_in_parts_forward(
    energies: Callable[..., jax.Array], parameters: Any, *environments: jax.Array
) -> tuple[jax.Array, tuple]:
    def with_gradient(part: tuple) -> tuple[jax.Array, jax.Array]:
        vectors, *others = part
        values, pull_back = jax.vjp(lambda v: energies(parameters, v, *others), vectors)
        return values, pull_back(jnp.ones_like(values))[0]

    values, gradient = _map_in_parts(with_gradient, environments)
    return values, (gradient, parameters, environments)


def _energies_in_parts_backward(
    energies: Callable[..., jax.Array], saved: tuple, cotangent: jax.Array
) -> tuple:
    gradient, parameters, environments = saved

    def of_all(parameters: Any) -> jax.Array:
        again = jax.checkpoint(lambda part: energies(parameters, *part))
        return _map_in_parts(again, environments)

    (to_parameters,) = jax.vjp(of_all, parameters)[1](cotangent)
    return to_parameters, gradient * cotangent, None, None


_energies_in_parts.defvjp(_energies_in_parts_forward, _energies_in_parts_backward)


def _pair_energies(
    layout: Layout, parameters: ModelParameters, vectors: Vectors, neighbors: Neighbors
) -> list[jax.Array]:
    """Return for each pair term the energy of each pair, eV."""
    return [
        pair_sum(settings, vector, pair.present, of_term)
        for settings, vector, pair, of_term in zip(
            layout.structure.pairs, vectors[1], neighbors.pairs, parameters.pairs, strict=True
        )
    ]


def _map_in_parts(evaluate: Callable[[tuple], Any], arrays: tuple[jax.Array, ...]) -> Any:
    """Call `evaluate` on equal parts of the last axis of all arrays, and join what it returns."""
    n = arrays[0].shape[-1]
    n_parts = -(-n // CENTERS_AT_ONCE)
    size = -(-n // n_parts)

    def split(array: jax.Array) -> jax.Array:
        padding = [(0, 0)] * (array.ndim - 1) + [(0, n_parts * size - n)]
        parts = jnp.pad(array, padding).reshape(*array.shape[:-1], n_parts, size)
        return jnp.moveaxis(parts, -2, 0)

    def join(values: jax.Array) -> jax.Array:
        values = jnp.moveaxis(values, 0, -2)
        return values.reshape(*values.shape[:-2], -1)[..., :n]

    return jax.tree.map(join, jax.lax.map(evaluate, tuple(map(split, arrays))))
