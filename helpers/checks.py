"""Checks of settings and of data.

A `ConfigError` names the setting, its value and what is allowed, a `DataError` the numbers that
cannot be used and why.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace
from numbers import Integral, Real
from typing import Any, NoReturn, TypeVar

import numpy as np

from helpers.errors import ConfigError, DataError, nearest

AnySettings = TypeVar("AnySettings", bound="Settings")


def refuse(key: str, value: Any, expected: str) -> NoReturn:
    """Raise the `ConfigError` of the checks below."""
    raise ConfigError(f"{key}={value!r} cannot be used", expected=expected)


def number(key: str, value: Any, *, positive: bool = True, unit: str = "") -> None:
    """Require a finite number above 0 (with ``positive=False``: of at least 0)."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or (value <= 0 if positive else value < 0):
        refuse(key, value, f"a number {'above' if positive else 'of at least'} 0 {unit}".strip())


def whole(key: str, value: Any, least: int, most: int | None = None) -> None:
    """Require a whole number from `least` to `most`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        refuse(key, value, f"a whole number of at least {least}")
    if most is not None and int(value) > most:
        refuse(key, value, f"a whole number of at most {most}")


def one_of(key: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Require one of the allowed words."""
    if value not in allowed:
        refuse(key, value, " or ".join(map(repr, allowed)))


def seed(value: Any) -> int:
    """Return a seed of random numbers; require a whole number from 0 to 2³² − 1."""
    whole("seed", value, 0, 2**32 - 1)
    return int(value)


def real_numbers(values: Any, name: str, expected: str) -> np.ndarray:
    """Return data as an array of float64, unless that would drop, narrow or invent something.

    Parameters
    ----------
    values : array-like
    name : str
        What to call them, at the beginning of a sentence.
    expected : str
        What they should be.

    Raises
    ------
    DataError
        If they are complex, text, logical, other objects, masked, ragged, or not finite.
    """
    if np.ma.isMaskedArray(values):
        raise DataError(
            f"{name} cannot be used",
            expected=expected,
            found=f"a masked array, {np.ma.count_masked(values)} numbers of it masked",
            fix="leave out what is masked, or fill it in (numpy.ma.filled)",
        )
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise DataError(f"{name} cannot be used", expected=expected, found=str(error)) from error
    if array.dtype.kind not in "iuf":
        names = {"c": "complex numbers", "b": "True and False", "U": "text", "S": "text"}
        kind = names.get(array.dtype.kind, f"objects of type {array.dtype}")
        short = " ".join(repr(values).split())[:60]
        raise DataError(f"{name} cannot be used", expected=expected, found=f"{kind}, {short}")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = ", ".join(map(str, bad[0]))
        raise DataError(
            f"{name} cannot be used: not all numbers are finite",
            expected=expected,
            found=f"{len(bad)} that are not, the first at [{place}]: {array[tuple(bad[0])]}",
        )
    return array.astype(float)


def changing(size: float, largest: float, what: str) -> None:
    """Raise `DataError` if something that is to be normalized to its own size does not change.

    Parameters
    ----------
    size : float
        How much it changes.
    largest : float
        The largest of the numbers themselves, in the same unit: rounding errors are no change.
    what : str
        What it is, such as "The polarizability".
    """
    if not size > 1e-12 * largest:
        raise DataError(
            f"{what} is the same at all times: nothing changes",
            expected="something that fluctuates, which a spectrum or a correlation is made of",
        )


class Settings:
    """Base class of frozen dataclasses of settings.

    A misspelled name raises `ConfigError` with the nearest known one. Subclasses check their values
    in ``__post_init__`` with the functions of this module.
    """

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Check the names of the keywords before the dataclass receives them."""
        known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        for name in options:
            if name not in known:
                raise ConfigError(f"{cls.__name__} has no {name!r}", fix=nearest(name, known))
        return super().__new__(cls)

    def replace(self: AnySettings, **changes: Any) -> AnySettings:
        """Return a copy with some fields changed, checked again."""
        return replace(self, **changes)  # type: ignore[type-var]
