"""Accelerating molecular dynamics with machine learning: what notebooks and scripts call.

Everything below is imported when it is first used, so ``import helpers`` is quick and works with
any of the heavy libraries missing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "load_frames": "helpers.frames",
    "read_frames": "helpers.frames",
    "GapConfig": "helpers.gap.config",
    "TwoBody": "helpers.gap.two_body",
    "fit_gap": "helpers.gap.fit",
    "load_potential": "helpers.gap.potential",
    "evaluate": "helpers.evaluation",
    "explore_sigmas": "helpers.explorer",
    "learning_curve": "helpers.sweeps.run",
    "sweep": "helpers.sweeps.run",
    "SymmetryAdaptedKernelRidge": "helpers.sagpr.ridge",
    "run_nve": "helpers.md.runs",
    "run_nvt": "helpers.md.runs",
    "raman_spectrum": "helpers.spectra",
    "WorkshopError": "helpers.errors",
}
__all__ = sorted(_HOMES)

if TYPE_CHECKING:
    from helpers.errors import WorkshopError as WorkshopError
    from helpers.evaluation import evaluate as evaluate
    from helpers.explorer import explore_sigmas as explore_sigmas
    from helpers.frames import load_frames as load_frames
    from helpers.frames import read_frames as read_frames
    from helpers.gap.config import GapConfig as GapConfig
    from helpers.gap.fit import fit_gap as fit_gap
    from helpers.gap.potential import load_potential as load_potential
    from helpers.gap.two_body import TwoBody as TwoBody
    from helpers.md.runs import run_nve as run_nve
    from helpers.md.runs import run_nvt as run_nvt
    from helpers.sagpr.ridge import SymmetryAdaptedKernelRidge as SymmetryAdaptedKernelRidge
    from helpers.spectra import raman_spectrum as raman_spectrum
    from helpers.sweeps.run import learning_curve as learning_curve
    from helpers.sweeps.run import sweep as sweep


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    from helpers.errors import nearest

    raise AttributeError(f"helpers has no {name!r}: {nearest(name, __all__)}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
