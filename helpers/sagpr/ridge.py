"""`SymmetryAdaptedKernelRidge`: an equivariant model of the polarizability of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from helpers import checks
from helpers.errors import DataError
from helpers.jax_setup import one_thread
from helpers.sagpr.feature_map import MIXING, N_SCALARS, FrameMap, in_batches
from helpers.sagpr.kernel_ridge import (
    N_SAMPLES,
    REGULARIZATIONS,
    Gram,
    Solution,
    check_groups,
    posterior_weights,
)
from helpers.sagpr.lambda_soap import LambdaSoap, check_frames
from helpers.sagpr.tensors import (
    BASIS,
    LAMBDAS,
    antisymmetric_rms,
    as_tensors,
    check_tensors,
    component_errors,
    to_cartesian,
    to_spherical,
)


class Predictions:
    """The part of `SymmetryAdaptedKernelRidge` that answers; the attributes are told there."""

    n_jobs: int
    map_: FrameMap
    solutions_: dict[int, Solution]
    primal_: dict[int, np.ndarray]
    constants_: dict[int, np.ndarray]

    def predict(
        self, frames: Sequence[Atoms], *, return_std: bool = False, progress: bool = False
    ) -> Any:
        """Return the tensors of frames, shape (n_frames, 3, 3), in the unit of the training set.

        Parameters
        ----------
        frames : sequence of ase.Atoms
        return_std : bool
            Return a tuple: the tensors, and the standard deviation that the fit expects of each
            entry, in the same shape, calibrated by the left-out residuals.
        progress : bool
            Show a bar.

        Raises
        ------
        NotFittedError
            If it was not fitted.
        DataError
            If a frame cannot be described; see `soap.check_frames`.
        """
        samples = self.predict_samples(frames, N_SAMPLES if return_std else 0, progress=progress)
        if not return_std:
            return samples[0]
        # Noise that is the same for all m is the same for all orientations, too.
        noise = sum(
            s.variance * s.noise * np.sum(BASIS[k] ** 2, 0) for k, s in self.solutions_.items()
        )
        n_atoms = np.array([len(atoms) for atoms in frames])
        spread = np.mean((samples[1:] - samples[0]) ** 2, 0)
        return samples[0], np.sqrt(spread + noise * np.square(n_atoms)[:, None, None])

    @one_thread
    def predict_samples(
        self, frames: Sequence[Atoms], n_samples: int = N_SAMPLES, *, progress: bool = False
    ) -> np.ndarray:
        """Return the prediction and samples of what the fit holds possible.

        A sample is one smooth function of the frames: what is computed from all of them, such as a
        spectrum, then spreads as the uncertainty of the fit says.

        Parameters
        ----------
        frames : sequence of ase.Atoms
        n_samples : int
            Up to `posterior.N_SAMPLES`.
        progress : bool
            Show a bar.

        Returns
        -------
        ndarray of shape (1 + n_samples, n_frames, 3, 3)
            The prediction first, in the unit of the training set.

        Raises
        ------
        NotFittedError
            If it was not fitted.
        DataError
            If a frame cannot be described; see `soap.check_frames`.
        ConfigError
            If there are not so many samples.
        """
        check_is_fitted(self)
        check_frames(frames, self.map_.soap)
        checks.whole("n_samples", n_samples, 0, N_SAMPLES)
        kept = slice(0, 1 + n_samples)

        def tensors(some: Sequence[Atoms]) -> np.ndarray:
            rows = self.map_.rows(some)
            n_atoms = np.array([len(atoms) for atoms in some])
            components = {
                k: rows[k] @ self.primal_[k][:, kept] + self.constants_[k][kept] for k in LAMBDAS
            }
            return to_cartesian(components) * n_atoms[:, None, None, None]

        found = in_batches(frames, tensors, self.n_jobs, progress=progress)
        return np.moveaxis(np.concatenate(list(found)), 3, 0)

    def predict_centers(self, atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
        """Return the parts of a frame's tensor: the centers, and what each contributes.

        Only the sum was learned: how it is shared out is the model's own choice.

        Returns
        -------
        ndarray of int of shape (n_centers,), ndarray of shape (n_centers, 3, 3)
            In the unit of the training set.

        Raises
        ------
        NotFittedError
            If it was not fitted.
        DataError
            If the frame cannot be described; see `soap.check_frames`.
        """
        check_is_fitted(self)
        check_frames([atoms], self.map_.soap)
        rows = self.map_.center_rows(atoms)
        n_centers = len(rows[0])
        components = {
            k: rows[k] @ self.primal_[k][:, 0] + self.constants_[k][0] / n_centers for k in LAMBDAS
        }
        symbols = np.array(atoms.get_chemical_symbols())
        centers = np.concatenate([np.flatnonzero(symbols == e) for e in self.map_.soap.centers])
        return centers, to_cartesian(components) * len(atoms)

    def score(self, frames: Sequence[Atoms], tensors: Any) -> float:
        """Return 1 − Σ|error|² / Σ|α − ⟨α⟩|² (Frobenius norm); 1 is perfect.

        Parameters
        ----------
        frames : sequence of ase.Atoms
        tensors : array-like of shape (n_frames, 3, 3) or (n_frames, 9)
            In the unit of the training set. An antisymmetric part is an error like others.

        Raises
        ------
        NotFittedError
            If it was not fitted.
        DataError
            If frames or tensors cannot be used.
        """
        tensors = as_tensors(tensors, len(frames))
        errors = self.predict(frames) - tensors
        return float(1 - np.sum(errors**2) / np.sum((tensors - tensors.mean(0)) ** 2))


class SymmetryAdaptedKernelRidge(Predictions, RegressorMixin, BaseEstimator):
    """Symmetry-adapted Gaussian process regression of symmetric tensors of rank 2.

    The tensor of a frame is a sum over atoms. Its λ = 0 and λ = 2 parts are learned apart, with
    kernels that turn as they do (Grisafi, Wilkins, Csányi, Ceriotti, *Phys. Rev. Lett.* **120**,
    036002 (2018)), so a turned frame's prediction is the turned prediction.

    Parameters
    ----------
    cutoff_A, smoothing_A, sigma_A, n_max, l_max, scaling_A, scaling_exponent, elements, centers
        Those of `soap.LambdaSoap`.
    zeta : 1 or 2, or {0: …, 2: …}
        1: linear in the features. 2: pairs of like environments count more (see `rows`).
    mixing : float
        How much more, for ζ = 2.
    n_scalars : int
        How many principal components tell what is alike, for ζ = 2.
    n_features : int, optional
        Features to keep of each element and λ, by farthest-point sampling; by default all.
    regularization : float or {0: …, 2: …}, optional
        Relative to the mean of the kernel's diagonal. By default, the one with the smallest
        leave-one-out error, for each λ.
    threshold : float, optional
        Largest antisymmetric part to pass over; see `tensors.check_tensors`.
    n_jobs : int
        Threads; −1: one for each core.
    seed : int
        Of the posterior samples behind the uncertainty.

    Attributes
    ----------
    solutions_ : dict of int to Solution
        Of each λ: weights, regularization, left-out residuals.
    left_out_ : ndarray of shape (n_frames, 3, 3)
        Prediction of each training frame by the fit without it, in closed form. The features that
        were selected, and the principal components, are those of all frames.
    errors_ : DataFrame
        Left-out errors of each λ; see `component_errors`.
    map_ : FrameMap
        How frames become rows; ``map_.selection`` holds the features that were kept.
    primal_, constants_ : dict of int to ndarray
        Of each λ: weights of the rows; the fit's own first, then samples of the posterior.
    antisymmetric_rms_ : float
        What the training tensors hold besides λ = 0 and 2, RMS: it is not learned.

    Examples
    --------
    >>> from helpers import SymmetryAdaptedKernelRidge, load_frames
    >>> from helpers.sagpr.tensors import read_tensors
    >>> frames = load_frames("water", "train", 50)
    >>> model = SymmetryAdaptedKernelRidge().fit(frames, read_tensors(frames))
    >>> model.predict(frames[:2]).shape
    (2, 3, 3)
    """

    def __init__(
        self,
        *,
        cutoff_A: float = LambdaSoap.cutoff_A,
        smoothing_A: float = LambdaSoap.smoothing_A,
        sigma_A: float = LambdaSoap.sigma_A,
        n_max: int = LambdaSoap.n_max,
        l_max: int = LambdaSoap.l_max,
        scaling_A: float = LambdaSoap.scaling_A,
        scaling_exponent: float = LambdaSoap.scaling_exponent,
        elements: tuple[str, ...] = LambdaSoap.elements,
        centers: tuple[str, ...] = LambdaSoap.centers,
        zeta: int | Mapping[int, int] = 1,
        mixing: float = MIXING,
        n_scalars: int = N_SCALARS,
        n_features: int | None = None,
        regularization: float | Mapping[int, float] | None = None,
        threshold: float | None = None,
        n_jobs: int = -1,
        seed: int = 0,
    ) -> None:
        self.cutoff_A = cutoff_A
        self.smoothing_A = smoothing_A
        self.sigma_A = sigma_A
        self.n_max = n_max
        self.l_max = l_max
        self.scaling_A = scaling_A
        self.scaling_exponent = scaling_exponent
        self.elements = elements
        self.centers = centers
        self.zeta = zeta
        self.mixing = mixing
        self.n_scalars = n_scalars
        self.n_features = n_features
        self.regularization = regularization
        self.threshold = threshold
        self.n_jobs = n_jobs
        self.seed = seed

    @property
    def soap(self) -> LambdaSoap:
        """The settings of the features, checked."""
        names = LambdaSoap.__dataclass_fields__
        return LambdaSoap(**{name: getattr(self, name) for name in names})

    @one_thread
    def fit(
        self, frames: Sequence[Atoms], tensors: Any, groups: Any = None
    ) -> SymmetryAdaptedKernelRidge:
        """Learn the tensors of frames.

        Parameters
        ----------
        frames : sequence of ase.Atoms
            Sizes may differ: tensors grow with the number of atoms.
        tensors : array-like of shape (n_frames, 3, 3) or (n_frames, 9)
            Of whole frames, in any unit: predictions have the same. `tensors.read_tensors` takes
            them from the frames.
        groups : array-like of shape (n_frames,), optional
            What is left out together, such as the trajectories that the frames come from.

        Raises
        ------
        DataError
            If frames or tensors cannot be used.
        ConfigError
            If a setting cannot be used.
        """
        regularizations = regularizations_to_try(self.regularization)
        zetas, soap = zeta_of_each(self.zeta), self.soap
        self._check_numbers()
        tensors = check_tensors(tensors, len(frames), threshold=self.threshold)
        if len(frames) < 2:
            raise DataError(f"{len(frames)} frames are too few to learn from", expected="2 or more")
        groups = None if groups is None else check_groups(groups, len(frames))
        check_frames(frames, soap)
        self.antisymmetric_rms_ = antisymmetric_rms(tensors)
        self.map_ = FrameMap.learn(
            frames,
            soap,
            zetas,
            n_features=self.n_features,
            n_scalars=self.n_scalars,
            mixing=self.mixing,
            n_jobs=self.n_jobs,
        )
        parts = list(in_batches(frames, self.map_.rows, self.n_jobs))
        n_atoms = np.array([len(atoms) for atoms in frames])
        targets, left_out = to_spherical(tensors), {}
        rng = np.random.default_rng(self.seed)
        self.solutions_: dict[int, Solution] = {}
        self.primal_, self.constants_ = {}, {}
        for lambda_ in LAMBDAS:
            rows = np.concatenate([part[lambda_] for part in parts])
            rows = rows.reshape(-1, rows.shape[2])
            gram = Gram(rows @ rows.T, 2 * lambda_ + 1)
            solution = gram.best(
                targets[lambda_] / n_atoms[:, None], regularizations[lambda_], groups
            )
            self.solutions_[lambda_] = solution
            self.primal_[lambda_], self.constants_[lambda_] = posterior_weights(
                gram, solution, rows, rng
            )
            left_out[lambda_] = targets[lambda_] - solution.left_out * n_atoms[:, None]
        self.left_out_ = to_cartesian(left_out)
        self.errors_ = component_errors(tensors, self.left_out_)
        return self

    def _check_numbers(self) -> None:
        checks.number("mixing", self.mixing)
        checks.whole("n_scalars", self.n_scalars, 1)
        if self.n_features is not None:
            checks.whole("n_features", self.n_features, 1)
        checks.whole("seed", self.seed, 0)


def regularizations_to_try(given: float | Mapping[int, float] | None) -> dict[int, Sequence[float]]:
    """Return what to try for each λ: the one that was given, or the usual ones.

    Raises
    ------
    ConfigError
        If one is not above 0, or a λ has none.
    """
    if given is None:
        return dict.fromkeys(LAMBDAS, REGULARIZATIONS)
    chosen = _of_each_lambda("regularization", given)
    for value in chosen.values():
        checks.number("regularization", value)
    return {k: [value] for k, value in chosen.items()}


def zeta_of_each(given: int | Mapping[int, int]) -> dict[int, int]:
    """Return ζ by λ.

    Raises
    ------
    ConfigError
        If one is neither 1 nor 2, or a λ has none.
    """
    zetas = _of_each_lambda("zeta", given)
    for value in zetas.values():
        if value not in (1, 2):
            checks.refuse("zeta", value, "1 or 2")
    return zetas


def _of_each_lambda(name: str, value: Any) -> dict[int, Any]:
    chosen = dict(value) if isinstance(value, Mapping) else dict.fromkeys(LAMBDAS, value)
    if set(chosen) != set(LAMBDAS):
        checks.refuse(name, value, "one value, or one for each λ: {0: …, 2: …}")
    return chosen
