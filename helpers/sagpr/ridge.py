"""`SymmetryAdaptedKernelRidge`: an equivariant model of the polarizability of frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from helpers import checks
from helpers.errors import DataError
from helpers.jax_setup import one_thread
from helpers.sagpr.feature_map import MIXING, N_SCALARS, FeatureMap, in_batches
from helpers.sagpr.frame_input import as_frames
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
    check_changes,
    check_tensors,
    component_errors,
    is_flat,
    to_cartesian,
    to_spherical,
)


class SymmetryAdaptedKernelRidge(RegressorMixin, BaseEstimator):
    """Symmetry-adapted Gaussian process regression of symmetric tensors of rank 2.

    The tensor of a frame is a sum over atoms. Its λ = 0 and λ = 2 parts are learned separately,
    with equivariant kernels (Grisafi, Wilkins, Csányi, Ceriotti, *Phys. Rev. Lett.* **120**, 036002
    (2018)), so the prediction of a rotated frame is the rotated prediction.

    Parameters
    ----------
    cutoff_A, smoothing_A, sigma_A, n_max, l_max, scaling_A, scaling_exponent, elements, centers
        Those of `lambda_soap.LambdaSoap`.
    zeta : 1 or 2, or {0: …, 2: …}
        1: linear in the features. 2: pairs of like environments count more (see `feature_map`).
    mixing : float, optional
        How much more, for ζ = 2. None: the kernel of λ is multiplied by that of λ = 0, as
        ``sagpr_get_kernel -z 2`` does it.
    n_scalars : int
        How many principal components tell what is alike, for ζ = 2.
    normalize : bool
        Divide the features of each environment by the norm of its kernel with itself.
    n_features : int, optional
        Features to keep of each element and λ, by farthest-point sampling; by default all.
    regularization : float or {0: …, 2: …}, optional
        Noise variance σ² that is added to the kernel's diagonal, relative to the mean of that
        diagonal. By default, the one with the smallest leave-one-out error, for each λ.
    threshold : float, optional
        Largest antisymmetric part to pass over; see `tensors.check_tensors`.
    n_jobs : int, optional
        Threads; −1: one for each core; None: one.
    seed : int
        Of the posterior samples behind the uncertainty.

    Attributes
    ----------
    coef_, intercept_ : dict of int to ndarray
        Of each λ: weights of the features, shape (n, 1 + N_SAMPLES), and intercepts, shape
        (1 + N_SAMPLES,); first those of the fit, then samples of the posterior.
    solutions_ : dict of int to Solution
        Of each λ: dual coefficients, regularization, left-out residuals.
    feature_map_ : FeatureMap
        How frames become features; ``feature_map_.selection`` holds those that were kept.
    loo_predictions_ : ndarray of shape (n_frames, 3, 3)
        Prediction of each training frame by the fit without it (or without its group), in closed
        form. The selected features and the principal components are those of all frames.
    loo_errors_ : DataFrame
        Their errors; see `component_errors`.
    antisymmetric_rms_ : float
        What the training tensors hold besides λ = 0 and 2, RMS: it is not learned.
    flat_output_ : bool
        Whether tensors were given, and are predicted, as rows of 9 numbers.

    Examples
    --------
    >>> from helpers import SymmetryAdaptedKernelRidge, load_frames
    >>> from helpers.sagpr import read_tensors
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
        mixing: float | None = MIXING,
        n_scalars: int = N_SCALARS,
        normalize: bool = False,
        n_features: int | None = None,
        regularization: float | Mapping[int, float] | None = None,
        threshold: float | None = None,
        n_jobs: int | None = -1,
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
        self.normalize = normalize
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
    def fit(self, frames: Any, tensors: Any, groups: Any = None) -> SymmetryAdaptedKernelRidge:
        """Learn the tensors of frames.

        Parameters
        ----------
        frames : iterable of ase.Atoms, or `frame_input.frame_array`
            Sizes may differ: tensors grow with the number of atoms.
        tensors : array-like of shape (n_frames, 3, 3) or (n_frames, 9)
            Of whole frames, in any unit: predictions have the same, and the same shape; the scorers
            of scikit-learn need (n_frames, 9). `tensors.read_tensors` takes them from the frames.
        groups : array-like of shape (n_frames,), optional
            What is left out together, such as the trajectories that the frames come from.

        Raises
        ------
        DataError
            If frames or tensors cannot be used.
        ConfigError
            If a setting cannot be used.
        """
        regularizations = _regularizations(self.regularization)
        zetas, soap = zeta_per_lambda(self.zeta), self.soap
        self._check_numbers()
        frames = as_frames(frames)
        if not hasattr(tensors, "__len__") and isinstance(tensors, Iterable):
            tensors = list(tensors)
        checked = check_tensors(tensors, len(frames), threshold=self.threshold)
        if len(frames) < 2:
            raise DataError(f"{len(frames)} frames are too few to learn from", expected="2 or more")
        self.flat_output_ = is_flat(tensors)
        tensors = checked
        check_changes(tensors)
        groups = None if groups is None else check_groups(groups, len(frames))
        check_frames(frames, soap)
        self.antisymmetric_rms_ = antisymmetric_rms(tensors)
        self.feature_map_ = FeatureMap.fit(
            frames,
            soap,
            zetas,
            n_features=self.n_features,
            n_scalars=self.n_scalars,
            mixing=self.mixing,
            normalize=self.normalize,
            n_jobs=self.n_jobs,
        )
        batches = list(in_batches(frames, self.feature_map_.transform, self.n_jobs))
        n_atoms = np.array([len(atoms) for atoms in frames])
        targets, loo_components = to_spherical(tensors), {}
        rng = np.random.default_rng(self.seed)
        self.solutions_: dict[int, Solution] = {}
        self.coef_: dict[int, np.ndarray] = {}
        self.intercept_: dict[int, np.ndarray] = {}
        for k in LAMBDAS:
            features = np.concatenate([batch[k] for batch in batches])
            features = features.reshape(-1, features.shape[2])
            gram = Gram(features @ features.T, 2 * k + 1)
            solution = gram.best(targets[k] / n_atoms[:, None], regularizations[k], groups)
            self.solutions_[k] = solution
            self.coef_[k], self.intercept_[k] = posterior_weights(gram, solution, features, rng)
            loo_components[k] = targets[k] - solution.loo_residuals * n_atoms[:, None]
        self.loo_predictions_ = to_cartesian(loo_components)
        self.loo_errors_ = component_errors(tensors, self.loo_predictions_)
        return self

    def predict(self, frames: Any, *, return_std: bool = False, progress: bool = False) -> Any:
        """Return the tensors of frames, in the unit and shape of the training set.

        The shape is (n_frames, 3, 3), or (n_frames, 9) if the tensors given to `fit` had that.

        Parameters
        ----------
        frames : iterable of ase.Atoms, or one of them
        return_std : bool
            Return a tuple: the tensors, and the predicted standard deviation of each entry, in the
            same shape, calibrated by the left-out residuals.
        progress : bool
            Show a bar.

        Raises
        ------
        NotFittedError
            If it was not fitted.
        DataError
            If a frame cannot be described; see `lambda_soap.check_frames`.
        """
        frames = as_frames(frames)
        samples = self.predict_samples(frames, N_SAMPLES if return_std else 0, progress=progress)
        shape = (-1, 9) if self.flat_output_ else (-1, 3, 3)
        if not return_std:
            return samples[0].reshape(shape)
        # Noise that is the same for all m is the same for all orientations, too.
        noise = sum(
            s.prior_variance * s.noise * np.sum(BASIS[k] ** 2, 0)
            for k, s in self.solutions_.items()
        )
        n_atoms = np.array([len(atoms) for atoms in frames])
        model_variance = np.mean((samples[1:] - samples[0]) ** 2, 0)
        std = np.sqrt(model_variance + noise * np.square(n_atoms)[:, None, None])
        return samples[0].reshape(shape), std.reshape(shape)

    @one_thread
    def predict_samples(
        self, frames: Any, n_samples: int = N_SAMPLES, *, progress: bool = False
    ) -> np.ndarray:
        """Return the prediction and samples of the posterior.

        A sample is one smooth function of the frames: what is computed from all of them, such as a
        spectrum, then has the spread that the uncertainty of the fit implies.

        Parameters
        ----------
        frames : iterable of ase.Atoms, or one of them
        n_samples : int
            Up to `kernel_ridge.N_SAMPLES`.
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
            If a frame cannot be described; see `lambda_soap.check_frames`.
        ConfigError
            If there are not so many samples.
        """
        check_is_fitted(self)
        frames = as_frames(frames)
        check_frames(frames, self.feature_map_.soap)
        checks.whole("n_samples", n_samples, 0, N_SAMPLES)
        columns = slice(0, 1 + n_samples)

        def tensors(batch: Sequence[Atoms]) -> np.ndarray:
            features = self.feature_map_.transform(batch)
            n_atoms = np.array([len(atoms) for atoms in batch])
            components = {
                k: features[k] @ self.coef_[k][:, columns] + self.intercept_[k][columns]
                for k in LAMBDAS
            }
            return to_cartesian(components) * n_atoms[:, None, None, None]

        batches = in_batches(frames, tensors, self.n_jobs, progress=progress)
        return np.moveaxis(np.concatenate(list(batches)), 3, 0)

    def predict_centers(self, atoms: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the contributions of the centers to the tensor of a frame.

        Only the sum was learned: how it is shared out is the model's own choice.

        Parameters
        ----------
        atoms : ase.Atoms
            One frame, also as the only one of a list.

        Returns
        -------
        ndarray of int of shape (n_centers,), ndarray of shape (n_centers, 3, 3)
            In the unit of the training set.

        Raises
        ------
        NotFittedError
            If it was not fitted.
        DataError
            If the frame cannot be described; see `lambda_soap.check_frames`.
        """
        check_is_fitted(self)
        frames = as_frames(atoms)
        if len(frames) != 1:
            raise DataError(f"{len(frames)} frames cannot be shared out", expected="one frame")
        (atoms,) = frames
        check_frames(frames, self.feature_map_.soap)
        features = self.feature_map_.atom_features(atoms)
        n_centers = len(features[0])
        components = {
            k: features[k] @ self.coef_[k][:, 0] + self.intercept_[k][0] / n_centers
            for k in LAMBDAS
        }
        symbols = np.array(atoms.get_chemical_symbols())
        elements = self.feature_map_.soap.centers
        centers = np.concatenate([np.flatnonzero(symbols == element) for element in elements])
        return centers, to_cartesian(components) * len(atoms)

    def score(self, frames: Any, tensors: Any) -> float:
        """Return 1 − Σ|error|² / Σ|α − ⟨α⟩|² (Frobenius norm); 1 is perfect.

        Parameters
        ----------
        frames : iterable of ase.Atoms
        tensors : array-like of shape (n_frames, 3, 3) or (n_frames, 9)
            In the unit of the training set. An antisymmetric part is an error like others.

        Raises
        ------
        NotFittedError
            If it was not fitted.
        DataError
            If frames or tensors cannot be used, or all tensors are the same.
        """
        frames = as_frames(frames)
        tensors = as_tensors(tensors, len(frames))
        check_changes(tensors)
        errors = self.predict(frames).reshape(-1, 3, 3) - tensors
        return float(1 - np.sum(errors**2) / np.sum((tensors - tensors.mean(0)) ** 2))

    def _check_numbers(self) -> None:
        if self.mixing is not None:
            checks.number("mixing", self.mixing)
        if not isinstance(self.normalize, bool):
            checks.refuse("normalize", self.normalize, "True or False")
        checks.whole("n_scalars", self.n_scalars, 1)
        if self.n_features is not None:
            checks.whole("n_features", self.n_features, 1)
        checks.seed(self.seed)


def zeta_per_lambda(zeta: int | Mapping[int, int]) -> dict[int, int]:
    """Return ζ by λ.

    Raises
    ------
    ConfigError
        If one is neither 1 nor 2, or a λ has none.
    """
    zetas = _per_lambda("zeta", zeta)
    for value in zetas.values():
        if value not in (1, 2):
            checks.refuse("zeta", value, "1 or 2")
    return zetas


def _regularizations(given: float | Mapping[int, float] | None) -> dict[int, Sequence[float]]:
    """Return what to try for each λ: the one that was given, or the usual ones."""
    if given is None:
        return dict.fromkeys(LAMBDAS, REGULARIZATIONS)
    values = _per_lambda("regularization", given)
    for value in values.values():
        checks.number("regularization", value)
    return {k: [value] for k, value in values.items()}


def _per_lambda(name: str, value: Any) -> dict[int, Any]:
    """Return a setting by λ; one value stands for both."""
    values = dict(value) if isinstance(value, Mapping) else dict.fromkeys(LAMBDAS, value)
    if set(values) != set(LAMBDAS):
        checks.refuse(name, value, "one value, or one for each λ: {0: …, 2: …}")
    return values
