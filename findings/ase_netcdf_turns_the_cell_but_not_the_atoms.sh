#!/usr/bin/env bash
# ASE's NetCDF trajectory follows AMBER, which stores lengths and angles of the cell only. Reading puts
# a along x and b in the xy plane, while the atoms come back as they were written: for any cell that
# was not oriented so (a primitive fcc cell, a slab that was turned) lattice and atoms no longer fit,
# and distances across the boundary are wrong, without a word. ASE's writers of .gro, .pdb, .lmp or
# POSCAR keep the two together.
# Turn both first: cell, rotation = atoms.cell.standard_form(); positions = atoms.positions @ rotation.T
#
# Measured with: ase 3.29.0, netCDF4 1.7.4.
# Source: ase/io/netcdftrajectory.py. Issue: none known.
# The kit: its files are extended XYZ, which keeps the vectors.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 netCDF4==1.7.4 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -iE '^(ase|netcdf4|numpy)=='

venv/bin/python - <<'PYTHON'
import numpy as np
from ase.build import bulk
from ase.io import read, write

atoms = bulk("Cu", "fcc", a=3.6) * (3, 3, 3)


def nearest_A(frame):
    """Return the shortest distance between two atoms, images included, in Å."""
    distances = frame.get_all_distances(mic=True)
    return distances[np.triu_indices(len(frame), 1)].min()


def through(name, frame):
    """Return the frame as it comes back from a file."""
    kind = "netcdftrajectory" if name.endswith(".nc") else None
    write(name, frame, format=kind)
    return read(name, format=kind)


print(f"expected: the nearest neighbor at {nearest_A(atoms):.3f} Å")
seen = {name: nearest_A(through(name, atoms)) for name in ("a.nc", "a.xyz", "a.pdb", "a.gro")}
standard, rotation = atoms.cell.standard_form()
turned = atoms.copy()
turned.set_cell(standard)
turned.positions = atoms.positions @ rotation.T
seen["turned first, t.nc"] = nearest_A(through("t.nc", turned))
for name, distance in seen.items():
    print(f"seen:     {distance:.3f} Å through {name}")
wrong = seen.pop("a.nc")
assert wrong < 0.8 * nearest_A(atoms), "CHANGED"
assert np.allclose(list(seen.values()), nearest_A(atoms), atol=0.02), "CHANGED"
PYTHON
