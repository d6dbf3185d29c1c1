"""λ-SOAP features: the same as featomic's, and equivariant."""

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from helpers.errors import ConfigError, DataError
from helpers.sagpr.lambda_soap import LambdaSoap, environments, expansion_settings
from helpers.sagpr.tensors import BASIS

SMALL = LambdaSoap(n_max=3, l_max=3, cutoff_A=4.0, centers=("H", "O"))
KINDS = {"H": 1, "O": 8}


def theirs(frames, settings, order):
    """Return featomic's own features by element, without the copies."""
    from featomic import SphericalExpansion
    from featomic.clebsch_gordan import EquivariantPowerSpectrum
    from metatensor import Labels

    expansion = SphericalExpansion(**expansion_settings(settings))
    calculator = EquivariantPowerSpectrum(expansion, neighbor_types=[1, 8])
    keys = Labels(["o3_lambda", "o3_sigma"], np.array([[order, 1]]))
    found = calculator.compute(frames, selected_keys=keys, neighbors_to_properties=True)
    values = {}
    for element, kind in KINDS.items():
        block = found.block({"center_type": kind})
        column = block.properties.column
        first, second = (100 * column(f"neighbor_{k}_type") + column(f"n_{k}") for k in (1, 2))
        same_l = column("l_1") == column("l_2")
        copies = same_l & (first > second)
        weights = np.where(same_l & (first == second), 1, np.sqrt(2))
        values[element] = (block.values * weights)[:, :, ~copies]
    return values


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_features_are_those_of_featomic(water, order):
    frames = water[0][:2]
    mine = environments(frames, SMALL, [order])
    for element, values in theirs(frames, SMALL, order).items():
        np.testing.assert_allclose(mine[element, order].values, values, atol=1e-14)


def test_of_order_0_they_are_soap(water):
    from featomic import SoapPowerSpectrum

    frames = water[0][:2]
    soap = SoapPowerSpectrum(**expansion_settings(SMALL)).compute(frames)
    soap = soap.keys_to_properties(["neighbor_1_type", "neighbor_2_type"])
    mine = environments(frames, SMALL, [0])
    for element, kind in KINDS.items():
        values = soap.block({"center_type": kind}).values
        ours = mine[element, 0].values[:, 0]
        # Pairs of neighbors of different elements appear once in SOAP as well, times √2.
        np.testing.assert_allclose(ours @ ours.T, values @ values.T, rtol=1e-10)


def test_they_turn_like_tensors(water, turned, rotation):
    atoms = water[0][0]
    wigner = np.einsum("mij,ia,jb,nab->mn", BASIS[2], rotation, rotation, BASIS[2])
    before = environments([atoms], SMALL, [0, 2])
    after = environments([turned(atoms)], SMALL, [0, 2])
    for key, one in before.items():
        expected = wigner @ one.values if key[1] == 2 else one.values
        np.testing.assert_allclose(after[key].values, expected, atol=1e-13)
        assert key[1] == 0 or np.abs(one.values).max() > 1e-3


def test_inversion_leaves_true_tensors_alone(water, turned):
    atoms = water[0][0]
    before = environments([atoms], SMALL, [2])
    after = environments([turned(atoms, -np.eye(3))], SMALL, [2])
    for key, one in before.items():
        np.testing.assert_allclose(after[key].values, one.values, atol=1e-13)


def test_they_do_not_depend_on_the_origin_or_the_order_of_atoms(water):
    atoms = water[0][0]
    order = np.random.default_rng(0).permutation(len(atoms))
    moved = atoms[order]
    moved.positions += [0.3, 11.0, -5.0]
    after = environments([moved], SMALL, [0, 2])
    for key, one in environments([atoms], SMALL, [0, 2]).items():
        np.testing.assert_allclose(after[key].values.sum(0), one.values.sum(0), atol=1e-12)


def test_selected_columns_are_those_columns(water):
    frames = water[0][:2]
    full = environments(frames, SMALL, [0, 2])
    chosen = {key: np.array([7, 0, 31, 12]) for key in full}
    for key, one in environments(frames, SMALL, [0, 2], selection=chosen).items():
        np.testing.assert_array_equal(one.values, full[key].values[:, :, chosen[key]])


def test_numbers_of_features():
    settings = LambdaSoap()
    assert (settings.n_features(0), settings.n_features(2)) == (468, 966)
    assert LambdaSoap(l_max=3).pairs(2) == [(0, 2), (1, 1), (1, 3), (2, 2), (3, 3)]


def test_frames_of_several_sizes_and_without_some_element(water):
    from ase.build import molecule

    oxygen = molecule("O2")
    settings = LambdaSoap(n_max=2, l_max=1, centers=("H", "O"))
    mixed = environments([water[0][0], oxygen, molecule("H2O")], settings, [0])
    np.testing.assert_array_equal(np.bincount(mixed["O", 0].frame), [16, 2, 1])
    np.testing.assert_array_equal(np.bincount(mixed["H", 0].frame), [32, 0, 2])
    assert environments([oxygen], settings, [0])["H", 0].values.shape == (0, 1, 20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cutoff_A": 0}, "cutoff_A=0 cannot be used.*above 0 Å"),
        ({"sigma_A": float("nan")}, "sigma_A=nan"),
        ({"n_max": 2.5}, "n_max=2.5"),
        ({"l_max": -1}, "l_max=-1"),
        ({"centers": ("C",)}, r"centers=\('C',\).*elements"),
        ({"elements": ("H", "Ow")}, "elements=.*chemical symbols"),
        ({"cutof_A": 4}, "did you mean 'cutoff_A'"),
    ],
)
def test_settings_that_make_no_sense(change, message):
    with pytest.raises(ConfigError, match=message):
        LambdaSoap(**change)


def test_lambda_is_checked(water):
    with pytest.raises(ConfigError, match="l_max=3 cannot describe.*lambda_=7.*at least 4"):
        environments(water[0][:1], SMALL, [7])


def test_frames_that_cannot_be_described(water):
    from ase.build import molecule

    with pytest.raises(DataError, match="Frame 2 holds C, N.*only H and O"):
        environments([water[0][0], molecule("CH3NO2")], SMALL, [0])
    with pytest.raises(DataError, match="Frame 1 holds none of the centers"):
        environments([molecule("H2")], LambdaSoap(centers=("O",)), [0])
    flat = water[0][0]
    flat.set_cell([9, 9, 0])
    with pytest.raises(DataError, match="Frame 1: The periodic cell is flat.*pbc = False"):
        environments([flat], SMALL, [0])
    with pytest.raises(DataError, match="There are no frames"):
        environments([], SMALL, [0])


@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 1, 0), (1, 0, 1), (0, 0, 1)])
def test_boundary_conditions_are_obeyed(pbc):
    """In a skewed cell, smaller than the cutoff: as among copies that stand beside each other."""
    cell = [[4, 0, 0], [1.5, 4.2, 0], [0.7, -1.1, 4.5]]
    atoms = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]], cell=cell, pbc=pbc)
    repeats = [5 if periodic else 1 for periodic in pbc]
    many = Atoms(atoms.repeat(repeats), cell=None, pbc=False)
    middle = np.prod(repeats) // 2
    for order in (0, 2):
        in_cell = environments(atoms, SMALL, [order])["O", order].values[0]
        among_copies = environments(many, SMALL, [order])["O", order].values[middle]
        np.testing.assert_allclose(in_cell, among_copies, atol=1e-12 * abs(among_copies).max())


def test_a_molecule_has_no_cell(recwarn):
    atoms = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    values = [
        environments(Atoms(atoms, cell=cell, pbc=pbc), SMALL, [0])["O", 0].values
        for cell, pbc in ((None, False), (None, True), ([9, 9, 9], False))
    ]
    assert np.array_equal(values[0], values[1]) and np.array_equal(values[0], values[2])
    assert len(recwarn) == 0  # featomic warns of a cell that is not used


def test_any_rotation(water, turned):
    atoms, settings = water[0][1], LambdaSoap(n_max=2, l_max=4)
    before = environments([atoms], settings, [4])
    for matrix in Rotation.random(3, rng=1).as_matrix():
        after = environments([turned(atoms, matrix)], settings, [4])
        for key, one in before.items():
            lengths = (np.linalg.norm(e.values, axis=1) for e in (one, after[key]))
            np.testing.assert_allclose(*lengths, atol=1e-13)
