"""K_NM, the matrix that a GAP is fitted with: what each sparse point adds to each label.

A model's energies and forces are linear in the weights α of its sparse points: E = K_E α + Σ e0
and F = K_F α. The two matrices depend on the frames, the descriptors and the sparse points, not
on the expected errors (sigma) of the labels.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013), with the conventions of gap_fit 0.10.3. A
descriptor depends on the neighbors of its own center only, and is differentiated in nothing else
(`soap_gradients`). The rows are plain NumPy: the time goes into one large matrix product for each
term.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from ase import Atoms
from scipy.sparse import csr_array

from helpers.gap.calculator import check_atoms
from helpers.gap.jax.soap import component_order
from helpers.gap.jax.soap_gradients import spectra_and_slopes
from helpers.gap.jax.terms import PairSettings, SoapSettings, term_settings
from helpers.gap.model import GapModel, GapTerm
from helpers.jax_setup import double_precision, enable_compilation_cache
from helpers.neighbors import PairList, find_pairs


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


class _Pairs(NamedTuple):
    """The neighbors of a frame as arrays of fixed size; unused places are not `present`."""

    vectors: Any  # (3, n_pairs), Å, from each center to its neighbor
    center: Any  # (n_pairs,)
    species: Any  # (n_species, n_pairs): 1 where the neighbor is of that species
    present: Any  # (n_pairs,)
    own: Any  # (n_species, n_centers): 1 where the center is of that species


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
        If a term cannot be evaluated here (see `settings.term_settings`).
    """
    energies = np.empty((len(frames), model.n_sparse))
    forces = np.empty((3 * sum(len(atoms) for atoms in frames), model.n_sparse))
    first = 0
    for row, frame in enumerate(_shown(_described(model, frames), len(frames), progress)):
        last = first + 3 * len(frame.atoms)
        start = 0
        for term in model.terms:
            columns = slice(start, start + len(term.alpha))
            energies[row, columns], forces[first:last, columns] = _rows(term, frame)
            start = columns.stop
        first = last
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
    parts = model.split(weights)
    energies, forces = [], []
    for frame in _described(model, frames):
        both = zip(model.terms, parts, strict=True)
        found = [_rows_times(term, frame, part) for term, part in both]
        energies.append(sum(energy for energy, _ in found))
        forces.append(sum(force for _, force in found))
    return DesignMatrix(np.array(energies), np.concatenate(forces))


class _Frame(NamedTuple):
    """A frame with its pairs, and for each SOAP its near pairs, spectra and slopes."""

    atoms: Atoms
    pairs: PairList
    soaps: dict[SoapSettings, tuple[PairList, np.ndarray, np.ndarray]]


def _described(model: GapModel, frames: Sequence[Atoms]) -> Iterator[_Frame]:
    """Compute the descriptors of frames, one after the other, with one compiled function."""
    for atoms in frames:
        check_atoms(atoms, model, model.label)
    enable_compilation_cache()
    settings = [term_settings(term) for term in model.terms]
    reach = max(each.cutoff_A for each in settings)
    soaps = {each for each in settings if isinstance(each, SoapSettings)}
    lists = [find_pairs(a.positions, a.cell.array, a.pbc, reach) for a in frames]
    most = max((len(atoms) for atoms in frames), default=0)
    rooms = {each: _room(each, lists, most) for each in soaps}
    for atoms, pairs in zip(frames, lists, strict=True):
        near = {each: _near(pairs, each.cutoff_A) for each in soaps}
        found = {
            each: (near[each], *_spectra(each, atoms, near[each], rooms[each])) for each in soaps
        }
        yield _Frame(atoms, pairs, found)


def _rows(term: GapTerm, frame: _Frame) -> tuple[np.ndarray, np.ndarray]:
    settings = term_settings(term)
    if isinstance(settings, PairSettings):
        return pair_rows(term, settings, frame.atoms, frame.pairs)
    return soap_rows(term, settings, frame.atoms, *frame.soaps[settings])


def _rows_times(term: GapTerm, frame: _Frame, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    settings = term_settings(term)
    if isinstance(settings, PairSettings):
        energies, forces = pair_rows(term, settings, frame.atoms, frame.pairs)
        return energies @ weights, forces @ weights
    return soap_times(term, settings, frame.atoms, *frame.soaps[settings], weights)


def _near(pairs: PairList, cutoff_A: float) -> PairList:
    return pairs.chosen(pairs.distance < cutoff_A)


def _room(settings: SoapSettings, lists: Sequence[PairList], most_atoms: int) -> tuple[int, int]:
    """Return numbers of pairs and centers that are enough for all frames: one size to compile."""
    most = max((int((pairs.distance < settings.cutoff_A).sum()) for pairs in lists), default=0)
    return 64 * math.ceil(max(most, 1) / 64), most_atoms


def _spectra(
    settings: SoapSettings, atoms: Atoms, near: PairList, room: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return power spectra (n_atoms, n_components) and slopes (n_pairs, 3, n_components)."""
    n_pairs, n_centers = room
    n = len(near.first)
    species = np.array(settings.species)[:, None]
    pad = ((0, 0), (0, n_pairs - n))
    arrays = _Pairs(
        vectors=np.pad(pair_vectors(atoms, near).T, pad),
        center=np.pad(near.first, pad[1]),
        species=np.pad((atoms.numbers[near.second] == species).astype(float), pad),
        present=np.arange(n_pairs) < n,
        own=np.pad((atoms.numbers == species).astype(float), ((0, 0), (0, n_centers - len(atoms)))),
    )
    with double_precision():
        spectra, slopes = _compiled(settings)(arrays)
        return np.asarray(spectra)[: len(atoms)], np.asarray(slopes)[:n]


@lru_cache(maxsize=16)
def _compiled(settings: SoapSettings) -> Any:
    return jax.jit(lambda pairs: spectra_and_slopes(settings, *pairs))


def _shown(items: Iterator[_Frame], total: int, progress: bool) -> Iterator[_Frame]:
    if not progress:
        return items
    from tqdm.auto import tqdm

    bar: Any = tqdm(
        items, total=total, desc="comparing environments", unit="frame", file=sys.stderr
    )
    return iter(bar)


def pair_rows(
    term: GapTerm, settings: PairSettings, atoms: Atoms, pairs: PairList
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a pair term. gap_fit counts every pair from both ends, as the list does."""
    near = pairs.between(settings.species, atoms.numbers, settings.cutoff_A)
    distance = near.distance[:, None]
    cut, cut_slope = settings.cutoff_factor(distance)
    scaled = (distance - term.sparse_points[:, 0]) / settings.theta_A
    kernel = term.delta**2 * term.sparse_cutoff * np.exp(-0.5 * scaled**2)
    slope = kernel * (cut_slope - cut * scaled / settings.theta_A)
    # The energy has each pair twice, and each time it pulls at both of its atoms: over the
    # neighbors of one atom alone, that makes twice the slope.
    along = 2 * pair_vectors(atoms, near) / distance
    pull = along[:, :, None] * slope[:, None, :]
    return (cut * kernel).sum(0), _added_up(_incidence(near.first, len(atoms)), pull)


def soap_rows(
    term: GapTerm,
    settings: SoapSettings,
    atoms: Atoms,
    near: PairList,
    spectra: np.ndarray,
    slopes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a SOAP term: δ² c_s (p · p_s)^ζ, summed over the centers of its element."""
    points, overlap, zeta, scale = _overlaps(term, settings, spectra)
    chosen, both = _ends(term, atoms, near)
    # One large product: many small ones, as with three dimensions, take three times as long.
    pull = slopes[chosen].reshape(3 * len(chosen), len(points)) @ points
    pull = pull.reshape(len(chosen), 3, points.shape[1])
    pull *= (zeta * scale * overlap ** (zeta - 1))[near.first[chosen], None, :]
    own = atoms.numbers == int(term.number("Z"))
    return scale * (overlap[own] ** zeta).sum(0), _added_up(both, pull)


def soap_times(
    term: GapTerm,
    settings: SoapSettings,
    atoms: Atoms,
    near: PairList,
    spectra: np.ndarray,
    slopes: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a SOAP term times weights: sparse points are summed up before the neighbors."""
    points, overlap, zeta, scale = _overlaps(term, settings, spectra)
    chosen, both = _ends(term, atoms, near)
    own = np.flatnonzero(atoms.numbers == int(term.number("Z")))
    slope = zeta * scale * overlap[own] ** (zeta - 1)
    direction = np.zeros((len(atoms), len(points), weights.shape[1]))
    direction[own] = points @ (slope[:, :, None] * weights)
    pull = slopes[chosen] @ direction[near.first[chosen]]
    energies = (scale * (overlap[own] ** zeta).sum(0)) @ weights
    return energies, _added_up(both, pull)


def _overlaps(
    term: GapTerm, settings: SoapSettings, spectra: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Return sparse points (n_components, n_sparse), p · p_s, ζ, and δ² c_s."""
    points = term.sparse_points[:, component_order(settings)].T
    zeta, overlap = float(term.zeta or 1.0), spectra @ points
    if zeta != int(zeta):
        overlap = np.maximum(overlap, 0.0)
    return points, overlap, zeta, term.delta**2 * term.sparse_cutoff


def _ends(term: GapTerm, atoms: Atoms, near: PairList) -> tuple[np.ndarray, csr_array]:
    """Return the pairs whose center is the term's element, and what adds them up at both atoms."""
    chosen = np.flatnonzero(atoms.numbers[near.first] == int(term.number("Z")))
    first, second = (_incidence(end[chosen], len(atoms)) for end in (near.first, near.second))
    return chosen, first - second


def _added_up(incidence: csr_array, pull: np.ndarray) -> np.ndarray:
    """Add (n_pairs, 3, n_sparse) up at the atoms: (3 n_atoms, n_sparse)."""
    n_pairs, _, n_sparse = pull.shape
    forces = incidence @ pull.reshape(n_pairs, 3 * n_sparse)
    return forces.reshape(-1, n_sparse)


def _incidence(atom: np.ndarray, n_atoms: int) -> csr_array:
    """Return the matrix (n_atoms, n_pairs) that adds up what belongs to each atom."""
    ones = np.ones(len(atom))
    return csr_array((ones, (atom, np.arange(len(atom)))), shape=(n_atoms, len(atom)))


def pair_vectors(atoms: Atoms, pairs: PairList) -> np.ndarray:
    """Return the vectors from the first to the second atom of each pair, (n_pairs, 3), Å."""
    apart = atoms.positions[pairs.second] - atoms.positions[pairs.first]
    # Where there is no periodicity the shift is 0, and the cell does not matter.
    return apart + pairs.shift @ atoms.cell.array
