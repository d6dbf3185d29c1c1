"""A trained model in one file: arrays and settings, no code (nothing is unpickled)."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from helpers.errors import ModelFileError
from helpers.files import atomic_writer
from helpers.sagpr.feature_map import FeatureMap, ScalarPCA
from helpers.sagpr.kernel_ridge import Solution
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge, zeta_per_lambda
from helpers.sagpr.tensors import LAMBDAS

FORMAT = "symmetry-adapted kernel ridge, 2"


def save_model(model: SymmetryAdaptedKernelRidge, path: str | os.PathLike) -> Path:
    """Write a fitted model to ``path`` (.npz), whole or not at all.

    Raises
    ------
    NotFittedError
        If it was not fitted.
    OutputError
        If it cannot be written.
    """
    check_is_fitted(model)
    arrays: dict[str, Any] = {"loo_predictions": model.loo_predictions_}
    for k in LAMBDAS:
        arrays |= {f"coef_{k}": model.coef_[k], f"intercept_{k}": model.intercept_[k]}
        for part in fields(Solution):
            arrays[f"solution_{part.name}_{k}"] = np.asarray(
                getattr(model.solutions_[k], part.name)
            )
    for (element, k), columns in (model.feature_map_.selection or {}).items():
        arrays[f"selection_{element}_{k}"] = columns
    for (element, k), matrix in (model.feature_map_.reweighting or {}).items():
        arrays[f"reweighting_{element}_{k}"] = matrix
    for element, pca in (model.feature_map_.scalar_pcas or {}).items():
        arrays |= {f"mean_{element}": pca.mean, f"axes_{element}": pca.axes}
    metadata = {
        "format": FORMAT,
        "settings": {name: _to_json(value) for name, value in model.get_params().items()},
        "loo_errors": model.loo_errors_.to_dict("list"),
        "antisymmetric_rms": model.antisymmetric_rms_,
        "flat_output": model.flat_output_,
    }
    path = Path(path)
    with atomic_writer(path) as file:
        np.savez(file, metadata=np.array(json.dumps(metadata)), **arrays)
    return path


def load_model(path: str | os.PathLike) -> SymmetryAdaptedKernelRidge:
    """Return the model that `save_model` wrote.

    Raises
    ------
    ModelFileError
        If there is none, or it is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(
            f"There is no model of polarizabilities {path}", fix="train it: mlmd polarizability"
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        metadata = json.loads(str(arrays.pop("metadata")))
        if metadata["format"] != FORMAT:
            raise ValueError(f"its format is {metadata['format']!r}")
        return _assemble(metadata, arrays)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise ModelFileError(
            f"{path} cannot be read as a model of polarizabilities ({error})",
            fix="train it again: mlmd polarizability",
        ) from error


def _assemble(metadata: dict, arrays: dict[str, Any]) -> SymmetryAdaptedKernelRidge:
    settings: dict[str, Any] = {
        name: _from_json(value) for name, value in metadata["settings"].items()
    }
    model = SymmetryAdaptedKernelRidge(**settings)
    selection = {
        (element, k): arrays[f"selection_{element}_{k}"]
        for element in model.soap.centers
        for k in LAMBDAS
        if f"selection_{element}_{k}" in arrays
    }
    reweighting = {key: arrays[f"reweighting_{key[0]}_{key[1]}"] for key in selection}
    scalar_pcas = {
        element: ScalarPCA(
            arrays[f"mean_{element}"], arrays[f"axes_{element}"], model.mixing is not None
        )
        for element in model.soap.centers
        if f"mean_{element}" in arrays
    }
    model.feature_map_ = FeatureMap(
        model.soap,
        zeta_per_lambda(model.zeta),
        selection or None,
        reweighting or None,
        scalar_pcas or None,
        model.normalize,
    )
    model.coef_ = {k: arrays[f"coef_{k}"] for k in LAMBDAS}
    model.intercept_ = {k: arrays[f"intercept_{k}"] for k in LAMBDAS}
    model.solutions_ = {
        k: Solution(
            **{part.name: arrays[f"solution_{part.name}_{k}"][()] for part in fields(Solution)}
        )
        for k in LAMBDAS
    }
    model.loo_predictions_ = arrays["loo_predictions"]
    model.loo_errors_ = pd.DataFrame(metadata["loo_errors"])
    model.antisymmetric_rms_ = metadata["antisymmetric_rms"]
    model.flat_output_ = metadata.get("flat_output", False)
    return model


def _to_json(value: Any) -> Any:
    """Return a setting as JSON can hold it, whose keys are text."""
    if isinstance(value, dict):
        return {"by λ": [[k, v] for k, v in value.items()]}
    return value.item() if isinstance(value, np.generic) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: v for k, v in value["by λ"]}
    return tuple(value) if isinstance(value, list) else value
