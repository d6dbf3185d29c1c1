#!/usr/bin/env bash
# Labels with names of their own (info["dft_energy"], arrays["dft_forces"]), as training sets for
# GAP and MACE carry them, do not survive a conversion by ASE. Its .traj keeps the energy and drops
# the forces; .db and .json drop both. Nothing is said. Extended XYZ keeps them.
#
# Measured with: ase 3.29.0.
# Source: ase/io/trajectory.py writes a fixed list of arrays. Issue: none known.
# The kit: reading such a file ends with an error that says that the labels are missing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(ase|numpy)=='

venv/bin/python - <<'PYTHON'
import numpy as np
from ase.build import molecule
from ase.io import read, write

atoms = molecule("H2O")
atoms.info["dft_energy"] = -14.2
atoms.arrays["dft_forces"] = np.ones((3, 3))
print("expected: energy and forces in every format, or a word about what is lost")
kept = {}
for ending in ("xyz", "traj", "db", "json"):
    write(f"water.{ending}", atoms)
    copy = read(f"water.{ending}")
    kept[ending] = "dft_energy" in copy.info, "dft_forces" in copy.arrays
    print(f"seen:     .{ending}: energy {kept[ending][0]}, forces {kept[ending][1]}")
expected = {"xyz": (True, True), "traj": (True, False), "db": (False, False), "json": (False, False)}
raise SystemExit(kept != expected)
PYTHON
