"""``mlmd``: what is typed in a terminal, what is shown, and with which exit code it ends."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase.io import write

import helpers
from helpers import doctor
from helpers.cli import COMMANDS, main
from helpers.gap.xml import read_model

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = shutil.which("mlmd", path=os.path.dirname(sys.executable))
MLMD = [INSTALLED] if INSTALLED else [sys.executable, "-m", "helpers.cli"]


def in_a_terminal(*arguments, cwd=None):
    """Run ``mlmd`` as its users do."""
    command = [*MLMD, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.fixture
def workshop(tmp_path, smallest_fit, frames10):
    """A folder with frames, a config that names them, and the model that they make."""
    folder = tmp_path / "my workshop"
    folder.mkdir()
    write(folder / "mine.xyz", frames10, format="extxyz")
    smallest_fit.config.replace(atoms_filename="mine.xyz").write(folder / "gap_config.cfg")
    shutil.copy(smallest_fit.model_path, folder / "gap.xml")
    return folder


@pytest.fixture
def small_data(tmp_path_factory, monkeypatch):
    """Ten frames in place of each shipped set: what is done with them takes a tenth."""
    folder = tmp_path_factory.mktemp("data") / "water"
    folder.mkdir()
    rows = []
    for split, size, name in [("train", 50, "gap_input_50.xyz"), ("validate", 60, "validate.xyz")]:
        write(folder / name, helpers.load_frames("water", split, size)[:10], format="extxyz")
        checksum = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        rows.append({"file": name, "split": split, "size": size, "sha256": checksum})
    (folder / "manifest.json").write_text(json.dumps({"files": rows}))
    monkeypatch.setenv("MLMD_DATA", str(folder.parent))


def test_it_is_a_command_of_the_terminal():
    done = in_a_terminal("--version")
    assert (done.returncode, done.stdout) == (0, f"mlmd {helpers.__version__}\n")


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0 and "Start with: mlmd doctor, then mlmd run" in shown
    for command in COMMANDS:
        assert re.search(rf"^ +{command}\s+\w", shown, re.MULTILINE), command


def test_every_command_has_a_help_with_an_example(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        shown = capsys.readouterr().out
        assert ended.value.code == 0, command
        assert "--debug" in shown and "--no-progress" in shown, command
        if command != "doctor":
            assert f"Example: mlmd {command}" in shown, command
            assert re.search("--output|--csv|folder", shown), command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "invalid choice: 'trian'"),
        ([], "the following arguments are required: COMMAND"),
        (["evaluate"], "the following arguments are required: model"),
        (["fit", "a.cfg", "--ouput", "gap.xml"], "unrecognized arguments: --ouput"),
        (["run", "--quick", "--accurate"], "not allowed with"),
        (["evaluate", "gap.xml", "--processes", "many"], "invalid int value: 'many'"),
    ],
    ids=[
        "misspelled command",
        "no command",
        "no model",
        "misspelled option",
        "two presets",
        "a word for a number",
    ],
)
def test_wrong_usage_is_exit_code_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    shown = capsys.readouterr().err
    assert ended.value.code == 2
    assert message in shown and "usage: mlmd" in shown and "Traceback" not in shown


@pytest.mark.slow
def test_fit_and_evaluate(workshop, tmp_path, mlmd, smallest_fit, frames10):
    model, table = tmp_path / "new.xml", tmp_path / "errors.csv"
    done = mlmd("fit", workshop / "gap_config.cfg", "--output", model, "--no-progress")
    assert (done.code, done.errors) == (0, [])
    assert done.output.startswith(f"{model}: 10 frames (10 energies, 1440 force components), ")
    assert done.output.count("\n") == 1
    assert (workshop / "gap.xml").read_bytes() == smallest_fit.model_path.read_bytes()

    frames = ["--frames", workshop / "mine.xyz"]
    done = mlmd("evaluate", model, *frames, "--csv", table, "--processes", 1, "--no-progress")
    assert (done.code, done.errors) == (0, [])
    result = helpers.evaluate(model, frames10)
    lines = done.output.splitlines()
    assert lines[0] == (
        f"10 frames: RMSE {result.rmse_energy_meV_per_atom:.2f} meV/atom, "
        f"{result.rmse_forces_meV_per_A:.1f} meV/Å"
    )
    assert lines[1].split()[:4] == ["quantity", "element", "unit", "n"]
    assert lines[-1] == f"written: {table}"
    rows = pd.read_csv(table)
    assert len(rows) == 10 + 1440
    energies = rows[rows["quantity"] == "energy"]
    assert np.allclose(
        1000 * (energies["predicted"] - energies["true"]).pow(2).mean() ** 0.5,
        result.rmse_energy_meV_per_atom,
        atol=1e-4,
    )


def test_what_is_not_given_is_taken_from_the_config_or_the_data(
    workshop, small_data, mlmd, monkeypatch
):
    monkeypatch.chdir(workshop)
    (workshop / "gap.xml").unlink()
    assert mlmd("fit", "gap_config.cfg", "--no-progress").code == 0
    assert sorted(os.listdir()) == ["gap.xml", "gap_config.cfg", "mine.xyz"]
    done = mlmd("evaluate", "gap.xml", "--no-progress")
    assert done.code == 0 and done.output.startswith("10 frames: RMSE ")


def test_bars_go_to_the_error_stream_results_to_the_other(workshop):
    done = in_a_terminal("fit", "gap_config.cfg", "--output", "new.xml", cwd=workshop)
    assert done.returncode == 0
    assert done.stdout.startswith(f"{workshop / 'new.xml'}: 10 frames")
    assert done.stdout.count("\n") == 1
    assert re.search(r"gap_fit: done: +100%", done.stderr)


@pytest.mark.slow
def test_an_error_is_one_line_and_with_debug_a_traceback(workshop):
    for extra in ([], ["--debug"]):
        done = in_a_terminal("evaluate", "gap_config.cfg", *extra, cwd=workshop)
        assert (done.returncode, done.stdout) == (1, "")
        last = done.stderr.splitlines()[-1]
        assert "gap_config.cfg is not a whole XML file" in last
        if extra:
            assert done.stderr.startswith("Traceback") and "xml.py" in done.stderr
        else:
            assert done.stderr == f"{last}\n" and last.startswith("mlmd evaluate: ")


def test_an_error_that_nobody_foresaw_is_one_line_too(mlmd, monkeypatch):
    def fail():
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr(doctor, "examine", fail)
    done = mlmd("doctor")
    assert done.code == 1
    assert done.errors == ["mlmd doctor: ZeroDivisionError: one two (--debug shows the traceback)"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "gap_config.cfg", "--accurate"], "A config and --accurate are both given"),
        (["evaluate", "gap.xml", "--csv", "none/e.csv"], "no folder none.*mkdir -p 'none'"),
        (["evaluate", "gap.xml", "--frames", "none.xyz"], r"There is no file none\.xyz"),
        (["evaluate", "gap.xml", "--energy-name", "e"], "Frame 1 .* has no 'e'.*dft_energy"),
        (["evaluate", "gap.xml", "--processes", "0"], "processes=0 .*whole number of at least 1"),
        (["run", "--quick", "--output", "none/results"], "there is no folder .*none.*mkdir -p"),
        (["run", "--quick", "--output", "mine.xyz"], r"mine\.xyz is a file.*a folder"),
    ],
    ids=[
        "config and preset",
        "no folder for the table",
        "no frames file",
        "no such label",
        "no processes",
        "no folder for the results",
        "a file in place of a folder",
    ],
)
def test_mistakes_are_found_before_the_work(
    workshop, monkeypatch, mlmd_refuses, listing, arguments, message
):
    monkeypatch.chdir(workshop)
    before = listing(workshop)
    mlmd_refuses(*arguments, "--no-progress", message=message)
    assert listing(workshop) == before


def test_doctor_finds_everything_here(mlmd):
    done = mlmd("doctor")
    assert (done.code, done.errors) == (0, [])
    *checks, _, verdict = done.output.splitlines()
    assert verdict == "Everything is in place."
    assert len(checks) > 10
    for line in checks:
        assert re.match(r"ok       \S.*: \S", line), line


def test_doctor_counts_problems_and_names_the_fix(mlmd, monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED_MEMORY_GB", 1e6)
    done = mlmd("doctor")
    assert (done.code, done.errors) == (1, [])
    assert re.search(
        r"^PROBLEM  Memory: .*\n +fix: close other programs", done.output, re.MULTILINE
    )
    assert done.output.endswith("\n1 problems\n")


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error():
    command = " ".join(f"'{word}'" for word in [*MLMD, "doctor"])
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} | head -n 1"], capture_output=True, text=True
    )
    assert done.stdout.startswith("ok       Python: ") and done.stdout.count("\n") == 1
    assert done.stderr == ""


RESULTS = {"gap.xml", "gap_config.cfg", "summary.csv", "report.html"}
RESULTS |= {"train_errors.csv", "validation_errors.csv", "training_cost.csv"}


@pytest.mark.slow
def test_the_main_job_runs_in_any_folder_and_its_config_makes_the_same_model_again(
    tmp_path, small_data
):
    folder = tmp_path / "over there"
    folder.mkdir()
    command = ["run", "--quick", "--only", "potential", "--no-progress", "--output", "out"]
    done = in_a_terminal(*command, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"The report is {folder / 'out' / 'report.html'}"
    assert os.listdir(folder) == ["out"]
    assert {path.name for path in (folder / "out").iterdir() if path.is_file()} == RESULTS
    assert "<h1" in (folder / "out" / "report.html").read_text()
    table = pd.read_csv(folder / "out" / "summary.csv")
    assert set(table["set"]) == {"training", "validation"} and (table["rmse"] > 0).all()
    fit = ["fit", folder / "out" / "gap_config.cfg", "--engine", "jax", "--output", "again.xml"]
    again = in_a_terminal(*fit, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    models = [read_model(path) for path in (folder / "out" / "gap.xml", tmp_path / "again.xml")]
    for first, second in zip(*(model.terms for model in models), strict=True):
        assert np.array_equal(first.alpha, second.alpha)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "table"),
    [
        ("gap_error_train.py", "train_errors.csv"),
        ("gap_error_validate.py", "validation_errors.csv"),
    ],
    ids=["training", "validation"],
)
def test_the_scripts_of_the_terminal_edition(workshop, small_data, script, table):
    command = [sys.executable, str(ROOT / "workshop" / script)]
    if "validate" in script:  # the config names other frames than those that ship
        command += ["--frames", "mine.xyz"]
    done = subprocess.run(command, cwd=workshop, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "10 frames: RMSE " in done.stdout
    rows = pd.read_csv(workshop / table)
    assert (rows["quantity"] == "energy").sum() == 10
    (workshop / "gap.xml").unlink()
    done = subprocess.run(command, cwd=workshop, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(rf"{script}: There is no model file .*gap\.xml\. Fix: .*\n", done.stderr)
