"""Make frames of the gas phase: isolated atoms, one molecule, and two molecules that approach.

Rigid molecules (O-H 0.97 Å, 104.5°) in a periodic cube of 12 Å. ``isolated_atoms.xyz`` holds H and
O in their ground states (doublet, triplet), ``monomer.xyz`` one molecule, and ``dimer.xyz`` two of
them at 15 O-O distances from 1.6 to 4.0 Å in two orientations:

hydrogen_bond   the H of one molecule points at the O of the other, which is turned as in the dimer
                at rest (57° between the O-O line and its bisector);
lone_pairs      O faces O, all H point away, and the two planes are perpendicular.

No random numbers: no --seed.

Example, label with label.py afterwards:
    python data/water/generate/gas_phase.py --output results/water
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from frame_files import write_frames

from helpers.files import make_folder
from helpers.terminal import teaching_script

BOX_A = 12.0
OH_A = 0.97
HALF_ANGLE = np.radians(104.5 / 2)
TILT = np.radians(57.0)  # of the acceptor; Odutola and Dyke, J. Chem. Phys. 72, 5062 (1980)
MULTIPLICITIES = {"H": 2, "O": 3}
DISTANCES_A = (1.6, 1.8, 2.0, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7, 2.8, 2.9, 3.0, 3.2, 3.5, 4.0)
ORIENTATIONS = ("hydrogen_bond", "lone_pairs")


def molecule(bisector: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Return positions (3, 3) of O, H, H in Å, with O at the origin.

    Parameters
    ----------
    bisector, normal : ndarray of shape (3,)
        Unit vectors along the bisector, from O towards the H, and perpendicular to the plane.
    """
    across = np.cross(normal, bisector)
    h = [np.cos(HALF_ANGLE) * bisector + sign * np.sin(HALF_ANGLE) * across for sign in (1, -1)]
    return OH_A * np.array([np.zeros(3), *h])


def dimer(distance_A: float, orientation: str) -> Atoms:
    """Return two molecules whose O atoms lie on x, `distance_A` apart, around the cube's center."""
    x, y, z = np.eye(3)
    if orientation == "hydrogen_bond":
        turned = np.cos(HALF_ANGLE) * x + np.sin(HALF_ANGLE) * z
        first = molecule(turned, y)  # its first H points along x
        tilted = np.cos(TILT) * x - np.sin(TILT) * z
        second = molecule(tilted, np.cross(y, tilted))  # its plane holds y
    else:
        first, second = molecule(-x, z), molecule(x, y)
    apart = distance_A / 2 * x
    positions = np.concatenate([first - apart, second + apart]) + BOX_A / 2
    atoms = Atoms("OHHOHH", positions, cell=[BOX_A] * 3, pbc=True)
    atoms.info = {"orientation": orientation, "distance_A": distance_A}
    return atoms


def monomer() -> Atoms:
    """Return one molecule at the center of the cube."""
    positions = molecule(np.eye(3)[0], np.eye(3)[1]) + BOX_A / 2
    return Atoms("OHH", positions, cell=[BOX_A] * 3, pbc=True)


def isolated_atom(element: str) -> Atoms:
    """Return one atom at the center of the cube, with its spin multiplicity."""
    atoms = Atoms(element, [[BOX_A / 2] * 3], cell=[BOX_A] * 3, pbc=True)
    atoms.info = {"config_type": "isolated_atom", "multiplicity": MULTIPLICITIES[element]}
    return atoms


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    return parser


def main(options: argparse.Namespace) -> int:
    folder = make_folder(options.output)
    dimers = [dimer(r, orientation) for orientation in ORIENTATIONS for r in DISTANCES_A]
    write_frames(folder / "isolated_atoms.xyz", [isolated_atom(e) for e in MULTIPLICITIES])
    write_frames(folder / "monomer.xyz", [monomer()])
    write_frames(folder / "dimer.xyz", dimers)
    print(f"isolated_atoms.xyz, monomer.xyz, dimer.xyz in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
