#!/usr/bin/env bash
# papermill writes parameters into the notebook as code, but a tuple becomes a text and the integer
# keys of a dictionary become texts, without a word. seeds=(10, 11) is then the string "(10, 11)": a
# loop over it runs 8 times, once per character. weights={1: 0.1, 8: 1.0} has no key 8 any more, so
# that .get(8, default) gives the default. Lists and text keys arrive as they are.
#
# Measured with: papermill 2.7.0.
# Source: papermill/translators.py; nteract/papermill issues 784, 586, and 484 (open).
# The kit: no papermill; its lessons are run by nbclient and nbgrader as they are.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv &&
    venv/bin/pip install --quiet papermill==2.7.0 ipykernel==7.4.0 || exit 2
venv/bin/pip freeze | grep -E '^(papermill|ipykernel)=='
venv/bin/python -m ipykernel install --prefix venv --name trial >kernel.log 2>&1 || exit 2

JUPYTER_PATH="$folder/venv/share/jupyter" venv/bin/python - <<'PYTHON'
import nbformat
import papermill

notebook = nbformat.v4.new_notebook(
    cells=[
        nbformat.v4.new_code_cell("seeds = ()\nweights = {}", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            'print(f"{sum(1 for seed in seeds)} runs, weight of oxygen {weights.get(8, 0.0)}")'
        ),
    ],
    metadata={"kernelspec": {"name": "trial", "display_name": "trial", "language": "python"}},
)
nbformat.write(notebook, "sweep.ipynb")
parameters = {"seeds": (10, 11), "weights": {1: 0.1, 8: 1.0}}
done = papermill.execute_notebook("sweep.ipynb", "out.ipynb", parameters, progress_bar=False)
injected = next(c for c in done.cells if "injected-parameters" in c.metadata.get("tags", []))
told = "".join(output["text"] for output in done.cells[-1].outputs).strip()
print("expected: 2 runs, weight of oxygen 1.0")
print(f"seen:     {told}, from the injected cell")
print(injected.source)
assert told == "8 runs, weight of oxygen 0.0", "CHANGED"
PYTHON
