"""Kernel ridge regression of spherical components, by one eigendecomposition.

Rows and columns of a kernel are (frame, m). For λ = 0 an intercept is fitted with the weights. With
A = K + σ²I, o = A⁻¹1 and P = A⁻¹ − o oᵀ/(1ᵀo) (P = A⁻¹ for λ > 0), the dual coefficients are P y.
Leaving out a frame, or a group of frames, needs no new fit: its residuals are (P_BB)⁻¹ (P y)_B,
with P_BB its block. Samples of the posterior, drawn by Matheron's rule, give the uncertainty.

Source: Rasmussen, Williams, Gaussian Processes for Machine Learning, sections 2.7 and 5.4.2;
Dubrule, Math. Geol. 15, 687 (1983), for groups and the intercept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from helpers import checks
from helpers.errors import ConfigError, DataError
from helpers.evaluation import rmse
from helpers.jax_setup import one_thread

# Relative to the mean of the kernel's diagonal.
REGULARIZATIONS = tuple(float(f"{x:.2g}") for x in 10.0 ** np.arange(-9, 0.1, 0.5))
N_SAMPLES = 64  # of the posterior: a standard deviation of so many has an error of 9 %


@dataclass(frozen=True)
class Solution:
    """A fit of one λ.

    Attributes
    ----------
    dual_coef : ndarray of shape (n_frames, 2λ + 1)
        Weights in kernel space.
    intercept : float
        0 for λ > 0.
    regularization : float
        Relative to the mean of the kernel's diagonal.
    noise : float
        σ²: the same, times that mean.
    loo_residuals : ndarray of shape (n_frames, 2λ + 1)
        Target minus prediction of each frame by the fit without it (or without its group).
    prior_variance : float
        Of the prior, relative to the kernel: the value with which these residuals are, on average,
        as large as the fit expects.
    """

    dual_coef: np.ndarray = field(repr=False)
    intercept: float
    regularization: float
    noise: float
    loo_residuals: np.ndarray = field(repr=False)
    prior_variance: float

    @property
    def loo_rmse(self) -> float:
        """RMSE of the left-out frames, all m pooled."""
        return rmse(self.loo_residuals)


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
        targets : ndarray
        regularization : float
            Relative to the mean of the kernel's diagonal.
        groups : ndarray of shape (n_frames,), optional
            What is left out together, such as trajectories; by default each frame alone.

        Raises
        ------
        ConfigError
            If the regularization is not a number above 0.
        """
        checks.number("regularization", regularization)
        noise = regularization * self.scale
        inverse = 1 / (np.maximum(self._values, 0) + noise)
        y = targets.ravel()
        dual_coef = self._vectors @ (inverse * (self._vectors.T @ y))
        intercept, ones = 0.0, None
        if self.n_components == 1:
            ones = self._vectors @ (inverse * self._vectors.sum(0))
            intercept = float(ones @ y / ones.sum())
            dual_coef = dual_coef - intercept * ones
        loo_residuals = np.empty(len(y))
        for rows in self._rows_of_groups(groups, len(targets)):
            block = (self._vectors[rows] * inverse) @ self._vectors[rows].T
            if ones is not None:
                block -= np.outer(ones[rows], ones[rows]) / ones.sum()
            loo_residuals[rows] = np.linalg.solve(block, dual_coef[rows])
        return Solution(
            dual_coef.reshape(targets.shape),
            intercept,
            float(regularization),
            noise,
            loo_residuals.reshape(targets.shape),
            float(np.mean(loo_residuals * dual_coef)),
        )

    def best(
        self,
        targets: np.ndarray,
        regularizations: Sequence[float] = REGULARIZATIONS,
        groups: np.ndarray | None = None,
    ) -> Solution:
        """Return the fit whose left-out residuals are smallest; parameters as those of `solve`."""
        solutions = [self.solve(targets, value, groups) for value in regularizations]
        return min(solutions, key=lambda solution: solution.loo_rmse)

    def project(self, values: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the dual coefficients and the intercepts of fits to several targets.

        Parameters
        ----------
        values : ndarray of shape (n_frames·(2λ + 1), n_targets)
        noise : float
            σ².
        """
        inverse = 1 / (np.maximum(self._values, 0) + noise)
        dual_coefs = self._vectors @ (inverse[:, None] * (self._vectors.T @ values))
        if self.n_components > 1:
            return dual_coefs, np.zeros(values.shape[1])
        ones = self._vectors @ (inverse * self._vectors.sum(0))
        intercepts = ones @ values / ones.sum()
        return dual_coefs - np.outer(ones, intercepts), intercepts

    def _rows_of_groups(self, groups: np.ndarray | None, n_frames: int) -> list[np.ndarray]:
        names = np.arange(n_frames) if groups is None else np.asarray(groups)
        rows = np.arange(n_frames * self.n_components).reshape(n_frames, -1)
        return [rows[names == name].ravel() for name in np.unique(names)]


def posterior_weights(
    gram: Gram, solution: Solution, features: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior samples (Matheron's rule) of the weights of features, and of the intercept.

    A function drawn from the prior is corrected by the fit to what it gets wrong of noisy targets
    (Wilson and others, *J. Mach. Learn. Res.* **22**, 105 (2021)).

    Parameters
    ----------
    gram : Gram
    solution : Solution
        Of this kernel.
    features : ndarray of shape (n_frames·(2λ + 1), n)
        Whose scalar products are the kernel.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n, 1 + N_SAMPLES), ndarray of shape (1 + N_SAMPLES,)
        Weights and intercepts: first those of the fit, then the samples.
    """
    prior = rng.normal(size=(features.shape[1], N_SAMPLES))
    noise = np.sqrt(solution.noise) * rng.normal(size=(len(features), N_SAMPLES))
    dual_coefs, intercepts = gram.project(features @ prior + noise, solution.noise)
    weights = features.T @ solution.dual_coef.ravel()
    scale = np.sqrt(solution.prior_variance)
    return (
        np.column_stack([weights, weights[:, None] + scale * (prior - features.T @ dual_coefs)]),
        np.concatenate([[solution.intercept], solution.intercept - scale * intercepts]),
    )


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
