"""How good are predicted tensors? Errors beside what there is to predict."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.sagpr.tensors import to_spherical


def component_errors(tensors: np.ndarray, predictions: np.ndarray) -> pd.DataFrame:
    """Return the errors of λ = 0, λ = 2 and of each Cartesian component.

    Parameters
    ----------
    tensors, predictions : ndarray of shape (n, 3, 3)

    Returns
    -------
    DataFrame
        Columns ``component``, ``rmse`` and ``std`` (in the unit of the tensors; the m of a λ
        pooled), ``percent`` (100 · rmse / std).
    """
    rows = []
    true, found = to_spherical(tensors), to_spherical(predictions)
    for lambda_ in true:
        rows.append(_row(f"λ={lambda_}", true[lambda_], found[lambda_]))
    for i in range(3):
        for j in range(3):
            pair = "xyz"[i] + "xyz"[j]
            rows.append(_row(pair, tensors[:, i, j, None], predictions[:, i, j, None]))
    return pd.DataFrame(rows)


def _row(name: str, true: np.ndarray, found: np.ndarray) -> dict[str, float | str]:
    rmse = float(np.sqrt(np.mean((found - true) ** 2)))
    std = float(np.sqrt(np.mean(true.var(0))))
    percent = 100 * rmse / std if std > 0 else float("nan")
    return {"component": name, "rmse": rmse, "std": std, "percent": percent}
