"""GFN2-xTB labels from tblite, with guards where tblite answers another question without a word.

tblite takes the sum of ``initial_charges`` as the total charge, computes a slab as a crystal, and
accepts a multiplicity that the number of electrons forbids. Here charge and multiplicity are always
given, and frames on which it would answer something else are refused.
"""

from __future__ import annotations

import os
from importlib.metadata import version

os.environ.setdefault("OMP_NUM_THREADS", "1")  # otherwise it starts more threads than cores

import numpy as np
from ase import Atoms
from tblite.ase import TBLite

from helpers.errors import ConfigError, DataError

METHOD = "GFN2-xTB"
ENERGY_NAME, FORCES_NAME = "xtb_energy", "xtb_forces"


def level_of_theory() -> str:
    """Return what the labels are made with, in one sentence."""
    return f"{METHOD} (tblite {version('tblite')}), neutral, closed shell, no cell"


def check_molecule(atoms: Atoms) -> None:
    """Refuse what tblite would compute as something else.

    Raises
    ------
    DataError
        If the frame is periodic, carries charges or magnetic moments, or has an odd number of
        electrons.
    """
    name = atoms.get_chemical_formula()
    if atoms.pbc.any():
        raise DataError(
            f"{name} is periodic along {np.count_nonzero(atoms.pbc)} axes",
            expected="a molecule, pbc False: tblite computes a slab as the three-dimensional "
            "crystal, and dipoles of a box that depend on its origin",
        )
    for column in ("initial_charges", "initial_magmoms"):
        if atoms.has(column) and np.any(atoms.arrays[column]):
            raise DataError(
                f"{name} has a column {column}",
                expected="none: tblite takes its sum for the charge or the spin of the molecule",
                fix=f"del atoms.arrays[{column!r}], after asking what it was for",
            )
    for key in ("charge", "total_charge", "spin", "multiplicity"):
        if atoms.info.get(key, 0) not in (0, 1 if key == "multiplicity" else 0):
            raise DataError(f"{name} has {key}={atoms.info[key]}", expected="a neutral singlet")
    if atoms.numbers.sum() % 2:
        raise DataError(
            f"{name} has an odd number of electrons",
            expected="a closed shell: tblite accepts any multiplicity, and has no exchange",
        )


def teacher(atoms: Atoms) -> TBLite:
    """Return a new calculator for a molecule that was checked."""
    check_molecule(atoms)
    return TBLite(method=METHOD, charge=0, multiplicity=1, verbosity=0)


def labeled(atoms: Atoms) -> Atoms:
    """Return a copy with energy (eV) and forces (eV/Å), computed from nothing.

    Each frame gets a calculator of its own: one that comes from the frame before differs by 1e-8 eV
    and 1e-4 eV/Å.
    """
    frame = Atoms(atoms.symbols, atoms.positions)
    check_molecule(atoms)
    frame.calc = teacher(frame)
    energy, forces = float(frame.get_potential_energy()), frame.get_forces()
    frame.calc = None
    if not (np.isfinite(energy) and np.isfinite(forces).all()):
        raise DataError(f"{METHOD} gives no finite label for {atoms.get_chemical_formula()}")
    if np.abs(forces.sum(0)).max() > 1e-5:
        raise ConfigError(
            f"The forces on {atoms.get_chemical_formula()} do not sum to zero",
            found=f"{np.abs(forces.sum(0)).max():.1e} eV/Å",
        )
    frame.info[ENERGY_NAME], frame.arrays[FORCES_NAME] = energy, forces
    return frame
