"""Properties of water: O–H bonds, and the positions of its vibrational bands."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from helpers.boundaries import with_boundaries

WATER_BANDS_PER_CM = {"stretch": (2800.0, 4000.0), "bend": (1400.0, 1900.0)}
# Measured band positions of liquid water, 1/cm: Carey, Korenowski, J. Chem. Phys. 108, 2669
# (1998); Brooker, Hancock, Rice, Shapter, J. Raman Spectrosc. 20, 683 (1989).
LITERATURE_PER_CM = {"H bonds": 175.0, "libration": 550.0, "bend": 1640.0, "stretch": 3400.0}


def bonds(atoms: Atoms) -> np.ndarray:
    """Return (O, H) for each H and the nearest O, an int array of shape (n_hydrogens, 2)."""
    oxygens = np.flatnonzero(atoms.numbers == 8)
    hydrogens = np.flatnonzero(atoms.numbers == 1)
    if len(oxygens) == 0 or len(hydrogens) == 0:
        return np.empty((0, 2), int)
    distances = with_boundaries(atoms).get_all_distances(mic=True)[np.ix_(hydrogens, oxygens)]
    return np.column_stack([oxygens[distances.argmin(1)], hydrogens])
