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
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.fd import calculate_numerical_forces
from ase.io import read, write

from helpers import load_frames
from helpers.errors import DataError, MissingToolError, WorkshopError

REPOSITORY = Path(__file__).resolve().parents[1]
WATER = REPOSITORY / "data" / "water"
GENERATE = WATER / "generate"
FIXTURES = Path(__file__).resolve().parent / "fixtures" / "cp2k"

sys.path.insert(0, str(GENERATE))

import assemble  # noqa: E402
import cp2k_files  # noqa: E402
import label  # noqa: E402
import manifest  # noqa: E402
import sample  # noqa: E402
import script  # noqa: E402
import start  # noqa: E402
from force_field import WaterForceField  # noqa: E402
from frame_files import write_frames  # noqa: E402
from geometry import CELL_A, broken_rule  # noqa: E402

sys.path.remove(str(GENERATE))

CP2K = shutil.which("cp2k.psmp") or shutil.which("cp2k")


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
        code = script.run(lambda: module.main([str(argument) for argument in arguments]))
        captured = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def shipped():
    return load_frames("water", "train", 50)


@pytest.fixture
def frame_file(shipped, tmp_path):
    """Write shipped frames 1 and 2 to a file."""
    path = tmp_path / "frames.xyz"
    write(path, shipped[1:3], format="extxyz", write_results=False)
    return path


def fixture_text(name):
    return (FIXTURES / name).read_text(encoding="utf-8")


# --- the shipped files -------------------------------------------------------------------------


def test_checksums_of_the_shipped_files_agree_with_both_lists():
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in WATER.glob("*.xyz")}
    lines = (WATER / "SHA256SUMS").read_text().split()
    files = json.loads((WATER / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert found == dict(zip(lines[1::2], lines[0::2], strict=True))
    assert found == {file["file"]: file["sha256"] for file in files}


def test_the_manifest_is_what_the_files_say():
    stored = json.loads((WATER / "manifest.json").read_text(encoding="utf-8"))
    assert stored == manifest.build_manifest(WATER)
    rows = [(f["split"], f["size"], f["n_polarizabilities"]) for f in stored["files"]]
    assert rows == [
        ("train", 50, 50),
        ("train", 100, 100),
        ("train", 200, 200),
        ("train", 400, 200),
        ("validate", 100, 0),
    ]
    assert all(f["n_bytes"] == (WATER / f["file"]).stat().st_size for f in stored["files"])


def test_shipped_frames_keep_the_rule_of_sampling():
    frames = load_frames("water", "train") + load_frames("water", "validate")
    assert [broken_rule(atoms) for atoms in frames] == [None] * 500


# --- assemble.py -------------------------------------------------------------------------------


@pytest.fixture
def unshuffled(tmp_path):
    """Undo the permutation: write the labeled frames as they were before assemble.py.

    Four of the 104 validation frames were never shipped; fillers with their numbers stand in.
    """
    train = assemble.read_labeled(WATER / "gap_input_400.xyz")
    validate = assemble.read_labeled(WATER / "gap_validate.xyz")
    there = {(frame.trajectory, frame.number) for frame in validate}
    first = validate[0]
    name = "trajectory={} frame={}"
    fillers = [
        first.text.replace(name.format(first.trajectory, first.number), name.format(t, n))
        for t in range(2000, 2013)
        for n in range(8)
        if (t, n) not in there
    ]
    texts = {
        "a.xyz": [frame.text for frame in train if frame.trajectory < 1025],
        "b.xyz": [frame.text for frame in train if frame.trajectory >= 1025],
        "validate.xyz": [frame.text for frame in validate] + fillers,
    }
    for file, frames in texts.items():
        (tmp_path / file).write_text("".join(frames), encoding="utf-8")
    assert [len(frames) for frames in texts.values()] == [200, 200, 104]
    return tmp_path


def test_assembling_makes_the_shipped_files_byte_for_byte(unshuffled, run_here):
    new = unshuffled / "new"
    arguments = ["--train", unshuffled / "a.xyz", unshuffled / "b.xyz", "--output", new]
    arguments += ["--validate", unshuffled / "validate.xyz"]
    done = run_here(assemble, *arguments)
    assert done.returncode == 0, done.stderr
    made = {path.name: path.read_bytes() for path in new.iterdir()}
    assert set(made) == {p.name for p in WATER.glob("*.xyz")} | {"SHA256SUMS", "manifest.json"}
    assert [name for name in made if made[name] != (WATER / name).read_bytes()] == []

    again = run_here(assemble, *arguments)  # the same content again is no error
    assert again.returncode == 0, again.stderr
    other = run_here(assemble, *arguments, "--seed", 5)
    assert other.returncode == 1
    assert "holds other files of these names" in other.stderr and "--force" in other.stderr
    assert made["gap_input_50.xyz"] == (new / "gap_input_50.xyz").read_bytes()


def test_a_trajectory_in_both_sets_is_refused(unshuffled):
    train = assemble.read_labeled(unshuffled / "a.xyz")
    with pytest.raises(DataError, match="Trajectory 1000 is in training and in validation"):
        assemble.order([train[1:]], train[:1], rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="the same frame more than once.*trajectory 1000, frame 0"):
        assemble.order([train, train], [], rng=np.random.default_rng(0))


def test_too_few_frames_are_refused_before_anything_is_written(unshuffled):
    train = assemble.read_labeled(unshuffled / "a.xyz")
    with pytest.raises(DataError, match="too few training frames.*at least 400.*Found: 200"):
        assemble.write_data_set(unshuffled / "new", train, [], sizes=[50, 400], n_validate=1)
    assert not (unshuffled / "new").exists()


def test_frames_without_labels_are_refused(tmp_path):
    write_frames(tmp_path / "bare.xyz", [start.lattice_of_molecules(np.random.default_rng(0))])
    with pytest.raises(DataError, match="Frame 1 of .*bare.xyz has no 'dft_energy'"):
        assemble.read_labeled(tmp_path / "bare.xyz")


# --- start.py ----------------------------------------------------------------------------------


def test_force_field_forces_are_its_energy_gradient():
    rng = np.random.default_rng(3)
    atoms = start.lattice_of_molecules(rng)
    atoms.positions += rng.normal(scale=0.1, size=(48, 3))
    atoms.calc = WaterForceField()
    numerical = calculate_numerical_forces(atoms, eps=1e-5)
    assert np.abs(numerical - atoms.get_forces()).max() < 1e-6
    assert np.abs(atoms.get_forces().sum(axis=0)).max() < 1e-9


def test_starting_frames_are_water_at_the_right_density(tmp_path, run_here):
    output = tmp_path / "start.xyz"
    arguments = ["--n-frames", 3, "--n-steps", 600, "--seed", 4, "--output", output]
    done = run_here(start, *arguments)
    assert done.returncode == 0, done.stderr
    frames = read(output, ":")
    assert [atoms.info["temperature_K"] for atoms in frames] == [300, 350, 400]
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
    assert "2 of 3 frames were done already" in resumed.stderr
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


class Exploding(Calculator):
    """Push atom 1 away: every trajectory breaks."""

    implemented_properties = ["energy", "forces"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        forces = np.zeros((len(self.atoms), 3))
        forces[1, 0] = 100.0
        self.results = {"energy": 0.0, "forces": forces}


QUICK = sample.Settings(equilibration_steps=25, n_frames=3, stride_steps=10)


def test_sampling_gives_whole_trajectories_and_repeats_itself(shipped):
    options = {"seed": 2, "settings": QUICK}
    frames = sample.sample(1001, shipped[:3], WaterForceField(), **options)
    assert [atoms.info for atoms in frames] == [
        {"temperature_K": 400, "trajectory": 1001, "frame": place} for place in range(3)
    ]
    assert all(broken_rule(atoms) is None for atoms in frames)
    again = sample.sample(1001, shipped[:3], WaterForceField(), **options)
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(frames, again, strict=True))
    other = sample.sample(1001, shipped[:3], WaterForceField(), seed=3, settings=QUICK)
    assert not np.allclose(frames[0].positions, other[0].positions)


def test_sampling_throws_broken_trajectories_away(shipped, capsys):
    with pytest.raises(DataError, match="Trajectory 1000 broke 5 times at 350 K.*O-H"):
        sample.sample(1000, shipped[:1], Exploding(), seed=1, settings=QUICK)
    assert capsys.readouterr().err.count("The trajectory broke at 350 K") == 5


def test_sampling_resumes_and_refuses_the_file_of_another_run(shipped, tmp_path, monkeypatch):
    import helpers.gap.potential

    def force_field(path, engine):
        assert (path, engine) == (Path("gap.xml"), "auto")
        return WaterForceField()

    monkeypatch.setattr(helpers.gap.potential, "load_potential", force_field)
    write_frames(tmp_path / "starts.xyz", shipped[:3])
    output = tmp_path / "sampled.xyz"
    arguments = [tmp_path / "starts.xyz", "--model", "gap.xml", "--output", output]
    arguments += ["--equilibration-steps", 20, "--n-frames", 2, "--stride-steps", 10]
    arguments = [*map(str, arguments), "--n-trajectories"]
    sample.main([*arguments, "1"])
    first = output.read_bytes()
    sample.main([*arguments, "3"])
    assert output.read_bytes().startswith(first)
    assert [a.info["trajectory"] for a in read(output, ":")] == [1000, 1000, 1001, 1001, 1002, 1002]
    with pytest.raises(DataError, match="holds other trajectories.*each of 1000 to 1000"):
        sample.main([*arguments, "1"])


def test_sampling_without_a_model_says_so(frame_file, tmp_path, run_here):
    arguments = ["--model", tmp_path / "no.xml", "--output", tmp_path / "out.xyz"]
    done = run_here(sample, frame_file, *arguments)
    assert done.returncode == 1 and "no.xml" in done.stderr
    assert not (tmp_path / "out.xyz").exists()


# --- the input and output of CP2K --------------------------------------------------------------


def test_labels_are_read_from_real_output(shipped):
    labels = cp2k_files.read_labels(fixture_text("converged.out"), 48, polarizability=True)
    assert labels.energy == pytest.approx(shipped[1].info["dft_energy"], abs=1e-8)
    assert np.abs(labels.forces - shipped[1].arrays["dft_forces"]).max() < 1e-3
    assert np.abs(labels.polarizability - shipped[1].info["Polarizability"]).max() < 1e-2
    xy, yx = labels.polarizability[[1, 3]]
    assert (xy, yx) == (0.807638580693, 0.805821529506)  # Å³, as CP2K prints them


def test_an_scf_that_did_not_converge_is_an_error():
    text = fixture_text("not_converged.out")
    assert cp2k_files.read_energy(text) < 0  # CP2K prints an energy all the same
    with pytest.raises(cp2k_files.ConvergenceError, match="SCF did not.*0.00290047 after 6 steps"):
        cp2k_files.read_labels(text, 48, polarizability=False)


def test_a_response_that_did_not_converge_is_an_error():
    text = fixture_text("converged.out").replace("The linear solver converged", "", 1)
    with pytest.raises(cp2k_files.ConvergenceError, match="response.*Found: it 2 times"):
        cp2k_files.read_labels(text, 48, polarizability=True)
    assert cp2k_files.read_labels(text, 48, polarizability=False).polarizability is None


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ("ENERGY|", "holds no total energy"),
        ("ATOMIC FORCES in", "holds no forces"),
        ("POLAR| yx,zx,zy", "holds no polarizability"),
    ],
)
def test_missing_numbers_are_named(cut, message):
    text = fixture_text("converged.out").replace(cut, "")
    with pytest.raises(DataError, match=message):
        cp2k_files.read_labels(text, 48, polarizability=True)


def test_forces_of_another_number_of_atoms_are_refused():
    with pytest.raises(DataError, match="Expected: 51 atoms. Found: 48"):
        cp2k_files.read_forces(fixture_text("converged.out"), 51)


def test_the_input_has_the_settings_of_the_readme(shipped):
    real = cp2k_files.input_text(shipped[0], guess=False, polarizability=False)
    for setting in ("CUTOFF [Ry] 900", "EPS_SCF 5e-6", "SCF_GUESS RESTART", "ENERGY_FORCE"):
        assert setting in real
    assert "LINRES" not in real and "$" not in real
    response = cp2k_files.input_text(shipped[0], guess=False, polarizability=True)
    assert "EPS_SCF 1e-6" in response and "PERIODIC_DIPOLE_OPERATOR T" in response
    guess = cp2k_files.input_text(shipped[0], guess=True, polarizability=True)
    assert "CUTOFF [Ry] 160" in guess and "LINRES" not in guess
    assert f"O {shipped[0].positions[0, 0]:.8f}" in real
    with pytest.raises(DataError, match="add a &KIND for Na"):
        cp2k_files.input_text(Atoms("Na", cell=[5] * 3, pbc=True), guess=True, polarizability=False)


# --- label.py ----------------------------------------------------------------------------------


@pytest.fixture
def fake_cp2k(tmp_path, monkeypatch):
    """Return a stand-in for CP2K that prints a stored output and counts its runs."""
    data = tmp_path / "cp2k_data"
    data.mkdir()
    for name in label.DATA_FILES:
        (data / name).touch()
    program = tmp_path / "cp2k.fake"
    program.write_text(
        f"#!/bin/sh\necho $2 >> '{tmp_path}/runs'\n"
        f"if [ -e '{tmp_path}/abort' ]; then cat '{FIXTURES}/abort.out' > \"$4\"; exit 1; fi\n"
        f"case \"$PWD\" in\n  *frame_0001) [ -e '{tmp_path}/bad' ] && name=not_;;\nesac\n"
        f'cat "{FIXTURES}/${{name}}converged.out" > "$4"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CP2K_DATA_DIR", str(data))
    return {"program": program, "runs": tmp_path / "runs"}


@pytest.fixture
def run_label(fake_cp2k, run_here):
    """Return a function that runs label.py in this process with the stand-in."""

    def run(frames, output, *arguments):
        options = ["--output", output, "--cp2k", fake_cp2k["program"]]
        return run_here(label, frames, *options, *arguments)

    return run


def test_labeling_keeps_what_is_done(fake_cp2k, run_label, frame_file, tmp_path, shipped):
    output = tmp_path / "labeled.xyz"
    (tmp_path / "bad").touch()
    first = run_label(frame_file, output)
    assert first.returncode == 1
    assert "frame 1: CP2K's SCF did not converge" in first.stderr
    assert "1 of 2 frames have no labels: [1]" in first.stderr
    (atoms,) = read(output, ":")
    assert list(atoms.info) == [
        "dft_energy",
        *["temperature_K", "trajectory", "frame"],
        "dft_seconds",
    ]
    assert np.abs(atoms.arrays["dft_forces"] - shipped[1].arrays["dft_forces"]).max() < 1e-3

    (tmp_path / "bad").unlink()
    second = run_label(frame_file, output)
    assert second.returncode == 0, second.stderr
    assert "1 of 2 frames were done already" in second.stderr
    assert fake_cp2k["runs"].read_text().split() == ["guess.inp", "label.inp"] * 3
    before = output.read_bytes()
    third = run_label(frame_file, output)
    assert third.returncode == 0 and len(fake_cp2k["runs"].read_text().split()) == 6
    assert output.read_bytes() == before
    assert not output.with_name("labeled.xyz.work").exists()


def test_labels_without_polarizability_are_computed_again_with_it(run_label, frame_file, tmp_path):
    output = tmp_path / "labeled.xyz"
    assert run_label(frame_file, output, "--jobs", 2).returncode == 0
    done = run_label(frame_file, output, "--polarizability", "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert [np.shape(atoms.info["Polarizability"]) for atoms in read(output, ":")] == [(9,)] * 2


def test_an_abort_of_cp2k_is_told_in_its_own_words(run_label, frame_file, tmp_path):
    (tmp_path / "abort").touch()
    done = run_label(frame_file, tmp_path / "out.xyz")
    assert done.returncode == 1
    assert "exit code 1" in done.stderr
    assert "The requested basis set <TZV9P-GTH> for element <O> was not found" in done.stderr
    assert not (tmp_path / "out.xyz").exists()


def test_an_output_of_other_frames_is_not_overwritten(run_label, frame_file, tmp_path, shipped):
    other = tmp_path / "other.xyz"
    write_frames(other, shipped[7:8])
    before = other.read_bytes()
    done = run_label(frame_file, other)
    assert done.returncode == 1 and "holds frames that are not in" in done.stderr
    assert other.read_bytes() == before


def test_a_missing_cp2k_is_a_clear_error(frame_file, tmp_path):
    done = run_process("label.py", frame_file, "--output", tmp_path / "out.xyz", PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("label.py: error: CP2K is not installed")
    assert "apt-get install cp2k" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out.xyz").exists()


def test_missing_basis_sets_are_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("CP2K_DATA_DIR", str(tmp_path))
    with pytest.raises(MissingToolError, match="GTH_BASIS_SETS.*set CP2K_DATA_DIR"):
        label.find_data_folder(Path(sys.executable))


def test_a_run_that_takes_too_long_is_ended(fake_cp2k, shipped, tmp_path):
    fake_cp2k["program"].write_text("#!/bin/sh\nexec sleep 60\n")
    cp2k = label.Cp2k(str(fake_cp2k["program"]), 1, 0.3)
    with pytest.raises(WorkshopError, match="ended after 0.3 s.*raise --timeout-s"):
        label.label_frame(shipped[0], cp2k, tmp_path / "work", polarizability=False)


def test_missing_frames_and_folders_are_clear_errors(frame_file, tmp_path, run_here):
    done = run_here(label, tmp_path / "no.xyz", "--output", tmp_path / "out.xyz")
    assert done.returncode == 1 and "There is no file" in done.stderr
    done = run_here(label, frame_file, "--output", tmp_path / "no" / "out.xyz")
    assert done.returncode == 1 and "there is no folder" in done.stderr


@pytest.mark.parametrize("name", ["start.py", "label.py", "sample.py", "assemble.py"])
def test_help_has_an_example(name):
    done = run_process(name, "--help")
    assert done.returncode == 0
    assert f"python data/water/generate/{name}" in done.stdout and "Example" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(CP2K is None, reason="needs CP2K 2023.1 (apt-get install cp2k)")
def test_a_shipped_frame_gets_its_labels_again(shipped, tmp_path):
    write_frames(tmp_path / "frame.xyz", shipped[:1])
    arguments = [tmp_path / "frame.xyz", "--output", tmp_path / "again.xyz"]
    done = run_process("label.py", *arguments, "--polarizability")
    assert done.returncode == 0, done.stderr
    again = read(tmp_path / "again.xyz")
    stored = shipped[0]
    assert list(again.info) == list(stored.info)
    assert again.info["dft_energy"] == pytest.approx(stored.info["dft_energy"], abs=1e-3)  # eV
    assert np.abs(again.arrays["dft_forces"] - stored.arrays["dft_forces"]).max() < 1e-3  # eV/Å
    difference = again.info["Polarizability"] - stored.info["Polarizability"]
    assert np.abs(difference).max() < 1e-2  # Å³
