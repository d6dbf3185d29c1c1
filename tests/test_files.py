"""Result files appear complete or not at all; tables, arrays and digests."""

import os

import numpy as np
import pandas as pd
import pytest

from helpers.errors import OutputError
from helpers.files import (
    backup,
    check_writable,
    digest,
    make_folder,
    write_array,
    write_atomic,
    write_table,
)


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "result.txt"
    assert write_atomic(path, "first") == path and path.read_text() == "first"
    write_atomic(path, "second, Å".encode())
    assert path.read_text() == "second, Å" and os.listdir(tmp_path) == ["result.txt"]


def test_when_writing_fails_the_old_file_stays_and_nothing_strays(tmp_path, monkeypatch):
    path = write_atomic(tmp_path / "result.txt", "old")

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OutputError, match="result.txt cannot be written.*No space.*free space"):
        write_atomic(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["result.txt"]


def test_a_target_is_checked_before_the_work(tmp_path):
    assert check_writable(tmp_path / "a.xml") == tmp_path / "a.xml"
    with pytest.raises(OutputError, match="no folder .*mkdir -p"):
        check_writable(tmp_path / "none" / "a.xml")
    with pytest.raises(OutputError, match="is a folder"):
        check_writable(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="no folder"):
        check_writable(tmp_path / "file" / "a.xml")
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_for_results_is_made_where_its_parent_exists(tmp_path):
    assert (
        make_folder(tmp_path / "results")
        == tmp_path / "results"
        == make_folder(tmp_path / "results")
    )
    with pytest.raises(OutputError, match="no folder .*mkdir -p"):
        make_folder(tmp_path / "none" / "results")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file.*Expected: a folder"):
        make_folder(tmp_path / "file")


def test_tables_and_arrays_come_back_as_they_were_written(tmp_path):
    table = pd.DataFrame({"name": ["a", "b"], "value": [1 / 3, 2.0]})
    assert write_table(tmp_path / "t.csv", table).read_text() == "name,value\na,0.333333\nb,2\n"
    assert "0.33\n" in write_table(tmp_path / "t.csv", table, digits=2).read_text()
    assert f"{1 / 3!r}\n" in write_table(tmp_path / "t.csv", table, digits=None).read_text()
    array = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(np.load(write_array(tmp_path / "a.npy", array)), array)
    assert sorted(os.listdir(tmp_path)) == ["a.npy", "t.csv"]


def test_a_digest_depends_on_values_shapes_and_order_only():
    array = np.arange(6)
    assert digest("abc") == digest(b"abc") == digest("a", "bc")
    assert digest(array) == digest(array.astype(float)) == digest(array[::-1][::-1])
    assert len({digest(array), digest(array.reshape(2, 3)), digest(array[::-1])}) == 3
    assert digest("a", array) != digest(array, "a")


def test_a_backup_keeps_the_content_under_another_name(tmp_path):
    path = write_atomic(tmp_path / "mine.ipynb", "my work")
    copy = backup(path, tmp_path / "kept")
    assert copy.read_text() == path.read_text() == "my work"
    assert copy.parent.name == "kept" and copy.name.startswith("mine.before-")
    assert copy.suffix == ".ipynb"
