"""``mlmd doctor`` finds what is wrong, and says how to mend it."""

import re
import shutil

import pytest

from helpers import doctor
from helpers.frames import data_folder


def checks():
    return {check.name: check for check in doctor.examine()}


def test_all_is_well_here():
    found = checks()
    assert {"Python", "gap_fit", "Threads", "Memory", "quippy-ase", "nbgrader"} <= set(found)
    assert {"jupyter-lab command", "gap_input_50.xyz", "gap_validate.xyz"} <= set(found)
    assert [str(check) for check in found.values() if not check.ok] == []
    assert found["gap_fit"].found.startswith("v0.")


def problem(name):
    check = checks()[name]
    assert not check.ok and check.fix
    return str(check)


def test_a_missing_gap_fit(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    assert "quippy-ase>=0.10.3" in problem("gap_fit")


def test_a_gap_fit_that_does_not_run(monkeypatch, tmp_path):
    broken = tmp_path / "gap_fit"
    broken.write_text("#!/bin/sh\nexit 139\n")
    broken.chmod(0o755)
    monkeypatch.setattr(doctor, "find_gap_fit", lambda: broken)
    assert "exit code 139" in problem("gap_fit")


def test_a_jax_that_computes_wrong(monkeypatch):
    wrong = "sums of squares in float64: 23616 of 40000 wrong"
    monkeypatch.setattr("helpers.jax_setup.miscomputed_cases", lambda: [wrong])
    assert re.search(f"{wrong}\n.*pip install 'jax!=", problem("JAX computes known cases right"))


def test_too_many_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "10000")
    assert "OMP_NUM_THREADS" in problem("Threads")


def test_little_memory(monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED_MEMORY_GB", 1e6)
    assert "close other programs" in problem("Memory")


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (99, 0))
    assert "install Python 99.0" in problem("Python")


def test_a_missing_package(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("surely-not-installed",))
    assert "pip install surely-not-installed" in problem("surely-not-installed")


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_damaged_data(monkeypatch, tmp_path, damage):
    shutil.copytree(data_folder(), tmp_path / "data")
    monkeypatch.setenv("MLMD_DATA", str(tmp_path / "data"))
    file = tmp_path / "data" / "water" / "gap_input_50.xyz"
    if damage == "missing":
        file.unlink()
    else:
        file.write_text("48\n")
    assert "git checkout" in problem("gap_input_50.xyz")
    shutil.rmtree(tmp_path / "data")
    assert "no data set 'water'" in problem("Data")
