"""A trained model in one file: arrays and settings, no code (nothing is unpickled)."""

from __future__ import annotations

import io
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
from helpers.files import write_atomic
from helpers.sagpr.feature_map import Contraction, FrameMap
from helpers.sagpr.kernel_ridge import Solution
from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge, zeta_of_each
from helpers.sagpr.tensors import LAMBDAS

FORMAT = "symmetry-adapted kernel ridge, 1"


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
    arrays: dict[str, Any] = {"left_out": model.left_out_}
    for k in LAMBDAS:
        arrays |= {f"primal_{k}": model.primal_[k], f"constants_{k}": model.constants_[k]}
        for part in fields(Solution):
            arrays[f"{part.name}_{k}"] = np.asarray(getattr(model.solutions_[k], part.name))
    for (element, k), columns in (model.map_.selection or {}).items():
        arrays[f"selection_{element}_{k}"] = columns
    for element, one in (model.map_.contractions or {}).items():
        arrays |= {f"mean_{element}": one.mean, f"axes_{element}": one.axes}
    settings = {name: _listed(value) for name, value in model.get_params().items()}
    note = {
        "format": FORMAT,
        "settings": settings,
        "errors": model.errors_.to_dict("list"),
        "antisymmetric_rms": model.antisymmetric_rms_,
    }
    buffer = io.BytesIO()
    np.savez(buffer, note=np.array(json.dumps(note)), **arrays)
    return write_atomic(path, buffer.getvalue())


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
        note = json.loads(str(arrays.pop("note")))
        if note["format"] != FORMAT:
            raise ValueError(f"its format is {note['format']!r}")
        return _assemble(note, arrays)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise ModelFileError(
            f"{path} cannot be read as a model of polarizabilities ({error})",
            fix="train it again: mlmd polarizability",
        ) from error


def _assemble(note: dict, arrays: dict[str, Any]) -> SymmetryAdaptedKernelRidge:
    settings: dict[str, Any] = {name: _unlisted(value) for name, value in note["settings"].items()}
    model = SymmetryAdaptedKernelRidge(**settings)
    selection = {
        (element, k): arrays[f"selection_{element}_{k}"]
        for element in model.soap.centers
        for k in LAMBDAS
        if f"selection_{element}_{k}" in arrays
    }
    contractions = {
        element: Contraction(arrays[f"mean_{element}"], arrays[f"axes_{element}"])
        for element in model.soap.centers
        if f"mean_{element}" in arrays
    }
    model.map_ = FrameMap(
        model.soap, zeta_of_each(model.zeta), selection or None, contractions or None
    )
    model.primal_ = {k: arrays[f"primal_{k}"] for k in LAMBDAS}
    model.constants_ = {k: arrays[f"constants_{k}"] for k in LAMBDAS}
    model.solutions_ = {
        k: Solution(**{part.name: arrays[f"{part.name}_{k}"][()] for part in fields(Solution)})
        for k in LAMBDAS
    }
    model.left_out_ = arrays["left_out"]
    model.errors_ = pd.DataFrame(note["errors"])
    model.antisymmetric_rms_ = note["antisymmetric_rms"]
    return model


def _listed(value: Any) -> Any:
    """Return a setting as JSON can hold it, whose keys are text."""
    if isinstance(value, dict):
        return {"by λ": [[k, v] for k, v in value.items()]}
    return value.item() if isinstance(value, np.generic) else value


def _unlisted(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: v for k, v in value["by λ"]}
    return tuple(value) if isinstance(value, list) else value
