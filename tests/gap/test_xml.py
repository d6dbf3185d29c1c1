"""gap.xml → numbers → gap.xml: nothing is lost, and quippy sees the same potential."""

import dataclasses

import numpy as np
import pytest

from helpers import load_potential
from helpers.errors import ModelFileError, UnsupportedModelError
from helpers.gap.xml import read_model, write_model


@pytest.fixture(scope="module")
def model(tiny_fit):
    return read_model(tiny_fit.model_path)


def test_a_model_holds_what_it_was_trained_with(model, tiny_config):
    assert model.elements == ("H", "O")
    assert [term.kind for term in model.terms] == ["distance_2b"] * 3 + ["soap"] * 2
    assert model.n_sparse == 3 * tiny_config.two_body.n_sparse + 2 * tiny_config.n_sparse
    assert model.cutoff_A == tiny_config.two_body.cutoff
    soap = model.terms[-1]
    channels = 2 * tiny_config.n_max
    n_dimensions = channels * (channels + 1) // 2 * (tiny_config.l_max + 1) + 1
    assert soap.sparse_points.shape == (tiny_config.n_sparse, n_dimensions)
    assert soap.zeta == tiny_config.zeta and soap.delta == tiny_config.delta
    assert np.allclose(np.linalg.norm(soap.sparse_points, axis=1), 1.0)
    assert model.terms[0].theta == tiny_config.two_body.theta_uniform
    assert set(model.e0) == {1, 8} and "atoms_filename=train.xyz" in model.command_line


@pytest.mark.parametrize("separate_files", [False, True])
def test_written_and_read_back_every_number_is_the_same(model, tmp_path, separate_files):
    again = read_model(write_model(model, tmp_path / "g.xml", separate_files=separate_files))
    assert (again.label, again.e0, again.command_line) == (
        model.label,
        model.e0,
        model.command_line,
    )
    for old, new in zip(model.terms, again.terms, strict=True):
        for field in dataclasses.fields(old):
            assert np.array_equal(getattr(old, field.name), getattr(new, field.name)), field.name


def test_quippy_reads_what_is_written_as_the_same_potential(model, tiny_fit, tmp_path, frames10):
    from quippy.potential import Potential

    write_model(model, tmp_path / "g.xml")
    answers = []
    for path in (tiny_fit.model_path, tmp_path / "g.xml"):  # as gap_fit, and as we wrote it
        atoms = frames10[0].copy()
        atoms.calc = Potential("", param_filename=str(path))
        answers.append((atoms.get_potential_energy(), atoms.get_forces()))
    atoms = frames10[0].copy()
    atoms.calc = load_potential(tiny_fit.model_path, engine="quippy")
    answers.append((atoms.get_potential_energy(), atoms.get_forces()))
    for energy, forces in answers[1:]:
        assert energy == answers[0][0] and np.array_equal(forces, answers[0][1])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<descriptor> soap", "<descriptor> angle_3b"),
        ('do_core="F"', 'do_core="T"'),
        ('covariance_type="2"', 'covariance_type="3"'),
        ('n_permutations="1"', 'n_permutations="2"'),
    ],
)
def test_what_the_kit_does_not_know_is_refused_by_name(tiny_fit, tmp_path, old, new):
    text = tiny_fit.model_path.read_text()
    assert old in text
    (tmp_path / "g.xml").write_text(text.replace(old, new, 1))
    with pytest.raises(UnsupportedModelError, match="quippy"):
        read_model(tmp_path / "g.xml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('n_coordinate="5"', 'n_coordinate="6"', "5 of 6 terms"),
        ('n_sparseX="35"', 'n_sparseX="36"', "35 of 36 sparse points"),
        ("cutoff=7.5", "cutoff=six", "cutoff of its distance_2b term is not a number"),
        ('signal_variance=".5', 'signal_variance="x.5', "signal_variance of <gpCoordinates>"),
        ("<theta>", "<theta>nan ", "theta is not"),
        ("GAP_params label=", "GAP_params lable=", "labels do not agree"),
        ('dimensions="1"', 'dimensions="2"', "numbers, not 35 × 2"),
        ("<GAP_data", "<GAP_dato", "whole XML"),
    ],
)
def test_damage_is_named(tiny_fit, tmp_path, old, new, message):
    text = tiny_fit.model_path.read_text()
    assert old in text
    (tmp_path / "g.xml").write_text(text.replace(old, new, 1))
    with pytest.raises(ModelFileError, match=message):
        read_model(tmp_path / "g.xml")
