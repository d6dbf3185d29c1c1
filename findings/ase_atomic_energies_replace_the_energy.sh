#!/usr/bin/env bash
# A per-atom column named "energy", the natural name for atomic energies of a potential, is taken
# by ASE's extended-XYZ reader for the energy of the frame: get_potential_energy() returns an array
# of N numbers. If the frame has an energy as well, that one is kept, and the column, which ASE has
# just written into the file, is gone after reading, from arrays and results alike.
#
# Measured with: ase 3.29.0.
# Source: none known. The name that ASE keeps for atomic energies is "energies".
# The kit: labels are read from names of its own (dft_energy, dft_forces), which ASE leaves alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(ase|numpy)=='

venv/bin/python - <<'PYTHON'
import ase.io
import numpy as np
from ase import Atoms

atoms = Atoms("OH2", positions=[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
atoms.arrays["energy"] = np.array([-10.0, -2.0, -2.0])
ase.io.write("atomic.xyz", atoms)
alone = ase.io.read("atomic.xyz").get_potential_energy()

atoms.info["energy"] = -14.5
ase.io.write("both.xyz", atoms)
column_written = "energy:R:1" in open("both.xyz").read()
both = ase.io.read("both.xyz")
anywhere = [*both.arrays.values(), *both.info.values(), *both.calc.results.values()]
column_read = any(np.array_equal(value, [-10, -2, -2]) for value in anywhere)

print("expected: a column of atomic energies comes back as an array of the atoms")
print(f"seen:     column alone:    get_potential_energy() = {alone}")
print(f"          with an energy:  {both.get_potential_energy()};"
      f" column in the file {column_written}, anywhere after reading {column_read}")
same = np.shape(alone) == (3,) and both.get_potential_energy() == -14.5
assert same and column_written and not column_read, "CHANGED"
PYTHON
