"""Splits, learning curves, the search, and the file of a model."""

import numpy as np
import pytest

from helpers import SymmetryAdaptedKernelRidge
from helpers.errors import ConfigError, DataError, ModelFileError
from helpers.sagpr.model_file import load_model, save_model
from helpers.sagpr.model_selection import (
    halving_search,
    held_out_errors,
    split_by_trajectory,
    train_test_split,
)

SMALL = {"n_max": 3, "l_max": 3, "cutoff_A": 4.0, "n_scalars": 4}


def test_a_random_split_shares_no_frame():
    training, test = train_test_split(200, 50, seed=1)
    assert len(test) == 50 and sorted([*training, *test]) == list(range(200))
    np.testing.assert_array_equal(train_test_split(200, 50, seed=1)[1], test)
    assert set(train_test_split(200, 50, seed=2)[1]) != set(test)


def test_a_split_by_trajectory_shares_no_trajectory(water):
    trajectories = water[2]
    training, test = train_test_split(200, 50, 0, trajectories)
    assert not set(trajectories[training]) & set(trajectories[test])
    assert 50 <= len(test) < 60 and len(training) + len(test) == 200


def test_frames_split_by_trajectory_stay_in_order(water):
    frames = water[0]
    training, test = split_by_trajectory(frames, 48, seed=0)
    order = [frames.index(atoms) for atoms in training]
    assert order == sorted(order) and len(test) == 49 and len(training) == 151
    names = [{atoms.info["trajectory"] for atoms in part} for part in (training, test)]
    assert not names[0] & names[1]
    assert split_by_trajectory(frames, 48, seed=0)[1] == test


def test_learning_curves_fall_and_the_same_parts_learn_alike(water):
    frames, tensors, _ = water
    model = SymmetryAdaptedKernelRidge(**SMALL)
    sizes = np.array([10, 60, 999])
    curve = held_out_errors(model, frames, list(tensors), sizes=sizes, n_test=40, seeds=range(2))
    assert set(curve["n_frames"]) == {10, 60}
    rmse = curve.pivot_table(index="n_frames", columns="component", values="rmse")
    assert np.all(rmse.loc[60] < 0.85 * rmse.loc[10])
    # xy and yx are the same number, but for the noise of DFT; xx holds a part of λ = 0 as well.
    np.testing.assert_allclose(rmse["xy"], rmse["yx"], rtol=0.01)
    assert np.all(rmse["xx"] > 1.2 * rmse["xy"])


@pytest.mark.slow
def test_trajectories_held_out_are_harder(water):
    frames, tensors, trajectories = water
    model = SymmetryAdaptedKernelRidge(**SMALL)
    settings = {"n_test": 50, "seeds": range(2)}
    errors = [
        held_out_errors(model, frames, tensors, trajectories=groups, **settings)
        for groups in (None, trajectories)
    ]
    means = [table[table["component"] == "λ=0"]["percent"].mean() for table in errors]
    assert means[1] > 1.1 * means[0]


def test_the_search_keeps_what_is_better(water):
    frames, tensors, trajectories = (part[:54] for part in water)
    base = SymmetryAdaptedKernelRidge(**{**SMALL, "cutoff_A": 1.2})
    grid = {"cutoff_A": (1.1, 1.3, 4.0), "sigma_A": (0.4, 1.5)}
    found = halving_search(
        frames, tensors, trajectories=trajectories, grid=grid, model=base, n_candidates=6
    )
    assert found.best.get_params()["cutoff_A"] == 4.0 and found.best.sigma_A == 0.4
    assert list(found.table.groupby("rung").size()) == [7, 2]
    assert list(found.table.groupby("rung")["n_frames"].first()) == [25, 54]
    last = found.table[found.table["rung"] == 1]
    assert last["score"].min() == found.table["score"].min()
    assert found.best.loo_predictions_.shape == tensors.shape  # fitted to all frames
    few = [
        halving_search(frames[:25], tensors[:25], grid=grid, model=base, n_candidates=2).table
        for _ in range(2)
    ]
    assert few[0].equals(few[1])


@pytest.mark.parametrize(
    "settings", [{}, {"zeta": {0: 1, 2: 2}, "n_features": 30, "centers": ("H", "O")}]
)
def test_a_model_comes_back_from_its_file(water, tmp_path, settings):
    frames, tensors, _ = water
    model = SymmetryAdaptedKernelRidge(**SMALL, **settings).fit(frames[:20], tensors[:20])
    again = load_model(save_model(model, tmp_path / "model.npz"))
    assert again.get_params() == model.get_params()
    for one, other in zip(
        model.predict(frames[20:23], return_std=True),
        again.predict(frames[20:23], return_std=True),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert again.loo_errors_.equals(model.loo_errors_)
    assert again.solutions_[2].regularization == model.solutions_[2].regularization


def test_what_is_no_model_file(tmp_path, model):
    path = save_model(model, tmp_path / "model.npz")
    for spoil, message in (
        (lambda: path.write_bytes(path.read_bytes()[:-1000]), "cannot be read as a model"),
        (lambda: path.write_text("hello"), "cannot be read as a model"),
        (lambda: np.savez(path, metadata=np.array('{"format": "else"}')), "its format is 'else'"),
        (lambda: np.savez(path, x=np.zeros(3)), "cannot be read as a model.*'metadata'"),
        (path.unlink, "There is no model of polarizabilities.*mlmd polarizability"),
    ):
        spoil()
        with pytest.raises(ModelFileError, match=message):
            load_model(path)


def test_splits_that_cannot_be_made(water):
    frames, tensors, trajectories = water
    with pytest.raises(ConfigError, match="n_test=199"):
        train_test_split(200, 199, 0)
    with pytest.raises(DataError, match="3 trajectories do not fit 4 frames"):
        train_test_split(4, 1, 0, ["a", "b", "c"])
    with pytest.raises(DataError, match="Nothing is left to train on"):
        train_test_split(4, 2, 0, ["a", "a", "a", "a"])
    with pytest.raises(DataError, match="No size fits"):
        held_out_errors(SymmetryAdaptedKernelRidge(), frames, tensors, sizes=(1, 500))
    with pytest.raises(ConfigError, match="seed=-1"):
        train_test_split(200, 50, -1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"factor": 1}, "factor=1 cannot be used.*at least 2"),
        ({"n_candidates": 0}, "n_candidates=0"),
        ({"grid": {"cutof_A": (4.0,)}}, "no setting 'cutof_A'.*did you mean 'cutoff_A'"),
        ({"grid": {"cutoff_A": ()}}, "no value of 'cutoff_A'"),
        ({"trajectories": ["a", "b"]}, "2 groups do not fit 10 frames"),
        ({"tensors": [np.eye(3)] * 9}, "9 tensors do not fit 10 frames"),
    ],
)
def test_searches_that_cannot_be_made(water, change, message):
    given = {"tensors": list(water[1][:10]), **change}
    with pytest.raises((ConfigError, DataError), match=message):
        halving_search(water[0][:10], **given)


def test_a_candidate_that_cannot_be_computed_is_left_out_and_told(water, capfd):
    frames, tensors, _ = water
    shared = {"n_candidates": 2, "model": SymmetryAdaptedKernelRidge(n_max=3, l_max=3)}
    with pytest.warns(UserWarning, match="'sigma_A': 1e-06} was left out: featomic cannot compute"):
        found = halving_search(frames[:6], tensors[:6], grid={"sigma_A": (1e-6, 0.5)}, **shared)
    assert 1e-6 not in set(found.table["sigma_A"]) and found.best.sigma_A > 0.1
    shared["model"] = SymmetryAdaptedKernelRidge(sigma_A=1e-6)
    with (
        pytest.warns(UserWarning),
        pytest.raises(
            ConfigError, match="featomic cannot compute features with cutoff_A=5.*sigma_A"
        ),
    ):
        halving_search(frames[:6], tensors[:6], grid={"sigma_A": (1e-6, 2e-6)}, **shared)
    assert "panicked" not in capfd.readouterr().err
