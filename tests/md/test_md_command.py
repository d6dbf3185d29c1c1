"""``mlmd md``: a run, its judgment, and its part of the report."""

from __future__ import annotations

import os
import re

import pandas as pd
import pytest
from ase.io import read, write
from own_frames import SMALL, alloy, slabs

from helpers import fit_gap
from helpers.md.compiled_engine import CompiledEngine

QUICK = ["--no-progress", "--output"]
TABLES = ("quality", "structure", "peaks", "vibrations", "displacement", "phase")
TABLES += ("uncertainty", "cost")


@pytest.mark.slow
def test_a_run_from_the_terminal_and_its_section(mlmd, walled_model, tmp_path):
    folder = tmp_path / "out"
    known = ["--training-frames", 50, "--training-seconds", 6]
    done = mlmd("md", walled_model, "--steps", 2600, "--temperature", 200, *known, *QUICK, folder)
    assert (done.code, done.errors) == (0, [])
    assert "stopped" not in done.output
    assert re.search(r"^1\.3 ps at \d+ K on average$", done.output, re.MULTILINE)
    assert re.search(r"drift of the energy +\S+ +\S+ +0 meV/atom/ps", done.output)
    assert re.search(r"break-even +[\d.]+ steps", done.output)
    assert "No diffusion coefficient: The run is too short" in done.output
    assert done.output.endswith(f"The report is {folder / 'report.html'}\n")
    files = {f"nve.{kind}" for kind in ("log", "xyz", "traj")} | {f"nve_{t}.csv" for t in TABLES}
    assert set(os.listdir(folder)) == files | {"report.html", "sections", "figures", "tables"}
    assert len(read(folder / "nve.xyz", ":")) == len(pd.read_csv(folder / "nve.log")) == 651
    cost = pd.read_csv(folder / "nve_cost.csv").set_index("what")["value"]
    assert cost["data: 50 frames with DFT"] == pytest.approx(50 * cost.iloc[0], rel=1e-4)
    peaks = pd.read_csv(folder / "nve_peaks.csv").set_index("pair")
    assert peaks.loc["OO", "peak_A"] == pytest.approx(peaks.loc["OO", "peak_DFT_A"], abs=0.2)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<img src=") == 11 and 'src="http' not in page
    assert "The run was stable." in page and "steps of 0.5 fs" in page


@pytest.mark.slow
def test_a_run_that_leaves_water_says_where_and_keeps_what_it_was(mlmd, smallest_fit, tmp_path):
    command = ["md", smallest_fit.model_path, "--ensemble", "nvt", "--temperature", 900]
    done = mlmd(*command, "--steps", 2000, "--engine", "ase", *QUICK, tmp_path / "out")
    assert (done.code, done.errors) == (0, [])
    reason = re.search(r"  stopped: (.*) at [\d.]+ fs \(limit", done.output)
    assert reason, done.output
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"The run was stopped: {reason[1]}" in page and "constant temperature" in page
    assert len(read(tmp_path / "out" / "nvt.xyz", ":")) > 3


@pytest.mark.slow
def test_a_run_of_atoms_of_your_own(mlmd, tmp_path):
    """Frames of two densities, and a slab: what cannot be computed is told, and the run is kept."""
    frames = alloy(4)
    model = fit_gap(SMALL, frames, output=tmp_path / "gap.xml", progress=False).model_path
    frames[1].set_cell(1.1 * frames[1].cell, scale_atoms=True)
    write(tmp_path / "own.xyz", frames[:2])
    write(tmp_path / "slab.xyz", slabs(1))
    for name in ("own", "slab"):
        if name == "slab":
            fixed = read(tmp_path / "slab.xyz")
            fixed.set_constraint()
            write(tmp_path / "slab.xyz", fixed)
        start = ["--start", tmp_path / f"{name}.xyz", "--steps", 40]
        done = mlmd("md", model, *start, *QUICK, tmp_path / name)
        assert (done.code, done.errors) == (0, []), done
        assert len(read(tmp_path / name / "nve.xyz", ":")) == 11
        page = (tmp_path / name / "report.html").read_text(encoding="utf-8")
        assert "The run was stable." in page and "O–H" not in page
    assert (tmp_path / "own" / "nve_structure.csv").exists()
    assert "needs" in done.output and not (tmp_path / "slab" / "nve_structure.csv").exists()


def test_ctrl_c_and_resume(mlmd, smallest_fit, tmp_path, monkeypatch):
    def interrupted(self, end):
        raise KeyboardInterrupt

    monkeypatch.setattr(CompiledEngine, "run", interrupted)
    done = mlmd("md", smallest_fit.model_path, "--steps", 8, *QUICK, tmp_path / "out")
    assert done.code == 130
    assert done.errors == ["mlmd md: stopped; the same command with --resume continues the run"]
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.xml"], r"There is no model file .*none\.xml.*train it first"),
        (["gap.xml", "--snapshot", "60"], "no validation snapshot 60.*0 to 59"),
        (["gap.xml", "--timestep", "0"], "timestep_fs=0.0 cannot be used"),
        (["gap.xml", "--timestep", "6"], "timestep_fs=6 is too long.*at most 5 fs"),
        (["gap.xml", "--temperature", "-1"], "temperature_K=-1.0 cannot be used"),
        (["gap.xml", "--steps", "0"], "steps=0 cannot be used"),
        (["gap.xml", "--seed", "-1"], "seed=-1 cannot be used"),
        (["gap.xml", "--thermostat", "bussi"], "needs constant temperature.*--ensemble nvt"),
        (["gap.xml", "--output", "none/out"], "no folder .*none.*mkdir -p"),
        (["gap.xml", "--start", "a.xyz", "--snapshot", "0"], "both given"),
        (["gap.xml", "--training-seconds", "5"], "without --training-frames"),
        (["gap.xml", "--start", "none.xyz"], "no file none.xyz"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_mistakes_are_found_before_the_work(
    mlmd_refuses, smallest_fit, tmp_path, monkeypatch, arguments, message
):
    (tmp_path / "gap.xml").write_bytes(smallest_fit.model_path.read_bytes())
    monkeypatch.chdir(tmp_path)
    mlmd_refuses("md", *arguments, "--no-progress", message=message)
    assert not (tmp_path / "results" / "nve.log").exists()
