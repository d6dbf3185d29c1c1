"""Covariances of sparse points, and the predictive variance of atomic energies.

Source: Bartók, Kondor, Csányi, PRB 87, 184115 (2013), with the conventions of quippy 0.10.3,
whose ``local_gap_variance`` these formulas reproduce from the numbers in a gap.xml alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from ase import Atoms
from scipy.linalg import block_diag, cho_factor, cho_solve, cholesky

from helpers.errors import ConfigError
from helpers.gap.jax.layout import Layout, ModelStructure, model_structure
from helpers.gap.jax.soap import component_order
from helpers.gap.jax.terms import SoapSettings, term_settings
from helpers.gap.jax.verlet_list import VerletList
from helpers.gap.model import GapModel, GapTerm
from helpers.jax_setup import double_precision
from helpers.neighbors import find_pairs


def term_covariance(term: GapTerm, *, jitter: float = 0.0) -> np.ndarray:
    """Return the covariance of a term's sparse points, c_s c_s' k(x_s, x_s') + jitter δ_ss'.

    Sparse points of different terms do not covary: K_MM of a model has one such block on its
    diagonal for each term.

    Parameters
    ----------
    term : GapTerm
        A SOAP or pair term.
    jitter : float
        Added to the diagonal, eV²: a little more than rounding errors, for the Cholesky factor.

    Returns
    -------
    ndarray of shape (n_sparse, n_sparse), eV²
    """
    if term.kind == "soap":
        kernel = _power(term.sparse_points @ term.sparse_points.T, term)
    else:
        kernel = _gaussian(term.sparse_points[:, 0], term)
    scale = np.outer(term.sparse_cutoff, term.sparse_cutoff)
    return term.delta**2 * scale * kernel + jitter * np.eye(len(kernel))


def covariance_factor(model: GapModel, jitter: float) -> np.ndarray:
    """Return the upper triangular U with UᵀU = K_MM + jitter δ_ss', a block for each term.

    Raises
    ------
    ConfigError
        If the matrix is not positive: the jitter is too small.
    """
    blocks = [term_covariance(term, jitter=jitter) for term in model.terms]
    try:
        return block_diag(*(cholesky(block) for block in blocks))
    except np.linalg.LinAlgError as error:
        raise ConfigError(
            f"sparse_jitter={jitter!r} is too small for {model.label}",
            expected="a kernel matrix of the sparse points that is positive",
            fix="give the value that the model was trained with, or a larger one, such as 1e-8",
        ) from error


def cholesky_factors(model: GapModel, *, regularization: float) -> tuple[Any, ...]:
    """Return the Cholesky factor of K_MM + ρ² for each term: most of the work of a variance."""
    return tuple(
        cho_factor(term_covariance(term, jitter=regularization**2), lower=True)
        for term in model.terms
    )


def atomic_variances(
    model: GapModel,
    atoms: Atoms,
    *,
    regularization: float = 0.001,
    factors: tuple[Any, ...] | None = None,
) -> np.ndarray:
    """Return the predictive variance of each atom's energy.

    For each descriptor f_c² (δ² + ρ² − kᵀ (K_MM + ρ²)⁻¹ k), added up over the descriptors of an
    atom (pairs count at both ends), with f_c = 1 for SOAP: what quippy gives for
    ``calc_args="local_gap_variance"``. It grows far from the training data and says little about
    the size of ordinary errors.

    Parameters
    ----------
    model : GapModel
        A model with terms that JAX can evaluate.
    atoms : ase.Atoms
        The atoms.
    regularization : float
        ρ, eV; quippy's ``gap_variance_regularisation``.
    factors : tuple, optional
        What `cholesky_factors` returned for the same model and ρ, where many frames follow each
        other.

    Returns
    -------
    ndarray of shape (n_atoms,), eV²

    Raises
    ------
    UnsupportedModelError
        If a term cannot be evaluated here.
    """
    factors = cholesky_factors(model, regularization=regularization) if factors is None else factors
    structure = model_structure(model)
    lists = VerletList(structure, atoms.numbers, 0.0)
    positions, cell = atoms.positions[lists.order], atoms.cell.array
    with double_precision():
        layout, neighbors = lists.get(positions, cell, atoms.pbc)
        spectra = _compiled(layout)(positions, cell, neighbors)
    spectrum_of = {
        block.settings: np.asarray(spectrum).T  # one row per central atom
        for block, spectrum in zip(structure.blocks, spectra, strict=True)
    }
    numbers = atoms.numbers[lists.order]
    pairs = find_pairs(positions, cell, atoms.pbc, structure.cutoff_A)
    variances = np.zeros(len(atoms))
    for term, factor in zip(model.terms, factors, strict=True):
        settings = term_settings(term)
        prior = term.delta**2 + regularization**2
        if isinstance(settings, SoapSettings):
            center = int(term.number("Z"))
            if center in numbers:
                elements = numbers[_centers(structure, settings, numbers)]
                kernel = _soap_kernel(term, settings, spectrum_of[settings][elements == center])
                variances[numbers == center] += prior - _explained(factor, kernel)
        else:
            near = pairs.between(settings.species, numbers, settings.cutoff_A)
            kernel = term.delta**2 * term.sparse_cutoff * _gaussian(near.distance, term)
            cutoff, _ = settings.cutoff_factor(near.distance)
            values = cutoff**2 * (prior - _explained(factor, kernel))
            np.add.at(variances, near.first, values)
    result = np.empty_like(variances)
    result[lists.order] = variances
    return result


def _soap_kernel(term: GapTerm, settings: SoapSettings, spectrum: np.ndarray) -> np.ndarray:
    overlap = spectrum @ term.sparse_points[:, component_order(settings)].T
    return term.delta**2 * term.sparse_cutoff * _power(overlap, term)


def _explained(factor: Any, kernel: np.ndarray) -> np.ndarray:
    """Return kᵀ (K_MM + ρ²)⁻¹ k for each row of `kernel`."""
    return np.einsum("im,mi->i", kernel, cho_solve(factor, kernel.T))


def _power(overlap: np.ndarray, term: GapTerm) -> np.ndarray:
    zeta = float(term.zeta or 1.0)
    if zeta == int(zeta):
        return overlap ** int(zeta)
    return np.maximum(overlap, 0.0) ** zeta


def _gaussian(distance: np.ndarray, term: GapTerm) -> np.ndarray:
    scaled = (distance[:, None] - term.sparse_points[:, 0]) / float(term.theta or 1.0)
    return np.exp(-0.5 * scaled**2)


def _centers(structure: ModelStructure, settings: SoapSettings, numbers: np.ndarray) -> np.ndarray:
    """Return the central atoms of a SOAP block, in the order of its power spectra."""
    centers = {block.settings: block.centers for block in structure.blocks}
    return np.flatnonzero(np.isin(numbers, centers[settings]))


@lru_cache(maxsize=16)
def _compiled(layout: Layout) -> Any:
    """Return the compiled power spectra as a function of positions, cell and neighbors."""
    import jax

    from helpers.gap.jax.energy import neighbor_vectors, power_spectra

    def spectra(positions: Any, cell: Any, neighbors: Any) -> Any:
        return power_spectra(layout, neighbor_vectors(positions, cell, neighbors), neighbors)

    return jax.jit(spectra)
