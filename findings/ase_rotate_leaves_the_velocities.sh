#!/usr/bin/env bash
# atoms.rotate, atoms.euler_rotate and ase.build.rotate turn positions (and the cell, if asked), but
# not momenta. A frame of dynamics that is turned, to put a molecule upright or to augment data, keeps
# velocities of another orientation: a molecule that rotated vibrates, and a bond that stretched
# turns. Temperature and total momentum do not change, so that nothing shows it.
# Turn them, too: atoms.set_momenta(atoms.get_momenta() @ rotation.T).
#
# Measured with: ase 3.29.0.
# Source: ase/atoms.py (Atoms.rotate, euler_rotate). Issue: none known.
# (MDAnalysis did the same with AtomGroup.rotate; its pull request 5452 changes that.)
# The kit: nothing yet.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(ase|numpy)=='

venv/bin/python - <<'PYTHON'
import numpy as np
from ase import Atoms
from ase.build import rotate

start = Atoms("N2", positions=[[0, 0, 0], [1.1, 0, 0]])
start.set_velocities([[0, -0.01, 0], [0, 0.01, 0]])  # turns about z, does not vibrate


def motion(atoms):
    """Return the angular momentum about z and the speed at which the bond stretches."""
    bond = atoms.positions[1] - atoms.positions[0]
    velocities = atoms.get_velocities()
    stretching = (velocities[1] - velocities[0]) @ bond / np.linalg.norm(bond)
    return np.array([atoms.get_angular_momentum()[2], stretching])


turned = {"rotate": start.copy(), "euler_rotate": start.copy(), "ase.build.rotate": start.copy()}
turned["rotate"].rotate(90, "z")
turned["euler_rotate"].euler_rotate(phi=90)
rotate(turned["ase.build.rotate"], (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1))

angular, stretching = motion(start)
print(f"expected: L_z {angular:+.3f}, stretching {stretching:+.3f}, whichever way the axes point")
same = True
for name, atoms in turned.items():
    now_angular, now_stretching = motion(atoms)
    upright = abs(atoms.positions[1] - atoms.positions[0])[1] > 1.09
    print(
        f"seen:     L_z {now_angular:+.3f}, stretching {now_stretching:+.3f},"
        f" {atoms.get_temperature():.0f} K (before {start.get_temperature():.0f} K): {name}"
    )
    same = same and upright and abs(now_angular) < 1e-9 and np.isclose(abs(now_stretching), 0.02)
assert same and angular > 0.1 and abs(stretching) < 1e-12, "CHANGED"
PYTHON
