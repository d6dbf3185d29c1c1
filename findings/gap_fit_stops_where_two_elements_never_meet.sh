#!/usr/bin/env bash
# With add_species=T a pair term is made for every pair of elements in the training set. Where two of
# them are never within the cutoff of each other, such as a rare element and itself,
# sparse_method=uniform stops the fit and blames the descriptor ("Descriptor is too large"): it takes
# the logarithm of the number of sparse points, which is zero.
#
# Measured with: quippy-ase 0.10.3, ase 3.29.0.
# Source: none known.
# The kit: passes gap_fit's message on; its own engine (engine="jax") leaves the empty term out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet quippy-ase==0.10.3 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(quippy-ase|ase|numpy)=='

venv/bin/python - <<'PYTHON'
import ase.io
from ase import Atoms
from ase.calculators.lj import LennardJones


def labeled(symbols, x):
    atoms = Atoms(symbols, positions=[[0, 0, 0], [x, 0, 0]], cell=[20] * 3, pbc=True)
    atoms.calc = LennardJones(sigma=3.0, epsilon=0.01, rc=8.0)
    frame = atoms.copy()
    frame.info["dft_energy"] = atoms.get_potential_energy()
    frame.arrays["dft_forces"] = atoms.get_forces()
    return frame


argon = [labeled("Ar2", 3.0 + 0.1 * k) for k in range(12)]
mixed = [labeled("ArNe", 3.0 + 0.1 * k) for k in range(12)]
ase.io.write("apart.xyz", [*argon, *mixed])
ase.io.write("meeting.xyz", [*argon, *mixed, *(labeled("Ne2", 2.8 + 0.1 * k) for k in range(12))])
PYTHON

fit() { # fit NAME: print the exit code
    local code=0
    venv/bin/gap_fit atoms_filename="$1.xyz" gap_file="$1.xml" e0_method=average rnd_seed=1 \
        'default_sigma={0.001 0.05 0.0 0.0}' energy_parameter_name=dft_energy \
        force_parameter_name=dft_forces do_copy_atoms_file=F sparse_separate_file=F \
        "gap={distance_2b cutoff=5.0 covariance_type=ard_se delta=0.5 theta_uniform=0.5
        sparse_method=uniform n_sparse=5 add_species=T}" >"$1.log" 2>&1 || code=$?
    echo "$code"
}
apart=$(fit apart)
meeting=$(fit meeting)
echo "expected: both train; two Ne atoms that never meet need no term of their own"
echo "seen:     exit code where no two Ne atoms meet: $apart, where some do: $meeting"
grep -m 1 -o "Descriptor is too large" apart.log | sed 's/^/          /' || true
if [ "$apart" != 1 ] || [ "$meeting" != 0 ] || ! grep -q "Descriptor is too large" apart.log; then
    echo CHANGED >&2
    exit 1
fi
