"""The list of a class: ``grading/roster.csv``, with a column ``student`` and any others.

``student`` is the name in folders and tables. The others, such as ``name``, ``login``, ``email`` or
``number``, are what files may be named after.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from helpers.errors import ConfigError
from helpers.grading.lms import simplified


class Roster:
    """The students of a class, or nothing if there is no list.

    Parameters
    ----------
    path : Path
        A CSV file; it need not exist.

    Raises
    ------
    ConfigError
        If it has no column ``student``, or one name belongs to several students.
    """

    def __init__(self, path: Path) -> None:
        self.table = pd.DataFrame({"student": []}, dtype=str)
        self.exists = path.is_file()
        self._students: dict[str, set[str]] = {}
        if not self.exists:
            return
        try:
            read = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        except ValueError as error:
            raise ConfigError(f"{path} cannot be read", found=str(error)) from error
        self.table = read.rename(columns=lambda name: str(name).strip().lower())
        if "student" not in self.table or self.table["student"].duplicated().any():
            raise ConfigError(
                f"{path} is not a list of students",
                expected="a column 'student' without repetitions",
                found=", ".join(self.table.columns),
            )
        for row in self.table.to_dict("records"):
            for text in row.values():
                for known in {text, text.partition("@")[0]}:
                    if known.strip():
                        self._students.setdefault(simplified(known), set()).add(row["student"])

    def student(self, *names: str) -> str | None:
        """Return the student whom one of the names belongs to; None if nobody or several."""
        for name in names:
            if name:
                students = self._students.get(simplified(name), set())
                if len(students) == 1:
                    return next(iter(students))
        return None
