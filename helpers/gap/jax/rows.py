"""Rows of K_NM for one frame and one term: what each sparse point adds to energy and forces.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013), with the conventions of gap_fit 0.10.3.
Plain NumPy: the time goes into one large matrix product for each term.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from scipy.sparse import csr_array

from helpers.gap.jax.descriptors import component_order
from helpers.gap.jax.neighbours import PairList
from helpers.gap.jax.settings import PairSettings, SoapSettings
from helpers.gap.model import GapTerm


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
    # neighbours of one atom alone, that makes twice the slope.
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
    """Rows of a SOAP term: δ² c_s (p · p_s)^ζ, summed over the centres of its element."""
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
    """Rows of a SOAP term times weights: sparse points are summed up before the neighbours."""
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
    """Return the pairs whose centre is the term's element, and what adds them up at both atoms."""
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
