"""The scripts of ``workshop/polarizability``, as a student runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def bash(folder, *command):
    bin_folder = Path(sys.executable).parent
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
    )


def test_both_scripts_and_a_stage_left_out(tmp_path):
    folder = tmp_path / "polarizability"
    shutil.copytree(ROOT / "workshop" / "polarizability", folder)
    done = bash(folder, "polarizability.sh")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("written: PS0.npy") and "150 training frames" in done.stdout
    off_diagonal = re.findall(r"^ +(?:xy|yx) +\S+ +\S+ +([\d.]+)$", done.stdout, re.MULTILINE)
    assert len(off_diagonal) == 4 and all(float(percent) < 20 for percent in off_diagonal)
    done = bash(folder, "prediction.sh")
    assert done.returncode == 0, done.stderr
    tensors = np.loadtxt(folder / "trajectory_cartesian.out").reshape(-1, 3, 3)
    assert tensors.shape == (100, 3, 3)
    assert np.trace(tensors, axis1=1, axis2=2).mean() / 3 == pytest.approx(25, abs=0.5)
    files = {"PS0.npy", "PS0_natoms.npy", "PS0_fps.npy", "weights_0.npy", "weights_2.npy"}
    assert files <= set(os.listdir(folder))

    script = folder / "polarizability.sh"
    text = script.read_text()
    script.write_text(re.sub(r"^sagpr_get_(PS|kernel)", r"# \g<0>", text, flags=re.MULTILINE))
    again = bash(folder, "polarizability.sh")
    assert again.returncode == 0 and again.stdout.startswith("150 training frames")
    script.write_text(re.sub(r"^(sagpr_get_PS.* -nc )\S+", r"\g<1>50", text.replace(
        "sagpr_get_PS -f $frames -lm 2", "# sagpr_get_PS"), flags=re.MULTILINE))  # fmt: skip
    (folder / "PS2.npy").unlink()
    broken = bash(folder, "polarizability.sh")
    assert broken.returncode == 1
    assert "There is no file PS2.npy" in broken.stderr and "run sagpr_get_PS" in broken.stderr
