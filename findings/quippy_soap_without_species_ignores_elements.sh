#!/usr/bin/env bash
# quippy's SOAP descriptor without species_Z takes all neighbors for one element: water and a molecule
# of the same shape from other elements have the same vectors. With n_species and species_Z it
# tells them apart. (gap_fit with add_species=T writes these keys itself; the Descriptor does not.)
#
# Measured with: quippy-ase 0.10.3, ase 3.29.0.
# Source: QUIP's documentation of descriptors; src/GAP/descriptors.F90 (soap_initialise).
# The kit: its own fits name the species (add_species=T).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet quippy-ase==0.10.3 ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(quippy-ase|ase|numpy)=='

venv/bin/python - <<'PYTHON'
import numpy as np
from ase.build import molecule
from quippy.descriptors import Descriptor

water = molecule("H2O", cell=[20, 20, 20], pbc=True)
other = water.copy()
other.symbols = "SBrCl"
soap = "soap cutoff=3 l_max=3 n_max=3 atom_sigma=0.4"
species = " n_species=5 species_Z={1 8 16 17 35}"
same = {}
for name, text in (("without species_Z", soap), ("with species_Z", soap + species)):
    vectors = [Descriptor(text).calc(atoms)["data"] for atoms in (water, other)]
    same[name] = np.allclose(*vectors)
print("expected: H2O and SBrCl of the same shape have different vectors")
for name, value in same.items():
    print(f"seen:     {name}: {'the same' if value else 'different'}")
raise SystemExit(list(same.values()) != [True, False])
PYTHON
