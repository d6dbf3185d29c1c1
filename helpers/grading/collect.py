"""Sort what students sent into the folders that nbgrader grades.

A file goes in once, so that an instructor may mend it there; a new hand-in replaces it, and the
former is kept. What cannot be assigned to one student stops nobody else.
"""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from helpers.files import backup, write_atomic
from helpers.grading.course import GradingError

EXPECTED = "NAME_{0}.ipynb, or NAME.zip with {0}.ipynb inside"
LARGEST = 100_000_000  # bytes of one notebook; a small zip may hold what fills the memory
_NAME = r"\w[\w.-]*( [\w.-]+)*"
_NOT_FROM_STUDENTS = {".ipynb_checkpoints", "__MACOSX"}


@dataclass
class Collected:
    """What an instructor should know."""

    problems: dict[str, str] = field(default_factory=dict)  # student, or file → why it waits
    replaced: dict[str, Path] = field(default_factory=dict)  # student → the former hand-in


def collect(grading: Path, lesson: str) -> Collected:
    """Sort ``downloaded/LESSON/archive/`` into ``submitted/STUDENT/LESSON/``, all in `grading`."""
    told, sent = Collected(), defaultdict(list)
    for path in sorted((grading / "downloaded" / lesson / "archive").glob("[!.]*")):
        if path.name in _NOT_FROM_STUDENTS:
            continue
        try:
            sent[student_of(path, lesson)].append(path)
        except GradingError as error:
            told.problems[path.name] = str(error)
    for student, paths in sent.items():
        try:
            former = _hand_over(_only(paths, lesson), grading, student, lesson)
        except GradingError as error:
            told.problems[student] = str(error)
        else:
            if former is not None:
                told.replaced[student] = former
    return told


def student_of(path: Path, lesson: str) -> str:
    """Return the name before the lesson's in the name of a file; that of a zip may be all name.

    Raises
    ------
    GradingError
        If there is none, or nbgrader cannot take it.
    """
    # Some systems write an é as two characters.
    stem, kind = unicodedata.normalize("NFC", path.stem), path.suffix.lower()
    named = re.fullmatch(rf"(.+?)[ _-]+{re.escape(lesson)}.*", stem)
    if named is not None:
        stem = named[1]
    alone = kind == ".zip" and not stem.startswith(lesson)
    if not path.is_file() or kind not in (".ipynb", ".zip") or not (named or alone):
        raise GradingError(
            f"{path.name} does not tell whose it is",
            expected=EXPECTED.format(lesson),
            fix="rename it in the archive folder",
        )
    if not re.fullmatch(_NAME, stem):
        raise GradingError(
            f"{stem!r} cannot be the name of a student",
            expected="letters, digits, and between them single spaces, dots, - or _",
            fix=f"rename {path.name} in the archive folder",
        )
    return stem


def _only(paths: list[Path], lesson: str) -> bytes:
    """Return the notebook that one student sent."""
    contents = {_content(path, lesson) for path in paths}
    if len(contents) > 1:
        raise GradingError(
            "One student has several files that differ: " + ", ".join(path.name for path in paths),
            fix="leave the one that counts in the archive folder, or give them two names",
        )
    return contents.pop()


def _content(path: Path, lesson: str) -> bytes:
    try:
        if path.suffix.lower() == ".ipynb":
            return path.read_bytes()
        with zipfile.ZipFile(path) as packed:
            return packed.read(_notebook_in(packed, path.name, lesson))
    except GradingError:
        raise
    except Exception as error:  # a damaged or an encrypted zip raises nearly anything
        raise GradingError(
            f"{path.name} cannot be read", found=str(error), fix="ask for it again"
        ) from error


def _notebook_in(packed: zipfile.ZipFile, name: str, lesson: str) -> zipfile.ZipInfo:
    """Return what has the lesson's very name; if there is none, what has it in its name."""
    inside = []
    for member in packed.infolist():
        path = PurePosixPath(member.filename)
        hidden = path.name.startswith(".") or _NOT_FROM_STUDENTS.intersection(path.parts)
        if not hidden and lesson in path.stem and path.suffix.lower() == ".ipynb":
            inside.append(member)
    exact = [one for one in inside if PurePosixPath(one.filename).stem == lesson]
    chosen = exact or inside
    if len(chosen) != 1 or chosen[0].file_size > LARGEST:
        raise GradingError(
            f"{name} does not hold one notebook of this lesson",
            expected=f"one {lesson}.ipynb, at most {LARGEST // 10**6} MB",
            found=", ".join(f"{one.filename} ({one.file_size} bytes)" for one in chosen) or "none",
            fix=f"put NAME_{lesson}.ipynb in its place",
        )
    return chosen[0]


def _hand_over(content: bytes, grading: Path, student: str, lesson: str) -> Path | None:
    """Write what was sent where nbgrader looks; return where the former hand-in is kept."""
    submitted = grading / "submitted" / student / lesson / f"{lesson}.ipynb"
    collected = grading / "collected" / lesson / f"{student}.ipynb"
    there, before = (_bytes(path) for path in (submitted, collected))
    if there is not None and content == before:
        return None  # mended there, perhaps
    former = None
    if there not in (None, content):
        if before is None:
            raise GradingError(
                f"{student} has a file in the archive and another, put there by hand: {submitted}",
                fix="remove the one that does not count",
            )
        former = backup(submitted, grading / "replaced" / student)
    for path in (submitted, collected):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    return former


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
