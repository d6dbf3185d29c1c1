"""`mlmd lab coarse-grained`: trainings, a box, tables, an animation and the report."""

from __future__ import annotations

import pandas as pd
import pytest
from PIL import Image

from helpers.cli import main
from helpers.coarse_grained import hexagons


@pytest.mark.slow  # new trajectories, two potentials and a box, each compiled
def test_the_lab_writes_tables_and_a_report(tmp_path, capsys):
    folder = tmp_path / "results"
    command = ["lab", "coarse-grained", "--stored", "--bodies", "8", "--steps", "500"]
    assert main([*command, "--no-progress", "--output", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "of their range" in shown and "g(r) of 8 bodies" in shown and "report.html" in shown
    assert len(pd.read_csv(folder / "coarse_box.csv")) == 3
    assert pd.read_csv(folder / "coarse_windows_without.csv")["time"].iloc[-1] == 0.5
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Coarse-grained bodies" in page and page.count("<img") == 6
    with Image.open(folder / "coarse_bodies.gif") as animation:
        assert animation.n_frames == 40


@pytest.mark.slow  # compiles a training
def test_the_lab_trains_on_trajectories_that_it_makes_once(tmp_path):
    short = hexagons.PAIRS.replace(n_runs=3, duration=0.4)
    options = {"epochs": 1, "pairs": short, "progress": False, "orientations": False}
    trainer, training = hexagons.train_hexagons(tmp_path, **options)
    assert (
        len(training.history) == 1 and trainer.config.core == 0.9 and not trainer.pair.orientations
    )
    assert training.model_path == tmp_path / "coarse_without_orientations" / "model.npz"
    made = (tmp_path / "hexagons" / "dataset.json").stat().st_mtime_ns
    hexagons.train_hexagons(tmp_path, **options)
    assert (tmp_path / "hexagons" / "dataset.json").stat().st_mtime_ns == made


def test_what_cannot_be_used_ends_with_one_line(tmp_path, capsys):
    command = ["lab", "coarse-grained", "--output", str(tmp_path / "new")]
    assert main([*command, "--stored", "--epochs", "3"]) == 1
    assert "trained already" in capsys.readouterr().err
    assert main([*command, "--bodies", "1"]) == 1
    assert "bodies=1" in capsys.readouterr().err and not (tmp_path / "new").exists()
