"""Farthest-point sampling of features."""

import numpy as np

from helpers.sagpr.feature_map import farthest_point_sampling


def test_each_column_is_the_farthest_from_those_before():
    values = np.random.default_rng(0).normal(size=(40, 12)) * np.arange(1, 13)
    found = farthest_point_sampling(values.T @ values, 6)
    assert found[0] == np.linalg.norm(values, axis=0).argmax()
    for k in range(1, 6):
        taken, others = found[:k], np.setdiff1d(np.arange(12), found[:k])
        away = [np.linalg.norm(values[:, [j]] - values[:, taken], axis=0).min() for j in others]
        assert found[k] == others[np.argmax(away)]
    np.testing.assert_array_equal(farthest_point_sampling(values.T @ values, 3), found[:3])


def test_copies_are_not_taken():
    values = np.random.default_rng(0).normal(size=(40, 5))
    values = np.hstack([values, values[:, :3]])
    found = farthest_point_sampling(values.T @ values, 8)
    assert sorted(k % 5 for k in found) == [0, 1, 2, 3, 4]


def test_the_selection_does_not_depend_on_the_orientation(water, turned):
    from helpers.sagpr.feature_map import FeatureMoments
    from helpers.sagpr.lambda_soap import LambdaSoap, environments

    settings, atoms = LambdaSoap(n_max=3, l_max=2), water[0][0]
    selections = [
        farthest_point_sampling(FeatureMoments.of(oxygens).products, 15)
        for oxygens in (
            environments([rotated], settings, [2])["O", 2] for rotated in (atoms, turned(atoms))
        )
    ]
    np.testing.assert_array_equal(*selections)
