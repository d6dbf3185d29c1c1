"""Energy, energies of atoms, forces and virial: pure functions of a model and positions.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013). The energy is a function of the vectors
between neighbours alone, so one reverse pass gives its slope along each of them: added up at the
atoms they are the forces, multiplied with the vectors the strain derivative (the virial).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from helpers.gap.jax.descriptors import kernel_sum, pair_sum, power_spectrum
from helpers.gap.jax.neighbours import Neighbours
from helpers.gap.jax.plan import ModelArrays, Plan

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


def neighbour_vectors(positions: jax.Array, cell: jax.Array, neighbours: Neighbours) -> Vectors:
    """Return the vectors from atoms to their neighbours, periodic images included.

    Parameters
    ----------
    positions : array of shape (n_atoms, 3), Å
    cell : array of shape (3, 3), Å
        One cell vector per row.
    neighbours : Neighbours
        Who is next to whom.
    """
    p = positions.T
    soaps = tuple(
        p[:, s.index] - p[:, s.centre][:, None] + jnp.einsum("kc,kja->cja", cell, s.shift)
        for s in neighbours.soaps
    )
    pairs = tuple(p[:, e.second] - p[:, e.first] + cell.T @ e.shift for e in neighbours.pairs)
    return soaps, pairs


def atomic_energies(
    plan: Plan, arrays: ModelArrays, vectors: Vectors, neighbours: Neighbours
) -> jax.Array:
    """Return the share of each atom in the energy, shape (n_atoms,), eV."""
    soaps = _soap_energies(plan, arrays, vectors, neighbours)
    pairs = _pair_energies(plan, arrays, vectors, neighbours)
    return _shares(plan, soaps, pairs, neighbours)


def _shares(
    plan: Plan, soaps: SoapEnergies, pairs: list[jax.Array], neighbours: Neighbours
) -> jax.Array:
    """Give each atom its SOAP energies and half of its pair energies."""
    energies = jnp.zeros(plan.n_atoms)
    for (columns, energy), nearby in zip(soaps, neighbours.soaps, strict=True):
        for place, share in zip(columns, energy, strict=True):
            energies = energies.at[nearby.centre[place]].add(share)
    for both, pair in zip(pairs, neighbours.pairs, strict=True):
        energies = energies.at[pair.first].add(both / 2).at[pair.second].add(both / 2)
    return energies


def _sum(soaps: SoapEnergies, pairs: list[jax.Array]) -> jax.Array:
    parts = [energy for _, energies in soaps for energy in energies] + pairs
    return sum((part.sum() for part in parts), start=jnp.zeros(()))


def interaction_energy(
    plan: Plan, arrays: ModelArrays, vectors: Vectors, neighbours: Neighbours
) -> jax.Array:
    """Return the energy without that of isolated atoms, eV."""
    soaps = _soap_energies(plan, arrays, vectors, neighbours)
    return _sum(soaps, _pair_energies(plan, arrays, vectors, neighbours))


def energy_and_forces(
    plan: Plan,
    arrays: ModelArrays,
    positions: jax.Array,
    cell: jax.Array,
    neighbours: Neighbours,
) -> tuple[jax.Array, jax.Array]:
    """Return the energy (eV, without isolated atoms) and the forces (n_atoms, 3), eV/Å."""
    vectors = neighbour_vectors(positions, cell, neighbours)
    energy, slopes = jax.value_and_grad(partial(interaction_energy, plan, arrays))(
        vectors, neighbours
    )
    return energy.astype(positions.dtype), _forces(plan, slopes, neighbours, positions.dtype)


def predict(
    plan: Plan,
    arrays: ModelArrays,
    positions: jax.Array,
    cell: jax.Array,
    neighbours: Neighbours,
) -> Prediction:
    """Return everything at once: energy, energies of atoms, forces and virial."""
    vectors = neighbour_vectors(positions, cell, neighbours)

    def total(vectors: Vectors) -> tuple[jax.Array, jax.Array]:
        soaps = _soap_energies(plan, arrays, vectors, neighbours)
        pairs = _pair_energies(plan, arrays, vectors, neighbours)
        return _sum(soaps, pairs), _shares(plan, soaps, pairs, neighbours)

    (energy, energies), slopes = jax.value_and_grad(total, has_aux=True)(vectors)
    dtype = positions.dtype
    virial = jnp.zeros((3, 3), dtype)
    for slope, vector in zip(jax.tree.leaves(slopes), jax.tree.leaves(vectors), strict=True):
        virial = virial + slope.reshape(3, -1) @ vector.reshape(3, -1).T
    return Prediction(
        energy.astype(dtype),
        energies.astype(dtype),
        _forces(plan, slopes, neighbours, dtype),
        (virial + virial.T) / 2,
    )


def _forces(plan: Plan, slopes: Vectors, neighbours: Neighbours, dtype: Any) -> jax.Array:
    """Add up the slopes along the vectors at both of their ends."""
    forces = jnp.zeros((plan.n_atoms, 3), dtype)
    for slope, soap in zip(slopes[0], neighbours.soaps, strict=True):
        forces = forces.at[soap.centre].add(slope.sum(1).T)
        forces = forces.at[soap.index.reshape(-1)].add(-slope.reshape(3, -1).T)
    for slope, pair in zip(slopes[1], neighbours.pairs, strict=True):
        forces = forces.at[pair.first].add(slope.T).at[pair.second].add(-slope.T)
    return forces


def spectra(plan: Plan, dtype: Any, vectors: Vectors, neighbours: Neighbours) -> list[jax.Array]:
    """Return the power spectra of each SOAP block, (n_components, n_centres)."""
    return [
        power_spectrum(block.settings, vector.astype(dtype), soap.present, slots, soap.own)
        for block, vector, soap, slots in zip(
            plan.terms.blocks, vectors[0], neighbours.soaps, plan.slots, strict=True
        )
    ]


def _soap_energies(
    plan: Plan, arrays: ModelArrays, vectors: Vectors, neighbours: Neighbours
) -> SoapEnergies:
    """Return for each SOAP block where each term acts, and its energies."""
    dtype = jnp.result_type(*jax.tree.leaves(arrays))
    found = []
    for block, spectrum, numbers in zip(
        plan.terms.blocks,
        spectra(plan, dtype, vectors, neighbours),
        arrays.soaps,
        strict=True,
    ):
        columns = plan.columns(block)
        here = [(t, a) for t, a in zip(block.terms, numbers, strict=True) if t.centre in columns]
        energies = [
            kernel_sum(term.zeta, spectrum[:, columns[term.centre]], *points)
            for term, points in here
        ]
        found.append(([columns[term.centre] for term, _ in here], energies))
    return found


def _pair_energies(
    plan: Plan, arrays: ModelArrays, vectors: Vectors, neighbours: Neighbours
) -> list[jax.Array]:
    """Return for each pair term the energy of each pair, eV."""
    return [
        pair_sum(settings, vector.astype(numbers.points.dtype), pair.present, *numbers)
        for settings, vector, pair, numbers in zip(
            plan.terms.pairs, vectors[1], neighbours.pairs, arrays.pairs, strict=True
        )
    ]
