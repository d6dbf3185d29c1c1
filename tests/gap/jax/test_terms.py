"""What JAX does not know is refused by name, with quippy suggested."""

from dataclasses import replace

import pytest

from helpers.errors import UnsupportedModelError
from helpers.gap.jax.terms import PairSettings, SoapSettings, term_settings, unsupported_reason
from helpers.gap.xml import read_model


@pytest.fixture
def model(smallest_fit):
    return read_model(smallest_fit.model_path)


def term_of(model, kind):
    return next(term for term in model.terms if term.kind == kind)


def with_option(term, name, value):
    return replace(term, options={**term.options, name: value})


def test_settings_are_those_of_the_file(model):
    soap = term_settings(term_of(model, "soap"))
    assert isinstance(soap, SoapSettings)
    assert (soap.n_max, soap.l_max, soap.species) == (3, 2, (8, 1))
    assert soap.n_components == term_of(model, "soap").sparse_points.shape[1] - 1
    pair = term_settings(term_of(model, "distance_2b"))
    assert isinstance(pair, PairSettings) and pair.theta_A == 0.5
    assert unsupported_reason(model) == ""


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("soap", "average", "T"),
        ("soap", "diagonal_radial", ".true."),
        ("soap", "radial_basis", "POLY"),
        ("soap", "cutoff_dexp", "2"),
        ("soap", "something_new", "1"),
        ("distance_2b", "only_intra", "T"),
        ("distance_2b", "n_exponents", "2"),
    ],
)
def test_an_option_that_changes_the_formulas_is_refused_by_name(model, kind, name, value):
    term = with_option(term_of(model, kind), name, value)
    with pytest.raises(UnsupportedModelError, match=f"{name}={value}.*Fix: use engine='quippy'"):
        term_settings(term)
    assert name in unsupported_reason(replace(model, terms=(term,)))


@pytest.mark.parametrize("value", ["F", "f", "false", ".false."])
def test_an_option_with_its_usual_value_is_not(model, value):
    term_settings(with_option(term_of(model, "soap"), "average", value))


def test_another_descriptor_is_refused_by_name(model):
    term = replace(model.terms[0], kind="angle_3b")
    with pytest.raises(UnsupportedModelError, match="angle_3b.*quippy"):
        term_settings(term)


def test_a_model_that_was_not_understood_is_for_quippy():
    assert "does not know" in unsupported_reason(None)
