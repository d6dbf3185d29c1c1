"""Files of weights: the arrays of a pytree by their paths in it, beside facts as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers.errors import WorkshopError
from helpers.files import atomic_writer

FACTS = "facts"


def write_arrays(path: Path, tree: Any, facts: dict[str, Any]) -> Path:
    """Write the leaves of a pytree and a dictionary, completely or not at all."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    arrays = {jax.tree_util.keystr(place): np.asarray(leaf) for place, leaf in leaves}
    with atomic_writer(path) as file:
        np.savez(file, **{FACTS: np.array(json.dumps(facts))}, **arrays)  # type: ignore[arg-type]
    return path


def read_arrays(
    path: Path, error: type[WorkshopError]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays of a file by their paths, and the facts; or raise `error`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        return arrays, json.loads(str(arrays.pop(FACTS)))
    except FileNotFoundError as missing:
        raise error(f"There is no file {path}", fix="check the name and the folder") from missing
    except Exception as damage:  # zip, NumPy and JSON raise errors of their own
        raise error(
            f"{path} is damaged, or no file of weights ({type(damage).__name__}: {damage})"
        ) from damage


def filled(tree: Any, arrays: dict[str, np.ndarray], path: Path, error: type[WorkshopError]) -> Any:
    """Return the pytree with the arrays of a file in place of its own.

    Parameters
    ----------
    tree : pytree of arrays
        Of the same structure and shapes.
    arrays : dict of ndarray
    path : Path
        Where they come from, for the message.
    error : type
        What to raise if they do not fit.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    mine = {jax.tree_util.keystr(place): np.shape(leaf) for place, leaf in leaves}
    theirs = {name: array.shape for name, array in arrays.items()}
    if mine != theirs:
        name = sorted(set(mine.items()) ^ set(theirs.items()))[0][0]
        raise error(
            f"{path} belongs to another network or another training",
            expected=f"{len(mine)} arrays, {name} of shape {mine.get(name, '(there is none)')}",
            found=f"{len(theirs)} arrays, {name} of shape {theirs.get(name, '(there is none)')}",
            fix="use the architecture, sizes and elements that it was made with",
        )
    new = [
        jnp.asarray(arrays[jax.tree_util.keystr(place)], np.asarray(leaf).dtype)
        for place, leaf in leaves
    ]
    return jax.tree.unflatten(structure, new)
