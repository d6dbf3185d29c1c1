"""The table of a sweep as a file: CSV or Parquet, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from helpers.errors import DataError
from helpers.files import check_target, write_whole

ENDINGS = (".csv", ".parquet")


def check_table_path(path: str | os.PathLike) -> Path:
    """Raise an error unless a table can be written at `path`; return it as a Path.

    Raises
    ------
    DataError
        If the name ends neither in .csv nor in .parquet.
    OutputError
        If nothing can be written there.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise DataError(f"{path} has no ending that tells its form", expected=" or ".join(ENDINGS))
    return check_target(path)


def save_table(table: pd.DataFrame, path: str | os.PathLike) -> Path:
    """Write a table as CSV or Parquet, by its ending."""
    path = check_table_path(path)
    if path.suffix == ".parquet":
        return write_whole(path, table.to_parquet(None, engine="pyarrow", index=False))
    return write_whole(path, table.to_csv(index=False))


def load_table(path: str | os.PathLike) -> pd.DataFrame:
    """Read a table that `save_table` wrote."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no table {path}", fix="run the sweep first")
    if path.suffix == ".parquet":
        return pd.read_parquet(path, engine="pyarrow")
    return pd.read_csv(path, keep_default_na=True).fillna({"failure": "", "method": ""})
