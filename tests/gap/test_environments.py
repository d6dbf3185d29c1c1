"""What a GAP sees of an atom: the same from all sides, and what the model itself compares."""

import numpy as np
import pytest

from helpers.errors import ConfigError
from helpers.gap import GapConfig, neighborhood, plot_neighborhood, plot_similarity, soap_vectors
from helpers.gap.xml import read_model

CONFIG = GapConfig(n_max=4, l_max=2)


def test_turning_a_frame_changes_no_vector_and_moving_an_atom_does(frames10):
    atoms = frames10[0]
    vectors = soap_vectors(atoms, CONFIG)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    turned = atoms.copy()
    turned.rotate(70, (1, -2, 3), rotate_cell=True)
    assert np.allclose(soap_vectors(turned, CONFIG), vectors, atol=1e-9)
    moved = atoms.copy()
    moved.positions[1] += [0.1, 0, 0]
    assert (soap_vectors(moved, CONFIG)[0] @ vectors[0]) < 1 - 1e-5


def test_sparse_points_of_a_model_are_vectors_of_its_frames(tiny_fit, tiny_config, frames10):
    model = read_model(tiny_fit.model_path)
    point = next(term for term in model.terms if term.kind == "soap").sparse_points[0]
    overlaps = [soap_vectors(atoms, tiny_config) @ point[:-1] for atoms in frames10]
    assert np.concatenate(overlaps).max() == pytest.approx(1, abs=1e-6)


def test_a_neighborhood_holds_what_is_within_the_cutoff(frames10):
    atoms = frames10[0]
    seen = neighborhood(atoms, 0, CONFIG.replace(cutoff=3.0, cutoff_transition_width=0.5))
    distances = atoms.get_distances(0, range(len(atoms)), mic=True)
    for element, positions in seen.positions_A.items():
        assert len(positions) == np.sum((distances < 3.0) & (atoms.symbols == element))
    middle = len(seen.axis_A) // 2
    assert seen.density["O"][middle, middle] >= 1  # the atom itself
    with pytest.raises(ConfigError, match="index=48"):
        neighborhood(atoms, 48)


def test_figures_have_titles_units_and_legends(frames10):
    axes = [
        plot_neighborhood(neighborhood(frames10[0], 0)),
        plot_similarity([1.0, 1.2], {"ζ = 2": [1.0, 0.9]}, 1.0),
    ]
    for ax in axes:
        assert ax.get_title() and "Å" in ax.get_xlabel() and ax.get_legend() is not None
