"""Rows of K_NM, frame by frame: what each sparse point of a model adds to each label of a frame.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013), with the conventions of gap_fit 0.10.3.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from ase import Atoms
from scipy.sparse import csr_array

from helpers.gap.jax.soap_rows import (
    Expansion,
    SparseTensors,
    expand,
    power_spectra,
    soap_products,
    soap_rows,
    sparse_tensors,
)
from helpers.gap.jax.terms import PairSettings, SoapSettings, term_settings
from helpers.gap.model import GapModel, GapTerm
from helpers.neighbors import PairList, find_pairs, pair_vectors

VOIGT = [0, 4, 8, 5, 2, 1]  # xx yy zz yz xz xy among xx xy xz yx …


class Described(NamedTuple):
    """The neighbor expansion of a frame for one SOAP, and its power spectra."""

    expansion: Expansion
    spectra: np.ndarray  # (n_atoms, n_components), of length 1
    lengths: np.ndarray  # (n_atoms,): what they were divided by


class FrameRows:
    """Makes the rows of one frame after the other.

    Parameters
    ----------
    model : GapModel
        Its descriptors and sparse points are used, its weights are not.

    Raises
    ------
    UnsupportedModelError
        If a term cannot be evaluated here (see `terms.term_settings`).
    """

    def __init__(self, model: GapModel) -> None:
        self.model = model
        self._settings = [term_settings(term) for term in model.terms]
        self._reach_A = max(each.cutoff_A for each in self._settings)
        self._tensors: list[SparseTensors | None] = [
            sparse_tensors(
                settings,
                term.sparse_points[:, :-1],
                term.delta**2 * term.sparse_cutoff,
                float(term.zeta or 1.0),
            )
            if isinstance(settings, SoapSettings)
            else None
            for term, settings in zip(model.terms, self._settings, strict=True)
        ]

    def __call__(
        self, atoms: Atoms, *, with_virial: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what each sparse point adds to energy, forces and virial, for a weight of 1.

        Returns
        -------
        energy : ndarray of shape (n_sparse,), eV
        forces : ndarray of shape (3 n_atoms, n_sparse), eV/Å
        virial : ndarray of shape (6, n_sparse), eV
            −dE/dε, xx yy zz yz xz xy; empty unless it is wanted.
        """
        energy = np.empty(self.model.n_sparse)
        forces = np.empty((3 * len(atoms), self.model.n_sparse))
        virial = np.empty((6 if with_virial else 0, self.model.n_sparse))
        pairs, described = self._described(atoms)
        start = 0
        for term, settings, tensors in zip(
            self.model.terms, self._settings, self._tensors, strict=True
        ):
            columns = slice(start, start + len(term.alpha))
            start = columns.stop
            if isinstance(settings, PairSettings):
                energy[columns], forces[:, columns] = _pair_rows(term, settings, atoms, pairs)
                if with_virial:
                    strain = _pair_strain_rows(term, settings, atoms, pairs)
            else:
                assert tensors is not None
                energy[columns], forces[:, columns], strain = soap_rows(
                    settings,
                    tensors,
                    *described[settings],
                    _centers(term, atoms),
                    with_strain=with_virial,
                )
            if with_virial:
                virial[:, columns] = -strain[VOIGT]
        return energy, forces, virial

    def times(self, atoms: Atoms, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of energy and forces times weights, a fraction of the work.

        Parameters
        ----------
        atoms : ase.Atoms
        weights : ndarray of shape (n_sparse, n_sets)

        Returns
        -------
        energies : ndarray of shape (n_sets,), eV, without those of isolated atoms
        forces : ndarray of shape (3 n_atoms, n_sets), eV/Å
        """
        energies = np.zeros(weights.shape[1])
        forces = np.zeros((3 * len(atoms), weights.shape[1]))
        pairs, described = self._described(atoms)
        for term, settings, tensors, of_term in zip(
            self.model.terms, self._settings, self._tensors, self.model.split(weights), strict=True
        ):
            if isinstance(settings, PairSettings):
                energy, force = (
                    rows @ of_term for rows in _pair_rows(term, settings, atoms, pairs)
                )
            else:
                assert tensors is not None
                energy, force = soap_products(
                    settings, tensors, *described[settings], _centers(term, atoms), of_term
                )
            energies += energy
            forces += force
        return energies, forces

    def _described(self, atoms: Atoms) -> tuple[PairList, dict[SoapSettings, Described]]:
        pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, self._reach_A)
        soaps = dict.fromkeys(s for s in self._settings if isinstance(s, SoapSettings))
        return pairs, {soap: describe(soap, atoms, pairs, gradients=True) for soap in soaps}


def describe(
    settings: SoapSettings, atoms: Atoms, pairs: PairList, *, gradients: bool
) -> Described:
    """Expand the neighbor density of a frame, and compute power spectra.

    Parameters
    ----------
    settings : SoapSettings
    atoms : ase.Atoms
    pairs : PairList
        All pairs within the cutoff, or more.
    gradients : bool
        Whether derivatives are wanted.
    """
    known = np.isin(atoms.numbers[pairs.second], settings.species)
    near = pairs.select((pairs.distance < settings.cutoff_A) & known)
    expansion = expand(
        settings,
        atoms,
        near,
        pair_capacity=_capacity(len(near.first), 64),
        atom_capacity=_capacity(len(atoms), 4),
        gradients=gradients,
    )
    return Described(expansion, *power_spectra(settings, expansion.coefficients))


def _sum_matrix(atom: np.ndarray, n_atoms: int) -> csr_array:
    """Return the matrix (n_atoms, n_pairs) that adds up what belongs to each atom."""
    ones = np.ones(len(atom))
    return csr_array((ones, (atom, np.arange(len(atom)))), shape=(n_atoms, len(atom)))


def _centers(term: GapTerm, atoms: Atoms) -> np.ndarray:
    return np.flatnonzero(atoms.numbers == int(term.number("Z")))


def _pair_rows(
    term: GapTerm, settings: PairSettings, atoms: Atoms, pairs: PairList
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a pair term. gap_fit counts every pair from both ends, as the list does."""
    near = pairs.between(settings.species, atoms.numbers, settings.cutoff_A)
    energy_rows, derivative = _pair_energies(term, settings, near)
    # The energy has each pair twice, and each time it acts on both of its atoms: over the
    # neighbors of one atom alone, that makes twice the derivative.
    direction = 2 * pair_vectors(atoms, near) / near.distance[:, None]
    n_pairs, n_sparse = derivative.shape
    force_rows = (direction[:, :, None] * derivative[:, None, :]).reshape(n_pairs, 3 * n_sparse)
    forces = _sum_matrix(near.first, len(atoms)) @ force_rows
    return energy_rows.sum(0), forces.reshape(3 * len(atoms), n_sparse)


def _pair_strain_rows(
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


def _capacity(number: int, step: int) -> int:
    """Return a size for arrays that holds `number`: few sizes, so that little is compiled."""
    while step * 4 < number:
        step *= 2
    return step * math.ceil(max(number, 1) / step)
