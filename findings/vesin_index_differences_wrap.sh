#!/usr/bin/env bash
# vesin's pair indices are unsigned (uint64), also through its drop-in replacement for ASE's
# neighbor list, where ASE gives signed ones. Differences of indices, the usual way to leave out
# bonded neighbors along a chain (abs(i − j) > 1), wrap to 1.8e19 instead of −1, so that half of the
# bonds stay in; and adding a signed array makes floats, which index nothing. No warning appears.
#
# Measured with: vesin 0.6.2, ase 3.29.0.
# Source: none known.
# The kit: casts the indices to int64 where it takes them from vesin.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet vesin==0.6.2 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(vesin|ase|numpy)=='

venv/bin/python -W error - <<'PYTHON'
import ase.neighborlist
import numpy as np
import vesin
from ase import Atoms

chain = Atoms("Ar6", positions=[[1.5 * bead, 0, 0] for bead in range(6)], cell=[20] * 3, pbc=True)


def non_bonded(neighbor_list):
    """Return how many pairs are not bonded along the chain, and the type of i + signed array."""
    i, j = neighbor_list("ij", chain, 3.2)
    return int(np.sum(np.abs(i - j) > 1)), (i + np.arange(len(i))).dtype.name


by_ase, by_vesin = non_bonded(ase.neighborlist.neighbor_list), non_bonded(vesin.ase_neighbor_list)
print("expected: the same from both neighbor lists: 8 pairs two beads apart, and integers")
print(f"seen:     ASE {by_ase[0]} pairs, {by_ase[1]}; vesin {by_vesin[0]} pairs, {by_vesin[1]}")
same = by_ase == (8, "int64") and by_vesin == (13, "float64")
assert same, "CHANGED"
PYTHON
