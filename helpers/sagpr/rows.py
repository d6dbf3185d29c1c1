"""From atoms to frames: rows whose scalar products are the kernels.

ζ = 1: k(A, B) = Σᵢⱼ pᵢ·pⱼ / (N_A N_B), so a row is the mean of p over the centres of a frame.

ζ = 2: each pair of environments counts 1 + b δp⁰ᵢ·δp⁰ⱼ times more, where δp⁰ is the deviation of
the λ = 0 features from their mean, of length 1 on average. That is still a scalar product, of the
rows Σᵢ (1, √b δp⁰ᵢ) ⊗ pᵢ, so there are no loops over pairs; δp⁰ is contracted to its principal
components first.

Different elements never look alike: their rows stand side by side.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from helpers.sagpr.features import Environments

MIXING, N_SCALARS = 0.03, 16  # b, and how many principal components: found by leave-one-out


@dataclass(frozen=True)
class Contraction:
    """The principal components of the λ = 0 features of one element.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
    axes : ndarray of shape (n_features, n_scalars)
        Divided by the RMS length of δp⁰, times √b.
    """

    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, moments: Moments, n_scalars: int, mixing: float) -> Contraction:
        """Make it from what the λ = 0 features are on average.

        Where they do not vary, or there are none, no pair counts more than another: axes are 0.
        """
        count = max(moments.count, 1)
        mean = moments.sum / count
        values, vectors = np.linalg.eigh(moments.products / count - np.outer(mean, mean))
        spread, rounding = values.clip(0).sum(), 1e-12 * mean @ mean
        scale = np.sqrt(mixing / spread) if spread > rounding else 0.0
        return cls(mean, vectors[:, ::-1][:, :n_scalars] * scale)

    def __call__(self, environments: Environments) -> np.ndarray:
        """Return (1, √b δp⁰) of shape (n_atoms, 1 + n_scalars)."""
        scalars = (environments.values[:, 0] - self.mean) @ self.axes
        return np.hstack([np.ones((len(scalars), 1)), scalars])


@dataclass
class Moments:
    """Sums over environments: what farthest-point sampling and `Contraction` need of them.

    Attributes
    ----------
    count : int
        Number of environments.
    sum : ndarray of shape (n_features,)
        Of λ = 0 features; zeros for others, whose mean rotates away.
    products : ndarray of shape (n_features, n_features)
        Σ p pᵀ, summed over m.
    """

    count: int
    sum: np.ndarray
    products: np.ndarray

    @classmethod
    def of(cls, environments: Environments) -> Moments:
        """Sum over the environments."""
        values = environments.values
        flat = values.reshape(-1, values.shape[2])
        total = values[:, 0].sum(0) if values.shape[1] == 1 else np.zeros(values.shape[2])
        return cls(len(values), total, flat.T @ flat)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.count + other.count, self.sum + other.sum, self.products + other.products
        )

    def columns(self, kept: np.ndarray) -> Moments:
        """Return those of some features only."""
        return Moments(self.count, self.sum[kept], self.products[np.ix_(kept, kept)])


def frame_rows(
    environments: Mapping[tuple[str, int], Environments],
    lambda_: int,
    n_atoms: np.ndarray,
    contractions: Mapping[str, Contraction] | None = None,
) -> np.ndarray:
    """Return rows of shape (n_frames, 2λ + 1, n) whose scalar products are the kernel.

    Parameters
    ----------
    environments : mapping of (element, λ) to Environments
    lambda_ : int
    n_atoms : ndarray of shape (n_frames,)
        Number of atoms of each frame: the row is a mean over them.
    contractions : mapping of element to Contraction, optional
        For ζ = 2.
    """
    parts = []
    for (element, order), one in environments.items():
        if order != lambda_:
            continue
        n, n_m, n_features = one.values.shape
        scalars = np.ones((n, 1))
        if contractions is not None:
            scalars = contractions[element](environments[element, 0])
        # Atoms are in the order of their frames.
        borders = np.searchsorted(one.frame, np.arange(len(n_atoms) + 1))
        sums = np.empty((len(n_atoms), n_m, scalars.shape[1], n_features))
        for number, (start, end) in enumerate(itertools.pairwise(borders)):
            products = scalars[start:end].T @ one.values[start:end].reshape(-1, n_m * n_features)
            sums[number] = products.reshape(-1, n_m, n_features).swapaxes(0, 1)
        parts.append(sums.reshape(len(n_atoms), n_m, -1))
    return np.concatenate(parts, axis=2) / n_atoms[:, None, None]
