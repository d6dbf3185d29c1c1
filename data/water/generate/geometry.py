"""The system (16 H2O in a periodic cube) and the rule by which a frame is kept."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from helpers.errors import DataError

N_MOLECULES = 16
CELL_A = 7.830178204601215  # 16 H2O at 0.997 g/cm³, water at 300 K

SHORTEST_OH_A = 0.82
LONGEST_OH_A = 1.25
SHORTEST_OO_A = 2.15
SHORTEST_HH_A = 1.2  # between molecules


def check_water(atoms: Atoms) -> None:
    """Raise `DataError` unless `atoms` is periodic water in the order O H H, O H H, …"""
    in_order = len(atoms) > 0 and atoms.get_chemical_symbols() == list("OHH") * (len(atoms) // 3)
    if not in_order or not atoms.pbc.all():
        raise DataError(
            "The frame is not a periodic box of water molecules",
            expected="atoms in the order O H H, O H H, … and pbc='T T T'",
            found=f"{atoms.get_chemical_formula() or 'no atoms'}, pbc={atoms.pbc.tolist()}",
            fix="reorder the atoms, or make frames with start.py",
        )


def broken_rule(atoms: Atoms) -> str | None:
    """Say which distance of a frame breaks the rule, or return None for a frame to keep.

    Parameters
    ----------
    atoms : ase.Atoms
        Periodic water in the order O H H, O H H, …; positions may be wrapped into the cell.

    Returns
    -------
    str or None
        For example ``"O-O 2.031 Å (a frame is kept above 2.15 Å)"``.
    """
    check_water(atoms)
    if not np.isfinite(atoms.positions).all():
        return "positions that are not finite numbers"
    distances = atoms.get_all_distances(mic=True)
    index = np.arange(len(atoms))
    is_oxygen = index % 3 == 0
    same_molecule = index[:, None] // 3 == index[None, :] // 3
    pair_of_o = is_oxygen[:, None] & is_oxygen[None, :]
    pair_of_h = ~is_oxygen[:, None] & ~is_oxygen[None, :]

    own_oh = distances[same_molecule & ~pair_of_o & ~pair_of_h]
    if own_oh.min() <= SHORTEST_OH_A or own_oh.max() >= LONGEST_OH_A:
        worst = own_oh.min() if own_oh.min() <= SHORTEST_OH_A else own_oh.max()
        return (
            f"O-H {worst:.3f} Å in a molecule "
            f"(a frame is kept between {SHORTEST_OH_A} and {LONGEST_OH_A} Å)"
        )
    for name, pairs, shortest in (
        ("O-O", pair_of_o & ~same_molecule, SHORTEST_OO_A),
        ("H-H", pair_of_h & ~same_molecule, SHORTEST_HH_A),
    ):
        if pairs.any() and distances[pairs].min() <= shortest:
            return f"{name} {distances[pairs].min():.3f} Å (a frame is kept above {shortest} Å)"
    return None
