"""Samples of what a fit holds possible, as weights: their spread is its uncertainty."""

from __future__ import annotations

import numpy as np

from helpers.sagpr.gram import Gram, Solution

N_SAMPLES = 64  # the spread of so many has an error of 9 %


def sampled_weights(
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
