"""GapConfig and its text form: exact round trips, and every mistake named with the right key."""

import copy
import pickle
import subprocess
from pathlib import Path

import pytest

from helpers import GapConfig, TwoBody
from helpers.errors import ConfigError, OutputError
from helpers.gap import Soap
from helpers.gap.process import find_gap_fit

WORKSHOP = Path(__file__).parents[2] / "workshop"


@pytest.mark.parametrize(
    "config",
    [
        GapConfig(),
        GapConfig.accurate(),
        GapConfig(two_body=None),
        GapConfig(e0_method=None, e0={"O": -432.5, "H": -13.25}),
        GapConfig(default_sigma=(1 / 3, 1e-7, 0, 0), sparse_jitter=0.1 + 0.2),
        GapConfig(two_body=TwoBody(cutoff=6.5, n_sparse=30), sparse_separate_file=True),
        GapConfig(config_type_sigma={"liquid": (0.002, 1 / 3, 0.05, 0), "ice_Ih": (1e-4, 1, 0, 0)}),
        GapConfig(more_terms=(Soap(cutoff=5.0, n_max=3), TwoBody(3.0), Soap(delta=0.1))),
        GapConfig(atoms_filename="my frames/ä 1.xyz", gap_file="a b.xml", rnd_seed=7),
    ],
    ids=[
        "default",
        "accurate",
        "soap only",
        "e0",
        "digits",
        "pairs",
        "config types",
        "more terms",
        "names",
    ],
)
def test_written_and_read_back_it_is_the_same(tmp_path, config):
    path = config.write(tmp_path / "gap_config.cfg")
    assert GapConfig.read(path) == config
    assert pickle.loads(pickle.dumps(config)) == config == copy.deepcopy(config)


def test_the_workshops_config_is_the_default_preset():
    shipped = GapConfig.read(WORKSHOP / "gap_config.cfg")
    assert shipped == GapConfig(atoms_filename="../data/water/gap_input_100.xyz")
    assert (WORKSHOP / "gap_config.cfg").read_text() == shipped.to_cfg()


def test_presets_differ_in_size():
    assert GapConfig().atoms_filename == "gap_input_100.xyz"
    assert GapConfig.accurate().atoms_filename == "gap_input_400.xyz"


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", " ").strip(),
        lambda text: text.replace("=", " = "),
        lambda text: "\n\n" + text.replace("\n", "\n\n"),
        lambda text: text.replace("default_sigma", "DEFAULT_SIGMA").replace("cutoff", "Cutoff"),
        lambda text: text.replace("atoms_filename", "at_file").replace("gap_file", "gp_file"),
        lambda text: text.replace("default_sigma", "default_kernel_regularisation"),
        lambda text: text.replace("{0.001 0.02 0 0}", '"1.0d-3 0.02 0 0"'),
        lambda text: text.replace("=F", "=false").replace("add_species=T ", ""),
        lambda text: text.replace("gap.xml", "'gap.xml'"),
    ],
    ids=["crlf", "one line", "spaces", "blank", "case", "old", "new", "quotes", "logicals", "'"],
)
def test_every_form_that_gap_fit_accepts_is_read(edit):
    text = GapConfig(default_sigma=(0.001, 0.02, 0, 0)).to_cfg()
    assert edit(text) != text
    assert GapConfig.from_cfg(edit(text)) == GapConfig(default_sigma=(0.001, 0.02, 0, 0))


def test_what_is_absent_takes_gap_fits_own_value():
    config = GapConfig.from_cfg(
        "atoms_filename=a.xyz default_sigma={0.001 0.02 0 0} gap={soap atom_sigma=0.4 l_max=3 "
        "n_max=4 cutoff=3.2 delta=0.2 covariance_type=dot_product zeta=2 n_sparse=50 "
        "sparse_method=random}"
    )
    assert (config.energy_parameter_name, config.force_parameter_name) == ("energy", "force")
    assert (config.e0_method, config.gap_file, config.sparse_jitter) == (
        "isolated",
        "gap_new.xml",
        1e-10,
    )
    assert config.sparse_separate_file and config.do_copy_atoms_file and config.two_body is None


@pytest.mark.slow
def test_gap_fit_assumes_what_we_say_it_assumes(tmp_path, frames10):
    from ase.io import write

    from helpers.gap.cfg import GAP_FIT_DEFAULTS

    write(tmp_path / "a.xyz", frames10[:1], format="extxyz")
    (tmp_path / "bare.cfg").write_text(
        "atoms_filename=a.xyz default_sigma={0.001 0.02 0 0} dryrun=T gap={soap atom_sigma=0.4 "
        "l_max=1 n_max=2 cutoff=3.2 delta=0.2 covariance_type=dot_product zeta=2 n_sparse=5}"
    )
    done = subprocess.run(
        [find_gap_fit(), "config_file=bare.cfg"], cwd=tmp_path, capture_output=True, text=True
    )
    printed = dict(
        line.split(" = ", 1) for line in done.stdout.splitlines() if line.count(" = ") == 1
    )
    names = {True: "T", False: "F"}
    for key, value in GAP_FIT_DEFAULTS.items():
        if key in printed and key not in ("rnd_seed",):
            found = printed[key].strip()
            assert found == names.get(value, value) or float(found) == value, key


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("zeta=", "zeat=", "soap term: 'zeat'.*did you mean 'zeta'"),
        ("n_sparse=35", "n_spars=35", "distance_2b term: 'n_spars'.*did you mean 'n_sparse'"),
        ("rnd_seed", "rnd_sed", "'rnd_sed'.*did you mean 'rnd_seed'"),
        ("sparse_jitter", "sparse_jiter", "did you mean 'sparse_jitter'"),
        ("soap", "saop", "'saop'.*did you mean 'soap'"),
        ("e0_method=average", "e0_method=averge", "e0_method='averge'.*'average' or 'isolated'"),
        ("n_max=7", "n_max=six", "n_max=six cannot be read.*whole number"),
        ("n_max=7", "n_max=6.5", "n_max=6.5 cannot be read.*whole number"),
        ("l_max=2", "l_max=-1", "l_max=-1.*at least 0"),
        ("n_sparse=35", "n_sparse=0", "n_sparse=0.*at least 1"),
        ("rnd_seed=1", "rnd_seed=nan", "rnd_seed=nan cannot be read"),
        ("cutoff=7.5", "cutoff=-7.5", "cutoff=-7.5.*above 0 Å"),
        ("=F", "=maybe", "cannot be read.*T or F"),
        ("{0.001 0.02 0 0}", "{0.001 0.02}", "default_sigma=.*4 numbers"),
        ("{0.001 0.02 0 0}", "{0 0.02 0 0}", "default_sigma=0.0.*above 0"),
        ("{0.001 0.02 0 0}", "{0.001 -0.02 0 0}", "default_sigma=-0.02.*above 0"),
        ("{0.001 0.02 0 0}", "0.001 0.02 0 0", "'0.02' is not of the form key=value"),
        ("e0_method", "config_type_sigma={ice:0.1}\ne0_method", "cannot be read.*a name and 4 num"),
        ("add_species=T :", "add_species=1 :", "add_species=1 cannot be read.*T or F"),
        ("cutoff=4.25", "cutoff= 4.25", "cutoff= cannot be read.*a number"),
        ("zeta=2", "zeta=2 sparse_file=a.dat", "sparse_file.*only gap_fit itself does"),
        ("rnd_seed=1", "dryrun=T", "dryrun is something that only gap_fit"),
        ("gap={", "gop={", "no gap="),
        ("atoms_filename=gap_input_100.xyz", "", "no atoms_filename"),
        ("_width=2.9 delta=2.0", "_width=2.9", "soap term has no delta"),
        ("rnd_seed=1", "# seed", "Line 10 .* comment"),
        ("rnd_seed=1", "! seed", "Line 10 .* comment"),
        ("rnd_seed=1", "\trnd_seed=1", "Line 10 .* tab"),
        ("atoms_filename", "\ufeffatoms_filename", "byte-order mark"),
        ("add_species=T}", "add_species=T", "not of the form key=value"),
    ],
)
def test_a_mistake_is_named_with_its_fix(old, new, message):
    text = GapConfig(default_sigma=(0.001, 0.02, 0, 0)).to_cfg()
    assert old in text
    with pytest.raises(ConfigError, match=message):
        GapConfig.from_cfg(text.replace(old, new, 1))


def test_a_key_given_twice_warns_and_the_last_counts():
    with pytest.warns(UserWarning, match="rnd_seed is given twice"):
        config = GapConfig.from_cfg("rnd_seed=5\n" + GapConfig().to_cfg())
    assert config.rnd_seed == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cutof": 3.0}, "no 'cutof'.*did you mean 'cutoff'"),
        ({"cutoff": "3"}, "cutoff='3'.*a number above 0 Å"),
        ({"cutoff": True}, "cutoff=True"),
        ({"cutoff": float("nan")}, "cutoff=nan"),
        ({"n_max": 6.0}, "n_max=6.0.*whole number"),
        ({"n_max": 1000}, "n_max=1000.*at most 20"),
        ({"n_sparse": 0}, "n_sparse=0.*at least 1"),
        ({"default_sigma": 0.1}, "default_sigma=0.1.*4 numbers"),
        ({"default_sigma": (0.0, 0.1, 0, 0)}, "default_sigma=0.0"),
        ({"default_sigma": (0.1, -0.1, 0, 0)}, "default_sigma=-0.1"),
        ({"cutoff": 0.4}, "cutoff_transition_width=2.9.*less than the cutoff"),
        ({"e0": {"O": -432.0}}, "Both e0 and e0_method"),
        ({"e0": {"Wa": 1.0}, "e0_method": None}, "e0='Wa'.*symbols"),
        ({"e0_method": None}, "e0_method=None"),
        ({"config_type_sigma": {}}, "config_type_sigma={}.*names with 4 numbers"),
        ({"config_type_sigma": {"a b": (1, 1, 0, 0)}}, "='a b'.*without spaces"),
        ({"config_type_sigma": {"ice": (1, 1)}}, r"config_type_sigma\['ice'\]=.*4 numbers"),
        ({"config_type_sigma": {"ice": (1, 0, 0, 0)}}, r"config_type_sigma\['ice'\]=0.*above 0"),
        ({"more_terms": (1,)}, "more_terms=.*a tuple of Soap"),
        ({"more_terms": (TwoBody(),), "two_body": None}, "more_terms holds a TwoBody.*two_body"),
        ({"two_body": True}, "two_body=True.*TwoBody"),
        ({"gap_file": ""}, "gap_file=''"),
        ({"gap_file": "a{b.xml"}, "gap_file=.*cannot be read by gap_fit"),
        ({"atoms_filename": "x" * 600}, "at most 500 characters"),
        ({"covariance_type": "ard_se"}, "'dot_product'"),
        ({"sparse_separate_file": "F"}, "True or False"),
    ],
)
def test_values_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        GapConfig(**options)
    with pytest.raises(ConfigError, match=message):
        GapConfig().replace(**options)


def test_unreadable_and_unwritable_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.cfg cannot be read"):
        GapConfig.read(tmp_path / "none.cfg")
    (tmp_path / "binary.cfg").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a text file"):
        GapConfig.read(tmp_path / "binary.cfg")
    with pytest.raises(OutputError, match="no folder.*mkdir -p"):
        GapConfig().write(tmp_path / "none" / "gap_config.cfg")
