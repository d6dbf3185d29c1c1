#!/usr/bin/env bash
# ASE writes text in atoms.info without quotes, and reads what looks like a number as one: runs that
# are called "01", "1", "1_0" and "1e1" come back as 1, 1, 10 and 10.0. Two pairs of runs have become
# one each, so that a split by run puts frames of one run on both sides, or a group is lost. "T" comes
# back as True, and a backslash disappears.
#
# Measured with: ase 3.29.0.
# Source: ase/io/extxyz.py (key_val_dict_to_str, key_val_str_to_dict). Issue: none known.
# The kit: numbers its own trajectories; of foreign files nothing yet (they hold no trace of it).
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

names = ["01", "1", "1_0", "1e1", "T", r"C:\new"]
frames = [Atoms("H", info={"run": name}) for name in names]
write("frames.xyz", frames)
back = [atoms.info["run"] for atoms in read("frames.xyz", ":")]
print(f"expected: {names}, {len(set(names))} runs")
print(f"seen:     {[getattr(x, 'item', lambda x=x: x)() for x in back]}, {len(set(back))} runs")
raise SystemExit(back != [1, 1, 10, 10.0, True, "C:new"])
PYTHON
