"""The grid: every combination once, and mistakes named before anything is computed."""

import pytest

from helpers import GapConfig
from helpers.errors import ConfigError
from helpers.sweeps.grid import make_grid, parse_over


def test_every_combination_once_repeats_with_seeds_of_their_own():
    points = make_grid({"cutoff": [3.0, 3.5, 3.0], "n_max": [4, 6]}, [50, 100], repeats=2)
    assert len(points) == 2 * 2 * 2 * 2
    assert len({(p.n_frames, p.repeat, p.values) for p in points}) == len(points)
    first, second, *_ = points
    assert first.values == (("cutoff", 3.0), ("n_max", 4)) and first.config.cutoff == 3.0
    assert (first.repeat, second.repeat) == (1, 2)
    assert (first.config.rnd_seed, second.config.rnd_seed) == (1, 2)
    assert str(points[-1]) == "100 frames, cutoff=3.5, n_max=6, repeat 2"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("default_sigma", 0.01, (0.01, 0.2, 0.0, 0.0)),  # the ratio stays
        ("default_sigma", [0.01, 0.05], (0.01, 0.05, 0.0, 0.0)),
        ("default_sigma", (0.01, 0.05, 0.1, 0.2), (0.01, 0.05, 0.1, 0.2)),
        ("sigma_energy_eV_per_atom", 0.01, (0.01, 0.02, 0.0, 0.0)),
        ("sigma_force_eV_per_A", 0.5, (0.001, 0.5, 0.0, 0.0)),
    ],
)
def test_sigmas_may_be_given_in_several_ways(key, value, expected):
    config = GapConfig(default_sigma=(0.001, 0.02, 0.0, 0.0))
    (point,) = make_grid({key: [value]}, [50], config=config)
    assert point.config.default_sigma == pytest.approx(expected)


def test_settings_of_the_pair_term_can_be_varied_too():
    points = make_grid({"two_body.cutoff": [4.0, 5.0]}, [50])
    assert [p.config.two_body.cutoff for p in points] == [4.0, 5.0]
    with pytest.raises(ConfigError, match="there is no pair term"):
        make_grid({"two_body.cutoff": [4.0]}, [50], config=GapConfig(two_body=None))


@pytest.mark.parametrize(
    ("over", "sizes", "message"),
    [
        ({}, [], "grid is empty: sizes has no values"),
        ({"cutoff": []}, [50], "grid is empty: cutoff has no values"),
        ({"cutof": [3.0]}, [50], "no setting 'cutof' .*did you mean 'cutoff'"),
        ({"atoms_filename": ["a.xyz"]}, [50], "no setting 'atoms_filename'"),
        ({"cutoff": 3.0}, [50], "cutoff=3.0 cannot be used. Expected: a list"),
        ({"cutoff": [-1.0]}, [50], "cutoff=-1.0 cannot be used.*above 0 Å"),
        ({"default_sigma": [0.0]}, [50], "default_sigma=0.0 cannot be used.*above 0"),
        ({"default_sigma": [(0.001, -1)]}, [50], "default_sigma=-1 cannot be used.*above 0"),
        ({"sigma_force_eV_per_A": [0]}, [50], "sigma_force_eV_per_A=0 cannot be used"),
        ({"default_sigma": [1], "sigma_force_eV_per_A": [1]}, [50], "one of its parts"),
        ({"n_max": [4.5]}, [50], "n_max=4.5 cannot be used.*whole number"),
        ({}, [0], "size of the training set=0 cannot be used"),
    ],
)
def test_mistakes_are_named(over, sizes, message):
    with pytest.raises(ConfigError, match=message):
        make_grid(over, sizes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cutoff=3.0,3.5", ("cutoff", [3.0, 3.5])),
        ("n_max=4,6", ("n_max", [4, 6])),
        ("sparse_method=random,cur_points", ("sparse_method", ["random", "cur_points"])),
        ("default_sigma=1e-3,0.01", ("default_sigma", [(0.001,), (0.01,)])),
        (
            "default_sigma={0.001 0.02 0 0}, {0.1 2}",
            ("default_sigma", [(0.001, 0.02, 0, 0), (0.1, 2)]),
        ),
        ("two_body.n_sparse=5", ("two_body.n_sparse", [5])),
        ("sigma_force_eV_per_A=1,2", ("sigma_force_eV_per_A", [1.0, 2.0])),
    ],
)
def test_values_as_typed_in_a_terminal(text, expected):
    assert parse_over(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cutoff", "is not a list of values.*key=value"),
        ("cutoff=", "is not a list of values"),
        ("cutof=3", "no setting 'cutof'.*did you mean 'cutoff'"),
        ("cutoff=3,x", "cutoff=x cannot be read. Expected: a number"),
    ],
)
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_over(text)
