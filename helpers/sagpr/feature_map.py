"""`FrameMap`: explicit feature maps of the SA-GPR kernels, from atoms to frames.

ζ = 1: k(A, B) = Σᵢⱼ pᵢ·pⱼ / (N_A N_B), so a row is the mean of p over the centers of a frame.

ζ = 2: each pair of environments counts 1 + b δp⁰ᵢ·δp⁰ⱼ times more, where δp⁰ is the deviation of
the λ = 0 features from their mean, of length 1 on average. That is still a scalar product, of the
rows Σᵢ (1, √b δp⁰ᵢ) ⊗ pᵢ, so there are no loops over pairs; δp⁰ is projected on its principal
components first.

Different elements never look alike: their rows stand side by side. Which features are kept is
chosen by farthest-point sampling, the same columns for every m.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from ase import Atoms
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from helpers import checks
from helpers.sagpr.lambda_soap import Environments, LambdaSoap, Selection, batches, environments

Result = TypeVar("Result")


@dataclass(frozen=True)
class FrameMap:
    """How a frame becomes a row for each λ.

    Attributes
    ----------
    soap : LambdaSoap
    zetas : mapping of λ to 1 or 2
    selection : mapping of (element, λ) to ndarray of int, or None
        Columns that are kept; None: all.
    contractions : mapping of element to Contraction, or None
        For ζ = 2.
    """

    soap: LambdaSoap
    zetas: Mapping[int, int]
    selection: Selection | None
    contractions: Mapping[str, Contraction] | None

    @classmethod
    def learn(
        cls,
        frames: Sequence[Atoms],
        soap: LambdaSoap,
        zetas: Mapping[int, int],
        *,
        n_features: int | None,
        n_scalars: int,
        mixing: float,
        n_jobs: int = 1,
    ) -> FrameMap:
        """Select features, and find their principal components, on training frames."""
        needs_scalars = 2 in zetas.values()
        if n_features is None and not needs_scalars:
            return cls(soap, zetas, None, None)
        orders = [k for k in zetas if n_features is not None or k == 0]
        moments: dict[tuple[str, int], Moments] = {}
        for found in in_batches(frames, lambda some: _moments(some, soap, orders), n_jobs):
            for key, value in found.items():
                moments[key] = moments[key] + value if key in moments else value
        selection = None
        if n_features is not None:
            selection = {
                k: farthest_point_sampling(m.products, n_features) for k, m in moments.items()
            }
            moments = {key: m.columns(selection[key]) for key, m in moments.items()}
        contractions = None
        if needs_scalars:
            contractions = {
                element: Contraction.of(moments[element, 0], n_scalars, mixing)
                for element in soap.centers
            }
        return cls(soap, zetas, selection, contractions)

    def rows(self, frames: Sequence[Atoms]) -> dict[int, np.ndarray]:
        """Return the rows of each λ, shape (n_frames, 2λ + 1, n); few frames at a time."""
        orders = sorted({*self.zetas, *([0] if self.contractions else [])})
        seen = environments(frames, self.soap, orders, selection=self.selection)
        n_atoms = np.array([len(atoms) for atoms in frames])
        return {k: frame_rows(seen, k, n_atoms, self.scalars_for(k)) for k in self.zetas}

    def center_rows(self, atoms: Atoms) -> dict[int, np.ndarray]:
        """Return the rows of the centers of one frame, which add up to its own, for each λ."""
        orders = sorted({*self.zetas, *([0] if self.contractions else [])})
        seen = environments([atoms], self.soap, orders, selection=self.selection)
        start, apart = 0, {}
        for element in self.soap.centers:
            end = start + len(seen[element, 0].frame)
            for k in orders:
                apart[element, k] = replace(seen[element, k], frame=np.arange(start, end))
            start = end
        n_atoms = np.full(start, len(atoms))
        return {k: frame_rows(apart, k, n_atoms, self.scalars_for(k)) for k in self.zetas}

    def scalars_for(self, lambda_: int) -> Mapping[str, Contraction] | None:
        """Return what the kernel of this λ compares environments by, if it does."""
        return self.contractions if self.zetas[lambda_] == 2 else None


def in_batches(
    frames: Sequence[Atoms],
    function: Callable[[Sequence[Atoms]], Result],
    n_jobs: int = 1,
    *,
    progress: bool = False,
    task: str = "polarizabilities",
) -> Iterator[Result]:
    """Yield what a function makes of frames, some at a time, in order, in so many threads.

    Raises
    ------
    ConfigError
        If ``n_jobs`` is neither a number of threads nor −1, one for each core.
    """
    if n_jobs != -1:
        checks.whole("n_jobs", n_jobs, 1)
    pieces = list(batches(frames))
    run = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    results = run(delayed(function)(piece) for piece in pieces)
    with tqdm(total=len(frames), desc=task, unit="frame", disable=not progress) as bar:
        for piece, result in zip(pieces, results, strict=True):
            yield result
            bar.update(len(piece))


def _moments(
    frames: Sequence[Atoms], soap: LambdaSoap, lambdas: Sequence[int]
) -> dict[tuple[str, int], Moments]:
    return {key: Moments.of(one) for key, one in environments(frames, soap, lambdas).items()}


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


SAME = 1e-12  # squared distance, relative to the largest column, of columns that are copies


def farthest_point_sampling(moments: np.ndarray, n_features: int) -> np.ndarray:
    """Return the columns of V that farthest-point sampling takes, in its order.

    The first is the longest column; each next one is farthest from those already taken.

    Parameters
    ----------
    moments : ndarray of shape (n, n)
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
    lengths = np.diag(moments)
    taken = [int(lengths.argmax())]
    nearest = lengths + lengths[taken[0]] - 2 * moments[taken[0]]
    while len(taken) < min(n_features, len(lengths)):
        following = int(nearest.argmax())
        if nearest[following] <= SAME * lengths[taken[0]]:
            break
        taken.append(following)
        nearest = np.minimum(nearest, lengths + lengths[following] - 2 * moments[following])
    return np.array(taken)
