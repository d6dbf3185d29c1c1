"""Checks of single settings; each raises `ConfigError` with key, value and what was expected."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NoReturn

from helpers.errors import ConfigError, nearest

if TYPE_CHECKING:
    from typing_extensions import Self


def refuse(key: str, value: Any, expected: str) -> NoReturn:
    """Raise the error of all checks below."""
    raise ConfigError(f"{key}={value!r} cannot be used", expected=expected)


def number(key: str, value: Any, *, positive: bool = True, unit: str = "") -> None:
    """Require a finite number above 0, or of at least 0."""
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
    """Require one of a few words."""
    if value not in allowed:
        refuse(key, value, " or ".join(map(repr, allowed)))


def seed(value: Any) -> int:
    """Return the seed of random numbers, or refuse it: a whole number from 0 to 2³² − 1."""
    whole("seed", value, 0, 2**32 - 1)
    return int(value)


class Settings:
    """Base of frozen dataclasses of settings: a misspelled name is refused with the nearest one.

    The values are checked in ``__post_init__`` with the functions of this module, so that every
    setting that cannot be used is a `ConfigError`.
    """

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Check the names of the keywords before the dataclass takes them."""
        known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        for name in options:
            if name not in known:
                raise ConfigError(f"{cls.__name__} has no {name!r}", fix=nearest(name, known))
        return super().__new__(cls)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, checked again."""
        return replace(self, **changes)  # type: ignore[type-var]
