#!/usr/bin/env bash
# featomic refuses a key that it does not know in "cutoff", "smoothing", "basis" and "radial", and
# names the known ones. In "density" it ignores it: with "scalling" in place of "scaling" the radial
# scaling is off, and the features are those without it, bit for bit.
#
# Measured with: featomic 0.6.7, metatensor-core 0.2.6.
# Source: featomic's reference of hyperparameters. Issue: none known.
# The kit: LambdaSoap checks the names of its own settings and writes the keys itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet featomic==0.6.7 metatensor-core==0.2.6 metatensor-operations==0.5.0 \
        ase==3.29.0 numpy==2.2.6 || exit 2
venv/bin/pip freeze | grep -E '^(featomic|metatensor-core|ase|numpy)=='

venv/bin/python - <<'PYTHON' 2>errors.txt
import numpy as np
from ase.build import molecule
from featomic import SphericalExpansion

scaling = {"type": "Willatt2018", "scale": 2.0, "rate": 1.0, "exponent": 4}


def features(density=None, basis=None):
    calculator = SphericalExpansion(
        cutoff={"radius": 3.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        density={"type": "Gaussian", "width": 0.4, **(density or {})},
        basis={
            "type": "TensorProduct",
            "max_angular": 3,
            "radial": {"type": "Gto", "max_radial": 3},
            **(basis or {}),
        },
    )
    blocks = calculator.compute(molecule("CH3OH")).blocks()
    return np.concatenate([block.values.ravel() for block in blocks])


try:
    features(basis={"max_angullar": 3})
    in_basis = "nothing is said"
except Exception as error:
    in_basis = f"{type(error).__name__}: {error}"[:90]
plain, scaled = features(), features({"scaling": scaling})
try:
    misspelled = features({"scalling": scaling})
    in_density = f"nothing is said; as without scaling: {np.array_equal(misspelled, plain)}"
except Exception as error:
    misspelled, in_density = None, f"{type(error).__name__}: {error}"[:90]
print("expected: basis with max_angullar and density with scalling are both refused")
print(f"seen:     max_angullar: {in_basis}")
print(f"          scalling: {in_density}; scaling itself changes {np.abs(scaled - plain).max():.2g}")
raise SystemExit(not (misspelled is not None and np.array_equal(misspelled, plain)))
PYTHON
