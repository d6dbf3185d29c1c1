#!/usr/bin/env bash
# In a dump of a tilted box LAMMPS writes the bounds of the rectangle around the box (xlo_bound, …),
# from which the tilts must be subtracted to have the box. chemfiles takes the bounds for the box: a
# hexagonal cell, such as that of ice or graphene, comes out half as long again. Its volume, the
# density, g(r), and what is periodic are wrong, without a word. MDAnalysis had this fault until
# 2.2 (its issue 3383).
# (In a tilted box that is right, Frame.distance still does not find the nearest image: it wraps into
# the parallelepiped, as freud's Box does, see freud_distances_are_not_minimum_image.sh.)
#
# Measured with: chemfiles 0.10.4, MDAnalysis 2.10.0, mdtraj 1.11.1.post2, ase 3.29.0.
# Source: chemfiles, src/formats/LAMMPSTrajectory.cpp (read_cell); docs.lammps.org/Howto_triclinic.
# Issue: none known.
# The kit: reads dumps with ASE, which is right about the box.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet chemfiles==0.10.4 MDAnalysis==2.10.0 mdtraj==1.11.1.post2 \
        ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -iE '^(chemfiles|mdanalysis|mdtraj|ase|numpy)=='

venv/bin/python - <<'PYTHON'
import warnings

import chemfiles
import MDAnalysis
import mdtraj
import numpy as np
from ase.build import graphene
from ase.io import read

warnings.simplefilter("ignore")
sheet = graphene(size=(4, 4, 1), vacuum=5.0)  # a along x, b at 120° from it: LAMMPS' own form
sheet.pbc = True
a, b, c = sheet.cell.array
xy = b[0]
with open("sheet.lammpstrj", "w") as file:
    print("ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS", len(sheet), sep="\n", file=file)
    print("ITEM: BOX BOUNDS xy xz yz pp pp pp", file=file)
    print(min(0, xy), a[0] + max(0, xy), xy, file=file)  # as docs.lammps.org/Howto_triclinic has it
    print(0.0, b[1], 0.0, file=file)
    print(0.0, c[2], 0.0, file=file)
    print("ITEM: ATOMS id type x y z", file=file)
    for index, position in enumerate(sheet.positions, start=1):
        print(index, 1, *position, file=file)

topology = mdtraj.Topology()
residue = topology.add_residue("C", topology.add_chain())
for _ in sheet:
    topology.add_atom("C", mdtraj.element.carbon, residue)
with chemfiles.Trajectory("sheet.lammpstrj") as trajectory:
    frame = trajectory.read()
    by_chemfiles = np.array([*frame.cell.lengths, *frame.cell.angles])
    volume = frame.cell.volume
cells = {
    "ASE": read("sheet.lammpstrj", format="lammps-dump-text").cell.cellpar(),
    "MDAnalysis": MDAnalysis.Universe("sheet.lammpstrj", format="LAMMPSDUMP").dimensions,
    "mdtraj": np.r_[
        10 * (loaded := mdtraj.load("sheet.lammpstrj", top=topology)).unitcell_lengths[0],
        loaded.unitcell_angles[0],
    ],
    "chemfiles": by_chemfiles,
}
print(f"expected: a, b, c, α, β, γ = {np.round(sheet.cell.cellpar(), 2)}")
for name, cell in cells.items():
    print(f"seen:     {name:10}: {np.round(np.asarray(cell, float), 2)}")
print(f"expected: {sheet.get_volume():.1f} Å³ for {len(sheet)} atoms")
print(f"seen:     {volume:.1f} Å³ by chemfiles")
right = all(
    np.allclose(cells[name], sheet.cell.cellpar(), atol=0.01)
    for name in ("ASE", "MDAnalysis", "mdtraj")
)
same = right and np.isclose(cells["chemfiles"][0], a[0] - xy, atol=0.01)
same = same and volume > 1.4 * sheet.get_volume()
assert same, "CHANGED"
PYTHON
