"""K_NM, the design matrix of a GAP: what each sparse point adds to each label.

A model's energies and forces are linear in the weights α of its sparse points: E = K_E α + Σ e0
and F = K_F α. The two matrices depend on the frames, the descriptors and the sparse points, not
on the expected errors (sigma) of the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from helpers.gap.calculator import check_atoms
from helpers.gap.jax.frame_rows import FrameRows
from helpers.gap.model import GapModel
from helpers.jax_setup import enable_compilation_cache, one_thread
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


@one_thread
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
    rows = _prepared(model, frames)
    energies = np.empty((len(frames), model.n_sparse))
    forces = np.empty((3 * sum(len(atoms) for atoms in frames), model.n_sparse))
    first = 0
    with progress_bar(len(frames), "comparing environments", "frame", show=progress) as bar:
        for k, atoms in enumerate(frames):
            last = first + 3 * len(atoms)
            energies[k], forces[first:last], _ = rows(atoms)
            first = last
            bar.update()
    return DesignMatrix(energies, forces)


@one_thread
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
    rows = _prepared(model, frames)
    products = [rows.times(atoms, weights) for atoms in frames]
    energies, forces = zip(*products, strict=True) if products else ([], [])
    empty = np.empty((0, weights.shape[1]))
    return DesignMatrix(np.vstack([empty, *energies]), np.concatenate([empty, *forces]))


def _prepared(model: GapModel, frames: Sequence[Atoms]) -> FrameRows:
    for atoms in frames:
        check_atoms(atoms, model, model.label)
    enable_compilation_cache()
    return FrameRows(model)
