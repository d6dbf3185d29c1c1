"""Linear least squares by QR of rows that come in pieces: memory does not grow with their number.

Source: Demmel, Grigori, Hoemmen, Langou, SIAM J. Sci. Comput. 34, A206 (2012).

LAPACK is called through the pointers that scipy offers to other compilers: scipy's own wrapper of
this routine holds Python's global lock, and two threads would take turns.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable

import numpy as np
from scipy.linalg import cython_lapack

from helpers.errors import FitError

N_PARTS = 2  # in which rows are folded at the same time; fixed, so that numbers are, too
ROWS_AT_ONCE = 512  # more of them are no faster


class Triangle:
    """R of the QR decomposition of rows that come in pieces.

    Parameters
    ----------
    n_columns : int
    """

    def __init__(self, n_columns: int) -> None:
        self.n_columns = n_columns
        self._upper: np.ndarray | None = None
        self._rows: np.ndarray | None = None
        self._n_waiting = 0

    def add(self, rows: np.ndarray) -> None:
        """Take rows (n, n_columns)."""
        done = 0
        while done < len(rows):
            if self._rows is None:
                self._rows = np.empty((ROWS_AT_ONCE, self.n_columns), order="F")
            n = min(len(rows) - done, ROWS_AT_ONCE - self._n_waiting)
            self._rows[self._n_waiting : self._n_waiting + n] = rows[done : done + n]
            self._n_waiting, done = self._n_waiting + n, done + n
            if self._n_waiting == ROWS_AT_ONCE:
                self._fold()

    def finish(self) -> np.ndarray:
        """Return R, upper triangular, (n_columns, n_columns), without the last rows if all zero."""
        if self._n_waiting:
            self._fold()
        upper, self._upper, self._rows = self._upper, None, None
        if upper is None:
            return np.empty((0, self.n_columns), order="F")
        return _without_last_zeros(upper)

    def _fold(self) -> None:
        assert self._rows is not None
        if self._upper is None:
            self._upper = np.zeros((self.n_columns, self.n_columns), order="F")
        _fold(self._upper, np.asfortranarray(self._rows[: self._n_waiting]), 0)
        self._n_waiting = 0


def fold_triangles(triangles: Iterable[np.ndarray], n_columns: int) -> np.ndarray:
    """Return R of upper triangles on top of each other, (n_columns, n_columns).

    Last rows that are all zero are left out, and may lack in the triangles, which stay as they are.
    """
    first, *others = sorted(triangles, key=len, reverse=True)
    upper = np.zeros((n_columns, n_columns), order="F")
    upper[: len(first)] = first
    for triangle in others:
        if len(triangle):
            _fold(upper, triangle.copy("F"), len(triangle))
    return _without_last_zeros(upper)


def _without_last_zeros(upper: np.ndarray) -> np.ndarray:
    """Return a triangle up to its last row that is not zero.

    Of few rows R may have as many rows as columns: where a column is zero, no row is used up.
    """
    filled = np.flatnonzero(upper.any(1))
    return upper[: filled[-1] + 1] if len(filled) else upper[:0]


def _fold(upper: np.ndarray, rows: np.ndarray, n_triangular: int) -> None:
    """Overwrite `upper` with R of itself on top of `rows`, which are overwritten, too."""
    (n_rows, n_columns), block = rows.shape, min(64, len(upper))
    assert upper.flags.f_contiguous and rows.flags.f_contiguous
    reflectors, work = np.empty(block * n_columns), np.empty(block * n_columns)
    status = ctypes.c_int()
    sizes = [ctypes.c_int(size) for size in (n_rows, n_columns, n_triangular, block)]
    _DTPQRT(
        *map(ctypes.byref, sizes),
        *(upper.ctypes.data, ctypes.byref(ctypes.c_int(n_columns))),
        *(rows.ctypes.data, ctypes.byref(ctypes.c_int(n_rows))),
        *(reflectors.ctypes.data, ctypes.byref(ctypes.c_int(block))),
        *(work.ctypes.data, ctypes.byref(status)),
    )
    if status.value:
        raise FitError("The least squares cannot be solved", found=f"LAPACK: {status.value}")


def _lapack_address(name: str) -> int:
    """Return where a routine of LAPACK stands in memory."""
    capsule, api = cython_lapack.__pyx_capi__[name], ctypes.pythonapi
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address: int = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    return address


# dtpqrt(m, n, l, nb, a, lda, b, ldb, t, ldt, work, info): R of a triangle on top of other rows,
# whose last l rows are triangular themselves.
_DTPQRT = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 12)(_lapack_address("dtpqrt"))


def memory_MB(n_columns: int) -> float:
    """Return the memory that one `Triangle` takes, MB (1e6 bytes)."""
    return 8e-6 * n_columns * (n_columns + 2 * ROWS_AT_ONCE)
