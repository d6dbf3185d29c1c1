"""Read and write gap_fit's config format: ``key=value``, with ``gap={term : term}`` inside."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from helpers.errors import ConfigError, nearest

# Old and new spellings of the same key; gap_fit takes both.
ALIASES = {
    "at_file": "atoms_filename",
    "gp_file": "gap_file",
    "do_copy_at_file": "do_copy_atoms_file",
    "default_kernel_regularisation": "default_sigma",
    "atom_gaussian_width": "atom_sigma",
}
# What gap_fit 0.10.3 assumes where a key is absent. The seed is the exception: gap_fit would take
# a new one each time, and the kit's results are to be repeatable.
GAP_FIT_DEFAULTS: dict[str, Any] = {
    "e0_method": "isolated",
    "energy_parameter_name": "energy",
    "force_parameter_name": "force",
    "sparse_jitter": 1e-10,
    "do_copy_atoms_file": True,
    "sparse_separate_file": True,
    "gap_file": "gap_new.xml",
    "rnd_seed": 1,
    "cutoff_transition_width": 0.5,
}
OPTIONAL = {*GAP_FIT_DEFAULTS, "e0"}

_PAIR = re.compile(
    r"""\s*([^\s={}'"]+)\s*=\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|"[^"]*"|'[^']*'|\S+)"""
)


def read_text(path: str | os.PathLike) -> str:
    """Return the text of a config file, or raise `ConfigError` if there is none."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not a text file", fix="check that you chose the right file"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror})", fix="check the name and the folder"
        ) from error


def parse_config(text: str, source: str) -> tuple[dict[str, str], list[tuple[str, dict[str, str]]]]:
    """Split a config into its top-level keys and the terms of ``gap={}``, as texts."""
    _refuse_what_gap_fit_refuses(text, source)
    top = _pairs(text, source)
    if "gap" not in top:
        raise ConfigError(
            f"{source} has no gap={{...}}", fix="add a line such as gap={soap cutoff=3.2 ...}"
        )
    terms = []
    for term in top.pop("gap").split(":"):
        kind, _, options = term.strip().partition(" ")
        where = f"{source}, {kind} term"
        pairs = _pairs(options, where)
        if pairs.pop("add_species", "T").casefold() not in ("t", "true"):
            raise ConfigError(
                f"{where}: add_species must be T",
                fix="remove the key; gap_fit then writes one term for each element",
            )
        terms.append((kind, pairs))
    return top, terms


def typed(texts: Mapping[str, str], names: Iterable[str], owner: type, source: str) -> dict:
    """Convert texts to the types of `owner`'s fields, refusing names that are not in `names`."""
    types = {f.name: str(f.type) for f in fields(owner)}
    values: dict[str, Any] = {}
    for key, text in texts.items():
        if key not in names:
            known = [*names, *(old for old, new in ALIASES.items() if new in names)]
            raise ConfigError(
                f"{source}: {key!r} is not a key that the kit knows", fix=nearest(key, known)
            )
        values[key] = convert(key, text, types[key], source)
    for name in names:
        if name in values or (name == "e0_method" and "e0" in values):
            continue
        if name in GAP_FIT_DEFAULTS:
            values[name] = GAP_FIT_DEFAULTS[name]
        elif name not in OPTIONAL:
            raise ConfigError(f"{source} has no {name}", fix=f"add {name}=…")
    return values


def convert(key: str, text: str, kind: str, source: str) -> Any:
    """Return the value that a text of a config stands for; `kind` is the type in words."""
    try:
        if kind == "bool":
            return {"t": True, "true": True, "f": False, "false": False}[text.casefold()]
        if kind == "int":
            number = _float(text)
            if number != int(number):
                raise ValueError(text)
            return int(number)
        if kind == "float":
            return _float(text)
        if kind.startswith("tuple"):
            return tuple(_float(word) for word in text.split())
        if kind.startswith("Mapping"):
            words = [word.strip() for word in text.split(":")]
            return {
                element: _float(energy)
                for element, energy in zip(words[::2], words[1::2], strict=True)
            }
    except (KeyError, ValueError, OverflowError) as error:
        expected = {
            "bool": "T or F",
            "int": "a whole number",
            "float": "a number",
            "tup": "numbers in braces, {0.001 0.02 0 0}",
            "Map": "{H:-13.6:O:-432.0}, energies in eV",
        }
        raise ConfigError(
            f"{source}: {key}={text} cannot be read",
            expected=expected.get(kind) or expected[kind[:3]],
        ) from error
    return text


def format_config(top: Mapping[str, Any], terms: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Return the text of a config: one key a line, all terms on the last, as gap_fit wants it."""
    lines = [f"{key}={_text(value)}" for key, value in top.items()]
    parts = [
        " ".join([kind, *(f"{key}={_text(value)}" for key, value in options.items())])
        + (" add_species=F" if "Z1" in options else " add_species=T")
        for kind, options in terms
    ]
    return "\n".join([*lines, "gap={" + " : ".join(parts) + "}"]) + "\n"


def check_word(key: str, value: Any) -> None:
    """Raise `ConfigError` unless gap_fit can read `value` as a name or a path."""
    if not isinstance(value, (str, os.PathLike)) or not str(value).strip():
        raise ConfigError(f"{key}={value!r} cannot be used", expected="a name")
    text = str(value)
    if len(text) > 500 or any(mark in text for mark in "{}\"'\n\r\t=#!"):
        raise ConfigError(
            f"{key}={text[:80]!r} cannot be read by gap_fit",
            expected="at most 500 characters, none of them a quote, brace, tab, =, # or !",
            fix="rename the file or folder",
        )


def _refuse_what_gap_fit_refuses(text: str, source: str) -> None:
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"Line {number} of {source}"
        if "\ufeff" in line:
            raise ConfigError(f"{where} begins with a byte-order mark", fix="save as plain UTF-8")
        if re.search(r"(^|\s)[#!]", line):
            raise ConfigError(
                f"{where} holds a comment, which gap_fit does not allow",
                found=repr(line.strip()[:60]),
                fix="delete it",
            )
        if "\t" in line:
            raise ConfigError(
                f"{where} holds a tab, which gap_fit takes for a part of a name",
                fix="use spaces",
            )


def _pairs(text: str, source: str) -> dict[str, str]:
    """Return the keys (in lower case, new spellings) and values of ``key=value key={value}``."""
    pairs: dict[str, str] = {}
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            rest = text[position:].strip()
            raise ConfigError(
                f"{source}: {rest.split()[0][:40]!r} is not of the form key=value",
                fix="write key=value, with {} around values with spaces, and close every brace",
            )
        key, value = match.group(1).casefold(), match.group(2)
        key = ALIASES.get(key, key)
        if key in pairs:
            warnings.warn(
                f"{source}: {key} is given twice; the last one counts, as in gap_fit",
                stacklevel=2,
            )
        pairs[key] = value[1:-1].strip() if value[0] in "{\"'" else value
        position = match.end()
    return pairs


def _float(text: str) -> float:
    """Read a number as Fortran does, ``1d-8`` included; NaN and infinities are refused."""
    number = float(re.sub("[dD]", "e", text))
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _text(value: Any) -> str:
    """Write a value as gap_fit reads it."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, tuple):
        return "{" + " ".join(map(_shortest, value)) + "}"
    if isinstance(value, Mapping):
        return "{" + ":".join(f"{name}:{_shortest(number)}" for name, number in value.items()) + "}"
    if isinstance(value, Real) and not isinstance(value, Integral):
        return repr(float(value))
    word = str(value)
    return f'"{word}"' if re.search(r"\s", word) else word


def _shortest(number: Real) -> str:
    """Return the shortest text that is read back as exactly the same number."""
    short = f"{float(number):g}"
    return short if float(short) == number else repr(float(number))
