#!/usr/bin/env bash
# ASE's extended XYZ writes numbers in info with all their digits, but columns of atoms with eight
# decimals, whatever their size: 3.1e-9 comes back as 0. Forces in newton, atomic dipoles in C m,
# small gradients, weights, or variances of a committee are lost altogether, others keep
# a digit or two, without a word. Choose units in which the numbers are of order one, such as eV and Å.
#
# Measured with: ase 3.29.0.
# Source: ase/io/extxyz.py (fmt_map). Issue: none known.
# The kit: uses eV and Å throughout.
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
from ase.io import read, write

values = np.array([[3.1e-9, -1.6e-30, 4.56789e-8], [2.34567e-6, 0.1234567891234, 123.456789012345]])
atoms = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]])
atoms.info["values"] = values[0]
atoms.arrays["values"] = values
write("small.xyz", atoms)
back = read("small.xyz")
print(f"expected: {values.ravel().tolist()}")
print(f"seen:     {back.arrays['values'].ravel().tolist()} (columns)")
print(f"seen:     {back.info['values'].tolist()} (info, the first three)")
same = np.array_equal(back.info["values"], values[0])
assert same and np.array_equal(back.arrays["values"], values.round(8)), "CHANGED"
PYTHON
