"""A lesson taken apart for grading: the release, its tests, and what these need of the lesson."""

from __future__ import annotations

import ast
import builtins
import json
import re
from dataclasses import dataclass, field
from typing import Any

from helpers.errors import WorkshopError

# A given cell with this tag measures something (seconds, for instance), so that running it again
# gives another value: tests ask the student's notebook for its names.
MEASURED = "measured"
_MARKS = re.compile(r"^### (BEGIN|END) HIDDEN TESTS\n?", re.MULTILINE)


class LessonError(WorkshopError, ValueError):
    """A lesson that cannot be built, with what is wrong in its source.

    A `WorkshopError`; it stands here because nobody outside this room meets it.
    """


@dataclass(frozen=True)
class HiddenTest:
    """A test: its whole source, its points, and the variables of the student that it looks at."""

    source: str
    points: float
    names: tuple[str, ...]


@dataclass(frozen=True)
class Lesson:
    """What grading needs of a lesson.

    Attributes
    ----------
    name : str
        Such as ``01_first_look``.
    release : notebook
        The student's edition.
    tests : dict
        The id of each test cell, and the test.
    given : str
        Statements of the lesson that tests rely on, such as imports.
    exercises : dict
        The id of each cell, and its exercise, such as ``exercise 1.5``.
    uses_cache : bool
        Whether the lesson keeps fits in a folder called ``cache``.
    """

    name: str
    release: Any
    tests: dict[str, HiddenTest]
    given: str
    exercises: dict[str, str] = field(default_factory=dict)
    uses_cache: bool = False

    @classmethod
    def split(cls, name: str, solution: Any, release: Any) -> Lesson:
        """Take the notebook of a solution apart.

        Raises
        ------
        LessonError
            If a test relies on a variable that the lesson gives two values.
        """
        sources = {
            cell.id: _MARKS.sub("", cell.source)
            for cell in solution.cells
            if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")
        }
        points = {
            cell.id: cell.metadata.nbgrader.points for cell in solution.cells if cell.id in sources
        }
        wanted = {identity: free_names(ast.parse(text)) for identity, text in sources.items()}
        given = _given(name, solution, set().union(*wanted.values()))
        provided = {one for statement in given for one in _bound(statement)}
        tests = {
            identity: HiddenTest(
                text, float(points[identity]), tuple(sorted(wanted[identity] - provided))
            )
            for identity, text in sources.items()
        }
        return cls(
            name,
            release,
            tests,
            "\n".join(ast.unparse(statement) for statement in given),
            _exercises(release),
            any("MLMD_CACHE" in cell.source for cell in release.cells),
        )

    @property
    def content(self) -> str:
        """All that a mark depends on, as text: it changes when a test is mended."""
        tests = {name: [test.source, test.points] for name, test in self.tests.items()}
        cells = [[cell.id, cell.cell_type, cell.source] for cell in self.release.cells]
        return json.dumps([self.name, tests, self.given, cells])


def _exercises(release: Any) -> dict[str, str]:
    names, current = {}, "the beginning"
    for cell in release.cells:
        heading = re.match(r"#+ (Exercise [\d.]+)?", cell.source)
        if cell.cell_type == "markdown" and heading:
            current = heading[1].lower() if heading[1] else cell.source.splitlines()[0].lstrip("# ")
        names[cell.id] = current
    return names


def free_names(tree: ast.AST) -> set[str]:
    """Return the names that a piece of code uses and does not define, without Python's own."""
    used: set[str] = set()
    defined = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined.add(node.name)
        elif isinstance(node, ast.alias):
            defined.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            defined.add(node.name)
    return used - defined


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names to which a statement gives a value."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
    return names


def _changed(statement: ast.stmt) -> set[str]:
    """Return the names whose attributes or items a statement sets."""
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            root: ast.AST = node
            while isinstance(root, (ast.Attribute, ast.Subscript)):
                root = root.value
            if isinstance(root, ast.Name):
                names.add(root.id)
    return names


def _given(name: str, solution: Any, wanted: set[str]) -> list[ast.stmt]:
    """Return the statements of given cells that make the wanted names, and what these need."""
    statements: list[ast.stmt] = []
    for cell in solution.cells:
        tags = cell.metadata.get("tags", [])
        plain = "nbgrader" not in cell.metadata and not {"discussion", MEASURED} & set(tags)
        if cell.cell_type == "code" and plain:
            lines = [line for line in cell.source.splitlines() if not line.startswith(("!", "%"))]
            statements += _one_by_one(ast.parse("\n".join(lines)).body)
    makers: dict[str, list[ast.stmt]] = {}
    for statement in statements:
        for one in _bound(statement):
            makers.setdefault(one, []).append(statement)
    kept: list[ast.stmt] = []
    pending = [one for one in wanted if one in makers]
    while pending:
        one = pending.pop()
        if len({ast.dump(maker) for maker in makers[one]}) > 1:
            raise LessonError(
                f"A test of {name} relies on {one!r}, which the lesson gives several values",
                fix="use the value in the test itself, or give the variables two names",
            )
        more = [makers[one][0], *(s for s in statements if one in _changed(s))]
        for statement in more:
            if not any(statement is other for other in kept):
                kept.append(statement)
                pending += [other for other in free_names(statement) if other in makers]
    return [statement for statement in statements if any(statement is one for one in kept)]


def _one_by_one(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements with ``from a import b, c`` taken apart, to import what is used."""
    single: list[ast.stmt] = []
    for statement in statements:
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                single.append(ast.ImportFrom(statement.module, [alias], statement.level))
        else:
            single.append(statement)
    return single
