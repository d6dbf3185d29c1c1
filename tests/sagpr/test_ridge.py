"""The estimator: equivariance, leave-one-out in closed form, uncertainty."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import molecule
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from helpers import SymmetryAdaptedKernelRidge
from helpers.errors import ConfigError, DataError
from helpers.sagpr.frame_input import frame_array
from helpers.sagpr.model_selection import train_test_split
from helpers.sagpr.tensors import (
    CARTESIAN,
    antisymmetric_rms,
    component_errors,
    read_tensors,
    to_spherical,
)

SMALL = {"n_max": 3, "l_max": 3, "cutoff_A": 4.0}
KINDS = {
    "linear": {},
    "squared": {"zeta": 2, "n_scalars": 4},
    "selected": {"n_features": 40},
    "all centers, squared for λ=2": {"centers": ("H", "O"), "zeta": {0: 1, 2: 2}, "n_scalars": 4},
}


@pytest.fixture(params=KINDS)
def any_model(request, water):
    frames, tensors, _ = water
    model = SymmetryAdaptedKernelRidge(**SMALL, **KINDS[request.param])
    return model.fit(frames[:12], tensors[:12])


def test_a_turned_frame_has_the_turned_prediction(any_model, water, turned, rotation):
    frames = water[0][100:103]
    before, std_before = any_model.predict(frames, return_std=True)
    after, std_after = any_model.predict([turned(a) for a in frames], return_std=True)
    np.testing.assert_allclose(after, rotation @ before @ rotation.T, atol=1e-8)
    # What the entries have in common turns too: the whole uncertainty stays.
    np.testing.assert_allclose(
        np.linalg.norm(std_after, axis=(1, 2)), np.linalg.norm(std_before, axis=(1, 2)), rtol=1e-6
    )


def test_the_default_model_turns_and_does_not_mind_order_or_place(model, water, turned, rotation):
    atoms = water[0][150]
    expected = model.predict([atoms])
    np.testing.assert_allclose(
        model.predict([turned(atoms)]), rotation @ expected @ rotation.T, atol=1e-8
    )
    moved = atoms[np.random.default_rng(0).permutation(len(atoms))]
    moved.positions += [1.0, -20.0, 0.3]
    np.testing.assert_allclose(model.predict([moved]), expected, atol=1e-8)
    np.testing.assert_allclose(
        model.predict([turned(atoms, -np.eye(3))]), expected, atol=1e-8
    )  # inversion


def test_twice_the_water_has_twice_the_polarizability(model, water):
    atoms = water[0][0]
    atoms.info = {}
    one, two = model.predict([atoms, atoms.repeat((2, 1, 1))])
    np.testing.assert_allclose(two, 2 * one, rtol=1e-9)


def test_what_the_centers_contribute_adds_up(any_model, water):
    atoms = water[0][70]
    centers, parts = any_model.predict_centers(atoms)
    assert set(atoms.symbols[centers]) == set(any_model.centers)
    np.testing.assert_allclose(parts.sum(0), any_model.predict([atoms])[0], rtol=1e-9)


def test_frames_may_lack_one_of_the_centers(water):
    frames, tensors, _ = water
    oxygen = molecule("O2")
    model = SymmetryAdaptedKernelRidge(**SMALL, centers=("H", "O"))
    model.fit([*frames[:12], oxygen], [*tensors[:12], np.eye(3)])
    found = model.predict([oxygen, frames[0]])
    np.testing.assert_allclose(found[1], model.predict(frames[:1])[0], rtol=1e-9)
    assert np.isfinite(found).all()


def test_an_element_that_no_training_frame_held_adds_nothing(water):
    """ζ = 2 has nothing to compare its environments by."""
    oxygen = [molecule("O2"), molecule("O2").copy()]
    oxygen[1].positions[0, 2] += 0.2
    tensors = [np.diag([1.0, 1, 2]), np.diag([1.0, 1, 2.2])]
    settings = {**SMALL, "zeta": 2, "n_scalars": 4, "regularization": 1e-3}
    with_h, without = (
        SymmetryAdaptedKernelRidge(**settings, centers=centers).fit(oxygen, tensors)
        for centers in (("H", "O"), ("O",))
    )
    found, expected = (model.predict(water[0][:1]) for model in (with_h, without))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_what_is_antisymmetric_can_be_passed_over(water):
    frames, tensors, _ = water
    tensors = tensors[:5].copy()
    tensors[2, 0, 1] += 0.5
    model = SymmetryAdaptedKernelRidge(**SMALL)
    with pytest.raises(DataError, match="frame 3 is not symmetric"):
        model.fit(frames[:5], tensors)
    model = clone(model.set_params(threshold=0.3)).fit(frames[:5], tensors)
    assert model.antisymmetric_rms_ > 0.05 and 0 < model.score(frames[:5], tensors) < 1


def test_predictions_are_symmetric_and_the_same_in_any_batch(model, water):
    frames = water[0][:30]
    tensors = model.predict(frames)
    np.testing.assert_array_equal(tensors, tensors.transpose(0, 2, 1))
    np.testing.assert_allclose(model.predict(frames[27:28])[0], tensors[27], rtol=1e-12)


@pytest.mark.parametrize("by_trajectory", [False, True])
def test_left_out_is_what_fits_without_the_frames_say(water, by_trajectory):
    few = np.argsort(water[2], kind="stable")[:20]  # of few trajectories
    frames, tensors, trajectories = [water[0][k] for k in few], water[1][few], water[2][few]
    groups = trajectories if by_trajectory else None
    settings = {**SMALL, "regularization": 1e-3}
    whole = SymmetryAdaptedKernelRidge(**settings).fit(frames, tensors, groups=groups)
    out = np.flatnonzero(trajectories == trajectories[0]) if by_trajectory else np.array([4])
    assert len(out) > 1 or not by_trajectory
    kept = np.setdiff1d(np.arange(20), out)
    others = [frames[k] for k in kept], tensors[kept]
    # The same noise: its unit, the mean of the kernel's diagonal, changes with the frames.
    unit = SymmetryAdaptedKernelRidge(**settings).fit(*others).solutions_
    same = {k: s.noise / unit[k].noise * 1e-3 for k, s in whole.solutions_.items()}
    without = SymmetryAdaptedKernelRidge(**{**settings, "regularization": same}).fit(*others)
    predicted = without.predict([frames[k] for k in out])
    np.testing.assert_allclose(predicted, whole.loo_predictions_[out], rtol=1e-7, atol=1e-7)


def test_the_regularization_is_the_one_with_the_smallest_left_out_error(water):
    frames, tensors, _ = water
    found = SymmetryAdaptedKernelRidge(**SMALL).fit(frames[:40], tensors[:40])
    for k, solution in found.solutions_.items():
        for factor in (0.1, 10):
            worse = {0: 1e-4, 2: 1e-4, k: factor * solution.regularization}
            other = SymmetryAdaptedKernelRidge(**SMALL, regularization=worse)
            other.fit(frames[:40], tensors[:40])
            assert other.solutions_[k].loo_rmse >= solution.loo_rmse


def test_the_standard_deviation_is_as_large_as_the_errors(model, water):
    frames, tensors, _ = water
    predicted, std = model.predict(frames[50:125], return_std=True)
    assert np.mean(((predicted - tensors[50:125]) / std) ** 2) ** 0.5 == pytest.approx(1, abs=0.25)


def test_it_holds_for_trajectories_never_seen(water):
    frames, tensors, trajectories = water
    ratios = []
    for seed in (0, 1):
        known, others = train_test_split(200, 50, seed, trajectories)
        model = SymmetryAdaptedKernelRidge(**SMALL)
        model.fit([frames[k] for k in known], tensors[known], groups=trajectories[known])
        predicted, std = model.predict([frames[k] for k in others], return_std=True)
        ratios.append(np.mean(((predicted - tensors[others]) / std) ** 2))
    assert np.sqrt(np.mean(ratios)) == pytest.approx(1, abs=0.15)


def test_it_grows_where_nothing_was_learned(model, water):
    far = molecule("H2O")
    usual = model.predict(water[0][60:61], return_std=True)[1].mean() / 48
    assert model.predict([far], return_std=True)[1].mean() / 3 > 3 * usual


@pytest.mark.parametrize("k", [0, 2])
def test_samples_spread_as_the_exact_posterior_does(water, k):
    frames, tensors, _ = water
    model = SymmetryAdaptedKernelRidge(**SMALL, regularization=1e-3).fit(frames[:15], tensors[:15])
    n = 15 * (2 * k + 1)
    parts = [model.feature_map_.transform(frames[start : start + 15]) for start in (0, 15)]
    known, asked = (part[k].reshape(n, -1) for part in parts)
    solution = model.solutions_[k]
    middle = np.linalg.inv(known @ known.T + solution.noise * np.eye(n))
    cross = asked @ known.T
    exact = np.diag(asked @ asked.T - cross @ middle @ cross.T)
    if k == 0:  # what is not known of the constant adds to it
        exact = exact + (1 - cross @ middle.sum(1)) ** 2 / middle.sum()
    sampled = np.var((asked @ model.coef_[k] + model.intercept_[k])[:, 1:], axis=1)
    assert np.mean(sampled) == pytest.approx(solution.prior_variance * np.mean(exact), rel=0.15)


def test_more_features_are_better(water):
    frames, tensors, _ = water
    errors = []
    for n in (5, 50, None):
        model = SymmetryAdaptedKernelRidge(**SMALL, n_features=n).fit(frames[:60], tensors[:60])
        found = model.predict(frames[60:110])
        errors.append(component_errors(tensors[60:110], found)["percent"][1])
    assert errors[0] > 1.3 * errors[1] and errors[1] > 0.9 * errors[2]
    model = SymmetryAdaptedKernelRidge(**SMALL, n_features=10_000).fit(frames[:5], tensors[:5])
    assert len(model.feature_map_.selection["O", 0]) == model.soap.n_features(0)


def test_it_is_a_scikit_learn_estimator(water):
    frames, tensors, _ = water
    model = SymmetryAdaptedKernelRidge(**SMALL, zeta={0: 1, 2: 2}, n_scalars=4, seed=3)
    copy = clone(model.set_params(sigma_A=0.5))
    assert copy.get_params() == model.get_params() and copy.sigma_A == 0.5
    scores = cross_val_score(copy, frames[:30], tensors[:30], cv=3)
    assert scores.shape == (3,) and np.all((scores > 0.5) & (scores < 1))
    search = GridSearchCV(copy, {"cutoff_A": [2.5, 4.0]}, cv=2).fit(frames[:20], tensors[:20])
    assert search.best_params_ == {"cutoff_A": 4.0}


def test_the_same_twice(water):
    frames, tensors, _ = water
    pair = [
        SymmetryAdaptedKernelRidge(**SMALL, n_features=30, n_jobs=jobs)
        .fit(frames[:30], tensors[:30])
        .predict(frames[:3], return_std=True)
        for jobs in (1, 2)
    ]
    np.testing.assert_allclose(pair[0], pair[1], rtol=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"regularization": 0}, "regularization=0 cannot be used.*above 0"),
        ({"regularization": {0: 1e-4, 2: -1.0}}, "regularization=-1.0"),
        ({"regularization": {0: 1e-4}}, "one for each λ"),
        ({"zeta": 3}, "zeta=3 cannot be used.*1 or 2"),
        ({"mixing": 0}, "mixing=0"),
        ({"n_scalars": 0}, "n_scalars=0"),
        ({"n_features": 0}, "n_features=0"),
        ({"cutoff_A": -1}, "cutoff_A=-1"),
        ({"n_jobs": 0}, "n_jobs=0 cannot be used.*at least 1"),
        ({"seed": -1}, "seed=-1"),
        ({"threshold": float("nan")}, "threshold=nan.*at least 0"),
    ],
)
def test_settings_that_make_no_sense(water, settings, message):
    with pytest.raises(ConfigError, match=message):
        SymmetryAdaptedKernelRidge(**settings).fit(water[0][:5], water[1][:5])


def test_frames_that_cannot_be_learned(water):
    frames, tensors, trajectories = water
    model = SymmetryAdaptedKernelRidge(**SMALL)
    for some, values, options, message in (
        (frames[:5], tensors[:4], {}, "4 tensors do not fit 5 frames"),
        (frames[:1], tensors[:1], {}, "1 frames are too few"),
        ([*frames[:2], molecule("NH3")], tensors[:3], {}, "Frame 3 holds N.*only H and O"),
        (frames[:5], tensors[:5], {"groups": trajectories[:4]}, "4 groups do not fit 5"),
        (frames[:5], tensors[:5], {"groups": ["a"] * 5}, "All frames are in one group"),
        (frames[:5], [None] * 5, {}, "frame 1 cannot be used.*9 numbers"),
        ([1, 2, 3], tensors[:3], {}, "Frame 1 is int.*ase.Atoms"),
        ([frames[0], *spoilt(frames[1])], tensors[:3], {}, "Frame 2 has a position or a cell"),
    ):
        with pytest.raises(DataError, match=message):
            model.fit(some, values, **options)


def spoilt(atoms):
    """Return copies with a position and with a cell that are no numbers."""
    copies = atoms.copy(), atoms.copy()
    copies[0].positions[3, 1] = np.nan
    copies[1].cell[2, 2] = np.inf
    return copies


def test_atoms_that_it_cannot_be_asked_about(model, water):
    for number, atoms in enumerate(spoilt(water[0][0])):
        with pytest.raises(DataError, match="Frame 2 has a position or a cell.*not a finite"):
            model.predict([water[0][number], atoms])
        with pytest.raises(DataError, match="Frame 1 has a position or a cell"):
            model.predict_centers(atoms)
    with pytest.raises(DataError, match="Frame 1 holds Na"):
        model.predict([Atoms("NaH", [[0, 0, 0], [0, 0, 1.5]])])
    with pytest.raises(DataError, match="There are no frames"):
        model.predict([])


def test_scorers_and_meta_estimators_of_scikit_learn(water):
    """Rows of nine numbers, as they need them; a list of frames or an array of objects."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import BaggingRegressor

    frames, flat = water[0][:12], water[1][:12].reshape(-1, 9)
    model = SymmetryAdaptedKernelRidge(**SMALL, n_jobs=None)
    scores = cross_val_score(model, frames, flat, cv=2, scoring="neg_root_mean_squared_error")
    own = model.fit(frames[6:], flat[6:]).predict(frames[:6])
    assert own.shape == (6, 9)
    expected = np.sqrt(np.mean((own - flat[:6]) ** 2, axis=0)).mean()
    assert scores[0] == pytest.approx(-expected)
    rmse = {"cv": 2, "scoring": "neg_root_mean_squared_error", "error_score": "raise"}
    with pytest.raises(ValueError, match="array with dim 3"):  # scikit-learn's own words
        cross_val_score(model, frames, flat.reshape(-1, 3, 3), **rmse)
    halved = TransformedTargetRegressor(model, func=lambda y: y / 2, inverse_func=lambda y: 2 * y)
    np.testing.assert_allclose(halved.fit(frames[6:], flat[6:]).predict(frames[:6]), own, rtol=1e-6)
    columns = frame_array(frames)
    bagging = BaggingRegressor(model, n_estimators=2, random_state=0).fit(columns, flat)
    assert bagging.predict(columns[:3]).shape == (3, 9)
    with pytest.raises(DataError, match=r"taken apart.*frame_array\(frames\)"):
        BaggingRegressor(model, n_estimators=2).fit(frames, flat)


@pytest.mark.parametrize(
    "form", ["matrices", "rows", "DataFrame", "shuffled", "Series", "generator"]
)
def test_one_shape_everywhere(water, form):
    frames, tensors = water[0][:8], water[1][:8]
    flat = pd.DataFrame(tensors.reshape(-1, 9), columns=list(CARTESIAN))
    given = {
        "matrices": tensors, "rows": tensors.reshape(-1, 9).tolist(), "DataFrame": flat,
        "shuffled": flat[list(CARTESIAN[::-1])], "Series": pd.Series(list(tensors)),
        "generator": (tensor for tensor in tensors),
    }[form]  # fmt: skip
    settings = {**SMALL, "regularization": 1e-3}
    some = (atoms for atoms in frames) if form == "generator" else frames
    model = SymmetryAdaptedKernelRidge(**settings).fit(some, given)
    rows = form in ("rows", "DataFrame", "shuffled")
    expected = SymmetryAdaptedKernelRidge(**settings).fit(frames, tensors).predict(frames[:2])
    predicted, std = model.predict(frames[:2], return_std=True)
    assert predicted.shape == std.shape == ((2, 9) if rows else (2, 3, 3))
    np.testing.assert_allclose(predicted.reshape(-1, 3, 3), expected, rtol=1e-10)
    np.testing.assert_allclose(model.predict(frames[0])[0], predicted[0])
    np.testing.assert_allclose(model.predict(frame_array(frames[:2])), predicted)
    if form != "generator":
        np.testing.assert_allclose(to_spherical(given)[2], to_spherical(tensors)[2])
        assert antisymmetric_rms(given) == pytest.approx(antisymmetric_rms(tensors))
        assert model.score(frames, given) == pytest.approx(model.score(frames, tensors))
        pd.testing.assert_frame_equal(
            component_errors(given, predicted.repeat(4, 0)),
            component_errors(tensors, predicted.repeat(4, 0)),
        )


def test_frames_in_any_form_and_one_frame(water):
    frames, tensors, _ = water
    frames, tensors = frames[:6], tensors[:6]
    model = SymmetryAdaptedKernelRidge(**SMALL).fit(frames, tensors)
    expected = model.predict(frames)
    for given in (
        (atoms for atoms in frames), frame_array(frames), pd.Series(frames, index=range(7, 13)),
        pd.DataFrame({"atoms": frames}),
    ):  # fmt: skip
        np.testing.assert_array_equal(model.predict(given), expected)
    np.testing.assert_array_equal(read_tensors(frames[0]), tensors[:1])
    _, parts = model.predict_centers(iter(frames[:1]))
    np.testing.assert_allclose(parts.sum(0), expected[0])
    with pytest.raises(DataError, match="2 frames cannot be shared out.*one frame"):
        model.predict_centers(frames[:2])


def test_nothing_changes(water):
    frames, tensors, _ = water
    model = SymmetryAdaptedKernelRidge(**SMALL)
    with pytest.raises(DataError, match="Nothing changes: the tensors are all the same"):
        model.fit(frames[:3], np.tile(tensors[0], (3, 1, 1)))
    model.fit(frames[:4], tensors[:4])
    for n in (1, 2):
        with pytest.raises(DataError, match=f"Nothing changes.*Found: {n} equal"):
            model.score(frames[:n], np.tile(tensors[0], (n, 1, 1)))
