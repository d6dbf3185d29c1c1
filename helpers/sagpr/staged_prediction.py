"""The last of the staged commands: kernels and weights → predictions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from helpers.files import write_whole
from helpers.sagpr.stage_files import check_same, load_array, without_ending
from helpers.sagpr.staged_fit import SHARED, PathLike, apply, by_lambda
from helpers.sagpr.staged_kernels import BATCH
from helpers.sagpr.tensors import to_cartesian


def predict_from_kernels(
    kernels: Sequence[PathLike], output: PathLike, *, weights: PathLike = "weights"
) -> tuple[Path, np.ndarray]:
    """Predict tensors, and write ``OUT_cartesian.out``: xx xy xz yx yy yz zx zy zz per frame.

    Parameters
    ----------
    kernels : two paths
        Of the frames with those of the training set, for λ = 0 and 2.
    output : path
        ``trajectory`` for ``trajectory_cartesian.out``.
    weights : path
        How the files of the weights begin.

    Returns
    -------
    Path, ndarray of shape (n_frames, 3, 3)
        The tensors have the unit of the training set.

    Raises
    ------
    DataError
        If kernels and weights are missing, or do not fit each other.
    OutputError
        If the file cannot be written.
    """
    loaded = [load_array(path, "kernel") for path in kernels]
    by_lambda(loaded, None)
    check_same(
        "frames of the kernels", loaded[0][1]["frames"], loaded[1][1]["frames"], "make both anew"
    )
    components = {}
    for kernel, about in loaded:
        lambda_ = about["lambda"]
        values, note = load_array(f"{without_ending(weights)}_{lambda_}.npy", "weights")
        for name in (*SHARED, "training"):
            check_same(
                f"{name} of kernel and weights",
                note[name],
                about[name],
                "make the kernel of the new frames with the training set of the weights",
            )
        check_same(
            "-s of the kernels", note["per_atom"], about["n_atoms"] is not None, "use -s alike"
        )
        found = [
            apply(kernel[k : k + BATCH][:, note["columns"]], values, note["constant"])
            for k in range(0, len(kernel), BATCH)
        ]
        components[lambda_] = np.concatenate(found) * (about["n_atoms"] or 1)
    tensors = to_cartesian(components)
    lines = "".join(" ".join(f"{x:.15g}" for x in one.ravel()) + "\n" for one in tensors)
    return write_whole(f"{os.fspath(output)}_cartesian.out", lines), tensors
