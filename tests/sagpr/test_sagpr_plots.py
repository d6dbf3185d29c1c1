"""Figures of polarizabilities show what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import molecule
from matplotlib.figure import Figure

from helpers.sagpr.plots import (
    plot_component_curves,
    plot_ellipsoids,
    plot_tensor_parity,
    plot_turning_tensor,
)


@pytest.fixture
def tensors():
    random = np.random.default_rng(0).normal(size=(12, 3, 3))
    return 20 * np.eye(3) + random + random.transpose(0, 2, 1)


@pytest.mark.parametrize(("lambda_", "n_series"), [(0, 1), (2, 5)])
def test_parity_tells_the_error_of_the_components(tensors, lambda_, n_series):
    wrong = tensors.copy()
    wrong[:, [0, 1], [1, 0]] += 0.3
    ax = plot_tensor_parity(tensors, wrong, lambda_, ax=Figure().add_subplot())
    assert len(ax.get_legend().get_texts()) == n_series
    error = 0.3 * np.sqrt(2 / 5) if lambda_ else 0
    assert ax.texts[0].get_text().startswith(f"RMSE {error:.3f} Å³")
    assert (
        "Å³" in ax.get_xlabel() and "Å³" in ax.get_ylabel() and f"λ = {lambda_}" in ax.get_title()
    )


def test_curves_are_means_over_seeds():
    rows = [
        {"n_frames": n, "seed": seed, "component": name, "rmse": (1 + 0.1 * seed) / n}
        for n in (10, 40)
        for seed in (0, 1)
        for name in ("xx", "xy", "λ=0")
    ]
    ax = plot_component_curves(pd.DataFrame(rows), ("xx", "xy"), ax=Figure().add_subplot())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["xx", "xy"]
    line = ax.containers[0].lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[10, 0.105], [40, 0.02625]])


def test_ellipsoids_are_longest_along_the_largest_axis():
    atoms = Atoms("O", [[1.0, 2.0, 3.0]])
    ax = Figure().add_subplot(projection="3d")
    shape = np.diag([1.0, 2.0, 3.0])[None]
    plot_ellipsoids(atoms, np.array([0]), shape, ax=ax, size_A=1.0)
    xy, z = ax.xy_dataLim, ax.zz_dataLim
    np.testing.assert_allclose([xy.width / 2, xy.height / 2, z.width / 2], [0.5, 1, 1.5], rtol=0.02)
    np.testing.assert_allclose([xy.x0, xy.y0, z.x0], [0.5, 1, 1.5], rtol=0.02)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["O"]


def test_a_turned_tensor_is_told_by_its_numbers_and_its_ellipse():
    panels = plot_turning_tensor(molecule("H2O"), np.diag([9.0, 3.0, 1.0]), (0, 45, 90))
    titles = [ax.get_title().splitlines()[1] for ax in panels]
    assert titles == ["xx 3.000, xy 0.000 Å³", "xx 2.000, xy 1.000 Å³", "xx 1.000, xy 0.000 Å³"]
    upright, lying = (panels[k].patches[0].get_xy() for k in (2, 0))
    assert np.ptp(upright[:, 1]) / np.ptp(upright[:, 0]) == pytest.approx(3, rel=0.01)
    assert np.ptp(lying[:, 1]) / np.ptp(lying[:, 0]) == pytest.approx(1 / 3, rel=0.01)
    plt.close(panels[0].get_figure())
