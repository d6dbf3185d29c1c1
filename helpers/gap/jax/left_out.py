"""Errors of a GAP for trajectories that it was not trained on, without training it again.

With R of all rows and Q = X R⁻¹ for the rows X of one trajectory, the weights without it are

    α − R⁻¹ Qᵀ (1 − Q Qᵀ)⁻¹ (y − X α)

Frames of one trajectory resemble each other: left out one by one, they would be predicted by their
neighbors in time, and errors would look better than they are for frames of other trajectories.

Source: the usual formula of leave-one-out in linear regression, by blocks; for example Hastie,
Tibshirani, Friedman, The Elements of Statistical Learning, section 7.10. The sparse points are
chosen from all frames, by their positions alone: no label is used twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from scipy.linalg import solve_triangular

from helpers.frames import frames_by_trajectory, label_arrays
from helpers.gap.config import GapConfig
from helpers.gap.jax.design_matrix import predictions
from helpers.gap.jax.least_squares import Triangle
from helpers.gap.jax.training import CompressedRows, LabeledRows, LabelGroup, weights_of
from helpers.jax_setup import one_thread


@one_thread
def left_out_errors(
    compressed: CompressedRows, frames: Sequence[Atoms], configs: Sequence[GapConfig]
) -> tuple[np.ndarray, np.ndarray]:
    """Predict each trajectory by models that were trained on all others.

    Parameters
    ----------
    compressed : CompressedRows
        Of these frames.
    frames : sequence of ase.Atoms
        The training frames, with labels and trajectories.
    configs : sequence of GapConfig
        Settings that differ in their sigmas only.

    Returns
    -------
    energies : ndarray of shape (n_frames, n_configs), eV per atom
    forces : ndarray of shape (n_components, n_configs), eV/Å
        Prediction less label; frames trajectory by trajectory.

    Raises
    ------
    DataError
        As `frames_by_trajectory` does.
    """
    groups = frames_by_trajectory(frames)
    template, factors = compressed.template, [compressed.factor(config) for config in configs]
    names = configs[0].energy_parameter_name, configs[0].force_parameter_name
    rows_of = LabeledRows(template, configs[0])
    energies, forces = [], []
    for group in groups.values():
        rows = _rows_of_group(rows_of, group)
        without = [
            _weights_without(rows, config, factor)
            for config, factor in zip(configs, factors, strict=True)
        ]
        predicted = predictions(template, group, np.stack(without, axis=1))
        n_atoms, true_energies, true_forces = label_arrays(group, *names)
        alone = [template.isolated_energies(atoms.numbers).sum() for atoms in group]
        difference = predicted.energies - (true_energies - alone)[:, None]
        energies.append(difference / n_atoms[:, None])
        forces.append(predicted.forces - true_forces[:, None])
    return np.concatenate(energies), np.concatenate(forces)


def _rows_of_group(rows_of: LabeledRows, frames: Sequence[Atoms]) -> dict[LabelGroup, np.ndarray]:
    """Return all rows of some frames; where there are many, R of them, which will do."""
    triangles: dict[LabelGroup, Triangle] = {}
    waiting: dict[LabelGroup, list[np.ndarray]] = {}
    for atoms in frames:
        for group, rows in rows_of(atoms).items():
            waiting.setdefault(group, []).append(rows)
            if sum(map(len, waiting[group])) > rows.shape[1]:
                triangle = triangles.setdefault(group, Triangle(rows.shape[1]))
                for each in waiting.pop(group):
                    triangle.add(each)
    for group, triangle in triangles.items():
        waiting.setdefault(group, []).append(triangle.finish())
    return {group: np.concatenate(rows) for group, rows in waiting.items()}


def _weights_without(
    rows: dict[LabelGroup, np.ndarray], config: GapConfig, factor: np.ndarray
) -> np.ndarray:
    """Return the weights (n_sparse,) without the rows of one trajectory."""
    weighted = np.concatenate([each / group.sigma(config) for group, each in rows.items()])
    weights, upper = weights_of(factor), factor[:-1, :-1]
    residuals = weighted[:, -1] - weighted[:, :-1] @ weights
    q = solve_triangular(upper, weighted[:, :-1].T, trans="T")  # Qᵀ
    if q.shape[1] <= q.shape[0]:
        change = q @ np.linalg.solve(np.eye(q.shape[1]) - q.T @ q, residuals)
    else:
        change = np.linalg.solve(np.eye(q.shape[0]) - q @ q.T, q @ residuals)
    result: np.ndarray = weights - solve_triangular(upper, change)
    return result
