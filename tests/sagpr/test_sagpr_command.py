"""``mlmd polarizability``: tables, a model, a section of the report."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from helpers import SymmetryAdaptedKernelRidge
from helpers.sagpr import command as polarizability_job
from helpers.sagpr.model_file import load_model
from helpers.sagpr.model_selection import halving_search, train_test_split
from helpers.sagpr.tensors import component_errors

QUIET = ["--no-progress", "--output"]


@pytest.mark.slow
def test_the_job_from_the_terminal(mlmd, tmp_path, monkeypatch, _water_of_the_job):
    frames, tensors = _water_of_the_job
    monkeypatch.setattr(polarizability_job, "SIZES", (10, 150))
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
    assert sorted(curve["n_frames"].unique()) == [10, 150]
    features = pd.read_csv(folder / "polarizability_features.csv")
    assert list(features["kept_2"]) == [200, 500, 966]
    assert features["MB_2"][1] == pytest.approx(2.5 * features["MB_2"][0], rel=0.01)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<img src=") == 4 and 'src="http' not in page
    assert f"{means['frames', 'λ=0']:.1f} %" in page


@pytest.mark.slow
def test_the_search_never_sees_what_it_is_judged_by(tmp_path, monkeypatch):
    data = [part[:60] for part in polarizability_job.labeled_frames()]
    frames, tensors, trajectories = data
    searched = []

    def search(some, *rest, **settings):
        searched.extend(id(atoms) for atoms in some)
        settings |= {"grid": {"sigma_A": (0.5,)}, "n_candidates": 1}
        return halving_search(some, *rest, **settings)

    monkeypatch.setattr(polarizability_job, "halving_search", search)
    monkeypatch.setattr(
        polarizability_job, "labeled_frames", lambda: (frames, tensors, trajectories)
    )
    monkeypatch.setattr(polarizability_job, "SIZES", (10, 30))
    monkeypatch.setattr(polarizability_job, "N_TEST", 15)
    small = SymmetryAdaptedKernelRidge(n_max=3, l_max=3, cutoff_A=4.0)
    polarizability_job.run_polarizability_job(
        tmp_path, model=small, search=True, seeds=range(3), progress=False
    )
    known, unseen = train_test_split(60, 15, 0, trajectories)
    assert searched == [id(frames[k]) for k in known]
    assert not set(trajectories[known]) & set(trajectories[unseen])
    saved = load_model(tmp_path / "polarizability.npz")
    best = clone(small).set_params(sigma_A=saved.sigma_A)
    best.fit([frames[k] for k in known], tensors[known], groups=trajectories[known])
    judged = component_errors(tensors[unseen], best.predict([frames[k] for k in unseen]))
    told = pd.read_csv(tmp_path / "polarizability_errors.csv")
    assert list(told["held_out"].unique()) == ["trajectories"] and len(told) == len(judged)
    np.testing.assert_allclose(told["percent"], judged["percent"], rtol=1e-5)
    # The model that is kept learned from all frames, and left out whole trajectories.
    again = clone(saved).fit(frames, tensors, groups=trajectories)
    assert saved.loo_errors_.equals(again.loo_errors_)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "trajectories held out" in page and "never seen by the search" in page


@pytest.fixture(scope="module")
def _water_of_the_job():
    from helpers.sagpr.tensors import labeled_frames

    frames, tensors, trajectories = labeled_frames()
    assert len(np.unique(trajectories)) == 45
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
