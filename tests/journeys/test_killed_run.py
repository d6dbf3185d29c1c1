"""Molecular dynamics that is killed goes on: an unbroken trajectory, as if nothing had happened."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from ase.io import read

STEPS = 1600
SCRIPT = f"""
import sys
from helpers import run_nve
run_nve(sys.argv[1], 1, steps={STEPS}, temperature_K=100, output=sys.argv[2],
        resume="resume" in sys.argv, progress=False)
"""


def start(model, prefix, *more, cwd):
    command = [sys.executable, "-c", SCRIPT, str(model), str(prefix), *more]
    return subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_kill_9_and_resume(tmp_path, walled_model):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = start(walled_model, whole, cwd=tmp_path)
    assert done.communicate()[1] == "" and done.returncode == 0

    running = start(walled_model, broken, cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("broken.parts/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, "it ended before it could be killed"
    left = sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("broken"))
    assert left == ["broken.parts"]
    first_piece = min(tmp_path.glob("broken.parts/*.npz"))
    kept = np.load(first_piece)["steps"][-1]
    assert 0 < kept < STEPS

    again = start(walled_model, broken, cwd=tmp_path)  # without resume it is not lost either
    _, errors = again.communicate()
    assert again.returncode == 1 and "holds a run that was interrupted" in errors
    assert start(walled_model, broken, "resume", cwd=tmp_path).wait() == 0
    assert sorted(os.listdir(tmp_path)) == sorted(
        f"{name}.{kind}" for name in ("broken", "whole") for kind in ("log", "traj", "xyz")
    )

    one, other = (read(path.with_suffix(".xyz"), ":") for path in (whole, broken))
    times = [atoms.info["time_fs"] for atoms in other]
    np.testing.assert_array_equal(times, 2.0 * np.arange(STEPS // 4 + 1))  # no gap, nothing twice
    # Rounding grows in any liquid; well after the kill the two runs are still one.
    for k in range(kept // 4 + 30):
        np.testing.assert_allclose(one[k].positions, other[k].positions, atol=1e-5)
    energies = [a.info["potential_eV"] + a.get_kinetic_energy() for a in other]
    assert np.abs(np.diff(energies)).max() < 0.02  # nor a jump where it was broken off
    traj = read(broken.with_suffix(".traj"), "-1")
    np.testing.assert_allclose(traj.positions, other[-1].positions, atol=1e-7)
