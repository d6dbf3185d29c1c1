#!/usr/bin/env bash
# GROMACS writes the names of ions and metals in capitals (NA, CL, CA, MG, ZN), and a .gro file has no
# elements. ASE compares the first two letters with "Na", "Cl", … as they are; what does not match is
# taken by its first letter: sodium becomes nitrogen, chlorine and calcium carbon, silicon sulfur, iron
# fluorine, and MG, of which no single letter is an element, the dummy X. Masses, momenta, and
# everything a potential says of these atoms follow, without a word. ASE's own .gro files have "Na" and
# come back right, so that a trial with them shows nothing.
#
# Measured with: ase 3.29.0.
# Source: ase/io/gromacs.py (read_gromacs). Issue: none known for ASE (mdtraj: issues 1278, 1767).
# The kit: nothing yet; its files are extended XYZ. Compare the formula after reading a .gro.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(ase|numpy)=='

venv/bin/python - <<'PYTHON'
from ase import Atoms
from ase.io import read, write

true = ["Na", "Cl", "Ca", "Mg", "Zn", "Fe", "Si", "O", "H", "H"]
names = ["NA", "CL", "CA", "MG", "ZN", "FE", "SI", "OW", "HW1", "HW2"]
with open("ions.gro", "w") as file:
    print("ions as GROMACS names them", len(names), sep="\n", file=file)
    for index, name in enumerate(names, start=1):
        residue = "SOL" if index > 7 else name
        print(f"{index:5d}{residue:<5}{name:>5}{index:5d}{index / 10:8.3f}{0:8.3f}{0:8.3f}", file=file)
    print(f"{2:10.5f}" * 3, file=file)
read_back = read("ions.gro").get_chemical_symbols()
print(f"expected: {' '.join(f'{symbol:>2}' for symbol in true)}")
print(f"seen:     {' '.join(f'{symbol:>2}' for symbol in read_back)}")

atoms = Atoms(true, positions=[[i, 0, 0] for i in range(10)], cell=[20] * 3, pbc=True)
write("own.gro", atoms)
own = read("own.gro").get_chemical_symbols()
print(f"seen:     {' '.join(f'{symbol:>2}' for symbol in own)} (the file written by ASE)")
assert own == true and read_back == ["N", "C", "C", "X", "N", "F", "S", "O", "H", "H"], "CHANGED"
PYTHON
