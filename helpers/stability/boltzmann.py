"""Gradients of canonical averages without going through the simulation.

The average of an observable g over configurations with the weights exp(−β U_θ) changes with the
parameters θ of the potential as

    d⟨g⟩/dθ = ⟨∂g/∂θ⟩ − β Cov(g, ∂U/∂θ).

Covariances are estimated from N samples, with N − 1 in the denominator, so that the estimate has no
bias if the samples are independent. The formula holds for any sampler of the canonical ensemble.
For an observable of a neighborhood γ, U may be the energy of its atoms alone (the local estimator):
its noise is far smaller, and it is right only if g is uncorrelated with ∂U/∂θ of all other atoms.

Raja, Amin, Pedregosa, Krishnapriyan, Stability-aware training of machine learning force fields
with differentiable Boltzmann estimators, TMLR (2025), arXiv 2402.13984, eqs. 4 and 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ase import units

from helpers import checks
from helpers.errors import ConfigError, DataError
from helpers.jax_setup import double_precision

METHODS = ("pool", "minibatch", "split")


class LossGradient(NamedTuple):
    """What `BoltzmannEstimator.loss_gradient` returns.

    Attributes
    ----------
    loss : float
        (ḡ − g*)², summed over the values of the observable.
    gradient : pytree like the parameters
    mean : ndarray of shape (n_values,)
        ḡ over all samples.
    n_samples : int
    """

    loss: float
    gradient: Any
    mean: np.ndarray
    n_samples: int


@dataclass(frozen=True)
class BoltzmannEstimator:
    """Averages of an observable over samples, and how they change with the potential.

    Attributes
    ----------
    energy : function (parameters, sample) → scalar, eV
        Potential energy; of a neighborhood, for the local estimator.
    observable : function (parameters, sample) → array of shape (n_values,)
    temperature_K : float
        That the samples were taken at.
    chunk_size : int
        Samples computed at once: memory grows with it, the result is the same.

    Raises
    ------
    ConfigError
        If the temperature or the chunk size cannot be used.

    Notes
    -----
    Samples are pytrees of arrays with an axis for samples in front. Both functions must be
    traceable by JAX, and the same objects from call to call, or they are compiled each time. Sums
    are taken in 64 bit.
    """

    energy: Callable[[Any, Any], Any]
    observable: Callable[[Any, Any], Any]
    temperature_K: float
    chunk_size: int = 64

    def __post_init__(self) -> None:
        checks.number("temperature_K", self.temperature_K)
        checks.whole("chunk_size", self.chunk_size, 1)

    @property
    def beta_per_eV(self) -> float:
        """1/kT."""
        return float(1 / (units.kB * self.temperature_K))

    def values(self, parameters: Any, samples: Any) -> np.ndarray:
        """Return the observable of each sample, shape (n_samples, n_values).

        Raises
        ------
        DataError
            If there are no samples, or a value is not finite.
        """
        with double_precision():
            parts = [
                np.asarray(_values(self, parameters, chunk))[counts > 0]
                for chunk, counts, _ in self._chunks(samples)
            ]
        values = np.concatenate(parts)
        if values.ndim != 2:
            raise ConfigError(
                "The observable has the wrong shape",
                expected="an array of shape (n_values,) for each sample",
                found=f"shape {values.shape[1:]}",
            )
        if not np.isfinite(values).all():
            bad = np.flatnonzero(~np.isfinite(values).all(1))
            raise DataError(
                "The observable is not finite for all samples",
                found=f"{len(bad)} of {len(values)}, the first is sample {bad[0]}",
                fix="leave out samples after a simulation broke",
            )
        return values

    def mean_gradient(
        self, parameters: Any, samples: Any, cotangent: Any, values: np.ndarray | None = None
    ) -> Any:
        """Return the gradient of v · ⟨g⟩ with respect to the parameters, from all samples.

        The samples go through one surrogate, Σᵢ wᵢ U_θ(xᵢ) with wᵢ = −β v · (gᵢ − ḡ)/(N − 1), in
        chunks of any size: its gradient is that of the whole pool.

        Parameters
        ----------
        parameters : pytree of arrays
        samples : pytree of arrays
        cotangent : array of shape (n_values,)
            v; the k-th unit vector gives the gradient of the k-th average.
        values : ndarray, optional
            What `values` returned for these samples.

        Raises
        ------
        DataError
            If there are fewer than two samples.
        """
        values = self.values(parameters, samples) if values is None else values
        n_samples = len(values)
        if n_samples < 2:
            raise DataError(f"{n_samples} sample has no covariance", expected="two at least")
        cotangent = np.asarray(cotangent)
        along = (values - values.mean(0)) @ cotangent
        weights = -self.beta_per_eV * along / (n_samples - 1)
        with double_precision():
            parts = (
                _surrogate_gradient(
                    self, parameters, chunk, weights[rows] * counts, counts / n_samples, cotangent
                )
                for chunk, counts, rows in self._chunks(samples)
            )
            return _sum(parts)

    def loss_gradient(
        self,
        parameters: Any,
        samples: Any,
        target: Any,
        *,
        method: str = "pool",
        batch_size: int | None = None,
    ) -> LossGradient:
        """Return the gradient of (⟨g⟩ − g*)².

        Parameters
        ----------
        parameters, samples
            As for `values`.
        target : array of shape (n_values,)
            g*.
        method : str
            ``"pool"``: mean and covariance of all samples, bias 2 κ/N with the third cumulant
            κ = −β κ(g, g, ∂U/∂θ). ``"minibatch"``: as published, for batches of `batch_size` one
            by one, then averaged: the bias is 2 κ/`batch_size`, however many batches there are.
            ``"split"``: the mean of one half of the samples times the covariance of the other, and
            the other way round: no bias if the halves are independent, so let them be different
            replicas; more noise.
        batch_size : int, optional
            For ``"minibatch"`` only.

        Raises
        ------
        ConfigError
            If the method or batch size cannot be used.
        DataError
            If there are too few samples, or values are not finite.
        """
        checks.one_of("method", method, METHODS)
        if (batch_size is None) == (method == "minibatch"):
            raise ConfigError("batch_size belongs to method='minibatch'", found=f"{batch_size!r}")
        values, target = self.values(parameters, samples), np.asarray(target, float)
        if target.shape != values.shape[1:]:
            raise ConfigError(
                "The target does not fit to the observable",
                expected=f"shape {values.shape[1:]}",
                found=f"shape {target.shape}",
            )
        n_samples, mean = len(values), values.mean(0)
        indices = np.arange(n_samples)
        if method == "pool":
            parts = [(indices, indices)]
        elif method == "split":
            if n_samples < 4:
                raise DataError(f"{n_samples} samples cannot be halved", expected="four at least")
            halves = indices[: n_samples // 2], indices[n_samples // 2 :]
            parts = [halves, halves[::-1]]
        else:
            checks.whole("batch_size", batch_size, 2, n_samples)
            assert batch_size is not None
            starts = range(0, n_samples - batch_size + 1, batch_size)  # samples left over wait
            parts = [(indices[k : k + batch_size],) * 2 for k in starts]
        with double_precision():
            gradients = (
                self.mean_gradient(
                    parameters,
                    jax.tree.map(lambda rows, which=for_covariance: rows[which], samples),
                    2 * (values[for_mean].mean(0) - target) / len(parts),
                    values[for_covariance],
                )
                for for_mean, for_covariance in parts
            )
            total = _sum(gradients)
        return LossGradient(float(((mean - target) ** 2).sum()), total, mean, n_samples)

    def _chunks(self, samples: Any) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
        """Yield samples in chunks of one size, which of them count, and their rows."""
        lengths = {len(rows) for rows in jax.tree.leaves(samples)}
        if len(lengths) != 1 or not min(lengths):
            raise DataError(
                "There are no samples",
                expected="arrays with the same number of samples, one at least",
                found=f"lengths {sorted(lengths)}",
            )
        (n_samples,) = lengths
        size = min(self.chunk_size, n_samples)
        for start in range(0, n_samples, size):
            places = np.arange(start, start + size)
            rows = np.minimum(places, n_samples - 1)
            counts = (places < n_samples).astype(float)
            yield jax.tree.map(lambda x, rows=rows: x[rows], samples), counts, rows


def reweighting_sample_size(
    old_energies: np.ndarray, new_energies: np.ndarray, temperature_K: float
) -> float:
    """Return how many samples are left when they are weighted for another potential.

    exp(−Σ w ln w) with w ∝ exp(−β (U_new − U_old)), from N (nothing changed) to 1 (Thaler,
    Zavadlav, Nat. Commun. 12, 6884 (2021)).

    Parameters
    ----------
    old_energies, new_energies : ndarray of shape (n_samples,), eV
        Of the same configurations.
    temperature_K : float
    """
    exponents = -(np.asarray(new_energies) - np.asarray(old_energies)) / (units.kB * temperature_K)
    weights = np.exp(exponents - exponents.max())
    weights /= weights.sum()
    present = weights[weights > 0]
    return float(np.exp(-(present * np.log(present)).sum()))


def block_error(values: np.ndarray, n_blocks: int = 10) -> np.ndarray:
    """Return the standard error of averages over correlated samples, from blocks.

    Parameters
    ----------
    values : ndarray of shape (n_times, n_replicas) or (n_times, n_replicas, n_values)
        In the order of time. Each replica is cut into equal blocks, as many as make `n_blocks`
        in total at least; averages of blocks count as independent.
    n_blocks : int

    Raises
    ------
    DataError
        If there are fewer times than blocks of a replica.
    """
    n_times, n_replicas = values.shape[:2]
    per_replica = max(1, -(-n_blocks // n_replicas))
    length = n_times // per_replica
    if not length or per_replica * n_replicas < 2:
        raise DataError(
            f"{n_times} times of {n_replicas} replicas cannot be cut into {n_blocks} blocks",
            fix="use longer runs, or fewer blocks",
        )
    blocks = values[: length * per_replica].reshape(per_replica, length, *values.shape[1:]).mean(1)
    blocks = blocks.reshape(per_replica * n_replicas, *values.shape[2:])
    return blocks.std(0, ddof=1) / np.sqrt(len(blocks))


def effective_sample_size(values: np.ndarray, n_blocks: int = 10) -> np.ndarray:
    """Return how many independent samples have the error of these: variance over error squared.

    Parameters are those of `block_error`. It is known to about √(2/number of blocks).
    """
    variance = values.reshape(-1, *values.shape[2:]).var(0, ddof=1)
    return variance / block_error(values, n_blocks) ** 2


def _sum(trees: Iterable[Any]) -> Any:
    """Return the sum of pytrees, one after the other."""
    return reduce(lambda a, b: jax.tree.map(jnp.add, a, b), trees)


@partial(jax.jit, static_argnums=0)
def _values(estimator: BoltzmannEstimator, parameters: Any, chunk: Any) -> Any:
    return jax.vmap(lambda sample: estimator.observable(parameters, sample))(chunk)


@partial(jax.jit, static_argnums=0)
def _surrogate_gradient(
    estimator: BoltzmannEstimator,
    parameters: Any,
    chunk: Any,
    weights: Any,
    shares: Any,
    cotangent: Any,
) -> Any:
    """Return the gradient of Σᵢ wᵢ U(xᵢ) + Σᵢ v · g(xᵢ)/N: one backward pass."""

    def surrogate(parameters: Any) -> Any:
        energies = jax.vmap(lambda sample: estimator.energy(parameters, sample))(chunk)
        values = jax.vmap(lambda sample: estimator.observable(parameters, sample))(chunk)
        return (weights * energies).sum() + (shares * (values @ cotangent)).sum()

    return jax.grad(surrogate)(parameters)
