"""K_NM: times the weights of a model, it gives that model's energies and forces."""

import numpy as np
import pytest

from helpers import load_frames, load_potential
from helpers.errors import PredictionError
from helpers.gap.jax.design_matrix import design_matrix, predictions
from helpers.gap.regularization_path import isolated_energies
from helpers.gap.xml import read_model


@pytest.fixture
def model(tiny_fit):
    return read_model(tiny_fit.model_path)


def weights(model):
    return np.concatenate([term.alpha for term in model.terms])


@pytest.mark.slow
def test_it_gives_what_quippy_gives_for_frames_of_any_size(model, tiny_fit):
    water = load_frames("water", "validate")[0]
    molecule = water[[0, 1, 2]]
    molecule.pbc = False
    hydrogen = molecule[1:]  # no O: one term has no centers, and no neighbors
    frames = [water, molecule, water[:30], hydrogen]
    design = design_matrix(model, frames)
    assert design.energies.shape == (4, model.n_sparse)
    energies = design.energies @ weights(model) + isolated_energies(model, frames)
    forces = design.forces @ weights(model)
    calculator, first = load_potential(tiny_fit.model_path, engine="quippy"), 0
    for atoms, energy in zip(frames, energies, strict=True):  # quippy adds up in another order
        last = first + 3 * len(atoms)
        atoms.calc = calculator
        assert abs(atoms.get_potential_energy() - energy) < 5e-9 * len(atoms)
        assert np.allclose(atoms.get_forces().ravel(), forces[first:last], rtol=0, atol=1e-8)
        first = last
    assert first == len(forces)


@pytest.mark.slow
def test_predictions_are_the_same_without_the_matrix(model, frames10):
    frames = [frames10[0], frames10[1][:20], frames10[2][[1, 2]]]
    several = np.column_stack([weights(model), np.cos(np.arange(model.n_sparse))])
    design, found = design_matrix(model, frames), predictions(model, frames, several)
    for matrix, expected in ((design.energies, found.energies), (design.forces, found.forces)):
        scale = np.abs(matrix) @ np.abs(several)  # of what is added up
        assert (np.abs(matrix @ several - expected) < 1e-12 * scale.max()).all()


@pytest.mark.slow
def test_every_column_is_a_force_field_of_its_own(model, frames10):
    """Forces of each sparse point are minus the slope of its energy, and add up to zero."""
    atoms, step = frames10[0], 1e-4
    design = design_matrix(model, [atoms])
    moved = [atoms.copy(), atoms.copy()]
    moved[0].positions[5, 1] += step
    moved[1].positions[5, 1] -= step
    up, down = design_matrix(model, moved).energies
    slope = (up - down) / (2 * step)
    assert np.allclose(design.forces[3 * 5 + 1], -slope, rtol=0, atol=1e-6 * abs(slope).max())
    total = design.forces.reshape(len(atoms), 3, -1).sum(0)
    assert np.abs(total).max() < 1e-10 * np.abs(design.forces).max() * len(atoms)


def test_an_unknown_element_is_refused(model, frames10):
    frames10[3].numbers[0] = 14
    with pytest.raises(PredictionError, match="knows nothing about Si"):
        design_matrix(model, frames10)
