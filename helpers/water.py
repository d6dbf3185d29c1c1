"""Properties of water: O–H bonds, and the positions of its vibrational bands."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from helpers.boundaries import with_boundaries

BONDED_OO_A = 1.65
WATER_BANDS_PER_CM = {"stretch": (2800.0, 4000.0), "bend": (1400.0, 1900.0)}
# Measured band positions of liquid water, 1/cm: Carey, Korenowski, J. Chem. Phys. 108, 2669
# (1998); Brooker, Hancock, Rice, Shapter, J. Raman Spectrosc. 20, 683 (1989).
LITERATURE_PER_CM = {"H bonds": 175.0, "libration": 550.0, "bend": 1640.0, "stretch": 3400.0}

# Where the bands of its Raman spectrum lie, from the same sources, 1/cm.
MEASURED_RANGES_PER_CM = {
    "libration": (400.0, 900.0),
    "bend": (1550.0, 1750.0),
    "O–H stretch": (3000.0, 3700.0),
}

# Measured g(OO) of liquid water at 298 K, (distance in Å, g): Soper, ISRN Phys. Chem. 2013, 279463,
# https://doi.org/10.1155/2013/279463 (CC BY), every second to fifth of its points, rounded.
MEASURED_G_OO = np.array(
    [
        *((2.31, 0.00), (2.37, 0.01), (2.43, 0.10), (2.49, 0.37), (2.55, 0.83), (2.61, 1.39)),
        *((2.67, 1.95), (2.73, 2.36), (2.79, 2.50), (2.85, 2.38), (2.91, 2.11), (2.97, 1.77)),
        *((3.03, 1.45), (3.09, 1.19), (3.15, 1.01), (3.24, 0.86), (3.39, 0.80), (3.54, 0.82)),
        *((3.69, 0.86), (3.84, 0.93), (3.99, 1.00), (4.14, 1.06), (4.29, 1.10), (4.44, 1.12)),
        *((4.59, 1.12), (4.74, 1.10), (4.89, 1.06), (5.04, 1.00), (5.19, 0.95), (5.34, 0.91)),
        *((5.49, 0.89), (5.64, 0.89), (5.79, 0.90), (5.94, 0.94), (6.09, 0.97), (6.24, 1.01)),
    ]
)


def bonds(atoms: Atoms) -> np.ndarray:
    """Return (O, H) for each H whose nearest atom is an O, an int array of shape (n_bonds, 2).

    In water that is every H; the H of a C–H or N–H bond, or of H2, belongs to no O.
    """
    oxygens = np.flatnonzero(atoms.numbers == 8)
    hydrogens = np.flatnonzero(atoms.numbers == 1)
    if len(oxygens) == 0 or len(hydrogens) == 0:
        return np.empty((0, 2), int)
    distances = with_boundaries(atoms).get_all_distances(mic=True)[hydrogens]
    distances[np.arange(len(hydrogens)), hydrogens] = np.inf
    nearest = distances.argmin(1)
    bonded = atoms.numbers[nearest] == 8
    return np.column_stack([nearest[bonded], hydrogens[bonded]])


def whole_molecules(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Return positions inside the cell with each H beside its O, and the pairs (O, H)."""
    pairs = bonds(atoms)
    positions = atoms.get_positions(wrap=True)
    for oxygen, hydrogen in pairs:
        vector = atoms.get_distance(oxygen, hydrogen, mic=True, vector=True)
        positions[hydrogen] = positions[oxygen] + vector
    return positions, pairs


def oxygen_pairs(atoms: Atoms) -> np.ndarray:
    """Return the pairs of O atoms that are not bonded to each other, shape (n_pairs, 2).

    In O2 and peroxides two O atoms are bonded: closer than 1.65 Å, 1.25 times the sum of their
    covalent radii. The O atoms of two water molecules never are.
    """
    oxygens = np.flatnonzero(atoms.numbers == 8)
    if len(oxygens) < 2:
        return np.empty((0, 2), int)
    first, second = np.triu_indices(len(oxygens), 1)
    pairs = np.column_stack([oxygens[second], oxygens[first]])
    distances = with_boundaries(atoms).get_all_distances(mic=True)[pairs[:, 0], pairs[:, 1]]
    of_water = np.bincount(bonds(atoms)[:, 0], minlength=len(atoms)) >= 2
    return pairs[(distances > BONDED_OO_A) | of_water[pairs].all(1)]
