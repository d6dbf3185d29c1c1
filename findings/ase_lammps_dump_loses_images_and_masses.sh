#!/usr/bin/env bash
# From a LAMMPS dump with x y z and ix iy iz ASE takes the wrapped positions, and neither unwraps them
# nor keeps the image flags: an atom that crosses the box jumps back, and a mean squared displacement
# levels off, without a word. Beside x y z even the columns xu yu zu are left out. A mass column serves
# to guess elements only; where an element column stands, too, heavy water has the mass of light water,
# so that momenta and the temperature are wrong by up to a factor of two.
# Dump xu yu zu without x y z, and set masses after reading.
#
# Measured with: ase 3.29.0.
# Source: ase/io/lammpsrun.py (lammps_data_to_ase_atoms). Issue: none known.
# The kit: reads dumps with ASE, with the same loss of images and masses; nothing yet.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(ase|numpy)=='

venv/bin/python - <<'PYTHON'
import numpy as np
from ase.io import read

LENGTH_A = 10.0
path_A = 5.0 + 2.0 * np.arange(6)  # two deuterium atoms fly apart, one leaves the box


def dump(name, columns):
    """Write the flight with these columns, and return what ASE reads."""
    with open(name, "w") as file:
        for step, x in enumerate(path_A):
            print("ITEM: TIMESTEP", step, "ITEM: NUMBER OF ATOMS", 2, sep="\n", file=file)
            print("ITEM: BOX BOUNDS pp pp pp", *[f"0 {LENGTH_A}"] * 3, sep="\n", file=file)
            print(f"ITEM: ATOMS id element mass {columns} vx vy vz", file=file)
            for index, x_A, vx in ((1, x, 20.0), (2, 1.0, -20.0)):
                values = {"x": x_A % LENGTH_A, "xu": x_A, "ix": int(x_A // LENGTH_A)}
                row = [values.get(c, 0 if c.startswith("i") else 5.0) for c in columns.split()]
                print(index, "H", 2.014, *row, vx, 0, 0, file=file)
    return read(name, ":", format="lammps-dump-text")


print(f"expected: displacements {path_A - path_A[0]} Å, masses 2.014")
same = True
for columns in ("x y z ix iy iz", "x y z xu yu zu", "xu yu zu"):
    frames = dump("flight.lammpstrj", columns)
    moved_A = np.array([atoms.positions[0, 0] for atoms in frames]) - path_A[0]
    kept = sorted(set(frames[0].arrays) - {"numbers", "positions", "momenta"})
    print(f"seen:     {columns:14}: {moved_A} Å, masses {frames[0].get_masses()}, also kept: {kept}")
    wrapped = path_A % LENGTH_A - path_A[0]
    right = path_A - path_A[0]
    same = same and np.allclose(moved_A, right if columns == "xu yu zu" else wrapped) and not kept
    same = same and np.allclose(frames[0].get_masses(), 1.008)
atoms = frames[0]
cold_K = atoms.get_temperature()
velocities = atoms.get_velocities()
atoms.set_masses([2.014, 2.014])
atoms.set_velocities(velocities)
print(f"expected: {atoms.get_temperature():.1f} K\nseen:     {cold_K:.1f} K")
assert same and 1.9 < atoms.get_temperature() / cold_K < 2.1, "CHANGED"
PYTHON
