"""The symplectic step of rigid bodies: against theory, at constant energy and in a heat bath."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ellipj

from helpers.coarse_grained.bead_potential import BeadSum
from helpers.coarse_grained.bodies import from_beads
from helpers.coarse_grained.pair_sum import Spring, pair_force_field
from helpers.coarse_grained.quaternions import rotate, rotation_matrix
from helpers.coarse_grained.rigid_dynamics import (
    initial_state,
    kinetic_energies,
    make_rigid_integrator,
    no_squish,
    rigid_force_field,
    run_bodies,
    thermal_momenta,
    total_energy,
)
from helpers.errors import ConfigError, DataError


def free(parameters, poses, cell, neighbors):
    return jnp.zeros(()), jnp.zeros((*poses.shape[:-1], 6))


@pytest.fixture(scope="module")
def sprung(hexagons):
    """Two hexagons with their beads' repulsion and the published spring: a force field."""
    return pair_force_field(BeadSum(hexagons), Spring(21.99, 2.0))


@pytest.fixture
def start(hexagons):
    """Poses and momenta of a pair that is not in contact, at kT = 2.5."""
    poses = np.zeros((2, 7))
    poses[:, 3], poses[1, 0] = 1.0, 3.0
    noise = np.random.default_rng(1).normal(size=(2, 6))
    return poses, np.asarray(thermal_momenta(hexagons, 2.5, jnp.asarray(noise)))


def test_a_free_asymmetric_top_follows_jacobi_functions():
    """Landau, Lifshitz, Mechanics, § 37; three different moments, L² > 2 E I₂."""
    body = from_beads(
        "top", [[1, 0, 0], [-1, 0, 0], [0, 1.3, 0], [0, -1.3, 0], [0, 0, 0.4], [0, 0, -0.4]]
    )
    order = np.argsort(body.inertia)
    i1, i2, i3 = body.inertia[order]
    omega = np.array([0.6, 0.0, 1.1])  # along the axes of i1, i2, i3
    two_e = i1 * omega[0] ** 2 + i3 * omega[2] ** 2
    l2 = (i1 * omega[0]) ** 2 + (i3 * omega[2]) ** 2
    assert l2 > two_e * i2
    rate = np.sqrt((i3 - i2) * (l2 - two_e * i1) / (i1 * i2 * i3))
    modulus = (i2 - i1) * (two_e * i3 - l2) / ((i3 - i2) * (l2 - two_e * i1))
    handed = np.linalg.det(np.eye(3)[order])

    def deviations(timestep):
        spin = np.zeros(3)
        spin[order] = np.array([i1, i2, i3]) * omega
        poses = np.array([[0, 0, 0, 1.0, 0, 0, 0]])
        run = run_bodies(
            free,
            body,
            poses,
            np.concatenate([np.zeros(3), spin])[None],
            timestep=timestep,
            steps=round(20 / timestep),
            record_every=round(0.5 / timestep),
        )
        sn, cn, dn, _ = ellipj(rate * run.times, modulus)
        exact = np.stack(
            [
                np.sqrt((two_e * i3 - l2) / (i1 * (i3 - i1))) * cn,
                handed * np.sqrt((two_e * i3 - l2) / (i2 * (i3 - i2))) * sn,
                np.sqrt((l2 - two_e * i1) / (i3 * (i3 - i1))) * dn,
            ],
            1,
        )
        found = (run.momenta[:, 0, 3:] / body.inertia)[:, order]
        in_space = rotate(jnp.asarray(run.poses[:, 0, 3:]), jnp.asarray(run.momenta[:, 0, 3:]))
        assert np.allclose(in_space, spin, atol=1e-11)  # L in space is constant, whatever the step
        return found - exact

    coarse, fine = deviations(0.02), deviations(0.01)
    assert np.abs(fine).max() < 1e-3
    assert np.abs(4 * fine - coarse).max() / 3 < 2e-6  # the error is of second order, and no other


def test_it_is_the_published_no_squish_step(wedge, random_poses):
    """Miller and others' conjugate momenta, written out, give the same numbers."""
    rng = np.random.default_rng(2)
    q, spin, torque = random_poses(1)[0, 3:], rng.normal(size=3), rng.normal(size=3)
    dt = 0.1
    signs = {
        1: lambda q: np.array([-q[1], q[0], q[3], -q[2]]),
        2: lambda q: np.array([-q[2], -q[3], q[0], q[1]]),
        3: lambda q: np.array([-q[3], q[2], -q[1], q[0]]),
    }

    def four(q):
        return np.stack([q, signs[1](q), signs[2](q), signs[3](q)], axis=1)

    def force(poses):
        return jnp.zeros(()), jnp.concatenate([jnp.zeros(3), torque])[None]

    p = 2 * four(q) @ np.concatenate([[0], spin])
    pose = jnp.asarray(np.concatenate([np.zeros(3), q]))[None]
    state = initial_state(
        lambda *a: force(a[1]), pose, jnp.zeros((1, 6)).at[0, 3:].set(spin), jax.random.key(0)
    )
    integrator = make_rigid_integrator("nve", wedge, timestep=dt)
    for _ in range(5):
        state = no_squish(state, force, integrator)
        p = p + dt * four(q) @ np.concatenate([[0], torque])
        for k, share in ((3, 0.5), (2, 0.5), (1, 1.0), (2, 0.5), (3, 0.5)):
            zeta = share * dt * (p @ signs[k](q)) / (4 * wedge.inertia[k - 1])
            q, p = (
                np.cos(zeta) * q + np.sin(zeta) * signs[k](q),
                np.cos(zeta) * p + np.sin(zeta) * signs[k](p),
            )
        p = p + dt * four(q) @ np.concatenate([[0], torque])
    assert np.allclose(state.poses[0, 3:], q, atol=1e-13)
    assert np.allclose(state.momenta[0, 3:], (0.5 * four(q).T @ p)[1:], atol=1e-12)


@pytest.mark.slow
def test_energy_norm_and_momenta_are_kept(hexagons, sprung, start):
    """20 000 steps with many contacts; benchmarks/coarse.py takes 10⁵."""
    run = run_bodies(sprung, hexagons, *start, timestep=0.001, steps=20_000, record_every=100)
    integrator = make_rigid_integrator("nve", hexagons, timestep=0.001)
    kinetic = kinetic_energies(run.momenta, integrator.inertia).sum((1, 2))
    total = run.energies + kinetic
    assert np.ptp(kinetic) > 0.2 * kinetic.mean()  # something happened
    thirds = np.array_split(total, 3)
    assert abs(thirds[2].mean() - thirds[0].mean()) < 1e-4 * total[0]
    assert np.abs(np.linalg.norm(run.poses[..., 3:], axis=-1) - 1).max() < 1e-11
    assert np.allclose(run.momenta[..., :3].sum(1), run.momenta[0, :, :3].sum(0), atol=1e-9)
    spin = rotate(jnp.asarray(run.poses[..., 3:]), jnp.asarray(run.momenta[..., 3:]))
    orbital = np.cross(run.poses[..., :3], run.momenta[..., :3])
    angular = (np.asarray(spin) + orbital).sum(1)
    assert np.allclose(angular, angular[0], atol=1e-8)


def test_motion_reversed_retraces_its_path(hexagons, sprung, start):
    there = run_bodies(sprung, hexagons, *start, timestep=0.002, steps=2000, record_every=2000)
    back = run_bodies(
        sprung,
        hexagons,
        there.poses[-1],
        -there.momenta[-1],
        timestep=0.002,
        steps=2000,
        record_every=2000,
    )
    assert np.abs(there.poses[-1] - there.poses[0]).max() > 0.1
    assert np.allclose(back.poses[-1], there.poses[0], atol=1e-9)
    assert np.allclose(back.momenta[-1], -there.momenta[0], atol=1e-8)


@pytest.mark.slow
def test_heat_bath_gives_each_degree_of_freedom_half_kT(wedge):
    """256 bodies in a harmonic and an orienting field; three different moments of inertia."""
    kT, n = 1.7, 256

    def field(parameters, poses, cell, neighbors):
        tilt = rotation_matrix(poses[..., 3:])[..., 2, 2]
        return 2.0 * (poses[..., :3] ** 2).sum() - 3.0 * tilt.sum()

    poses = np.zeros((n, 7))
    poses[:, 3] = 1
    run = run_bodies(
        rigid_force_field(field),
        wedge,
        poses,
        np.zeros((n, 6)),
        method="langevin",
        timestep=0.03,
        steps=2000,
        kT=kT,
        friction=1.0,
        record_every=40,
    )
    inertia = make_rigid_integrator("nve", wedge, timestep=0.03).inertia
    late = kinetic_energies(run.momenta[10:], inertia)
    # Independent to a good part: 41 records of 256 bodies, error of the mean about 2 %
    assert np.allclose(late.mean((0, 1)), kT / 2, rtol=0.04)
    shares = (late / (kT / 2)).reshape(-1, 6)
    assert np.allclose((shares**2).mean(0), 3, rtol=0.12)  # of a normal distribution
    # ⟨x²⟩ = kT/k, and ⟨cos⟩ = coth a − 1/a with a = 3/kT
    assert np.allclose((run.poses[10:, :, :3] ** 2).mean((0, 1)), kT / 4, rtol=0.05)
    cosine = np.asarray(rotation_matrix(jnp.asarray(run.poses[10:, :, 3:])))[..., 2, 2].mean()
    a = 3 / kT
    assert cosine == pytest.approx(1 / np.tanh(a) - 1 / a, abs=0.02)


@pytest.mark.slow
def test_runs_are_reproducible_and_seeds_differ(hexagons, sprung, start):
    run = partial(run_bodies, sprung, hexagons, *start, method="langevin", timestep=0.002, steps=50)
    one, again, other = run(seed=1), run(seed=1), run(seed=2)
    assert np.array_equal(one.poses, again.poses)
    assert not np.allclose(one.poses[-1], other.poses[-1])


@pytest.mark.slow
def test_bad_runs(hexagons, sprung, start):
    poses, momenta = start
    run = partial(run_bodies, sprung, hexagons, momenta=momenta, timestep=0.002, steps=10)
    with pytest.raises(ConfigError, match="no method 'langevine'.*did you mean 'langevin'"):
        run(poses=poses, method="langevine")
    with pytest.raises(ConfigError, match="timestep=-1 cannot be used"):
        run_bodies(sprung, hexagons, poses, momenta, timestep=-1, steps=10)
    with pytest.raises(DataError, match="length 1"):
        run(poses=2 * poses)
    together = poses.copy()
    together[1, :3] = 0
    with pytest.raises(DataError, match="no bodies overlap"):
        run(poses=together)


def test_total_energy_counts_both(hexagons, start):
    poses, momenta = map(jnp.asarray, start)
    state = initial_state(free, poses, momenta, jax.random.key(0))._replace(energy=3.0)
    integrator = make_rigid_integrator("nve", hexagons, timestep=0.001)
    omega = momenta[:, 3:] / hexagons.inertia
    by_hand = (momenta[:, :3] ** 2).sum() / 14 + 0.5 * (hexagons.inertia * omega**2).sum()
    assert float(total_energy(state, integrator)) == pytest.approx(3.0 + float(by_hand))
