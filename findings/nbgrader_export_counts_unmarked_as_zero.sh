#!/usr/bin/env bash
# `nbgrader export` writes one score per student and assignment, and a question that nobody has
# marked yet counts 0 in it. The gradebook knows that marking is due (needs_manual_grade), the table
# has no such column: "1 of 4 points" of a student whose essay waits looks the same as that of one
# whose essay was worth nothing.
#
# Measured with: nbgrader 0.9.6.
# Source: none known for export.
# The kit: its grading table is its own and names what waits for a person.
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
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


def cell(make, text, name, **settings):
    nbgrader = {"schema_version": 3, "grade_id": name, "grade": False, "solution": False}
    return make(text, metadata={"nbgrader": nbgrader | {"locked": False, "task": False} | settings})


for folder in ("source/ps1", "submitted/waits/ps1", "submitted/marked/ps1"):
    cells = [
        cell(new_code_cell, "density = 1", "answer", solution=True),
        cell(new_code_cell, "assert density == 1", "test", grade=True, locked=True, points=1),
        cell(new_markdown_cell, "Because.", "essay", grade=True, solution=True, points=3),
    ]
    if folder.startswith("submitted"):
        cells[2].source = "Because water is densest at 4 °C."
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    Path(folder).mkdir(parents=True)
    nbformat.write(notebook, f"{folder}/lesson.ipynb")
PYTHON

nbgrader generate_assignment ps1 --create >generate.log 2>&1
nbgrader autograde ps1 --create >autograde.log 2>&1
python - <<'PYTHON' # the instructor gives one essay 0 points, the other one waits
from nbgrader.api import Gradebook

with Gradebook("sqlite:///gradebook.db") as gradebook:
    grade = gradebook.find_grade("essay", "lesson", "ps1", "marked")
    grade.manual_score = 0
    grade.needs_manual_grade = False
    gradebook.db.commit()
PYTHON
nbgrader export >export.log 2>&1

python - <<'PYTHON'
import csv

from nbgrader.api import Gradebook

with open("grades.csv") as file:
    rows = {row.pop("student_id"): row for row in csv.DictReader(file)}
for row in rows.values():
    row.pop("timestamp")
with Gradebook("sqlite:///gradebook.db") as gradebook:
    due = {name: gradebook.find_submission("ps1", name).needs_manual_grade for name in rows}
shown = {name: f"{row['score']} of {row['max_score']}" for name, row in rows.items()}
print("expected: the exported row of a student whose essay waits differs from one that is marked")
print(f"seen:     scores {shown}, gradebook: marking is due {due}")
print(f"          rows differ apart from the name: {rows['waits'] != rows['marked']}")
same = due == {"waits": True, "marked": False} and rows["waits"] == rows["marked"]
assert same and shown["waits"] == "1.0 of 4.0", "CHANGED"
PYTHON
