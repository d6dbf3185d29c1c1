#!/usr/bin/env bash
# An ase.Atoms is a sequence of Atom, so NumPy takes a list of frames for a table: rng.permutation and
# rng.choice return arrays of Atom objects, without cells, labels and calculators, where the frames
# have equally many atoms. Where they have not, they are refused. Python's random.sample and
# scikit-learn's shuffle return frames; BaggingRegressor passes such arrays on to its estimator.
#
# Measured with: ase 3.29.0, numpy 2.2.6, scikit-learn 1.7.2.
# Source: ase/atoms.py (__len__, __getitem__); NumPy's rules for sequences.
# The kit: refuses an array of Atom and names frame_array(frames), an array that stays whole.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet ase==3.29.0 numpy==2.2.6 scikit-learn==1.7.2 || exit 2
venv/bin/pip freeze | grep -E '^(ase|numpy|scikit-learn)=='

venv/bin/python - <<'PYTHON'
import numpy as np
from ase.build import molecule
from sklearn.utils import shuffle

frames = [molecule("H2O") for _ in range(5)]
permuted = np.random.default_rng(0).permutation(frames)
print(f"expected: 5 Atoms; sklearn.utils.shuffle: {len(shuffle(frames))} {type(shuffle(frames)[0]).__name__}")
print(f"seen:     rng.permutation: shape {permuted.shape} of {type(permuted.flat[0]).__name__}")
try:
    np.random.default_rng(0).permutation([molecule("H2O"), molecule("O2")])
    ragged = "taken"
except ValueError as error:
    ragged = f"ValueError: {error}"
print(f"          frames of 3 and 2 atoms: {ragged[:90]}")
raise SystemExit(permuted.shape != (5, 3))
PYTHON
