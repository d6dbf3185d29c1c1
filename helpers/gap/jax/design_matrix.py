"""K_NM, the design matrix of a GAP: what each sparse point adds to each label.

A model's energies and forces are linear in the weights α of its sparse points: E = K_E α + Σ e0
and F = K_F α. The two matrices depend on the frames, the descriptors and the sparse points, not
on the expected errors (sigma) of the labels.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013), with the conventions of gap_fit 0.10.3. A
descriptor depends on the neighbors of its own center only, and is differentiated in nothing else
(`soap_gradients`). The rows are plain NumPy: the time goes into one large matrix product for each
term.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from ase import Atoms
from scipy.sparse import csr_array

from helpers.gap.calculator import check_atoms
from helpers.gap.jax.layout import round_up
from helpers.gap.jax.soap import component_order
from helpers.gap.jax.soap_gradients import power_spectra_and_gradients
from helpers.gap.jax.terms import PairSettings, SoapSettings, term_settings
from helpers.gap.model import GapModel, GapTerm
from helpers.jax_setup import double_precision, enable_compilation_cache
from helpers.neighbors import PairList, find_pairs, pair_vectors
from helpers.terminal import progress_bar


@dataclass(frozen=True)
class DesignMatrix:
    """What each sparse point adds to the energies and forces of frames, for a weight of 1.

    Attributes
    ----------
    energies : ndarray of shape (n_frames, n_sparse), eV
        Sparse points in the order of the model's terms.
    forces : ndarray of shape (n_components, n_sparse), eV/Å
        Rows frame by frame, atom by atom, x, y, z.
    """

    energies: np.ndarray
    forces: np.ndarray


def design_matrix(
    model: GapModel, frames: Sequence[Atoms], *, progress: bool = False
) -> DesignMatrix:
    """Build K_NM for the sparse points of a model and some frames.

    Parameters
    ----------
    model : GapModel
        Its descriptors and sparse points are used, its weights are not.
    frames : sequence of ase.Atoms
        The frames; labels are not needed.
    progress : bool
        Show a bar.

    Returns
    -------
    DesignMatrix

    Raises
    ------
    PredictionError
        If a frame holds an element that the model does not know.
    UnsupportedModelError
        If a term cannot be evaluated here (see `terms.term_settings`).
    """
    energies = np.empty((len(frames), model.n_sparse))
    forces = np.empty((3 * sum(len(atoms) for atoms in frames), model.n_sparse))
    first = 0
    with progress_bar(len(frames), "comparing environments", "frame", show=progress) as bar:
        for row, frame in enumerate(_described_frames(model, frames)):
            last = first + 3 * len(frame.atoms)
            start = 0
            for term in model.terms:
                columns = slice(start, start + len(term.alpha))
                energies[row, columns], forces[first:last, columns] = _rows(term, frame)
                start = columns.stop
            first = last
            bar.update()
    return DesignMatrix(energies, forces)


def predictions(model: GapModel, frames: Sequence[Atoms], weights: np.ndarray) -> DesignMatrix:
    """Return K_NM times several sets of weights, without making K_NM: a fraction of the work.

    Parameters
    ----------
    model : GapModel
        Its descriptors and sparse points are used, its weights are not.
    frames : sequence of ase.Atoms
        The frames.
    weights : ndarray of shape (n_sparse, n_sets)
        Weights of the sparse points, in the order of the model's terms.

    Returns
    -------
    DesignMatrix
        With one column for each set of weights: energies without those of isolated atoms.

    Raises
    ------
    PredictionError, UnsupportedModelError
        As `design_matrix` does.
    """
    weights_of_terms = model.split(weights)
    energies, forces = [], []
    for frame in _described_frames(model, frames):
        products = [
            _rows_times_weights(term, frame, of_term)
            for term, of_term in zip(model.terms, weights_of_terms, strict=True)
        ]
        energies.append(sum(energy for energy, _ in products))
        forces.append(sum(force for _, force in products))
    return DesignMatrix(np.array(energies), np.concatenate(forces))


class _Soap(NamedTuple):
    """Power spectra of a frame, and their gradients by the neighbors of each center."""

    pairs: PairList  # from centers to neighbors within the cutoff
    spectra: np.ndarray  # (n_atoms, n_components)
    gradients: np.ndarray  # (n_pairs, 3, n_components), 1/Å


class _Frame(NamedTuple):
    """A frame with all its pairs, and the descriptors of each SOAP."""

    atoms: Atoms
    pairs: PairList
    soaps: dict[SoapSettings, _Soap]


class _PairArrays(NamedTuple):
    """The pairs of a frame as arrays of fixed size: what `power_spectra_and_gradients` takes."""

    vectors: Any  # (3, n_pairs), Å, from each center to its neighbor
    center: Any  # (n_pairs,)
    species: Any  # (n_species, n_pairs): 1 where the neighbor is of that species
    present: Any  # (n_pairs,): False where a place is not used
    center_species: Any  # (n_species, n_centers): 1 where the center is of that species


def _described_frames(model: GapModel, frames: Sequence[Atoms]) -> Iterator[_Frame]:
    """Compute the descriptors of frames, one after the other, with one compiled function."""
    for atoms in frames:
        check_atoms(atoms, model, model.label)
    enable_compilation_cache()
    settings_of_terms = [term_settings(term) for term in model.terms]
    cutoff_A = max(settings.cutoff_A for settings in settings_of_terms)
    soaps = {settings for settings in settings_of_terms if isinstance(settings, SoapSettings)}
    pair_lists = [find_pairs(a.positions, a.cell.array, a.pbc, cutoff_A) for a in frames]
    n_centers = max((len(atoms) for atoms in frames), default=0)
    capacity = {soap: _pair_capacity(soap, pair_lists) for soap in soaps}
    for atoms, pairs in zip(frames, pair_lists, strict=True):
        described = {
            soap: _describe(
                soap, atoms, pairs.select(pairs.distance < soap.cutoff_A), capacity[soap], n_centers
            )
            for soap in soaps
        }
        yield _Frame(atoms, pairs, described)


def _pair_capacity(settings: SoapSettings, pair_lists: Sequence[PairList]) -> int:
    """Return a number of pairs that is enough for all frames: one size to compile for."""
    n_pairs = [int((pairs.distance < settings.cutoff_A).sum()) for pairs in pair_lists]
    return round_up(max(n_pairs, default=0) or 1, 64)


def _describe(
    settings: SoapSettings, atoms: Atoms, pairs: PairList, capacity: int, n_centers: int
) -> _Soap:
    n_pairs = len(pairs.first)
    species = np.array(settings.species)[:, None]
    pad = ((0, 0), (0, capacity - n_pairs))
    is_species = (atoms.numbers == species).astype(float)
    arrays = _PairArrays(
        vectors=np.pad(pair_vectors(atoms, pairs).T, pad),
        center=np.pad(pairs.first, pad[1]),
        species=np.pad((atoms.numbers[pairs.second] == species).astype(float), pad),
        present=np.arange(capacity) < n_pairs,
        center_species=np.pad(is_species, ((0, 0), (0, n_centers - len(atoms)))),
    )
    with double_precision():
        spectra, gradients = _compiled(settings)(arrays)
        return _Soap(pairs, np.asarray(spectra)[: len(atoms)], np.asarray(gradients)[:n_pairs])


@lru_cache(maxsize=16)
def _compiled(settings: SoapSettings) -> Any:
    return jax.jit(lambda arrays: power_spectra_and_gradients(settings, *arrays))


def _rows(term: GapTerm, frame: _Frame) -> tuple[np.ndarray, np.ndarray]:
    """Return what the sparse points of a term add: energies (n_sparse,), forces (…, n_sparse)."""
    settings = term_settings(term)
    if isinstance(settings, PairSettings):
        return pair_rows(term, settings, frame.atoms, frame.pairs)
    return _soap_rows(term, settings, frame.atoms, frame.soaps[settings])


def _rows_times_weights(
    term: GapTerm, frame: _Frame, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    settings = term_settings(term)
    if isinstance(settings, PairSettings):
        energies, forces = pair_rows(term, settings, frame.atoms, frame.pairs)
        return energies @ weights, forces @ weights
    return _soap_rows_times_weights(term, settings, frame.atoms, frame.soaps[settings], weights)


def pair_rows(
    term: GapTerm, settings: PairSettings, atoms: Atoms, pairs: PairList
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a pair term. gap_fit counts every pair from both ends, as the list does."""
    near = pairs.between(settings.species, atoms.numbers, settings.cutoff_A)
    energy_rows, derivative = _pair_energies(term, settings, near)
    # The energy has each pair twice, and each time it acts on both of its atoms: over the
    # neighbors of one atom alone, that makes twice the derivative.
    direction = 2 * pair_vectors(atoms, near) / near.distance[:, None]
    force_rows = direction[:, :, None] * derivative[:, None, :]
    return energy_rows.sum(0), _sum_at_atoms(_incidence(near.first, len(atoms)), force_rows)


def pair_strain_rows(
    term: GapTerm, settings: PairSettings, atoms: Atoms, pairs: PairList
) -> np.ndarray:
    """Return what each sparse point of a pair term adds to dE/dε, (9, n_sparse), eV."""
    near = pairs.between(settings.species, atoms.numbers, settings.cutoff_A)
    _, derivative = _pair_energies(term, settings, near)
    vectors = pair_vectors(atoms, near)
    outer = vectors[:, :, None] * vectors[:, None, :] / near.distance[:, None, None]
    return outer.reshape(-1, 9).T @ derivative


def _pair_energies(
    term: GapTerm, settings: PairSettings, near: PairList
) -> tuple[np.ndarray, np.ndarray]:
    """Return energies (n_pairs, n_sparse), eV, and their derivatives by the distance, eV/Å."""
    distance = near.distance[:, None]
    cutoff, cutoff_derivative = settings.cutoff_factor(distance)
    scaled = (distance - term.sparse_points[:, 0]) / settings.theta_A
    kernel = term.delta**2 * term.sparse_cutoff * np.exp(-0.5 * scaled**2)
    derivative = kernel * (cutoff_derivative - cutoff * scaled / settings.theta_A)
    return cutoff * kernel, derivative


def _soap_rows(
    term: GapTerm, settings: SoapSettings, atoms: Atoms, soap: _Soap
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a SOAP term: δ² c_s (p · p_s)^ζ, summed over the centers of its element."""
    points, overlap, zeta, scale = _overlaps(term, settings, soap.spectra)
    indices, incidence = _edges_of_centers(term, atoms, soap.pairs)
    # One large product: many small ones, as with three dimensions, take three times as long.
    force_rows = soap.gradients[indices].reshape(3 * len(indices), len(points)) @ points
    force_rows = force_rows.reshape(len(indices), 3, points.shape[1])
    force_rows *= (zeta * scale * overlap ** (zeta - 1))[soap.pairs.first[indices], None, :]
    centers = atoms.numbers == int(term.number("Z"))
    return scale * (overlap[centers] ** zeta).sum(0), _sum_at_atoms(incidence, force_rows)


def _soap_rows_times_weights(
    term: GapTerm, settings: SoapSettings, atoms: Atoms, soap: _Soap, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a SOAP term times weights: sparse points are summed up before the neighbors."""
    points, overlap, zeta, scale = _overlaps(term, settings, soap.spectra)
    indices, incidence = _edges_of_centers(term, atoms, soap.pairs)
    centers = np.flatnonzero(atoms.numbers == int(term.number("Z")))
    derivative = zeta * scale * overlap[centers] ** (zeta - 1)
    direction = np.zeros((len(atoms), len(points), weights.shape[1]))
    direction[centers] = points @ (derivative[:, :, None] * weights)
    force_rows = soap.gradients[indices] @ direction[soap.pairs.first[indices]]
    energies = (scale * (overlap[centers] ** zeta).sum(0)) @ weights
    return energies, _sum_at_atoms(incidence, force_rows)


def _overlaps(
    term: GapTerm, settings: SoapSettings, spectra: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Return sparse points (n_components, n_sparse), p · p_s, ζ, and δ² c_s."""
    points = term.sparse_points[:, component_order(settings)].T
    zeta, overlap = float(term.zeta or 1.0), spectra @ points
    if zeta != int(zeta):
        overlap = np.maximum(overlap, 0.0)
    return points, overlap, zeta, term.delta**2 * term.sparse_cutoff


def _edges_of_centers(term: GapTerm, atoms: Atoms, pairs: PairList) -> tuple[np.ndarray, csr_array]:
    """Return indices of the pairs whose center is the term's element, and their incidence.

    The signed incidence matrix (n_atoms, n_pairs) adds up at both atoms of each pair: 1 at its
    center, −1 at the neighbor.
    """
    indices = np.flatnonzero(atoms.numbers[pairs.first] == int(term.number("Z")))
    ends = (pairs.first, pairs.second)
    first, second = (_incidence(end[indices], len(atoms)) for end in ends)
    return indices, first - second


def _sum_at_atoms(incidence: csr_array, force_rows: np.ndarray) -> np.ndarray:
    """Add (n_pairs, 3, n_sparse) up at the atoms: (3 n_atoms, n_sparse)."""
    n_pairs, _, n_sparse = force_rows.shape
    forces = incidence @ force_rows.reshape(n_pairs, 3 * n_sparse)
    return forces.reshape(-1, n_sparse)


def _incidence(atom: np.ndarray, n_atoms: int) -> csr_array:
    """Return the matrix (n_atoms, n_pairs) that adds up what belongs to each atom."""
    ones = np.ones(len(atom))
    return csr_array((ones, (atom, np.arange(len(atom)))), shape=(n_atoms, len(atom)))
