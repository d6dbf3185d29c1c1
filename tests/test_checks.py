"""Settings: each that cannot be used is a ConfigError that names it and says what is allowed."""

from dataclasses import dataclass

import numpy as np
import pytest

from helpers import checks
from helpers.errors import ConfigError, DataError


@dataclass(frozen=True)
class Bath(checks.Settings):
    """Settings with one value."""

    temperature_K: float = 300.0

    def __post_init__(self) -> None:
        checks.number("temperature_K", self.temperature_K, unit="K")


def test_values_that_are_allowed_pass():
    checks.number("cutoff_A", np.float32(0.5))
    checks.number("friction", 0, positive=False)
    checks.whole("steps", np.int64(3), 1, 3)
    checks.one_of("engine", "ase", ("ase", "compiled"))
    assert checks.seed(np.int32(7)) == 7 and checks.seed(2**32 - 1) == 2**32 - 1


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: checks.number("cutoff", 0, unit="Å"), "cutoff=0 .*a number above 0 Å"),
        (lambda: checks.number("cutoff", float("nan")), "cutoff=nan .*above 0"),
        (lambda: checks.number("cutoff", True), "cutoff=True .*above 0"),
        (lambda: checks.number("cutoff", "3"), "cutoff='3' .*above 0"),
        (lambda: checks.number("friction", -1, positive=False), "of at least 0"),
        (lambda: checks.whole("steps", 2.0, 1), "steps=2.0 .*a whole number of at least 1"),
        (lambda: checks.whole("steps", 9, 1, 3), "steps=9 .*at most 3"),
        (lambda: checks.one_of("engine", "as", ("ase", "jax")), "engine='as' .*'ase' or 'jax'"),
        (lambda: checks.seed(-1), "seed=-1 .*at least 0"),
        (lambda: checks.seed(2**32), "seed=4294967296 .*at most"),
    ],
    ids=[
        "zero",
        "NaN",
        "a truth value",
        "text",
        "negative",
        "not whole",
        "too many",
        "another word",
        "negative seed",
        "large seed",
    ],
)
def test_other_values_are_refused_by_name(check, message):
    with pytest.raises(ConfigError, match=message):
        check()


def test_settings_refuse_misspelled_names_and_check_copies():
    assert Bath().replace(temperature_K=350.0) == Bath(350.0)
    with pytest.raises(ConfigError, match="Bath has no 'temperature'.*'temperature_K'"):
        Bath(temperature=300.0)
    with pytest.raises(ConfigError, match="temperature_K=-1 cannot be used"):
        Bath().replace(temperature_K=-1)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1 + 2j], "complex numbers"),
        (["1.0"], "text"),
        ([True, False], "True and False"),
        (np.ma.masked_array([1.0, 2.0], [False, True]), "a masked array, 1 numbers of it masked"),
        (np.ma.masked_array([1.0, 2.0]), "a masked array, 0 numbers"),
        ([1.0, np.nan], r"1 that are not, the first at \[1\]: nan"),
        ([[1.0, 2.0], [np.inf, 2.0]], r"the first at \[1, 0\]: inf"),
        ([[1.0], [1.0, 2.0]], "inhomogeneous"),
        ([None, 1.0], "objects of type object"),
        ([{"a": 1}], "objects"),
    ],
)
def test_numbers_are_not_narrowed_dropped_or_invented(values, found):
    with pytest.raises(DataError, match=f"The forces .*Expected: three numbers.*Found: .*{found}"):
        checks.real_numbers(values, "The forces", "three numbers")


def test_whole_numbers_are_numbers():
    found = checks.real_numbers([1, 2], "The forces", "two numbers")
    assert found.dtype == float and found.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("size", [0.0, 1e-15, float("nan")])
def test_what_does_not_change_is_not_normalized(size):
    with pytest.raises(DataError, match="The dipole is the same at all times: nothing changes"):
        checks.changing(size, 1.0, "The dipole")
