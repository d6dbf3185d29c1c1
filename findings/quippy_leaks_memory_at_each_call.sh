#!/usr/bin/env bash
# Each energy-and-forces call of quippy's Potential leaves memory behind that is never given back:
# about 65 kB for 64 atoms and a pair term only. Dynamics of 100 000 steps need more than 6 GB.
# The same loop with ASE's Lennard-Jones calculator does not grow.
#
# Measured with: quippy-ase 0.10.3, ase 3.29.0.
# Source: jameskermode/f90wrap issue 143 (2021, closed) describes the same for an older release.
# The kit: its own JAX engine is the default; quippy only serves models that JAX does not know.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet quippy-ase==0.10.3 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(quippy-ase|ase|numpy)=='

venv/bin/python - <<'PYTHON'
import resource
import subprocess
import sys

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.lj import LennardJones
from quippy.potential import Potential

rng = np.random.default_rng(0)
sites = 3.8 * np.array([[x, y, z] for x in range(4) for y in range(4) for z in range(4)])
atoms = Atoms("Ar64", positions=sites, cell=[15.2] * 3, pbc=True)
frames = []
for _ in range(2):
    labelled = atoms.copy()
    labelled.rattle(0.15, rng=rng)
    labelled.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=3.7)
    frame = labelled.copy()
    frame.info["dft_energy"] = labelled.get_potential_energy()
    frame.arrays["dft_forces"] = labelled.get_forces()
    frames.append(frame)
ase.io.write("train.xyz", frames)
subprocess.run(
    [
        "venv/bin/gap_fit", "atoms_filename=train.xyz", "gap_file=gap.xml", "e0_method=average",
        "default_sigma={0.001 0.05 0.0 0.0}", "energy_parameter_name=dft_energy",
        "force_parameter_name=dft_forces", "do_copy_atoms_file=F", "sparse_separate_file=F",
        "gap={distance_2b cutoff=5.0 covariance_type=ard_se delta=0.5 theta_uniform=0.5"
        " sparse_method=uniform n_sparse=10 add_species=T}",
    ],
    check=True, capture_output=True,
)  # fmt: skip


def peak_kB():
    """Return the largest memory this process has held so far, in kB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else peak


def growth_kB(calculator, calls=400):
    """Return by how much each call lets the process grow, after a warm-up."""
    moving = atoms.copy()
    moving.calc = calculator
    for call in range(2 * calls):
        if call == calls:
            before = peak_kB()
        moving.rattle(0.001, seed=call)
        moving.get_forces()
    return (peak_kB() - before) / calls


lennard_jones = growth_kB(LennardJones(sigma=3.4, epsilon=0.0104, rc=3.7))
quippy = growth_kB(Potential("", param_filename="gap.xml"))
print("expected: a calculator's memory does not grow with the number of calls")
print(f"seen:     {quippy:.1f} kB a call with quippy, {lennard_jones:.1f} kB with ASE's Lennard-Jones")
assert quippy > 30 > 5 > lennard_jones, "CHANGED"
PYTHON
