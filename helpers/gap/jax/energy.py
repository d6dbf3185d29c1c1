"""Energy, energies of atoms, forces and virial: pure functions of a model and positions.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013). The energy is a function of the vectors
between neighbors alone, so one reverse pass gives its slope along each of them: added up at the
atoms they are the forces, multiplied with the vectors the strain derivative (the virial).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from helpers.gap.jax.kernels import kernel_sum, pair_sum, quadratic_sum
from helpers.gap.jax.layout import ModelArrays, PairArrays, Plan, QuadraticArrays, SoapArrays
from helpers.gap.jax.neighbors import Neighbors
from helpers.gap.jax.soap import power_spectrum
from helpers.gap.jax.terms import PairSettings, SoapSettings

CENTERS_AT_ONCE, PAIRS_AT_ONCE = 64, 2048

Vectors = tuple[tuple[Any, ...], tuple[Any, ...]]  # for each SOAP block, for each pair term
SoapEnergies = list[tuple[list[slice], list[Any]]]  # where each term acts, and its energies


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


def neighbor_vectors(positions: jax.Array, cell: jax.Array, neighbors: Neighbors) -> Vectors:
    """Return the vectors from atoms to their neighbors, periodic images included.

    Parameters
    ----------
    positions : array of shape (n_atoms, 3), Å
    cell : array of shape (3, 3), Å
        One cell vector per row.
    neighbors : Neighbors
        Who is next to whom.
    """
    p = positions.T
    soaps = tuple(
        p[:, s.index] - p[:, s.center][:, None] + jnp.einsum("kc,kja->cja", cell, s.shift)
        for s in neighbors.soaps
    )
    pairs = tuple(p[:, e.second] - p[:, e.first] + cell.T @ e.shift for e in neighbors.pairs)
    return soaps, pairs


def _shares(
    plan: Plan, soaps: SoapEnergies, pairs: list[jax.Array], neighbors: Neighbors
) -> jax.Array:
    """Give each atom its SOAP energies and half of its pair energies."""
    centers = []
    for (columns, energies), nearby in zip(soaps, neighbors.soaps, strict=True):
        of_block = jnp.zeros(len(nearby.center))
        for place, energy in zip(columns, energies, strict=True):
            of_block = of_block.at[place].add(energy)
        centers.append(of_block)
    nothing = [jnp.zeros(soap.index.shape) for soap in neighbors.soaps]
    found = in_one_list(nothing, centers, [pair / 2 for pair in pairs])
    index, sign = neighbors.ends
    return (found[index] * jnp.abs(sign)).sum(0)


def in_one_list(slots: Sequence[Any], centers: Sequence[Any], pairs: Sequence[Any]) -> jax.Array:
    """Join values of SOAP slots, of SOAP centers and of pairs, in the order of `Ends.index`.

    All may have further axes in front.
    """
    parts = []
    for slot, center in zip(slots, centers, strict=True):
        parts += [slot.reshape(*slot.shape[:-2], -1), center]
    return jnp.concatenate([*parts, *pairs], axis=-1)


def _sum(soaps: SoapEnergies, pairs: list[jax.Array]) -> jax.Array:
    parts = [energy for _, energies in soaps for energy in energies] + pairs
    return sum((part.sum() for part in parts), start=jnp.zeros(()))


def interaction_energy(
    plan: Plan, arrays: ModelArrays, vectors: Vectors, neighbors: Neighbors
) -> jax.Array:
    """Return the energy without that of isolated atoms, eV."""
    soaps = _soap_energies(plan, arrays, vectors, neighbors)
    return _sum(soaps, _pair_energies(plan, arrays, vectors, neighbors))


def energy_and_forces(
    plan: Plan,
    arrays: ModelArrays,
    positions: jax.Array,
    cell: jax.Array,
    neighbors: Neighbors,
) -> tuple[jax.Array, jax.Array]:
    """Return the energy (eV, without isolated atoms) and the forces (n_atoms, 3), eV/Å."""
    vectors = neighbor_vectors(positions, cell, neighbors)
    energy, slopes = jax.value_and_grad(partial(interaction_energy, plan, arrays))(
        vectors, neighbors
    )
    return energy, _forces(slopes, neighbors)


def predict(
    plan: Plan,
    arrays: ModelArrays,
    positions: jax.Array,
    cell: jax.Array,
    neighbors: Neighbors,
) -> Prediction:
    """Return everything at once: energy, energies of atoms, forces and virial."""
    vectors = neighbor_vectors(positions, cell, neighbors)

    def total(vectors: Vectors) -> tuple[jax.Array, jax.Array]:
        soaps = _soap_energies(plan, arrays, vectors, neighbors)
        pairs = _pair_energies(plan, arrays, vectors, neighbors)
        return _sum(soaps, pairs), _shares(plan, soaps, pairs, neighbors)

    (energy, energies), slopes = jax.value_and_grad(total, has_aux=True)(vectors)
    virial = jnp.zeros((3, 3))
    for slope, vector in zip(jax.tree.leaves(slopes), jax.tree.leaves(vectors), strict=True):
        virial = virial + slope.reshape(3, -1) @ vector.reshape(3, -1).T
    return Prediction(
        energy,
        energies,
        _forces(slopes, neighbors),
        (virial + virial.T) / 2,
    )


def _forces(slopes: Vectors, neighbors: Neighbors) -> jax.Array:
    """Add up the slopes along the vectors at both of their ends."""
    soaps, pairs = slopes
    found = in_one_list(soaps, [slope.sum(1) for slope in soaps], pairs)
    index, sign = neighbors.ends
    return (found[:, index] * sign).sum(1).T


def spectra(plan: Plan, vectors: Vectors, neighbors: Neighbors) -> list[jax.Array]:
    """Return the power spectra of each SOAP block, (n_components, n_centers).

    They may be 32-bit numbers. What is summed with the weights of a model must not be: a GAP is
    a small difference of numbers of 10⁵ eV.
    """
    dtype = jnp.float32 if plan.terms.descriptor_bits == 32 else jnp.float64
    found = []
    for block, vector, soap, slots in zip(
        plan.terms.blocks, vectors[0], neighbors.soaps, plan.slots, strict=True
    ):
        spectrum = partial(_spectrum, block.settings, slots)
        arrays = vector.astype(dtype), soap.present, soap.own.astype(dtype)
        found.append(_in_parts(spectrum, CENTERS_AT_ONCE, *arrays))
    return found


def _spectrum(
    settings: SoapSettings, slots: tuple[int, ...], vectors: Any, present: Any, own: Any
) -> jax.Array:
    return power_spectrum(settings, vectors, present, slots, own)


def _in_parts(evaluate: Callable[..., jax.Array], size: int, *arrays: jax.Array) -> jax.Array:
    """Call `evaluate` on parts of the last axis: what it needs fits the processor's cache."""
    n = arrays[0].shape[-1]
    if n <= size:
        return evaluate(*arrays)
    n_parts = -(-n // size)

    def in_front(array: jax.Array) -> jax.Array:
        room = [(0, 0)] * (array.ndim - 1) + [(0, n_parts * size - n)]
        parts = jnp.pad(array, room).reshape(*array.shape[:-1], n_parts, size)
        return jnp.moveaxis(parts, -2, 0)

    again = jax.checkpoint(lambda parts: evaluate(*parts))  # computed twice rather than stored
    found = jax.lax.map(again, tuple(map(in_front, arrays)))
    found = jnp.moveaxis(found, 0, -2)
    return found.reshape(*found.shape[:-2], -1)[..., :n]


def _soap_energies(
    plan: Plan, arrays: ModelArrays, vectors: Vectors, neighbors: Neighbors
) -> SoapEnergies:
    """Return for each SOAP block where each term acts, and its energies."""
    found = []
    for block, spectrum, numbers in zip(
        plan.terms.blocks,
        spectra(plan, vectors, neighbors),
        arrays.soaps,
        strict=True,
    ):
        columns = plan.columns(block)
        here = [(t, a) for t, a in zip(block.terms, numbers, strict=True) if t.center in columns]
        energies = [
            _soap_sum(term.zeta, spectrum[:, columns[term.center]], points) for term, points in here
        ]
        found.append(([columns[term.center] for term, _ in here], energies))
    return found


def _soap_sum(zeta: float, spectrum: jax.Array, points: SoapArrays | QuadraticArrays) -> jax.Array:
    spectrum = spectrum.astype(jnp.float64)
    if isinstance(points, QuadraticArrays):
        return quadratic_sum(spectrum, *points)
    return kernel_sum(zeta, spectrum, *points)


def _pair_energies(
    plan: Plan, arrays: ModelArrays, vectors: Vectors, neighbors: Neighbors
) -> list[jax.Array]:
    """Return for each pair term the energy of each pair, eV."""
    found = []
    for settings, vector, pair, numbers in zip(
        plan.terms.pairs, vectors[1], neighbors.pairs, arrays.pairs, strict=True
    ):
        energy = partial(_pair_energy, settings, numbers)
        found.append(_in_parts(energy, PAIRS_AT_ONCE, vector, pair.present))
    return found


def _pair_energy(
    settings: PairSettings, numbers: PairArrays, vectors: Any, present: Any
) -> jax.Array:
    return pair_sum(settings, vectors, present, *numbers)
