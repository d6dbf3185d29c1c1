"""Trajectories left out of one factorization: the errors of models trained without them."""

import numpy as np
import pytest

from helpers.errors import DataError
from helpers.frames import frames_by_trajectory, label_arrays
from helpers.gap import isolated_energies
from helpers.gap.jax.design_matrix import predictions
from helpers.gap.jax.left_out import left_out_errors
from helpers.gap.jax.sparsification import new_terms
from helpers.gap.jax.training import compress, solve


@pytest.fixture
def frames(frames10):
    for k, atoms in enumerate(frames10):
        atoms.info["trajectory"] = f"run {k % 3}"
    return frames10


@pytest.mark.parametrize(
    "n_sparse",
    [
        pytest.param(10, id="many labels", marks=pytest.mark.slow),
        pytest.param(130, id="few labels"),
    ],
)
def test_they_are_the_errors_of_models_trained_without(frames, smallest_config, n_sparse):
    configs = [
        smallest_config.replace(n_sparse=n_sparse, default_sigma=(*sigmas, 0.0, 0.0))
        for sigmas in ((0.001, 0.02), (1e-4, 0.5))
    ]
    template = new_terms(configs[0], frames)
    compressed = compress(template, frames, configs[0])
    energies, forces = left_out_errors(compressed, frames, configs)
    assert energies.shape == (10, 2) and forces.shape == (10 * 144, 2)
    first, first_force = 0, 0
    for group in frames_by_trajectory(frames).values():
        others = [atoms for atoms in frames if atoms not in group]
        weights = np.stack([solve(template, others, config) for config in configs], axis=1)
        predicted = predictions(template, group, weights)
        n_atoms, energy, force = label_arrays(group)
        energy -= isolated_energies(template, group)
        of_energy = (predicted.energies - energy[:, None]) / n_atoms[:, None]
        of_force = predicted.forces - force[:, None]
        rows, components = slice(first, first + len(group)), slice(first_force, None)
        assert np.allclose(energies[rows], of_energy, rtol=1e-6, atol=1e-8)
        assert np.allclose(forces[components][: len(force)], of_force, rtol=1e-6, atol=1e-6)
        first, first_force = first + len(group), first_force + len(force)


def test_frames_that_do_not_tell_their_trajectory_are_refused(frames):
    with pytest.raises(DataError, match="All frames come from one trajectory.*two trajectories"):
        frames_by_trajectory(frames[:1])
    del frames[4].info["trajectory"]
    with pytest.raises(DataError, match="Frame 5 does not tell its trajectory.*Fix: judge by"):
        frames_by_trajectory(frames)
