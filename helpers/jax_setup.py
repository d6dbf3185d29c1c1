"""Setup of JAX and BLAS: 64-bit numbers, the compilation cache, threads; and a check of JAX.

`double_precision` switches 64-bit numbers on for the kit's own calls only, so that other JAX code
in the same notebook keeps the precision it asked for. Whoever differentiates through the pure
functions of this package in their own code should work inside ``with double_precision():``.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

CACHE_VARIABLE = "MLMD_JAX_CACHE"  # a folder, or "off"
MANY_ROWS = 40_000  # some versions of JAX compute wrong beyond 16,384 or 32,768

Function = TypeVar("Function", bound=Callable)

# Threads of BLAS wait for each other, spinning, where cores are shared: on a busy machine with two
# cores a fit took 12 CPU s with two threads, 2 with one. Batches have threads of their own.
one_thread: Callable[[Function], Function] = threadpool_limits.wrap(limits=1, user_api="blas")


def double_precision() -> Any:
    """Return a context manager in which JAX computes with 64-bit numbers."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64

    return enable_x64()


def cache_folder() -> Path | None:
    """Return the folder for compiled code, or None where it is switched off.

    ``$MLMD_JAX_CACHE`` if set, otherwise in the user's cache folder. Compiled code holds
    instructions of one kind of processor, and running it on another can end the process: every
    kind gets a folder of its own, which matters where home folders are shared.
    """
    setting = os.environ.get(CACHE_VARIABLE, "").strip()
    if setting.lower() in ("off", "0", "none", "false"):
        return None
    if setting:
        base = Path(setting).expanduser()
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches" / "mlmd-jax"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlmd-jax"
    return base / f"{jax.__version__}-{_processor()}"


def is_first_run() -> bool:
    """Tell whether everything has to be compiled: nothing is stored that could be used again."""
    folder = jax.config.jax_compilation_cache_dir or cache_folder()
    return folder is None or not os.path.isdir(folder) or not os.listdir(folder)


def miscomputed_cases() -> list[str]:
    """Return the known cases that this JAX computes wrong on this machine; normally none.

    jax 0.10.2 compiles, on a CPU, sums of squares of ``matrix @ row`` into code that is wrong
    beyond 16,384 rows in 64 bit and 32,768 in 32 bit (jax issue 39103). The rows here hold small
    integers, so every right answer is exact in either precision, and NumPy gives it.

    Returns
    -------
    list of str
        One line for each case, such as ``"sums of squares in float64: 23616 of 40000 wrong"``.
    """
    matrix = np.array([[2, -1, 0], [1, 3, -2], [0, 1, 1]])
    rows = np.arange(3 * MANY_ROWS).reshape(-1, 3) % 17 - 8
    right = ((rows @ matrix.T) ** 2).sum(axis=1)
    cases = []
    with double_precision():
        for dtype in ("float64", "float32"):
            square = jnp.asarray(matrix, dtype)
            sums = jax.jit(jax.vmap(lambda row, square=square: ((square @ row) ** 2).sum()))
            wrong = np.count_nonzero(np.asarray(sums(jnp.asarray(rows, dtype))) != right)
            if wrong:
                cases.append(f"sums of squares in {dtype}: {wrong} of {MANY_ROWS} wrong")
    return cases


def enable_compilation_cache() -> None:
    """Let JAX store what it compiles, so that the next process need not compile it again.

    Does nothing where the user has chosen a folder already, or switched it off, or where the
    folder cannot be made.
    """
    folder = cache_folder()
    if jax.config.jax_compilation_cache_dir or folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def _processor() -> str:
    """Return a short name for the kind of processor and the instructions it knows."""
    words = [platform.machine(), platform.processor()]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        words += [x for x in lines if x.startswith(("model name", "flags", "Features"))][:2]
    except OSError:
        pass
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]
