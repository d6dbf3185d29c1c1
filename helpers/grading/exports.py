"""The table of grades as Moodle and Canvas read it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from helpers.grading.roster import Roster
from helpers.grading.sanitize import harmless_cell


def exports(table: pd.DataFrame, lesson: str, roster: Roster) -> dict[str, pd.DataFrame]:
    """Return a table for each system, by its name.

    A score that is not final (points wait for a person, the hand-in failed) is left empty, and a
    column says why: no system shall count it as 0.

    Parameters
    ----------
    table : DataFrame
        As `helpers.grading.grade` returns it.
    lesson : str
        Name of the lesson.
    roster : Roster
        Names, numbers, logins and addresses of students, if there is a list.
    """
    known = roster.table.reindex(columns=["student", "name", "number", "login", "email"])
    rows = table.merge(known.astype(object), on="student", how="left")
    for name in ("name", "login"):
        rows[name] = rows[name].where(rows[name].notna(), rows["student"])
    for name in ("number", "email"):
        rows[name] = rows[name].where(rows[name].notna(), "")
    final = rows["status"] == "graded"
    score = rows["score"].map("{:g}".format, na_action="ignore").where(final, "")
    reason = [_reason(row) for row in rows.to_dict("records")]
    points = rows["max_score"].dropna()
    most = f"{points.iloc[0]:g}" if len(points) else ""
    moodle = {
        "Username": rows["login"],
        "ID number": rows["number"],
        "Email address": rows["email"],
        "Full name": rows["name"],
        lesson: score,
        f"{lesson} (feedback)": reason,
    }
    canvas = {
        "Student": rows["name"],
        "ID": rows["number"],
        "SIS User ID": "",
        "SIS Login ID": rows["login"],
        "Section": "",
        lesson: score,
        "Notes": reason,
    }
    maximum = {"Student": "    Points Possible", lesson: most}
    tables = {
        "moodle": pd.DataFrame(moodle),
        "canvas": pd.concat([pd.DataFrame([maximum]), pd.DataFrame(canvas)]),
    }
    return {
        name: one.reindex(columns=list(kind)).fillna("").map(harmless_cell)
        for (name, one), kind in zip(tables.items(), (moodle, canvas), strict=True)
    }


def _reason(row: Mapping[Hashable, Any]) -> str:
    if row["status"] == "graded":
        return ""
    if row["status"] == "to mark by hand":
        return f"{row['points_to_mark_by_hand']:g} points are not marked yet"
    return str(row["status"])
