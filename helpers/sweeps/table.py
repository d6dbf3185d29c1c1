"""The table of a sweep: its columns, their units, and which rows hold results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.errors import DataError, nearest
from helpers.files import check_writable

ENERGY, FORCES = "rmse_energy_meV_per_atom", "rmse_forces_meV_per_A"
QUANTITIES = (ENERGY, FORCES, "mae_energy_meV_per_atom", "mae_forces_meV_per_A")


def check_table_path(path: str | os.PathLike) -> Path:
    """Raise an error unless a table can be written at `path`; return it as a Path.

    Raises
    ------
    DataError
        If the name does not end in .csv.
    OutputError
        If nothing can be written there.
    """
    path = Path(path)
    if path.suffix != ".csv":
        raise DataError(f"{path} cannot hold a table", expected="a name that ends in .csv")
    return check_writable(path)


def settings_of(table: pd.DataFrame) -> list[str]:
    """Return the names of the settings that a sweep varied: the columns before ``n_frames``."""
    return list(table.columns[: list(table.columns).index("n_frames")])


def unit_of(quantity: str) -> str:
    """Return the unit of a column of errors."""
    return "meV/atom" if "energy" in quantity else "meV/Å"


def rows_of(table: pd.DataFrame, quantity: str, data: str | None) -> pd.DataFrame:
    """Return the rows that were computed, of one data set or (None) of both."""
    if quantity not in QUANTITIES:
        raise DataError(f"There is no error {quantity!r}", fix=nearest(quantity, QUANTITIES))
    done = table[table[quantity].notna()]
    rows: Any = done if data is None else done[done["set"] == data]
    if rows.empty:
        raise DataError(
            "The table holds no point that was computed", fix="look at its column failure"
        )
    return rows
