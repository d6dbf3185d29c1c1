"""gap.xml → `GapModel` (numbers and metadata), checked, and back. Pure Python, no quippy."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from helpers.errors import ModelFileError
from helpers.files import write_whole
from helpers.gap.model import GapModel, GapTerm

FIX = "choose a gap.xml that gap_fit wrote, or train the model again"
SLICE = 20  # numbers in one <sparseX_slice>: quippy cannot read lines above about 1000 characters
# Options that a descriptor must have, as positive numbers, before quippy may see it.
REQUIRED = {
    "distance_2b": ("cutoff", "Z1", "Z2"),
    "soap": ("cutoff", "n_max", "l_max", "n_species", "Z"),
}


class UnsupportedModelError(ModelFileError):
    """A well-formed GAP with parts that the kit does not evaluate itself."""


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
    if parameters.find("GAP_data") is None:
        raise reader.problem("the energies of isolated atoms (GAP_data) are missing")
    label = parameters.get("label", "")
    e0 = {
        reader.whole(element, "Z"): reader.number(element, "value")
        for element in parameters.iter("e0")
    }
    coordinates = sparse.findall("gpCoordinates")
    if not coordinates or reader.whole(sparse, "n_coordinate") != len(coordinates):
        raise reader.problem(f"{len(coordinates)} of {sparse.get('n_coordinate')} terms are there")
    if label != root.tag or sparse.get("label") != label:
        raise reader.problem("its labels do not agree")
    if next(parameters.iter("core_potential"), None) is not None or (
        parameters.find("GAP_data").get("do_core", "F") != "F"  # type: ignore[union-attr]
    ):
        raise UnsupportedModelError(f"{path} holds a core potential", fix="use engine='quippy'")
    return GapModel(
        label=label,
        e0={z: value for z, value in e0.items() if value},
        terms=tuple(reader.term(element) for element in coordinates),
        command_line=(parameters.findtext("command_line") or "").strip(),
    )


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
            write_whole(path.with_name(points_file), text + "\n")
    lines.append("  </gpSparse>")
    if model.command_line:
        lines.append(f"  <command_line><![CDATA[{model.command_line}]]></command_line>")
    lines += ["</GAP_params>", f"</{label}>", ""]
    return write_whole(path, "\n".join(lines))


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

    def numbers(self, texts: Any, what: str) -> np.ndarray:
        try:
            values = np.array(texts, dtype=float)
        except (TypeError, ValueError) as error:
            raise self.problem(f"{what} is not a number ({error})") from error
        if not np.isfinite(values).all():
            raise self.problem(f"{what} is not finite")
        return values

    def number(self, element: Element, name: str) -> float:
        return float(self.numbers(element.get(name), f"{name} of <{element.tag}>"))

    def whole(self, element: Element, name: str) -> int:
        value = self.number(element, name)
        if value != int(value) or value < 0:
            raise self.problem(f"{name} of <{element.tag}> is not a whole number")
        return int(value)

    def term(self, element: Element) -> GapTerm:
        descriptor = " ".join((element.findtext("descriptor") or "").split())
        kind, _, rest = descriptor.partition(" ")
        options = dict(re.findall(r"(\w+)=(\{[^{}]*\}|[^\s{}]+)", rest))
        if kind not in REQUIRED or self.whole(element, "n_permutations") != 1:
            raise UnsupportedModelError(
                f"{self.path} holds a term that the kit does not know: {kind or 'no descriptor'}",
                expected=" or ".join(REQUIRED),
                fix="use engine='quippy'",
            )
        if element.get("covariance_type") != ("2" if kind == "soap" else "1"):
            raise UnsupportedModelError(
                f"{self.path}: the kernel of its {kind} term is not one that the kit knows",
                fix="use engine='quippy'",
            )
        for name in REQUIRED[kind]:
            if not (self.numbers(options.get(name), f"{name} of its {kind} term") >= 0).all():
                raise self.problem(f"{name} of its {kind} term is negative")
        theta = element.findtext("theta")
        points = element.findall("sparseX")
        if len(points) != self.whole(element, "n_sparseX") or not points:
            raise self.problem(
                f"{len(points)} of {element.get('n_sparseX')} sparse points are there"
            )
        return GapTerm(
            kind=kind,
            options=options,
            descriptor=descriptor,
            delta=self.number(element, "signal_variance"),
            zeta=self.number(element, "zeta") if kind == "soap" else None,
            theta=float(self.numbers(theta, "theta")) if kind == "distance_2b" else None,
            alpha=self.numbers([p.get("alpha") for p in points], "alpha"),
            sparse_cutoff=self.numbers([p.get("sparseCutoff") for p in points], "sparseCutoff"),
            sparse_points=self.sparse_points(element, points),
        )

    def sparse_points(self, element: Element, points: list[Element]) -> np.ndarray:
        shape = (len(points), self.whole(element, "dimensions"))
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
        values = self.numbers(words, what)
        if values.size != shape[0] * shape[1] or values.size == 0:
            raise self.problem(f"{what} holds {values.size} numbers, not {shape[0]} × {shape[1]}")
        return values.reshape(shape)
