"""Cartesian tensors and their spherical components."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from helpers.errors import DataError
from helpers.sagpr.tensors import (
    BASIS,
    CARTESIAN,
    antisymmetric_rms,
    as_tensors,
    check_tensors,
    read_tensors,
    to_cartesian,
    to_spherical,
)


@pytest.fixture
def symmetric():
    random = np.random.default_rng(0).normal(size=(20, 3, 3))
    return random + random.transpose(0, 2, 1)


def test_there_and_back(symmetric):
    np.testing.assert_allclose(to_cartesian(to_spherical(symmetric)), symmetric, atol=1e-14)


def test_lengths_are_kept(symmetric):
    parts = to_spherical(symmetric)
    length = sum(np.sum(part**2) for part in parts.values())
    assert length == pytest.approx(np.sum(symmetric**2), rel=1e-14)


def test_the_order_of_m_is_that_of_spherical_harmonics():
    direction = np.array([0.3, -0.5, 0.8])
    x, y, z = direction
    (found,) = to_spherical(np.outer(direction, direction)[None])[2]
    harmonics = [x * y, y * z, (3 * z**2 - direction @ direction) / np.sqrt(12), x * z]
    harmonics.append((x**2 - y**2) / 2)
    np.testing.assert_allclose(found, np.sqrt(2) * np.array(harmonics), atol=1e-15)


def test_components_are_those_of_featomic(symmetric):
    from featomic.clebsch_gordan import cartesian_to_spherical
    from metatensor import Labels, TensorBlock, TensorMap

    axes = [Labels([f"xyz_{k}"], np.arange(3)[:, None]) for k in (1, 2)]
    samples = Labels(["system"], np.arange(20)[:, None])
    block = TensorBlock(symmetric[..., None], samples, axes, Labels.single())
    theirs = cartesian_to_spherical(TensorMap(Labels.single(), [block]), ["xyz_1", "xyz_2"])
    mine = to_spherical(symmetric)
    for order in (0, 2):
        values = theirs.block({"o3_lambda": order}).values[..., 0]
        np.testing.assert_allclose(np.abs(values), np.abs(mine[order]), atol=1e-14)
        signs = np.sign(values / mine[order])
        assert np.all(signs == signs[0, 0])


def test_what_is_antisymmetric_is_reported_not_hidden(symmetric):
    twist = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 0.0]])
    assert antisymmetric_rms(symmetric) == 0
    assert antisymmetric_rms(symmetric + 0.3 * twist) == pytest.approx(0.3 * np.sqrt(2 / 9))
    np.testing.assert_allclose(to_spherical(symmetric + twist)[2], to_spherical(symmetric)[2])


def test_the_noise_of_dft_is_below_the_limit(water):
    frames, tensors, _ = water
    assert read_tensors(frames).shape == (200, 3, 3)
    assert 0 < antisymmetric_rms(tensors) < 0.004  # Å³, of an anisotropic part of 0.44


def test_a_rotation_mixes_each_lambda_within_itself(symmetric, rotation):
    turned = to_spherical(rotation @ symmetric @ rotation.T)
    np.testing.assert_allclose(turned[0], to_spherical(symmetric)[0], atol=1e-14)
    wigner = np.einsum("mij,ia,jb,nab->mn", BASIS[2], rotation, rotation, BASIS[2])
    np.testing.assert_allclose(turned[2], to_spherical(symmetric)[2] @ wigner.T, atol=1e-14)


def spoilt(value):
    tensors = [np.eye(3) * 20 + np.diag([0.5, -0.5, 0]) for _ in range(4)]
    tensors[2] = value
    return tensors


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (spoilt([1, 2, 3]), "'tensors' of frame 3 cannot.*9 numbers: xx xy.*Found: 3 numbers"),
        (spoilt("round"), "of frame 3 cannot be used.*9 numbers.*Found: text, 'round'"),
        (spoilt([np.nan] * 9), "of frame 3 cannot be used: not all numbers are finite"),
        (spoilt([20, 1, 0, -1, 20, 0, 0, 0, 20]), "frame 3 is not symmetric.*order of its 9"),
        ([np.eye(3)] * 3, "3 tensors do not fit 4 frames"),
        (spoilt(np.eye(3) + 0j), r"of frame 3 cannot be used.*9 numbers.*complex numbers"),
        (spoilt(["20"] * 9), r"frame 3 cannot be used.*text"),
        (spoilt(np.eye(3) > 0), r"frame 3 cannot be used.*True and False"),
        (spoilt([20, 20, 20, 0, 0, 0]), r"frame 3 cannot.*6 numbers.*order of six"),
        (spoilt(np.ma.masked_equal(np.eye(3), 1)), "3 numbers of it masked"),
        (spoilt([20, 0, 0, 0, 20, 0, 0, 0, None]), "frame 3 cannot be used.*9 numbers"),
        (spoilt(np.array([20] * 8 + [True], object)), "frame 3 cannot be used.*9 numbers"),
        (spoilt([[20, 0, 0], [0, 20], [0]]), "frame 3 cannot be used.*9 numbers"),
        (spoilt(np.eye(3)[None]), r"9 numbers of shape \(1, 3, 3\)"),
        (np.float64(3.0), "'tensors' cannot be used.*9 numbers"),
        (csr_array(np.ones((4, 9))), "'tensors' cannot be used.*9 numbers.*sparse"),
        ("four", "'tensors' cannot be used.*9 numbers.*'four'"),
        ({1.0, 2.0, 3.0, 4.0}, "'tensors' cannot be used.*9 numbers"),
    ],
)
def test_what_is_no_polarizability_is_refused(tensors, message):
    with pytest.raises(DataError, match=message):
        check_tensors(tensors, 4)


def test_whole_numbers_are_numbers_and_objects_are_not():
    whole = np.diag([20, 21, 22])
    for given in (whole[None], [whole.ravel().tolist()], whole):
        np.testing.assert_array_equal(check_tensors(given, 1), whole[None].astype(float))
    with pytest.raises(DataError, match="of frame 1 cannot be used.*objects of type object"):
        check_tensors(np.array([whole], object), 1)


def test_rows_of_a_table_are_read_by_name():
    table = pd.DataFrame(np.arange(18.0).reshape(2, 9), columns=list(CARTESIAN))
    rows = [row for _, row in table[list(CARTESIAN[::-1])].iterrows()]
    np.testing.assert_array_equal(as_tensors(rows), np.arange(18.0).reshape(2, 3, 3))
    np.testing.assert_array_equal(as_tensors(rows[1]), np.arange(9.0, 18.0).reshape(1, 3, 3))


def test_a_missing_or_misnamed_property(water):
    frames = water[0][:3]
    with pytest.raises(DataError, match="Frame 1 has no 'polarizability'.*Polarizability"):
        read_tensors(frames, "polarizability")
    del frames[1].info["Polarizability"]
    with pytest.raises(DataError, match="Frame 2 has no 'Polarizability'.*first 200"):
        read_tensors(frames)
