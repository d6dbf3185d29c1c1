"""Boxes of bodies, and all-bead dynamics of bonded bodies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.coarse_grained.bead_potential import BeadSum
from helpers.coarse_grained.bodies import RigidTrajectory
from helpers.coarse_grained.bonded_beads import BondedBeads, run_bonded
from helpers.coarse_grained.many_bodies import Box, diffusion, fill_box, run_box, structure, turning
from helpers.coarse_grained.pair_sum import Spring, pair_force_field, sum_over_pairs
from helpers.coarse_grained.quaternions import angle_between
from helpers.coarse_grained.rigid_dynamics import run_bodies, thermal_momenta
from helpers.errors import ConfigError, DataError


def still(poses, times):
    return RigidTrajectory(times, poses, np.zeros((*poses.shape[:2], 6)), np.zeros(len(times)))


def test_a_box_is_filled_without_overlap(hexagons):
    beads = BeadSum(hexagons)
    box = fill_box(hexagons, 20, density=0.03, kT=2.5, reach=beads.cutoff, seed=1)
    assert np.linalg.det(box.cell) == pytest.approx(20 / 0.03)
    energy = jax.jit(sum_over_pairs(beads))
    assert energy((), jnp.asarray(box.poses), jnp.asarray(box.cell), None) == 0
    assert np.allclose(box.momenta[:, :3].sum(0), 0, atol=1e-12)
    few = fill_box(hexagons, 2, density=0.03, kT=2.5, reach=beads.cutoff)
    assert few.cell[0, 0] > 2 * beads.cutoff  # a box that holds nearest images
    with pytest.raises(ConfigError, match="no room for body .*lower the density"):
        fill_box(hexagons, 3, density=0.5, kT=1.0, reach=3.1, contact=7.0)
    with pytest.raises(ConfigError, match="n_bodies=1"):
        fill_box(hexagons, 1, density=0.01, kT=1.0, reach=3.1)


def test_structure_of_bodies_that_are_placed_at_random(hexagons):
    """An ideal gas: g = 1 and no order; and parallel bodies: order 1 everywhere."""
    rng = np.random.default_rng(0)
    q = rng.normal(size=(60, 50, 4))
    q /= np.linalg.norm(q, axis=-1, keepdims=True)
    poses = np.concatenate([rng.uniform(0, 10, (60, 50, 3)), q], -1)
    box = Box(hexagons, poses[0], np.zeros((50, 6)), 10 * np.eye(3), 1.0)
    table = structure(still(poses, np.arange(60.0)), box, bin_width=1.0)
    assert len(table) == 5
    assert np.allclose(table["g"][1:], 1, atol=0.05)
    assert np.allclose(table["orientation"][1:], 0, atol=0.05)
    poses[..., 3:] = [1.0, 0, 0, 0]
    ordered = structure(still(poses, np.arange(60.0)), box, bin_width=1.0)
    assert np.allclose(ordered["orientation"][1:], 1)


def test_diffusion_of_a_random_walk(hexagons):
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(400, 200, 3)) * np.sqrt(2 * 0.7 * 0.1)  # ⟨Δx²⟩ = 2 D Δt
    poses = np.zeros((400, 200, 7))
    poses[..., :3], poses[..., 3] = steps.cumsum(0), 1
    run = still(poses, 0.1 * np.arange(400))
    assert diffusion(run, longest_share=0.1) == pytest.approx(0.7, rel=0.05)
    assert np.allclose(turning(run)["correlation"], 1)
    with pytest.raises(DataError, match="too short"):
        diffusion(still(poses[:10], np.arange(10.0)))


@pytest.mark.slow  # compiles a box with neighbor lists
def test_a_box_at_constant_energy(hexagons):
    beads = BeadSum(hexagons)
    box = fill_box(hexagons, 12, density=0.03, kT=2.5, reach=beads.cutoff)
    run = run_box(beads, (), box, timestep=0.005, steps=600, record_every=20)
    inertia = np.array([7, 7, 7, 3, 3, 6])
    total = run.energies + (0.5 * run.momenta**2 / inertia).sum((1, 2))
    assert run.energies.max() > 0.5  # bodies touched
    assert np.abs(total - total[0]).max() < 2e-3 * total[0]


@pytest.mark.slow  # compiles the dynamics of all beads
def test_stiffly_bonded_beads_move_as_rigid_bodies(hexagons):
    """Energy is kept, shapes stay, and for 0.3 τ with a contact the path is that of rigid ones."""
    spring = Spring(21.99, 2.0)
    poses = np.zeros((2, 7))
    poses[:, 3], poses[1, 0] = 1.0, 3.3
    noise = np.random.default_rng(1).normal(size=(2, 6))
    momenta = np.asarray(thermal_momenta(hexagons, 2.5, jnp.asarray(noise)))
    rigid = run_bodies(
        pair_force_field(BeadSum(hexagons), spring),
        hexagons,
        poses,
        momenta,
        timestep=0.001,
        steps=400,
        record_every=40,
    )
    assert rigid.energies.min() < 0.9 * rigid.energies.max()
    field = BondedBeads(hexagons, 4e4, spring=spring)
    run = run_bonded(field, poses, momenta, timestep=0.0005, steps=800, record_every=80)
    total = run.total_energies
    assert np.abs(total - total[0]).max() < 1e-3 * total[0]
    reduced = run.rigid(hexagons)
    assert np.abs(hexagons.place(reduced.poses) - run.positions).max() < 0.01
    assert np.abs(reduced.poses[..., :3] - rigid.poses[..., :3]).max() < 0.005
    assert np.asarray(angle_between(reduced.poses[..., 3:], rigid.poses[..., 3:])).max() < 0.01
    with pytest.raises(ConfigError, match="stiffness=0"):
        BondedBeads(hexagons, 0)
