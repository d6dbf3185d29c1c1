"""A flexible model of water with three charges: the form of SPC/Fw, its numbers to be fitted.

Harmonic bonds and angle, Lennard-Jones between oxygens, charges with Ewald summation between
molecules. Units: Å, eV, elementary charges, radians.

Source
------
Wu, Tepper, Voth, J. Chem. Phys. 124, 024503 (2006): SPC/Fw. (Force constants with the factor ½;
LAMMPS writes them without.)
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np
from ase import Atoms, units

from helpers.differentiable.bonded import HarmonicAngles, HarmonicBonds
from helpers.differentiable.coulomb import Ewald
from helpers.differentiable.interactions import Reparametrized, Sum, pair_scaling
from helpers.differentiable.pair_interactions import MixedLennardJones
from helpers.errors import DataError
from helpers.water import bonds

KCAL = units.kcal / units.mol  # eV
SPC_FW = MappingProxyType(
    {
        "bond_stiffness_eV_per_A2": 1059.162 * KCAL,
        "bond_length_A": 1.012,
        "angle_stiffness_eV": 75.90 * KCAL,
        "angle": float(np.radians(113.24)),
        "epsilon_eV": 0.1554253 * KCAL,
        "sigma_A": 3.165492,
        "charge_O_e": -0.82,
    }
)
SPC_FW_MASSES = MappingProxyType({"O": 15.99943, "H": 1.007947})  # u


def flexible_water(
    atoms: Atoms, *, cutoff_A: float | None = None, tolerance: float = 5e-4
) -> Reparametrized:
    """Return a force field for these molecules; its parameters have the names of `SPC_FW`.

    Parameters
    ----------
    atoms : Atoms
        Water molecules in a periodic cell, in any order.
    cutoff_A : float, optional
        Of Lennard-Jones (switched off from 80 % of it on) and of the direct sum of the charges; by
        default 0.499 of the smallest distance between opposite faces of the cell.
    tolerance : float
        Of the Ewald summation.

    Raises
    ------
    DataError
        If an O has not exactly two H, or there are other atoms.
    """
    pairs = bonds(atoms)
    oxygens = np.flatnonzero(atoms.numbers == 8)
    hydrogens = {int(O): pairs[pairs[:, 0] == O, 1] for O in oxygens}
    if 3 * len(oxygens) != len(atoms) or any(len(H) != 2 for H in hydrogens.values()):
        raise DataError(
            "These are not water molecules",
            expected="two H for each O and nothing else",
            found=atoms.get_chemical_formula(),
        )
    cell = np.asarray(atoms.cell.array)
    if cutoff_A is None:
        cutoff_A = 0.499 * float((1 / np.linalg.norm(np.linalg.inv(cell), axis=0)).min())
    within = pair_scaling(len(atoms), pairs)
    field = Sum(
        {
            "bonds": HarmonicBonds(pairs),
            "angles": HarmonicAngles(np.array([[H[0], O, H[1]] for O, H in hydrogens.items()])),
            "dispersion": MixedLennardJones(cutoff_A, "switched", scaling=within),
            "charges": Ewald(cutoff_A, cell, tolerance, scaling=within),
        }
    )
    is_oxygen = atoms.numbers == 8

    def expand(water: Any) -> dict[str, dict[str, Any]]:
        return {
            "bonds": {
                "stiffness_eV_per_A2": water["bond_stiffness_eV_per_A2"],
                "length_A": water["bond_length_A"],
            },
            "angles": {"stiffness_eV": water["angle_stiffness_eV"], "angle": water["angle"]},
            "dispersion": {
                "epsilon_eV": jnp.where(is_oxygen, water["epsilon_eV"], 0.0),
                "sigma_A": jnp.where(is_oxygen, water["sigma_A"], 0.0),
            },
            "charges": {
                "charge_e": jnp.where(is_oxygen, water["charge_O_e"], -water["charge_O_e"] / 2)
            },
        }

    return Reparametrized(field, expand)
