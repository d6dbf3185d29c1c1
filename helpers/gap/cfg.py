"""Read and write gap_fit's config format: ``key=value``, with ``gap={term : term}`` inside."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from helpers.errors import ConfigError, nearest
from helpers.gap import descriptors
from helpers.gap.gap_fit_keys import (
    ALIASES,
    FILE_OPTIONS,
    GAP_FIT_DEFAULTS,
    LABEL_NAMES,
    ONLY_GAP_FIT,
    OPTIONAL,
)
from helpers.gap.quip_text import logical, real, split_pairs, split_terms

_ALL_ALIASES = {**ALIASES, **descriptors.ALIASES}


@dataclass(frozen=True)
class Term:
    """One term of ``gap={}``.

    Attributes
    ----------
    kind : str
        Its descriptor.
    options : dict of str
        Its options by their usual names, ``add_species`` left out.
    add_species : bool
        Whether gap_fit makes one term of it for each element, or combination of elements.
    text : str
        As it stands in the file, without the braces around it.
    """

    kind: str
    options: dict[str, str]
    add_species: bool
    text: str


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


def parse_config(text: str, source: str) -> tuple[dict[str, str], list[Term]]:
    """Split a config into its top-level keys, by their usual names, and the terms of ``gap={}``.

    It is cut as gap_fit cuts it (see `quip_text`), which ends at a comment outside of ``gap={}``
    and ignores the words of one inside.
    """
    _refuse_odd_letters(text, source)
    top: dict[str, str] = {}
    for key, value in _split(text, source):
        name = ALIASES.get(key.casefold(), key.casefold())
        if value is None and name in ("do_copy_atoms_file", "sparse_separate_file"):
            value = "T"
        if value is None or key[0] in "#!":
            _refuse_comment(text, key, source)
            raise _malformed(source, key)
        _note_repetition(name, top, source)
        top[name] = value.strip()
    if "gap" not in top:
        raise ConfigError(
            f"{source} has no gap={{...}}", fix="add a line such as gap={soap cutoff=3.2 ...}"
        )
    prefix = top.pop("parameter_name_prefix", "")
    if prefix:
        top |= {key: prefix + top.get(key, name) for key, name in LABEL_NAMES.items()}
    terms = [_parse_term(term, source) for term in split_terms(top.pop("gap"))]
    if not terms:
        raise ConfigError(f"{source}: gap={{}} is empty", expected="at least one term")
    return top, terms


def typed(texts: Mapping[str, str], names: Iterable[str], owner: type, source: str) -> dict:
    """Convert texts to the types of `owner`'s fields; absent ones take gap_fit's value."""
    types = {f.name: str(f.type) for f in fields(owner)}
    values = {
        key: convert(key, text, types[key], source) for key, text in texts.items() if key in names
    }
    for name in names:
        if name in values or (name == "e0_method" and "e0" in values):
            continue
        if name in GAP_FIT_DEFAULTS:
            values[name] = GAP_FIT_DEFAULTS[name]
        elif name not in OPTIONAL:
            raise ConfigError(
                f"{source} has no {name}", fix=f"add {name}=…: gap_fit has no default for it"
            )
    return values


def check_names(texts: Mapping[str, str], known: Iterable[str], source: str) -> None:
    """Raise `ConfigError` for a key that is not known: gap_fit may ignore it in silence."""
    known = set(known)
    for key, value in texts.items():
        if key in ONLY_GAP_FIT and value.casefold() not in ("f", "false"):
            raise _only_gap_fit(source, key)
        if key not in known and key not in ONLY_GAP_FIT:
            words = [*known, *(old for old, new in _ALL_ALIASES.items() if new in known)]
            raise ConfigError(
                f"{source}: {key!r} is not a key that the kit knows", fix=nearest(key, words)
            )


def convert(key: str, text: str, kind: str, source: str) -> Any:
    """Return the value that a text of a config stands for; `kind` is the type in words."""
    try:
        if kind == "bool":
            return logical(text)
        if kind == "int":
            number = real(text)
            if number != int(number):
                raise ValueError(text)
            return int(number)
        if kind == "float":
            return real(text)
        if kind.startswith("tuple"):
            return tuple(real(word) for word in text.replace(",", " ").split())
        if kind.startswith("Mapping[str, tuple"):
            words = re.split("[:; ]+", text)
            groups = [words[i : i + 5] for i in range(0, len(words), 5)]
            return {name: (real(a), real(b), real(c), real(d)) for name, a, b, c, d in groups}
        if kind.startswith("Mapping"):
            if ":" not in text:  # one energy for all elements
                return real(text.strip("{} "))
            words = [word.strip() for word in text.split(":")]
            return {
                element.capitalize(): real(energy)
                for element, energy in zip(words[::2], words[1::2], strict=True)
            }
    except (KeyError, ValueError, OverflowError) as error:
        expected = {
            "bool": "T or F (or true or false; gap_fit takes no other words, and no numbers)",
            "int": "a whole number",
            "float": "a number",
            "tup": "numbers in braces, {0.001 0.02 0 0}",
            "Map": "{H:-13.6:O:-432.0}, energies in eV",
        }
        if kind.startswith("Mapping[str, tuple"):
            expected[kind] = "{liquid:0.002:0.05:0:0}, a name and 4 numbers, and so on"
        raise ConfigError(
            f"{source}: {key}={text} cannot be read",
            expected=expected.get(kind) or expected[kind[:3]],
        ) from error
    if key in ("covariance_type", "sparse_method", "e0_method"):
        word = text.casefold()
        return "ard_se" if word == "gaussian" else word
    return text


def format_config(
    top: Mapping[str, Any], terms: Iterable[tuple[str, Mapping[str, Any]] | str]
) -> str:
    """Return the text of a config: one key a line, all terms on the last, as gap_fit wants it.

    A term is a descriptor and its options, or a text of another writer, which stays as it is.
    """
    lines = [f"{key}={_text(value)}" for key, value in top.items()]
    parts = []
    for term in terms:
        if isinstance(term, str):
            parts.append(f"{{{term}}}")
        else:
            kind, options = term
            words = [f"{key}={_text(value)}" for key, value in options.items()]
            parts.append(" ".join([kind, *words, f"add_species={_text('Z1' not in options)}"]))
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


def check_texts(key: str, texts: Any, known: Iterable[str]) -> None:
    """Raise `ConfigError` unless `texts` is None or a dict of texts for some of the known keys."""
    if texts is None:
        return
    if not isinstance(texts, Mapping) or not all(isinstance(v, str) for v in texts.values()):
        raise ConfigError(f"{key}={texts!r} cannot be used", expected="a dict of texts, or None")
    check_names(texts, known, key)


def _parse_term(text: str, source: str) -> Term:
    pairs = _split(text, source)
    kind = descriptors.find_kind(key for key, _ in pairs)
    if not kind:
        word = pairs[0][0]
        known = (*descriptors.KINDS, *descriptors.OTHER_KINDS)
        raise ConfigError(
            f"{source}: gap={{}} holds the descriptor {word!r}, which gap_fit does not know",
            fix=nearest(word, known),
        )
    where = f"{source}, {kind} term"
    ours = kind in descriptors.KINDS
    options = descriptors.canonical(kind, pairs) if ours else {k: v or "" for k, v in pairs}
    seen: dict[str, str] = {}
    for key, value in pairs:
        if value is None and ours and key not in options and key.casefold() != kind.casefold():
            warnings.warn(f"{where}: gap_fit ignores the word {key!r}", stacklevel=2)
        if value is not None:
            name = descriptors.ALIASES.get(key.casefold(), key.casefold())
            _note_repetition(name, seen, where)
            seen[name] = value
    for key in FILE_OPTIONS:
        if options.get(key, "F").casefold() not in ("f", "false"):
            raise _only_gap_fit(where, key)
    if ours:
        check_names(options, descriptors.known_options(kind), where)
        for key in ("delta", "covariance_type"):
            if key not in options:
                raise ConfigError(
                    f"{where} has no {key}", fix=f"add {key}=…: gap_fit has no default for it"
                )
    add_species = convert("add_species", options.pop("add_species", "T") or "T", "bool", where)
    return Term(kind, options, add_species, text)


def _split(text: str, source: str) -> list[tuple[str, str | None]]:
    try:
        return split_pairs(text)
    except ValueError as error:
        raise _malformed(source, str(error)) from error


def _refuse_odd_letters(text: str, source: str) -> None:
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"Line {number} of {source}"
        if "\ufeff" in line:
            raise ConfigError(f"{where} begins with a byte-order mark", fix="save as plain UTF-8")
        if "\t" in line:
            raise ConfigError(
                f"{where} holds a tab, which gap_fit takes for a part of a name",
                fix="use spaces",
            )


def _refuse_comment(text: str, word: str, source: str) -> None:
    """Name the line of a comment outside of ``gap={}``, if `word` begins one."""
    if word[0] not in "#!":
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if re.search(rf"(^|\s){re.escape(word)}", line):
            raise ConfigError(
                f"Line {number} of {source} holds a comment, which gap_fit does not allow",
                found=repr(line.strip()[:60]),
                fix="delete it",
            )


def _malformed(source: str, found: str) -> ConfigError:
    word = (found.split() or [""])[0][:40]
    return ConfigError(
        f"{source}: {word!r} is not of the form key=value",
        fix="write key=value, with {} around values with spaces, and close every brace",
    )


def _only_gap_fit(source: str, key: str) -> ConfigError:
    return ConfigError(
        f"{source}: {key} is something that only gap_fit itself does",
        fix="leave it out, or run gap_fit config_file=…",
    )


def _note_repetition(key: str, known: Mapping[str, str], source: str) -> None:
    if key in known:
        warnings.warn(
            f"{source}: {key} is given twice; the last one counts, as in gap_fit", stacklevel=2
        )


def _text(value: Any) -> str:
    """Write a value as gap_fit reads it."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, tuple):
        return "{" + " ".join(map(_shortest, value)) + "}"
    if isinstance(value, Mapping) and any(isinstance(each, tuple) for each in value.values()):
        words = (
            word for name, numbers in value.items() for word in (name, *map(_shortest, numbers))
        )
        return "{" + ":".join(words) + "}"
    if isinstance(value, Mapping):
        return "{" + ":".join(f"{name}:{_shortest(number)}" for name, number in value.items()) + "}"
    if isinstance(value, Real) and not isinstance(value, Integral):
        return repr(float(value))
    word = str(value)
    return f"{{{word}}}" if re.search(r"[\s,:;{}]", word) else word


def _shortest(number: Real) -> str:
    """Return the shortest text that is read back as exactly the same number."""
    short = f"{float(number):g}"
    return short if float(short) == number else repr(float(number))
