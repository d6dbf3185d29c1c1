"""A grid of points: every combination of training-set sizes, settings and repeats, checked."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from helpers import checks
from helpers.errors import ConfigError, nearest
from helpers.gap import cfg
from helpers.gap.config import GapConfig, TwoBody

# The two sigmas that matter, each for itself; the numbers are their places in default_sigma.
SIGMAS = {"sigma_energy_eV_per_atom": 0, "sigma_force_eV_per_A": 1}
_PAIR = {f"two_body.{each.name}": str(each.type) for each in fields(TwoBody)}
# Names of files and labels are no settings of the model; frames and seeds have their own options.
_NO_SETTINGS = {"atoms_filename", "gap_file", "energy_parameter_name", "force_parameter_name"}
_NO_SETTINGS |= {"do_copy_atoms_file", "sparse_separate_file", "rnd_seed", "two_body"}
_NO_SETTINGS |= {"more_terms", "config_type_sigma"}
_NO_SETTINGS |= {"soap", "further_soap_keys", "other_terms", "further_keys"}
_OWN = {each.name: str(each.type) for each in fields(GapConfig) if each.name not in _NO_SETTINGS}
FIELDS = (*_OWN, *SIGMAS, *_PAIR)


@dataclass(frozen=True)
class Point:
    """One fit of a sweep.

    Attributes
    ----------
    config : GapConfig
        All settings.
    n_frames : int
        Size of the training set.
    repeat : int
        1 for the shipped training set; from 2 on, frames drawn with this seed.
    values : tuple of (str, value)
        What the grid varied, in order.
    """

    config: GapConfig
    n_frames: int
    repeat: int
    values: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        varied = [f"{key}={value}" for key, value in self.values]
        return ", ".join([f"{self.n_frames} frames", *varied, f"repeat {self.repeat}"])


def make_grid(
    over: Mapping[str, Sequence[Any]],
    sizes: Sequence[int],
    *,
    repeats: int = 1,
    config: GapConfig | None = None,
) -> list[Point]:
    """Return every combination once: sizes outermost, repeats innermost.

    Parameters
    ----------
    over : mapping of str to sequence
        Values to try for fields of `GapConfig`, for ``two_body.cutoff`` and the like, or for
        ``sigma_energy_eV_per_atom`` and ``sigma_force_eV_per_A``. One number for
        ``default_sigma`` is the energy's; the force's keeps its ratio to it. Two are energy
        and force.
    sizes : sequence of int
        Training-set sizes.
    repeats : int
        Fits of each point, with different frames and seeds.
    config : GapConfig, optional
        All other settings; by default the classroom preset.

    Raises
    ------
    ConfigError
        If the grid is empty, a field is unknown, or a value cannot be used.
    """
    config = GapConfig() if config is None else config
    checks.whole("repeats", repeats, 1)
    columns = {key: _values(key, values) for key, values in over.items()}
    for key in columns:
        if key not in FIELDS:
            raise ConfigError(
                f"There is no setting {key!r} to sweep over", fix=nearest(key, FIELDS)
            )
    sizes = _values("sizes", sizes)
    for size in sizes:
        checks.whole("size of the training set", size, 1)
    if "default_sigma" in columns and set(columns) & set(SIGMAS):
        raise ConfigError(
            "The grid varies default_sigma and one of its parts",
            expected="default_sigma, or " + " and ".join(SIGMAS),
        )
    points = []
    for size, *values in itertools.product(sizes, *columns.values()):
        varied = config
        for key, value in zip(columns, values, strict=True):
            varied = changed(varied, key, value)
        pairs = tuple(zip(columns, values, strict=True))
        for repeat in range(1, repeats + 1):
            seeded = varied.replace(rnd_seed=config.rnd_seed + repeat - 1)
            points.append(Point(seeded, size, repeat, pairs))
    return points


def changed(config: GapConfig, key: str, value: Any) -> GapConfig:
    """Return `config` with one setting of the grid changed, checked."""
    if key in SIGMAS:
        checks.number(key, value)
        sigma = list(config.default_sigma)
        sigma[SIGMAS[key]] = float(value)
        return config.replace(default_sigma=tuple(sigma))
    if key == "default_sigma":
        return config.replace(default_sigma=_sigma(config, value))
    if key in _PAIR:
        if config.two_body is None:
            raise ConfigError(
                f"{key} is varied, but there is no pair term", fix="two_body=TwoBody()"
            )
        pair = {**vars(config.two_body), key.removeprefix("two_body."): value}
        return config.replace(two_body=TwoBody(**pair))
    return config.replace(**{key: value})


def parse_over(text: str) -> tuple[str, list[Any]]:
    """Read ``key=a,b,c`` as typed in a terminal → the key and its values.

    Values of ``default_sigma`` are one number, two, or four, with spaces between them and, if you
    like, in braces: ``default_sigma=0.001,0.01`` or ``default_sigma={0.001 0.02},{0.01 0.2}``.
    """
    key, equals, values = text.partition("=")
    key = key.strip()
    if not equals or not values.strip():
        raise ConfigError(
            f"{text!r} is not a list of values",
            expected="key=value,value,… as in cutoff=3.0,3.5",
        )
    if key not in FIELDS:
        raise ConfigError(f"There is no setting {key!r} to sweep over", fix=nearest(key, FIELDS))
    kind = "float" if key in SIGMAS else {**_OWN, **_PAIR}[key]
    words = [word.strip().strip("{}").strip() for word in values.split(",")]
    return key, [cfg.convert(key, word, kind, "--over") for word in words]


def _values(key: str, values: Any) -> list[Any]:
    """Return the values without repetitions; refuse a lone value and an empty list."""
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__iter__"):
        raise ConfigError(f"{key}={values!r} cannot be used", expected="a list of values")
    unique = list(dict.fromkeys(tuple(v) if isinstance(v, list) else v for v in values))
    if not unique:
        raise ConfigError(
            f"The grid is empty: {key} has no values", expected="at least one value for each"
        )
    return unique


def _sigma(config: GapConfig, value: Any) -> tuple[float, ...]:
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    for number in numbers[:2]:
        checks.number("default_sigma", number, unit="for energies (eV per atom), forces (eV/Å)")
    energy, force, *rest = config.default_sigma
    if len(numbers) == 1:
        return (numbers[0], force / energy * numbers[0], *rest)
    return (*numbers, *rest) if len(numbers) == 2 else numbers
