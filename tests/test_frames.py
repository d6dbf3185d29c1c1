"""Frames: names, sizes, checksums, and files that are not what they should be."""

import gzip
import shutil

import numpy as np
import pytest
from ase.io import write

from helpers import load_frames, read_frames
from helpers.errors import DataError
from helpers.frames import check_labels, data_files, data_folder, find_frames_file


@pytest.mark.parametrize("size", [50, 100, 200, 400])
def test_training_sets_have_their_size_and_labels(size):
    frames = load_frames("water", "train", size)
    assert len(frames) == size
    check_labels(frames)
    with_polarizability = sum("Polarizability" in atoms.info for atoms in frames)
    assert with_polarizability == min(size, 200)
    assert np.shape(frames[0].info["Polarizability"]) in [(9,), (3, 3)]
    assert all(atoms.get_chemical_formula() == "H32O16" for atoms in frames)
    assert all(atoms.pbc.all() for atoms in frames)


def test_training_sets_are_nested():
    largest = load_frames("water", "train")
    assert len(largest) == 400
    for size in (50, 100, 200):
        for small, large in zip(load_frames("water", "train", size), largest, strict=False):
            assert np.array_equal(small.positions, large.positions)
            assert small.info["dft_energy"] == large.info["dft_energy"]


def test_validation_frames_come_from_other_trajectories():
    training = {atoms.info["trajectory"] for atoms in load_frames("water", "train")}
    validation = load_frames("water", "validate")
    assert len(validation) == 60
    assert training.isdisjoint(atoms.info["trajectory"] for atoms in validation)


def test_labels_are_physical():
    frames = load_frames("water", "train", 50)
    net = np.array([atoms.arrays["dft_forces"].sum(axis=0) for atoms in frames])
    assert np.abs(net).max() < 0.3  # eV/Å, of 48 atoms; data/water/README.md: 0.06 rms
    assert all(0.9 < 18.015 * 16 / 0.60221 / atoms.get_volume() < 1.1 for atoms in frames)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("watr", "train", 50), "no data set 'watr'.*did you mean 'water'"),
        (("water", "trian", 50), "no split 'trian'.*did you mean 'train'"),
        (("water", "train", 75), "no 'train' set of 75 frames.*one of 50, 100, 200, 400"),
        (("water", "train", "50"), "no 'train' set of '50' frames"),
        (("water", "validate", 50), "one of 60"),
    ],
    ids=["data set", "split", "size", "size as text", "size of another split"],
)
def test_a_wrong_name_or_size_is_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        load_frames(*arguments)


@pytest.fixture
def data_copy(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "water"
    folder.mkdir(parents=True)
    for name in ("manifest.json", "gap_input_50.xyz"):
        shutil.copy(data_folder() / "water" / name, folder)
    monkeypatch.setenv("MLMD_DATA", str(tmp_path / "data"))
    return folder


@pytest.mark.parametrize("damage", ["truncate", "change", "remove"])
def test_a_damaged_data_file_is_named_with_the_fix(data_copy, damage):
    file = data_copy / "gap_input_50.xyz"
    assert len(load_frames("water", "train", 50)) == 50
    if damage == "truncate":
        file.write_bytes(file.read_bytes()[:-5430])
    elif damage == "change":
        file.write_bytes(file.read_bytes().replace(b"0.", b"1.", 1))
    else:
        file.unlink()
    with pytest.raises(DataError, match=r"gap_input_50\.xyz.*git checkout"):
        load_frames("water", "train", 50)


def test_every_shipped_file_passes_its_checksum():
    files = data_files("water")
    assert {(file.split, file.size) for file in files} == {
        ("train", 50),
        ("train", 100),
        ("train", 200),
        ("train", 400),
        ("validate", 60),
        ("pool", 62),
        ("isolated_atoms", 2),
        ("dimer", 30),
        ("frozen", 10),
        ("liquid", 10),
        ("start_64", 1),
    }
    for file in files:
        file.check()


@pytest.fixture
def lines():
    path = next(file.path for file in data_files("water") if file.size == 50)
    return path.read_text().splitlines(keepends=True)[:100]  # two frames


def test_read_frames_takes_a_good_file_plain_or_compressed(tmp_path, lines):
    good = tmp_path / "good.xyz"
    good.write_text("".join(lines) + "\n\n")
    assert len(read_frames(good)) == 2
    (tmp_path / "good.xyz.gz").write_bytes(gzip.compress(good.read_bytes()))
    assert len(read_frames(str(tmp_path / "good.xyz.gz"))) == 2


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: [], "is empty"),
        (lambda text: text[:99], "truncated in frame 2.*48 atoms.*Found: 47 atoms"),
        (lambda text: text[:51], "truncated in frame 2"),
        (lambda text: text[:20] + text[21:], "line with the number of atoms|truncated"),
        (lambda text: text[:10] + ["\n"] + text[10:], "truncated in frame 1|empty inside"),
        (lambda text: ["<html>\n", *text], "does not start a frame"),
        (lambda text: ["-3\n", *text[1:]], "Line 1 .* does not start a frame.*Found: '-3'"),
        (lambda text: [*text[:5], "O one two three\n", *text[6:]], "cannot be read as extended"),
        (lambda text: [*text[:5], "O nan 1.0 1.0 0 0 0\n", *text[6:]], "Frame 1 .* not finite"),
        (lambda text: [*text[:5], "Qq 1 1 1 0 0 0\n", *text[6:]], "cannot be read as extended"),
    ],
    ids=[
        "empty file",
        "last line missing",
        "only the number of atoms",
        "a line missing",
        "an empty line",
        "HTML",
        "negative number of atoms",
        "words for numbers",
        "position NaN",
        "unknown element",
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path, lines, edit, message):
    bad = tmp_path / "bad.xyz"
    bad.write_text("".join(edit(lines)))
    with pytest.raises(DataError, match=message) as caught:
        read_frames(bad)
    assert "bad.xyz" in str(caught.value)


def test_missing_binary_and_broken_gzip_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="There is no file"):
        read_frames(tmp_path / "none.xyz")
    (tmp_path / "picture.xyz").write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match="not a text file"):
        read_frames(tmp_path / "picture.xyz")
    (tmp_path / "cut.xyz.gz").write_bytes(gzip.compress(b"1\n\nH 0 0 0\n")[:-9])
    with pytest.raises(DataError, match=r"cut\.xyz\.gz"):
        read_frames(tmp_path / "cut.xyz.gz")


def spoil(frames, what):
    bad = frames[2]
    if what == "no energy":
        del bad.info["dft_energy"]
    elif what == "no forces":
        bad.arrays["forces"] = bad.arrays.pop("dft_forces")
    elif what == "nan energy":
        bad.info["dft_energy"] = float("nan")
    elif what == "inf force":
        bad.arrays["dft_forces"][3, 1] = np.inf
    elif what == "text":
        bad.info["dft_energy"] = "low"
    else:
        bad.info["dft_energy"] = [1.0, 2.0]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("dft_energy", 1 + 2j, "complex numbers"),
        ("dft_energy", np.ma.masked, "a masked array"),
        ("dft_energy", None, "has no 'dft_energy'"),
        ("dft_forces", np.ma.masked_array(np.ones((48, 3))), "a masked array"),
        ("dft_forces", np.full((48, 3), "1"), "text"),
        ("dft_forces", np.ones((48, 3), int), "whole numbers"),
        ("dft_forces", np.ones((48, 3), object), "objects"),
        ("dft_forces", np.ones((48, 3)) + 0j, "complex numbers"),
    ],
)
def test_labels_that_are_no_real_numbers_are_named(frames10, name, value, found):
    (frames10[1].info if name == "dft_energy" else frames10[1].arrays)[name] = value
    with pytest.raises(
        DataError, match=f"Frame 2 of the frames.*{name}.*{found}|Frame 2 .*{found}"
    ):
        check_labels(frames10)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no energy", "Frame 3 of the frames has no 'dft_energy'"),
        ("no forces", "Frame 3 .* has no 'dft_forces'.*Found: .*forces"),
        ("nan energy", "Frame 3 .*'dft_energy' is not a finite number"),
        ("inf force", "Frame 3 .*'dft_forces' is not a finite number"),
        ("text", "Frame 3 .*'dft_energy' is not a finite number"),
        ("shape", "Frame 3 .*'dft_energy' has the wrong shape"),
    ],
    ids=[
        "no energy",
        "no forces",
        "energy NaN",
        "force infinite",
        "energy as text",
        "two energies",
    ],
)
def test_frames_with_bad_labels_are_refused(what, message):
    frames = load_frames("water", "train", 50)[:4]
    spoil(frames, what)
    with pytest.raises(DataError, match=message):
        check_labels(frames)


def test_labels_with_ases_own_names_are_found(tmp_path):
    frames = load_frames("water", "train", 50)[:2]
    for atoms in frames:
        atoms.info["energy"] = atoms.info.pop("dft_energy")
        atoms.arrays["forces"] = atoms.arrays.pop("dft_forces")
    write(tmp_path / "own.xyz", frames, format="extxyz")
    check_labels(read_frames(tmp_path / "own.xyz"), "energy", "forces")


def test_a_frames_file_is_found_nearby_or_among_the_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = data_folder() / "water" / "gap_input_50.xyz"
    assert find_frames_file("gap_input_50.xyz") == shipped
    mine = tmp_path / "sub" / "mine.xyz"
    mine.parent.mkdir()
    mine.touch()
    assert find_frames_file("mine.xyz", mine.parent) == mine
    with pytest.raises(DataError, match=r"no file mine\.xyz.*looked in"):
        find_frames_file("mine.xyz")
