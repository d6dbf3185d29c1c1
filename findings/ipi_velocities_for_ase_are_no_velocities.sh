#!/usr/bin/env bash
# i-PI can write trajectories "for ASE" (format='ase', extended XYZ). Asked for velocities it writes
# a column velocities, in ASE's units, beside positions that are all zero. ASE's reader knows momenta
# only: the column becomes an array like any other, get_velocities() and get_kinetic_energy() are
# 0, and every atom sits at the origin. A spectrum or a restart from this file is empty, silently.
# Use atoms.set_velocities(atoms.arrays["velocities"]) and take positions from their own file.
#
# Measured with: ipi 3.3.1, ase 3.29.0.
# Source: i-pi/i-pi issue 545 (open) asks for both in one file and shows the zeros.
# The kit: nothing yet.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ipi==3.3.1 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(ipi|ase|numpy)=='

cat >start.xyz <<'XYZ'
3
Lattice="10 0 0 0 10 0 0 0 10" Properties=species:S:1:pos:R:3 pbc="T T T"
O 0.1 0.0 0.0
H 0.96 0.0 0.0
H -0.24 0.93 0.0
XYZ
cat >input.xml <<'XML'
<simulation verbosity='quiet'>
  <output prefix='run'>
    <trajectory filename='velocities' stride='1' format='ase'> velocities </trajectory>
    <properties filename='kinetic' stride='1'> [kinetic_md{electronvolt}] </properties>
  </output>
  <total_steps> 1 </total_steps>
  <prng><seed> 1 </seed></prng>
  <ffdirect name='spring'><pes> harmonic </pes><parameters> {k1: 0.1} </parameters></ffdirect>
  <system>
    <initialize nbeads='1'>
      <file mode='ase'> start.xyz </file>
      <velocities mode='thermal' units='kelvin'> 300 </velocities>
    </initialize>
    <forces><force forcefield='spring'/></forces>
    <motion mode='dynamics'>
      <dynamics mode='nve'><timestep units='femtosecond'> 0.5 </timestep></dynamics>
    </motion>
  </system>
</simulation>
XML
venv/bin/i-pi input.xml >ipi.log 2>&1
venv/bin/python - <<'PYTHON'
from glob import glob

import ase.io
import numpy as np

(path,) = glob("run.velocities*.extxyz")
(table,) = glob("run.kinetic*")
kinetic = np.loadtxt(table, ndmin=1)[0]
atoms = ase.io.read(path, index=0)
read = atoms.get_kinetic_energy()
at_origin = bool(np.all(atoms.positions == 0))
atoms.set_velocities(atoms.arrays["velocities"])
by_hand = atoms.get_kinetic_energy()
print(f"expected: ASE finds i-PI's kinetic energy, {kinetic:.4f} eV")
print(f"seen:     {read:.4f} eV, all atoms at the origin: {at_origin};"
      f" with the column set by hand: {by_hand:.4f} eV")
same = read == 0 and at_origin and abs(by_hand - kinetic) < 1e-3 * kinetic
assert same, "CHANGED"
PYTHON
