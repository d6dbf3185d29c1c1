"""Sort the files that students sent into the folders that nbgrader grades.

Each file is copied once, so that an instructor may mend the copy. When the student's file changes,
the new one replaces the copy, and the former copy is kept. A file that cannot be assigned to one
student is listed as a problem and does not stop the others.
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
LARGEST = 100_000_000  # bytes of one notebook: a small zip file can unpack to a huge one
_NAME = r"\w[\w.-]*( [\w.-]+)*"
_NOT_FROM_STUDENTS = {".ipynb_checkpoints", "__MACOSX"}


@dataclass
class Collected:
    """The outcome of `collect`: files that could not be used, and copies that were replaced."""

    problems: dict[str, str] = field(default_factory=dict)  # student or file → reason
    replaced: dict[str, Path] = field(default_factory=dict)  # student → former copy
    notes: dict[str, list[str]] = field(default_factory=dict)  # student → what to know


def collect(grading: Path, lesson: str) -> Collected:
    """Sort ``downloaded/LESSON/archive/`` into ``submitted/STUDENT/LESSON/``, all in `grading`."""
    collected, sent = Collected(), defaultdict(list)
    for path in sorted((grading / "downloaded" / lesson / "archive").glob("[!.]*")):
        if path.name in _NOT_FROM_STUDENTS:
            continue
        try:
            sent[student_of(path, lesson)].append(path)
        except GradingError as error:
            collected.problems[path.name] = str(error)
    for student, paths in sent.items():
        try:
            former = _hand_over(_only(paths, lesson), grading, student, lesson)
        except GradingError as error:
            collected.problems[student] = str(error)
        else:
            if former is not None:
                collected.replaced[student] = former
    return collected


def student_of(path: Path, lesson: str) -> str:
    """Return the student's name from a file name: what comes before the lesson's name.

    A zip file may be named after the student alone.

    Raises
    ------
    GradingError
        If there is no name, or nbgrader does not accept it.
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
    """Return the one notebook that a student sent, in one or several equal files."""
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
    """Return the notebook named exactly as the lesson, or else the one whose name contains it."""
    notebooks = []
    for member in packed.infolist():
        path = PurePosixPath(member.filename)
        hidden = path.name.startswith(".") or _NOT_FROM_STUDENTS.intersection(path.parts)
        if not hidden and lesson in path.stem and path.suffix.lower() == ".ipynb":
            notebooks.append(member)
    exact = [member for member in notebooks if PurePosixPath(member.filename).stem == lesson]
    candidates = exact or notebooks
    if len(candidates) != 1 or candidates[0].file_size > LARGEST:
        raise GradingError(
            f"{name} does not hold one notebook of this lesson",
            expected=f"one {lesson}.ipynb, at most {LARGEST // 10**6} MB",
            found=", ".join(
                f"{member.filename} ({member.file_size} bytes)" for member in candidates
            )
            or "none",
            fix=f"put NAME_{lesson}.ipynb in its place",
        )
    return candidates[0]


def _hand_over(content: bytes, grading: Path, student: str, lesson: str) -> Path | None:
    """Write a hand-in where nbgrader looks for it; return the backup of the former one, if any."""
    submitted_path = grading / "submitted" / student / lesson / f"{lesson}.ipynb"
    collected_path = grading / "collected" / lesson / f"{student}.ipynb"
    current, last_collected = (_bytes(path) for path in (submitted_path, collected_path))
    if current is not None and content == last_collected:
        return None  # the instructor may have mended the copy
    former = None
    if current not in (None, content):
        if last_collected is None:
            raise GradingError(
                f"{student} has a file in the archive and another, put there by hand: "
                f"{submitted_path}",
                fix="remove the one that does not count",
            )
        former = backup(submitted_path, grading / "replaced" / student)
    for path in (submitted_path, collected_path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    return former


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
