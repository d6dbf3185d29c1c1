"""``mlmd polarizability``: tables, a model, a section of the report."""

import numpy as np
import pandas as pd
import pytest

from helpers.sagpr.model_file import load_model

QUIET = ["--no-progress", "--output"]


@pytest.mark.slow
def test_the_job_from_the_terminal(mlmd, tmp_path, _water_of_the_job):
    frames, tensors = _water_of_the_job
    folder = tmp_path / "out"
    done = mlmd("polarizability", "--seeds", 1, "--features", 100, *QUIET, folder)
    assert (done.code, done.errors) == (0, [])
    assert done.output.endswith(f"The report is {folder / 'report.html'}\n")
    model = load_model(folder / "polarizability.npz")
    assert model.n_features == 100 and model.predict(frames[:2]).shape == (2, 3, 3)
    errors = pd.read_csv(folder / "polarizability_errors.csv")
    means = errors.groupby(["held_out", "component"])["percent"].mean()
    assert means["frames", "λ=2"] < 20 and means["trajectories", "λ=0"] < 50
    curve = pd.read_csv(folder / "polarizability_curve.csv")
    assert sorted(curve["n_frames"].unique()) == [10, 20, 40, 80, 150]
    features = pd.read_csv(folder / "polarizability_features.csv")
    assert list(features["kept_2"]) == [200, 500, 966]
    assert features["MB_2"][1] == pytest.approx(2.5 * features["MB_2"][0], rel=0.01)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<img src=") == 4 and 'src="http' not in page
    assert f"{means['frames', 'λ=0']:.1f} %" in page


@pytest.fixture(scope="module")
def _water_of_the_job():
    from helpers.polarizability_job import labelled_frames

    frames, tensors, trajectories = labelled_frames()
    assert len(np.unique(trajectories)) == 25
    return frames, tensors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features", "0"], "n_features=0"),
        (["--seeds", "0"], "seeds=0"),
        (["--output", "none/out"], "no folder .*none.*mkdir -p"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_told_in_one_line(mlmd_refuses, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    mlmd_refuses("polarizability", *arguments, "--no-progress", message=message)
