#!/usr/bin/env bash
# `nbgrader validate` says "VALIDATION FAILED" and exits with 0 all the same. In a Makefile or in CI,
# where only the exit code counts, a notebook whose tests fail passes.
# nbgrader.validator.Validator(...).validate(path) tells in its result which cells failed.
#
# Measured with: nbgrader 0.9.6.
# Source: jupyter/nbgrader issue 1908 (open).
# The kit: checks lessons with its own tests, never with this exit code.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet nbgrader==0.9.6 || exit 2
venv/bin/pip freeze | grep -E '^nbgrader=='
export PATH="$folder/venv/bin:$PATH"
export JUPYTER_DATA_DIR="$folder/data" JUPYTER_CONFIG_DIR="$folder/config"

python - <<'PYTHON'
import nbformat
from nbformat.v4 import new_code_cell, new_notebook


def cell(make, text, name, **settings):
    nbgrader = {"schema_version": 3, "grade_id": name, "grade": False, "solution": False}
    return make(text, metadata={"nbgrader": nbgrader | {"locked": False, "task": False} | settings})


cells = [
    cell(new_code_cell, "density = 3", "answer", solution=True),
    cell(new_code_cell, "assert density == 1", "test", grade=True, locked=True, points=1),
]
nbformat.write(new_notebook(cells=cells), "wrong.ipynb")
cells[0].source = "density = 1"
nbformat.write(new_notebook(cells=cells), "right.ipynb")
PYTHON

code_right=0 code_wrong=0
nbgrader validate right.ipynb >right.log 2>&1 || code_right=$?
nbgrader validate wrong.ipynb >wrong.log 2>&1 || code_wrong=$?
said_right=$(grep -oE 'VALIDATION FAILED|Success!' right.log)
said_wrong=$(grep -oE 'VALIDATION FAILED|Success!' wrong.log)
echo "expected: exit code 0 for the right notebook, another one for the wrong notebook"
echo "seen:     right: $said_right, exit code $code_right; wrong: $said_wrong, exit code $code_wrong"
[[ "$said_right $code_right $said_wrong $code_wrong" == "Success! 0 VALIDATION FAILED 0" ]] ||
    { echo "CHANGED" >&2; exit 1; }
