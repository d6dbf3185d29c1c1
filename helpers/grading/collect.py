"""Sort the files that students sent into the folders that nbgrader grades.

Files may come as they are, as a zip of one student, or as the download of a learning-management
system (`helpers.grading.lms`), packed or unpacked. Each file is copied once, so that an instructor
may mend the copy. When the student's file changes, the new one replaces the copy, and the former
copy is kept. A file that cannot be assigned to one student is listed as a problem and does not stop
the others.
"""

from __future__ import annotations

import contextlib
import io
import re
import stat
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from helpers.errors import OutputError, WorkshopError
from helpers.files import backup, write_atomic
from helpers.grading.course import GradingError
from helpers.grading.lms import Attempt, attempt_of
from helpers.grading.roster import Roster

EXPECTED = "NAME_{0}.ipynb, or NAME.zip with {0}.ipynb inside"
LARGEST = 100_000_000  # bytes of one notebook: a small zip file can unpack to a huge one
LARGEST_ZIP = 2_000_000_000  # bytes of a zip inside a zip, and members of one
MOST_MEMBERS = 20_000
LONGEST_NAME = 100
_NAME = r"L[L.@'’-]*(,? [L.@'’-]+)*"  # L: a letter, a digit, an accent or an underscore
_NOT_FROM_STUDENTS = {".ipynb_checkpoints", "__MACOSX"}


@dataclass
class Collected:
    """The outcome of `collect`: files that could not be used, and copies that were replaced."""

    problems: dict[str, str] = field(default_factory=dict)  # student or file → reason
    replaced: dict[str, Path] = field(default_factory=dict)  # student → former copy
    notes: dict[str, list[str]] = field(default_factory=dict)  # student → what to know


@dataclass(frozen=True)
class _Sent:
    """One notebook that was sent."""

    label: str  # where it was found
    read: Callable[[], bytes]
    attempt: Attempt | None = None


def collect(grading: Path, lesson: str) -> Collected:
    """Sort ``downloaded/LESSON/archive/`` into ``submitted/STUDENT/LESSON/``, all in `grading`.

    With ``roster.csv`` in `grading`, only its students are known (`helpers.grading.roster`).

    Raises
    ------
    ConfigError
        If the roster cannot be used.
    OutputError
        If the disk is full, for instance.
    """
    collected, sent = Collected(), defaultdict[str, list[_Sent]](list)
    roster = Roster(grading / "roster.csv")
    archive = grading / "downloaded" / lesson / "archive"
    numbers = defaultdict[str, set[str]](set)
    for path in sorted(archive.glob("[!.]*")):
        if path.name in _NOT_FROM_STUDENTS:
            continue
        try:
            for name, one in _sent(path, lesson):
                try:
                    student = _known(name, one, roster)
                except GradingError as error:
                    collected.problems[one.label[:LONGEST_NAME]] = str(error)
                    continue
                if one.attempt is not None:
                    numbers[student].add(one.attempt.number)
                sent[student].append(one)
        except Exception as error:  # whatever a file does, the others go on
            collected.problems[path.name[:LONGEST_NAME]] = _reason(error)
    for student, files in sent.items():
        try:
            if len(numbers[student]) > 1:
                raise GradingError(
                    f"Two people are called {student}: " + ", ".join(sorted(numbers[student])),
                    fix="tell them apart in grading/roster.csv (columns student, number)",
                )
            former = _hand_over(_only(files), grading, student, lesson)
            newest = _newest(files)
        except OutputError:
            raise
        except Exception as error:
            collected.problems[student] = _reason(error)
            continue
        if former is not None:
            collected.replaced[student] = former
        if newest is not None and newest.late:
            collected.notes.setdefault(student, []).append("handed in late")
        if newest is not None and newest.time:
            stamp = grading / "submitted" / student / lesson / "timestamp.txt"
            write_atomic(stamp, f"{newest.time} UTC\n")
    return collected


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, WorkshopError) else f"{type(error).__name__}: {error}"


def _known(name: str, one: _Sent, roster: Roster) -> str:
    """Return the student's name in the course."""
    if roster.exists:
        student = roster.student(one.attempt.number if one.attempt else "", name)
        if student is None:
            raise GradingError(
                f"{one.label} fits no student of the roster, or several",
                found=name,
                fix="add the name to grading/roster.csv, or rename the file",
            )
        name = student
    if not re.fullmatch(_NAME, _kinds(name)) or len(name) > LONGEST_NAME:
        raise GradingError(
            f"{name[:LONGEST_NAME]!r} cannot be the name of a student",
            expected="letters, digits, and between them single spaces, dots, ', @, - or _",
            fix=f"rename {one.label[:LONGEST_NAME]} in the archive folder",
        )
    return name


def _kinds(name: str) -> str:
    """Return a name with L for each letter, digit, mark (scripts of India use them) and _."""
    return "".join("L" if unicodedata.category(c)[0] in "LMN" or c == "_" else c for c in name)


def _sent(path: Path, lesson: str) -> Iterator[tuple[str, _Sent]]:
    """Yield the student's name and the notebook of everything in a file or folder."""
    if path.is_symlink():
        raise GradingError(f"{path.name} is a link", fix="put the file itself there")
    if path.is_dir():
        members = [p for p in sorted(path.rglob("*")) if p.is_file() and not p.is_symlink()]
        found = [(p, attempt_of(p.relative_to(path.parent).as_posix())) for p in members]
        for member, attempt in found:
            if attempt is not None:
                label = member.relative_to(path.parent).as_posix()
                yield from _of_attempt(label, attempt, _reader(member), lesson)
        if any(attempt for _, attempt in found):
            return
        files = {member.relative_to(path.parent).as_posix(): member for member in members}
        names = _students_of(files, lesson)
        if len(set(names.values())) < 2:  # one student's folder
            sizes = {name: member.stat().st_size for name, member in files.items()}
            owner = _spaced(path.name)
            for other in set(names.values()) - {owner}:
                raise GradingError(
                    f"A folder called {owner} holds the notebook of {other}",
                    fix="give the folder or the notebook the other name",
                )
            names = {_notebook_in(sizes, path.name, lesson): owner}
        for name, student in names.items():
            yield student, _Sent(name, _reader(files[name]))
        return
    attempt = attempt_of(path.name)
    if attempt is not None:
        yield from _of_attempt(path.name, attempt, _reader(path), lesson)
        return
    if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            known = [(m, attempt_of(m.filename)) for m in _members(packed, path.name)]
            if any(attempt for _, attempt in known):
                for inside, attempt in known:
                    if attempt is not None:
                        read = _unpacked(path, inside)
                        yield from _of_attempt(inside.filename, attempt, read, lesson)
                return
            packages = {member.filename: member for member, _ in known}
            names = _students_of(packages, lesson)
            if len(set(names.values())) > 1:
                for name, student in names.items():
                    yield student, _Sent(name, _unpacked(path, packages[name]))
                return
    yield student_of(path.name, lesson), _Sent(path.name, lambda: _content(path, lesson))


def _of_attempt(
    label: str, attempt: Attempt, read: Callable[[], bytes], lesson: str
) -> Iterator[tuple[str, _Sent]]:
    _, kind = _stem_and_kind(label)
    hidden = PurePosixPath(label).name.startswith(".")
    if kind == ".ipynb" and not hidden:
        yield attempt.name, _Sent(label, read, attempt)
    elif kind == ".zip":
        yield attempt.name, _Sent(label, lambda: _from_zip(read(), label, lesson), attempt)
    elif kind not in (".html", ".txt", ""):  # a comment or a report of the system
        unusable = GradingError(f"{label} is neither a notebook nor a zip")

        def refuse() -> bytes:
            raise unusable

        yield attempt.name, _Sent(label, refuse, attempt)


def _from_zip(content: bytes, name: str, lesson: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return _notebook_of(packed, name, lesson)


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        if path.stat().st_size > LARGEST:
            raise GradingError(f"{path.name} has more than {LARGEST // 10**6} MB")
        return path.read_bytes()

    return read


def _members(packed: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    members = packed.infolist()
    if len(members) > MOST_MEMBERS or sum(m.file_size for m in members) > LARGEST_ZIP:
        raise GradingError(f"{name} unpacks to far too much")
    return [member for member in members if not member.is_dir()]


def _unpacked(path: Path, member: zipfile.ZipInfo) -> Callable[[], bytes]:
    """Return a function that gives the bytes of a member of a zip file."""

    def read() -> bytes:
        with zipfile.ZipFile(path) as packed:
            return _bytes_of(packed, member)

    return read


def _bytes_of(packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise GradingError(f"{member.filename} is a link")
    if member.file_size > LARGEST:
        raise GradingError(f"{member.filename} has more than {LARGEST // 10**6} MB")
    return packed.read(member)


def student_of(name: str, lesson: str) -> str:
    """Return the student's name from a file name: what comes before the lesson's name.

    A zip file may be named after the student alone.

    Raises
    ------
    GradingError
        If there is no name.
    """
    stem, kind = _stem_and_kind(name)
    words = _words(lesson)
    named = re.fullmatch(rf"(.+?)[ _-]+(?:copy of[ _-]+)?{words}.*", stem, re.IGNORECASE)
    if named is not None:
        stem = named[1]
    alone = kind == ".zip" and not re.match(words, stem, re.IGNORECASE)
    if kind not in (".ipynb", ".zip") or not (named or alone):
        raise GradingError(
            f"{name} does not tell whose it is",
            expected=EXPECTED.format(lesson),
            fix="rename it in the archive folder",
        )
    return _spaced(stem)


def _stem_and_kind(name: str) -> tuple[str, str]:
    """Return a file's name without its ending, and the ending; browsers add .txt or .json."""
    # Some systems write an é as two characters.
    path = PurePosixPath(unicodedata.normalize("NFC", name))
    if path.suffix.lower() in (".txt", ".json") and path.stem.lower().endswith(".ipynb"):
        path = PurePosixPath(path.stem)
    return path.stem, path.suffix.lower()


def _spaced(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def _words(lesson: str) -> str:
    """Return a pattern for the name of a lesson, with other signs between its words or none."""
    return "[ _-]*".join(re.escape(word) for word in lesson.split("_"))


def _students_of(names: Iterable[str], lesson: str) -> dict[str, str]:
    """Return the students after whom notebooks are named; none if one is named as the lesson."""
    students = {}
    for name in names:
        path = PurePosixPath(name)
        stem, kind = _stem_and_kind(path.name)
        if kind != ".ipynb" or path.name.startswith(".") or _NOT_FROM_STUDENTS & set(path.parts):
            continue
        if re.fullmatch(_words(lesson), stem, re.IGNORECASE):
            return {}  # somebody's own folder
        with contextlib.suppress(GradingError):
            students[name] = student_of(path.name, lesson)
    return students


def _newest(files: list[_Sent]) -> Attempt | None:
    attempts = [one.attempt for one in files if one.attempt is not None]
    return max(attempts, key=lambda attempt: attempt.when) if attempts else None


def _only(files: list[_Sent]) -> bytes:
    """Return the one notebook that a student sent: the newest attempt, or several equal files."""
    newest = _newest(files)
    if newest is not None:
        files = [one for one in files if one.attempt is None or one.attempt.when == newest.when]
    contents = {one.read() for one in files}
    if len(contents) > 1:
        raise GradingError(
            "One student has several files that differ: " + ", ".join(one.label for one in files),
            fix="leave the one that counts in the archive folder, or give them two names",
        )
    return contents.pop()


def _content(path: Path, lesson: str) -> bytes:
    try:
        if _stem_and_kind(path.name)[1] == ".ipynb":
            return _reader(path)()
        with zipfile.ZipFile(path) as packed:
            return _notebook_of(packed, path.name, lesson)
    except GradingError:
        raise
    except Exception as error:  # a damaged or an encrypted zip raises nearly anything
        raise GradingError(
            f"{path.name} cannot be read", found=str(error), fix="ask for it again"
        ) from error


def _notebook_of(packed: zipfile.ZipFile, name: str, lesson: str) -> bytes:
    members = {member.filename: member for member in _members(packed, name)}
    sizes = {one: member.file_size for one, member in members.items()}
    return _bytes_of(packed, members[_notebook_in(sizes, name, lesson)])


def _notebook_in(sizes: dict[str, int], name: str, lesson: str) -> str:
    """Return the notebook named exactly as the lesson, or else the one whose name contains it.

    Of a whole checkout it is the one in ``notebooks``, not that in ``solutions``.
    """
    notebooks, exact = [], []
    for member in sizes:
        path = PurePosixPath(member)
        stem, kind = _stem_and_kind(path.name)
        hidden = path.name.startswith(".") or _NOT_FROM_STUDENTS.intersection(path.parts)
        if not hidden and kind == ".ipynb" and re.search(_words(lesson), stem, re.IGNORECASE):
            notebooks.append(member)
            if re.fullmatch(_words(lesson), stem, re.IGNORECASE):
                exact.append(member)
    candidates = exact or notebooks
    if len(candidates) > 1:
        candidates = [m for m in candidates if "solutions" not in PurePosixPath(m).parts]
    if len(candidates) != 1 or sizes[candidates[0]] > LARGEST:
        raise GradingError(
            f"{name} does not hold one notebook of this lesson",
            expected=f"one {lesson}.ipynb, at most {LARGEST // 10**6} MB",
            found=", ".join(
                f"{member[:LONGEST_NAME]} ({sizes[member]} bytes)" for member in candidates[:5]
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
