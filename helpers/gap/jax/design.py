"""K_NM, the matrix that a GAP is fitted with: what each sparse point adds to each label.

A model's energies and forces are linear in the weights α of its sparse points: E = K_E α + Σ e0
and F = K_F α. The two matrices depend on the frames, the descriptors and the sparse points, not
on the expected errors (sigma) of the labels.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013). A descriptor depends on the neighbours of
its own centre only, and is differentiated in nothing else (`slopes`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from ase import Atoms
from scipy.sparse import csr_array

from helpers.gap.atoms import check_atoms
from helpers.gap.jax.descriptors import component_order
from helpers.gap.jax.neighbours import PairList, find_pairs
from helpers.gap.jax.runtime import double_precision, keep_compiled_code
from helpers.gap.jax.settings import PairSettings, SoapSettings, term_settings
from helpers.gap.jax.slopes import spectra_and_slopes
from helpers.gap.model import GapModel, GapTerm


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
    """The neighbours of a frame as arrays of fixed size; unused places are not `present`."""

    vectors: Any  # (3, n_pairs), Å, from each centre to its neighbour
    centre: Any  # (n_pairs,)
    species: Any  # (n_species, n_pairs): 1 where the neighbour is of that species
    present: Any  # (n_pairs,)
    own: Any  # (n_species, n_centres): 1 where the centre is of that species


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
    for atoms in frames:
        check_atoms(atoms, model, model.label)
    keep_compiled_code()
    settings = [term_settings(term) for term in model.terms]
    reach = max(each.cutoff_A for each in settings)
    lists = [find_pairs(a.positions, a.cell.array, a.pbc, reach) for a in frames]
    n_atoms = [len(atoms) for atoms in frames]
    rooms = {
        each: _room(each, lists, max(n_atoms, default=0))
        for each in settings
        if isinstance(each, SoapSettings)
    }
    energies = np.empty((len(frames), model.n_sparse))
    forces = np.empty((3 * sum(n_atoms), model.n_sparse))
    first = 0
    for row, (atoms, pairs) in enumerate(_shown(list(zip(frames, lists, strict=True)), progress)):
        last = first + 3 * len(atoms)
        _fill(model.terms, settings, atoms, pairs, rooms, energies[row], forces[first:last])
        first = last
    return DesignMatrix(energies, forces)


def _fill(
    terms: Sequence[GapTerm],
    settings: Sequence[SoapSettings | PairSettings],
    atoms: Atoms,
    pairs: PairList,
    rooms: dict[SoapSettings, tuple[int, int]],
    energies: np.ndarray,
    forces: np.ndarray,
) -> None:
    """Write the rows of one frame: `energies` (n_sparse,), `forces` (3 n_atoms, n_sparse)."""
    spectra: dict[SoapSettings, tuple[np.ndarray, np.ndarray]] = {}
    first = 0
    for term, each in zip(terms, settings, strict=True):
        columns = slice(first, first + len(term.alpha))
        first = columns.stop
        if isinstance(each, PairSettings):
            energies[columns], forces[:, columns] = _pair_rows(term, each, atoms, pairs)
            continue
        near = _near(pairs, each.cutoff_A)
        if each not in spectra:
            spectra[each] = _spectra(each, atoms, near, rooms[each])
        energies[columns], forces[:, columns] = _soap_rows(term, each, atoms, near, *spectra[each])


def _near(pairs: PairList, cutoff_A: float) -> PairList:
    chosen = pairs.distance < cutoff_A
    return PairList(*(values[chosen] for values in pairs))


def _room(settings: SoapSettings, lists: Sequence[PairList], most_atoms: int) -> tuple[int, int]:
    """Return numbers of pairs and centres that are enough for all frames: one size to compile."""
    most = max((int((pairs.distance < settings.cutoff_A).sum()) for pairs in lists), default=0)
    return 64 * math.ceil(max(most, 1) / 64), most_atoms


def _pair_rows(
    term: GapTerm, settings: PairSettings, atoms: Atoms, pairs: PairList
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a pair term. gap_fit counts every pair from both ends, as the list does."""
    kinds = np.sort([atoms.numbers[pairs.first], atoms.numbers[pairs.second]], axis=0)
    chosen = (kinds.T == settings.species).all(1) & (pairs.distance < settings.cutoff_A)
    near = PairList(*(values[chosen] for values in pairs))
    distance = near.distance[:, None]
    width = max(settings.transition_A, 1e-12)  # 0: a step
    phase = np.pi * np.clip((distance - settings.cutoff_A) / width + 1, 0, 1)
    cut, cut_slope = 0.5 * (1 + np.cos(phase)), -0.5 * np.pi / width * np.sin(phase)
    scaled = (distance - term.sparse_points[:, 0]) / settings.theta_A
    kernel = term.delta**2 * term.sparse_cutoff * np.exp(-0.5 * scaled**2)
    slope = kernel * (cut_slope - cut * scaled / settings.theta_A)
    # The energy has each pair twice, and each time it pulls at both of its atoms: over the
    # neighbours of one atom alone, that makes twice the slope.
    along = 2 * _vectors(atoms, near) / distance
    pull = along[:, :, None] * slope[:, None, :]
    return (cut * kernel).sum(0), _added_up(_incidence(near.first, len(atoms)), pull)


def _soap_rows(
    term: GapTerm,
    settings: SoapSettings,
    atoms: Atoms,
    near: PairList,
    spectra: np.ndarray,
    slopes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a SOAP term: δ² c_s (p · p_s)^ζ, summed over the centres of its element."""
    centres = atoms.numbers == int(term.number("Z"))
    points = term.sparse_points[:, component_order(settings)].T
    zeta, scale = float(term.zeta or 1.0), term.delta**2 * term.sparse_cutoff
    overlap = spectra @ points
    if zeta != int(zeta):
        overlap = np.maximum(overlap, 0.0)
    chosen = np.flatnonzero(centres[near.first])
    # One large product: many small ones, as with three dimensions, take three times as long.
    pull = slopes[chosen].reshape(3 * len(chosen), len(points)) @ points
    pull = pull.reshape(len(chosen), 3, points.shape[1])
    pull *= (zeta * scale * overlap ** (zeta - 1))[near.first[chosen], None, :]
    both = _incidence(near.first[chosen], len(atoms)) - _incidence(near.second[chosen], len(atoms))
    return scale * (overlap[centres] ** zeta).sum(0), _added_up(both, pull)


def _added_up(incidence: csr_array, pull: np.ndarray) -> np.ndarray:
    """Add (n_pairs, 3, n_sparse) up at the atoms: (3 n_atoms, n_sparse)."""
    n_pairs, _, n_sparse = pull.shape
    forces = incidence @ pull.reshape(n_pairs, 3 * n_sparse)
    return forces.reshape(-1, n_sparse)


def _incidence(atom: np.ndarray, n_atoms: int) -> csr_array:
    """Return the matrix (n_atoms, n_pairs) that adds up what belongs to each atom."""
    ones = np.ones(len(atom))
    return csr_array((ones, (atom, np.arange(len(atom)))), shape=(n_atoms, len(atom)))


def _vectors(atoms: Atoms, pairs: PairList) -> np.ndarray:
    """Return the vectors from the first to the second atom of each pair, (n_pairs, 3), Å."""
    apart = atoms.positions[pairs.second] - atoms.positions[pairs.first]
    # Where there is no periodicity the shift is 0, and the cell does not matter.
    return apart + pairs.shift @ atoms.cell.array


def _spectra(
    settings: SoapSettings, atoms: Atoms, near: PairList, room: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return power spectra (n_atoms, n_components) and slopes (n_pairs, 3, n_components)."""
    n_pairs, n_centres = room
    n = len(near.first)
    species = np.array(settings.species)[:, None]
    pad = ((0, 0), (0, n_pairs - n))
    arrays = _Pairs(
        vectors=np.pad(_vectors(atoms, near).T, pad),
        centre=np.pad(near.first, pad[1]),
        species=np.pad((atoms.numbers[near.second] == species).astype(float), pad),
        present=np.arange(n_pairs) < n,
        own=np.pad((atoms.numbers == species).astype(float), ((0, 0), (0, n_centres - len(atoms)))),
    )
    with double_precision():
        spectra, slopes = _compiled(settings)(arrays)
        return np.asarray(spectra)[: len(atoms)], np.asarray(slopes)[:n]


@lru_cache(maxsize=16)
def _compiled(settings: SoapSettings) -> Any:
    return jax.jit(lambda pairs: spectra_and_slopes(settings, *pairs))


def _shown(items: list, progress: bool) -> Any:
    if not progress:
        return items
    from tqdm.auto import tqdm

    return tqdm(items, desc="comparing environments", unit="frame", file=sys.stderr)
