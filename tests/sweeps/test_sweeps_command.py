"""``mlmd learning-curve`` and ``mlmd sweep``: from a terminal to a table and a report."""

import re
from argparse import Namespace

import pandas as pd
import pytest
from ase.io import write
from own_frames import SMALL, crystals

from helpers.cli import main
from helpers.sweeps.command import _own_frames


@pytest.fixture
def here(tmp_path, monkeypatch, small_water, smallest_config):
    """A folder with a config of the smallest fits."""
    monkeypatch.chdir(tmp_path)
    smallest_config.replace(default_sigma=(0.001, 0.02, 0.0, 0.0)).write("gap_config.cfg")
    return tmp_path


@pytest.mark.slow
def test_a_learning_curve(here, mlmd):
    done = mlmd("learning-curve", "--config", "gap_config.cfg", "--no-progress")
    assert (done.code, done.errors) == (0, [])
    table = pd.read_csv("results/learning_curve.csv")
    assert list(table["n_frames"]) == [4, 4, 8, 8, 16, 16]
    assert re.search(
        r"Energies: .*more data.*: from 8 to 16 frames .* meV/atom \(.* %\)", done.output
    )
    assert done.output.endswith(f"The report is {here / 'results' / 'report.html'}\n")
    assert "Does more data help?" in (here / "results" / "report.html").read_text()


@pytest.mark.slow
def test_a_sweep(here, mlmd):
    over = ["--over", "default_sigma=0.001,0.01", "--over", "zeta=1,2"]
    rest = ["--train", 4, "--workers", 2, "--config", "gap_config.cfg", "--no-progress"]
    done = mlmd("sweep", *over, *rest)
    assert (done.code, done.errors) == (0, [])
    table = pd.read_csv("results/sweep.csv")
    assert len(table) == 8
    assert list(table["default_sigma"].unique()) == ["0.001 0.02 0 0", "0.01 0.2 0 0"]
    header, first = done.output.splitlines()[:2]
    assert header.split()[:2] == ["default_sigma", "zeta"] and "rmse_forces_meV_per_A" in header
    assert first.split()[:5] == ["0.001", "0.02", "0", "0", "1"]
    page = (here / "results" / "report.html").read_text()
    assert "Which settings matter?" in page and "Does more data help?" not in page
    assert "Overfitting:" in page and "Most important is" in page


@pytest.mark.slow
def test_failed_points_are_told_and_the_exit_code_is_1(here, mlmd):
    over = ["--over", "e0_method=average,isolated"]
    rest = ["--train", 4, "--config", "gap_config.cfg", "--no-progress"]
    done = mlmd("sweep", *over, *rest)
    assert (done.code, done.errors) == (1, [])
    assert "not computed: e0_method='isolated' needs a frame with one atom" in done.output
    assert "Not computed: " in (here / "results" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "--over", "cutof=3"], "no setting 'cutof'.*did you mean 'cutoff'"),
        (["sweep", "--over", "cutoff"], "'cutoff' is not a list of values"),
        (
            ["sweep", "--over", "cutoff=3", "--train", "17"],
            "no training set of 17 frames.*at most 16",
        ),
        (["sweep", "--over", "default_sigma=0"], "default_sigma=0.0 cannot be used"),
        (["sweep", "--over", "cutoff=3", "--workers", "0"], "workers=0 cannot be used"),
        (["learning-curve", "--sizes", "4,17"], "no training set of 17 frames"),
        (["learning-curve", "--config", "none.cfg"], "none.cfg"),
        (["learning-curve", "--output", "gap_config.cfg"], "is a file.*a folder"),
    ],
)
def test_mistakes_are_one_line(here, mlmd_refuses, arguments, message):
    mlmd_refuses(*arguments, "--no-progress", message=message)
    assert not list(here.rglob("gap.xml"))


@pytest.mark.parametrize("command", ["learning-curve", "sweep"])
def test_both_explain_themselves(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    for option in ("--workers", "--scheduler", "--repeats", "--output", "--debug", "--no-progress"):
        assert option in shown
    assert f"Example: mlmd {command}" in " ".join(shown.split())


def test_sizes_that_are_no_numbers_are_wrong_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["learning-curve", "--sizes", "many"])
    assert ended.value.code == 2 and "invalid sizes value: 'many'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_over_frames_of_your_own(tmp_path, monkeypatch, mlmd):
    (tmp_path / "project").mkdir()
    frames = crystals(8, energy="REF_energy", forces="REF_forces")
    write(tmp_path / "project" / "own.xyz", frames)
    labels = {"energy_parameter_name": "REF_energy", "force_parameter_name": "REF_forces"}
    SMALL.replace(atoms_filename="own.xyz", **labels).write(tmp_path / "project" / "own.cfg")
    monkeypatch.chdir(tmp_path)
    over = ["--over", "default_sigma=0.001", "--no-progress"]
    done = mlmd("sweep", "--config", "project/own.cfg", *over)
    assert (done.code, done.errors) == (0, [])
    assert "Trained on frames of project/own.xyz; 2 of 8 blocks" in done.output
    table = pd.read_csv("results/sweep.csv")
    assert (table["n_frames"] == 6).all()
    assert (table["rmse_energy_meV_per_atom"] < 100).all()
    page = (tmp_path / "results" / "report.html").read_text()
    assert "water" not in page + done.output
    write(tmp_path / "other.xyz", crystals(3, seed=5, energy="REF_energy", forces="REF_forces"))
    options = Namespace(config=tmp_path / "project" / "own.cfg", validate="other.xyz")
    own = _own_frames(options)["dataset"]
    assert (len(own.training), len(own.validation)) == (8, 3)


def test_frames_to_validate_by_belong_to_frames_of_your_own(here, mlmd_refuses):
    rest = ["--over", "zeta=1", "--validate", "other.xyz", "--config", "gap_config.cfg"]
    mlmd_refuses("sweep", *rest, message="--validate is given.*the shipped ones")
