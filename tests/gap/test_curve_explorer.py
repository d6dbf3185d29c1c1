"""A Gaussian process in one dimension: overfitted, underfitted, and its sliders."""

import base64

import numpy as np
import pytest

from helpers.errors import ConfigError
from helpers.gap import explore_curve, fit_curve
from helpers.gap.curve_explorer import EXAMPLES
from helpers.gap.one_dimension import NOISE_EV, bond_energy_eV


def test_the_fitted_curve_is_the_textbook_equation():
    """k(x, X) (K + σ² 1)⁻¹ y, with a squared-exponential kernel."""
    fit = fit_curve(0.25, 0.3)
    x, labels = fit.training_x_A, fit.training_eV

    def kernel(one, other):
        return 2.5**2 * np.exp(-((one[:, None] - other) ** 2) / (2 * 0.3**2))

    weights = np.linalg.solve(kernel(x, x) + 0.25**2 * np.eye(len(x)), labels - labels.mean())
    assert np.allclose(fit.mean_eV, labels.mean() + kernel(fit.x_A, x) @ weights, atol=1e-6)
    assert np.allclose(fit.true_eV, bond_energy_eV(fit.x_A))


def test_the_examples_are_what_they_are_called():
    over, right, under = (fit_curve(*settings) for settings in EXAMPLES.values())
    assert list(EXAMPLES) == ["overfitted", "about right", "underfitted"]
    assert over.rmse_training_eV < 0.05 * over.rmse_validation_eV
    assert 0.9 * NOISE_EV < right.rmse_validation_eV < 0.75 * over.rmse_validation_eV
    assert under.rmse_training_eV > 3 * right.rmse_training_eV
    assert under.rmse_validation_eV > 3 * right.rmse_validation_eV


def test_settings_that_cannot_be_used_are_refused():
    for settings in ((0, 0.3), (0.1, -1), (0.1, 0.3, 0)):
        with pytest.raises(ConfigError):
            fit_curve(*settings)


def test_sliders_redraw_and_a_picture_stands_in_for_them():
    explorer = explore_curve()
    sigma, length, words, image = explorer.widget().children
    before = bytes(image.value), words.value
    sigma.value = 1.0
    assert image.value != before[0] and words.value == str(fit_curve(sigma.value, length.value))
    bundle = explorer._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "overfitted" in bundle["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert len(explorer.static_figure().axes) == 3
