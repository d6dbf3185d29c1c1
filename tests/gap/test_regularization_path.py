"""Many sigmas from one K_NM: the same models as gap_fit makes, without gap_fit."""

import numpy as np
import pytest

from helpers import fit_gap, load_frames, load_potential
from helpers.errors import ConfigError, DataError
from helpers.gap.jax.design_matrix import design_matrix
from helpers.gap.jax.training import train
from helpers.gap.regularization_path import sigma_family
from helpers.gap.xml import read_model, replace_weights, write_model


@pytest.fixture(scope="module")
def unseen():
    return load_frames("water", "validate")[::20]


@pytest.fixture(scope="module")
def family(tiny_fit, _frames10):
    return sigma_family(tiny_fit.model_path, _frames10)


def differences(first, second, frames):
    """Largest differences of two sets of weights: eV per atom, eV/Å."""
    design = design_matrix(first, frames)
    change = np.concatenate(
        [a.alpha - b.alpha for a, b in zip(first.terms, second.terms, strict=True)]
    )
    n_atoms = [len(atoms) for atoms in frames]
    return abs(design.energies @ change / n_atoms).max(), abs(design.forces @ change).max()


def test_at_the_sigmas_of_gap_fit_it_is_the_model_of_gap_fit(family, tiny_fit, unseen):
    sigmas = tiny_fit.config.default_sigma[:2]
    energy, force = differences(family.model(*sigmas), read_model(tiny_fit.model_path), unseen)
    assert energy < 1e-8 and force < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("n_frames", "sigmas"), [(10, (2e-4, 5e-3)), (2, (0.1, 1.0))])
def test_at_other_sigmas_too_also_with_fewer_labels_than_sparse_points(
    tmp_path, tiny_config, frames10, unseen, n_frames, sigmas
):
    frames, made = frames10[:n_frames], []
    for name, pair in {"one": (0.001, 0.02), "other": sigmas}.items():
        config = tiny_config.replace(default_sigma=(*pair, 0.0, 0.0), n_sparse=30)
        fit_gap(config, frames, output=tmp_path / f"{name}.xml", progress=False)
        made.append(read_model(tmp_path / f"{name}.xml"))
    family = sigma_family(made[0], frames, sparse_jitter=tiny_config.sparse_jitter)
    energy, force = differences(family.model(*sigmas), made[1], unseen)
    assert energy < 1e-8 and force < 1e-6
    assert differences(made[0], made[1], unseen)[1] > 1e-3, "the sigmas make no difference"


def test_a_model_can_be_written_and_quippy_loads_it(tmp_path, family, unseen):
    model = family.model(0.01, 0.1)
    path = write_model(model, tmp_path / "again.xml")
    weights = np.concatenate([term.alpha for term in read_model(path).terms])
    assert np.array_equal(weights, family.weights(0.01, 0.1))
    assert "default_sigma={0.01 0.1 0 0}" in read_model(path).command_line
    design = design_matrix(model, unseen[:1])
    atoms = unseen[0].copy()
    atoms.calc = load_potential(path, engine="quippy")
    assert np.allclose(atoms.get_forces().ravel(), design.forces @ weights, rtol=0, atol=1e-8)


def test_weights_in_a_text_of_a_model_can_be_replaced(tmp_path, family):
    template = write_model(family.template, tmp_path / "template.xml").read_text()
    model = family.model(0.01, 0.1)
    expected = write_model(model, tmp_path / "again.xml").read_text()
    assert replace_weights(template, model) == expected != template


def test_many_energy_sigmas_at_once(family):
    along = family.weights_along(np.array([1e-4, 1e-2]), 0.02)
    for column, sigma in zip(along.T, (1e-4, 1e-2), strict=True):
        assert np.allclose(column, family.weights(sigma, 0.02), rtol=1e-9)


@pytest.mark.parametrize("sigmas", [(0, 0.1), (0.001, -1), (float("nan"), 1), ("small", 1)])
def test_sigmas_must_be_above_zero(family, sigmas):
    with pytest.raises(ConfigError, match="sigma_.*cannot be used. Expected: a number above 0"):
        family.weights(*sigmas)


@pytest.mark.slow
def test_settings_are_enough(tiny_config, frames10, unseen):
    """Without gap_fit: the model for some sigmas is the one that the kit's engine trains."""
    family = sigma_family(tiny_config, frames10)
    config = tiny_config.replace(default_sigma=(0.01, 0.1, 0.0, 0.0))
    alone = train(config, frames10).model
    energy, force = differences(family.model(0.01, 0.1), alone, unseen)
    assert energy < 1e-8 and force < 1e-6
    by_type = config.replace(config_type_sigma={"ice": (0.1, 0.1, 0.0, 0.0)})
    with pytest.raises(ConfigError, match="A family .*Found: config_type_sigma=.*helpers.sweep"):
        sigma_family(by_type, frames10)


def test_virials_have_no_place_in_a_family(tiny_config, frames10):
    frames10[3].info["virial"] = np.eye(3)
    with pytest.raises(DataError, match="The frames hold virials.*Fix: delete"):
        sigma_family(tiny_config, frames10)


def test_frames_without_labels_are_refused(tiny_fit, frames10):
    del frames10[4].arrays["dft_forces"]
    with pytest.raises(DataError, match="Frame 5 .* has no 'dft_forces'"):
        sigma_family(tiny_fit.model_path, frames10)


def test_a_jitter_that_is_too_small_is_named(tiny_fit, frames10):
    with pytest.raises(ConfigError, match="sparse_jitter=-1.0 cannot be used"):
        sigma_family(tiny_fit.model_path, frames10[:1], sparse_jitter=-1.0)
