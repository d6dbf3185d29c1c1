"""The calculator: physics first, then pickles and threads."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms

from helpers import load_potential
from helpers.errors import ConfigError, PredictionError


@pytest.fixture(scope="module")
def potential(tiny_fit):
    return load_potential(tiny_fit.model_path, engine="quippy")


@pytest.fixture
def water(frames10, potential):
    atoms = frames10[3].copy()
    atoms.rattle(0.02, seed=1)
    atoms.calc = potential
    return atoms


def test_forces_are_minus_the_gradient_of_the_energy(water):
    forces, step_A = water.get_forces(), 1e-4
    for atom, axis in [(0, 0), (1, 1), (17, 2), (46, 0)]:
        energies = []
        for sign in (1, -1):
            moved = water.copy()
            moved.calc = water.calc
            moved.positions[atom, axis] += sign * step_A
            energies.append(moved.get_potential_energy())
        gradient = (energies[0] - energies[1]) / (2 * step_A)
        assert forces[atom, axis] == pytest.approx(-gradient, abs=2e-5)


def test_stress_is_the_derivative_with_the_strain(water):
    stress, step = water.get_stress(voigt=False), 1e-5
    for i, j in [(0, 0), (1, 2)]:
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[i, j] += sign * step / 2
            strain[j, i] += sign * step / 2
            strained = water.copy()
            strained.calc = water.calc
            strained.set_cell(water.cell @ strain, scale_atoms=True)
            energies.append(strained.get_potential_energy())
        derivative = (energies[0] - energies[1]) / (2 * step) / water.get_volume()
        assert stress[i, j] == pytest.approx(derivative, abs=1e-5)


def test_no_net_force_and_invariant_energy(water, potential):
    energy, forces = water.get_potential_energy(), water.get_forces()
    assert np.abs(forces.sum(axis=0)).max() < 1e-9
    turned = water.copy()
    turned.rotate(50, (1, 2, 3), rotate_cell=True)
    shifted = water.copy()
    shifted.positions += [1.0, 2.0, 3.0]
    shifted.wrap()
    order = np.random.default_rng(0).permutation(len(water))
    for other in (turned, shifted, water[order]):
        other.calc = potential
        assert other.get_potential_energy() == pytest.approx(energy, abs=1e-8)
    assert np.allclose(water[order].positions, water.positions[order])


def test_it_says_what_it_is(potential, tiny_fit):
    assert potential.engine == "quippy" and potential.path == tiny_fit.model_path
    assert potential.model.elements == ("H", "O")
    assert load_potential(str(tiny_fit.model_path), engine="quippy").engine == "quippy"
    assert load_potential(tiny_fit.model_path, engine="jax").engine == "jax"
    with pytest.raises(ConfigError, match="no engine 'quipy'.*did you mean 'quippy'"):
        load_potential(tiny_fit.model_path, engine="quipy")


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("Si", cell=[9, 9, 9], pbc=True), "knows nothing about Si.*only H and O"),
        (Atoms("H2", [[0, 0, 0], [0, 0, np.nan]]), "not finite numbers"),
        (Atoms("H2", [[0, 0, 0], [0, 0, np.inf]]), "not finite numbers"),
        (Atoms("OH", [[0, 0, 0], [0, 0, 0]]), r"closest pair of 0\.000 Å.*overlapping"),
        (Atoms(), "no atoms"),
    ],
    ids=["element", "nan", "inf", "overlap", "nothing"],
)
def test_atoms_it_cannot_answer_for_are_refused(potential, atoms, message):
    atoms.calc = potential
    with pytest.raises(PredictionError, match=message):
        atoms.get_potential_energy()


def test_a_used_potential_can_be_pickled(water):
    energy = water.get_potential_energy()
    code = (
        "import pickle, sys; atoms = pickle.load(sys.stdin.buffer)\n"
        "print(repr(float(atoms.get_potential_energy())))"
    )
    water.calc.results.clear()
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(water), capture_output=True, check=True
    )
    assert float(done.stdout) == pytest.approx(energy, abs=1e-10)


@pytest.mark.slow
def test_threads_may_share_it(frames10, potential):
    frames = [atoms.copy() for atoms in frames10] * 3
    alone = [potential.get_potential_energy(atoms) for atoms in frames]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(potential.get_potential_energy, frames))
    assert together == pytest.approx(alone, abs=1e-9)


def test_the_engine_is_jax_where_it_can_be_and_the_potential_says_why_not(tiny_fit, monkeypatch):
    from helpers.gap import potential as module

    path = tiny_fit.model_path
    assert load_potential(path).engine == "jax"
    assert repr(load_potential(path, engine="quippy")).endswith("engine='quippy')")
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "jax" else object())
    assert repr(load_potential(path)).endswith("engine='quippy' because jax cannot be found)")
    monkeypatch.undo()
    monkeypatch.setattr(module, "unsupported_reason", lambda model: "it has soap average=T")
    assert repr(load_potential(path)).endswith("engine='quippy' because it has soap average=T)")


def test_a_gap_that_only_quippy_knows_is_tried_in_another_process(tmp_path, frames10):
    """A term of three-body angles: not ours to read, but quippy's to use."""
    import subprocess

    from ase.io import write

    from helpers.gap.process import find_gap_fit

    write(tmp_path / "train.xyz", frames10[:2], format="extxyz")
    (tmp_path / "a.cfg").write_text(
        "atoms_filename=train.xyz default_sigma={0.01 0.1 0 0} e0_method=average gap_file=a.xml "
        "energy_parameter_name=dft_energy force_parameter_name=dft_forces do_copy_atoms_file=F "
        "sparse_separate_file=F gap={distance_Nb order=2 cutoff=3.0 covariance_type=ard_se "
        "delta=0.5 theta_uniform=0.5 n_sparse=10 sparse_method=uniform compact_clusters=T "
        "add_species=T}"
    )
    subprocess.run(
        [find_gap_fit(), "config_file=a.cfg"], cwd=tmp_path, check=True, capture_output=True
    )
    foreign = load_potential(tmp_path / "a.xml")
    assert foreign.model is None
    assert "engine='quippy' because only quippy knows" in repr(foreign)
    atoms = frames10[0].copy()
    atoms.calc = foreign
    assert np.isfinite(atoms.get_potential_energy())
