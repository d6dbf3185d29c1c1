"""`look_at` and ``mlmd look``: what is wrong with frames is seen, and nothing else."""

import re
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.io import write
from own_frames import alloy, clusters, labeled, slabs, trimers

from helpers import load_frames
from helpers.datasets import from_atoms, look_at


def path(n_frames=12, *, size=0.02):
    """Frames of a walk of four copper atoms, as in a trajectory."""
    rng = np.random.default_rng(0)
    atoms, frames = bulk("Cu", a=3.7, cubic=True), []
    for _ in range(n_frames):
        atoms.positions += rng.normal(0, size, atoms.positions.shape)
        frames.append(labeled(atoms))
    return frames


def problems(frames):
    return " ".join(remark.text for remark in look_at(from_atoms(frames)).problems)


@pytest.mark.parametrize(
    "make",
    [path, lambda: alloy(12), lambda: slabs(6), lambda: clusters(12), lambda: trimers(12)],
    ids=["trajectory", "alloy", "slabs", "clusters", "argon"],
)
def test_sound_frames_have_nothing_to_mend(make):
    assert problems(make()) == ""


def test_the_shipped_frames_have_nothing_to_mend():
    look = look_at(from_atoms(load_frames("water", "train", 50)))
    assert [remark.text for remark in look.problems] == []
    assert look.molecules == {"H2O": 16}
    assert look.nearest.set_index("pair").loc["H–O", "median_A"] == pytest.approx(0.98, abs=0.03)


def test_counts_spreads_and_kinds():
    frames = [*alloy(3), *clusters(2), Atoms("Cu", info={"dft_energy": 3.5})]
    look = look_at(from_atoms(frames))
    assert look.kinds["frames"].sum() == 6
    assert set(look.per_frame["pbc"]) == {"T T T", "F F F"}
    spreads = look.spreads.set_index("quantity")
    energies = [atoms.info["dft_energy"] / len(atoms) for atoms in frames]
    row = spreads.loc["energy_eV_per_atom"]
    assert (row["smallest"], row["largest"]) == (min(energies), max(energies))
    texts = [remark.text for remark in look.remarks]
    assert "There are isolated atoms, but none of Al." in texts
    assert "Frames differ in periodicity: 3 frames T T T, 3 frames F F F." in texts


@pytest.mark.parametrize(
    ("energy", "forces", "message"),
    [
        (1 / units.Hartree, 1.0, "ΔE = 0.03.* in Hartree and eV/Å"),
        (1 / units.Hartree, units.Bohr / units.Hartree, "in Hartree and Hartree/Bohr"),
        (1.0, units.Bohr / units.Hartree, "in eV and Hartree/Bohr"),
        (units.mol / units.kcal, 1.0, "in kcal/mol and eV/Å"),
        (1.0, -1.0, "The sign of the forces is wrong: these are gradients"),
    ],
)
def test_energies_and_forces_that_do_not_belong_together(energy, forces, message):
    frames = path()
    for atoms in frames:
        atoms.info["dft_energy"] *= energy
        atoms.arrays["dft_forces"] *= forces
    look = look_at(from_atoms(frames))
    (units_remark,) = [r for r in look.problems if "do not belong together" in r.text]
    assert pytest.approx(1, abs=0.2) == look.slope / (energy / forces)
    assert re.search(message, units_remark.text)


def test_shuffled_labels_and_kilojoules_are_seen():
    frames = path(30)
    energies = [atoms.info["dft_energy"] for atoms in frames]
    for atoms, energy in zip(frames, np.random.default_rng(1).permutation(energies), strict=True):
        atoms.info["dft_energy"] = energy
    assert "energies do not change as the forces say" in problems(frames)
    frames = alloy(8)
    for atoms in frames:
        atoms.info["dft_energy"] *= 96.485
        atoms.arrays["dft_forces"] = atoms.arrays["dft_forces"] * 96.485
    assert "The mean force is" in problems(frames) and "kcal/mol" in problems(frames)


@pytest.mark.parametrize(("factor", "unit"), [(1 / units.Bohr, "Bohr"), (0.1, "nm")])
def test_lengths_in_another_unit_are_seen(factor, unit):
    frames = clusters(6)
    for atoms in frames:
        atoms.positions *= factor
    assert f"Are the positions in {unit}?" in problems(frames)


def test_duplicates_and_contradictions_are_seen():
    frames = path()
    moved = frames[2].copy()
    moved.positions += 0.5
    assert "1 frames are there twice or more" in problems([*frames, moved])
    other = frames[3].copy()
    other.info["dft_energy"] += 0.5
    other.arrays["dft_forces"] = other.arrays["dft_forces"] * 1.1
    assert "1 frames have the positions of another one and another energy" in problems(
        [*frames, other]
    )


def test_energies_that_were_kept_are_seen():
    frames = alloy(8)
    for atoms in frames:
        del atoms.arrays["dft_forces"]
        atoms.info["dft_energy"] = frames[0].info["dft_energy"]
    assert "frames have the energy of another one to the last digit" in problems(frames)


def test_outliers_are_named():
    frames = alloy(15)
    frames[4].info["dft_energy"] += 5.0 * len(frames[4])
    look = look_at(from_atoms(frames))
    (remark,) = [r for r in look.problems if "their energy" in r.text]
    assert remark.frames == ("the frames:5",)
    frames = alloy(15)
    frames[7].arrays["dft_forces"] *= 100
    assert "in their largest force" in problems(frames)
    frames = clusters(6)
    frames[1].positions[1] = frames[1].positions[0] + [0, 0, 0.8]
    assert "two atoms are closer than" in problems(frames)


def test_missing_labels_and_net_forces_are_told():
    frames = alloy(6)
    del frames[1].info["dft_energy"], frames[2].arrays["dft_forces"]
    look = look_at(from_atoms(frames))
    texts = {remark.text: remark for remark in look.remarks}
    assert texts["1 of 6 frames have no energy; they cannot be trained on."].problem
    assert not texts["1 of 6 frames have no forces; they are used for their energies only."].problem
    for atoms in frames:
        atoms.info.pop("dft_energy", None)
    assert "No frame has an energy." in problems(frames)
    frames = path()
    for atoms in frames:
        atoms.arrays["dft_forces"] = atoms.arrays["dft_forces"] + [0.5, 0, 0]
    assert "forces do not add up to zero" in problems(frames)


def test_vacuum_that_is_periodic_is_told():
    frames = slabs(3)
    for atoms in frames:
        atoms.pbc = True
    texts = [remark.text for remark in look_at(from_atoms(frames)).remarks]
    assert any("3 frames are periodic across more than 8 Å of vacuum" in text for text in texts)


def test_the_command_writes_a_page_and_a_table(tmp_path, monkeypatch, mlmd, mlmd_refuses):
    monkeypatch.chdir(tmp_path)
    write("own.xyz", alloy(6, energy="REF_energy", forces="REF_forces"))
    done = mlmd("look", "own.xyz")
    assert (done.code, done.errors) == (0, [])
    assert "energy from 'REF_energy', forces from 'REF_forces'" in done.output
    assert len(pd.read_csv("results/frames.csv")) == 6
    page = (tmp_path / "results" / "report.html").read_text()
    assert "The frames" in page and "Nearest neighbors" in page and page.count("<figure>") == 4
    assert "water" not in page + done.output
    named = mlmd("look", "own.xyz", "--label", "energy=REF_energy", "--unit", "energy=Hartree")
    assert named.code == 0
    mlmd_refuses("look", "own.xyz", "--label", "energy", message="--label 'energy'.*what=name")
    mlmd_refuses("look", "none.xyz", message="no file none.xyz")


def test_many_frames_take_seconds():
    frames = path(100)
    start = perf_counter()
    look_at(from_atoms(frames))
    assert perf_counter() - start < 5  # 10,000 frames of this size in less than ten minutes
