"""Overfitting and effects, from tables whose answers are known."""

import numpy as np
import pytest

from helpers.errors import DataError
from helpers.sweeps.analysis import best_points, overfitting, overfitting_onset, rank_effects


def test_each_point_with_its_ratio(sweep_table):
    both = overfitting(sweep_table)
    assert len(both) == 12
    point = both.query("sigma_energy_eV_per_atom == 0.01 and cutoff == 3.0 and n_frames == 100")
    assert point[["training", "validation", "ratio"]].to_numpy().ravel() == pytest.approx([1, 2, 2])


def test_where_overfitting_begins(sweep_table):
    small = sweep_table[sweep_table["n_frames"] == 100]
    onset = overfitting_onset(small)
    # On logarithmic scales, between 0.1 (ratio 0.24) and 0.01 (ratio 2).
    part = np.log(1.5 / 0.24) / np.log(2.0 / 0.24)
    assert onset.sigma == pytest.approx(10 ** (-1 - part))
    assert onset.best_sigma == 0.01 and onset.best_error == pytest.approx(2 * (1 + 3.5 / 3) / 2)
    later = overfitting_onset(sweep_table[sweep_table["n_frames"] == 200])
    assert later.sigma < onset.sigma, "more frames: overfitting begins at a smaller sigma"
    assert overfitting_onset(small, ratio=1000.0).sigma is None
    with pytest.raises(DataError, match="only one sigma_force_eV_per_A"):
        overfitting_onset(small, column="sigma_force_eV_per_A")


def test_settings_are_ranked_by_their_effect(sweep_table):
    effects = rank_effects(sweep_table)
    assert list(effects["setting"]) == ["n_frames", "sigma_energy_eV_per_atom", "cutoff"]
    assert effects["effect"].to_numpy() == pytest.approx([2.0, 1.4, 3.5 / 3])
    assert list(effects["best"]) == ["200", "0.01", "3"]
    assert list(effects["worst"]) == ["100", "0.001", "3.5"]
    assert (effects["uncertainty"] < 1e-6).all(), "the settings act independently here"


def test_noise_makes_effects_uncertain(sweep_table):
    noisy = sweep_table.copy()
    noisy["rmse_energy_meV_per_atom"] *= np.exp(np.random.default_rng(0).normal(0, 0.3, len(noisy)))
    effects = rank_effects(noisy).set_index("setting")
    assert 0.1 < effects.loc["cutoff", "uncertainty"] < 0.5
    two = sweep_table.query("sigma_energy_eV_per_atom == 0.01 and n_frames == 100")
    assert np.isnan(rank_effects(two)["uncertainty"][0]), "two points leave nothing over"


def test_is_200_with_the_best_sigma_less_overfitted_than_100(sweep_table):
    best = best_points(sweep_table).set_index("n_frames")
    assert list(best.index) == [100, 200]
    assert (best["sigma_energy_eV_per_atom"] == 0.01).all() and (best["cutoff"] == 3.0).all()
    assert best.loc[200, "ratio"] < best.loc[100, "ratio"]
    assert best["ratio"].to_numpy() == pytest.approx([2.0, 1.0])
    with pytest.raises(DataError, match="no column 'cutof'.*did you mean 'cutoff'"):
        best_points(sweep_table, by="cutof")


def test_nothing_varied_has_no_effects(curve_table):
    with pytest.raises(DataError, match="Nothing was varied"):
        rank_effects(curve_table(sizes=(50,), repeats=2))
