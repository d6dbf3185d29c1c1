"""Regularization path of a GAP: one K_NM, many sigmas, each solved in milliseconds, not minutes.

gap_fit minimizes, over the weights α of the sparse points,

    Σ (K_E α − y_E)² / (σ_E² N) + Σ (K_F α − y_F)² / σ_F² + αᵀ K_MM α

(N atoms in a frame; sparse_jitter on the diagonal of K_MM). Neither K depends on the sigmas. With
K_MM = UᵀU and the singular values s of K_F U⁻¹ = W s Vᵀ, the force part is diagonal in γ = Vᵀ U α,
and the few energies are a correction of low rank. Normal equations, which would square the
condition number, appear nowhere.

Source: Bartók, Csányi, Int. J. Quantum Chem. 115, 1051 (2015), on sparse GAP; the decomposition is
the usual one of ridge regression, Hastie, Tibshirani, Friedman, The Elements of Statistical
Learning, section 3.4.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from ase import Atoms
from scipy.linalg import qr, solve_triangular, svd

from helpers import checks
from helpers.frames import ENERGY_NAME, FORCES_NAME, check_labels, label_arrays
from helpers.gap.jax.covariance import covariance_factor
from helpers.gap.jax.design_matrix import DesignMatrix, design_matrix
from helpers.gap.model import GapModel
from helpers.gap.xml import read_model


@dataclass(frozen=True)
class RegularizationPath:
    """All models that share frames, descriptors and sparse points, one for each pair of sigmas.

    Made by `sigma_family`.

    Attributes
    ----------
    template : GapModel
        The model whose descriptors and sparse points are used.
    design : DesignMatrix
        K_NM of the training frames.
    """

    template: GapModel
    design: DesignMatrix = field(repr=False)
    _rotation: np.ndarray = field(repr=False)  # U⁻¹ V
    _singular: np.ndarray = field(repr=False)  # s
    _force_targets: np.ndarray = field(repr=False)  # Wᵀ y_F
    _energy_rows: np.ndarray = field(repr=False)  # K_E U⁻¹ V / √N
    _energy_targets: np.ndarray = field(repr=False)  # y_E / √N

    def weights(self, sigma_energy_eV_per_atom: float, sigma_force_eV_per_A: float) -> np.ndarray:
        """Return the weights α that gap_fit would find with these sigmas.

        Parameters
        ----------
        sigma_energy_eV_per_atom, sigma_force_eV_per_A : float
            Expected errors, the first two numbers of gap_fit's ``default_sigma``.

        Returns
        -------
        ndarray of shape (n_sparse,)

        Raises
        ------
        ConfigError
            If a sigma is not a number above 0.
        """
        checks.number("sigma_energy_eV_per_atom", sigma_energy_eV_per_atom)
        return self.weights_along(np.array([sigma_energy_eV_per_atom]), sigma_force_eV_per_A)[:, 0]

    def weights_along(
        self, sigmas_energy_eV_per_atom: np.ndarray, sigma_force_eV_per_A: float
    ) -> np.ndarray:
        """Return the weights for many energy sigmas at once, (n_sparse, n_sigmas)."""
        checks.number("sigma_force_eV_per_A", sigma_force_eV_per_A)
        # Forces alone: each coordinate of γ on its own.
        stiffness = np.sqrt(1 + (self._singular / sigma_force_eV_per_A) ** 2)
        scaled = self._singular * self._force_targets / sigma_force_eV_per_A**2 / stiffness
        # Then the energies, G = P d Qᵀ: z + Qᵀ d / (σ² + d²) (Pᵀ y − d Q z).
        left, values, right = svd(self._energy_rows / stiffness, full_matrices=False)
        missing = left.T @ self._energy_targets - values * (right @ scaled)
        gain = values[:, None] / (np.square(sigmas_energy_eV_per_atom) + values[:, None] ** 2)
        scaled = scaled[:, None] + right.T @ (gain * missing[:, None])
        return self._rotation @ (scaled / stiffness[:, None])

    def model(self, sigma_energy_eV_per_atom: float, sigma_force_eV_per_A: float) -> GapModel:
        """Return the model for these sigmas; `helpers.gap.xml.write_model` makes a file of it."""
        weights = self.weights(sigma_energy_eV_per_atom, sigma_force_eV_per_A)
        terms = zip(self.template.terms, self.template.split(weights), strict=True)
        return replace(
            self.template,
            terms=tuple(replace(term, alpha=alpha) for term, alpha in terms),
            command_line=(
                f"{self.template.command_line} (then solved again for "
                f"default_sigma={{{sigma_energy_eV_per_atom:g} {sigma_force_eV_per_A:g} 0 0}})"
            ),
        )


def sigma_family(
    model: GapModel | str | os.PathLike,
    frames: Sequence[Atoms],
    *,
    sparse_jitter: float = 1e-8,
    energy_name: str = ENERGY_NAME,
    forces_name: str = FORCES_NAME,
    progress: bool = False,
) -> RegularizationPath:
    """Prepare to solve for many sigmas: build K_NM of the training frames and decompose it.

    Parameters
    ----------
    model : GapModel or path
        A model that gap_fit made of these frames, with any sigmas: its sparse points are used.
    frames : sequence of ase.Atoms
        The training frames, with labels.
    sparse_jitter : float
        As gap_fit was told, eV².
    energy_name, forces_name : str
        Names of the labels (eV; eV/Å).
    progress : bool
        Show a bar.

    Returns
    -------
    RegularizationPath

    Raises
    ------
    DataError
        If a frame lacks a label.
    ModelFileError, UnsupportedModelError
        If the model is damaged, or holds terms that JAX cannot evaluate.
    ConfigError
        If the kernel matrix of the sparse points is not positive: the jitter is too small.
    """
    if not isinstance(model, GapModel):
        model = read_model(Path(model))
    check_labels(frames, energy_name, forces_name)
    design = design_matrix(model, frames, progress=progress)
    n_atoms, energies, forces = label_arrays(frames, energy_name, forces_name)
    factor = covariance_factor(model, sparse_jitter)
    # One QR replaces the many force rows by as many as there are sparse points.
    (compressed,) = qr(np.column_stack([design.forces, forces]), mode="r", overwrite_a=True)
    compressed = compressed[: model.n_sparse + 1]
    whitened = solve_triangular(factor, compressed[:, :-1].T, trans="T").T
    left, singular, right = svd(whitened, full_matrices=True, overwrite_a=True)
    size = model.n_sparse
    values, targets = np.zeros(size), np.zeros(size)
    values[: len(singular)] = singular
    targets[: len(singular)] = (left.T @ compressed[:, -1])[: len(singular)]
    rotation = solve_triangular(factor, right.T)
    return RegularizationPath(
        template=model,
        design=design,
        _rotation=rotation,
        _singular=values,
        _force_targets=targets,
        _energy_rows=(design.energies @ rotation) / np.sqrt(n_atoms)[:, None],
        _energy_targets=(energies - isolated_energies(model, frames)) / np.sqrt(n_atoms),
    )


def isolated_energies(model: GapModel, frames: Sequence[Atoms]) -> np.ndarray:
    """Return the energies of each frame's atoms if they were isolated, (n_frames,), eV."""
    return np.array([model.isolated_energies(atoms.numbers).sum() for atoms in frames])
