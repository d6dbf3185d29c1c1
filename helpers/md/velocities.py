"""Velocities of a temperature."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units

from helpers.md.settings import RunSettings
from helpers.md.trajectory import A_PER_FS


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


def start_at(start: Atoms, seed: int, settings: RunSettings) -> Atoms:
    """Return a copy of the atoms with the velocities that a run begins with."""
    atoms = start.copy()
    if not settings.keep_velocities:
        rng = np.random.default_rng(seed)
        velocities = thermal_velocities(atoms.get_masses(), settings.temperature_K, rng)
        atoms.set_velocities(velocities * A_PER_FS)
    return atoms
