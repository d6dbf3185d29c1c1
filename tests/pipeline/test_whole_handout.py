"""``mlmd run``: every stage once, a page that tells what was found, nothing done twice."""

import json
from html.parser import HTMLParser

import pandas as pd
import pytest

from helpers.md.phase import Phase
from helpers.pipeline.handout import PRESETS, handout_stages
from helpers.pipeline.report import summary_section
from helpers.pipeline.stages import Outcome

STAGES = ["potential", "learning-curve", "sigmas", "nve", "nvt", "polarizability", "raman"]


@pytest.fixture
def few_polarizabilities(monkeypatch):
    """A third of the frames for polarizabilities, which take most of the time."""
    from helpers.sagpr import command

    data = [part[:60] for part in command.labeled_frames()]
    monkeypatch.setattr(command, "labeled_frames", lambda: data)
    monkeypatch.setattr(command, "SIZES", (10, 30))
    monkeypatch.setattr(command, "N_TEST", 15)


@pytest.mark.slow
def test_the_whole_handout(mlmd, tmp_path, few_polarizabilities):
    folder = tmp_path / "results"
    arguments = ["run", "--quick", "--no-progress", "--output", folder]
    done = mlmd(*arguments)
    assert (done.code, done.errors) == (0, [])
    assert done.output.splitlines()[-1] == f"The report is {folder / 'report.html'}"
    records = {path.stem: json.loads(path.read_text()) for path in (folder / "stages").iterdir()}
    assert set(records) == set(STAGES)

    titles = Titles((folder / "report.html").read_text(encoding="utf-8"))
    assert titles.found[:2] == ["In short: is it good?", "What was simulated"]
    assert "Raman spectrum by machine learning alone" in titles.found
    assert titles.found[-1] == "With what it was made, and what to do next"
    assert titles.loaded == [] and titles.n_pictures > 10

    again = mlmd(*arguments)
    assert again.code == 0 and "RMSE" not in again.output
    assert again.output.count(" kept ") == len(STAGES)
    assert records == {p.stem: json.loads(p.read_text()) for p in (folder / "stages").iterdir()}


class Titles(HTMLParser):
    """Headings of a page, what it loads from elsewhere, its pictures."""

    def __init__(self, page):
        super().__init__()
        self.found, self.loaded, self.n_pictures, self._inside = [], [], 0, False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self._inside = tag == "h2"
        source = dict(attributes).get("src")
        self.n_pictures += tag == "img"
        if source and not source.startswith("data:"):
            self.loaded.append(source)

    def handle_data(self, data):
        if self._inside:
            self.found.append(data)
            self._inside = False


@pytest.mark.parametrize("name", PRESETS)
def test_stages_come_after_those_that_they_need(name):
    stages = handout_stages(PRESETS[name]())
    assert [stage.name for stage in stages] == STAGES
    for number, stage in enumerate(stages):
        assert set(stage.needs) <= set(STAGES[:number])
        assert stage.writes and all(path.is_file() for path in stage.reads)


def test_the_summary_tells_what_is_there_and_what_failed(tmp_path):
    pd.DataFrame(
        {
            "set": "validation",
            "element": "all",
            "quantity": ["energy", "force"],
            "rmse": [1.0, 200.0],
            "rmse_low": [0.9, 190.0],
            "rmse_high": [1.1, 210.0],
            "spread": [10.0, 1000.0],
        }
    ).to_csv(tmp_path / "summary.csv")
    pd.DataFrame(
        {"what": ["steps of the potential in one of DFT", "break-even"], "value": [4e4, 120.0]}
    ).to_csv(tmp_path / "nve_cost.csv")
    outcomes = [Outcome("potential", "done"), Outcome("nve", "failed", reason="it broke")]
    section = summary_section(tmp_path, outcomes)
    (table,) = section.tables
    (row,) = table.table.to_dict("records")  # the cost of a run that failed is not told
    assert row["number"] == "200 ± 10 meV/Å" and row["verdict"] == "look closer"
    assert "20.0 % of the spread" in row["yardstick"]
    assert section.paragraphs == ("No result of nve: it broke",)
    outcomes[1] = Outcome("nve", "kept")
    assert len(summary_section(tmp_path, outcomes).tables[0].table) == 2
    stop = pd.DataFrame({"time_fs": [84.0], "reason": ["it blew up"]})
    stop.to_csv(tmp_path / "nve_stopped.csv")
    row = summary_section(tmp_path, outcomes).tables[0].table.iloc[1]
    assert row["number"] == "after 0.084 ps" and row["verdict"] == "look closer"


def test_numbers_of_the_summary_have_errors_and_the_temperature_of_the_run(tmp_path):
    phase = Phase(0.65, 0.8, 0.2, 0.016, 0.25)
    row = pd.DataFrame([{**vars(phase), "verdict": phase.verdict}])
    row.to_csv(tmp_path / "nvt_phase.csv")
    pd.DataFrame(
        {"quantity": ["mean temperature"], "value": [351.0], "error": [2.0], "expected": [350.0]}
    ).to_csv(tmp_path / "nvt_quality.csv")
    pd.DataFrame({"band": ["stretch"], "VV": [3420.0]}).to_csv(tmp_path / "raman_bands.csv")
    spectrum = pd.DataFrame({"wavenumber_per_cm": [60.0, 120.0, 180.0]})
    spectrum.to_csv(tmp_path / "raman.csv")
    done = [Outcome("nvt", "done"), Outcome("raman", "done")]
    (table,) = summary_section(tmp_path, done).tables
    diffusion, stretch = table.table.to_dict("records")
    assert diffusion["number"] == "0.25 ± 0.02 Å²/ps"
    assert "experiment at 350 K: 0.63 Å²/ps" in diffusion["yardstick"]
    assert stretch["number"] == "3420 ± 30 cm⁻¹"


def test_a_stage_that_does_not_exist(mlmd_refuses, tmp_path):
    mlmd_refuses("run", "--only", "ramen", "--output", tmp_path, message="no stage 'ramen'.*raman")
