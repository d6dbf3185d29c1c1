"""Model files that are no model: how to make each, and what the kit is to say about it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BadModel:
    """How to spoil a model, and what the kit is to say about it."""

    make: Callable[[Path, str], object]  # path to write, text of a good model
    message: str


def contents(edit: Callable[[str], str | bytes]) -> Callable[[Path, str], object]:
    """Write what `edit` makes of the text of a good model."""

    def make(path: Path, text: str) -> None:
        new = edit(text)
        assert new != text, "this is still the good model"
        path.write_bytes(new if isinstance(new, bytes) else new.encode())

    return make


def replaced(old: str, new: str, times: int = 1) -> Callable[[Path, str], object]:
    return contents(lambda text: text.replace(old, new, times))


def in_the_middle_of_a_number(text: str) -> str:
    return text[: text.index("alpha=", len(text) // 2) + 12]


def separate(spoil: Callable[[Path], object]) -> Callable[[Path, str], object]:
    """Write the model with its sparse points in files of their own, and spoil one of them."""

    def make(path: Path, text: str) -> None:
        from helpers.gap.xml import read_model, write_model

        path.write_text(text)
        write_model(read_model(path), path, separate_files=True)
        spoil(max(path.parent.glob(f"{path.name}.sparseX.*")))

    return make


HTML = "<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found<br></body></html>\n"
NOTE = '<?xml version="1.0"?>\n<note><to>you</to><GAP>no</GAP></note>\n'
XYZ = '2\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3\nH 0 0 0\nH 0 0 0.7\n'
CFG = "atoms_filename=a.xyz\ngap={soap cutoff=3.2 n_max=4 l_max=3}\n"
NOT_XML = "is not a whole XML file .*Expected: a gap.xml.*Fix: choose a gap.xml"

BAD_MODELS = {
    "missing": BadModel(lambda path, text: None, "There is no model file .*Fix: train it first"),
    "a folder": BadModel(lambda path, text: path.mkdir(), "is a folder.*Expected: a gap.xml"),
    "empty": BadModel(contents(lambda text: ""), "is empty.*Fix: choose"),
    "one line lost": BadModel(
        contents(lambda text: "".join(text.splitlines(keepends=True)[:-1])), NOT_XML
    ),
    "cut in a number": BadModel(contents(in_the_middle_of_a_number), NOT_XML),
    "html": BadModel(contents(lambda text: HTML), NOT_XML),
    "another xml": BadModel(
        contents(lambda text: NOTE), "is XML, but not a GAP.*GAP_params.*Found: <note>"
    ),
    "xyz": BadModel(contents(lambda text: XYZ), NOT_XML),
    "cfg": BadModel(contents(lambda text: CFG), NOT_XML),
    "binary": BadModel(contents(lambda text: bytes(range(256)) * 9), NOT_XML),
    "two models": BadModel(contents(lambda text: text * 2), NOT_XML),
    "an entity bomb": BadModel(
        contents(lambda text: f'<!DOCTYPE x [<!ENTITY a "{"b" * 99}">]>\n{text}'), NOT_XML
    ),
    "alpha is text": BadModel(replaced('alpha="', 'alpha="x'), "damaged: alpha is not a number"),
    "alpha is nan": BadModel(
        contents(lambda text: text.replace('alpha="', 'alpha="NaN" was="', 1)),
        "damaged: alpha is not finite",
    ),
    "a point too few": BadModel(
        replaced('n_sparseX="3"', 'n_sparseX="4"'), "3 of 4 sparse points are there"
    ),
    "a term too few": BadModel(
        replaced('n_coordinate="5"', 'n_coordinate="6"'), "5 of 6 terms are there"
    ),
    "points exchanged": BadModel(
        replaced('<sparseX i="1"', '<sparseX i="2"'), "sparse points are not in order"
    ),
    "slices exchanged": BadModel(
        replaced('_slice start="1"', '_slice start="2"'), "sparse points are not in order"
    ),
    "no e0 of oxygen": BadModel(
        replaced('<e0 Z="8"', '<e0 Z="80"'), "energy of an isolated atom of Z=8 is missing"
    ),
    "another n_max": BadModel(
        replaced("n_max=3", "n_max=4"), "soap term has 64 dimensions, not 109"
    ),
    "no n_max": BadModel(replaced("n_max=3", ""), "n_max of its soap term is missing"),
    "half an l_max": BadModel(
        replaced("l_max=2", "l_max=2.5"), "l_max of its soap term is 2.5, not between 0 and 50"
    ),
    "a huge cutoff": BadModel(
        contents(lambda text: re.sub(r"cutoff=4\S*", "cutoff=1e9", text, count=1)),
        "cutoff of its distance_2b term is 1e9, not between 0.01 and 50",
    ),
    "an unknown element": BadModel(
        replaced("species_Z={8 1", "species_Z={8 0"), "species_Z={8 0} is not 2 elements"
    ),
    "an accent": BadModel(
        replaced("delta=0.5", "delta=é"), "descriptor cannot be read .distance_2b.*delta=é"
    ),
    "an open brace": BadModel(
        replaced("delta=0.5", "delta={8"), "descriptor cannot be read .distance_2b.*delta={8 "
    ),
    "no descriptor": BadModel(
        contents(lambda text: re.sub("<descriptor>.*</descriptor>", "", text, count=1)),
        "damaged: a descriptor cannot be read",
    ),
    "a descriptor that nobody knows": BadModel(
        replaced("<descriptor>distance_2b", "<descriptor>distance_7b"),
        "quippy cannot load .*Found: descriptor_initialise",
    ),
    "points missing": BadModel(
        separate(os.unlink), "needs .*sparseX.* beside it, which is missing.*copy the sparseX files"
    ),
    "points as text": BadModel(
        separate(lambda points: points.write_text("one two three")), "sparseX.* is not a number"
    ),
    "points cut": BadModel(
        separate(lambda points: points.write_bytes(points.read_bytes()[:999])),
        "sparseX.* holds .* numbers, not 5 × 64|sparseX.* is not a number",
    ),
}
