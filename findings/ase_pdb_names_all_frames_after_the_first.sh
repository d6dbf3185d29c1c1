#!/usr/bin/env bash
# ASE's writer of .pdb takes the elements and the number of atoms of all frames from the first one.
# A frame with another order of atoms comes back with the wrong elements at the right places, CO2 after
# a frame of water is water, and of a larger frame the atoms beyond that number are missing, without
# a word. Only a frame with fewer atoms is refused. The writer of .xsf does so with the elements, too.
# A data set that is written so for a viewer shows other molecules than it holds.
#
# Measured with: ase 3.29.0.
# Source: ase/io/proteindatabank.py, ase/io/xsf.py. Issue: none known.
# The kit: writes data sets as extended XYZ, which names each frame's atoms.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(ase|numpy)=='

venv/bin/python - <<'PYTHON'
from ase.build import molecule
from ase.io import read, write

water = molecule("H2O")
frames = [water, water[[1, 0, 2]], molecule("CO2"), molecule("CH4")]
for frame in frames:
    frame.center(vacuum=3.0)
    frame.pbc = True


def names(images):
    """Return the elements of each frame, in the order of its atoms."""
    return ["".join(atoms.symbols) for atoms in images]


print(f"expected: {' '.join(names(frames))}")
seen = {}
for name, images in (("data.xyz", frames), ("data.pdb", frames), ("data.xsf", frames[:3])):
    write(name, images)
    seen[name] = names(read(name, ":"))
    print(f"seen:     {' '.join(seen[name])} ({name})")
assert seen["data.xyz"] == names(frames), "CHANGED"
assert seen["data.pdb"] == ["OHH"] * 4 and seen["data.xsf"] == ["OHH"] * 3, "CHANGED"
PYTHON
