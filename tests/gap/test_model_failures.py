"""A file that is no sound model raises an error; quippy would end the process, or answer wrongly.

Every test runs in the process that loads the files: if one ended it, pytest would be gone.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.io import write

from helpers import load_potential
from helpers.errors import ModelFileError, WorkshopError
from helpers.gap.xml import read_model


def test_a_bad_model_is_refused_by_name(bad_model, listing):
    before = listing(bad_model.path.parent)
    with pytest.raises(ModelFileError, match=bad_model.message) as caught:
        load_potential(bad_model.path)
    assert str(bad_model.path) in str(caught.value)
    assert listing(bad_model.path.parent) == before


def test_mlmd_refuses_a_bad_model_in_one_line(bad_model, mlmd_refuses, tmp_path):
    table = tmp_path / "errors.csv"
    command = ["evaluate", bad_model.path, "--csv", table, "--no-progress"]
    mlmd_refuses(*command, message=bad_model.message)
    assert not table.exists()


def test_with_debug_mlmd_shows_where_it_happened(bad_models, mlmd):
    done = mlmd("evaluate", bad_models["html"].path, "--no-progress", "--debug")
    assert done.code == 1 and done.errors[0].startswith("Traceback")
    assert "ModelFileError" in done.errors[-1]


def test_a_working_folder_that_is_gone(tmp_path, monkeypatch, smallest_fit):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(WorkshopError, match="current folder no longer exists.*Fix: change to"):
        load_potential(smallest_fit.model_path)


def test_what_only_quippy_finds_is_an_error_too_and_the_working_folder_stays(
    tmp_path, monkeypatch, smallest_fit, frames10
):
    from helpers.gap import potential

    def read_model_with_a_bad_descriptor(path):
        model = read_model(path)
        bad = dataclasses.replace(model.terms[-1], descriptor="soap cutoff=3.2")
        return dataclasses.replace(model, terms=(*model.terms[:-1], bad))

    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(potential, "read_model", read_model_with_a_bad_descriptor)
        with pytest.raises(ModelFileError, match="quippy cannot load .*soap_initialise failed"):
            load_potential(smallest_fit.model_path)
    # Without care quippy would now be in a folder that is gone, and its next load would be fatal.
    assert Path.cwd() == tmp_path
    assert np.isfinite(load_potential(smallest_fit.model_path).get_potential_energy(frames10[0]))
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(
    "command_line",
    ["gap_fit atoms_filename=Übung.xyz", "a ]]> b & <c>", "x " * 3000],
    ids=["letters", "marks", "long"],
)
def test_an_odd_command_line_in_a_model_is_no_trouble(
    tmp_path, smallest_fit, frames10, command_line
):
    from xml.sax.saxutils import escape

    text = smallest_fit.model_path.read_text()
    start, end = text.index("<command_line>"), text.index("</command_line>")
    odd = tmp_path / "odd.xml"
    odd.write_text(text[:start] + "<command_line>" + escape(command_line) + text[end:])
    potential = load_potential(odd)
    assert potential.model.command_line == command_line.strip()
    assert np.isfinite(potential.get_potential_energy(frames10[0]))


def spoilt(atoms, how):
    if how == "element":
        atoms.symbols[5] = "Si"
    elif how == "nan":
        atoms.positions[3, 1] = np.nan
    elif how == "overlap":
        atoms.positions[1] = atoms.positions[0]
    return atoms


@pytest.mark.parametrize(
    ("how", "processes", "message"),
    [
        ("element", 1, r"gap\.xml knows nothing about Si.*Expected: only H and O.*Fix: use other"),
        ("nan", 1, r"Frame 2 of .*bad\.xyz has positions or a cell that are not finite"),
        ("overlap", 1, r"no finite energy.*pair of 0\.000 Å.*Fix: move overlapping atoms"),
        ("overlap", 2, r"no finite energy.*pair of 0\.000 Å.*Fix: move overlapping atoms"),
    ],
    ids=["element", "nan", "overlap", "overlap in another process"],
)
def test_mlmd_refuses_frames_that_the_model_cannot_answer_for(
    tmp_path, smallest_fit, frames10, mlmd_refuses, listing, how, processes, message
):
    spoilt(frames10[1], how)
    write(tmp_path / "bad.xyz", frames10[:2], format="extxyz")
    before = listing(tmp_path)
    arguments = [smallest_fit.model_path, "--frames", tmp_path / "bad.xyz", "--no-progress"]
    arguments += ["--csv", tmp_path / "e.csv", "--processes", processes]
    mlmd_refuses("evaluate", *arguments, message=message)
    assert listing(tmp_path) == before


FUZZ = r"""
import random, re, sys
from pathlib import Path
import numpy as np
from helpers.errors import WorkshopError
from helpers.frames import read_frames
from helpers.gap.potential import load_potential

VALUES = ["x", "nan", "-1", "0", "1", "2", "7", "20", "1e9", "99999999999", "1.5", "", "8 8", "{8",
          "inf", "1e300", "-1e300", "1e-300", "+", "1_0", "0x1", "1d3", "\u00e9"]
INSERTS = ["<a/>", "<a>", "&lt;", "&gt;", "]]&gt;", "&amp;", "&#233;", "<!-- -->", '"', " ", "="]

def mutated(text, rng):
    lines = text.splitlines(keepends=True)
    # Most lines hold numbers only: the others are the interesting ones.
    others = [n for n, line in enumerate(lines) if not re.search("<e0|sparseX i|slice", line)]
    n = rng.choice(others) if rng.random() < 0.9 else rng.randrange(len(lines))
    line = lines[n]
    k = rng.randrange(len(line))
    kind = rng.choice(["lose", "double", "swap", "cut", "flip", "drop", "insert", "word"]
                      + 4 * ["number"])
    if kind == "lose":
        line = ""
    elif kind == "double":
        line = 2 * line
    elif kind == "swap":
        other = rng.choice(others)
        line, lines[other] = lines[other], line
    elif kind == "cut":
        line, lines[n + 1:] = line[:k], []
    elif kind == "flip":
        line = line[:k] + chr(rng.randrange(32, 127)) + line[k + 1:]
    elif kind == "drop":
        line = line[:k] + line[k + 1:]
    elif kind == "insert":
        line = line[:k] + rng.choice(INSERTS) + line[k:]
    elif kind == "word":
        words = line.split(" ")
        del words[rng.randrange(len(words))]
        line = " ".join(words)
    elif found := list(re.finditer(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?", line)):
        match = rng.choice(found)
        line = line[:match.start()] + rng.choice(VALUES) + line[match.end():]
    lines[n] = line
    return "".join(lines)

source, frame, path, seed, count = sys.argv[1:]
text, atoms = Path(source).read_text(), read_frames(frame)[0]
for number in range(int(count)):
    Path(path).write_text(mutated(text, random.Random(f"{seed} {number}")))
    try:
        atoms.calc = load_potential(path)
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        assert np.isfinite(energy) and np.isfinite(forces).all(), number
        print(number, "answered", flush=True)
    except WorkshopError as error:
        print(number, "refused", flush=True)
"""


@pytest.mark.slow
def test_no_random_damage_ends_the_process(tmp_path, smallest_fit, frames10):
    write(tmp_path / "frame.xyz", frames10[0], format="extxyz")
    arguments = [smallest_fit.model_path, "frame.xyz", "mutated.xml", "seed", "60"]
    command = [sys.executable, "-c", FUZZ, *map(str, arguments)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"ended after {lines[-1:]}: {done.stderr[-2000:]}"
    assert [int(line.split()[0]) for line in lines] == list(range(60))
    answers = [line.split()[1] for line in lines]
    assert answers.count("refused") > 15 and answers.count("answered") > 5
