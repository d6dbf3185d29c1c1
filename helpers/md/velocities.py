"""Velocities of a temperature."""

from __future__ import annotations

import numpy as np
from ase import units


def thermal_velocities(
    masses: np.ndarray, temperature_K: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw velocities (n_atoms, 3) in Å/fs of a Maxwell–Boltzmann distribution, at rest overall.

    Parameters
    ----------
    masses : ndarray of shape (n_atoms,), u
    temperature_K : float
    rng : numpy.random.Generator
    """
    width = np.sqrt(units.kB * temperature_K * units.fs**2 / masses)[:, None]
    velocities = width * rng.standard_normal((len(masses), 3))
    if len(masses) > 1:
        velocities -= (masses[:, None] * velocities).sum(0) / masses.sum()
    return velocities
