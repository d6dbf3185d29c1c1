"""Gives quippy's calculator the name that ASE asks for, which quippy-ase 0.10.3 forgets to set.

With ASE 3.23 and newer, ``Potential.name`` of quippy reads an attribute ``name_`` that nobody has
written: ASE's Trajectory, for one, then ends with an AttributeError. Importing this module makes it
wait for the import of ``quippy.potential``, and add the attribute if it is missing still.

Scripts that use quippy and ASE without the kit are to work in its environment, too:
``tools/complete_quippy.py`` puts a copy of this file into site-packages, and a line that imports it
whenever Python starts. It needs nothing but Python's own library, and is quick.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

MODULE = "quippy.potential"
NAME = "quip"


def complete(module: ModuleType) -> None:
    """Add the attribute to quippy's Potential, unless it is there."""
    potential = getattr(module, "Potential", None)
    if potential is not None and not hasattr(potential, "name_"):
        potential.name_ = NAME


class Finder:
    """Finds ``quippy.potential`` as Python does, and completes it when it has been executed."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the module's own spec, with a loader that completes it; None for all others."""
        if name != MODULE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                complete(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if MODULE in sys.modules:
    complete(sys.modules[MODULE])
elif Finder not in sys.meta_path:
    sys.meta_path.insert(0, Finder)
