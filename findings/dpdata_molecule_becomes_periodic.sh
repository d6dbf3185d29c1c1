#!/usr/bin/env bash
# dpdata keeps one flag for periodicity per system, and MultiSystems puts all frames of one
# composition into one system. So an isolated molecule that shares a file with periodic frames of
# the same composition comes out as a crystal of molecules, and a slab (T T F) always does. The
# order of the frames does not matter, and no message is given. On its own the molecule stays open.
#
# Measured with: dpdata 1.1.0, ase 3.29.0.
# Source: none known.
# The kit: nothing yet (it reads with ASE; mind this before frames go to DeePMD).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet dpdata==1.1.0 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(dpdata|ase|numpy)=='

venv/bin/python - <<'PYTHON'
import ase.io
import dpdata
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator


def water(pbc):
    atoms = Atoms("OH2", positions=[[4, 4, 4], [4.96, 4, 4], [3.76, 4.93, 4]], cell=[9] * 3, pbc=pbc)
    atoms.calc = SinglePointCalculator(atoms, energy=-14.0, forces=np.zeros((3, 3)))
    return atoms


def through_dpdata(*pbcs):
    """Return the pbc of frames that were read and given back by dpdata."""
    ase.io.write("frames.xyz", [water(pbc) for pbc in pbcs])
    systems = dpdata.MultiSystems.from_file("frames.xyz", fmt="extxyz").systems.values()
    return ["".join("FT"[int(p)] for p in a.pbc) for s in systems for a in s.to("ase/structure")]


isolated, slab, bulk = (False,) * 3, (True, True, False), (True,) * 3
alone = through_dpdata(isolated)
mixed = through_dpdata(isolated, bulk), through_dpdata(bulk, isolated)
slabs = through_dpdata(slab)
print("expected: FFF comes back as FFF, TTF as TTF, TTT as TTT")
print(f"seen:     [FFF] → {alone}, [FFF TTT] → {mixed[0]}, [TTT FFF] → {mixed[1]}, [TTF] → {slabs}")
same = alone == ["FFF"] and mixed == (["TTT"] * 2, ["TTT"] * 2) and slabs == ["TTT"]
assert same, "CHANGED"
PYTHON
