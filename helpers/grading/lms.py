"""How learning-management systems name what a class handed in."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Each pattern is for a path inside the download, with / between folders.
_SYSTEMS = {
    # Ada Stone_48231_assignsubmission_file_/a.ipynb, or …_file_a.ipynb
    "Moodle": r"(?P<name>[^/]+?)_(?P<number>\d+)_assignsubmission_file_?/?(?P<file>[^/]+)$",
    # stoneada_LATE_48231_993812_a-1.ipynb: -1 is the second attempt
    "Canvas": r"(?P<name>[^/_]+)(?P<late>_LATE)?_(?P<number>\d{4,})_(?P<attempt>\d{4,})_"
    r"(?P<file>[^/]+)$",
    # Homework_astone_attempt_2026-03-01-10-11-12_a.ipynb
    "Blackboard": r"[^/]*?_(?P<name>[^/_]+)_attempt_(?P<time>\d{4}(?:-\d\d){5})_?(?P<file>[^/]*)$",
    # Stone_Ada_astone_48231/20260301101112_a.ipynb
    "ILIAS": r"(?P<last>[^/_]+)_(?P<first>[^/_]+)_(?P<login>[^/_]+)_(?P<number>\d+)/"
    r"(?:(?P<time>\d{14})_)?(?P<file>[^/]+)$",
    # Stone_Ada_astone/2_submissions/a.ipynb: 2 is the second attempt
    "OLAT": r"(?P<last>[^/_]+)_(?P<first>[^/_]+)_(?P<login>[^/_]+)/"
    r"(?:(?P<attempt>\d+)_)?submissions?/(?P<file>[^/]+)$",
}
_PATTERNS = {name: re.compile(f"(?:^|.*/){pattern}") for name, pattern in _SYSTEMS.items()}
_AGAIN = re.compile(r"[-_ ]\(?(\d{1,2})\)?\.ipynb$")


@dataclass(frozen=True)
class Attempt:
    """One file of a download: whose it is, and which of several attempts.

    Attributes
    ----------
    name : str
        As the system writes it: a person's name, or a login.
    number : str
        The system's number of the person, or an empty text.
    when : tuple
        Larger for a newer attempt.
    late : bool
        Whether the system calls it late.
    time : str
        When it was handed in, as ``2026-03-01 10:11:12``, or an empty text.
    """

    name: str
    number: str = ""
    when: tuple[int, ...] = ()
    late: bool = False
    time: str = ""


def attempt_of(path: str) -> Attempt | None:
    """Return whose file this is by the names of the systems known here, or None."""
    path = unicodedata.normalize("NFC", path)
    for pattern in _PATTERNS.values():
        match = pattern.match(path)
        if match is not None:
            parts = match.groupdict()
            name = parts.get("name") or f"{parts['first']} {parts['last']}"
            digits = re.sub(r"\D", "", parts.get("time") or "")
            again = _AGAIN.search(parts["file"])
            when = (
                int(digits or 0),
                int(parts.get("attempt") or 0),
                int(again[1]) if again else 0,
            )
            return Attempt(
                name.strip(),
                parts.get("number") or "",
                when,
                bool(parts.get("late")),
                _time(digits),
            )
    return None


def _time(digits: str) -> str:
    if len(digits) != 14:
        return ""
    year, rest = digits[:4], [digits[i : i + 2] for i in range(4, 14, 2)]
    return f"{year}-{rest[0]}-{rest[1]} {rest[2]}:{rest[3]}:{rest[4]}"


def simplified(name: str) -> str:
    """Return a name for comparison: no accents, no punctuation, words in alphabetical order."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(sorted(re.findall(r"[\w@]+", letters.replace("'", "").replace("_", " "))))
