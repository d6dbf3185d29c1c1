"""Train a GAP: sparse points, K_NM frame by frame, and least squares by QR as the rows come.

The weights α of the sparse points minimize

    Σ (K_E α − y_E)² / (σ_E² N) + Σ (K_F α − y_F)² / σ_F² + Σ (K_V α − y_V)² / (σ_V² N) + αᵀ K_MM α

(N atoms in a frame; y_E less the energies of isolated atoms; y_V virials, where frames have them;
sparse_jitter on the diagonal of K_MM). The rows of K_NM of a frame are made and folded into the
triangle R of a QR decomposition; then they are forgotten. The number of frames decides how long it
takes, not how much memory. Normal equations, which would square the condition number, appear
nowhere.

Source: Bartók, Csányi, Int. J. Quantum Chem. 115, 1051 (2015), on sparse GAP; Demmel, Grigori,
Hoemmen, Langou, SIAM J. Sci. Comput. 34, A206 (2012), on QR in pieces.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from scipy.linalg import solve_triangular

from helpers.frames import forces_label, label
from helpers.gap.config import GapConfig
from helpers.gap.jax.covariance import covariance_factor
from helpers.gap.jax.frame_rows import VOIGT, FrameRows
from helpers.gap.jax.least_squares import N_PARTS, Triangle, fold_triangles
from helpers.gap.jax.requirements import check_memory, check_training, n_sparse_points
from helpers.gap.jax.sparsification import new_terms
from helpers.gap.jax.training_progress import JaxFitProgress
from helpers.gap.model import GapModel
from helpers.gap.training_set import virial_in_use
from helpers.jax_setup import enable_compilation_cache, one_thread


@dataclass(frozen=True)
class Training:
    """A trained model, and what it took.

    Attributes
    ----------
    model : GapModel
    n_energies, n_force_components : int
        Labels that it was trained on.
    estimated_memory_MB : float
        What was expected to be needed, MB (1e6 bytes).
    """

    model: GapModel
    n_energies: int
    n_force_components: int
    estimated_memory_MB: float


class LabelGroup(NamedTuple):
    """Labels that share an expected error."""

    kind: str  # "energy", "force" or "virial"
    config_type: str

    def sigma(self, config: GapConfig) -> float:
        """Return the expected error: eV per atom, eV/Å, eV per atom."""
        sigmas = config.sigmas_of(self.config_type)
        return sigmas[("energy", "force", "virial").index(self.kind)]


Rows = dict[LabelGroup, np.ndarray]


@one_thread
def train(config: GapConfig, frames: Sequence[Atoms], *, progress: bool = False) -> Training:
    """Train a potential as gap_fit would with the same settings.

    The sparse points are chosen at random with gap_fit's probabilities, by other random numbers.

    Parameters
    ----------
    config : GapConfig
    frames : sequence of ase.Atoms
        With the labels that the config names, checked.
    progress : bool
        Show a bar.

    Returns
    -------
    Training

    Raises
    ------
    ConfigError, DataError
        If a setting or a frame asks for what only gap_fit can do, or virials have no expected
        error.
    FitError
        If there is not enough memory.
    """
    check_training(config, frames)
    estimate = check_memory(config, frames)
    with JaxFitProgress(n_sparse_points(config, frames), frames, show=progress) as bar:
        template = new_terms(config, frames, on_frame=bar.selecting)
        weights = solve(template, frames, config, on_frame=bar.comparing)
    n_force_components = 3 * sum(len(atoms) for atoms in frames)
    return Training(with_weights(template, weights), len(frames), n_force_components, estimate)


def with_weights(template: GapModel, weights: np.ndarray) -> GapModel:
    """Return a model with these weights of its sparse points, (n_sparse,)."""
    parts = zip(template.terms, template.split(weights), strict=True)
    return replace(template, terms=tuple(replace(term, alpha=alpha) for term, alpha in parts))


@one_thread
def solve(
    template: GapModel,
    frames: Sequence[Atoms],
    config: GapConfig,
    *,
    on_frame: Callable[[], Any] = lambda: None,
) -> np.ndarray:
    """Return the weights α of the sparse points of a model, (n_sparse,).

    Parameters
    ----------
    template : GapModel
        Its descriptors and sparse points are used, its weights are not.
    frames : sequence of ase.Atoms
        The training frames.
    config : GapConfig
        Expected errors, jitter, names of the labels.
    on_frame : function
        Called when a frame is done, from any thread.

    Raises
    ------
    ConfigError
        If the kernel matrix of the sparse points is not positive: the jitter is too small.
    """

    def weighted(rows: Rows) -> Iterable[tuple[str, np.ndarray]]:
        for group, of_group in rows.items():
            of_group /= group.sigma(config)
            yield "all", of_group

    triangles = _folded(template, frames, config, weighted, on_frame)
    prior = prior_rows(template, config)
    return weights_of(fold_triangles([*triangles.values(), prior], template.n_sparse + 1))


@dataclass(frozen=True)
class CompressedRows:
    """The rows of K_NM of some frames, with labels, as triangles: enough to solve for any sigmas.

    Attributes
    ----------
    template : GapModel
        Descriptors and sparse points.
    triangles : dict
        For each group of labels R of its rows, the labels in the last column; rows of energies and
        virials are divided by √N.
    prior : ndarray of shape (n_sparse, n_sparse + 1)
        The rows of αᵀ K_MM α (see `prior_rows`).
    """

    template: GapModel
    triangles: Mapping[LabelGroup, np.ndarray]
    prior: np.ndarray

    @one_thread
    def factor(self, config: GapConfig) -> np.ndarray:
        """Return R of all weighted rows on top of the prior's, (n_sparse + 1, n_sparse + 1)."""
        weighted = [rows / group.sigma(config) for group, rows in self.triangles.items()]
        return fold_triangles([*weighted, self.prior], self.template.n_sparse + 1)

    def weights(self, config: GapConfig) -> np.ndarray:
        """Return the weights that `solve` would find with the sigmas of `config`, (n_sparse,)."""
        return weights_of(self.factor(config))


@one_thread
def compress(
    template: GapModel,
    frames: Sequence[Atoms],
    config: GapConfig,
    *,
    on_frame: Callable[[], Any] = lambda: None,
) -> CompressedRows:
    """Make the rows of K_NM and compress them, without their expected errors.

    Parameters and errors are those of `solve`; of the settings only jitter, names of labels, and
    the config types that have expected errors of their own, matter.
    """
    prior = prior_rows(template, config)
    triangles = _folded(template, frames, config, lambda rows: rows.items(), on_frame)
    return CompressedRows(template, triangles, prior)


def prior_rows(template: GapModel, config: GapConfig) -> np.ndarray:
    """Return U with UᵀU = K_MM, and a last column of zeros: the rows of αᵀ K_MM α."""
    return np.pad(covariance_factor(template, config.sparse_jitter), ((0, 0), (0, 1)))


def weights_of(upper: np.ndarray) -> np.ndarray:
    """Return the solution of the least squares with this R; its last column holds the labels."""
    weights: np.ndarray = solve_triangular(upper[:-1, :-1], upper[:-1, -1])
    return weights


class LabeledRows:
    """Makes the rows of K_NM of one frame after the other, the labels in the last column.

    Parameters
    ----------
    model : GapModel
        Descriptors and sparse points.
    config : GapConfig
        Names of the labels; whether virials count; config types with errors of their own.
    """

    def __init__(self, model: GapModel, config: GapConfig) -> None:
        self.config = config
        self._rows = FrameRows(model)
        self._names = config.energy_parameter_name, config.force_parameter_name

    def __call__(self, atoms: Atoms) -> Rows:
        """Return rows (n_labels, n_sparse + 1); those of energy and virial are divided by √N."""
        virial = virial_in_use(self.config, atoms)
        energy, forces, of_virial = self._rows(atoms, with_virial=virial is not None)
        energy_name, forces_name = self._names
        energy_label = label(atoms, energy_name)
        energy_label -= self._rows.model.isolated_energies(atoms.numbers).sum()
        force_labels = forces_label(atoms, forces_name)
        root = np.sqrt(len(atoms))
        config_type = self.config.config_type_of(atoms)
        energy_row = np.append(energy, energy_label)[None] / root
        rows = {LabelGroup("energy", config_type): energy_row}
        if force_labels is not None:
            force_rows = np.column_stack([forces, np.ravel(force_labels)])
            rows[LabelGroup("force", config_type)] = force_rows
        if virial is not None:
            labels = virial.ravel()[VOIGT]
            rows[LabelGroup("virial", config_type)] = np.column_stack([of_virial, labels]) / root
        return rows


def _folded(
    template: GapModel,
    frames: Sequence[Atoms],
    config: GapConfig,
    grouped: Callable[[Rows], Iterable[tuple[Any, np.ndarray]]],
    on_frame: Callable[[], Any],
) -> dict[Any, np.ndarray]:
    """Return R of the rows of each group, made and folded in `N_PARTS` threads."""
    enable_compilation_cache()
    n_columns = template.n_sparse + 1
    rows_of = LabeledRows(template, config)
    stop = threading.Event()

    def fold(part: Sequence[Atoms]) -> dict[Any, np.ndarray]:
        triangles: dict[Hashable, Triangle] = defaultdict(lambda: Triangle(n_columns))
        for atoms in part:
            if stop.is_set():
                break
            for group, rows in grouped(rows_of(atoms)):
                triangles[group].add(rows)
            on_frame()
        return {group: triangle.finish() for group, triangle in triangles.items()}

    with ThreadPoolExecutor(N_PARTS) as pool:
        futures = [pool.submit(fold, frames[k::N_PARTS]) for k in range(N_PARTS)]
        try:
            parts = [future.result() for future in futures]
        finally:
            stop.set()
    groups = dict.fromkeys(group for part in parts for group in part)
    return {
        group: fold_triangles([part.pop(group) for part in parts if group in part], n_columns)
        for group in groups
    }
