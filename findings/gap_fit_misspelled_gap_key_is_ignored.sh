#!/usr/bin/env bash
# gap_fit stops at a key that it does not know, but only outside gap={…}. Inside, a misspelled
# setting is passed over without a word: the model is the one of the default value, the exit code
# is 0, and gap.xml even repeats the misspelled text as if it had counted.
#
# Measured with: quippy-ase 0.10.3, ase 3.29.0.
# Source: none known.
# The kit: GapConfig knows every key by name and refuses others, inside gap={…}, too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet quippy-ase==0.10.3 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(quippy-ase|ase|numpy)=='

venv/bin/python - <<'PYTHON'
import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.lj import LennardJones

rng = np.random.default_rng(0)
sites = 3.8 * np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
frames = []
for _ in range(8):
    atoms = Atoms("Ar8", positions=sites, cell=[7.6] * 3, pbc=True)
    atoms.rattle(0.15, rng=rng)
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=3.7)
    frame = atoms.copy()
    frame.info["dft_energy"] = atoms.get_potential_energy()
    frame.arrays["dft_forces"] = atoms.get_forces()
    frames.append(frame)
ase.io.write("train.xyz", frames)
PYTHON

fit() { # fit NAME KEY_INSIDE [KEY_OUTSIDE]: print the exit code
    local code=0
    venv/bin/gap_fit atoms_filename=train.xyz gap_file="$1.xml" e0_method=average rnd_seed=1 \
        'default_sigma={0.001 0.05 0.0 0.0}' energy_parameter_name=dft_energy \
        force_parameter_name=dft_forces do_copy_atoms_file=F sparse_separate_file=F ${3:-} \
        "gap={distance_2b cutoff=5.0 covariance_type=ard_se delta=0.5 theta_uniform=0.5
        sparse_method=uniform n_sparse=10 add_species=T $2}" >"$1.log" 2>&1 || code=$?
    echo "$code"
}
codes="$(fit default '') $(fit misspelled cutof_transition_width=2.0)"
codes="$codes $(fit right cutoff_transition_width=2.0) $(fit outside '' sparse_jiter=1e-8)"

venv/bin/python - "$codes" <<'PYTHON'
import re
import sys

weights = {
    name: re.findall(r'alpha="([^"]+)"', open(f"{name}.xml").read())
    for name in ("default", "misspelled", "right")
}
codes = sys.argv[1].split()
print("expected: gap_fit refuses both misspelled keys, as it does outside gap={…}")
print(f"seen:     exit codes: inside gap={{…}} {codes[1]}, outside {codes[3]}")
print(f"          inside, the weights are those of the default: {weights['misspelled'] == weights['default']}")
print(f"          spelled right, they are others:               {weights['right'] != weights['default']}")
same = codes[:3] == ["0", "0", "0"] and codes[3] != "0"
same = same and weights["misspelled"] == weights["default"] != weights["right"]
same = same and "cutof_transition_width" in open("misspelled.xml").read()
assert same, "CHANGED"
PYTHON
