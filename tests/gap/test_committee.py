"""A committee: its mean, its disagreement, and what one run tells about all of its members."""

import numpy as np
import pytest
from ase import Atoms
from ase.units import kB

from helpers import evaluate
from helpers.errors import ConfigError, DataError
from helpers.gap import Committee, calibration_factor, carried_into_average, fit_committee


class Constant:
    """A member that gives the same energy (eV) and force component (eV/Å) to all atoms."""

    def __init__(self, energy, force):
        self.energy, self.force = energy, force

    def predict_frames(self, frames):
        return [(self.energy, np.full((len(atoms), 3), self.force)) for atoms in frames]


def test_mean_and_disagreement_are_those_of_the_members():
    committee = Committee((Constant(1.0, 0.1), Constant(2.0, 0.2), Constant(3.0, 0.3)))
    frames = [Atoms("OH2")] * 2
    for energy, forces in committee.predict_frames(frames):
        assert energy == pytest.approx(2.0)
        np.testing.assert_allclose(forces, 0.2)
    table = committee.disagreement(frames)
    np.testing.assert_allclose(table["energy_meV_per_atom"], 1000 / 3)
    np.testing.assert_allclose(table["forces_meV_per_A"], 100)
    np.testing.assert_allclose(table["largest_meV_per_A"], 100)


@pytest.mark.slow  # two fits
def test_seeds_make_different_members_and_far_from_data_they_disagree(
    tmp_path, tiny_config, frames10
):
    config = tiny_config.replace(n_sparse=30)
    committee = fit_committee(config, frames10, folder=tmp_path, seeds=(1, 2), progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["member_1.xml", "member_2.xml"]
    pressed = frames10[0].copy()
    pressed.set_cell(0.9 * pressed.cell, scale_atoms=True)
    usual, far = committee.disagreement([frames10[0], pressed])["forces_meV_per_A"]
    assert 0 < usual < 0.5 * far
    errors = evaluate(committee, frames10)
    single = [evaluate(member, frames10) for member in committee.members]
    assert errors.rmse_forces_meV_per_A < max(each.rmse_forces_meV_per_A for each in single)


def test_calibration_makes_the_mean_square_error_right():
    errors, disagreements = np.array([3.0, 4.0]), np.array([1.0, 2.0])
    factor = calibration_factor(errors, disagreements)
    assert np.sum((factor * disagreements) ** 2) == pytest.approx(np.sum(errors**2))


def test_one_run_tells_the_average_of_each_member():
    """Harmonic: a member with another spring constant has ⟨x²⟩ = k_B T / k."""
    rng, thermal = np.random.default_rng(0), kB * 300
    x = rng.normal(0, np.sqrt(thermal), 200_000)  # spring constant 1 eV/Å²
    stiffness = np.array([[0.02], [-0.03]])
    squares = carried_into_average(x**2, 0.5 * stiffness * x**2, 300)
    np.testing.assert_allclose(squares / thermal, 1 / (1 + stiffness[:, 0]), atol=0.006)
    assert carried_into_average(np.zeros((5, 7)), np.ones((3, 5)), 300).shape == (3, 7)


def test_what_is_no_committee_is_refused(tmp_path, tiny_config):
    with pytest.raises(ConfigError, match="two members at least"):
        Committee((Constant(1.0, 0.0),))
    with pytest.raises(ConfigError, match="all different"):
        fit_committee(tiny_config, [], folder=tmp_path, seeds=(1, 1))
    with pytest.raises(DataError, match="same number of atoms"):
        Committee((Constant(1, 0), Constant(2, 0))).disagreement([Atoms("H"), Atoms("H2")])
    with pytest.raises(DataError, match="nothing to calibrate"):
        calibration_factor([1.0], [0.0])
    with pytest.raises(DataError, match="not of the same frames"):
        carried_into_average(np.zeros(3), np.zeros((2, 4)), 300)
