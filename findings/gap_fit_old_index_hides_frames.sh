#!/usr/bin/env bash
# gap_fit writes an index beside its training file (train.xyz → train.xyz.idx) and trusts it
# whenever it is newer than the file. Put a larger set in the place of a smaller one by `mv` or
# `cp -p`, which keep the older date, and gap_fit trains on the old number of frames, exit code 0.
# Subsets of one file begin with the same bytes, so nothing else gives it away: a learning curve
# measured so is flat. Without the index all frames are there.
#
# Measured with: quippy-ase 0.10.3, ase 3.29.0.
# Source: none known for this case (libAtoms/GAP pull request 29 is about the same file under MPI).
# The kit: fit_gap copies the frames into a new folder for each fit and compares the counts.
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
for _ in range(16):
    atoms = Atoms("Ar8", positions=sites, cell=[7.6] * 3, pbc=True)
    atoms.rattle(0.15, rng=rng)
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=3.7)
    frame = atoms.copy()
    frame.info["dft_energy"] = atoms.get_potential_energy()
    frame.arrays["dft_forces"] = atoms.get_forces()
    frames.append(frame)
ase.io.write("set_of_8.xyz", frames[:8])
ase.io.write("set_of_16.xyz", frames)
PYTHON
sleep 2

count_frames() { # fit to train.xyz and print how many energies gap_fit found
    venv/bin/gap_fit atoms_filename=train.xyz gap_file=gap.xml e0_method=average \
        'default_sigma={0.001 0.05 0.0 0.0}' energy_parameter_name=dft_energy \
        force_parameter_name=dft_forces do_copy_atoms_file=F sparse_separate_file=F \
        'gap={distance_2b cutoff=5.0 covariance_type=ard_se delta=0.5 theta_uniform=0.5
        sparse_method=uniform n_sparse=10 add_species=T}' >gap_fit.log 2>&1
    sed -n 's/^Number of target energies .*found: *//p' gap_fit.log
}

mv set_of_8.xyz train.xyz
first=$(count_frames)
mv set_of_16.xyz train.xyz
with_old_index=$(count_frames)
rm train.xyz.idx
without_index=$(count_frames)

echo "expected: gap_fit finds 8 frames, then 16, then 16"
echo "seen:     gap_fit finds $first frames, then $with_old_index, then $without_index (index removed)"
[[ "$first $with_old_index $without_index" == "8 8 16" ]] || { echo "CHANGED" >&2; exit 1; }
