"""What a fitted model of tensors can be asked: predictions, how sure they are, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from sklearn.utils.validation import check_is_fitted

from helpers.gap import checks
from helpers.sagpr.frame_map import FrameMap, in_batches
from helpers.sagpr.gram import Solution, one_thread
from helpers.sagpr.posterior import N_SAMPLES
from helpers.sagpr.soap import check_frames
from helpers.sagpr.tensors import BASIS, LAMBDAS, as_tensors, to_cartesian


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

    def predict_centres(self, atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
        """Return the parts of a frame's tensor: the centres, and what each contributes.

        Only the sum was learnt: how it is shared out is the model's own choice.

        Returns
        -------
        ndarray of int of shape (n_centres,), ndarray of shape (n_centres, 3, 3)
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
        rows = self.map_.centre_rows(atoms)
        n_centres = len(rows[0])
        components = {
            k: rows[k] @ self.primal_[k][:, 0] + self.constants_[k][0] / n_centres for k in LAMBDAS
        }
        symbols = np.array(atoms.get_chemical_symbols())
        centres = np.concatenate([np.flatnonzero(symbols == e) for e in self.map_.soap.centres])
        return centres, to_cartesian(components) * len(atoms)

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
