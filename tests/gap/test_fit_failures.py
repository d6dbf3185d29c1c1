"""Whatever goes wrong with a fit: a reason in one line, and the folder as it was.

gap_fit itself succeeds on most of these (exit code 0): it drops the last frame, trains on no
forces, predicts NaN, or writes an empty model.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from ase.io import write

from helpers import GapConfig, TwoBody, fit_gap
from helpers.errors import ConfigError, DataError, FitError, OutputError, WorkshopError
from helpers.frames import find_frames_file
from helpers.gap import fit as fit_module

ON_LINUX = sys.platform == "linux"


@pytest.fixture
def place(tmp_path, tiny_config, frames10):
    """A folder with good frames, their config, and an old model to be kept."""
    write(tmp_path / "train.xyz", frames10, format="extxyz")
    quick = tiny_config.replace(atoms_filename="train.xyz", two_body=TwoBody(4.0, n_sparse=3))
    quick.write(tmp_path / "gap_config.cfg")
    (tmp_path / "gap.xml").write_text("the old model")
    return tmp_path


@pytest.fixture
def fit_is_refused(place, listing, mlmd_refuses):
    """A function: neither fit_gap nor mlmd may fit here; both must say why, and touch nothing."""

    def refused(kind, message, *, output=place / "gap.xml", engines=("gap_fit", "jax")):
        before = listing(place)
        for engine in engines:
            with pytest.raises(kind, match=message):
                config = GapConfig.read(place / "gap_config.cfg")
                fit_gap(
                    config,
                    find_frames_file(config.atoms_filename, place),
                    output=output,
                    engine=engine,
                    progress=False,
                )
            assert listing(place) == before
        command = ["fit", place / "gap_config.cfg", "--output", output, "--no-progress"]
        mlmd_refuses(*command, message=message)
        assert listing(place) == before

    return refused


def test_the_place_itself_is_sound(place, mlmd):
    done = mlmd("fit", place / "gap_config.cfg", "--output", place / "gap.xml", "--no-progress")
    assert (done.code, done.errors) == (0, [])
    assert "10 frames (10 energies, 1440 force components)" in done.output
    assert (place / "gap.xml").read_text().startswith("<GAP_")


# Files of frames that are damaged.


def cut_lines(count):
    return lambda lines: lines[:count]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines: [], r"train\.xyz is empty.*Fix: copy"),
        (cut_lines(-1), r"train\.xyz is truncated in frame 10.*48 atoms.*Found: 47 atoms.*Fix: co"),
        (cut_lines(-48), r"train\.xyz is truncated in frame 10.*Found: 0 atoms"),
        (cut_lines(-49), r"train\.xyz is truncated in frame 10"),
        (cut_lines(26), r"train\.xyz is truncated in frame 1\b"),
        (
            lambda lines: [*lines[:-1], lines[-1][:-4]],
            r"train\.xyz ends inside a line, in frame 10.*Found: .*Fix: copy the file again",
        ),
        (
            lambda lines: [*lines[:60], *lines[61:]],
            r"Line 101 of .*train\.xyz does not start a frame.*number of atoms.*Found: .*Fix: che",
        ),
        (
            lambda lines: ["49\n", *lines[1:]],
            r"train\.xyz cannot be read|Line \d+ of .*train\.xyz does not start a frame",
        ),
        (
            lambda lines: [*lines[:5], re.sub(r"^(\S+\s+)\S+", r"\1oops", lines[5]), *lines[6:]],
            r"train\.xyz cannot be read as extended XYZ.*Fix: write it with ase\.io\.write",
        ),
        (
            lambda lines: [*lines[:5], lines[5].rsplit(maxsplit=1)[0] + "\n", *lines[6:]],
            r"train\.xyz cannot be read as extended XYZ",
        ),
        (
            lambda lines: [lines[0], lines[1].replace("species:S:1", "species:S:9"), *lines[2:]],
            r"train\.xyz cannot be read as extended XYZ",
        ),
        (
            lambda lines: [*lines[:5], re.sub(r"^(\S+\s+)\S+", r"\1nan", lines[5]), *lines[6:]],
            r"Frame 1 of .*train\.xyz has positions or a cell that are not finite.*Fix: remove",
        ),
        (
            lambda lines: ["<!DOCTYPE html>\n", "<html></html>\n"],
            r"Line 1 of .*train\.xyz does not start a frame.*Found: '<!DOCTYPE html>'",
        ),
    ],
    ids=[
        "empty",
        "an atom lost at the end",
        "cut after a comment",
        "cut after a count",
        "cut in the first frame",
        "cut in the last number",
        "an atom lost inside",
        "a wrong count",
        "a word for a number",
        "a column lost",
        "wrong columns",
        "nan position",
        "html",
    ],
)
def test_damaged_frames(place, fit_is_refused, damage, message):
    file = place / "train.xyz"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(damage(lines)))
    fit_is_refused(DataError, message)


def test_missing_frames(place, fit_is_refused):
    (place / "train.xyz").unlink()
    fit_is_refused(DataError, r"no file train\.xyz.*Found: looked in .*Fix: check the name")


def test_frames_that_are_no_text(place, fit_is_refused):
    (place / "train.xyz").write_bytes(bytes(range(128, 256)))
    fit_is_refused(DataError, r"train\.xyz is not a text file")


# Labels that are missing or no numbers: gap_fit would train on what is left.


def without(name):
    def spoil(atoms):
        (atoms.info if name in atoms.info else atoms.arrays).pop(name)

    return spoil


def with_energy(value):
    return lambda atoms: atoms.info.update(dft_energy=value)


def with_force(value):
    def spoil(atoms):
        atoms.arrays["dft_forces"][7, 2] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            without("dft_energy"),
            r"Frame 3 of .*train\.xyz has no 'dft_energy'.*Found: .*dft_forces",
        ),
        (
            with_energy(np.nan),
            r"Frame 3 of .*train\.xyz: 'dft_energy' is not a finite.*Fix: remove",
        ),
        (with_energy(np.inf), r"Frame 3 of .*train\.xyz: 'dft_energy' is not a finite number"),
        (with_energy("low"), r"Frame 3 of .*train\.xyz: 'dft_energy' is not a finite number"),
        (with_energy([1.0, 2.0]), r"Frame 3 of .*train\.xyz: 'dft_energy' has the wrong shape"),
        (with_force(np.nan), r"Frame 3 of .*train\.xyz: 'dft_forces' is not a finite number"),
        (with_force(-np.inf), r"Frame 3 of .*train\.xyz: 'dft_forces' is not a finite number"),
    ],
    ids=[
        "no energy",
        "nan energy",
        "inf energy",
        "text energy",
        "two energies",
        "nan force",
        "inf force",
    ],
)
def test_frames_with_bad_labels(place, frames10, fit_is_refused, spoil, message):
    spoil(frames10[2])
    write(place / "train.xyz", frames10, format="extxyz")
    fit_is_refused(DataError, message)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("energy_parameter_name", "energy"),  # gap_fit's own defaults
        ("force_parameter_name", "force"),
        ("force_parameter_name", "dft_force"),
        ("force_parameter_name", "forces"),  # ASE's name
    ],
)
def test_misnamed_labels(place, tiny_config, fit_is_refused, key, name):
    config = tiny_config.replace(atoms_filename="train.xyz", **{key: name})
    config.write(place / "gap_config.cfg")
    fit_is_refused(
        DataError, rf"Frame 1 of .*train\.xyz has no '{name}'.*Found: .*dft_energy, dft_forces"
    )


def test_energies_of_isolated_atoms_that_are_missing(place, tiny_config, fit_is_refused):
    config = tiny_config.replace(atoms_filename="train.xyz")
    config.replace(e0_method="isolated").write(place / "gap_config.cfg")
    fit_is_refused(ConfigError, "needs a frame with one atom of each.*none for H, O.*'average'")
    config.replace(e0_method=None, e0={"H": -13.0}).write(place / "gap_config.cfg")
    fit_is_refused(ConfigError, "e0 has no energy for O.*Fix: add it, in eV")


@pytest.mark.parametrize(
    ("frames", "message"),
    [([], "Found: an empty list"), (["a", "b"], "expected: a list of ase.Atoms.*Found: 2 items")],
    ids=["none", "texts"],
)
def test_what_are_no_frames(place, tiny_config, listing, frames, message):
    before = listing(place)
    with pytest.raises(DataError, match=f"(?i)no frames to train on.*{message}"):
        fit_gap(tiny_config, frames, output=place / "gap.xml", progress=False)
    assert listing(place) == before


# Settings.


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"default_sigma={\S+", "default_sigma={0.0", "default_sigma=.*a number above 0"),
        (r"default_sigma={\S+", "default_sigma={-0.001", "default_sigma=-0.001 .*above 0"),
        (r"default_sigma={\S+", "default_sigma={nan", r"gap_config\.cfg: default_sigma=.*numbers"),
        (r"default_sigma={\S+", "default_sigma={", "default_sigma=.*4 numbers: energy, force"),
        (r"n_sparse=50\b", "n_sparse=0", "n_sparse=0 .*a whole number of at least 1"),
        (r"n_sparse=50\b", "n_sparse=-5", "n_sparse=-5 .*a whole number of at least 1"),
        (
            "n_sparse=50",
            "n_sparse=5.5",
            r"gap_config\.cfg, soap term: n_sparse=5\.5 .*whole number",
        ),
        (r"n_sparse=50\b", "n_sprase=50", "'n_sprase' is not a key .*Fix: did you mean 'n_sparse'"),
        ("atom_sigma=", "atom_sigmma=", "'atom_sigmma' is not a key.*did you mean 'atom_sigma'"),
        ("gap_file=", "gap_fil=", r"gap_config\.cfg: 'gap_fil' is not a key.*mean 'gap_file'"),
        ("soap", "soup", "descriptor 'soup', which gap_fit does not know.*did you mean 'soap'"),
        ("e0_method", "# e0_method", r"Line 3 of .*gap_config\.cfg holds a comment.*Fix: delete"),
        (r"gap=\{", "gap={{", "Fix: .*close every brace"),
        ("atoms_filename=train.xyz", "", r"gap_config\.cfg has no atoms_filename.*Fix: name"),
        (
            r"cutoff_transition_width=\S+",
            "cutoff_transition_width=9.5",
            "9.5.*less than the cutoff",
        ),
    ],
)
def test_bad_settings(place, fit_is_refused, old, new, message):
    file = place / "gap_config.cfg"
    text, count = re.subn(old, new, file.read_text(), count=1)
    assert count == 1
    file.write_text(text)
    fit_is_refused(ConfigError, message)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (None, r"gap_config\.cfg cannot be read .No such file.*Fix: check the name"),
        (b"", r"gap_config\.cfg has no gap=.*Fix: add a line"),
        (b"\xff\xfe\x00", r"gap_config\.cfg is not a text file"),
        (b"<html>", r"gap_config\.cfg: '<html>' is not of the form key=value"),
    ],
    ids=["missing", "empty", "binary", "html"],
)
def test_files_that_are_no_config(place, fit_is_refused, contents, message):
    (place / "gap_config.cfg").unlink()
    if contents is not None:
        (place / "gap_config.cfg").write_bytes(contents)
    fit_is_refused(ConfigError, message)


@pytest.mark.parametrize("config", [None, "gap_config.cfg", {"cutoff": 3.0}])
@pytest.mark.parametrize("engine", ["gap_fit", "jax"])
def test_what_is_no_config(config, engine):
    with pytest.raises(ConfigError, match="config=.*cannot be used.*a GapConfig.*GapConfig.read"):
        fit_gap(config, engine=engine)


@pytest.mark.parametrize("engine", ["gap_fit", "jax"])
@pytest.mark.parametrize(
    ("config_type", "kind", "message"),
    [
        ("liqiud", ConfigError, "names 'liquid', and no frame .*Found: liqiud.*mean 'liqiud'"),
        (3, DataError, "A frame of the frames has config_type=3.*Expected: a word"),
        (None, ConfigError, "names 'liquid', and no frame .*no config_type at all"),
    ],
)
def test_config_types_that_no_frame_has(
    tmp_path, tiny_config, frames10, engine, config_type, kind, message
):
    if config_type is not None:
        frames10[0].info["config_type"] = config_type
    config = tiny_config.replace(config_type_sigma={"liquid": (0.01, 0.1, 0.0, 0.0)})
    with pytest.raises(kind, match=message):
        fit_gap(config, frames10, output=tmp_path / "gap.xml", engine=engine, progress=False)
    assert list(tmp_path.iterdir()) == []


# Places that cannot be written to: found out before the fit, not after it.


def test_a_missing_output_folder(place, fit_is_refused):
    fit_is_refused(
        OutputError, "cannot be written: there is no folder .*Fix: make it first: mkdir -p",
        output=place / "none" / "gap.xml",
    )  # fmt: skip


def test_an_output_that_is_a_folder(place, fit_is_refused):
    (place / "models").mkdir()
    fit_is_refused(OutputError, "models is a folder.*the name of a file", output=place / "models")


@contextlib.contextmanager
def ordinary_user():
    """Root may write anywhere: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def locked(place, tmp_path_factory):
    """A folder with an old model that may be read but not written to."""
    # Not in tmp_path, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="locked-"))
    for name in ("train.xyz", "gap_config.cfg", "gap.xml"):
        shutil.copy(place / name, folder)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_to(locked, listing, mlmd_refuses):
    message = r"gap\.xml cannot be written .Permission denied.*Fix: check the folder's permissions"
    before = listing(locked)
    with ordinary_user():
        config = GapConfig.read(locked / "gap_config.cfg")
        with pytest.raises(OutputError, match=message):
            fit_gap(config, locked / "train.xyz", output=locked / "gap.xml", progress=False)
        command = ["fit", locked / "gap_config.cfg", "--output", locked / "gap.xml"]
        mlmd_refuses(*command, "--no-progress", message=message)
    assert listing(locked) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kilobytes", "kind", "message"),
    [
        (40, OutputError, r"gap\.xml cannot be written .No space left.*free space .df -h"),
        (200, FitError, r"wrote no whole model; gap\.xml is as it was.*MB are free on the disk"),
    ],
    ids=["no room for the frames", "no room for the model"],
)
def test_a_full_disk(place, small_disk, listing, mlmd_refuses, frames10, kilobytes, kind, message):
    disk = small_disk(kilobytes)
    (disk / "gap.xml").write_text("the old model")
    with pytest.raises(kind, match=message):
        config = GapConfig.read(place / "gap_config.cfg")
        fit_gap(config, frames10, output=disk / "gap.xml", progress=False)
    assert listing(disk) == {"gap.xml": b"the old model"}
    command = ["fit", place / "gap_config.cfg", "--output", disk / "gap.xml", "--no-progress"]
    mlmd_refuses(*command, message=message)
    assert listing(disk) == {"gap.xml": b"the old model"}


@pytest.mark.slow
def test_a_disk_that_is_full_when_the_kits_engine_writes(place, small_disk, listing, frames10):
    disk = small_disk(40)
    (disk / "gap.xml").write_text("the old model")
    config = GapConfig.read(place / "gap_config.cfg")
    with pytest.raises(OutputError, match=r"gap\.xml cannot be written .No space left"):
        fit_gap(config, frames10, output=disk / "gap.xml", engine="jax", progress=False)
    assert listing(disk) == {"gap.xml": b"the old model"}


LIMITED = """
import resource, sys
from helpers.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("largest", "message"),
    [
        (20_000, r"gap\.xml cannot be written .File too large.*Fix: check .*free space"),
        (200_000, r"gap\.xml is as it was.*SIGXFSZ.*make room on the disk.*ulimit -f"),
    ],
    ids=["smaller than the frames", "smaller than the model"],
)
def test_a_limit_on_the_size_of_files(place, listing, largest, message):
    before = listing(place)
    command = ["fit", place / "gap_config.cfg", "--output", place / "gap.xml", "--no-progress"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(largest), *map(str, command)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done
    assert re.search(message, done.stderr), done.stderr
    assert listing(place) == before


# A gap_fit that fails, or seems not to: a stand-in that does what the real one was seen to do.


FOUND = "echo 'Number of target energies (property name: dft_energy) found: 10'\n"
FOUND += "echo 'Number of target forces (property name: dft_forces) found: {}'\n"


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        (
            "echo 'SYSTEM ABORT: at line 9' >&2; echo 'no such cutoff' >&2; echo STOP 1; exit 1",
            FitError,
            "exit code 1: at line 9 no such cutoff",
        ),
        ("exit 245", FitError, "exit code 245: it gave no reason"),
        ("kill -9 $$", FitError, r"ended by signal 9 .SIGKILL.*Fix: .*memory ran out: fewer fram"),
        ("kill -15 $$", FitError, "ended by signal 15 .SIGTERM"),
        ("kill -11 $$", FitError, "ended by signal 11 .SIGSEGV"),
        (FOUND.format(0), FitError, "Expected: .*1440.*'forces': 0.*force_param"),
        ("exit 0", FitError, "Expected: .*1440.*Found: {}"),
        (FOUND.format(1440), FitError, r"Found: .*There is no model file gap.xml .*MB are free"),
        (FOUND.format(1440) + ": > gap.xml", FitError, r"Found: .*gap\.xml is empty .\d+ MB are"),
        (FOUND.format(1440) + "echo '<GAP' > gap.xml", FitError, "Found: .*not a whole XML"),
    ],
    ids=[
        "abort",
        "no reason",
        "killed",
        "stopped",
        "crashed",
        "no forces found",
        "says nothing",
        "no model",
        "empty model",
        "half a model",
    ],
)
@pytest.mark.parametrize("old_model", [True, False], ids=["over an old model", "a first model"])
def test_a_gap_fit_that_fails(
    place, tmp_path_factory, monkeypatch, fit_is_refused, script, kind, message, old_model
):
    binary = tmp_path_factory.mktemp("bin") / "gap_fit"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    monkeypatch.setattr(fit_module, "find_gap_fit", lambda: binary)
    kept = r"gap\.xml is as it was"
    if not old_model:
        (place / "gap.xml").unlink()
        kept = "no model was written"
    fit_is_refused(kind, f"gap_fit .*{kept}.*{message}", engines=["gap_fit"])


def test_a_missing_gap_fit(fit_is_refused, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = "There is no gap_fit program.*Fix: pip install 'quippy-ase"
    fit_is_refused(WorkshopError, message, engines=["gap_fit"])
