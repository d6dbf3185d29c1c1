"""The handout's terminal part, typed as it stands in workshop/README.md."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from ase.io import read

from helpers.md import LOG_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("gap_error_train.py", "gap_error_validate.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of workshop/ beside a copy of data/."""
    kit = tmp_path_factory.mktemp("kit")
    shutil.copytree(ROOT / "workshop", kit / "workshop")
    shutil.copytree(ROOT / "data" / "water", kit / "data" / "water")
    return kit / "workshop"


def type_in(folder, *command):
    scripts = os.path.dirname(sys.executable)
    path = os.pathsep.join([scripts, os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_explain_themselves(folder, script):
    done = type_in(folder, sys.executable, script, "--help")
    assert done.returncode == 0 and "RMSE" in done.stdout and "--config" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_before_training_they_say_what_is_missing(folder, script):
    done = type_in(folder, sys.executable, script, "--model", "none.xml")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "There is no model file" in done.stderr and "train it first" in done.stderr
    done = type_in(folder, sys.executable, script, "--config", "none.cfg")
    assert done.returncode == 1 and "none.cfg cannot be read" in done.stderr


@pytest.mark.slow
def test_train_and_compare(folder):
    """With few frames and sparse points, as a student may write it who is short of time."""
    config = folder / "gap_config.cfg"
    few = config.read_text().replace("n_sparse=1000 ", "n_sparse=100 ")
    config.write_text(few.replace("gap_input_100.xyz", "gap_input_50.xyz"))
    done = type_in(folder, "gap_fit", "config_file=gap_config.cfg")
    assert done.returncode == 0 and (folder / "gap.xml").stat().st_size > 1e5
    errors = {}
    for script, csv, n_frames in zip(
        SCRIPTS, ("train_errors.csv", "validation_errors.csv"), (50, 60), strict=True
    ):
        done = type_in(folder, sys.executable, script)
        assert done.returncode == 0, done.stderr
        printed = re.search(r"(\d+) frames: RMSE ([\d.]+) meV/atom, ([\d.]+) meV/Å", done.stdout)
        assert int(printed[1]) == n_frames
        errors[script] = float(printed[3])
        table = pd.read_csv(folder / csv).query("quantity == 'force'")
        rmse = 1000 * ((table["predicted"] - table["true"]) ** 2).mean() ** 0.5
        assert rmse == pytest.approx(errors[script], abs=0.06)
    assert errors[SCRIPTS[0]] < errors[SCRIPTS[1]] <= 80

    done = type_in(folder, sys.executable, "molecular_dynamics.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "nve.log, nvt.log, trajectory.xyz (62 frames)\n"
    nve, nvt = (pd.read_csv(folder / name, sep=r"\s+") for name in ("nve.log", "nvt.log"))
    assert (len(nve), len(nvt)) == (201, 101) and list(nve) == list(nvt) == list(LOG_COLUMNS)
    assert nve["total_eV"].std() < 0.1 * nve["kinetic_eV"].std()
    assert len(read(folder / "trajectory.xyz", ":")) == 62


def test_molecular_dynamics_explains_itself_and_says_what_is_missing(folder):
    done = type_in(folder, sys.executable, "molecular_dynamics.py", "--help")
    assert done.returncode == 0 and "200 steps at constant energy" in done.stdout
    done = type_in(folder, sys.executable, "molecular_dynamics.py", "--model", "none.xml")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "There is no model file" in done.stderr
