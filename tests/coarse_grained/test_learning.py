"""Ways to learn a pair energy besides trajectories, and what the stored studies say of them."""

from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from helpers.coarse_grained.bead_potential import BeadSum
from helpers.coarse_grained.bodies import RigidTrajectory
from helpers.coarse_grained.dataset import load_dataset
from helpers.coarse_grained.force_matching import (
    forces_from_momenta,
    forces_of,
    match_forces,
    without_spring,
)
from helpers.coarse_grained.held_out import compare_with_records
from helpers.coarse_grained.learned_potential import LearnedPair
from helpers.coarse_grained.pair_sum import (
    Spring,
    lists_with_images,
    pair_force_field,
    sum_over_pairs,
)
from helpers.coarse_grained.relative_entropy import match_distribution, sprung_pairs
from helpers.coarse_grained.rigid_dynamics import run_bodies
from helpers.errors import ConfigError, DataError
from helpers.frames import data_folder

pytestmark = pytest.mark.usefixtures("quickly_compiled")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SPRING = Spring(3.0, 2.0)
KT = 2.5


def test_pairs_of_the_spring_alone_have_its_distances():
    poses = sprung_pairs(SPRING, KT, 40_000, seed=1)
    distances = np.linalg.norm(poses[:, 1, :3] - poses[:, 0, :3], axis=1)

    def moment(n):
        return quad(lambda r: r ** (2 + n) * np.exp(-1.5 / KT * (r - 2) ** 2), 0, 12)[0]

    assert distances.mean() == pytest.approx(moment(1) / moment(0), rel=0.01)
    assert (distances**2).mean() == pytest.approx(moment(2) / moment(0), rel=0.01)
    w, x, y, z = np.moveaxis(poses[..., 3:], -1, 0)
    axes = 2 * (x * z + w * y)  # component x of the third axis
    assert np.allclose(axes.mean(0), 0, atol=0.01)
    assert np.allclose((axes**2).mean(0), 1 / 3, atol=0.01)


@pytest.mark.slow  # compiles a training
def test_places_alone_teach_an_energy(hexagons):
    """Drawn from equilibrium of beads: the mean energy at a distance is found, up to its noise."""
    beads = BeadSum(hexagons)
    free = sprung_pairs(SPRING, KT, 20_000, seed=2)
    energy = jax.jit(jax.vmap(beads, (None, 0, 0, 0)))
    energies = np.asarray(
        energy((), free[:, 1, :3] - free[:, 0, :3], free[:, 0, 3:], free[:, 1, 3:])
    )
    seen = free[np.random.default_rng(3).uniform(size=len(free)) < np.exp(-energies / KT)]
    pair = LearnedPair(hexagons, beads.cutoff, width=8, core=0.9, orientations=False)
    weights = match_distribution(pair, seen, SPRING, KT, iterations=300, n_drawn=512)
    # ⟨exp(−βU)⟩ over orientations is exp(−β w(r)): without orientations the network learns w.
    distances = np.linalg.norm(free[:, 1, :3] - free[:, 0, :3], axis=1)
    q = np.array([1.0, 0, 0, 0])
    for r in (1.8, 2.2, 2.6):
        shell = np.abs(distances - r) < 0.1
        mean_force = -KT * np.log(np.exp(-energies[shell] / KT).mean())
        assert float(pair(weights, np.array([r, 0, 0]), q, q)) == pytest.approx(
            mean_force, abs=KT / 4
        )
    with pytest.raises(DataError, match="These are no pairs"):
        match_distribution(pair, seen[:, :1], SPRING, KT)
    with pytest.raises(ConfigError, match="kT=0"):
        match_distribution(pair, seen, SPRING, 0)


@pytest.mark.slow  # compiles a run
def test_forces_from_differences_of_momenta(hexagons):
    """Their error is of second order in the interval; the spring is taken out exactly."""
    beads = BeadSum(hexagons)
    poses = np.zeros((2, 7))
    poses[:, 3], poses[1, 0] = 1.0, 2.95
    momenta = np.array([[2.0, 1, 0, 3, -2, 4], [-2.0, -1, 0, 1, 5, -2]])
    run = run_bodies(
        pair_force_field(beads, SPRING), hexagons, poses, momenta, timestep=0.001, steps=120
    )
    errors = []
    for every in (4, 8):
        parts = (run.times[::every], run.poses[None, ::every], run.momenta[None, ::every])
        at, forces = forces_from_momenta(RigidTrajectory(*parts, run.energies[None, ::every]))
        exact = forces_of(beads, (), at)
        assert np.abs(exact).max() > 5  # beads touch
        errors.append(np.abs(without_spring(at, forces, SPRING) - exact).max())
    assert errors[0] < 0.05 * np.abs(exact).max() and 2.5 < errors[1] / errors[0] < 6
    with pytest.raises(DataError, match="three frames"):
        forces_from_momenta(
            RigidTrajectory(run.times[:2], poses[None, None], momenta[None], run.energies[:2])
        )


def test_lists_with_images_are_those_of_a_larger_box(hexagons, random_poses):
    """A box that is smaller than two cutoffs: each body meets several images of each other."""
    beads = BeadSum(hexagons)
    poses = random_poses(2)
    poses[:, :3] = [[0.1, 0.2, 0.3], [1.6, 1.7, 1.8]]
    cell = 3.0 * np.eye(3)
    lists = lists_with_images(np.stack([poses, poses]), cell, beads.cutoff)
    assert (lists.first == lists.second).any()  # a body and its own image
    one = jax.tree.map(lambda values: values[0], lists)
    energy = jax.jit(sum_over_pairs(beads))
    small = float(energy((), poses, cell, one))
    corners = np.stack(np.meshgrid(*[range(3)] * 3, indexing="ij"), -1).reshape(-1, 3) * 3.0
    larger = np.tile(poses, (27, 1))
    larger[:, :3] += np.repeat(corners, 2, axis=0)
    assert 27 * small == pytest.approx(float(energy((), larger, 3 * cell, None)), rel=1e-9)
    assert small > 1


@pytest.mark.slow  # compiles a training
def test_a_box_teaches_pairs(hexagons, random_poses):
    """Forces on all bodies of periodic snapshots, of a network of the same form."""
    cell = 9.0 * np.eye(3)
    frames = np.stack([random_poses(4, seed=k) for k in range(12)])
    grid = 3.0 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 1, 0]])
    frames[..., :3] = grid + 0.2 * frames[..., :3]
    teacher = LearnedPair(hexagons, 3.6, depth=1, width=4)
    weights = teacher.initialize(jax.random.key(5), np.float32)
    lists = lists_with_images(frames, cell, 3.6)
    field = jax.jit(jax.vmap(pair_force_field(teacher), (None, 0, None, 0)))
    forces = np.asarray(field(weights, frames, cell, lists)[1])
    settings = {"cell": cell, "neighbors": lists, "iterations": 150, "batch_size": 6}
    learned = match_forces(teacher, frames, forces, learning_rate=0.02, **settings)
    left = np.asarray(field(learned, frames, cell, lists)[1]) - forces
    assert (left**2).mean() < 0.1 * (forces**2).mean()


# ---------------------------------------------------------------------------------------------
# Data and stored studies


@pytest.fixture(scope="module")
def benzene_runs():
    return load_dataset(data_folder() / "benzene")


def test_runs_of_benzene_conserve_energy_and_hold_their_forces(benzene_runs):
    """Shipped data: constant energy, and momenta that the recorded forces explain."""
    body, runs = benzene_runs.body, benzene_runs.splits["train"]
    assert body.name == "benzene" and runs.forces.shape == runs.momenta.shape
    inertia = np.r_[[body.mass] * 3, body.inertia]
    total = runs.energies + (0.5 * runs.momenta**2 / inertia).sum((2, 3))
    assert np.abs(total - total[:, :1]).max() < 0.005  # eV
    at, forces = forces_from_momenta(runs)
    recorded = runs.forces[:, 1:-1].reshape(forces.shape)
    assert ((forces - recorded) ** 2).mean() < 0.02 * (recorded**2).mean()


def test_recorded_forces_are_compared_without_the_spring(benzene_runs):
    """A pair energy of zero is wrong by all there is."""
    nothing = LearnedPair(benzene_runs.body, benzene_runs.cutoff, width=2, energy_scale=1e-12)
    weights = nothing.initialize(jax.random.key(0))
    errors = compare_with_records(nothing, weights, benzene_runs, every=10)
    assert errors.force_ratio == pytest.approx(1) and errors.torque_ratio == pytest.approx(1)
    assert 0.05 < errors.energy_range < 1
    bare = {
        name: RigidTrajectory(runs.times, runs.poses, runs.momenta, runs.energies)
        for name, runs in benzene_runs.splits.items()
    }
    without = type(benzene_runs)(benzene_runs.settings, benzene_runs.body, bare, 11.0)
    with pytest.raises(DataError, match="hold no forces"):
        compare_with_records(nothing, weights, without)


def test_what_is_said_of_water():
    """benchmarks/README.md: rigid pairs keep the first shell, and leave a third of the torques."""
    table = pd.read_csv(BENCHMARKS / "coarse_water.csv")
    table = table[table["r"] > 2.4]
    assert 0.3 < table["force_error"].iloc[0] < 0.5 and 0.25 < table["torque_error"].iloc[0] < 0.45
    g = table.pivot_table(index="r", columns="run", values="g")
    assert g["rigid bodies"].idxmax() == g["all atoms"].idxmax()
    noise = (g["all atoms, first half"] - g["all atoms, second half"]).abs().mean()
    assert (g["rigid bodies"] - g["all atoms"]).abs().mean() < 2 * noise
