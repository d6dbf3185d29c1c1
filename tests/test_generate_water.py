"""The scripts that make the water data from nothing, and the files that were made with them."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.fd import calculate_numerical_forces
from ase.geometry import get_distances
from ase.io import read, write

from helpers import load_frames, terminal
from helpers.errors import ConfigError, DataError, MissingToolError, WorkshopError
from helpers.md import Monitor, judge_phase

REPOSITORY = Path(__file__).resolve().parents[1]
WATER = REPOSITORY / "data" / "water"
WATER_PBE = REPOSITORY / "data" / "water_pbe"
GENERATE = WATER / "generate"
LABELS = GENERATE / "labels"
STORED_MODEL = REPOSITORY / "data" / "stored" / "gap.xml"
FIXTURES = Path(__file__).resolve().parent / "fixtures" / "cp2k"

sys.path.insert(0, str(GENERATE))

import assemble  # noqa: E402
import check_labels  # noqa: E402
import cp2k_files  # noqa: E402
import cp2k_run  # noqa: E402
import describe  # noqa: E402
import dispersion  # noqa: E402
import first_edition  # noqa: E402
import gas_phase  # noqa: E402
import label  # noqa: E402
import label_store  # noqa: E402
import look_at_sampling  # noqa: E402
import manifest  # noqa: E402
import phase_frames  # noqa: E402
import sample  # noqa: E402
import start  # noqa: E402
import start_64  # noqa: E402
from force_field import WaterForceField  # noqa: E402
from frame_files import write_frames  # noqa: E402
from geometry import CELL_A, broken_rule  # noqa: E402

sys.path.remove(str(GENERATE))

CP2K = shutil.which("cp2k.psmp") or shutil.which("cp2k")
LONG = pytest.mark.long


def run_process(name, *arguments, **environment):
    """Run a script as a user would and return the finished process."""
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), **environment}
    return subprocess.run(
        [sys.executable, str(GENERATE / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture
def run_here(capfd):
    """Return a function that runs a script in this process, which is quicker."""

    def run(module, *arguments):
        options = module.make_parser().parse_args([str(argument) for argument in arguments])
        options.debug = False
        code = terminal.run_guarded(f"{module.__name__}.py", module.main, options)
        captured = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def shipped():
    return load_frames("water", "train", 50)


@pytest.fixture(scope="module")
def first_edition_frames():
    """Return the frames of which the stored output of CP2K tells."""
    return load_frames("water_pbe", "train", 50)


def fixture_text(name):
    return (FIXTURES / name).read_text(encoding="utf-8")


# --- the shipped files -------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [WATER, WATER_PBE])
def test_checksums_of_the_shipped_files_agree_with_both_lists(folder):
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.xyz")}
    lines = (folder / "SHA256SUMS").read_text().split()
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert found == dict(zip(lines[1::2], lines[0::2], strict=True))
    assert found == {file["file"]: file["sha256"] for file in files}


@pytest.mark.parametrize(
    ("folder", "functional", "expected"),
    [
        (
            WATER,
            "revPBE",
            [
                ("train", 50, 50),
                ("train", 100, 100),
                ("train", 200, 200),
                ("train", 400, 200),
                ("validate", 60, 60),
                ("pool", 62, 0),
                ("isolated_atoms", 2, 0),
                ("dimer", 30, 0),
                ("frozen", 10, 0),
                ("liquid", 10, 0),
                ("start_64", 1, 0),
            ],
        ),
        (WATER_PBE, "PBE", [("train", 50, 50), ("train", 100, 100), ("validate", 50, 0)]),
    ],
)
def test_the_manifest_is_what_the_files_say(folder, functional, expected):
    stored = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert stored == manifest.build_manifest(folder, dataset=folder.name, functional=functional)
    rows = [(f["split"], f["size"], f["n_polarizabilities"]) for f in stored["files"]]
    assert rows == expected
    assert all(f["n_bytes"] == (folder / f["file"]).stat().st_size for f in stored["files"])


def test_the_first_edition_is_cut_byte_by_byte(tmp_path, run_here):
    output = tmp_path / "water_pbe"
    assert run_here(first_edition, WATER_PBE, "--output", output).returncode == 0
    for path in output.iterdir():
        assert path.read_bytes() == (WATER_PBE / path.name).read_bytes()


def test_the_shipped_files_are_assembled_from_the_stored_labels(tmp_path):
    also = [name for name in assemble.ALSO if (WATER / f"{name}.xyz").is_file()]
    files = assemble.data_set(LABELS, sizes=assemble.SIZES, also=also)
    names = assemble.write_data_set(tmp_path, files, dataset="water")
    assert {*names} == {path.name for path in WATER.iterdir() if path.is_file()} - {"README.md"}
    assert all((tmp_path / name).read_bytes() == (WATER / name).read_bytes() for name in names)


def test_shipped_frames_keep_the_rule_of_sampling():
    frames = load_frames("water", "train") + load_frames("water", "validate")
    assert [broken_rule(atoms) for atoms in frames] == [None] * 460


def test_atoms_bind_into_water():
    energies = [atoms.info["dft_energy"] for atoms in load_frames("water", "isolated_atoms")]
    hydrogen, oxygen = energies
    molecule = [atoms.info["dft_energy"] / 16 for atoms in load_frames("water", "validate")]
    # revPBE binds the atoms of a molecule by 9.8 eV, the liquid the molecules by some 0.4 eV.
    assert np.mean(molecule) - oxygen - 2 * hydrogen == pytest.approx(-10.1, abs=0.3)
    assert hydrogen == pytest.approx(-13.6, abs=0.1)


def test_the_readme_tells_what_the_files_say():
    text = (WATER / "README.md").read_text(encoding="utf-8")
    assert describe.with_numbers(text, describe.numbers(WATER)) == text


def test_the_box_of_64_molecules_is_a_liquid_and_no_copies_of_a_smaller_one():
    (atoms,) = load_frames("water", "start_64")
    assert 0.55 < atoms.info["tetrahedral_order"] < 0.75
    assert atoms.info["first_minimum_OO"] > 0.5 and atoms.info["diffusion_A2_per_ps"] > 0.08
    assert judge_phase([atoms]).tetrahedral_order == pytest.approx(0.65, abs=0.1)
    oxygens = atoms[atoms.numbers == 8]
    copies = oxygens.copy()
    copies.positions += oxygens.cell.array.sum(0) / 2  # half a box along each axis, onto themselves
    _, distances = get_distances(copies.positions, oxygens.positions, oxygens.cell, True)
    assert np.median(distances.min(axis=1)) > 0.5  # Å


# --- the labels of the second edition, label_store.py, assemble.py -------------------------------


@pytest.fixture(scope="module")
def bare():
    """Return the first eight unlabeled training frames of the second edition."""
    return read(LABELS / "train_gap1.xyz", ":8")


@pytest.fixture
def label_folder(tmp_path, bare):
    """Return a small folder of labels: six training, two validation frames, two dimers."""
    labels = label_store.read_labels(LABELS / "train_gap1.jsonl", read_frames_of("train_gap1"))
    folder = tmp_path / "labels"
    folder.mkdir()
    for name, frames in (("train_gap1", bare[:4]), ("train_gap0", bare[4:6])):
        write_frames(folder / f"{name}.xyz", frames)
        first = 0 if name == "train_gap1" else 4
        some = {n: labels[first + n] for n in range(len(frames))}
        label_store.write_lines(folder / f"{name}.jsonl", some)
    validate = label_store.read_labels(LABELS / "validate.jsonl", read_frames_of("validate"))
    write_frames(folder / "validate.xyz", read_frames_of("validate")[:2])
    label_store.write_lines(folder / "validate.jsonl", {n: validate[n] for n in range(2)})
    return folder


def read_frames_of(name):
    return read(LABELS / f"{name}.xyz", ":")


@pytest.mark.parametrize("name", ["train_gap1", "train_gap0", "validate", "pool"])
def test_stored_labels_belong_to_their_frames(name):
    frames = read_frames_of(name)
    labels = label_store.read_labels(LABELS / f"{name}.jsonl", frames)
    assert all("positions" in label for label in labels.values())  # a digest: read_labels checks it
    assert [n for n in range(200 if name == "train_gap1" else len(frames)) if n not in labels] == []
    wanted = {"train_gap1": range(200), "validate": range(60)}.get(name, range(0))
    assert all("polarizability" in labels[n] for n in wanted)
    highest = -7505 if name == "pool" else -7512  # the pool has pairs that were pushed together
    for label_of_frame in labels.values():
        assert -7517 < label_of_frame["energy"] < highest  # eV, 16 molecules
    assert [broken_rule(atoms) for atoms in frames] == [None] * len(frames)


def test_training_and_validation_of_the_second_edition_share_no_trajectory():
    numbers = {
        name: {int(atoms.info["trajectory"]) for atoms in read_frames_of(name)}
        for name in ("train_gap1", "train_gap0", "validate")
    }
    assert [len(found) for found in numbers.values()] == [45, 15, 15]
    assert len(set.union(*numbers.values())) == 75
    first = [int(atoms.info["trajectory"]) for atoms in read_frames_of("train_gap1")[:45]]
    assert len(set(first)) == 45  # one frame of each, then the next of each


def test_labels_of_other_positions_are_refused(tmp_path, bare):
    labels = label_store.read_labels(LABELS / "train_gap1.jsonl", read_frames_of("train_gap1"))
    label_store.write_lines(tmp_path / "labels.jsonl", {0: labels[1]})
    with pytest.raises(DataError, match="label of frame 0 in .* belongs to other positions"):
        label_store.read_labels(tmp_path / "labels.jsonl", bare)
    label_store.write_lines(tmp_path / "labels.jsonl", {11: labels[1]})
    with pytest.raises(DataError, match="a label of frame 11, of 8 frames"):
        label_store.read_labels(tmp_path / "labels.jsonl", bare)


def test_storing_and_restoring_labels_loses_nothing(tmp_path, run_here):
    frames, lines = LABELS / "train_gap1.xyz", LABELS / "train_gap1.jsonl"
    folder, again = tmp_path / "working", tmp_path / "again.jsonl"
    first = run_here(label_store, "restore", frames, lines, "--output", folder)
    assert first.returncode == 0, first.stderr
    n_lines = len(lines.read_text().splitlines())
    assert len(list(folder.glob("*.json"))) == n_lines
    assert run_here(label_store, "store", frames, folder, "--output", again).returncode == 0
    assert again.read_bytes() == lines.read_bytes()
    (folder / "3.json").unlink()  # storing again never loses what is stored
    run_here(label_store, "store", frames, folder, "--output", again)
    assert again.read_bytes() == lines.read_bytes()


def test_assembling_writes_nested_sets_with_a_manifest(label_folder, tmp_path, run_here):
    output = tmp_path / "water_new"
    arguments = ["--labels", label_folder, "--output", output, "--sizes", 2, 6, "--also"]
    done = run_here(assemble, *arguments)
    assert done.returncode == 0, done.stderr
    frames = read(output / "gap_input_6.xyz", ":")
    assert (
        (output / "gap_input_6.xyz")
        .read_bytes()
        .startswith((output / "gap_input_2.xyz").read_bytes())
    )
    for atoms, source in zip(frames, read_frames_of("train_gap1"), strict=False):
        assert list(atoms.info)[:5] == list(assemble_keys())
        assert np.allclose(atoms.positions, source.get_positions(wrap=True), atol=1e-7)
        assert np.shape(atoms.arrays["dft_forces"]) == (48, 3)
    stored = json.loads((output / "manifest.json").read_text(encoding="utf-8"))
    assert (stored["dataset"], "revPBE" in stored["level_of_theory"]) == ("water_new", True)
    rows = [(f["split"], f["size"], f["n_polarizabilities"]) for f in stored["files"]]
    assert rows == [("train", 2, 2), ("train", 6, 6), ("validate", 2, 2)]
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    assert run_here(assemble, *arguments).returncode == 0  # the same content again is no error
    other = run_here(assemble, *arguments[:5], 4, 6, "--also")
    assert other.returncode == 1
    assert "holds other files of these names: SHA256SUMS, manifest.json" in other.stderr
    assert before == {path.name: path.read_bytes() for path in output.iterdir()}


def assemble_keys():
    return ("dft_energy", "Polarizability", "temperature_K", "trajectory", "frame")


def test_missing_labels_are_listed_and_nothing_is_written(label_folder, tmp_path, run_here):
    lines = (label_folder / "train_gap0.jsonl").read_text().splitlines(keepends=True)
    (label_folder / "train_gap0.jsonl").write_text(lines[1])
    arguments = ["--labels", label_folder, "--output", tmp_path / "new", "--sizes", 3, 6]
    done = run_here(assemble, *arguments, "--also", "dimer")
    assert done.returncode == 1
    assert "2 of 4 files are not complete: nothing was written" in done.stderr
    assert "gap_input_6.xyz: 1 of 6 without labels (4); dimer.xyz: no frames" in done.stderr
    assert not (tmp_path / "new").exists()
    assert run_here(assemble, *arguments[:-1], "--also").returncode == 0  # what is complete, can


def test_ranges_of_numbers_are_short():
    assert assemble.ranges([3, 7, 8, 9, 11]) == "3, 7-9, 11"
    assert assemble.missing([Atoms("H")], n_polarizabilities=0) == [0]


def test_a_trajectory_in_both_sets_is_refused(label_folder, bare):
    write_frames(label_folder / "validate.xyz", bare[:1])
    (label_folder / "validate.jsonl").unlink()
    with pytest.raises(DataError, match="Trajectory 1022 is in training and in validation"):
        assemble.data_set(label_folder, sizes=[2], also=())
    with pytest.raises(DataError, match="too few training frames.*at least 400.*Found: 6"):
        assemble.data_set(label_folder, sizes=[400], also=())


def test_frames_with_both_functionals_carry_both(label_folder):
    for suffix in (".xyz", ".jsonl"):
        (label_folder / f"frozen{suffix}").write_bytes(
            (label_folder / f"train_gap0{suffix}").read_bytes()
        )
    frames, lacking = assemble.SPECIAL["frozen"](label_folder, "frozen")
    assert lacking == [0, 1]  # PBE's
    (label_folder / "frozen_PBE.jsonl").write_bytes((label_folder / "frozen.jsonl").read_bytes())
    frames, lacking = assemble.SPECIAL["frozen"](label_folder, "frozen")
    assert lacking == []
    assert frames[0].info["pbe_energy"] == frames[0].info["dft_energy"]
    write_frames(label_folder / "out.xyz", frames)
    assert read(label_folder / "out.xyz").arrays["pbe_forces"].shape == (48, 3)


# --- look_at_sampling.py -------------------------------------------------------------------------


def test_correlation_tells_memory_from_noise():
    rng = np.random.default_rng(3)

    def frames(memory):
        runs = []
        for trajectory in range(100):
            value = rng.normal()
            for place in range(6):
                info = {"trajectory": trajectory, "frame": place, "temperature_K": 300}
                runs.append(Atoms(info={**info, "value": 5 + value}))
                value = memory * value + np.sqrt(1 - memory**2) * rng.normal()
        return runs

    kept = look_at_sampling.correlation(frames(0.7), lambda atoms: atoms.info["value"])
    assert kept[0.5] == pytest.approx(0.7, abs=0.1) and kept[1.0] == pytest.approx(0.49, abs=0.12)
    lost = look_at_sampling.correlation(frames(0.0), lambda atoms: atoms.info["value"])
    assert lost.abs().max() < 0.2


@pytest.mark.slow
def test_sampling_of_a_few_frames_is_drawn(label_folder, tmp_path, run_here):
    for suffix in (".xyz", ".jsonl"):
        (label_folder / f"pool{suffix}").write_bytes((LABELS / f"pool{suffix}").read_bytes())
    arguments = ["--labels", label_folder, "--figure", tmp_path / "a.png"]
    done = run_here(look_at_sampling, *arguments, "--output", tmp_path / "a.csv")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "a.csv")
    assert rows[["set", "n_frames"]].to_numpy().tolist() == [
        ["training", 6],
        ["validation", 2],
        ["pool", 62],
    ]
    assert rows["OH_mean_A"].between(0.97, 1.0).all()
    assert (tmp_path / "a.png").stat().st_size > 10_000


# --- gas_phase.py --------------------------------------------------------------------------------


def test_gas_phase_frames_have_the_distances_and_orientations_they_say(tmp_path, run_here):
    done = run_here(gas_phase, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("isolated_atoms", "monomer", "dimer"):
        assert (tmp_path / f"{name}.xyz").read_bytes() == (LABELS / f"{name}.xyz").read_bytes()
    atoms = read(tmp_path / "isolated_atoms.xyz", ":")
    assert [(a.symbols[0], a.info["multiplicity"]) for a in atoms] == [("H", 2), ("O", 3)]
    dimers = read(tmp_path / "dimer.xyz", ":")
    assert len(dimers) == 30
    for dimer in dimers:
        assert dimer.get_distance(0, 3) == pytest.approx(dimer.info["distance_A"], abs=1e-6)
        bonds = [dimer.get_distance(o, h) for o, h in ((0, 1), (0, 2), (3, 4), (3, 5))]
        assert bonds == pytest.approx([0.97] * 4, abs=1e-6)
        angles = [dimer.get_angle(1, 0, 2), dimer.get_angle(4, 3, 5)]
        assert angles == pytest.approx([104.5] * 2, abs=1e-4)
        if dimer.info["orientation"] == "hydrogen_bond":
            assert dimer.get_angle(0, 1, 3) > 179.99 or dimer.info["distance_A"] < 0.97
        else:  # every H turns away from the other molecule
            assert min(dimer.get_angle(3, 0, 1), dimer.get_angle(0, 3, 4)) > 90


# --- phase_frames.py, start_64.py ----------------------------------------------------------------


def test_validation_frames_of_the_second_edition_are_liquid():
    measured = judge_phase(read_frames_of("validate"))
    assert measured.is_liquid, measured


@pytest.mark.slow
def test_a_short_run_is_refused_unless_its_phase_is_right(frame_file, tmp_path, run_here):
    arguments = [frame_file, "--model", STORED_MODEL, "--length-ps", 0.1, "--n-frames", 2]
    arguments += ["--output", tmp_path / "out.xyz"]
    results = {
        phase: run_here(phase_frames, *arguments, "--phase", phase)
        for phase in ("frozen", "liquid")
    }
    assert [done.returncode for done in results.values()].count(1) >= 1
    for phase, done in results.items():
        if done.returncode:
            assert f"The run is not {phase}. Found: q 0." in done.stderr


@pytest.mark.slow
def test_a_box_of_64_molecules_is_tried_in_a_few_steps(tmp_path, run_here):
    output = tmp_path / "start_64.xyz"
    arguments = ["--model", STORED_MODEL, "--melting-ps", 0.01, "--equilibration-ps", 0.01]
    arguments += ["--verification-ps", 0.01, "--output", output]
    refused = run_here(start_64, *arguments)
    assert refused.returncode == 1 and "The box is not known to be a liquid" in refused.stderr
    assert not output.exists()
    assert run_here(start_64, *arguments, "--unverified").returncode == 0
    atoms = read(output)
    density = atoms.get_masses().sum() / 0.602214076 / atoms.get_volume()  # g/cm³
    assert len(atoms) == 192 and density == pytest.approx(1.0, abs=0.01)


# --- start.py ----------------------------------------------------------------------------------


def test_force_field_forces_are_its_energy_gradient():
    rng = np.random.default_rng(3)
    atoms = start.lattice_of_molecules(rng)
    atoms.positions += rng.normal(scale=0.1, size=(48, 3))
    atoms.calc = WaterForceField()
    numerical = calculate_numerical_forces(atoms, eps=1e-5)
    assert np.abs(numerical - atoms.get_forces()).max() < 1e-6
    assert np.abs(atoms.get_forces().sum(axis=0)).max() < 1e-9


@pytest.mark.slow
def test_starting_frames_are_water_at_the_right_density(tmp_path, run_here):
    output = tmp_path / "start.xyz"
    arguments = ["--n-frames", 3, "--n-steps", 600, "--seed", 4, "--output", output]
    done = run_here(start, *arguments)
    assert done.returncode == 0, done.stderr
    frames = read(output, ":")
    assert [atoms.info["temperature_K"] for atoms in frames] == [300, 330, 360]
    for atoms in frames:
        assert broken_rule(atoms) is None
        assert np.allclose(atoms.cell.array, np.eye(3) * CELL_A, atol=1e-12)
        density = atoms.get_masses().sum() / 0.602214076 / atoms.get_volume()  # g/cm³
        assert density == pytest.approx(1.0, abs=0.01)
        oh = [atoms.get_distance(3 * i, 3 * i + j, mic=True) for i in range(16) for j in (1, 2)]
        assert 0.95 < np.mean(oh) < 1.03 and 0.015 < np.std(oh) < 0.08

    whole = output.read_bytes()
    write_frames(output, frames[:2])  # as a run leaves it that was stopped after two frames
    resumed = run_here(start, *arguments)
    assert resumed.returncode == 0 and "3/3" in resumed.stderr
    assert output.read_bytes() == whole


def test_starting_frames_depend_on_seed_and_number_only():
    options = {"n_steps": 40, "rattle_A": 0.02}
    first = start.starting_frame(1, seed=7, **options)
    assert np.array_equal(first.positions, start.starting_frame(1, seed=7, **options).positions)
    assert not np.allclose(first.positions, start.starting_frame(1, seed=8, **options).positions)
    assert not np.allclose(first.positions, start.starting_frame(2, seed=7, **options).positions)


def test_a_rattle_that_breaks_every_frame_is_an_error():
    with pytest.raises(DataError, match="Frame 0 broke the rule 5 times.*smaller --rattle-A"):
        start.starting_frame(0, seed=1, n_steps=0, rattle_A=0.5)


# --- geometry.py and sample.py -----------------------------------------------------------------


def moved(atoms, who, along, distance_A):
    """Return a copy in which atoms `who` stand `distance_A` from atom `along`, rigidly shifted."""
    atoms = atoms.copy()
    vector = atoms.get_distance(along, who[0], mic=True, vector=True)
    atoms.positions[who] += vector * (distance_A / np.linalg.norm(vector) - 1)
    return atoms


def test_the_rule_keeps_and_rejects_by_distance():
    good = start.lattice_of_molecules(np.random.default_rng(0))
    assert broken_rule(good) is None
    assert broken_rule(moved(good, [1], 0, 0.83)) is None
    assert "O-H 0.810 Å in a molecule" in broken_rule(moved(good, [1], 0, 0.81))
    assert broken_rule(moved(good, [1], 0, 1.24)) is None
    assert "O-H 1.260 Å in a molecule" in broken_rule(moved(good, [1], 0, 1.26))
    nearest = int(np.argsort(good.get_distances(0, range(0, 48, 3), mic=True))[1]) * 3
    molecule = [nearest, nearest + 1, nearest + 2]
    assert "O-O 2.100 Å" in broken_rule(moved(good, molecule, 0, 2.10))
    folded = good.copy()
    folded.wrap()
    assert broken_rule(folded) is None


def test_hydrogens_of_two_molecules_may_not_touch():
    apart = [[0, 0, 0], [0.98, 0, 0], [-0.3, 0.93, 0]]
    facing = [[3.1, 0, 0], [2.12, 0, 0], [3.4, 0.93, 0]]
    atoms = Atoms("OHHOHH", apart + facing, cell=[12] * 3, pbc=True)
    assert "H-H 1.140 Å (a frame is kept above 1.2 Å)" in broken_rule(atoms)
    atoms.positions[3:, 0] += 0.1
    assert broken_rule(atoms) is None


def test_atoms_in_another_order_are_refused():
    with pytest.raises(DataError, match="order O H H.*Found: H2O"):
        broken_rule(Atoms("HOH", np.eye(3), cell=[9] * 3, pbc=True))


QUICK = sample.Sampling(
    timestep_fs=0.5, heat_ps=0.01, equilibration_ps=0.01, n_frames=3, interval_ps=0.005
)


@pytest.fixture(scope="module")
def potential():
    return sample.potential_with_wall(STORED_MODEL)


def sample_two(shipped, potential, first_seed, numbers=(1000, 1005)):
    return sample.sample(
        numbers,
        shipped[:3],
        potential,
        temperature_K=300,
        first_seed=first_seed,
        sampling=QUICK,
        show=False,
    )


@pytest.mark.slow
def test_sampling_gives_whole_trajectories_and_repeats_itself(shipped, potential):
    frames = sample_two(shipped, potential, 2)
    assert [atoms.info for atoms in frames[1005]] == [
        {"temperature_K": 300, "trajectory": 1005, "frame": place} for place in range(3)
    ]
    assert all(broken_rule(atoms) is None for run in frames.values() for atoms in run)
    again = sample_two(shipped, potential, 2, numbers=(1005,))[1005]  # alone: the same
    pairs = zip(frames[1005], again, strict=True)
    assert max(np.abs(a.positions - b.positions).max() for a, b in pairs) < 1e-6
    other = sample_two(shipped, potential, 3, numbers=(1005,))[1005]
    assert not np.allclose(frames[1005][0].positions, other[0].positions)


@pytest.mark.slow
def test_sampling_throws_broken_trajectories_away(shipped, potential, monkeypatch):
    monkeypatch.setattr(sample, "MONITOR", Monitor(longest_OH_A=1.0 + 1e-6, shortest_OH_A=0.99999))
    monkeypatch.setattr(sample, "ATTEMPTS", 2)
    starts = [start.lattice_of_molecules(np.random.default_rng(0))]
    for molecule in range(16):  # bonds of exactly 1 Å, which no run keeps
        for h in (1, 2):
            starts[0].set_distance(3 * molecule, 3 * molecule + h, 1.0, fix=0)
    with pytest.raises(DataError, match="Trajectory 1000 broke 2 times at 300 K.*O–H bond of"):
        sample_two(starts, potential, 1)


def test_frames_are_used_one_of_each_trajectory_at_a_time():
    trajectories = {
        n: [Atoms(info={"trajectory": n, "frame": k}) for k in range(4)] for n in (7, 8, 9)
    }
    ordered = sample.in_order_of_use(trajectories, np.random.default_rng(0))
    places = [(atoms.info["trajectory"], atoms.info["frame"]) for atoms in ordered]
    assert len(set(places)) == 12
    for first in range(0, 12, 3):
        assert {n for n, _ in places[first : first + 3]} == {7, 8, 9}


@pytest.mark.slow
def test_sampling_resumes_and_refuses_the_file_of_another_run(shipped, tmp_path, run_here):
    write_frames(tmp_path / "starts.xyz", shipped[:3])
    output = tmp_path / "sampled.xyz"
    arguments = [tmp_path / "starts.xyz", "--model", STORED_MODEL, "--output", output]
    arguments += ["--timestep-fs", 0.5, "--heat-ps", 0.005, "--equilibration-ps", 0.005]
    arguments += ["--n-frames", 2, "--interval-ps", 0.005, "--n-trajectories"]
    assert run_here(sample, *arguments, 1).returncode == 0
    (first, _) = read(output, ":")
    assert run_here(sample, *arguments, 2).returncode == 0
    frames = read(output, ":")
    assert {a.info["trajectory"] for a in frames[:2]} == {1000, 1001}
    assert [a.info["temperature_K"] for a in frames if a.info["trajectory"] == 1001] == [330, 330]
    kept = [a for a in frames if a.info == first.info]
    assert np.array_equal(kept[0].positions, first.positions)
    refused = run_here(sample, *arguments, 1)
    assert refused.returncode == 1
    assert "holds other trajectories" in refused.stderr
    assert "each of 1000 to 1000" in refused.stderr


def test_sampling_without_a_model_says_so(frame_file, tmp_path, run_here):
    arguments = ["--model", tmp_path / "no.xml", "--output", tmp_path / "out.xyz"]
    done = run_here(sample, frame_file, *arguments)
    assert done.returncode == 1 and "no.xml" in done.stderr
    assert not (tmp_path / "out.xyz").exists()


# --- the input and output of CP2K --------------------------------------------------------------


def test_labels_are_read_from_real_output(first_edition_frames):
    text = fixture_text("converged.out")  # one run did both when it was made
    labels = cp2k_files.read_labels({"labels": text, "response": text}, 48)
    assert labels.energy == pytest.approx(first_edition_frames[1].info["dft_energy"], abs=1e-8)
    forces = first_edition_frames[1].arrays["dft_forces"]
    assert np.abs(labels.forces - forces).max() < 1e-3
    assert (
        np.abs(labels.polarizability - first_edition_frames[1].info["Polarizability"]).max() < 1e-2
    )
    xy, yx = labels.polarizability[[1, 3]]
    assert (xy, yx) == (0.807638580693, 0.805821529506)  # Å³, as CP2K prints them
    assert -5 < labels.dispersion_energy < -1 and labels.n_scf_steps > 0


def test_an_scf_that_did_not_converge_is_an_error():
    text = fixture_text("not_converged.out")
    assert cp2k_files.read_energy(text) < 0  # CP2K prints an energy all the same
    with pytest.raises(cp2k_files.ConvergenceError, match="SCF did not.*0.00290047 after 6 steps"):
        cp2k_files.read_labels({"labels": text}, 48)


def test_a_response_that_did_not_converge_is_an_error():
    text = fixture_text("converged.out").replace("The linear solver converged", "", 1)
    with pytest.raises(cp2k_files.ConvergenceError, match="response.*Found: it 2 times"):
        cp2k_files.read_labels({"labels": text, "response": text}, 48)
    assert cp2k_files.read_labels({"labels": text}, 48).polarizability is None


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ("ENERGY|", "holds no total energy"),
        ("ATOMIC FORCES in", "holds no forces"),
        ("POLAR| yx,zx,zy", "holds no polarizability"),
        ("Dispersion energy", "holds no dispersion energy"),
    ],
)
def test_missing_numbers_are_named(cut, message):
    text = fixture_text("converged.out").replace(cut, "")
    with pytest.raises(DataError, match=message):
        cp2k_files.read_labels({"labels": text, "response": text}, 48)


def test_forces_of_another_number_of_atoms_are_refused():
    with pytest.raises(DataError, match="Expected: 51 atoms. Found: 48"):
        cp2k_files.read_forces(fixture_text("converged.out"), 51)


def test_the_inputs_have_the_settings_of_the_readme(bare):
    stages = cp2k_files.stages_of(bare[0], polarizability=True)
    job = label.Job("0", bare[0], stages)
    assert list(job.inputs()) == ["start", "labels", "response"]
    coarse, real, response = job.inputs().values()
    for setting in ("CUTOFF [Ry] 160", "EPS_SCF 1e-3", "SCF_GUESS ATOMIC", "BROYDEN_MIXING"):
        assert setting in coarse
    for setting in ("CUTOFF [Ry] 900", "EPS_SCF 5e-6", "SCF_GUESS RESTART", "MINIMIZER DIIS"):
        assert setting in real
    for setting in ("PARAMETRIZATION REVPBE", "REFERENCE_FUNCTIONAL revPBE", "[angstrom] 12"):
        assert setting in real
    assert "LINRES" not in real and "$" not in real + response and "LSD" not in real
    for setting in ("CUTOFF [Ry] 360", "EPS 2e-5", "PERIODIC_DIPOLE_OPERATOR T"):
        assert setting in response
    x = bare[0].get_positions(wrap=True)[0, 0]
    assert f"O {x:.8f}" in real
    pbe = cp2k_files.input_text(bare[0], cp2k_files.LABELS, functional="PBE")
    assert "PARAMETRIZATION ORIG" in pbe and "REFERENCE_FUNCTIONAL PBE" in pbe
    with pytest.raises(DataError, match="add a &KIND for Na"):
        cp2k_files.input_text(Atoms("Na", cell=[5] * 3, pbc=True), cp2k_files.LABELS)
    with pytest.raises(ConfigError, match="did you mean 'PBE'"):
        cp2k_files.input_text(bare[0], cp2k_files.LABELS, functional="PBE0")


def test_an_isolated_atom_is_one_spin_polarized_run():
    atoms = gas_phase.isolated_atom("O")
    (stage,) = cp2k_files.stages_of(atoms, polarizability=False)
    (text,) = label.Job("1", atoms, (stage,)).inputs().values()
    assert "LSD T" in text and "MULTIPLICITY 3" in text and "SCF_GUESS ATOMIC" in text
    (again,) = label.Job("1", atoms, (stage,)).again().inputs().values()
    assert "BROYDEN_MIXING" in again and "MULTIPLICITY 3" in again


def test_the_second_try_takes_no_coarse_start(bare):
    job = label.Job("0", bare[0], cp2k_files.stages_of(bare[0], polarizability=False))
    (text,) = job.again().inputs().values()
    assert "MINIMIZER CG" in text and "SCF_GUESS ATOMIC" in text and "CUTOFF [Ry] 900" in text


# --- label.py ----------------------------------------------------------------------------------


@pytest.fixture
def fake_cp2k(tmp_path, monkeypatch):
    """Return a stand-in for CP2K that prints a stored output and counts its runs.

    The frames that it is given are told apart by their cell.
    """
    data = tmp_path / "cp2k_data"
    data.mkdir()
    for name in cp2k_run.DATA_FILES:
        (data / name).touch()
    program = tmp_path / "cp2k.fake"
    program.write_text(
        f"#!/bin/sh\necho $2 >> '{tmp_path}/runs'\n"
        f"if [ -e '{tmp_path}/abort' ]; then cat '{FIXTURES}/abort.out' > \"$4\"; exit 1; fi\n"
        f"if [ -e '{tmp_path}/bad' ] && grep -q 'A .* 7.9 ' $2; then name=not_; fi\n"
        f'cat "{FIXTURES}/${{name}}converged.out" > "$4"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CP2K_DATA_DIR", str(data))
    return {"program": program, "runs": tmp_path / "runs"}


@pytest.fixture
def frame_file(first_edition_frames, tmp_path):
    """Write frames 1 and 2 to a file; the second has a cell of its own."""
    frames = [atoms.copy() for atoms in first_edition_frames[1:3]]
    frames[1].cell[0, 0] = 7.9
    path = tmp_path / "frames.xyz"
    write(path, frames, format="extxyz", write_results=False)
    return path


@pytest.fixture
def run_label(fake_cp2k, run_here):
    """Return a function that runs label.py in this process with the stand-in."""

    def run(frames, folder, *arguments):
        options = ["--labels", folder, "--cp2k", fake_cp2k["program"]]
        return run_here(label, frames, *options, *arguments)

    return run


def test_labeling_keeps_what_is_done(
    fake_cp2k, run_label, frame_file, tmp_path, first_edition_frames
):
    folder, output = tmp_path / "labels", tmp_path / "labeled.xyz"
    (tmp_path / "bad").touch()
    first = run_label(frame_file, folder, "--output", output)
    assert first.returncode == 1 and not output.exists()
    assert "frame 1, to be tried again: CP2K's SCF did not converge" in first.stderr
    assert "1 of 2 frames have no labels: 1." in first.stderr
    runs = ["start.inp", "labels.inp"] * 2 + ["labels.inp"]  # the second try needs no start
    assert sorted(fake_cp2k["runs"].read_text().split()) == sorted(runs)
    assert [path.name for path in sorted(folder.iterdir())] == ["0.json", "1.failed.out"]
    assert "SCF" in (folder / "1.failed.out").read_text()

    (tmp_path / "bad").unlink()
    second = run_label(frame_file, folder, "--output", output)
    assert second.returncode == 0, second.stderr
    assert "1 of 2 frames were done already" in second.stdout
    assert [path.name for path in sorted(folder.iterdir())] == ["0.json", "1.json"]
    atoms = read(output, ":")
    keys = ["dft_energy", "temperature_K", "trajectory", "frame", "dft_seconds"]
    assert [list(a.info) for a in atoms] == [keys] * 2
    forces = first_edition_frames[1].arrays["dft_forces"]
    assert np.abs(atoms[0].arrays["dft_forces"] - forces).max() < 1e-3
    n_runs = len(fake_cp2k["runs"].read_text().split())
    assert run_label(frame_file, folder).returncode == 0
    assert len(fake_cp2k["runs"].read_text().split()) == n_runs


def test_labels_without_polarizability_are_computed_again_with_it(run_label, frame_file, tmp_path):
    folder, output = tmp_path / "labels", tmp_path / "labeled.xyz"
    assert run_label(frame_file, folder, "--workers", 2).returncode == 0
    arguments = ["--polarizability", 1, "--workers", 2, "--output", output]
    done = run_label(frame_file, folder, *arguments)
    assert done.returncode == 0, done.stderr
    assert ["Polarizability" in atoms.info for atoms in read(output, ":")] == [True, False]


def test_a_dask_cluster_labels_with_the_same_command(run_label, frame_file, tmp_path):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    )
    with cluster:
        done = run_label(frame_file, tmp_path / "labels", "--scheduler", cluster.scheduler_address)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["0.json", "1.json"]


def test_trying_two_frames_of_a_long_file(run_label, tmp_path):
    done = run_label(LABELS / "train_gap1.xyz", tmp_path / "labels", "--first", 2)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["0.json", "1.json"]


def test_an_abort_of_cp2k_is_told_in_its_own_words(run_label, frame_file, tmp_path):
    (tmp_path / "abort").touch()
    done = run_label(frame_file, tmp_path / "labels")
    assert done.returncode == 1
    assert "exit code 1 in the stage 'start'" in done.stderr
    assert "The requested basis set <TZV9P-GTH> for element <O> was not found" in done.stderr
    assert "2 of 2 frames have no labels: 0, 1." in done.stderr


def test_labels_of_other_frames_are_not_taken_for_these(run_label, frame_file, tmp_path, shipped):
    assert run_label(frame_file, tmp_path / "labels").returncode == 0
    write_frames(tmp_path / "other.xyz", shipped[7:9])
    done = run_label(tmp_path / "other.xyz", tmp_path / "labels")
    assert done.returncode == 1 and "belongs to other positions" in done.stderr


def test_a_missing_cp2k_is_a_clear_error(frame_file, tmp_path):
    done = run_process("label.py", frame_file, "--labels", tmp_path / "new", PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("label.py: CP2K is not installed")
    assert "apt-get install cp2k" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_missing_basis_sets_are_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("CP2K_DATA_DIR", str(tmp_path))
    with pytest.raises(MissingToolError, match="GTH_BASIS_SETS.*set CP2K_DATA_DIR"):
        cp2k_run.find_data_folder(Path(sys.executable))


def test_a_run_that_takes_too_long_is_ended(fake_cp2k):
    fake_cp2k["program"].write_text("#!/bin/sh\nexec sleep 60\n")
    cp2k = cp2k_run.Cp2k(str(fake_cp2k["program"]), 1, 0.3)
    with pytest.raises(WorkshopError, match="ended after 0.3 s.*raise --timeout-s"):
        cp2k.run({"start": "input"})


def test_missing_frames_and_bad_settings_are_clear_errors(frame_file, tmp_path, run_here):
    done = run_here(label, tmp_path / "no.xyz", "--labels", tmp_path / "new")
    assert done.returncode == 1 and "There is no file" in done.stderr
    done = run_here(label, frame_file, "--labels", tmp_path, "--output", tmp_path / "no/out.xyz")
    assert done.returncode == 1 and "there is no folder" in done.stderr
    done = run_here(label, frame_file, "--labels", tmp_path / "new", "--workers", 0)
    assert done.returncode == 1 and "workers=0 cannot be used" in done.stderr


# --- check_labels.py ---------------------------------------------------------------------------


def test_checks_run_resume_and_make_a_table(fake_cp2k, run_here, tmp_path):
    work, output = tmp_path / "checks", tmp_path / "checks.csv"
    arguments = ["--work", work, "--output", output, "--cp2k", fake_cp2k["program"]]
    done = run_here(check_labels, *arguments, "--run", "--only", "shift", "cutoff_900")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in work.iterdir())
    assert names == sorted(f"{n}.{k}.json" for n in ("shift", "cutoff_900") for k in (0, 5, 15))
    assert "still to compute (--run): cutoff_300.0" in done.stdout
    table = pd.read_csv(output)
    shift = table[table.check == "shift"]
    assert sorted(shift.frame.unique()) == [0, 5, 15]
    assert (shift.value == 0).all()  # the stand-in says the same every time
    assert {"repeat", "net_force", "asymmetry", "dispersion"} <= set(table.check)


def test_the_displacement_of_the_work_check_has_unit_length():
    first, again = (check_labels.direction(5, 48) for _ in range(2))
    assert np.array_equal(first, again) and np.linalg.norm(first) == pytest.approx(1.0)
    assert not np.allclose(first, check_labels.direction(15, 48))


# Limits of the stored table: what a physicist expects of these settings, not what came out.
LIMITS = [
    ("cutoff", "300", "forces_rms", 50, 110),  # meV/Å
    ("cutoff", "400", "forces_rms", 30, 70),
    ("cutoff", "600", "forces_rms", 10, 40),
    ("cutoff", "900", "forces_rms", 0, 14),  # with PBE 3, with revPBE 10
    ("repeat", "900", "energy", 0, 2e-4),  # meV/atom: 1e-5 eV of the cell
    ("repeat", "900", "forces_largest", 0, 1),
    ("shift", "900", "forces_rms", 0, 25),  # twice the error of a label, in quadrature
    ("shift", "900", "energy", 0, 0.1),
    ("scf", "900", "forces_rms", 0, 3),
    ("work", "900", "force_error", 0, 30),
    ("response", "360", "polarizability_rms", 0, 0.02),  # Å³
    ("net_force", "900", "rms_per_atom", 0, 3),
    ("asymmetry", "360", "antisymmetric_rms", 0, 0.01),
]


@pytest.fixture(scope="module")
def stored_checks():
    return pd.read_csv(GENERATE / "label_checks.csv", dtype={"setting": str})


@pytest.mark.parametrize(("check", "setting", "quantity", "least", "most"), LIMITS)
def test_stored_checks_are_within_limits(stored_checks, check, setting, quantity, least, most):
    rows = stored_checks.query("check == @check and setting == @setting and quantity == @quantity")
    root_mean_square = np.sqrt((rows["value"] ** 2).mean())
    assert least <= root_mean_square <= most


def test_dispersion_is_on_and_follows_the_rules_of_cp2k_and_dftd3(stored_checks):
    rows = stored_checks.query("check == 'dispersion'").pivot(
        index="frame", columns="setting", values="value"
    )
    assert (rows["dftd3"] < -2.5).all()  # eV
    frames = read_frames_of("train_gap1")
    for rule in rows:  # CP2K's part, where it is computed
        for number, energy in rows[rule].items():
            own = dispersion.dispersion_energy(frames[number], rule=rule)
            assert own == pytest.approx(energy, abs=2e-5)  # eV, of 3 eV; the rules differ by 1.4e-3


# --- all scripts, and CP2K itself --------------------------------------------------------------


SCRIPTS = (
    assemble,
    check_labels,
    describe,
    first_edition,
    gas_phase,
    label,
    label_store,
    look_at_sampling,
    phase_frames,
    sample,
    start,
    start_64,
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_help_has_an_example(script):
    told = script.make_parser().format_help()
    assert f"python data/water/generate/{script.__name__}.py" in told and "Example" in told


def test_a_script_started_in_a_terminal_explains_itself():
    done = run_process("start.py", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "python data/water/generate/start.py" in done.stdout and "Example" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(CP2K is None, reason="needs CP2K 2023.1 (apt-get install cp2k)")
@pytest.mark.parametrize("number", [pytest.param(0, marks=LONG), pytest.param(7, marks=LONG), 44])
def test_stored_labels_come_out_of_cp2k_again(number, tmp_path):
    frames = read_frames_of("train_gap1")
    stored = label_store.read_labels(LABELS / "train_gap1.jsonl", frames)[number]
    write_frames(tmp_path / "frame.xyz", [frames[number]])
    arguments = [tmp_path / "frame.xyz", "--labels", tmp_path / "labels"]
    done = run_process("label.py", *arguments, "--polarizability", int(number == 0))
    assert done.returncode == 0, done.stderr
    again = json.loads((tmp_path / "labels" / "0.json").read_text(encoding="utf-8"))
    assert again["energy"] == pytest.approx(stored["energy"], abs=1e-5)  # eV
    assert np.abs(np.subtract(again["forces"], stored["forces"])).max() < 1e-3  # eV/Å
    if "polarizability" in again:
        difference = np.subtract(again["polarizability"], stored["polarizability"])
        assert np.abs(difference).max() < 1e-2  # Å³
