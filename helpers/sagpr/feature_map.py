"""Explicit feature maps of the SA-GPR kernels: frames → features whose scalar products are kernels.

ζ = 1: k(A, B) = Σᵢⱼ pᵢ·pⱼ / (N_A N_B), so the features of a frame are Σᵢ pᵢ / N over its centers i
(N atoms in all).

ζ = 2: each pair of environments counts 1 + b δp⁰ᵢ·δp⁰ⱼ times more, where δp⁰ is the deviation of
the λ = 0 features from their mean, of length 1 on average. That is still a scalar product, of
Σᵢ (1, √b δp⁰ᵢ) ⊗ pᵢ / N, so there are no loops over pairs; δp⁰ is projected on its principal
components first.

Without b, ζ = 2 is the product of the original: k = p²·p² p⁰·p⁰, linear in Σᵢ p⁰ᵢ ⊗ pᵢ / N.

Environments of different elements have no kernel: their features stand side by side. Which features
are kept is chosen by farthest-point sampling, the same columns for every m; they are mixed by the
matrix that makes their scalar products those of all features, as well as so many can.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from ase import Atoms
from joblib import Parallel, delayed

from helpers import checks
from helpers.sagpr.lambda_soap import Environments, LambdaSoap, Selection, batches, environments
from helpers.terminal import progress_bar

MIXING, N_SCALARS = 0.03, 16  # b, and how many principal components: found by leave-one-out
DUPLICATE = 1e-12  # squared distance, relative to the longest column, of columns that are copies

Key = TypeVar("Key")
Result = TypeVar("Result")


@dataclass(frozen=True)
class FeatureMap:
    """The map from frames to features, for each λ.

    Attributes
    ----------
    soap : LambdaSoap
    zetas : mapping of λ to 1 or 2
    selection : mapping of (element, λ) to ndarray of int, or None
        Columns that are kept; None: all.
    reweighting : mapping of (element, λ) to ndarray of shape (n, n), or None
        Matrix that mixes them: see `reweighting_matrix`.
    scalar_pcas : mapping of element to ScalarPCA, or None
        For ζ = 2.
    normalize : bool
        Whether each environment has a kernel of norm 1 with itself.
    """

    soap: LambdaSoap
    zetas: Mapping[int, int]
    selection: Selection | None
    reweighting: Mapping[tuple[str, int], np.ndarray] | None
    scalar_pcas: Mapping[str, ScalarPCA] | None
    normalize: bool = False

    @classmethod
    def fit(
        cls,
        frames: Sequence[Atoms],
        soap: LambdaSoap,
        zetas: Mapping[int, int],
        *,
        n_features: int | None,
        n_scalars: int,
        mixing: float | None,
        normalize: bool = False,
        n_jobs: int | None = 1,
    ) -> FeatureMap:
        """Select features, and find their principal components, on training frames."""
        selection = reweighting = scalar_pcas = None
        lambdas = sorted({*zetas, *([0] if 2 in zetas.values() else [])})
        if n_features is not None:
            selection, reweighting = select_features(frames, soap, lambdas, n_features, n_jobs)
        feature_map = cls(soap, zetas, selection, reweighting, None, normalize)
        if 2 in zetas.values():
            scalar_pcas = {
                element: ScalarPCA.fit(moments, n_scalars, mixing)
                for (element, _), moments in sum_moments(
                    in_batches(frames, feature_map._scalar_moments, n_jobs)
                ).items()
            }
        return replace(feature_map, scalar_pcas=scalar_pcas)

    def _scalar_moments(self, batch: Sequence[Atoms]) -> dict[tuple[str, int], FeatureMoments]:
        by_key = self.environments(batch, [0])
        return {key: FeatureMoments.of(centers) for key, centers in by_key.items()}

    def environments(
        self, frames: Sequence[Atoms], lambdas: Sequence[int]
    ) -> dict[tuple[str, int], Environments]:
        """Return the features of all centers: selected, mixed and normalized."""
        by_key = environments(frames, self.soap, lambdas, selection=self.selection)
        return {
            key: _prepared(
                centers, self.reweighting[key] if self.reweighting else None, self.normalize
            )
            for key, centers in by_key.items()
        }

    def transform(self, frames: Sequence[Atoms]) -> dict[int, np.ndarray]:
        """Return the features of frames for each λ, shape (n_frames, 2λ + 1, n).

        The features of their environments are in memory at once: see `in_batches`.
        """
        by_key = self.environments(frames, self._lambdas)
        n_atoms = np.array([len(atoms) for atoms in frames])
        return self._features(by_key, n_atoms)

    def atom_features(self, atoms: Atoms) -> dict[int, np.ndarray]:
        """Return the features of the centers of one frame, which add up to its own, for each λ."""
        by_key = self.environments([atoms], self._lambdas)
        start = 0
        for element in self.soap.centers:  # each center becomes a frame of its own
            end = start + len(by_key[element, 0].frame)
            for k in self._lambdas:
                by_key[element, k] = replace(by_key[element, k], frame=np.arange(start, end))
            start = end
        return self._features(by_key, np.full(start, len(atoms)))

    @property
    def _lambdas(self) -> list[int]:
        """The orders to compute: scalars, too, where environments are compared by them."""
        return sorted({*self.zetas, *([0] if self.scalar_pcas else [])})

    def _features(
        self, by_key: Mapping[tuple[str, int], Environments], n_atoms: np.ndarray
    ) -> dict[int, np.ndarray]:
        return {
            k: frame_features(by_key, k, n_atoms, self.scalar_pcas if zeta == 2 else None)
            for k, zeta in self.zetas.items()
        }


def frame_features(
    environments: Mapping[tuple[str, int], Environments],
    lambda_: int,
    n_atoms: np.ndarray,
    scalar_pcas: Mapping[str, ScalarPCA] | None = None,
) -> np.ndarray:
    """Return features of shape (n_frames, 2λ + 1, n) whose scalar products are the kernel.

    Parameters
    ----------
    environments : mapping of (element, λ) to Environments
    lambda_ : int
    n_atoms : ndarray of shape (n_frames,)
        Number of atoms of each frame, by which the sum over its centers is divided.
    scalar_pcas : mapping of element to ScalarPCA, optional
        For ζ = 2.
    """
    blocks = []
    for (element, order), centers in environments.items():
        if order != lambda_:
            continue
        n, n_m, n_features = centers.values.shape
        scalars = np.ones((n, 1))
        if scalar_pcas is not None:
            scalars = scalar_pcas[element].transform(environments[element, 0])
        # Atoms are in the order of their frames.
        borders = np.searchsorted(centers.frame, np.arange(len(n_atoms) + 1))
        sums = np.empty((len(n_atoms), n_m, scalars.shape[1], n_features))
        for number, (start, end) in enumerate(itertools.pairwise(borders)):
            values = centers.values[start:end].reshape(-1, n_m * n_features)
            products = scalars[start:end].T @ values
            sums[number] = products.reshape(-1, n_m, n_features).swapaxes(0, 1)
        blocks.append(sums.reshape(len(n_atoms), n_m, -1))
    return np.concatenate(blocks, axis=2) / n_atoms[:, None, None]


def _prepared(
    environments: Environments, reweighting: np.ndarray | None, normalize: bool
) -> Environments:
    """Return the features after they were mixed and normalized."""
    values = environments.values
    if reweighting is not None:
        values = values @ reweighting
    if normalize:
        kernels = np.matmul(values, values.swapaxes(1, 2))
        norms = np.sqrt(np.linalg.norm(kernels, axis=(1, 2)))
        values = values / np.where(norms > 0, norms, 1)[:, None, None]  # 0: an atom alone, λ > 0
    return replace(environments, values=values)


@dataclass(frozen=True)
class ScalarPCA:
    """The principal components of the λ = 0 features of one element.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
    axes : ndarray of shape (n_features, n_scalars)
        Divided by the RMS length of δp⁰, times √b.
    constant : bool
        Whether a 1 stands before them: not in the product kernel, where the mean is 0.
    """

    mean: np.ndarray
    axes: np.ndarray
    constant: bool = True

    @classmethod
    def fit(cls, moments: FeatureMoments, n_scalars: int, mixing: float | None) -> ScalarPCA:
        """Find them from the moments of the λ = 0 features; without mixing, for p⁰·p⁰ itself.

        Where the features do not vary, or there are none, the axes are 0: every pair of
        environments counts the same.
        """
        count = max(moments.count, 1)
        if mixing is None:
            n = len(moments.sum)
            axes = np.linalg.eigh(moments.products)[1][:, ::-1] if n_scalars < n else np.eye(n)
            return cls(np.zeros(n), axes[:, :n_scalars], False)
        mean = moments.sum / count
        variances, vectors = np.linalg.eigh(moments.products / count - np.outer(mean, mean))
        total_variance, rounding = variances.clip(0).sum(), 1e-12 * mean @ mean
        scale = np.sqrt(mixing / total_variance) if total_variance > rounding else 0.0
        return cls(mean, vectors[:, ::-1][:, :n_scalars] * scale)

    def transform(self, environments: Environments) -> np.ndarray:
        """Return (1, √b δp⁰) of shape (n_atoms, 1 + n_scalars), or p⁰ of (n_atoms, n_scalars)."""
        scalars = (environments.values[:, 0] - self.mean) @ self.axes
        return np.hstack([np.ones((len(scalars), int(self.constant))), scalars])


@dataclass(frozen=True)
class FeatureMoments:
    """Sums over environments, from which features are selected and `ScalarPCA` is fitted.

    Attributes
    ----------
    count : int
        Number of environments.
    sum : ndarray of shape (n_features,)
        Of λ = 0 features; zeros for others, whose mean over orientations is 0.
    products : ndarray of shape (n_features, n_features)
        Σ p pᵀ, summed over m.
    """

    count: int
    sum: np.ndarray
    products: np.ndarray

    @classmethod
    def of(cls, environments: Environments) -> FeatureMoments:
        """Sum over the environments."""
        values = environments.values
        flat = values.reshape(-1, values.shape[2])
        total = values[:, 0].sum(0) if values.shape[1] == 1 else np.zeros(values.shape[2])
        return cls(len(values), total, flat.T @ flat)

    def __add__(self, other: FeatureMoments) -> FeatureMoments:
        return FeatureMoments(
            self.count + other.count, self.sum + other.sum, self.products + other.products
        )


def feature_moments(
    frames: Sequence[Atoms], soap: LambdaSoap, lambdas: Sequence[int], n_jobs: int | None = 1
) -> dict[tuple[str, int], FeatureMoments]:
    """Return the moments of the features of frames, by element and λ."""

    def moments(batch: Sequence[Atoms]) -> dict[tuple[str, int], FeatureMoments]:
        by_key = environments(batch, soap, lambdas)
        return {key: FeatureMoments.of(centers) for key, centers in by_key.items()}

    return sum_moments(in_batches(frames, moments, n_jobs))


def sum_moments(batches: Iterable[Mapping[Key, FeatureMoments]]) -> dict[Key, FeatureMoments]:
    """Add up the moments of batches of frames, key by key."""
    total: dict[Key, FeatureMoments] = {}
    for batch in batches:
        for key, moments in batch.items():
            total[key] = total[key] + moments if key in total else moments
    return total


def select_features(
    frames: Sequence[Atoms],
    soap: LambdaSoap,
    lambdas: Sequence[int],
    n_features: int,
    n_jobs: int | None = 1,
) -> tuple[Selection, dict[tuple[str, int], np.ndarray]]:
    """Return which features farthest-point sampling selects on frames, by element and λ.

    Returns
    -------
    mapping of (element, λ) to ndarray of int
        Their columns.
    dict of (element, λ) to ndarray
        Their `reweighting_matrix`.
    """
    moments = feature_moments(frames, soap, lambdas, n_jobs)
    columns = {k: farthest_point_sampling(m.products, n_features) for k, m in moments.items()}
    return columns, {k: reweighting_matrix(m.products, columns[k]) for k, m in moments.items()}


def reweighting_matrix(products: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return A, with which scalar products of selected features, V A, are nearly those of all.

    All features are estimated from the selected ones by least squares, V R; A is the symmetric
    square root of R Rᵀ.

    Parameters
    ----------
    products : ndarray of shape (n, n)
        Those of all features; see `farthest_point_sampling`.
    columns : ndarray of int
        The selected ones.

    Returns
    -------
    ndarray of shape (n_selected, n_selected)

    References
    ----------
    Imbalzano and others; see `farthest_point_sampling`.
    """
    selected = products[np.ix_(columns, columns)]
    estimate = np.linalg.pinv(selected, rcond=1e-12, hermitian=True) @ products[columns]
    values, vectors = np.linalg.eigh(estimate @ estimate.T)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def farthest_point_sampling(products: np.ndarray, n_features: int) -> np.ndarray:
    """Farthest-point sampling: return the columns of V that it takes, in its order.

    The first is the longest column; each next one is farthest from those already taken.

    Parameters
    ----------
    products : ndarray of shape (n, n)
        VᵀV, with V of shape (n_environments · (2λ + 1), n): all m of a feature are one column, so
        that what is selected still rotates like a spherical tensor.
    n_features : int
        How many to take; fewer if the rest are copies of what was taken.

    Returns
    -------
    ndarray of int
        In the order of sampling: its first 200 are the selection of 200.

    References
    ----------
    Imbalzano, Anelli, Giofré, Klees, Behler, Ceriotti, *J. Chem. Phys.* **148**, 241730 (2018).
    """
    squares = np.diag(products)
    taken = [int(squares.argmax())]
    distances = squares + squares[taken[0]] - 2 * products[taken[0]]
    while len(taken) < min(n_features, len(squares)):
        farthest = int(distances.argmax())
        if distances[farthest] <= DUPLICATE * squares[taken[0]]:
            break
        taken.append(farthest)
        distances = np.minimum(distances, squares + squares[farthest] - 2 * products[farthest])
    return np.array(taken)


def in_batches(
    frames: Sequence[Atoms],
    function: Callable[[Sequence[Atoms]], Result],
    n_jobs: int | None = 1,
    *,
    progress: bool = False,
    task: str = "polarizabilities",
) -> Iterator[Result]:
    """Yield what a function returns for each batch of frames, in order, computed in threads.

    Raises
    ------
    ConfigError
        If ``n_jobs`` is neither a number of threads, nor None (one), nor −1, one for each core.
    """
    n_jobs = 1 if n_jobs is None else n_jobs
    if n_jobs != -1:
        checks.whole("n_jobs", n_jobs, 1)
    frame_batches = [frames[batch] for batch in batches(len(frames))]
    run = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    results = run(delayed(function)(batch) for batch in frame_batches)
    with progress_bar(len(frames), task, "frame", show=progress) as bar:
        for batch, result in zip(frame_batches, results, strict=True):
            yield result
            bar.update(len(batch))
