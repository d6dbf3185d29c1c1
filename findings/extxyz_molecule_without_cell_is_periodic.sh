#!/usr/bin/env bash
# A molecule in extended XYZ without Lattice and without pbc is an open system by the format's own
# rules, and for ASE. The extxyz package, which states those rules, returns it with pbc T T T and a
# cell of zeros: a neighbor list that honors pbc then has no cell to repeat, and one that puts a box
# of its own around the atoms sees images that do not exist.
#
# Measured with: extxyz 0.4.6 (both backends agree), ase 3.29.0.
# Source: the package's own README: pbc is false in all directions if there is no Lattice.
# The kit: reads with ASE, and writes pbc into each file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 extxyz==0.4.6 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(ase|extxyz|numpy)=='

cat >molecule.xyz <<'XYZ'
2
Properties=species:S:1:pos:R:3 energy=-31.5
H 0.0 0.0 0.0
H 0.0 0.0 0.74
XYZ
venv/bin/python - <<'PYTHON'
import ase.io
import extxyz
import numpy as np


def read(**options):
    frames = extxyz.read_dicts("molecule.xyz", **options)
    return frames[0] if isinstance(frames, list) else frames


by_ase = ase.io.read("molecule.xyz").pbc.tolist()
default, python = read(), read(use_cextxyz=False)
print("expected: pbc F F F from every reader")
print(f"seen:     ASE {by_ase}")
print(f"          extxyz {list(map(bool, default.pbc))}, cell all zeros: {not np.any(default.cell)}")
print(f"          extxyz, Python backend {list(map(bool, python.pbc))}")
same = not any(by_ase) and all(default.pbc) and all(python.pbc) and not np.any(default.cell)
assert same, "CHANGED"
PYTHON
