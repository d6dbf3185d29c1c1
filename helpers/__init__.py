"""Accelerating molecular dynamics with machine learning: what notebooks and scripts call.

The names that `__init__.pyi` lists are imported when they are first used, so ``import helpers`` is
quick and works with any of the heavy libraries missing.
"""

from typing import Any

import lazy_loader

__version__ = "0.1.0"

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__:
        return _load(name)
    from helpers.errors import nearest

    raise AttributeError(f"helpers has no {name!r}: {nearest(name, __all__)}")
