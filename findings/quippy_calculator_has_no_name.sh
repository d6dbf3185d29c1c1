#!/usr/bin/env bash
# quippy's Potential has a property "name" that reads an attribute which nobody has set, since ASE 3.23
# sets none. Writing atoms with this calculator into an ASE Trajectory ends with an AttributeError.
#
# Measured with: quippy-ase 0.10.3, ase 3.29.0.
# Source: quippy/potential.py (_get_name returns self.name_). Issue: none known.
# The kit: adds the attribute when quippy is imported (helpers/quippy_name.py), for scripts without the
# kit too (tools/complete_quippy.py); mlmd doctor tries it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet quippy-ase==0.10.3 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(quippy-ase|ase|numpy)=='

venv/bin/python - <<'PYTHON'
from ase import Atoms
from ase.io.trajectory import Trajectory
from quippy.potential import Potential

lj = '<LJ_params n_types="1"><per_type_data type="1" atomic_num="18"/>'
lj += '<per_pair_data type1="1" type2="1" sigma="3.4" eps6="0.01" eps12="0.01" cutoff="8.0" '
lj += 'energy_shift="T" linear_force_shift="F"/></LJ_params>'
atoms = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.8]], cell=[20, 20, 20], pbc=True)
atoms.calc = Potential("IP LJ", param_str=lj)
atoms.get_forces()
print("expected: a trajectory of one frame")
try:
    Trajectory("two.traj", "w", atoms).write()
except AttributeError as error:
    print(f"seen:     AttributeError: {error}")
    assert "name_" in str(error)
else:
    raise SystemExit(1)
PYTHON
