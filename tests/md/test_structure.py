"""Radial distributions and coordination, where they are known."""

import numpy as np
import pytest
from ase import Atoms

from helpers import load_frames
from helpers.errors import DataError
from helpers.md.structure import coordination, first_peak_A, radial_distributions


def test_a_gas_without_forces_is_flat():
    rng = np.random.default_rng(0)
    frames = [
        Atoms("O20H40", rng.uniform(0, 10, (60, 3)), cell=[10] * 3, pbc=True) for _ in range(60)
    ]
    table = radial_distributions(frames, bin_A=0.25)
    assert table["r_A"].iloc[-1] < 5
    far = table[table["r_A"] > 1]
    for pair, others in (("OO", 19 / 20), ("OH", 1), ("HH", 39 / 40)):  # no atom is its own pair
        assert far[pair].mean() == pytest.approx(others, abs=0.02)
    # so many neighbors as the density says
    volume = 4 / 3 * np.pi * (table["r_A"].iloc[-1] + 0.125) ** 3
    assert table["OH_count"].iloc[-1] == pytest.approx(40 / 1000 * volume, rel=0.03)


def test_neighbors_of_a_crystal(argon):
    rng = np.random.default_rng(1)
    frames = []
    for _ in range(30):
        frames.append(argon.copy())
        frames[-1].rattle(0.1, rng=rng)
    table = radial_distributions(frames, [("Ar", "Ar")])
    assert first_peak_A(table, "ArAr") == pytest.approx(5.26 / np.sqrt(2), abs=0.05)
    assert coordination(table, "ArAr") == pytest.approx(12, abs=0.2)


def test_a_run_gives_the_same_as_its_frames(frames10, made_up):
    start = frames10[0]
    positions = np.array([atoms.positions for atoms in frames10])
    run = made_up(start, positions, np.zeros_like(positions), 2.0)
    assert radial_distributions(run).equals(radial_distributions(run.frames()))


def test_the_shipped_frames_are_liquid_water():
    frames = load_frames("water", "train")
    table = radial_distributions([a for a in frames if a.info["temperature_K"] == 300])
    assert first_peak_A(table) == pytest.approx(2.81, abs=0.05)
    assert 3.5 < coordination(table) < 6
    assert first_peak_A(table, "OH", above_A=1.4) == pytest.approx(1.85, abs=0.06)
    assert coordination(table, "OH", above_A=1.4) == pytest.approx(3.9, abs=0.15)  # with its own 2
    assert first_peak_A(table, "HH", above_A=1.9) == pytest.approx(2.40, abs=0.06)


def test_what_cannot_be_answered(frames10):
    table = radial_distributions(frames10, bin_A=0.1)
    with pytest.raises(DataError, match="no g.r. of 'CO'.*OO or OH or HH"):
        first_peak_A(table, "CO")
    flat = table.assign(OO=1.0)
    with pytest.raises(DataError, match="no peak beyond 2 Å"):
        first_peak_A(flat)
    with pytest.raises(DataError, match="no frames"):
        radial_distributions([])
    with pytest.raises(DataError, match="no g.r. of Cu in .*name pairs"):
        radial_distributions(frames10, [("Cu", "O")])


def test_cells_of_several_densities_are_averaged_up_to_half_of_the_smallest():
    rng = np.random.default_rng(0)
    frames = [
        Atoms("Ar30", rng.uniform(0, length, (30, 3)), cell=[length] * 3, pbc=True)
        for length in [9.8, 8.0] * 30
    ]
    table = radial_distributions(frames, [("Ar", "Ar")], bin_A=0.25)
    assert table["r_A"].iloc[-1] < 4
    assert table["ArAr"][table["r_A"] > 1].mean() == pytest.approx(29 / 30, abs=0.03)
