#!/usr/bin/env bash
# Extended XYZ allows the exponent letter d or D, as Fortran programs print double precision. ASE
# reads energy=-1.45D+01 as text, and the text becomes the frame's energy: get_potential_energy()
# returns a str. Nothing stops until arithmetic does, and sorting frames by energy never does. In a
# per-atom column the same number stops the reader. The extxyz package reads both as numbers.
#
# Measured with: ase 3.29.0, extxyz 0.4.6.
# Source: the README of libAtoms/extxyz, which specifies the format, allows [dDeE].
# The kit: check_labels refuses a frame whose energy or forces are no finite numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 extxyz==0.4.6 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(ase|extxyz|numpy)=='

cat >energy.xyz <<'XYZ'
2
Properties=species:S:1:pos:R:3 energy=-1.45D+01 pbc="F F F"
H 0.0 0.0 0.0
H 0.0 0.0 0.7
XYZ
cat >column.xyz <<'XYZ'
2
Properties=species:S:1:pos:R:3 energy=-14.5 pbc="F F F"
H 0.0 0.0 0.00D+00
H 0.0 0.0 7.00D-01
XYZ
venv/bin/python - <<'PYTHON'
import ase.io
import extxyz

energy = ase.io.read("energy.xyz").get_potential_energy()
try:
    height = ase.io.read("column.xyz").positions[1, 2]
except Exception as error:
    height = f"{type(error).__name__}: {error}"


def read(path):
    frames = extxyz.read_dicts(path)
    return frames[0] if isinstance(frames, list) else frames


theirs = read("energy.xyz").info["energy"], float(read("column.xyz").arrays["pos"][1, 2])
print("expected: both readers give the energy -14.5 and the height 0.7")
print(f"seen:     ASE {energy!r}, {height!r}")
print(f"          extxyz {theirs[0]!r}, {theirs[1]!r}")
same = energy == "-1.45D+01" and isinstance(height, str) and theirs == (-14.5, 0.7)
assert same, "CHANGED"
PYTHON
