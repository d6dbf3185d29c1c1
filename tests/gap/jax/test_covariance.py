"""The variance is quippy's; covariances of sparse points are positive definite."""

import numpy as np
import pytest
from scipy.linalg import block_diag

from helpers import load_potential
from helpers.gap.jax.covariance import term_covariance
from helpers.gap.xml import read_model, write_model


@pytest.mark.parametrize("regularization", [0.001, 0.05])
def test_variances_are_quippys(regularization, smallest_fit, frames10, tmp_path):
    from quippy.potential import Potential

    path = write_model(read_model(smallest_fit.model_path), tmp_path / "gap.xml")
    theirs = Potential(
        "",
        param_filename=str(path),
        calc_args=f"local_gap_variance gap_variance_regularisation={regularization}",
    )
    atoms = frames10[2]
    atoms.calc = theirs
    atoms.get_potential_energy()
    expected = theirs.extra_results["atoms"]["local_gap_variance"]
    ours = load_potential(path, engine="jax")
    found = ours.get_variances(frames10[2], regularization=regularization)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


def test_covariances_of_sparse_points_are_symmetric_and_positive(smallest_fit):
    model = read_model(smallest_fit.model_path)
    matrix = block_diag(*(term_covariance(term, jitter=1e-8) for term in model.terms))
    assert matrix.shape == (model.n_sparse, model.n_sparse)
    np.testing.assert_array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > 0
