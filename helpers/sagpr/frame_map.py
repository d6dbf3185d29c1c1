"""`FrameMap`: frames in, rows out; which features are kept and compared is learnt from frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from ase import Atoms
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from helpers.gap import checks
from helpers.sagpr.features import Selection, batches, environments
from helpers.sagpr.rows import Contraction, Moments, frame_rows
from helpers.sagpr.selection import farthest_columns
from helpers.sagpr.soap import LambdaSoap

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
            selection = {k: farthest_columns(m.products, n_features) for k, m in moments.items()}
            moments = {key: m.columns(selection[key]) for key, m in moments.items()}
        contractions = None
        if needs_scalars:
            contractions = {
                element: Contraction.of(moments[element, 0], n_scalars, mixing)
                for element in soap.centres
            }
        return cls(soap, zetas, selection, contractions)

    def rows(self, frames: Sequence[Atoms]) -> dict[int, np.ndarray]:
        """Return the rows of each λ, shape (n_frames, 2λ + 1, n); few frames at a time."""
        orders = sorted({*self.zetas, *([0] if self.contractions else [])})
        seen = environments(frames, self.soap, orders, selection=self.selection)
        n_atoms = np.array([len(atoms) for atoms in frames])
        return {k: frame_rows(seen, k, n_atoms, self.scalars_for(k)) for k in self.zetas}

    def centre_rows(self, atoms: Atoms) -> dict[int, np.ndarray]:
        """Return the rows of the centres of one frame, which add up to its own, for each λ."""
        orders = sorted({*self.zetas, *([0] if self.contractions else [])})
        seen = environments([atoms], self.soap, orders, selection=self.selection)
        start, apart = 0, {}
        for element in self.soap.centres:
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
