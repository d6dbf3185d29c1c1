"""Displacement and diffusion of a random walk, where both are known."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.md.analysis import DiffusionCoefficient

from helpers.errors import DataError
from helpers.md.diffusion import diffusion_coefficient, mean_square_displacement

INTERVAL_FS, STEP_A = 10.0, 0.05


@pytest.fixture
def walk(made_up):
    """A hundred walkers with ⟨Δr²⟩ = 3 · 0.05² Å² per 10 fs: D = 3 · 0.0025 / 60 Å²/fs."""
    rng = np.random.default_rng(0)
    start = Atoms("O100", rng.uniform(0, 9, (100, 3)), cell=[9] * 3, pbc=True)
    moves = rng.normal(0, STEP_A, (2000, 100, 3))
    positions = start.positions + np.cumsum(moves, axis=0)
    return made_up(start, positions, np.zeros_like(positions), INTERVAL_FS)


EXPECTED = 3 * STEP_A**2 / (6 * INTERVAL_FS) * 1e4 * 0.99  # 10⁻⁹ m²/s; the center is at rest


def test_displacement_is_linear_in_time(walk):
    table = mean_square_displacement(walk, longest_fs=1000)
    slope, offset = np.polyfit(table["lag_fs"], table["msd_A2"], 1)
    assert slope * 1e4 / 6 == pytest.approx(EXPECTED, rel=0.03)
    assert offset == pytest.approx(0, abs=0.01)
    assert table["lag_fs"].iloc[-1] == 1000


def test_a_moving_center_of_mass_is_no_diffusion(walk):
    from dataclasses import replace

    drifting = walk.positions_A + 0.01 * np.arange(2000)[:, None, None]
    moved = replace(walk, positions_A=drifting)
    one, other = (mean_square_displacement(run)["msd_A2"] for run in (walk, moved))
    np.testing.assert_allclose(one, other, atol=1e-8)


def test_the_diffusion_coefficient_and_its_error(walk):
    found = diffusion_coefficient(walk, fit_from_fs=100, n_blocks=8)
    assert abs(found.value - EXPECTED) < 3 * found.error
    assert 0 < found.error < 0.1 * EXPECTED


def test_ase_agrees(walk):
    frames = walk.frames(every=20)
    other = DiffusionCoefficient(frames, 20 * INTERVAL_FS * units.fs)
    other.calculate(number_of_segments=5)
    (value,), (spread,) = other.get_diffusion_coefficients()
    value, spread = (1e4 * x * units.fs for x in (value, spread))
    assert abs(diffusion_coefficient(walk, fit_from_fs=100).value - value) < 3 * spread


def test_runs_that_are_too_short(walk):
    with pytest.raises(
        DataError, match="too short for a diffusion.*8.16 ps or more.*Found: 0.99 ps"
    ):
        diffusion_coefficient(walk.after(19000))
    with pytest.raises(DataError, match="too short for this displacement"):
        mean_square_displacement(walk.after(19980))
    with pytest.raises(DataError, match="no Fe"):
        diffusion_coefficient(walk, "Fe")
