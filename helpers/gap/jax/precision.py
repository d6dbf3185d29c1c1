"""What 32-bit descriptors and kernels cost in accuracy: measured, not promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from helpers.gap.jax.calculator import JaxCalculator
from helpers.gap.model import GapModel


@dataclass(frozen=True)
class PrecisionError:
    """Largest differences between mixed and double precision over some frames."""

    energy_meV_per_atom: float
    forces_meV_per_A: float
    n_frames: int


def precision_error(model: GapModel, frames: Sequence[Atoms]) -> PrecisionError:
    """Evaluate frames with mixed and with double precision and return the largest differences."""
    frames = list(frames)
    double = JaxCalculator(model).predict_frames(frames)
    mixed = JaxCalculator(model, precision="mixed").predict_frames(frames)
    energies = [
        abs(a - b) / len(atoms) for (a, _), (b, _), atoms in zip(double, mixed, frames, strict=True)
    ]
    forces = [np.abs(a - b).max() for (_, a), (_, b) in zip(double, mixed, strict=True)]
    return PrecisionError(1000 * max(energies), 1000 * float(max(forces)), len(frames))
