"""Config files of other writers: gap_fit trains with them as they are, the kit means the same.

Each test writes a config file, lets gap_fit itself train with it, and compares: the kit's engines
with quippy on the model, and the terms of the model with those that the kit reads from the file.
"""

import itertools
import warnings
from dataclasses import replace

import jax
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_fits import check_engines, small_frames, train_as_written

from helpers import GapConfig, fit_gap, load_potential
from helpers.errors import ConfigError, UnsupportedModelError
from helpers.gap.jax.terms import term_settings
from helpers.gap.xml import read_model

FRAMES = small_frames()
TOP = {
    "atoms_filename": "frames.xyz",
    "default_sigma": "{0.01 0.1 0.0 0.0}",
    "e0": "{H:-3.5:O:-7.25}",
    "energy_parameter_name": "dft_energy",
    "force_parameter_name": "dft_forces",
    "sparse_jitter": "1e-8",
    "do_copy_atoms_file": "F",
    "sparse_separate_file": "F",
    "gap_file": "gap.xml",
    "rnd_seed": "1",
}
SOAP = {
    "cutoff": "3.1",
    "cutoff_transition_width": "1.0",
    "atom_sigma": "0.4",
    "n_max": "2",
    "l_max": "1",
    "n_sparse": "4",
    "delta": "0.8",
    "covariance_type": "dot_product",
    "zeta": "2",
    "sparse_method": "cur_points",
    "add_species": "T",
    "central_weight": "0.5",
    "basis_error_exponent": "8",
    "f0": "0.0",
    "normalise": "T",
    "nu_R": "2",
    "radial_basis": "EQUISPACED_GAUSS",
}
PAIR = {
    "cutoff": "4.0",
    "cutoff_transition_width": "1.5",
    "n_sparse": "4",
    "delta": "0.5",
    "theta_uniform": "0.6",
    "covariance_type": "ard_se",
    "sparse_method": "uniform",
    "add_species": "T",
}
MANDATORY = {"atoms_filename", "default_sigma", "e0", "cutoff", "atom_sigma", "n_max", "l_max"}
MANDATORY |= {"n_sparse", "delta", "covariance_type", "zeta", "theta_uniform"}


@pytest.fixture(autouse=True)
def not_compiled():
    """Each config has code of its own, whose compilation would take most of the time."""
    with jax.disable_jit():
        yield


def written(top=TOP, soap=SOAP, pair=PAIR):
    lines = [f"{key}={value}" for key, value in top.items()]
    terms = {"distance_2b": pair, "soap": soap}
    parts = [" ".join([k, *map("=".join, v.items())]) for k, v in terms.items() if v is not None]
    return "\n".join([*lines, "gap={" + " : ".join(parts) + "}"]) + "\n"


def without(options, *keys):
    return {key: value for key, value in options.items() if key not in keys}


# One key of each part at a time: what is assumed for one part says nothing about another.
PARTS = (TOP, SOAP, PAIR)
OPTIONAL = [[key for key in part if key not in MANDATORY] for part in PARTS]
ABSENT = [tuple([key] for key in keys) for keys in itertools.zip_longest(*OPTIONAL, fillvalue="")]
ABSENT.append(tuple(OPTIONAL))


def check_meaning(text, folder, engines=("jax", "quippy"), like_written=True):
    """Train with a config, compare engines, and compare with what the kit reads it as."""
    model = train_as_written(text, folder / "written")
    check_engines(model, FRAMES[:1], engines)
    config = GapConfig.from_cfg(text)
    fit = fit_gap(config, folder / "written/frames.xyz", output=folder / "kit.xml", progress=False)
    if not like_written:
        return config
    ours, theirs = read_model(fit.model_path), read_model(model)
    assert ours.e0 == theirs.e0
    assert sorted(map(meaning, ours.terms)) == sorted(map(meaning, theirs.terms))
    return config


def meaning(term):
    """Return what a term is, but for sparse points, which random numbers choose.

    With theta_fac gap_fit takes theta from the range of the sparse points, so it is random, too.
    """
    settings, factor = term_settings(term), term.options.get("theta_fac", "")
    if factor:
        settings = replace(settings, theta_A=float(factor))
    numbers = (term.delta, term.zeta or 0.0, *term.sparse_points.shape)
    return term.kind, repr(settings), term.options.get("Z", ""), numbers


@pytest.mark.slow
@pytest.mark.parametrize("keys", ABSENT, ids=lambda keys: " ".join(sum(keys, [])))
def test_an_absent_key_means_what_gap_fit_assumes(tmp_path, keys):
    parts = [without(part, *absent) for part, absent in zip(PARTS, keys, strict=True)]
    check_meaning(written(*parts), tmp_path)


@pytest.mark.parametrize("key", sorted(MANDATORY - {"e0", "atoms_filename"}))
def test_a_key_without_a_default_is_demanded_by_name(key):
    pair = without(PAIR, key) if key == "theta_uniform" else None
    text = written(without(TOP, key), without(SOAP, key), pair)
    with pytest.raises(ConfigError, match=f"has no {key}"):
        GapConfig.from_cfg(text)


HANDOUT = """atoms_filename=frames.xyz
  gap={
  soap
  cutoff=5.0
  atom_sigma=0.3
  l_max=6
  n_max=4
  n_sparse=8000
  delta=1.0
  covariance_type=dot_product
  zeta=2
  }
 default_sigma={0.01 0.5 0.0 0.0}
 e0={H:-13.537635:O:-430.0}
 sparse_jitter=1.0e-8
 sparse_separate_file=F
 gp_file=gap.xml
"""
ONE_LINE = " ".join(f"{k} = {v}" for k, v in TOP.items())
WORDS = "soap cutoff=3.1 atom_sigma=0.4 n_max=2 l_max=1 n_sparse=4 delta=0.8 zeta=2 "
WORDS += "covariance_type=dot_product"
FORMS = {
    "gap in double quotes": f'{ONE_LINE} gap = "{WORDS}"',
    "gap in single quotes": f"gap='{WORDS}' {ONE_LINE}",
    "commas": f"{ONE_LINE.replace(' = ', '=').replace('.xyz ', '.xyz, ')}, gap={{{WORDS}}}",
    "a comment in gap": f"{ONE_LINE}\ngap={{soap # radius, angstrom\n {WORDS[5:]} ! the end\n}}",
    "the kind last": f"{ONE_LINE} gap={{{WORDS[5:]} soap}}",
    "upper case": f"{ONE_LINE} gap={{{WORDS.upper()}}}",
    "lower case, a bare logical": f"{ONE_LINE} gap={{{WORDS} add_species}}".replace("= F", "= f"),
    "semicolon and braces": f"{ONE_LINE} gap={{{{{WORDS}}} ; {{{WORDS.replace('3.1', '2.6')}}}}}",
    "old names": f"{ONE_LINE} gap={{{WORDS.replace('delta', 'energy_scale')}}}".replace(
        "gap_file", "gp_file"
    ).replace("atoms_filename", "at_file"),
    "a power that is not whole, Fortran numbers": f"{ONE_LINE} "
    f"gap={{{WORDS.replace('zeta=2', 'zeta=2.5').replace('=0.4', '=4.0d-1')}}}",
    "one energy for all atoms": f"{ONE_LINE.replace('{H:-3.5:O:-7.25}', '-4.5')} gap={{{WORDS}}}",
    "e0 and a method": f"{ONE_LINE} e0_method=average gap={{{WORDS}}}",
    "the average": f"{ONE_LINE} gap={{{WORDS}}}".replace(
        "e0 = {H:-3.5:O:-7.25}", "e0_method=AVERAGE"
    ),
    "a prefix": f"{ONE_LINE.replace('dft_', '')} parameter_name_prefix=dft_ gap={{{WORDS}}}",
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore:.*as in gap_fit", "ignore:.*gap_fit ignores the word")
def test_a_config_of_another_writer_is_read_as_gap_fit_reads_it(tmp_path, form):
    check_meaning(FORMS[form], tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*more than the .* to choose from")
def test_the_handouts_config(tmp_path):
    """A model without cutoff_transition_width, at the handout's size."""
    with jax.disable_jit(False):  # so many shapes of arrays take longer one by one
        config = check_meaning(HANDOUT, tmp_path)
    assert config.cutoff_transition_width == 0.5 and config.sparse_method == "random"
    assert config.energy_parameter_name == "energy" and config.do_copy_atoms_file


ONLY_QUIPPY = {
    "angle_3b": (
        "angle_3b cutoff=3.0 n_sparse=5 delta=0.1 theta_uniform=0.5 covariance_type=gaussian",
        "angle_3b",
    ),
    "pair of chosen elements, any others": (
        "distance_2b Z1=8 cutoff=4.0 n_sparse=4 delta=0.5 theta_uniform=0.6 "
        "covariance_type=ard_se add_species=F",
        "every element .Z2=0",
    ),
    "powers of the distance": (
        "distance_2b cutoff=4.0 n_sparse=4 delta=0.5 theta_uniform=0.6 n_exponents=2 "
        "covariance_type=ard_se",
        "n_exponents=2",
    ),
    "another radial basis": (f"{WORDS} radial_basis=POLY", "radial_basis=POLY"),
    "one channel for all elements": (f"{WORDS} add_species=F", "every element"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ONLY_QUIPPY)
def test_what_jax_cannot_evaluate_goes_to_quippy_with_one_line(tmp_path, name):
    term, message = ONLY_QUIPPY[name]
    text = f"{ONE_LINE} gap={{{term} : {WORDS}}}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = check_meaning(text, tmp_path, engines=("quippy",), like_written=False)
    assert config.other_terms or config.further_soap_keys
    model = tmp_path / "kit.xml"
    with pytest.warns(UserWarning, match=f"kit.xml is evaluated with quippy: .*{message}"):
        assert load_potential(model).engine == "quippy"
    with pytest.raises(UnsupportedModelError, match=message):
        load_potential(model, engine="jax")
    with pytest.raises(ConfigError, match="what only gap_fit trains"):
        fit_gap(config, FRAMES, output=tmp_path / "jax.xml", engine="jax", progress=False)


def test_pairs_of_chosen_elements_are_evaluated_by_both_engines(tmp_path):
    pair = "distance_2b Z1=8 Z2=1 cutoff=4.0 n_sparse=4 delta=0.5 theta_uniform=0.6 "
    pair += "covariance_type=ard_se add_species=F"
    check_meaning(f"{ONE_LINE} gap={{{pair} : {WORDS}}}", tmp_path)


def test_a_config_without_soap(tmp_path):
    config = check_meaning(written(TOP, None, without(PAIR, "cutoff_transition_width")), tmp_path)
    assert not config.soap and GapConfig.from_cfg(config.to_cfg()) == config
    with pytest.raises(ConfigError, match="cutoff=3.0 cannot be used.*soap=False"):
        config.replace(cutoff=3.0)


numbers = st.sampled_from([2.6, 3.1])


@st.composite
def soap_terms(draw):
    """A soap term: some optional keys, in any order and spelling."""
    n_max, l_max = draw(st.sampled_from([(2, 1), (3, 2)]))
    options = {
        "cutoff": draw(numbers),
        draw(st.sampled_from(["atom_sigma", "atom_gaussian_width"])): draw(
            st.sampled_from([0.35, 0.5])
        ),
        "n_max": n_max,
        "l_max": l_max,
        "n_sparse": draw(st.integers(2, 5)),
        draw(st.sampled_from(["delta", "energy_scale"])): draw(st.sampled_from([0.5, "1.0d0"])),
        "covariance_type": draw(st.sampled_from(["dot_product", "DOT_PRODUCT"])),
        draw(st.sampled_from(["zeta", "soap_exponent"])): draw(st.sampled_from([1, 2, 3, 4, 1.5])),
    }
    optional = {
        "cutoff_transition_width": st.sampled_from([0.5, 0.9]),
        "sparse_method": st.sampled_from(["random", "cur_points", "CUR_COVARIANCE"]),
        "central_weight": st.sampled_from([0.5, 1.0]),
        "basis_error_exponent": st.sampled_from([8, 10.0]),
        "add_species": st.sampled_from(["T", "true", "TRUE"]),
        "normalise": st.just("T"),
    }
    return draw(_term("soap", options, optional))


@st.composite
def pair_terms(draw):
    """A pair term: some optional keys, in any order, for all elements or for two."""
    options = {
        "cutoff": draw(st.sampled_from([3.5, 4.5])),
        "n_sparse": draw(st.integers(2, 5)),
        "delta": 0.5,
        "covariance_type": draw(st.sampled_from(["ard_se", "gaussian", "ARD_SE"])),
        **draw(st.sampled_from([{"theta_uniform": 0.6}, {"theta_fac": 0.4}])),
        **draw(st.sampled_from([{}, {"add_species": "F", "Z1": 1, "Z2": 8}])),
    }
    optional = {
        "cutoff_transition_width": st.sampled_from([0.5, 1.5]),
        "sparse_method": st.sampled_from(["random", "uniform"]),
    }
    return draw(_term("distance_2b", options, optional))


@st.composite
def _term(draw, kind, options, optional):
    for name in draw(st.sets(st.sampled_from(sorted(optional)))):
        options[name] = draw(optional[name])
    words = draw(st.permutations([kind, *(f"{k}={v}" for k, v in options.items())]))
    return draw(st.sampled_from([" ", "  ", ", "])).join(words)


@st.composite
def config_texts(draw):
    """A config that gap_fit accepts, in one of the ways in which people write them."""
    terms = [*draw(st.lists(pair_terms(), max_size=2)), *draw(st.lists(soap_terms(), max_size=2))]
    terms = terms or [draw(soap_terms())]
    top = {
        "atoms_filename": "frames.xyz",
        "default_sigma": draw(st.sampled_from(["{0.01 0.1 0 0}", '"0.05, 0.2, 0.0, 0.0"'])),
        **draw(
            st.sampled_from([{"e0": "{H:-3.5:O:-7.25}"}, {"e0": "-2.0"}, {"e0_method": "average"}])
        ),
        **draw(st.sampled_from([{}, {"energy_parameter_name": "dft_energy"}])),
        **draw(st.sampled_from([{}, {"sparse_jitter": "1e-8"}])),
        **draw(
            st.sampled_from([{}, {"sparse_separate_file": "F"}, {"do_copy_atoms_file": "false"}])
        ),
        **draw(st.sampled_from([{}, {"gap_file": "gap.xml"}, {"gp_file": "other.xml"}])),
    }
    joined = draw(st.sampled_from([" : ", ":", " ; "])).join(terms)
    opening, closing = draw(st.sampled_from([("{", "}"), ('"', '"'), ("{\n", "\n}")]))
    parts = [*(f"{k}={v}" for k, v in top.items()), f"gap={opening}{joined}{closing}"]
    return draw(st.sampled_from(["\n", " ", "\n\n"])).join(draw(st.permutations(parts))) + "\n"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*as in gap_fit")
@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(text=config_texts())
def test_whatever_gap_fit_accepts_the_kit_reads_and_evaluates(tmp_path_factory, text):
    check_meaning(text, tmp_path_factory.mktemp("config"))
