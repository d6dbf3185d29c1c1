#!/usr/bin/env bash
# mdtraj takes unitcell_vectors, but keeps only lengths and angles and rebuilds the vectors with a
# along x and b in the xy plane. A cell in any other orientation, such as ASE's primitive fcc cell,
# is turned so, while the atoms stay as they were: the array read back is another one than was set,
# and periodic distances are wrong, without a word. Turn the atoms with the cell first:
# cell, rotation = atoms.cell.standard_form(); positions = atoms.positions @ rotation.T
#
# Measured with: mdtraj 1.11.1.post2, ase 3.29.0.
# Source: none known.
# The kit: no mdtraj; its files are extended XYZ, which keeps the vectors.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet mdtraj==1.11.1.post2 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(mdtraj|ase|numpy)=='

venv/bin/python - <<'PYTHON'
import mdtraj
import numpy as np
from ase.build import bulk

atoms = bulk("Cu") * (3, 3, 3)


def nearest_A(positions, cell):
    """Return the shortest distance that mdtraj finds, and the vectors that it keeps, in Å."""
    topology = mdtraj.Topology()
    residue = topology.add_residue("CU", topology.add_chain())
    for _ in positions:
        topology.add_atom("Cu", mdtraj.element.copper, residue)
    trajectory = mdtraj.Trajectory(positions[None] / 10, topology)
    trajectory.unitcell_vectors = cell[None] / 10
    pairs = [(i, j) for i in range(len(atoms)) for j in range(i)]
    distances = mdtraj.compute_distances(trajectory, pairs, periodic=True)
    return 10 * distances.min(), 10 * trajectory.unitcell_vectors[0]


true = atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), 1)].min()
distance, kept = nearest_A(atoms.positions, atoms.cell.array)
standard, rotation = atoms.cell.standard_form()
turned, _ = nearest_A(atoms.positions @ rotation.T, standard.array)
print(f"expected: the vectors come back as set, and the nearest neighbor is at {true:.3f} Å")
print(f"seen:     vectors as set: {np.allclose(kept, atoms.cell.array)};"
      f" nearest neighbor at {distance:.3f} Å (atoms turned, too: {turned:.3f} Å)")
same = not np.allclose(kept, atoms.cell.array, atol=1e-3) and distance < 0.5 * true
assert same and abs(turned - true) < 1e-3, "CHANGED"
PYTHON
