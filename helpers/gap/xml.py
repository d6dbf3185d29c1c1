"""Read and write gap.xml: a `GapModel`, checked. Pure Python, no quippy."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

import numpy as np

from helpers.errors import ModelFileError, UnsupportedModelError
from helpers.files import write_atomic
from helpers.gap.descriptors import canonical, check_option, find_kind, with_defaults
from helpers.gap.model import GapModel, GapTerm
from helpers.gap.quip_text import real, split_pairs

FIX = "choose a gap.xml that gap_fit wrote, or train the model again"
SLICE = 20  # numbers in one <sparseX_slice>: quippy cannot read lines above about 1000 characters

# Bounds of the numbers of a descriptor: beyond them quippy ends the process or takes all memory.
LENGTH, COUNT, ELEMENT = (0.01, 50.0), (1, 50), (1, 118)
BOUNDS: dict[str, dict[str, tuple[float, float]]] = {
    "distance_2b": {"cutoff": LENGTH, "cutoff_transition_width": (0.0, 50.0)}
    | {"Z1": ELEMENT, "Z2": ELEMENT},
    "soap": {"cutoff": LENGTH, "cutoff_transition_width": (0.0, 50.0), "atom_sigma": LENGTH}
    | {"n_max": COUNT, "l_max": (0, 50), "n_species": COUNT, "Z": ELEMENT}
    | {"central_weight": (-100.0, 100.0), "basis_error_exponent": (0.0, 100.0)},
}
# Before this version of the file format QUIP put the central atom into the density of each species.
OLDEST_VERSION = 1426512068
# Descriptors that only quippy knows, and options, as they may be written.
DESCRIPTOR = re.compile(r"""\w+( \w+=(\{+[^{}]*\}+|"[^"]*"|'[^']*'|[^\s{}"'=]+))*""", re.ASCII)
OPTION = re.compile(r"\w+=[\w .+/-]*", re.ASCII)


def read_model(path: str | os.PathLike) -> GapModel:
    """Read a model file that gap_fit wrote, sparse points inline or in files beside it.

    Raises
    ------
    ModelFileError
        If the file is missing, empty, truncated, not XML, another XML, or holds anything that
        is not a finite number where a number belongs.
    UnsupportedModelError
        If it is a sound GAP with other descriptors, core potentials or permutations.
    """
    path = Path(path)
    root = _parse(path)
    parameters = root.find("GAP_params")
    sparse = root.find("GAP_params/gpSparse")
    if parameters is None or sparse is None:
        raise ModelFileError(
            f"{path} is XML, but not a GAP",
            expected="<GAP_params> with <gpSparse> inside",
            found=f"<{root.tag}>",
            fix=FIX,
        )
    reader = _Reader(path)
    data = parameters.find("GAP_data")
    if data is None:
        raise reader.problem("the energies of isolated atoms (GAP_data) are missing")
    label = parameters.get("label", "")
    e0 = {reader.whole(each, "Z"): reader.number(each, "value") for each in data.iter("e0")}
    coordinates = sparse.findall("gpCoordinates")
    if not coordinates or reader.whole(sparse, "n_coordinate") != len(coordinates):
        raise reader.problem(f"{len(coordinates)} of {sparse.get('n_coordinate')} terms are there")
    if label != root.tag or sparse.get("label") != label or not label.isascii():
        raise reader.problem("its labels do not agree")
    terms, unknown = [], []
    for element in coordinates:  # all of them: damage to one matters more than an unknown other
        if reader.whole(element, "n_sparseX") == 0 and element.find("sparseX") is None:
            continue  # of elements that never met in training: it adds nothing
        try:
            terms.append(reader.term(element))
        except UnsupportedModelError as error:
            unknown.append(error)
    if reader.whole(parameters, "gap_version", "0") < OLDEST_VERSION:
        unknown.append(reader.unsupported("descriptors of an older version of QUIP"))
    arguments = next((each.get("init_args", "") for each in root.iter("Potential")), "")
    if not re.fullmatch(r"\s*(IP GAP( label=\S*)?)?\s*", arguments):
        unknown.append(reader.unsupported(f"a potential with arguments ({arguments[:80]})"))
    if data.get("do_core", "F") != "F" or next(parameters.iter("core_potential"), None) is not None:
        unknown.append(reader.unsupported("a core potential"))
    if unknown:
        raise unknown[0]
    if not terms:
        raise reader.problem("there are no sparse points")
    model = GapModel(
        label=label,
        e0={z: value for z, value in e0.items() if value},
        terms=tuple(terms),
        command_line=(parameters.findtext("command_line") or "").strip(),
    )
    without_e0 = {z for term in model.terms for z in term.atomic_numbers} - set(e0)
    if without_e0:
        raise reader.problem(f"the energy of an isolated atom of Z={min(without_e0)} is missing")
    return model


def count_sparse_points(path: str | os.PathLike) -> int:
    """Return the number of sparse points in a model file, also of terms that only quippy knows."""
    return sum(1 for _ in _parse(Path(path)).iter("sparseX"))


def write_model(model: GapModel, path: str | os.PathLike, *, separate_files: bool = False) -> Path:
    """Write a model file that quippy loads, whole or not at all, and return its path.

    With `separate_files` the sparse points go into files beside it, which quippy reads several
    times faster. Numbers are written so that they are read back exactly.
    """
    path = Path(path)
    label = model.label
    lines = [
        f"<{label}>",
        f'<Potential label="{label}" init_args="IP GAP label={label}"/>',
        f'<GAP_params label="{label}" gap_version="1769700636">',
        '  <GAP_data do_core="F">',
        *(f'    <e0 Z="{z}" value="{model.e0.get(z, 0.0)!r}"/>' for z in range(1, 119)),
        "  </GAP_data>",
        f'  <gpSparse label="{label}" n_coordinate="{len(model.terms)}" fitted="T">',
    ]
    for number, term in enumerate(model.terms, start=1):
        points_file = f"{path.name}.sparseX.{label}{number}" if separate_files else None
        lines += _term_lines(term, f"{label}{number}", points_file)
        if points_file:
            text = "\n".join(f"{x:.17e}" for x in term.sparse_points.ravel())
            write_atomic(path.with_name(points_file), text + "\n")
    lines.append("  </gpSparse>")
    if model.command_line:
        lines.append(f"  <command_line>{escape(model.command_line)}</command_line>")
    lines += ["</GAP_params>", f"</{label}>", ""]
    # quippy's XML reader ends the process where it meets a letter outside ASCII, even escaped.
    return write_atomic(path, "\n".join(lines).encode("ascii", "backslashreplace"))


def replace_weights(text: str, model: GapModel) -> str:
    """Return the text of a model file with the weights and the command line of another model.

    The two models differ in nothing else. It is what `write_model` would write, over ten times
    faster: a sweep over sigmas writes many models that differ in their weights only.
    """
    weights = iter(model.weights.tolist())
    text = re.sub(r'alpha="[^"]*"', lambda _: f'alpha="{next(weights)!r}"', text)
    line = escape(model.command_line).encode("ascii", "backslashreplace").decode()
    return re.sub(
        "<command_line>.*</command_line>",
        lambda _: f"<command_line>{line}</command_line>",
        text,
        flags=re.DOTALL,
    )


def _term_lines(term: GapTerm, label: str, points_file: str | None) -> list[str]:
    attributes = {
        "label": label,
        "dimensions": term.sparse_points.shape[1],
        "signal_variance": repr(term.delta),
        "signal_mean": "0.0",
        "sparsified": "T",
        "n_permutations": 1,
        "covariance_type": 2 if term.kind == "soap" else 1,
        "n_sparseX": len(term.alpha),
    }
    if term.zeta is not None:
        attributes["zeta"] = repr(term.zeta)
    if points_file:
        attributes["sparseX_filename"] = points_file
    theta = "" if term.theta is None else repr(term.theta)
    lines = [
        "    <gpCoordinates " + " ".join(f'{k}="{v}"' for k, v in attributes.items()) + ">",
        *([f"      <theta>{theta}</theta>"] if theta else []),
        f"      <descriptor>{term.descriptor}</descriptor>",
        '      <permutation i="1">1</permutation>',
    ]
    rows = zip(
        term.alpha.tolist(), term.sparse_cutoff.tolist(), term.sparse_points.tolist(), strict=True
    )
    for number, (alpha, cutoff, point) in enumerate(rows, start=1):
        start = f'      <sparseX i="{number}" alpha="{alpha!r}" sparseCutoff="{cutoff!r}"'
        if points_file:
            lines.append(f"{start}/>")
        elif len(point) == 1:
            lines.append(f"{start}> {point[0]!r} </sparseX>")
        else:
            lines.append(f'{start} sliced="T">')
            for first in range(0, len(point), SLICE):
                part = point[first : first + SLICE]
                head = f'<sparseX_slice start="{first + 1}" end="{first + len(part)}">'
                lines.append(f"        {head} {' '.join(map(repr, part))} </sparseX_slice>")
            lines.append("      </sparseX>")
    return [*lines, "    </gpCoordinates>"]


def _parse(path: Path) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, parse

    if path.is_dir():
        raise ModelFileError(f"{path} is a folder", expected="a gap.xml", fix=FIX)
    if not path.is_file():
        raise ModelFileError(
            f"There is no model file {path}", fix="train it first, or check the name"
        )
    if path.stat().st_size == 0:
        raise ModelFileError(f"{path} is empty", fix=FIX)
    try:
        return parse(path).getroot()
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise ModelFileError(
            f"{path} is not a whole XML file ({error})", expected="a gap.xml", fix=FIX
        ) from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror})", fix=FIX) from error


class _Reader:
    """Reads numbers out of XML elements and names the file when one is not a number."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def problem(self, text: str) -> ModelFileError:
        return ModelFileError(f"{self.path} is damaged: {text}", fix=FIX)

    def unsupported(self, what: str) -> UnsupportedModelError:
        return UnsupportedModelError(f"{self.path} holds {what}", fix="use engine='quippy'")

    def numbers(self, texts: Any, what: str) -> np.ndarray:
        if texts is None:
            raise self.problem(f"{what} is missing")
        try:
            values = np.array(texts, dtype=float)
        except (TypeError, ValueError) as error:
            raise self.problem(f"{what} is not a number ({error})") from error
        if not np.isfinite(values).all():
            raise self.problem(f"{what} is not finite")
        return values

    def number(self, element: Element, name: str, default: str | None = None) -> float:
        return float(self.numbers(element.get(name, default), f"{name} of <{element.tag}>"))

    def whole(self, element: Element, name: str, default: str | None = None) -> int:
        value = self.number(element, name, default)
        if value != int(value) or value < 0:
            raise self.problem(f"{name} of <{element.tag}> is not a whole number")
        return int(value)

    def term(self, element: Element) -> GapTerm:
        descriptor = " ".join((element.findtext("descriptor") or "").split())
        kind, options = self.descriptor(descriptor)
        points, n_sparse = element.findall("sparseX"), self.whole(element, "n_sparseX")
        if len(points) != n_sparse or not points:
            raise self.problem(f"{len(points)} of {n_sparse} sparse points are there")
        alpha = self.numbers([p.get("alpha") for p in points], "alpha")
        sparse_cutoff = self.numbers([p.get("sparseCutoff") for p in points], "sparseCutoff")
        sparse_points = self.sparse_points(element, points)
        if kind not in BOUNDS:
            raise self.unsupported(f"a term that the kit does not know, {kind}")
        try:
            for name, value in options.items():
                check_option(kind, name, value)
        except UnsupportedModelError as error:
            raise self.unsupported(f"a {kind} term that is not usual ({error.problem})") from error
        for name, (least, most) in BOUNDS[kind].items():
            what = f"{name} of its {kind} term"
            text = options.get(name)
            if text == "0" and name in ("Z", "Z1", "Z2"):
                raise self.unsupported(f"a {kind} term for every element ({name}=0)")
            size = float(self.numbers(text, what))
            whole = isinstance(least, float) or str(text).isdigit()
            if not (least <= size <= most and whole):
                raise self.problem(f"{what} is {text}, not between {least} and {most}")
        self.check_dimensions(kind, options, sparse_points.shape[1])
        if element.get("covariance_type") != ("2" if kind == "soap" else "1"):
            raise self.unsupported(f"a {kind} term with a kernel that the kit does not know")
        if self.whole(element, "n_permutations") != 1 or self.number(element, "signal_mean", "0"):
            raise self.unsupported(f"a {kind} term with permutations or a signal_mean")
        theta = element.findtext("theta")
        return GapTerm(
            kind=kind,
            options=options,
            # What quippy is given: only what was understood, without comments and odd spellings.
            descriptor=" ".join([kind, *(f"{name}={text}" for name, text in options.items())]),
            delta=self.number(element, "signal_variance"),
            zeta=self.number(element, "zeta") if kind == "soap" else None,
            theta=float(self.numbers(theta, "theta")) if kind == "distance_2b" else None,
            alpha=alpha,
            sparse_cutoff=sparse_cutoff,
            sparse_points=sparse_points,
        )

    def descriptor(self, text: str) -> tuple[str, dict[str, str]]:
        """Return the kind of a descriptor and its options, QUIP's defaults included."""
        problem = self.problem(f"a descriptor cannot be read ({text[:200]})")
        try:
            pairs = split_pairs(text)
        except ValueError as error:
            raise problem from error
        kind = find_kind(key for key, _ in pairs)
        if kind not in BOUNDS:
            # It may corrupt quippy's memory.
            if not text or not DESCRIPTOR.fullmatch(text):
                raise problem
            return kind or text.partition(" ")[0], {}
        options = with_defaults(kind, canonical(kind, pairs))
        for name, value in options.items():
            if not OPTION.fullmatch(f"{name}={value}"):
                raise problem
            if " " in value:
                options[name] = f"{{{value}}}"
            elif name in BOUNDS[kind] and "d" in value.casefold():
                with contextlib.suppress(ValueError):
                    options[name] = repr(real(value))
        return kind, options

    def check_dimensions(self, kind: str, options: dict[str, str], dimensions: int) -> None:
        """Compare the length of the descriptor with the numbers that each sparse point has."""
        expected = 1
        if kind == "soap":
            species = options["species_Z"].strip("{}").split()
            if species == ["0"]:
                raise self.unsupported("a soap term for every element (species_Z=0)")
            n_species, n_max, l_max = (int(options[k]) for k in ("n_species", "n_max", "l_max"))
            if len(species) != n_species or not {*species} <= {str(z) for z in range(1, 119)}:
                raise self.problem(f"species_Z={{{' '.join(species)}}} is not {n_species} elements")
            expected = n_max * n_species * (n_max * n_species + 1) // 2 * (l_max + 1) + 1
        if dimensions != expected:
            raise self.problem(f"its {kind} term has {dimensions} dimensions, not {expected}")

    def sparse_points(self, element: Element, points: list[Element]) -> np.ndarray:
        shape = (len(points), self.whole(element, "dimensions"))
        if [point.get("i") for point in points] != [str(n + 1) for n in range(len(points))]:
            raise self.problem("its sparse points are not in order")
        name = element.get("sparseX_filename")
        if name:
            beside = self.path.parent / Path(name).name
            if not beside.is_file():
                raise ModelFileError(
                    f"{self.path} needs {beside.name} beside it, which is missing",
                    fix="copy the sparseX files together with the model",
                )
            words = beside.read_text(encoding="utf-8", errors="replace").split()
            what = beside.name
        else:
            words = [word for point in points for text in point.itertext() for word in text.split()]
            what = "a sparse point"
            slices = [part for point in points for part in point.findall("sparseX_slice")]
            ends = [0, *(self.whole(part, "end") % max(1, shape[1]) for part in slices)]
            if [self.whole(part, "start") - 1 for part in slices] != ends[:-1]:
                raise self.problem("its sparse points are not in order")
        values = self.numbers(words, what)
        if values.size != shape[0] * shape[1] or values.size == 0:
            raise self.problem(f"{what} holds {values.size} numbers, not {shape[0]} × {shape[1]}")
        return values.reshape(shape)
