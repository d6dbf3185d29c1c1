"""The examples run, each with one command, and their potentials are sound."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n_frames", "meV_per_atom", "meV_per_A"),
    [("copper_vacancy", 12, 2, 40), ("ethanol", 20, 20, 1000), ("water", 4, 15, 500)],
)
def test_an_example_runs_from_frames_to_dynamics(tmp_path, name, n_frames, meV_per_atom, meV_per_A):
    if name == "ethanol" and find_spec("tblite") is None:
        pytest.skip("tblite is not installed: pip install tblite")
    command = [sys.executable, EXAMPLES / f"{name}.py", "--frames", str(n_frames)]
    done = subprocess.run(
        [*command, "--output", tmp_path / "out"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    energy, force = re.search(
        r"validation: \d+ frames: RMSE (\S+) meV/atom, (\S+) meV/Å", done.stdout
    ).groups()
    assert float(energy) < meV_per_atom and float(force) < meV_per_A, done.stdout
    assert "dynamics: stable" in done.stdout
    assert "to mend" not in done.stdout
