#!/usr/bin/env bash
# dscribe's SOAP(...).derivatives(atoms) differs from what create(atoms) does when an atom moves:
# by default a center given as an atom (or no centers at all: every atom) is frozen into a point in
# space, and the atom moves away from under it. The derivatives do not add up to zero over the
# atoms, and forces built from them break momentum conservation. attach=True gives the right ones.
# Derivatives with respect to the neighbors are right in both cases, so a spot check may pass.
#
# Measured with: dscribe 2.1.2, ase 3.29.0.
# Source: SINGROUP/dscribe issue 63 (a choice of the authors; attach came later, pull request 104).
# The kit: takes descriptors from its own JAX code and from featomic, both checked by differences.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet dscribe==2.1.2 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(dscribe|ase|numpy)=='

venv/bin/python - <<'PYTHON'
import numpy as np
from ase import Atoms
from dscribe.descriptors import SOAP

atoms = Atoms("OH2", positions=[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
soap = SOAP(species=["H", "O"], r_cut=3.0, n_max=4, l_max=3, sigma=0.5, periodic=False)


def difference(atom, axis, step=1e-4):
    """Return the central difference of all descriptors."""
    values = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[atom, axis] += sign * step
        values.append(soap.create(moved))
    return (values[0] - values[1]) / (2 * step)


reference = np.array([[difference(atom, axis) for axis in range(3)] for atom in range(3)])
reference = reference.transpose(2, 0, 1, 3)  # center, atom, axis, feature, as dscribe gives them
size = np.abs(reference).max()
print("expected: derivatives(atoms) are the derivatives of create(atoms), and sum to 0 over atoms")
same = True
for options in ({}, {"attach": True}):
    derivatives = soap.derivatives(atoms, return_descriptor=False, **options)
    own = np.arange(3)
    error = np.abs(derivatives - reference)
    error_own = error[own, own].max() / size
    error_others = error[[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]].max() / size
    total = np.abs(derivatives.sum(1)).max() / size
    print(
        f"seen:     {options or 'default'}: error of the center's own {error_own:.1e},"
        f" of the neighbors' {error_others:.1e}, sum over atoms {total:.1e}"
    )
    wrong = error_own > 0.1 and total > 0.1
    right = error_own < 1e-5 and total < 1e-5
    same = same and error_others < 1e-5 and (right if options else wrong)
assert same, "CHANGED"
PYTHON
