"""Quaternions, bodies of beads, and the way back from beads to bodies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helpers.coarse_grained.bodies import (
    bead_velocities,
    benzene,
    from_beads,
    reduce,
    water,
)
from helpers.coarse_grained.quaternions import (
    angle_between,
    body_torque,
    check_unit,
    multiply,
    random_quaternions,
    rotate,
    rotate_back,
    rotation_matrix,
    turn_about_axis,
)
from helpers.errors import ConfigError, DataError


def scipy_rotation(q):
    return Rotation.from_quat(np.asarray(q)[..., [1, 2, 3, 0]])


@pytest.mark.slow
def test_quaternions_turn_as_in_scipy():
    a, b = random_quaternions(jax.random.key(0), (2, 50))
    vectors = jax.random.normal(jax.random.key(1), (50, 3))
    assert np.allclose(rotation_matrix(a), scipy_rotation(a).as_matrix(), atol=1e-14)
    assert np.allclose(rotate(a, vectors), scipy_rotation(a).apply(np.array(vectors)), atol=1e-14)
    assert np.allclose(rotate_back(a, rotate(a, vectors)), vectors, atol=1e-14)
    assert np.allclose(rotate(multiply(a, b), vectors), rotate(a, rotate(b, vectors)), atol=1e-14)
    own = scipy_rotation(a) * Rotation.from_rotvec([0, 0.3, 0])
    assert np.allclose(
        angle_between(turn_about_axis(a, 1, 0.3), own.as_quat()[:, [3, 0, 1, 2]]), 0, atol=1e-12
    )


@pytest.mark.slow
def test_angles_forget_the_sign_and_the_turns_of_a_symmetric_body(hexagons):
    a = random_quaternions(jax.random.key(2), (20,))
    b = turn_about_axis(a, 0, 0.4)
    assert np.allclose(angle_between(a, -b), 0.4, atol=1e-12)
    sixth = turn_about_axis(turn_about_axis(a, 2, np.pi / 3), 2, 1e-9)
    assert np.allclose(angle_between(a, sixth), np.pi / 3, atol=1e-8)
    assert np.allclose(angle_between(a, sixth, hexagons.symmetry), 1e-9, rtol=1e-4)


@pytest.mark.slow
def test_torque_of_a_gradient_is_that_of_forces_on_beads(wedge, random_poses):
    """Σ x × f in the body's frame, for any forces, and whatever is added along q."""
    pose = jnp.asarray(random_poses(1)[0])
    forces = jax.random.normal(jax.random.key(3), (4, 3))
    gradient = jax.grad(lambda pose: -(forces * wedge.place(pose)).sum())(pose)
    torque = np.cross(np.asarray(wedge.place(pose) - pose[:3]), forces).sum(0)
    found = rotate(pose[3:], body_torque(pose[3:], gradient[3:] + 7.0 * pose[3:]))
    assert np.allclose(found, torque, atol=1e-12)
    assert np.allclose(-gradient[:3], forces.sum(0))


def test_quaternions_of_another_length_are_refused():
    with pytest.raises(DataError, match=r"length 1.*deviation of 1.*order is w, x, y, z"):
        check_unit(np.array([[1.0, 0, 0, 0], [2.0, 0, 0, 0]]))
    with pytest.raises(DataError, match="nan"):
        check_unit(np.full(4, np.nan))


def test_the_published_hexagon(hexagons):
    assert hexagons.mass == 7 and hexagons.radius == pytest.approx(1)
    assert np.allclose(hexagons.inertia, [3, 3, 6])
    assert np.allclose(hexagons.positions[0], [1, 0, 0])  # its frame is that of the file
    assert len(hexagons.symmetry) == 12


def test_symmetries_of_other_bodies(wedge):
    assert len(wedge.symmetry) == 1 and np.allclose(np.abs(wedge.symmetry[0]), [1, 0, 0, 0])
    assert len(water().symmetry) == 2
    assert len(benzene().symmetry) == 12
    heavy = from_beads("ring", benzene().positions[:6], [2, 1, 1, 1, 1, 1])
    assert len(heavy.symmetry) == 2  # one turn over the heavy bead
    cube = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    assert len(from_beads("cube", cube).symmetry) == 24
    for body in (benzene(), water()):
        images = body.place(np.concatenate([np.zeros((len(body.symmetry), 3)), body.symmetry], 1))
        for image in np.asarray(images):
            distances = np.linalg.norm(image[:, None] - body.positions[None], axis=-1)
            assert np.allclose(distances.min(1), 0, atol=1e-9)


def test_principal_frame(wedge):
    tensor = np.einsum("b,bi,bj->ij", wedge.masses, wedge.positions, wedge.positions)
    assert np.allclose(tensor - np.diag(np.diag(tensor)), 0, atol=1e-12)
    assert np.allclose(wedge.masses @ wedge.positions, 0)
    shape = np.linalg.norm(wedge.positions[1] - wedge.positions[2])
    assert shape == pytest.approx(np.hypot(1, 1.5))
    corners = wedge.positions[1:] - wedge.positions[0]
    assert np.linalg.det(corners) == pytest.approx(0.8 * 1.5)  # turned, not reflected


@pytest.mark.parametrize(
    "positions, options, message",
    [
        ([[0, 0, 0], [1, 1, 1], [2, 2, 2]], {}, "line or at one place"),
        ([[0, 0, 0]], {}, "line or at one place"),
        ([[0, 0, np.nan], [1, 0, 0], [0, 1, 0]], {}, "no usable positions"),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], {"masses": [1, 0, 1]}, "unusable masses"),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], {"kinds": ("A",)}, "3 kinds, one for each bead"),
    ],
)
def test_bad_bodies(positions, options, message):
    with pytest.raises(ConfigError, match=message):
        from_beads("body", positions, **options)


def test_reduction_of_rigid_bodies_is_exact(wedge, hexagons, random_poses):
    rng = np.random.default_rng(4)
    for body in (wedge, hexagons, water()):
        poses = random_poses(6, seed=5).reshape(3, 2, 7)
        momenta = rng.normal(size=(3, 2, 6))
        back = reduce(body, body.place(poses), bead_velocities(body, poses, momenta))
        assert np.allclose(back.poses[..., :3], poses[..., :3], atol=1e-13)
        assert np.allclose(angle_between(back.poses[..., 3:], poses[..., 3:]), 0, atol=1e-13)
        assert np.allclose(back.momenta, momenta, atol=1e-12)


def test_quaternions_of_a_series_are_continuous(hexagons):
    """A hexagon that turns round many times: no jump, although q and −q are one orientation."""
    angles = np.linspace(0, 30, 400)
    q = np.asarray(turn_about_axis(jnp.tile(jnp.array([1.0, 0, 0, 0]), (400, 1)), 2, angles))
    poses = np.concatenate([np.zeros((400, 3)), q], 1)[:, None]
    beads = hexagons.place(poses)
    series = reduce(hexagons, beads, np.zeros(beads.shape)).poses[..., 3:]
    assert np.abs(np.diff(series, axis=0)).max() < 0.05


def test_reduction_refuses_other_beads(hexagons):
    beads = np.zeros((4, 2, 7, 3))
    with pytest.raises(DataError, match="These are not the beads of hexagon"):
        reduce(hexagons, beads[:, :, :6], beads[:, :, :6])
    with pytest.raises(DataError, match="belong together"):
        reduce(hexagons, beads, beads[:2])
    with pytest.raises(DataError, match="not finite"):
        reduce(hexagons, beads + np.nan, beads)
