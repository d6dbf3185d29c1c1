"""Kernel ridge regression of spherical components, by one eigendecomposition.

Rows are (frame, m). For λ = 0 a constant is fitted with the weights. With A = K + αI, o = A⁻¹1 and
P = A⁻¹ − o oᵀ/(1ᵀo) (P = A⁻¹ for λ > 0), the weights are P y. Leaving out a frame, or a group of
frames, needs no new fit: its residuals are (P_BB)⁻¹ (P y)_B, with P_BB its block. Samples of the
posterior, drawn by Matheron's rule, give the uncertainty.

Source: Rasmussen, Williams, Gaussian Processes for Machine Learning, sections 2.7 and 5.4.2;
Dubrule, Math. Geol. 15, 687 (1983), for groups and the constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from helpers import checks
from helpers.errors import ConfigError, DataError
from helpers.jax_setup import one_thread

# Relative to the mean of the kernel's diagonal.
REGULARIZATIONS = tuple(float(f"{x:.2g}") for x in 10.0 ** np.arange(-9, 0.1, 0.5))


@dataclass(frozen=True)
class Solution:
    """A fit of one λ.

    Attributes
    ----------
    weights : ndarray of shape (n_frames, 2λ + 1)
    constant : float
        0 for λ > 0.
    regularization : float
        Relative to the mean of the kernel's diagonal.
    noise : float
        α: the same, times that mean.
    left_out : ndarray of shape (n_frames, 2λ + 1)
        Target minus prediction of each frame by the fit without it (or without its group).
    variance : float
        Of the prior, relative to the kernel: the value with which these residuals are, on average,
        as large as the fit expects.
    """

    weights: np.ndarray = field(repr=False)
    constant: float
    regularization: float
    noise: float
    left_out: np.ndarray = field(repr=False)
    variance: float

    @property
    def left_out_rmse(self) -> float:
        """RMSE of the left-out frames, all m pooled."""
        return float(np.sqrt(np.mean(self.left_out**2)))


class Gram:
    """The kernel between training frames, decomposed: each regularization is then cheap.

    Parameters
    ----------
    kernel : ndarray of shape (n_frames·(2λ + 1), n_frames·(2λ + 1))
    n_components : int
        2λ + 1.
    """

    @one_thread
    def __init__(self, kernel: np.ndarray, n_components: int) -> None:
        self.scale = float(np.mean(np.diag(kernel)))
        if not np.isfinite(kernel).all() or self.scale <= 0:
            raise ConfigError(
                "The kernel cannot be used", expected="finite numbers, positive on the diagonal"
            )
        self.n_components = n_components
        self._values, self._vectors = np.linalg.eigh(kernel)

    def solve(
        self, targets: np.ndarray, regularization: float, groups: np.ndarray | None = None
    ) -> Solution:
        """Return the fit of targets of shape (n_frames, 2λ + 1).

        Parameters
        ----------
        regularization : float
            Relative to the mean of the kernel's diagonal.
        groups : ndarray of shape (n_frames,), optional
            What is left out together, such as trajectories; by default each frame alone.
        """
        checks.number("regularization", regularization)
        noise = regularization * self.scale
        inverse = 1 / (np.maximum(self._values, 0) + noise)
        y = targets.ravel()
        weights = self._vectors @ (inverse * (self._vectors.T @ y))
        constant, ones = 0.0, None
        if self.n_components == 1:
            ones = self._vectors @ (inverse * self._vectors.sum(0))
            constant = float(ones @ y / ones.sum())
            weights = weights - constant * ones
        left_out = np.empty(len(y))
        for rows in self._rows_of(groups, len(targets)):
            block = (self._vectors[rows] * inverse) @ self._vectors[rows].T
            if ones is not None:
                block -= np.outer(ones[rows], ones[rows]) / ones.sum()
            left_out[rows] = np.linalg.solve(block, weights[rows])
        return Solution(
            weights.reshape(targets.shape),
            constant,
            float(regularization),
            noise,
            left_out.reshape(targets.shape),
            float(np.mean(left_out * weights)),
        )

    def best(
        self,
        targets: np.ndarray,
        regularizations: Sequence[float] = REGULARIZATIONS,
        groups: np.ndarray | None = None,
    ) -> Solution:
        """Return the fit whose left-out residuals are smallest."""
        solutions = [self.solve(targets, value, groups) for value in regularizations]
        return min(solutions, key=lambda solution: solution.left_out_rmse)

    def project(self, solution: Solution, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return P V and the constants of fits to V, shape (n_rows, k), noise as in a solution."""
        inverse = 1 / (np.maximum(self._values, 0) + solution.noise)
        weights = self._vectors @ (inverse[:, None] * (self._vectors.T @ values))
        if self.n_components > 1:
            return weights, np.zeros(values.shape[1])
        ones = self._vectors @ (inverse * self._vectors.sum(0))
        constants = ones @ values / ones.sum()
        return weights - np.outer(ones, constants), constants

    def _rows_of(self, groups: np.ndarray | None, n_frames: int) -> list[np.ndarray]:
        names = np.arange(n_frames) if groups is None else np.asarray(groups)
        rows = np.arange(n_frames * self.n_components).reshape(n_frames, -1)
        return [rows[names == name].ravel() for name in np.unique(names)]


def check_groups(groups: Sequence | np.ndarray, n_frames: int) -> np.ndarray:
    """Return the names of what is left out together, or raise a `DataError`."""
    if len(groups) != n_frames:
        raise DataError(
            f"{len(groups)} groups do not fit {n_frames} frames", expected="one name for each frame"
        )
    names = np.asarray(groups)
    if len(np.unique(names)) < 2:
        raise DataError("All frames are in one group", expected="2 groups or more")
    return names


N_SAMPLES = 64  # the spread of so many has an error of 9 %


def posterior_weights(
    gram: Gram, solution: Solution, rows: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights of the features, shape (n, 1 + N_SAMPLES), and constants; the fit's own first.

    The others are samples of the posterior by Matheron's rule: a function drawn from the prior,
    corrected by the fit to what it gets wrong of noisy targets (Wilson and others, *J. Mach. Learn.
    Res.* **22**, 105 (2021)).

    Parameters
    ----------
    gram : Gram
    solution : Solution
        Of this kernel.
    rows : ndarray of shape (n_frames·(2λ + 1), n)
        Whose scalar products are the kernel.
    rng : numpy.random.Generator
    """
    prior = rng.normal(size=(rows.shape[1], N_SAMPLES))
    noise = np.sqrt(solution.noise) * rng.normal(size=(len(rows), N_SAMPLES))
    weights, constants = gram.project(solution, rows @ prior + noise)
    own = rows.T @ solution.weights.ravel()
    size = np.sqrt(solution.variance)
    return (
        np.column_stack([own, own[:, None] + size * (prior - rows.T @ weights)]),
        np.concatenate([[solution.constant], solution.constant - size * constants]),
    )
