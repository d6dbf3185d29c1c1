"""The monitor stops what is no longer water, and says why."""

import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.constraints import FixAtoms

from helpers.errors import ConfigError, PredictionError
from helpers.md.integrators import maxwell_boltzmann
from helpers.md.monitor import GeneralMonitor, Monitor, ReplicaMonitor, check_start
from helpers.md.trajectory import Records
from helpers.water import bonds, oxygen_pairs


@pytest.fixture
def water(frames10):
    return frames10[0]


def calm(water, n_times=5):
    """Records of atoms that stand still at 300 K."""
    velocities = maxwell_boltzmann(
        water.get_masses(), 300, np.random.default_rng(0).standard_normal((len(water), 3))
    )
    return Records(
        10 * np.arange(n_times),
        np.repeat(water.positions[None, None], n_times, 0),
        np.repeat(velocities[None, None], n_times, 0),
        np.zeros((n_times, 1)),
        np.full((n_times, 1), np.nan),
    )


def look(water, records, **limits):
    return ReplicaMonitor(Monitor(**limits), water, 141, 0.5).problem(records)


def test_each_hydrogen_belongs_to_the_nearest_oxygen(water):
    pairs = bonds(water)
    assert pairs.shape == (32, 2) and len(set(pairs[:, 1])) == 32
    assert np.array_equal(np.unique(pairs[:, 0], return_counts=True)[1], [2] * 16)
    lengths = [water.get_distance(o, h, mic=True) for o, h in pairs]
    assert 0.85 < min(lengths) and max(lengths) < 1.2


def test_a_calm_run_passes(water):
    assert look(water, calm(water)) is None


def oxygens_meet(water, records):
    oxygens = np.flatnonzero(water.numbers == 8)
    distances = water.get_distances(oxygens[0], oxygens[1:], mic=True)
    nearest = oxygens[1 + distances.argmin()]
    vector = water.get_distance(oxygens[0], nearest, mic=True, vector=True)
    records.positions_A[3:, 0, nearest] += vector * (1.9 / distances.min() - 1)


def bond_breaks(water, records):
    oxygen, hydrogen = bonds(water)[0]
    vector = water.get_distance(oxygen, hydrogen, mic=True, vector=True)
    records.positions_A[3:, 0, hydrogen] += vector * (1.7 / np.linalg.norm(vector) - 1)


def bond_shrinks(water, records):
    oxygen, hydrogen = bonds(water)[0]
    vector = water.get_distance(oxygen, hydrogen, mic=True, vector=True)
    records.positions_A[3:, 0, hydrogen] += vector * (0.6 / np.linalg.norm(vector) - 1)


def heats(water, records):
    records.velocities_A_per_fs[3:] *= 3
    records.potential_eV[3:] -= 14.5  # so that the total energy stays where it was


def jumps(water, records):
    records.potential_eV[3:] += 3.0


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (oxygens_meet, r"two O atoms at 1\.90 Å at 15 fs .limit 2\.1 Å"),
        (bond_breaks, r"an O–H bond of 1\.70 Å at 15 fs .limit 1\.5 Å"),
        (bond_shrinks, r"an O–H bond of 0\.60 Å at 15 fs .limit 0\.7 Å"),
        (heats, r"a temperature of 2\d\d\d K at 15 fs .limit 2000 K"),
        (jumps, r"a jump of the total energy by 62 meV/atom at 15 fs .limit 50 meV/atom"),
    ],
)
def test_what_goes_wrong_is_named_with_its_time(water, happens, reason):
    records = calm(water)
    happens(water, records)
    first, words = look(water, records)
    assert first == 3
    assert re.match(reason, words), words


def test_a_jump_between_two_calls_is_seen(water):
    monitor = ReplicaMonitor(Monitor(), water, 141, 0.5)
    records = calm(water)
    assert monitor.problem(records) is None
    jumped = records._replace(potential_eV=records.potential_eV + 3.0)
    assert monitor.problem(jumped)[0] == 0


def test_the_shipped_frames_are_inside_the_limits():
    from helpers import load_frames

    for atoms in load_frames("water", "validate")[::5]:
        check_start(atoms, Monitor(), None)


def test_limits_that_cannot_be_used():
    with pytest.raises(ConfigError, match="closest_OO_A=-1 cannot be used.*above 0"):
        Monitor(closest_OO_A=-1)


def test_a_start_that_overlaps_is_refused(water):
    water.positions[5] = water.positions[7] + [0, 0, 0.3]
    with pytest.raises(PredictionError, match="cannot start.*Found: .*Å.*move overlapping"):
        check_start(water, Monitor(), None)


@pytest.mark.parametrize("name", ["CH3CH2OH", "H2O2", "O2", "CH3NO2", "H2CO", "CO2"])
def test_any_molecule_may_start(name):
    atoms = molecule(name)
    check_start(atoms, Monitor(), None)
    apart = molecule(name) + molecule("H2")
    apart.positions[len(atoms) :] += 6.0
    check_start(apart, Monitor(), None)  # H2 belongs to no O, however far that is


def test_only_bonds_between_oxygen_and_hydrogen_are_watched():
    ethanol = molecule("CH3CH2OH")
    ((oxygen, hydrogen),) = bonds(ethanol)
    assert ethanol.get_distance(oxygen, hydrogen) < 1.0
    assert len(oxygen_pairs(molecule("H2O2"))) == 0
    two = molecule("O2") + molecule("O2")
    two.positions[2:] += 3.0
    assert len(oxygen_pairs(two)) == 4


def test_constraints_are_refused(water):
    water.set_constraint(FixAtoms([0]))
    with pytest.raises(ConfigError, match="Constraints are not kept.*FixAtoms.*set_constraint"):
        check_start(water, Monitor(), None)


@pytest.mark.parametrize("pbc", [True, (True, True, False)])
def test_lengths_are_those_of_the_nearest_images_in_a_skewed_cell(pbc):
    """A bond across the faces of the cell, and longer than half of its lowest height."""
    atoms = Atoms("OH2", cell=[[6, 0, 0], [2.5, 5, 0], [-2, 2.2, 5.5]], pbc=pbc)
    atoms.positions = [[0.1, 0.1, 2.0], [0.9, 0.5, 2.2], [-0.4, 0.9, 2.1]]
    for length in (0.97, 2.9):
        moved = atoms.copy()
        moved.set_distance(0, 1, length, fix=0)
        moved.positions[1] += moved.cell[0] - 2 * moved.cell[1]
        records = calm(atoms, 1)._replace(positions_A=moved.positions[None, None])
        expected = moved.get_distance(0, 1, mic=True)
        problem = look(atoms, records, longest_OH_A=0.9, shortest_OH_A=0.1)
        longest = max(expected, moved.get_distance(0, 2, mic=True))
        assert problem is not None and f"an O–H bond of {longest:.2f} Å" in problem[1]


def test_any_atoms_may_not_come_too_close_to_each_other_or_to_an_image():
    """Covalent radii of Cu: 1.32 Å; 0.6 of two of them is 1.58 Å."""
    atoms = Atoms("Cu2", [[0, 0, 0], [3, 0, 0]], cell=[6, 6, 6], pbc=True)
    positions = np.repeat(atoms.positions[None, None], 4, 0)
    positions[:, 0, 1, 0] = [3.0, 2.0, 1.6, 1.5]
    still = np.zeros_like(positions)
    records = Records(np.arange(4), positions, still, np.zeros((4, 1)), np.zeros((4, 1)))
    general = GeneralMonitor()
    first, words = ReplicaMonitor(general, atoms, 3, 1.0).problem(records)
    assert first == 3 and words.startswith("two atoms at 0.57 of the sum of their covalent radii")
    positions[:, 0, 1, 0] = [3.0, 4.0, 4.4, 4.5]  # as far from the image
    assert ReplicaMonitor(general, atoms, 3, 1.0).problem(records)[0] == 3
    with pytest.raises(PredictionError, match="two atoms at 0.38 of the sum"):
        check_start(Atoms("Cu2", [[0, 0, 0], [1, 0, 0]]), GeneralMonitor(), None)
