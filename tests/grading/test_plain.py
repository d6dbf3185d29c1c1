"""What may cross from a student's kernel: a closed list of plain data, and nothing else."""

from __future__ import annotations

import json
from array import array
from collections import deque
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from helpers.grading.plain import PlainError, decode, encode

KEPT = []


def keep(value):
    KEPT.append(value)
    return len(KEPT)


def crossed(value, folder=Path("copies")):
    """What arrives on the other side; an object arrives as ("object", its number)."""
    message = json.loads(json.dumps(encode(value, keep)))
    return decode(message, lambda number: ("object", number), folder)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -7,
        0.1,
        float("inf"),
        "Å³",
        [1, [2.5, "x"]],
        (1, (2,)),
        {1, 2},
        {"a": 1, 2: [3], (4, "b"): None},
        np.float64(0.1),
        np.int32(3),
        np.bool_(True),
    ],
    ids=repr,
)
def test_plain_values_arrive_as_they_were(value):
    arrived = crossed(value)
    assert arrived == value and type(arrived) is type(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.array(0.5),
        np.zeros((0, 3)),
        np.array([1 + 2j]),
        np.array([[True], [False]]),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(6, dtype=">f8")[::2],
        np.array(["H", "O"]),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_arrays_arrive_as_they_were(array):
    arrived = crossed(array)
    assert arrived.dtype.kind == array.dtype.kind and arrived.shape == array.shape
    np.testing.assert_array_equal(arrived, array)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Fraction(1, 4), 0.25),
        (Decimal("0.5"), 0.5),
        (1 + 2j, 1 + 2j),
        (range(3), [0, 1, 2]),
        (deque([1, 2]), [1, 2]),
        ({"a": 1}.values(), [1]),
        (array("d", [0.5]), [0.5]),
        (np.longdouble(0.5), 0.5),
        (np.arange(2, dtype=np.longdouble), [0.0, 1.0]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_as_good_as_a_number_or_a_list_arrives_as_one(value, expected):
    np.testing.assert_array_equal(crossed(value), expected)


def test_an_array_of_another_library_arrives_as_one_of_numpy():
    jnp = pytest.importorskip("jax.numpy")
    arrived = crossed({"mean": jnp.float32(0.5), "all": jnp.arange(3)})
    assert float(arrived["mean"]) == 0.5 and type(arrived["all"]) is np.ndarray
    np.testing.assert_array_equal(arrived["all"], [0, 1, 2])


def test_names_of_files_lead_to_the_copies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("a")
    Path("b.txt").symlink_to("a.txt")
    for value in (Path("a.txt"), tmp_path / "a.txt", Path("b.txt")):
        assert crossed(value) == Path("copies/a.txt")
    assert crossed(str(tmp_path / "x" / "a.txt")) == "copies/x/a.txt"
    assert crossed("a.txt") == "a.txt" and crossed(Path("..")) == Path("copies/elsewhere")


def test_tables_columns_and_frames_arrive_as_they_were():
    table = pd.DataFrame({"n": [1, 2], "set": ["a", None], "x": [0.5, np.nan]}, index=[10, 20])
    pd.testing.assert_frame_equal(crossed(table), table, check_dtype=False)
    pd.testing.assert_series_equal(crossed(table["x"]), table["x"])
    wide = table.set_index(["n", "set"])
    assert list(crossed(wide).index) == list(wide.index)
    atoms = Atoms("OH2", positions=np.eye(3), cell=[5, 6, 7], pbc=[True, False, True])
    atoms.info["label"] = 1.0
    arrived = crossed(atoms)
    assert arrived == Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    assert arrived.info == {}, "labels stay where they are"


def test_an_object_arrives_as_a_number(tmp_path):
    KEPT.clear()
    assert crossed([len, object]) == [("object", 1), ("object", 2)]
    assert KEPT == [len, object]


def test_a_file_is_a_name_in_the_folder_of_copies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "copies"
    assert crossed(Path("gap.xml"), folder) == folder / "gap.xml"
    assert crossed(tmp_path / "a" / "gap.xml", folder) == folder / "a" / "gap.xml"
    for name in ("/etc/hostname", "../gap.xml"):
        assert crossed(Path(name), folder) == folder / "elsewhere"
        assert decode({"file": name}, keep, folder) == folder / "elsewhere"


def test_what_is_nested_too_deeply_is_not_told():
    nested = []
    nested.append(nested)
    with pytest.raises(PlainError, match="nested too deeply"):
        encode(nested, keep)
    message = 1
    for _ in range(100):
        message = {"list": [message]}
    with pytest.raises(PlainError, match="nested too deeply"):
        decode(message, keep, Path())


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        [1, 2],
        {"class": "os.system"},
        {"pickle": "gASVAAAA"},
        {"list": 3},
        {"dict": [[1]]},
        {"dict": [[{"list": []}, 1]]},
        {"array": {"dtype": "|O", "shape": [1], "base64": "AAAAAAAAAAA="}},
        {"array": {"dtype": "<f8", "shape": [2], "base64": "AAAAAAAAAAA="}},
        {"array": {"dtype": "<f8", "shape": [1], "base64": "?"}},
        {"array": {"dtype": "<f8", "shape": [-1, -1], "base64": ""}},
        {"array": {}},
        {"array": 1, "dtype": 2},
        {"object": "1"},
        {"object": True},
        {"table": [], "columns": {"index": [], "names": []}},
        {"frame": [1, 2, 3]},
        {"file": None, "untold": 1, "list": 2}.__class__(untold="TypeError"),
    ],
    ids=repr,
)
def test_anything_else_is_refused(message):
    with pytest.raises(PlainError):
        decode(message, lambda number: number, Path())
