#!/usr/bin/env bash
# LAMMPS' plain `dump … atom` writes scaled coordinates (xs ys zs), fractions of the box. mdtraj reads
# these columns, says so in its documentation, but does not multiply them by the box: all atoms lie
# within one ångström of the origin of a box of the right size. Distances, g(r) and mean squared
# displacements come out, without a word. Dump x y z, or read with ASE or MDAnalysis.
#
# Measured with: mdtraj 1.11.1.post2, MDAnalysis 2.10.0, ase 3.29.0.
# Source: mdtraj/formats/lammpstrj.py; mdtraj issue 1814 (open) speaks of the box's lost origin.
# The kit: reads dumps with ASE, which scales.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet mdtraj==1.11.1.post2 MDAnalysis==2.10.0 ase==3.29.0 \
        numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -iE '^(mdtraj|mdanalysis|ase|numpy)=='

venv/bin/python - <<'PYTHON'
import warnings

import MDAnalysis
import mdtraj
import numpy as np
from ase.build import bulk
from ase.io import read

warnings.simplefilter("ignore")
crystal = bulk("Ar", "fcc", a=5.3, cubic=True) * (3, 3, 3)
length_A = crystal.cell.lengths()[0]
with open("argon.lammpstrj", "w") as file:
    print("ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS", len(crystal), sep="\n", file=file)
    print("ITEM: BOX BOUNDS pp pp pp", *[f"0.0 {length_A}"] * 3, sep="\n", file=file)
    print("ITEM: ATOMS id type xs ys zs", file=file)
    for index, position in enumerate(crystal.get_scaled_positions(), start=1):
        print(index, 1, *position, file=file)

topology = mdtraj.Topology()
residue = topology.add_residue("AR", topology.add_chain())
for _ in crystal:
    topology.add_atom("AR", mdtraj.element.argon, residue)
by_mdtraj = mdtraj.load("argon.lammpstrj", top=topology)
positions = {
    "ASE": read("argon.lammpstrj", format="lammps-dump-text").positions,
    "MDAnalysis": MDAnalysis.Universe("argon.lammpstrj", format="LAMMPSDUMP").atoms.positions,
    "mdtraj": 10 * by_mdtraj.xyz[0],
}


def nearest_A(points):
    """Return the distance of the first atom to its nearest neighbor in the file, in Å."""
    return np.linalg.norm(points[1:] - points[0], axis=1).min()


true = nearest_A(crystal.positions)
print(f"expected: neighbors at {true:.3f} Å in a box of {length_A:.1f} Å")
for name, points in positions.items():
    print(f"seen:     {name:10}: {nearest_A(points):.3f} Å")
print(f"seen:     mdtraj's box: {10 * by_mdtraj.unitcell_lengths[0, 0]:.1f} Å")
same = np.isclose(nearest_A(positions["ASE"]), true, atol=1e-3)
same = same and np.isclose(nearest_A(positions["MDAnalysis"]), true, atol=1e-3)
same = same and np.isclose(nearest_A(positions["mdtraj"]), true / length_A, atol=1e-3)
assert same and np.isclose(10 * by_mdtraj.unitcell_lengths[0, 0], length_A, atol=1e-3), "CHANGED"
PYTHON
