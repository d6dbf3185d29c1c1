"""`mlmd lab differentiable`: the three fits, their tables, and the report."""

from __future__ import annotations

import pandas as pd
import pytest
from PIL import Image

from helpers.cli import main


@pytest.mark.slow  # compiles three simulations with their gradients: 15 s
def test_the_lab_writes_tables_and_a_report(tmp_path, capsys):
    folder = tmp_path / "results"
    assert main(["lab", "differentiable", "--epochs", "2", "--output", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "theory 0.445" in shown and "theory 91.2°" in shown and "report.html" in shown
    for name in ("sigma", "angle", "triangle"):
        assert len(pd.read_csv(folder / f"differentiable_{name}.csv")) == 2
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Gradients through simulations" in page and page.count("<img") == 6
    with Image.open(folder / "differentiable_triangle.gif") as animation:
        assert animation.n_frames == 40


def test_what_cannot_be_used_ends_with_one_line(tmp_path, capsys):
    command = ["lab", "differentiable", "--output", str(tmp_path / "new"), "--epochs", "0"]
    assert main(command) == 1
    assert "epochs=0" in capsys.readouterr().err and not (tmp_path / "new").exists()
    with pytest.raises(SystemExit) as ended:
        main(["lab", "diferentiable"])
    assert ended.value.code == 2
