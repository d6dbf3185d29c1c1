"""Figures of frames: what they show is what they were given, with titles and units."""

import numpy as np
import pytest
from matplotlib.patches import Circle

from helpers.plots.frames import (
    plot_curve_and_slope,
    plot_distribution,
    plot_snapshot,
    plot_strips,
    plot_tensor,
)
from helpers.water import bonds


def test_a_snapshot_shows_every_atom_and_its_cell(frames10):
    ax = plot_snapshot(frames10[0])
    assert len(ax.patches) >= 48
    assert "48 atoms" in ax.get_title() and "Å" in ax.get_xlabel() and "Å" in ax.get_ylabel()
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"O", "H"}


def test_molecules_are_drawn_whole(frames10):
    atoms = frames10[0]
    circles = [patch for patch in plot_snapshot(atoms).patches if isinstance(patch, Circle)]
    centers = np.array([circle.center for circle in circles])
    for oxygen, hydrogen in bonds(atoms):
        assert np.linalg.norm(centers[hydrogen] - centers[oxygen]) < 1.3
    assert np.allclose(circles[1].get_facecolor(), 1)  # hydrogen is white


def test_strips_show_every_value():
    ax = plot_strips({"300 K": [1.0, 2.0, 9.0], "400 K": [3.0]}, title="E", label="energy, eV")
    points = [line.get_xdata() for line in ax.lines if line.get_marker() == "o"]
    assert [list(values) for values in points] == [[1.0, 2.0, 9.0], [3.0]]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["300 K", "400 K"]


def test_distributions_share_their_bins_and_count_every_value():
    sets = {"O": np.zeros(10), "H": np.linspace(-1, 1, 30)}
    ax = plot_distribution(sets, title="Forces", label="force, eV/Å", n_bins=4)
    areas = [patch.get_path().get_extents() for patch in ax.patches]
    assert len(areas) == 2 and areas[0].x0 == areas[1].x0 == -1
    assert ax.get_xlabel() == "force, eV/Å" and ax.get_title() == "Forces"


def test_the_tangent_touches_the_curve():
    x = np.linspace(3, 5, 50)
    ax = plot_curve_and_slope(x, (x - 4) ** 2, (4.5, 0.25), 1.0)
    _, tangent, point = ax.get_lines()
    left, right = np.asarray(tangent.get_xydata())
    assert (right - left)[1] / (right - left)[0] == pytest.approx(1000)
    assert tuple(point.get_xydata()[0]) == (4.5, 250)


def test_a_tensor_is_written_out_as_it_is():
    matrix = np.arange(9.0).reshape(3, 3)
    ax = plot_tensor(matrix, title="Polarizability", unit="Å³")
    written = {text.get_position(): float(text.get_text()) for text in ax.texts}
    assert written == {(c, r): matrix[r, c] for r in range(3) for c in range(3)}
    assert ax.get_title() == "Polarizability, Å³"
