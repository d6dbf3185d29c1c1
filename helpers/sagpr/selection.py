"""Which features to keep: farthest-point sampling, the same columns for every m."""

from __future__ import annotations

import numpy as np

SAME = 1e-12  # squared distance, relative to the largest column, of columns that are copies


def farthest_columns(moments: np.ndarray, n_features: int) -> np.ndarray:
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
