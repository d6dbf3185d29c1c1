"""Result files appear whole or not at all."""

import os

import pytest

from helpers.errors import OutputError
from helpers.files import check_writable, write_atomic


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "result.txt"
    assert write_atomic(path, "eins") == path and path.read_text() == "eins"
    write_atomic(path, "zwei Å".encode())
    assert path.read_text() == "zwei Å" and os.listdir(tmp_path) == ["result.txt"]


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
