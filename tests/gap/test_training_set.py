"""What gap_fit is given: the frames that were read and checked, and nothing of the file besides."""

import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from own_frames import SMALL, alloy, clusters, labeled, slabs

from helpers import TwoBody, evaluate, fit_gap, load_potential
from helpers.errors import ConfigError, DataError
from helpers.gap.fit import _abort_message
from helpers.gap.process import find_gap_fit, run_watched, working_folder
from helpers.gap.training_set import format_frames, training_set, virial_label
from helpers.gap.xml import read_model

WITH_VIRIALS = SMALL.replace(default_sigma=(0.001, 0.05, 0.02, 0.0))


def text(frames, config=SMALL):
    return format_frames(training_set(config, frames).frames)


def fit(frames, folder, config=SMALL, **options):
    return fit_gap(config, frames, output=folder / "gap.xml", progress=False, **options)


@pytest.mark.parametrize("make", [slabs, clusters], ids=["slabs, T T F", "clusters, F F F"])
def test_atoms_have_no_neighbors_across_a_boundary_that_is_not_periodic(tmp_path, make):
    """gap_fit itself takes every cell as periodic: 686 meV/atom instead of 0.3 for slabs."""
    tight, wide = make(6, vacuum=0.6), make(6, vacuum=8.0)
    for one, other in zip(*(training_set(SMALL, f).frames for f in (tight, wide)), strict=True):
        assert np.allclose(one.cell, other.cell) and one.pbc.all()
    made = fit(tight, tmp_path)
    assert evaluate(made.model_path, tight).rmse_energy_meV_per_atom < 1
    assert evaluate(made.model_path, wide).rmse_energy_meV_per_atom < 1


ODD = {  # at some of them gap_fit stops
    "info": {
        "config_type": "bulk md 300K",
        "cutoff": 1.0,
        "note": 'a "quoted" = {x: 1}',
        "description": np.arange(600.0),
        "virial": np.eye(3),
        "author": "Bartók",
    },
    "arrays": {
        "residue": lambda n: np.array(["abc"] * n),
    },
}


@pytest.mark.parametrize("name", ["energy_sigma", "force_sigma", "sigma", "force_mask", "hessian"])
def test_keys_that_gap_fit_would_obey_are_refused_unless_the_config_names_them(name):
    frames = slabs(3)
    if name == "force_mask":
        frames[1].arrays[name] = np.arange(len(frames[1])) % 2 == 0
    else:
        frames[1].info[name] = 5.0
    with pytest.raises(DataError, match=f"Frame 2 .* holds '{name}'.*config_type_sigma"):
        training_set(SMALL, frames)


def test_other_keys_do_not_reach_gap_fit(tmp_path):
    plain, odd = slabs(3), slabs(3)
    for atoms in odd:
        atoms.info |= ODD["info"]
        for name, values in ODD["arrays"].items():
            atoms.arrays[name] = values(len(atoms))
    assert text(odd) == text(plain)
    write(tmp_path / "odd.xyz", odd)  # with the column move_mask of the fixed atoms, too
    with open(tmp_path / "odd.xyz", "a") as file:
        file.write("\n")
    read_back = fit(tmp_path / "odd.xyz", tmp_path)
    assert read_back.n_force_components == 3 * sum(map(len, plain))


def test_all_digits_of_the_frames_reach_gap_fit(tmp_path):
    frames = alloy(2)
    (tmp_path / "train.xyz").write_text(text(frames))
    for atoms, frame in zip(read(tmp_path / "train.xyz", ":"), frames, strict=True):
        assert np.array_equal(atoms.positions, frame.positions)
        assert np.array_equal(atoms.arrays["dft_forces"], frame.arrays["dft_forces"])
        assert atoms.info["dft_energy"] == frame.info["dft_energy"]


def stressed(atoms):
    """Return a frame as ASE writes it: results in a calculator, the stress among them."""
    result = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    stress = -atoms.info["virial"].ravel()[[0, 4, 8, 5, 2, 1]] / atoms.get_volume()
    result.calc = SinglePointCalculator(result, stress=stress)
    result.info["dft_energy"] = atoms.info["dft_energy"]
    result.arrays["dft_forces"] = atoms.arrays["dft_forces"]
    return result


def test_virials_are_used_where_they_have_an_expected_error(tmp_path):
    frames = alloy(3, virial=True)
    without = [labeled(Atoms(a.symbols, a.positions, cell=a.cell, pbc=True)) for a in frames]
    with pytest.warns(UserWarning, match="3 of the 3 frames .* have virials that are not used"):
        assert text(frames) == text(without)
    assert "virial" in text(frames, WITH_VIRIALS)
    made = fit(frames, tmp_path, WITH_VIRIALS)
    assert made.n_virial_components == 18 and "18 virial components" in str(made)
    for atoms in frames:
        assert np.allclose(virial_label(stressed(atoms)), atoms.info["virial"], atol=1e-12)


@pytest.mark.parametrize(
    ("virial", "message"),
    [
        (np.full((3, 3), np.nan), "Frame 1 .*'virial' is not a finite number"),
        (np.eye(2), "Frame 1 .*'virial' has the wrong shape.*\\(3, 3\\)"),
        (np.arange(9.0), "Frame 1 .*'virial' is not symmetric"),
    ],
    ids=["nan", "shape", "asymmetric"],
)
def test_bad_virials_are_refused(virial, message):
    (frame,) = alloy(1)
    frame.info["virial"] = virial
    with pytest.raises(DataError, match=message):
        training_set(WITH_VIRIALS, [frame])
    with pytest.warns(UserWarning, match="not used"):
        training_set(SMALL, [frame])


def test_a_virial_and_a_stress_that_contradict_each_other_are_refused():
    (frame,) = alloy(1, virial=True)
    both = stressed(frame)
    both.info["virial"] = frame.info["virial"]
    assert "virial" in training_set(WITH_VIRIALS, [both]).frames[0].info
    both.info["virial"] = -frame.info["virial"]
    with pytest.raises(DataError, match="contradict each other.*virial = −V·stress"):
        training_set(WITH_VIRIALS, [both])


def test_labels_of_other_atoms_are_refused():
    shared = EMT()
    frames = [Atoms(a.symbols, a.positions, cell=a.cell, pbc=True) for a in alloy(2)]
    for atoms in frames:
        atoms.calc = shared
        atoms.get_forces()
    config = SMALL.replace(energy_parameter_name="energy", force_parameter_name="forces")
    with pytest.raises(DataError, match="'forces' of .* was computed for other atoms.*positions"):
        training_set(config, frames)
    with pytest.raises(DataError, match="computed for other atoms.*a calculator of its own"):
        evaluate(EMT(), frames, energy_name="energy", forces_name="forces")


def test_two_labels_of_one_name_must_agree():
    (frame,) = alloy(1, energy="energy", forces="forces")
    config = SMALL.replace(energy_parameter_name="energy", force_parameter_name="forces")
    frame.calc = SinglePointCalculator(frame, energy=frame.info["energy"])
    assert training_set(config, [frame]).n_energies == 1
    frame.calc.results["energy"] += 1.0
    with pytest.raises(DataError, match="two different labels 'energy'.*delete one"):
        training_set(config, [frame])


def isolated(energies, **keywords):
    frames = [Atoms(symbol, **keywords) for symbol in energies]
    for atoms, energy in zip(frames, energies.values(), strict=True):
        atoms.info["dft_energy"] = energy
    return frames


ALONE = {"Cu": 3.51, "Al": 3.28}


@pytest.mark.parametrize("box", [None, 20.0], ids=["no cell", "boxed"])
def test_isolated_atoms_need_neither_cell_nor_forces(tmp_path, box):
    atoms = isolated(ALONE) if box is None else isolated(ALONE, cell=[box] * 3, pbc=True)
    crystals = [bulk("Cu", a=3.8), bulk("Al", a=3.8)]  # one atom each, and not isolated
    frames = [*map(labeled, crystals), *atoms, *clusters(4)]
    made = fit(frames, tmp_path, SMALL.replace(e0_method="isolated"))
    assert read_model(made.model_path).e0 == {29: 3.51, 13: 3.28}
    assert made.n_force_components == 3 * sum(map(len, frames))


@pytest.mark.slow  # JAX compiles
def test_the_kits_own_engine_takes_isolated_atoms_and_energies_only(tmp_path):
    frames = [labeled(bulk("Cu", a=3.8)), *isolated(ALONE), *slabs(4)]
    del frames[-1].arrays["dft_forces"]
    with pytest.warns(UserWarning, match="1 of the 7 frames"):
        made = fit(frames, tmp_path, SMALL.replace(e0_method="isolated"), engine="jax")
    assert read_model(made.model_path).e0 == {29: 3.51, 13: 3.28}
    assert made.n_force_components == 3 * sum(map(len, frames[:-1]))
    assert evaluate(made.model_path, frames).rmse_energy_meV_per_atom < 3


def test_two_energies_of_one_isolated_atom_are_refused():
    frames = [*clusters(2), *isolated(ALONE), *isolated({"Cu": 3.0})]
    with pytest.raises(DataError, match="two isolated Cu atoms.*3.510000 and 3.000000"):
        training_set(SMALL.replace(e0_method="isolated"), frames)


def test_some_frames_may_have_energies_only(tmp_path):
    frames = alloy(5)
    del frames[0].arrays["dft_forces"], frames[3].arrays["dft_forces"]
    with pytest.warns(UserWarning, match="2 of the 5 frames .* have no 'dft_forces'"):
        made = fit(frames, tmp_path)
    with_forces = [frames[k] for k in (1, 2, 4)]
    assert made.n_force_components == 3 * sum(map(len, with_forces))
    assert made.n_energies == 5
    errors = evaluate(made.model_path, frames)
    assert errors.rmse_energy_meV_per_atom < 5
    assert sorted(set(errors.forces["frame"])) == [1, 2, 4]
    for atoms in with_forces:
        del atoms.arrays["dft_forces"]
    with pytest.raises(DataError, match="Frame 1 .* has no 'dft_forces'"):
        training_set(SMALL, frames)


def test_a_mean_energy_for_elements_that_differ_is_refused():
    """With it the shift of the total energies ends in the forces: 4.9 eV/Å instead of 0.07."""
    frames = alloy(8)
    per_atom = {"Cu": -1305.0, "Al": -57.0}
    for atoms in frames:
        atoms.info["dft_energy"] += sum(per_atom[symbol] for symbol in atoms.symbols)
    with pytest.raises(
        ConfigError, match="differ in composition.*e0_method=None with e0="
    ) as error:
        training_set(SMALL, frames)
    proposed = dict(re.findall(r"'(\w+)': (-[\d.]+)", error.value.fix))
    e0 = {symbol: float(energy) for symbol, energy in proposed.items()}
    assert all(abs(e0[symbol] - energy) < 1.0 for symbol, energy in per_atom.items())
    training_set(SMALL.replace(e0_method=None, e0=e0), frames)
    training_set(SMALL, alloy(8))  # EMT's own energies hardly differ


def rare():
    """A crystal of Cu in which a few frames hold one atom of Al, which never meets another."""
    frames = []
    for k in range(5):
        atoms = bulk("Cu", a=3.75, cubic=True) * (2, 2, 2)
        if k < 2:
            atoms.symbols[0] = "Al"
        atoms.rattle(0.05, seed=k)
        frames.append(labeled(atoms))
    return frames


def test_elements_that_never_meet_get_no_pair_term(tmp_path):
    frames = rare()
    assert training_set(SMALL, frames).pairs == ({(13, 29): {}, (29, 29): {}},)
    assert training_set(SMALL, alloy(4)).pairs == (None,)
    made = fit(frames, tmp_path)
    kinds = [(term.kind, term.atomic_numbers) for term in read_model(made.model_path).terms]
    assert [numbers for kind, numbers in kinds if kind == "distance_2b"] == [(13, 29), (29,)]
    assert evaluate(made.model_path, frames).rmse_energy_meV_per_atom < 3


def test_a_pair_of_elements_may_meet_once(tmp_path):
    frames = [*rare()[2:], labeled(Atoms("Al2", [[0, 0, 0], [2.5, 0, 0]])), *clusters(2)]
    made = fit(frames, tmp_path)
    assert evaluate(made.model_path, frames).rmse_energy_meV_per_atom < 30


def test_no_pair_at_all_leaves_the_pair_term_out(tmp_path):
    config = SMALL.replace(two_body=TwoBody(cutoff=1.5, n_sparse=5))
    frames = alloy(3)
    assert training_set(config, frames).pairs == ({},)
    made = fit(frames, tmp_path, config)
    assert {term.kind for term in read_model(made.model_path).terms} == {"soap"}


def test_the_reason_of_gap_fit_is_told(tmp_path):
    """Its own text begins with 'Traceback', and the reason stands below."""
    frames = alloy(2, virial=True)
    with working_folder(tmp_path) as work:
        write(work.path / "train.xyz", frames, format="extxyz")
        config = SMALL.replace(atoms_filename="train.xyz")
        (work.path / "gap_config.cfg").write_text(config.to_cfg())
        finished = run_watched([str(find_gap_fit()), "config_file=gap_config.cfg"], folder=work)
    assert finished.exit_code != 0
    assert "too small virial_sigma" in _abort_message(finished)


def test_a_config_trains_on_the_frames_beside_it_and_writes_there(tmp_path, monkeypatch, mlmd):
    for name, n_frames in (("mine", 2), ("other", 3)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "train.xyz", alloy(n_frames), format="extxyz")
        SMALL.replace(atoms_filename="train.xyz").write(tmp_path / name / "gap.cfg")
    monkeypatch.chdir(tmp_path / "mine")
    done = mlmd("fit", "../other/gap.cfg", "--no-progress")
    assert (done.code, done.errors) == (0, []) and "3 frames" in done.output
    assert load_potential(tmp_path / "other" / "gap.xml").model.elements == ("Al", "Cu")
    assert not (tmp_path / "mine" / "gap.xml").exists()
