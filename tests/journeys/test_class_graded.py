"""A class hands in lesson 01: released, collected, graded, marked by hand, and told why.

Everything runs as an instructor runs it, with the real nbgrader, in a course of its own.
"""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("class")]

LESSON = "01_first_look"
MOST = 17

# Right, in another way than the solution's.
RIGHT = {
    "ex1-1": """
import subprocess
n_lines = int(subprocess.run(["wc", "-l", file], capture_output=True, text=True).stdout.split()[0])
n_snapshots = np.int64(n_lines // 50)
""",
    "ex1-2": "my_config = GapConfig(cutoff=5.0).write('my_config.cfg')",
    "ex1-3": """
n_molecules = len(atoms) // 3
density_g_per_cm3 = n_molecules * 18.015 / 6.022e23 / (7.83017820e-8) ** 3
n_trajectories = np.unique([one.info["trajectory"] for one in frames]).size
""",
    "ex1-4": """
energies = [one.info["dft_energy"] for one in frames]
mean = sum(energies) / len(energies)
relative_energies_meV_per_atom = [(energy - mean) / 0.048 for energy in energies]
""",
    "ex1-5": """
def numerical_force(atoms, index, axis, step_A=1e-3):
    start = atoms.get_positions()
    shift = np.zeros_like(start)
    shift[index, axis] = step_A / 4
    atoms.set_positions(start + shift)
    above = atoms.get_potential_energy()
    atoms.set_positions(start - shift)
    below = atoms.get_potential_energy()
    atoms.set_positions(start)
    return np.array([(below - above) / (step_A / 2)])[0]
""",
    "ex1-6": """
square = {"O": 0.0, "H": 0.0}
for one in frames:
    for symbol, force in zip(one.get_chemical_symbols(), one.arrays["dft_forces"]):
        square[symbol] += float(force @ force)
rms_force_O = (square["O"] / (100 * 16 * 3)) ** 0.5
rms_force_H = (square["H"] / (100 * 32 * 3)) ** 0.5
""",
    "ex1-7": """
alpha_A3 = sum(sum(one.info["Polarizability"][::4]) for one in frames) / 100 / 3
refractive_index = float((1 + 4 * np.pi * alpha_A3 / 7.83017820**3) ** 0.5)
""",
    "text1-6": "The DFT grid is finite: noise, and no potential becomes better than its noise.",
}
# Wrong in the ways that are common; everything runs.
WRONG = {
    "ex1-1": "n_lines, n_snapshots = 50, 2500",
    "ex1-2": "my_config = GapConfig().write('my_config.cfg')",
    "ex1-3": """
n_molecules = len(atoms) - 1
density_g_per_cm3 = atoms.get_masses().sum() / atoms.get_volume()
n_trajectories = len(frames)
""",
    "ex1-4": "relative_energies_meV_per_atom = [one.info['dft_energy'] / 48 for one in frames]",
    "ex1-5": """
def numerical_force(atoms, index, axis, step_A=1e-3):
    atoms.positions[index, axis] += step_A
    return atoms.get_potential_energy() / step_A
""",
    "ex1-6": """
rms_force_H = np.mean([abs(one.arrays["dft_forces"]).max() for one in frames])
rms_force_O = np.mean([np.linalg.norm(one.arrays["dft_forces"]) for one in frames])
""",
    "ex1-7": "refractive_index = 1 + atoms.info['Polarizability'][0] / 3",
}
# Some of it right: 1 + 1 + 2 + 2 + 1 + 0 points, and the question not answered.
HALF = {
    "ex1-1": "n_snapshots = 50\nn_lines = 2501",
    "ex1-3": "n_molecules = 16\ndensity_g_per_cm3 = 1.66\nn_trajectories = 100",
    "ex1-4": RIGHT["ex1-4"],
    "ex1-5": """
def numerical_force(atoms, index, axis, step_A=1e-3):
    atoms.positions[index, axis] += step_A
    above = atoms.get_potential_energy()
    atoms.positions[index, axis] -= 2 * step_A
    return (atoms.get_potential_energy() - above) / (2 * step_A)
""",
    "ex1-6": RIGHT["ex1-6"] + "rms_force_H = rms_force_O",
}
EXPECTED = {"right": 15, "wrong": 0, "half": 7, "empty": 0}


@pytest.fixture(scope="module")
def graded(new_class):
    """The class after the first grading; one of them handed in half a file."""
    group = new_class(LESSON)
    group.hand_in("right", RIGHT)
    group.hand_in("half", HALF, "named")
    group.hand_in("empty", {}, "named")
    group.hand_in("wrong", WRONG, "zip")
    broken = group.hand_in("broken", {})
    broken.write_text(broken.read_text(encoding="utf-8")[:5000], encoding="utf-8")
    group.release.write_text("answers")
    assert group.grade() == 1, "one of them could not be graded"
    return group


def test_releasing_and_grading_leave_the_notebooks_alone(graded):
    assert graded.release.read_text() == "answers"
    assert graded.model.read_text() == "a long fit"
    assert {path.name for path in graded.release.parent.iterdir()} == {
        graded.release.name,
        graded.model.name,
    }


def test_each_gets_the_marks_that_the_work_deserves(graded):
    scores = graded.table["score"].dropna().to_dict()
    assert scores == EXPECTED, graded.said
    assert set(graded.table["max_score"].dropna()) == {MOST}


def test_a_file_that_cannot_be_read_stops_nobody_else(graded):
    row = graded.table.loc["broken"]
    assert row["status"] == "failed" and pd.isna(row["score"])
    assert "damaged or not a notebook" in row["problem"]
    assert list(graded.table.index) == sorted([*EXPECTED, "broken"])


def test_points_that_wait_for_a_person_are_told(graded):
    waiting = graded.table.drop("broken")
    assert waiting["points_to_mark_by_hand"].to_dict() == {n: 2 * (n == "right") for n in EXPECTED}
    assert waiting["status"].to_dict() == {
        name: "to mark by hand" if name == "right" else "graded" for name in EXPECTED
    }


def test_feedback_tells_what_was_expected(graded):
    text = {name: graded.page(name) for name in EXPECTED}
    for name, score in EXPECTED.items():
        assert f"Score: {score:.1f} / {MOST:.1f}" in text[name]
    assert "Count again: wc -l gives the lines" in text["half"]
    assert "and the positions must be the same afterwards" in text["half"]
    assert "not the calculator" in text["wrong"] and "in meV per atom" in text["wrong"]
    assert "NotImplementedError" in text["empty"]
    assert not (graded.grading / "feedback" / "broken").exists()


def test_marks_given_by_hand_stay_when_the_class_is_graded_again(graded):
    api = graded.course.api()
    with api.gradebook as gradebook:
        grade = gradebook.find_grade("text1-6", LESSON, LESSON, "right")
        assert grade.auto_score is None and grade.needs_manual_grade
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    for student in ("broken", "empty", "half", "wrong"):
        shutil.rmtree(graded.grading / "submitted" / student)
    shutil.rmtree(graded.grading / "downloaded")
    assert graded.grade() == 0
    assert graded.table["score"].to_dict() == {"right": 16.5}
    assert graded.table["status"].to_dict() == {"right": "graded"}, "the answer is the same"
    assert graded.table["points_to_mark_by_hand"].to_dict() == {"right": 0}
