"""A stranger clones the kit and types what the README says."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(command, cwd):
    # As in a terminal: not inside an environment, nor inside another make.
    inherited = ("VIRTUAL_ENV", "MLMD_DATA", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    environment = {k: v for k, v in os.environ.items() if k not in inherited}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout, nothing to clone")
def test_clone_and_make_workshop(tmp_path):
    clone = tmp_path / "clone"
    assert run(["git", "clone", "--quiet", str(ROOT), str(clone)], tmp_path).returncode == 0
    # The later stages are those of tests/pipeline, with less work.
    done = run(["make", "workshop", "RUN=--only potential"], clone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("results/report.html")
    results = clone / "results"
    assert {path.name for path in results.iterdir()} == {
        "gap.xml",
        "gap_config.cfg",
        "figures",
        "report.html",
        "sections",
        "stages",
        "summary.csv",
        "tables",
        "train_errors.csv",
        "training_cost.csv",
        "validation_errors.csv",
    }
    assert run(["git", "status", "--porcelain"], clone).stdout == ""

    readme = (clone / "README.md").read_text(encoding="utf-8")
    for kind in ("training", "validation"):
        line = rf"^ *{kind} .*RMSE ([\d.]+) meV/atom, ([\d.]+) meV/Å$"
        texts = (done.stdout, readme)
        (printed,), (stated,) = (re.findall(line, text, re.MULTILINE) for text in texts)
        assert [*map(float, printed)] == pytest.approx([*map(float, stated)], rel=0.02)
    fit = r"100 frames \(100 energies, .* CPU s, (\d+) MB$"
    assert float(re.search(fit, done.stdout, re.MULTILINE)[1]) <= 1000

    again = run(["make", "setup"], clone)  # which every target begins with
    assert again.returncode == 0 and "Setting up" not in again.stdout
