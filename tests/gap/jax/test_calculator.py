"""The JAX calculator against quippy, against itself, and against what cannot be answered."""

import pickle

import numpy as np
import pytest
from ase import Atoms

from helpers import TwoBody, evaluate, load_frames, load_potential
from helpers.errors import ModelFileError, PredictionError
from helpers.gap.jax.calculator import JaxCalculator

SHAPES = [  # the models of conftest.py
    "pairs, zeta 2, 4/3",
    "no pairs, zeta 4, 4/3",
    "no pairs, zeta 4, 6/4",
    "pairs, zeta 2, 8/6",
]
PAIRS = TwoBody(cutoff=3.0, n_sparse=10)
WATER = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
GEOMETRIES = {  # cells of one molecule, small next to the cutoff; the densest first
    "small": ([3.0, 3.4, 3.2], True),
    "triclinic": ([[4.0, 0, 0], [1.5, 3.6, 0], [-0.8, 1.1, 3.4]], True),
    "slab": ([3.5, 3.0, 20.0], (True, True, False)),
    "cluster": ([0, 0, 0], False),
}


@pytest.fixture(scope="module")
def potential(smallest_fit):
    return load_potential(smallest_fit.model_path, engine="jax")


@pytest.fixture(scope="module")
def quippy(smallest_fit):
    return load_potential(smallest_fit.model_path, engine="quippy")


@pytest.fixture
def water(frames10, potential):
    frames10[0].calc = potential
    return frames10[0]


def assert_same(atoms, ours, theirs, *, stress=True):
    """Compare with the tolerances that the kit promises."""
    mine, other = atoms.copy(), atoms.copy()
    mine.calc, other.calc = ours, theirs
    difference = mine.get_potential_energy() - other.get_potential_energy()
    assert abs(difference) / len(atoms) <= 1e-8
    assert np.abs(mine.get_forces() - other.get_forces()).max() <= 1e-7
    if stress:
        assert np.abs(mine.get_stress() - other.get_stress()).max() <= 1e-8


@pytest.mark.parametrize(
    "shape", [SHAPES[0], *(pytest.param(shape, marks=pytest.mark.slow) for shape in SHAPES[1:])]
)
def test_energies_forces_and_stress_are_quippys(shape, model_of_shape):
    path = model_of_shape(shape)
    ours, theirs = (load_potential(path, engine=engine) for engine in ("jax", "quippy"))
    for atoms in load_frames("water", "validate")[::40]:
        assert_same(atoms, ours, theirs)
        sheared = atoms.copy()
        sheared.set_cell(atoms.cell @ [[1, 0.2, 0], [-0.1, 1, 0], [0.1, 0.3, 1]], scale_atoms=True)
        assert_same(sheared, ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_frames", "settings"),
    [  # cutoffs so short that a fit takes seconds
        (50, {"n_max": 4, "l_max": 3, "zeta": 2, "cutoff": 2.6, "two_body": PAIRS}),
        (100, {"n_max": 6, "l_max": 4, "zeta": 4, "cutoff": 2.4, "two_body": None}),
        (200, {"n_max": 8, "l_max": 6, "zeta": 2, "cutoff": 2.0, "two_body": PAIRS}),
        (400, {"n_max": 4, "l_max": 3, "zeta": 4, "cutoff": 2.4, "two_body": PAIRS}),
    ],
    ids=["4/3 zeta 2 with pairs", "6/4 zeta 4 without", "8/6 zeta 2 with pairs", "4/3 zeta 4"],
)
def test_validation_frames_with_every_training_set(n_frames, settings, tmp_path):
    from helpers import GapConfig, fit_gap

    config = GapConfig(n_sparse=30, cutoff_transition_width=0.5, **settings)
    frames = load_frames("water", "train", n_frames)
    path = fit_gap(config, frames, output=tmp_path / "gap.xml", progress=False).model_path
    ours, theirs = (load_potential(path, engine=engine) for engine in ("jax", "quippy"))
    frames = load_frames("water", "validate")
    for atoms in frames[::6]:
        assert_same(atoms, ours, theirs)
    cluster = frames[0][:24]
    cluster.pbc = False
    assert_same(cluster, ours, theirs, stress=False)


@pytest.mark.slow
def test_large_cells_are_taken_in_parts(tmp_path, frames10):
    from helpers import GapConfig, fit_gap
    from helpers.gap.jax import energy

    config = GapConfig(
        n_sparse=200, n_max=3, l_max=2, zeta=4, cutoff=2.6, cutoff_transition_width=2.5, delta=0.2
    )
    path = fit_gap(config, frames10[:3], output=tmp_path / "gap.xml", progress=False).model_path
    ours, theirs = (load_potential(path, engine=engine) for engine in ("jax", "quippy"))
    large = frames10[0].repeat((2, 2, 1))
    large.rattle(0.05, seed=2)
    assert_same(large, ours, theirs)
    (lists,) = ours._lists.values()
    assert len(large) > 2 * energy.CENTERS_AT_ONCE


@pytest.mark.slow
@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2]])  # with pairs and without
def test_every_kind_of_cell_is_quippys(shape, model_of_shape):
    path = model_of_shape(shape)
    ours, theirs = (load_potential(path, engine=engine) for engine in ("jax", "quippy"))
    for cell, pbc in GEOMETRIES.values():
        atoms = WATER.copy()
        atoms.cell, atoms.pbc = cell, pbc
        assert_same(atoms, ours, theirs, stress=atoms.cell.rank == 3)


@pytest.mark.slow
@pytest.mark.parametrize("symbols", ["O", "H2"])
def test_few_atoms_are_quippys(symbols, potential, quippy):
    atoms = Atoms(symbols, [[0, 0, 0.8 * i] for i in range(len(Atoms(symbols)))])
    assert_same(atoms, potential, quippy, stress=False)


@pytest.mark.slow
def test_forces_and_stress_are_derivatives(water, potential):
    forces, stress, step = water.get_forces(), water.get_stress(voigt=False), 1e-4

    def energy_of(positions, cell):
        moved = water.copy()
        moved.cell, moved.positions = cell, positions
        moved.calc = potential
        return moved.get_potential_energy()

    for atom, axis in [(0, 0), (1, 1), (17, 2), (46, 0)]:
        ends = []
        for sign in (1, -1):
            positions = water.positions.copy()
            positions[atom, axis] += sign * step
            ends.append(energy_of(positions, water.cell))
        assert forces[atom, axis] == pytest.approx(-(ends[0] - ends[1]) / (2 * step), abs=2e-5)
    for i, j in [(0, 0), (1, 2)]:
        strain = np.zeros((3, 3))
        strain[i, j] = strain[j, i] = step / (1 if i == j else 2)
        up, down = (np.eye(3) + strain, np.eye(3) - strain)
        ends = [energy_of(water.positions @ m, water.cell @ m) for m in (up, down)]
        derivative = (ends[0] - ends[1]) / (2 * step) / water.get_volume()
        assert stress[i, j] == pytest.approx(derivative, abs=1e-5)


def test_shares_add_up_forces_cancel_and_the_energy_is_invariant(water, potential):
    energy, forces = water.get_potential_energy(), water.get_forces()
    assert water.get_potential_energies().sum() == pytest.approx(energy, abs=1e-8)
    assert np.abs(forces.sum(axis=0)).max() < 1e-9
    rng = np.random.default_rng(3)
    order = rng.permutation(len(water))
    turned = water.copy()
    turned.rotate(70, [1, 2, 3], rotate_cell=True)
    shifted = water.copy()
    shifted.positions += water.cell[0] - 2 * water.cell[2] + [0.3, 0.1, -5.0]
    wrapped = shifted.copy()
    wrapped.wrap()
    for atoms in (water[order], turned, shifted, wrapped):
        atoms.calc = potential
        assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-8)
    permuted = water[order]
    permuted.calc = potential
    np.testing.assert_allclose(permuted.get_forces(), forces[order], atol=1e-9)


@pytest.mark.slow
def test_frames_of_many_compositions_are_computed_together(potential, quippy, frames10):
    cell, pbc = GEOMETRIES["triclinic"]
    frames = [frames10[0], Atoms("O"), Atoms("H2", [[0, 0, 0], [0, 0, 0.8]]), WATER.copy()]
    frames += [Atoms(WATER, cell=cell, pbc=pbc), frames10[1][:24], *frames10[2:9], frames10[9][5:]]
    frames[5].pbc = False
    together = potential.predict_frames(frames)
    for atoms, (energy, forces) in zip(frames, together, strict=True):
        expected = quippy.get_potential_energy(atoms)
        assert energy == pytest.approx(expected, abs=1e-8 * len(atoms))
        np.testing.assert_allclose(forces, quippy.get_forces(atoms), atol=1e-7)
    twice = Atoms("OH", [[0, 0, 0], [0, 0, 0]])
    with pytest.raises(PredictionError, match="closest pair of 0.000 Å"):
        potential.predict_frames([*frames, twice])


@pytest.mark.slow
def test_more_neighbors_than_the_lists_could_hold(water, potential, quippy):
    dense = water.copy()
    dense.set_cell(0.8 * water.cell, scale_atoms=True)
    loose = JaxCalculator(potential.model)
    for atoms in (water, dense):
        assert_same(atoms, loose, quippy)


@pytest.mark.slow
def test_a_potential_survives_a_pickle(water, potential):
    copy = pickle.loads(pickle.dumps(potential))
    assert copy.get_potential_energy(water) == water.get_potential_energy()
    assert copy.engine == "jax" and "engine='jax'" in repr(copy)


def test_evaluation_stays_in_this_process(smallest_fit, frames10):
    ours, theirs = (
        evaluate(load_potential(smallest_fit.model_path, engine=engine), frames10[:3], processes=1)
        for engine in ("jax", "quippy")
    )
    np.testing.assert_allclose(ours.forces["predicted"], theirs.forces["predicted"], atol=1e-7)


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms(), "There are no atoms"),
        (Atoms("OSi", [[0, 0, 0], [0, 0, 2]]), "knows nothing about Si.*only H and O"),
        (Atoms("OH", [[0, 0, 0], [0, 0, np.nan]]), "not finite numbers"),
        (Atoms("OH", [[0, 0, 0], [0, 0, np.inf]]), "not finite numbers"),
        (Atoms("OH", [[0, 0, 0], [0, 0, 0]]), "closest pair of 0.000 Å"),
    ],
)
def test_nonsense_is_refused(atoms, message, potential):
    atoms.calc = potential
    with pytest.raises(PredictionError, match=message):
        atoms.get_potential_energy()


def test_bad_files_are_errors_and_the_process_lives(bad_model):
    with pytest.raises(ModelFileError):
        load_potential(bad_model.path, engine="jax")
