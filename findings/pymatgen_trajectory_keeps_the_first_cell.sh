#!/usr/bin/env bash
# pymatgen's Trajectory.from_structures takes constant_lattice=True for granted and does not look:
# structures of an NPT run, each with its own cell, all get the cell of the first one, while their
# fractional coordinates stay. Volumes, densities and distances are those of a run at constant volume,
# without a word. Pass constant_lattice=False.
#
# Measured with: pymatgen-core 2026.10.16, ase 3.29.0.
# Source: pymatgen/core/trajectory.py; materialsproject/pymatgen issue 3905 (open) asks why.
# The kit: keeps frames as ASE's Atoms, each with its own cell.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet pymatgen-core==2026.10.16 ase==3.29.0 || exit 2
venv/bin/pip freeze | grep -E '^(pymatgen-core|ase|numpy)=='

venv/bin/python - <<'PYTHON'
import numpy as np
from ase.build import bulk
from pymatgen.core.trajectory import Trajectory
from pymatgen.io.ase import AseAtomsAdaptor

frames = [bulk("Cu", "fcc", a=a_A, cubic=True) for a_A in (3.60, 3.65, 3.70)]  # expands on heating
structures = [AseAtomsAdaptor.get_structure(atoms) for atoms in frames]


def told(images):
    """Return the volumes in Å³ and the distances of two neighbors in Å."""
    return np.array([[image.volume, image.get_distance(0, 1)] for image in images]).T.round(3)


print("expected:", *told(structures))
same = True
for keywords in ({}, {"constant_lattice": False}):
    trajectory = Trajectory.from_structures(structures, **keywords)
    print("seen:    ", *told(trajectory), keywords)
    target = told(structures if keywords else structures[:1] * 3)
    same = same and np.allclose(told(trajectory), target)
assert same, "CHANGED"
PYTHON
