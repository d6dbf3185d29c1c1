"""Progress of a fit with the kit's own engine: stages are weighted by what they cost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from ase import Atoms

from helpers.jax_setup import is_first_run
from helpers.terminal import progress_bar

# Seconds of one core, measured once; only their ratios matter.
_DESCRIPTORS = 2e-3  # of a frame
_ROWS = 3e-5  # of a frame, for each sparse point
_QR = 2.8e-11  # for each label and square of the number of sparse points


class JaxFitProgress:
    """A bar over the passes over the frames, with the stage and the time left.

    Use it in a ``with`` block. Its methods may be called from several threads.

    Parameters
    ----------
    n_sparse : int
        Sparse points, all terms together, about.
    frames : sequence of ase.Atoms
    show : bool
    """

    def __init__(self, n_sparse: int, frames: Sequence[Atoms], *, show: bool) -> None:
        n_labels = sum(1 + 3 * len(atoms) for atoms in frames) / len(frames)
        self._seconds = {
            "choosing sparse points": _DESCRIPTORS,
            "comparing environments": _DESCRIPTORS
            + _ROWS * n_sparse
            + _QR * n_labels * n_sparse**2,
        }
        once, twice = self._seconds.values()
        layout = "{desc} {percentage:3.0f}% |{bar}| {elapsed} so far, about {remaining} left"
        stage = "compiling, once and for all" if is_first_run() else "preparing"
        self._bar = progress_bar(
            len(frames) * (2 * once + twice), f"fit: {stage}", show=show, bar_format=layout
        )
        self._lock = threading.Lock()

    def __enter__(self) -> JaxFitProgress:
        return self

    def __exit__(self, failed: Any, *_: Any) -> None:
        if failed is None:  # exactly full: a notebook paints a bar red that is not
            self._bar.n = self._bar.total
            self._bar.set_description("fit: done")
        self._bar.close()

    def selecting(self) -> None:
        """Count a frame that has passed by while sparse points are chosen."""
        self._add("choosing sparse points")

    def comparing(self) -> None:
        """Count a frame that is compared with all sparse points and folded into the triangle."""
        self._add("comparing environments")

    def _add(self, stage: str) -> None:
        with self._lock:
            self._bar.set_description(f"fit: {stage}", refresh=False)
            # Sums of fractions may go beyond the whole by rounding
            self._bar.update(min(self._seconds[stage], self._bar.total - self._bar.n))
