"""Neural potentials: forces, symmetries, batches, files."""

import equinox as eqx
import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from conftest import NETWORKS, small_settings
from scipy.spatial.transform import Rotation

from helpers.errors import ConfigError, ModelFileError, PredictionError
from helpers.jax_setup import double_precision
from helpers.neural import (
    NeuralCalculator,
    PaiNNSettings,
    PotentialSettings,
    SchNetSettings,
    batch_of,
    load_neural,
    new_potential,
    save_neural,
)

pytestmark = pytest.mark.usefixtures("quickly_compiled")

STEP_A = 1e-4
TURN = Rotation.random(random_state=4).as_matrix()


@pytest.fixture(scope="module")
def variants(every_boundary):
    """All that a frame of reference can do to the frames, and small steps along a direction."""
    rng = np.random.default_rng(1)
    of_frame = []
    for atoms in every_boundary:
        frames = {"itself": atoms, "order": rng.permutation(len(atoms))}
        frames["permuted"] = atoms[frames["order"]]
        for name, matrix in (("turned", TURN), ("inverted", -np.eye(3))):
            frames[name] = atoms.copy()
            frames[name].positions = atoms.positions @ matrix + [3.0, -2.0, 9.0]
            frames[name].cell = atoms.cell.array @ matrix
        frames["image"] = atoms.copy()
        for axis in np.flatnonzero(atoms.pbc):  # any image of any atom is the same atom
            frames["image"].positions[0] += 2 * atoms.cell.array[axis]
        direction = rng.standard_normal(atoms.positions.shape)
        frames["direction"] = direction / np.linalg.norm(direction)
        for step in (1, -1, 2, -2):
            frames[step] = atoms.copy()
            frames[step].positions += step * STEP_A * frames["direction"]
        of_frame.append(frames)
    return of_frame


@pytest.fixture(scope="module", params=list(NETWORKS))
def predictions(request, small_potentials, variants):
    """What a potential of each architecture says about all of them, in one go."""
    calculator = NeuralCalculator(small_potentials[request.param])
    names = [
        [name for name, value in frames.items() if isinstance(value, Atoms)] for frames in variants
    ]
    everything = [f[name] for f, known in zip(variants, names, strict=True) for name in known]
    supercell = variants[3]["itself"].repeat((2, 1, 2))
    *results, of_supercell = calculator.predict_frames([*everything, supercell])
    results = iter(results)
    of_frame = [{name: next(results) for name in known} for known in names]
    return of_frame, of_supercell, calculator


def test_forces_are_the_slope_of_the_energy(predictions, variants):
    for of_frame, frames in zip(predictions[0], variants, strict=True):
        energies = {step: of_frame[step][0] for step in (1, -1, 2, -2)}
        rise = 8 * (energies[1] - energies[-1]) - energies[2] + energies[-2]
        along = (of_frame["itself"][1] * frames["direction"]).sum()
        assert abs(along) > 1e-3  # there is a force
        assert -rise / (12 * STEP_A) == pytest.approx(along, abs=1e-6)


def test_energies_know_no_frame_of_reference(predictions, variants):
    for of_frame, frames in zip(predictions[0], variants, strict=True):
        energy, forces = of_frame["itself"]
        expected = {
            "turned": forces @ TURN,
            "inverted": -forces,
            "permuted": forces[frames["order"]],
            "image": forces,
        }
        for name, right in expected.items():
            assert of_frame[name][0] == pytest.approx(energy, abs=1e-10), name
            np.testing.assert_allclose(of_frame[name][1], right, atol=1e-10, err_msg=name)


def test_a_supercell_has_the_energy_of_its_cells(predictions):
    energy, forces = predictions[0][3]["itself"]
    twice, of_all = predictions[1]
    assert twice == pytest.approx(4 * energy, abs=1e-9)
    np.testing.assert_allclose(of_all[:3], forces, atol=1e-9)


def test_a_batch_gives_what_single_frames_give(predictions, variants):
    """Molecule, slab, chain and crystal were in one batch; here ASE asks for one of them."""
    atoms = variants[0]["itself"].copy()
    atoms.calc = predictions[2]
    energy, forces = predictions[0][0]["itself"]
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-10)
    np.testing.assert_allclose(atoms.get_forces(), forces, atol=1e-10)


def test_nothing_jumps_at_the_cutoff(small_potential):
    """Energy and force of an atom that leaves go to those of the atoms alone."""
    pairs = [Atoms("CO", [[0, 0, 0], [0, 0, r]]) for r in (3.999, 4.001)]
    (near, push), (far, none) = NeuralCalculator(small_potential).predict_frames(pairs)
    assert near == pytest.approx(far, abs=1e-4)
    assert np.abs(push).max() < 0.05 and not none.any()


def test_vectors_of_painn_turn_with_the_molecule(small_potentials):
    potential, matrix = small_potentials["painn"], Rotation.random(random_state=1).as_matrix()
    atoms = molecule("CH3CH2OH")
    turned = Atoms(atoms.symbols, atoms.positions @ matrix)
    with double_precision():
        batch = batch_of([atoms, turned], potential.settings.elements, potential.cutoff_A)
        layers = jax.jit(jax.vmap(potential.layers))(*batch)[1]
    for name, values in layers.items():
        first, second = np.asarray(values)
        if name.startswith("vectors"):
            assert np.abs(first).max() > 0.01
            first = np.einsum("nac,ab->nbc", first, matrix)
        np.testing.assert_allclose(second, first, atol=1e-10, err_msg=name)


def test_inputs_of_behler_parrinello_are_standardized(every_boundary, small_potentials):
    potential = small_potentials["behler_parrinello"]
    with double_precision():
        batch = batch_of(every_boundary, potential.settings.elements, potential.cutoff_A)
        inputs = np.asarray(jax.jit(jax.vmap(potential.layers))(*batch)[1]["input"])
    hydrogens = inputs[batch.graphs.present & (batch.graphs.species == 0)]
    np.testing.assert_allclose(hydrogens.mean(0), 0, atol=1e-8)
    deviations = hydrogens.std(0)  # smaller than 1 for functions that hardly change
    assert deviations.max() < 1 + 1e-8 and np.median(deviations) == pytest.approx(1, abs=1e-8)


def test_symmetry_functions_are_those_of_the_formula(small_potentials):
    """One angle of a bent molecule, by hand."""
    network = small_potentials["behler_parrinello"].network
    atoms = molecule("H2O")
    eta, zeta, reach = 0.1, 3.0, 4.0
    with double_precision():
        batch = batch_of([atoms], ("H", "C", "O"), reach)
        graph = jax.tree.map(lambda x: x[0], batch.graphs)
        vectors = batch.positions[0][graph.neighbors] - batch.positions[0][:, None]
        vectors = np.where(graph.connected[..., None], vectors, [2 * reach, 0, 0])
        functions = np.asarray(network.symmetry_functions(vectors, graph))
    r, rr, hh = atoms.get_distance(0, 1), atoms.get_distance(0, 2), atoms.get_distance(1, 2)
    envelope = np.prod([0.5 * (1 + np.cos(np.pi * x / reach)) for x in (r, rr, hh)])
    cosine = np.cos(np.radians(atoms.get_angle(1, 0, 2)))
    expected = 2 ** (1 - zeta) * (1 - cosine) ** zeta
    expected *= np.exp(-eta * (r**2 + rr**2 + hh**2)) * envelope
    angular = functions[0, 9:].reshape(6, 2, 4)  # pairs of elements; η; ζ and λ
    assert angular[0, 1, 3] == pytest.approx(expected, rel=1e-12)
    assert not angular[1:].any()  # oxygen has hydrogen neighbors only


def test_thirty_two_bits_are_close_to_sixty_four(predictions, every_boundary):
    exact = [of_frame["itself"] for of_frame in predictions[0]]
    potential = predictions[2].potential.with_dtype("float32")
    short = NeuralCalculator(potential).predict_frames(every_boundary)
    for (energy, forces), (about, roughly) in zip(exact, short, strict=True):
        assert about == pytest.approx(energy, abs=1e-4)
        np.testing.assert_allclose(roughly, forces, atol=1e-3)
        assert energy != about


def test_a_file_gives_the_same_potential(small_potential, tmp_path):
    again = load_neural(save_neural(tmp_path / "model.npz", small_potential))
    assert eqx.tree_equal(again, small_potential)


def test_files_that_are_none_are_refused(small_potentials, tmp_path):
    with pytest.raises(ModelFileError, match="There is no file"):
        load_neural(tmp_path / "model.npz")
    whole = save_neural(tmp_path / "model.npz", small_potentials["schnet"]).read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match="half.npz is damaged"):
        load_neural(tmp_path / "half.npz")


def test_other_elements_and_impossible_atoms_are_refused(small_potentials):
    calculator = NeuralCalculator(small_potentials["schnet"])
    with pytest.raises(PredictionError, match="knows nothing about N, S.*only H, C, O"):
        calculator.predict_frames([Atoms("HNS", np.eye(3))])
    with pytest.raises(PredictionError, match="Atoms 0 and 1 are on top of each other"):
        calculator.predict_frames([Atoms("HO", [[0, 0, 0], [0, 0, 0.01]])])
    with pytest.raises(PredictionError, match="The periodic cell is flat"):
        calculator.predict_frames([Atoms("H", cell=[3, 3, 0], pbc=True)])


def test_settings_that_cannot_be_used_are_refused():
    with pytest.raises(ConfigError, match="no 'channel'.*did you mean 'channels'"):
        SchNetSettings(channel=3)
    with pytest.raises(ConfigError, match="There is no architecture 'pain'.*mean 'painn'"):
        PotentialSettings("pain", PaiNNSettings(), ("H",), (0.0,))
    with pytest.raises(ConfigError, match=r"expected.*PaiNNSettings|PaiNNSettings\(…\)"):
        PotentialSettings("painn", SchNetSettings(), ("H",), (0.0,))


@pytest.mark.parametrize("name", list(NETWORKS))
def test_seeds_decide_the_weights(name):
    first, again, other = (new_potential(small_settings(name), seed) for seed in (1, 1, 2))
    assert eqx.tree_equal(first, again)
    assert not eqx.tree_equal(first, other)
