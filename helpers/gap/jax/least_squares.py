"""Linear least squares by QR of rows that come in pieces: memory does not grow with their number.

Source: Demmel, Grigori, Hoemmen, Langou, SIAM J. Sci. Comput. 34, A206 (2012).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dtpqrt

from helpers.errors import FitError

N_PARTS = 2  # in which rows are folded at the same time; fixed, so that numbers are, too
ROWS_AT_ONCE = 2  # times the number of columns


class Triangle:
    """R of the QR decomposition of rows that come in pieces.

    Parameters
    ----------
    n_columns : int
    """

    def __init__(self, n_columns: int) -> None:
        self._upper = np.zeros((n_columns, n_columns), order="F")
        self._rows = np.empty((ROWS_AT_ONCE * n_columns, n_columns), order="F")
        self._n = 0

    def add(self, rows: np.ndarray) -> None:
        """Take rows (n, n_columns)."""
        done = 0
        while done < len(rows):
            n = min(len(rows) - done, len(self._rows) - self._n)
            self._rows[self._n : self._n + n] = rows[done : done + n]
            self._n, done = self._n + n, done + n
            if self._n == len(self._rows):
                self._fold()

    def finish(self) -> np.ndarray:
        """Return R, upper triangular (n_columns, n_columns)."""
        self._fold()
        return self._upper

    def _fold(self) -> None:
        if self._n:
            self._upper = _fold(self._upper, self._rows[: self._n], 0)
            self._n = 0


def fold_triangle(upper: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return R of two upper triangles on top of each other; the second may lack last rows."""
    return _fold(upper, np.asfortranarray(other), len(other))


def _fold(upper: np.ndarray, rows: np.ndarray, n_triangular: int) -> np.ndarray:
    n_columns = len(upper)
    found, _, _, info = dtpqrt(
        n_triangular, min(64, n_columns), upper, rows, overwrite_a=True, overwrite_b=True
    )
    if info:
        raise FitError("The rows of a frame are not finite numbers", found=f"LAPACK: {info}")
    return np.asfortranarray(np.triu(found))


def memory_MB(n_sparse: int) -> float:
    """Return the memory that the least squares will need, MB (1e6 bytes)."""
    each = (ROWS_AT_ONCE + 2) * n_sparse**2
    return 8e-6 * (N_PARTS * each + 2 * n_sparse**2)


def check_memory(n_sparse: int) -> None:
    """Raise `FitError` if there is not enough free memory for so many sparse points."""
    import psutil

    free = psutil.virtual_memory().available / 1e6
    if memory_MB(n_sparse) > free:
        raise FitError(
            f"A fit with {n_sparse} sparse points needs {memory_MB(n_sparse):.0f} MB of memory",
            found=f"{free:.0f} MB are free",
            fix="close other programs, or ask for fewer sparse points",
        )
