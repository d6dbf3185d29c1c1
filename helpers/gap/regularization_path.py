"""Regularization path of a GAP: one K_NM, many sigmas, each solved in milliseconds, not minutes.

A fit minimizes, over the weights α of the sparse points,

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
from scipy.linalg import solve_triangular, svd

from helpers import checks
from helpers.errors import ConfigError, DataError
from helpers.frames import ENERGY_NAME, FORCES_NAME, check_labels
from helpers.gap.config import GapConfig
from helpers.gap.jax.requirements import check_training
from helpers.gap.jax.sparsification import new_terms
from helpers.gap.jax.training import LabelGroup, compress
from helpers.gap.model import GapModel
from helpers.gap.training_set import virial_label
from helpers.gap.xml import read_model
from helpers.jax_setup import one_thread


@dataclass(frozen=True)
class RegularizationPath:
    """All models that share frames, descriptors and sparse points, one for each pair of sigmas.

    Made by `sigma_family`.

    Attributes
    ----------
    template : GapModel
        The model whose descriptors and sparse points are used.
    """

    template: GapModel
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


@one_thread
def sigma_family(
    model: GapModel | GapConfig | str | os.PathLike,
    frames: Sequence[Atoms],
    *,
    sparse_jitter: float = 1e-8,
    energy_name: str = ENERGY_NAME,
    forces_name: str = FORCES_NAME,
) -> RegularizationPath:
    """Prepare to solve for many sigmas: make K_NM of the training frames and decompose it.

    Parameters
    ----------
    model : GapModel, path or GapConfig
        A model that was trained on these frames, with any sigmas: its sparse points are used. Or
        settings, of which a model is made here; their jitter and names of labels count then.
    frames : sequence of ase.Atoms
        The training frames, with labels.
    sparse_jitter : float
        As gap_fit was told, eV².
    energy_name, forces_name : str
        Names of the labels (eV; eV/Å).

    Returns
    -------
    RegularizationPath

    Raises
    ------
    DataError
        If a frame lacks a label, or has a virial, which has no place here.
    ModelFileError, UnsupportedModelError
        If the model is damaged, or holds terms that JAX cannot evaluate.
    ConfigError
        If the kernel matrix of the sparse points is not positive: the jitter is too small; if the
        settings have errors by config type.
    """
    if isinstance(model, GapConfig):
        config = model
        if config.config_type_sigma is not None:
            raise ConfigError(
                "A family of models has one sigma of energies and one of forces",
                found=f"config_type_sigma={config.config_type_sigma!r}",
                fix="leave it None, or use helpers.sweep, which varies default_sigma alone",
            )
    else:
        config = GapConfig(
            sparse_jitter=sparse_jitter,
            energy_parameter_name=energy_name,
            force_parameter_name=forces_name,
        )
    check_labels(frames, config.energy_parameter_name, config.force_parameter_name)
    if any(virial_label(atoms) is not None for atoms in frames):
        raise DataError(
            "The frames hold virials, and a family of models has sigmas of energies and forces",
            fix="delete 'virial' and 'stress' from the frames",
        )
    if isinstance(model, GapConfig):
        check_training(config, frames)
        template = new_terms(config, frames)
    else:
        template = model if isinstance(model, GapModel) else read_model(Path(model))
    compressed = compress(template, frames, config)
    factor = compressed.prior[:, :-1]
    energies, forces = (compressed.triangles[LabelGroup(k, "default")] for k in ("energy", "force"))
    whitened = solve_triangular(factor, forces[:, :-1].T, trans="T").T
    left, singular, right = svd(whitened, full_matrices=True, overwrite_a=True)
    size = template.n_sparse
    values, targets = np.zeros(size), np.zeros(size)
    values[: len(singular)] = singular
    targets[: len(singular)] = (left.T @ forces[:, -1])[: len(singular)]
    rotation = solve_triangular(factor, right.T)
    return RegularizationPath(
        template=template,
        _rotation=rotation,
        _singular=values,
        _force_targets=targets,
        _energy_rows=energies[:, :-1] @ rotation,
        _energy_targets=energies[:, -1],
    )


def isolated_energies(model: GapModel, frames: Sequence[Atoms]) -> np.ndarray:
    """Return the energies of each frame's atoms if they were isolated, (n_frames,), eV."""
    return np.array([model.isolated_energies(atoms.numbers).sum() for atoms in frames])
