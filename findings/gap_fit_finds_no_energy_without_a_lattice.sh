#!/usr/bin/env bash
# A molecule in extended XYZ needs no Lattice. gap_fit reads such frames, finds all their forces and
# none of their energies, trains on the forces alone and ends with exit code 0: the model's energies
# are off by the energy of the isolated atoms. With a Lattice of any size, and pbc="F F F", the same
# frames have energies.
#
# Measured with: quippy-ase 0.10.3, ase 3.29.0.
# Source: none known.
# The kit: fit_gap compares the labels that gap_fit counted with those of the frames, and raises an
# error where they differ; its own engine (engine="jax") finds the energies.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet quippy-ase==0.10.3 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(quippy-ase|ase|numpy)=='

venv/bin/python - <<'PYTHON'
import ase.io
from ase.build import molecule
from ase.calculators.lj import LennardJones

bare, boxed = [], []
for seed in range(6):
    atoms = molecule("CH3OH")
    atoms.rattle(0.05, seed=seed)
    atoms.calc = LennardJones(sigma=0.8, epsilon=0.5, rc=6.0)
    frame = atoms.copy()
    frame.info["dft_energy"] = atoms.get_potential_energy()
    frame.arrays["dft_forces"] = atoms.get_forces()
    bare.append(frame)
    box = frame.copy()
    box.center(vacuum=6.0)
    boxed.append(box)
ase.io.write("bare.xyz", bare)
ase.io.write("boxed.xyz", boxed)
PYTHON

fit() { # fit NAME: print the exit code and the numbers of energies and force components
    local code=0
    venv/bin/gap_fit atoms_filename="$1.xyz" gap_file="$1.xml" e0_method=average rnd_seed=1 \
        'default_sigma={0.001 0.05 0.0 0.0}' energy_parameter_name=dft_energy \
        force_parameter_name=dft_forces do_copy_atoms_file=F sparse_separate_file=F \
        "gap={soap atom_sigma=0.4 l_max=2 n_max=4 cutoff=4.0 cutoff_transition_width=0.5 delta=0.2
        covariance_type=dot_product zeta=4 n_sparse=5 sparse_method=cur_points add_species=T}" \
        >"$1.log" 2>&1 || code=$?
    echo "$code" "$(sed -n 's/^Number of target \(energies\|forces\) .*found: *//p' "$1.log" | tr '\n' ' ')"
}
bare=$(fit bare)
boxed=$(fit boxed)
echo "expected: both files: exit code 0, 6 energies, 108 force components"
echo "seen:     without a Lattice: exit code, energies, force components: $bare"
echo "          with one:                                                 $boxed"
if [ "$(echo $bare)" != "0 0 108" ] || [ "$(echo $boxed)" != "0 6 108" ]; then
    echo CHANGED >&2
    exit 1
fi
