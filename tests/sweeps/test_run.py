"""A sweep from grid to table, with real fits of a few frames."""

import math

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from own_frames import SMALL, alloy

from helpers import evaluate, learning_curve, load_frames, sweep
from helpers.errors import CacheError, ConfigError, DataError, OutputError
from helpers.sweeps.grid import make_grid
from helpers.sweeps.run import OwnFrames, _Jobs, training_frames

ERRORS = ["rmse_energy_meV_per_atom", "mae_energy_meV_per_atom"]
ERRORS += ["rmse_forces_meV_per_A", "mae_forces_meV_per_A"]


@pytest.fixture
def run(tmp_path, small_water, smallest_config):
    """A function: a sweep of the smallest fits in one process, quietly."""

    def run_sweep(over, **options):
        settings = {"sizes": [4], "config": smallest_config, "cache": tmp_path / "cache"}
        return sweep(over, **{**settings, "progress": False, **options})

    return run_sweep


@pytest.mark.slow
def test_one_row_for_each_point_and_data_set(run, tmp_path):
    table = run({"cutoff": [3.0, 3.2]}, output=tmp_path / "table.csv")
    assert list(table.columns[:4]) == ["cutoff", "n_frames", "repeat", "sigma_energy_eV_per_atom"]
    assert list(zip(table["cutoff"], table["set"], strict=True)) == [
        (cutoff, name) for cutoff in (3.0, 3.2) for name in ("training", "validation")
    ]
    assert (table["failure"] == "").all() and (table["method"] == "gap_fit").all()
    for column in ("fit_seconds", "evaluation_seconds", "peak_memory_MB"):
        assert (table[column] > 0).all()
    frames = {"training": load_frames("water", "train", 4)}
    frames["validation"] = load_frames("water", "validate")
    for row in table.to_dict("records"):
        expected = evaluate(row["model_path"], frames[row["set"]], processes=1)
        summary = expected.summary().set_index("element").loc["all"]
        errors = [summary[name].iloc[i] for i in (0, 1) for name in ("rmse", "mae")]
        assert [row[name] for name in ERRORS] == pytest.approx(errors, rel=1e-9)
    saved = pd.read_csv(tmp_path / "table.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(saved, table, rtol=1e-14, atol=0)


@pytest.mark.slow
def test_sigmas_share_one_fit_and_their_models_are_what_gap_fit_makes(run, tmp_path):
    sigmas = [0.0003, 0.003]
    table = run({"default_sigma": sigmas})
    assert list(table["method"][::2]) == ["gap_fit", "one K_NM"]
    alone = run({"default_sigma": sigmas[1:]}, cache=tmp_path / "other")
    assert list(alone["method"]) == ["gap_fit"] * 2
    assert np.allclose(table[ERRORS][2:], alone[ERRORS], rtol=1e-6)
    # What a table says of a model is what the model itself gives.
    found = evaluate(table["model_path"][2], load_frames("water", "train", 4), processes=1)
    assert found.rmse_forces_meV_per_A == pytest.approx(table["rmse_forces_meV_per_A"][2], rel=1e-6)
    # A third sigma needs no fit at all: the sparse points are known.
    more = run({"default_sigma": [*sigmas, 0.03]})
    assert list(more["method"][::2]) == ["gap_fit", "one K_NM", "one K_NM"]
    pd.testing.assert_frame_equal(more[:4], table)


@pytest.mark.slow
def test_the_kits_engine_sweeps_too_and_has_a_key_of_its_own(run):
    sigmas = [0.0003, 0.003]
    theirs = run({"default_sigma": sigmas})
    ours = run({"default_sigma": sigmas}, engine="jax")
    assert list(ours["method"]) == ["one K_NM"] * 4
    # Other sparse points, and five of them: for larger models errors agree within a few percent.
    assert np.allclose(theirs[ERRORS[2:]], ours[ERRORS[2:]], rtol=0.5)
    judged = run({"default_sigma": sigmas}, engine="jax", judge="trajectories")
    assert (judged["failure"] == "").all()
    assert np.allclose(judged[ERRORS][::2], ours[ERRORS][::2])
    assert not np.allclose(judged[ERRORS][1::2], ours[ERRORS][1::2])


@pytest.mark.slow
def test_what_was_computed_is_not_computed_again(run, tmp_path, capsys):
    first = run({"cutoff": [3.0]}, repeats=2, progress=True)
    shown = capsys.readouterr().err
    assert "0 of 2 points" in shown and "2 of 2 points" in shown and "left" in shown
    pd.testing.assert_frame_equal(run({"cutoff": [3.0]}, repeats=2, progress=True), first)
    assert capsys.readouterr().err == "", "nothing was left to do"
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("gap.xml")}
    assert len(made) == 2
    second = run({"cutoff": [3.0, 3.1]}, repeats=2, workers=2)
    pd.testing.assert_frame_equal(second[second["cutoff"] == 3.0], first)
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("gap.xml")}
    assert len(again) == 4 and made.items() <= again.items()


@pytest.mark.slow
def test_a_point_that_fails_is_listed_and_the_others_finish(run):
    # There is no isolated atom among the frames.
    table = run({"e0_method": ["average", "isolated"]})
    assert list(table["failure"] == "") == [True, True, False, False]
    failed = table.iloc[2]
    assert failed["failure"].startswith("e0_method='isolated' needs a frame with one atom")
    assert math.isnan(failed["rmse_energy_meV_per_atom"]) and failed["model_path"] == ""
    assert (table["rmse_energy_meV_per_atom"][:2] > 0).all()


@pytest.mark.slow
def test_a_learning_curve_takes_all_sizes_that_ship(small_water, smallest_config, tmp_path):
    table = learning_curve(smallest_config, cache=tmp_path / "cache", progress=False)
    assert list(table["n_frames"].unique()) == [4, 8, 16]
    assert len(table) == 6 and (table["failure"] == "").all()


def test_repeats_draw_other_frames_always_the_same_ones(small_water):
    shipped, second, again, third = (training_frames("water", 4, n) for n in (1, 2, 2, 3))

    def energies(frames):
        return [atoms.info["dft_energy"] for atoms in frames]

    assert energies(shipped) == energies(load_frames("water", "train", 4))
    assert energies(training_frames("water", 5, 1))[:4] == energies(shipped)
    assert energies(second) == energies(again)
    assert len({tuple(energies(frames)) for frames in (shipped, second, third)}) == 3
    everything = energies(load_frames("water", "train", 16))
    assert len(set(energies(second))) == 4 and set(energies(second)) <= set(everything)
    assert sorted(energies(training_frames("water", 16, 2))) == sorted(everything)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"over": {}, "sizes": []}, ConfigError, "grid is empty"),
        ({"over": {"cutof": [1]}}, ConfigError, "did you mean 'cutoff'"),
        ({"over": {"default_sigma": [-1]}}, ConfigError, "default_sigma=-1 cannot be used"),
        ({"over": {}, "sizes": [17]}, DataError, "no training set of 17 frames.*at most 16"),
        ({"over": {}, "engine": "torch"}, ConfigError, "engine='torch'.*'gap_fit' or 'jax'"),
        ({"over": {}, "judge": "luck"}, ConfigError, "judge='luck'.*'validation' or 'traj"),
        ({"over": {}, "workers": 0}, ConfigError, "workers=0 cannot be used"),
        ({"over": {}, "repeats": 0}, ConfigError, "repeats=0 cannot be used"),
        ({"over": {}, "memory_MB": 0}, ConfigError, "memory_MB=0 cannot be used.*above 0 MB"),
        ({"over": {}, "output": "table.txt"}, DataError, r"cannot hold a table.*in \.csv"),
        ({"over": {}, "output": "none/table.csv"}, OutputError, "no folder none"),
        ({"over": {}, "dataset": "watr"}, DataError, "did you mean 'water'"),
    ],
)
def test_bad_input_is_found_before_anything_is_computed(
    run, tmp_path, monkeypatch, options, error, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        run(**options)
    assert not list(tmp_path.rglob("gap.xml"))


def test_a_cache_of_another_version_is_refused(run, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "cache.json").write_text('{"format": 0}')
    with pytest.raises(CacheError, match="made by another version.*Found: format 0"):
        run({})


def test_frames_without_labels_are_refused(run, smallest_config):
    config = smallest_config.replace(force_parameter_name="forces")
    with pytest.raises(DataError, match="has no 'forces'.*dft_forces"):
        run({}, config=config)


def test_training_sets_of_your_own_frames_are_nested():
    frames = [*alloy(9), Atoms("Cu"), Atoms("Al")]
    own = OwnFrames(frames, frames[:2])
    small, large = own.subset(5, 1), own.subset(8, 1)
    assert len(small) == 5 and len(large) == 8
    assert all(any(a is b for b in large) for a in small)
    assert all(frames[k] in small for k in (9, 10))  # a fit may need the energies of single atoms
    assert [own.subset(5, 2)[k] is small[k] for k in range(3)] != [True] * 3
    with pytest.raises(DataError, match="no training set of 12 frames.*3 to 11.*2 single atoms"):
        own.subset(12, 1)


def test_smaller_training_sets_are_made_of_whole_trajectories():
    frames = [*alloy(9), Atoms("Cu")]
    groups = [*"aaabbbccc", "z"]
    own = OwnFrames(frames, frames[:2], groups)
    members = [
        {k for k in range(9) if any(frames[k] is a for a in own.subset(n, 1))} for n in (4, 7)
    ]
    assert members[0] < members[1]
    assert [len({groups[k] for k in some}) for some in members] == [1, 2]


def test_points_with_virials_are_fitted_one_by_one():
    """One K_NM holds no rows for virials: its models would be others than those of gap_fit."""
    own = OwnFrames(alloy(4, virial=True), alloy(2, seed=3))
    config = SMALL.replace(default_sigma=(0.001, 0.05, 0.02, 0.0))
    for settings, n_tasks in ((config, 2), (SMALL, 1)):
        jobs = _Jobs(
            make_grid({"default_sigma": [0.001, 0.01]}, [4], config=settings),
            own,
            "gap_fit",
            "validation",
        )
        assert len(jobs.tasks(dict.fromkeys(jobs.keys))) == n_tasks
    how = ("gap_fit", "validation")
    keys = [_Jobs(make_grid({}, [4], config=config), one, *how).keys for one in (own, _scaled(own))]
    assert keys[0] != keys[1]  # other virials are other data


def test_virials_without_an_expected_error_are_no_rows(tmp_path):
    own = OwnFrames(alloy(4, virial=True), alloy(2, seed=3))
    table = sweep(
        {"default_sigma": [0.001, 0.01]},
        sizes=[4],
        config=SMALL,
        dataset=own,
        engine="jax",
        cache=tmp_path,
        progress=False,
    )
    assert list(table["failure"]) == [""] * 4 and table["rmse_forces_meV_per_A"].notna().all()


def _scaled(own):
    frames = [atoms.copy() for atoms in own.training]
    frames[0].info["virial"] = 1.01 * frames[0].info["virial"]
    return OwnFrames(frames, own.validation)
