"""Rows of K_NM for one frame and one SOAP term: energies, and forces from the neighbor expansion.

The power spectrum is bilinear in the expansion coefficients X of the neighbor density, so the
overlap with each sparse point s is

    p · p_s = Σ_l Σ_m X_lmᵀ A_l^s X_lm

with symmetric matrices A_l^s between channels (species, n). A neighbor moves the coefficients of
its own species only, ∂X, which meet Y^s = A^s X of the center: products over n_max (l_max + 1)²
numbers for each neighbor, where whole power spectra have four times as many and more.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013), with the conventions of gap_fit 0.10.3.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from scipy.sparse import csr_array

from helpers.gap.jax.radial import radial_basis, radial_functions
from helpers.gap.jax.soap import real_spherical_harmonics
from helpers.gap.jax.terms import SoapSettings
from helpers.jax_setup import double_precision
from helpers.neighbors import PairList, pair_vectors

ROWS_MB = 16  # of a frame, before they are added up at its atoms: what fits into the caches


class Expansion(NamedTuple):
    """The neighbor density of every atom of a frame, expanded, and its derivatives.

    Pairs are sorted by center, and for each center by the species of the neighbor.

    Attributes
    ----------
    first, second : int ndarray of shape (n_pairs,)
        The center and the neighbor of each pair.
    vectors : ndarray of shape (n_pairs, 3), Å
        From the center to the neighbor.
    starts : int ndarray of shape (n_atoms, n_species + 1)
        Where the pairs of a center with neighbors of each species begin, and where they end.
    coefficients : ndarray of shape (n_atoms, (l_max + 1)², n_channels)
        X_lm; channels are (species, n), n fastest.
    gradients : ndarray of shape (n_pairs, 3, (l_max + 1)² n_max), 1/Å
        Change of the coefficients of the neighbor's species when the neighbor moves.
    """

    first: np.ndarray
    second: np.ndarray
    vectors: np.ndarray
    starts: np.ndarray
    coefficients: np.ndarray
    gradients: np.ndarray


class SparseTensors(NamedTuple):
    """The sparse points of a SOAP term as matrices between channels.

    Attributes
    ----------
    points : ndarray of shape (n_sparse, n_components)
        Normalized power spectra in gap_fit's order, without the last component, which is 0.
    matrices : list over species of lists over l of ndarray (n_channels, n_max · n_sparse)
        A_l^s; the last axis is (n of that species, sparse point).
    scale : ndarray of shape (n_sparse,), eV²
        δ² c_s.
    zeta : float
        Power of the kernel.
    """

    points: np.ndarray
    matrices: list[list[np.ndarray]]
    scale: np.ndarray
    zeta: float


def expand(
    settings: SoapSettings,
    atoms: Atoms,
    near: PairList,
    *,
    pair_capacity: int,
    atom_capacity: int,
    gradients: bool,
) -> Expansion:
    """Expand the neighbor density of all atoms of a frame.

    Parameters
    ----------
    settings : SoapSettings
    atoms : ase.Atoms
    near : PairList
        All pairs within the cutoff, each from both ends.
    pair_capacity, atom_capacity : int
        Sizes of the arrays for which code is compiled: as many as there are, or more.
    gradients : bool
        Whether derivatives are wanted; without them the field is empty.
    """
    n, n_species = len(near.first), len(settings.species)
    species = np.searchsorted(np.sort(settings.species), atoms.numbers[near.second])
    species = np.argsort(settings.species)[np.minimum(species, n_species - 1)]
    order = np.lexsort((species, near.first))
    near, species = near.select(order), species[order]
    vectors = pair_vectors(atoms, near)
    key = near.first * n_species + species
    starts = np.searchsorted(key, np.arange(len(atoms) * n_species + 1))
    table = np.column_stack([starts[:-1].reshape(-1, n_species), starts[n_species::n_species]])
    known = np.array(settings.species)[:, None]
    own = (atoms.numbers == known).astype(float)
    arrays = (
        np.pad(vectors.T, ((0, 0), (0, pair_capacity - n))),
        np.pad(near.first, (0, pair_capacity - n)),
        np.pad(np.eye(n_species)[species].T, ((0, 0), (0, pair_capacity - n))),
        np.arange(pair_capacity) < n,
        np.pad(own, ((0, 0), (0, atom_capacity - len(atoms)))),
    )
    with double_precision():
        coefficients, slopes = _compiled(settings, gradients)(*arrays)
        return Expansion(
            near.first,
            near.second,
            vectors,
            table,
            np.asarray(coefficients)[: len(atoms)],
            np.asarray(slopes)[:n],
        )


def power_spectra(
    settings: SoapSettings, coefficients: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return normalized power spectra (n_atoms, n_components) in gap_fit's order, and lengths."""
    upper, lower = np.tril_indices(settings.n_channels)
    weight = np.where(upper == lower, 1.0, math.sqrt(2.0))
    by_l = []
    for l in range(settings.l_max + 1):
        x = coefficients[:, l * l : (l + 1) ** 2]
        products = x.transpose(0, 2, 1) @ x
        by_l.append(products[:, upper, lower] * (weight / math.sqrt(2 * l + 1)))
    spectra = np.stack(by_l, axis=-1).reshape(len(coefficients), -1)
    lengths = np.sqrt(np.einsum("ac,ac->a", spectra, spectra))
    return spectra / np.where(lengths > 0, lengths, 1.0)[:, None], lengths


def channel_matrices(settings: SoapSettings, points: np.ndarray) -> list[np.ndarray]:
    """Return for each l the matrices A_l between channels, (n_channels, n_channels, n_points).

    Parameters
    ----------
    settings : SoapSettings
    points : ndarray of shape (n_points, n_components)
        Power spectra in gap_fit's order.
    """
    n_l = settings.l_max + 1
    upper, lower = np.tril_indices(settings.n_channels)
    half = np.where(upper == lower, 1.0, math.sqrt(0.5))  # √2/2: each side has half of it
    by_pair = points.reshape(len(points), len(upper), n_l)
    matrices = []
    for l in range(n_l):
        matrix = np.empty((settings.n_channels, settings.n_channels, len(points)))
        values = (by_pair[:, :, l] * (half / math.sqrt(2 * l + 1))).T
        matrix[upper, lower] = values
        matrix[lower, upper] = values
        matrices.append(matrix)
    return matrices


def sparse_tensors(
    settings: SoapSettings, points: np.ndarray, scale: np.ndarray, zeta: float
) -> SparseTensors:
    """Prepare the sparse points of a term (see `SparseTensors`)."""
    by_l = channel_matrices(settings, points)
    n_max, n_channels = settings.n_max, settings.n_channels
    matrices = [
        [matrix[:, k : k + n_max].reshape(n_channels, -1) for matrix in by_l]
        for k in range(0, n_channels, n_max)
    ]
    return SparseTensors(points, matrices, scale, float(zeta))


def soap_rows(
    settings: SoapSettings,
    tensors: SparseTensors,
    expansion: Expansion,
    spectra: np.ndarray,
    lengths: np.ndarray,
    centers: np.ndarray,
    *,
    with_strain: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what each sparse point adds to energy, forces and strain derivative of a frame.

    Parameters
    ----------
    settings, tensors, expansion
        Descriptor, sparse points, and the frame with gradients.
    spectra, lengths : ndarray
        Of all atoms (see `power_spectra`).
    centers : int ndarray
        The atoms of the term's element.
    with_strain : bool
        Whether the derivative by the strain is wanted.

    Returns
    -------
    energy : ndarray of shape (n_sparse,), eV
    forces : ndarray of shape (3 n_atoms, n_sparse), eV/Å
    strain : ndarray of shape (9, n_sparse), eV
        dE/dε, xx xy … zz; empty unless it is wanted.
    """
    n_atoms, n_sparse = len(expansion.coefficients), len(tensors.points)
    energy, factor, overlap = _kernel(tensors, spectra, lengths, centers)
    # Changes of p̂ along p̂ itself do not count.
    own = channel_matrices(settings, spectra[centers])
    itself = _along_gradients(settings, expansion, centers, _meet(expansion, centers, own, 1))
    n_m, n_max, n_species = (settings.l_max + 1) ** 2, settings.n_max, len(settings.species)
    met = np.empty((n_m, n_max * n_sparse))
    forces = np.zeros((n_atoms, 3 * n_sparse))
    strain = np.zeros((3 if with_strain else 0, 3 * n_sparse))
    for part in _parts(expansion, centers, 3 * n_sparse):
        first, last = expansion.starts[centers[part], 0], expansion.starts[centers[part], -1]
        rows = np.empty((int((last - first).sum()), 3, n_sparse))
        pairs = np.empty(len(rows), int)
        at = 0
        for k in range(part.start, part.stop):
            center, begin = centers[k], at
            x = expansion.coefficients[center]
            for species in range(n_species):
                here = slice(*expansion.starts[center, species : species + 2])
                n = here.stop - here.start
                if n:
                    for l, matrix in enumerate(tensors.matrices[species]):
                        of_l = slice(l * l, (l + 1) ** 2)
                        np.matmul(x[of_l], matrix, out=met[of_l])
                    gradients = expansion.gradients[here].reshape(3 * n, -1)
                    out = rows[at : at + n].reshape(3 * n, n_sparse)
                    np.matmul(gradients, met.reshape(-1, n_sparse), out=out)
                    pairs[at : at + n] = np.arange(here.start, here.stop)
                    at += n
            of_center = rows[begin:at]
            of_center -= itself[pairs[begin:at]] * overlap[k]
            of_center *= factor[k]
        flat = rows.reshape(len(rows), 3 * n_sparse)
        forces += _ends(expansion, pairs, n_atoms) @ flat
        if with_strain:
            strain += expansion.vectors[pairs].T @ flat
    return energy, forces.reshape(3 * n_atoms, n_sparse), strain.reshape(-1, n_sparse)


def soap_products(
    settings: SoapSettings,
    tensors: SparseTensors,
    expansion: Expansion,
    spectra: np.ndarray,
    lengths: np.ndarray,
    centers: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of energy and forces times weights, without making the rows.

    The sparse points are summed up first: what is left for each center is one power spectrum for
    each set of weights.

    Parameters
    ----------
    settings, tensors, expansion, spectra, lengths, centers
        As in `soap_rows`.
    weights : ndarray of shape (n_sparse, n_sets)

    Returns
    -------
    energies : ndarray of shape (n_sets,), eV
    forces : ndarray of shape (3 n_atoms, n_sets), eV/Å
    """
    n_atoms, n_sets = len(expansion.coefficients), weights.shape[1]
    energy, factor, _ = _kernel(tensors, spectra, lengths, centers)
    sums = np.stack([(factor * of_set) @ tensors.points for of_set in weights.T], axis=1)
    along = np.einsum("ksc,kc->ks", sums, spectra[centers])
    sums -= along[:, :, None] * spectra[centers][:, None]  # p̂ changes across itself only
    matrices = channel_matrices(
        settings, sums.reshape(len(centers) * n_sets, tensors.points.shape[1])
    )
    rows = _along_gradients(
        settings, expansion, centers, _meet(expansion, centers, matrices, n_sets)
    )
    pairs = np.concatenate(
        [np.arange(*expansion.starts[center, [0, -1]]) for center in centers] or [np.empty(0, int)]
    )
    forces = _ends(expansion, pairs, n_atoms) @ rows[pairs].reshape(len(pairs), 3 * n_sets)
    return energy @ weights, forces.reshape(3 * n_atoms, n_sets)


def _kernel(
    tensors: SparseTensors, spectra: np.ndarray, lengths: np.ndarray, centers: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return energies (n_sparse,), twice dk/d(p · p_s) / |p|, and p̂ · p_s, (n_centers, n_sparse).

    Twice, because a change of the expansion coefficients counts on both sides of X A X.
    """
    overlap = spectra[centers] @ tensors.points.T
    if tensors.zeta != int(tensors.zeta):
        overlap = np.maximum(overlap, 0.0)
    energy = (tensors.scale * overlap**tensors.zeta).sum(0)
    factor = tensors.zeta * tensors.scale * overlap ** (tensors.zeta - 1)
    factor *= (2 / np.where(lengths > 0, lengths, 1.0)[centers])[:, None]
    return energy, factor, overlap


def _parts(expansion: Expansion, centers: np.ndarray, n_columns: int) -> list[slice]:
    """Cut the centers into parts whose rows take about `ROWS_MB`."""
    n_rows = expansion.starts[centers, -1] - expansion.starts[centers, 0]
    part = (8e-6 * n_columns * np.cumsum(n_rows) / ROWS_MB).astype(int)
    begins = np.flatnonzero(np.diff(part, prepend=-1))
    ends = np.append(begins[1:], len(centers))[: len(begins)]
    return [slice(*both) for both in zip(begins.tolist(), ends.tolist(), strict=True)]


def _ends(expansion: Expansion, pairs: np.ndarray, n_atoms: int) -> csr_array:
    """Return the matrix (n_atoms, n_rows) that adds at each center and subtracts at neighbors."""
    n_rows = len(pairs)
    atoms = np.concatenate([expansion.first[pairs], expansion.second[pairs]])
    signs = np.repeat([1.0, -1.0], n_rows)
    return csr_array((signs, (atoms, np.tile(np.arange(n_rows), 2))), shape=(n_atoms, n_rows))


def _meet(
    expansion: Expansion, centers: np.ndarray, matrices: list[np.ndarray], n_sets: int
) -> np.ndarray:
    """Return X_lmᵀ A_l of each center, (n_centers, (l_max + 1)², n_channels, n_sets).

    `matrices` holds for each l those of center after center, `n_sets` of them for each.
    """
    n_channels = expansion.coefficients.shape[2]
    by_l = []
    for l, matrix in enumerate(matrices):
        x = expansion.coefficients[centers, l * l : (l + 1) ** 2]
        flat = matrix.reshape(n_channels, n_channels, len(centers), n_sets).transpose(2, 0, 1, 3)
        by_l.append(x @ flat.reshape(len(centers), n_channels, n_channels * n_sets))
    met = np.concatenate(by_l, axis=1)
    return met.reshape(*met.shape[:2], n_channels, n_sets)


def _along_gradients(
    settings: SoapSettings, expansion: Expansion, centers: np.ndarray, met: np.ndarray
) -> np.ndarray:
    """Return ∂X · `met` of the pair's center for each pair and direction, (n_pairs, 3, n_sets)."""
    n_max, n_species, n_sets = settings.n_max, len(settings.species), met.shape[-1]
    met = met.reshape(len(centers), met.shape[1], n_species, n_max, n_sets)
    result = np.zeros((len(expansion.first), 3, n_sets))
    for k, center in enumerate(centers):
        for species in range(n_species):
            here = slice(*expansion.starts[center, species : species + 2])
            result[here] = expansion.gradients[here] @ met[k, :, species].reshape(-1, n_sets)
    return result


@lru_cache(maxsize=16)
def _compiled(settings: SoapSettings, gradients: bool) -> Any:
    return jax.jit(lambda *arrays: _expand(settings, gradients, *arrays))


def _expand(
    settings: SoapSettings,
    gradients: bool,
    vectors: jax.Array,
    center: jax.Array,
    species: jax.Array,
    present: jax.Array,
    own: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return coefficients and gradients as `Expansion` holds them, of padded arrays."""
    n_pairs, n_atoms = vectors.shape[1], own.shape[1]
    away = jnp.array([2 * settings.cutoff_A, 0.0, 0.0])[:, None]
    vectors = jnp.where(present, vectors, away)  # no weight there, and no division by 0
    if gradients:

        def along(direction: jax.Array) -> tuple[jax.Array, jax.Array]:
            change = jnp.broadcast_to(direction[:, None], vectors.shape)
            return jax.jvp(lambda v: neighbor_density(settings, v), (vectors,), (change,))

        density, changes = jax.vmap(along, out_axes=(None, 0))(jnp.eye(3))
        slopes = changes.transpose(3, 0, 1, 2).reshape(n_pairs, 3, -1)
    else:
        density, slopes = neighbor_density(settings, vectors), jnp.zeros((n_pairs, 0))
    density = jnp.einsum("mnp,sp->pmsn", density, species).reshape(n_pairs, -1, settings.n_channels)
    coefficients = jax.ops.segment_sum(density, center, n_atoms)
    weight = settings.central_weight / math.sqrt(4 * math.pi)
    basis = weight * jnp.asarray(radial_basis(settings).center)
    lonely = jnp.einsum("sc,n->csn", own, basis).reshape(n_atoms, -1)
    return coefficients.at[:, 0].add(lonely), slopes


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
