"""Accelerating molecular dynamics with machine learning: what notebooks and scripts call.

The names that `__init__.pyi` lists are imported when they are first used, so ``import helpers`` is
quick and works with any of the heavy libraries missing.
"""

import os
from typing import Any

import lazy_loader

from helpers import quippy_name  # noqa: F401  (completes quippy, whenever it is imported)

__version__ = "0.1.0"

# XLA in jax up to 0.10.1 prints an error whenever it loads compiled code from the cache: it takes
# two tuning flags (prefer-no-gather, prefer-no-scatter) for features that the processor lacks. Real
# errors are exceptions. The variable is read when jax is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__:
        return _load(name)
    from helpers.errors import nearest

    raise AttributeError(f"helpers has no {name!r}: {nearest(name, __all__)}")
