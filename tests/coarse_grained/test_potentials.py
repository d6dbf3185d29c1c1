"""Pair energies: beads, molecules, springs, networks; and sums of them over many bodies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.coarse_grained.bead_potential import BeadSum, MoleculePair, SmoothRepulsion
from helpers.coarse_grained.bead_potential import molecule_pair as published
from helpers.coarse_grained.bodies import benzene, hexagon, water
from helpers.coarse_grained.learned_potential import LearnedPair
from helpers.coarse_grained.pair_sum import BodyLists, Spring, pair_force_field, sum_over_pairs
from helpers.coarse_grained.quaternions import multiply, random_quaternions, rotate
from helpers.errors import ConfigError

Q = jnp.array([1.0, 0, 0, 0])


def about(axis, degrees):
    half = np.radians(degrees) / 2
    return jnp.asarray([np.cos(half), *(np.sin(half) * np.eye(3)[axis])])


@pytest.fixture(scope="module")
def beads(hexagons):
    return BeadSum(hexagons)


@pytest.fixture(scope="module")
def learned(hexagons):
    return LearnedPair(hexagons, cutoff=2 + 2 ** (1 / 6), width=16)


@pytest.fixture(scope="module")
def weights(learned):
    from helpers.jax_setup import double_precision

    with double_precision():
        return learned.initialize(jax.random.key(5))


def test_smooth_repulsion_has_the_published_numbers():
    core = SmoothRepulsion()
    assert np.allclose(core.polynomial, [5.51694, -153.397, 211.908, 13716.4], rtol=1e-5)
    r = np.array([0.9, core.inner - 1e-9, core.inner + 1e-9, core.outer - 1e-6, core.outer, 2.0])
    energies = np.asarray(jax.jit(core)(jnp.asarray(r**2)))
    assert energies[0] == pytest.approx(4 * (0.9**-12 - 0.9**-6) + 0.98468, abs=1e-5)
    assert np.allclose(energies[1:3], 0.11455, atol=1e-5)
    assert np.allclose(energies[3:], 0, atol=1e-12)


@pytest.mark.parametrize(
    "first, second, direction, distances",
    [
        (Q, Q, [1, 0, 0], (2.9994, 2.9581, 2.9228)),
        (about(2, 30), about(2, 30), [1, 0, 0], (2.7577, 2.7220, 2.6901)),
        (Q, about(2, 30), [1, 0, 0], (2.7616, 2.7204, 2.6833)),
        (Q, Q, [0, 0, 1], (1.0615, 1.0368, 1.0127)),
        (Q, about(2, 30), [0, 0, 1], (0.9994, 0.9627, 0.9364)),
        (Q, about(1, 90), [0, 0, 1], (1.9994, 1.9581, 1.9228)),
    ],
)
def test_bead_sums_of_published_arrangements(beads, first, second, direction, distances):
    """Tip to tip, edge to edge, tip to edge, two stacks, T: where U is 1, 2.5 and 5."""
    separations = jnp.asarray(distances)[:, None] * jnp.asarray(direction, float)
    energies = jax.jit(jax.vmap(beads, (None, 0, None, None)))((), separations, first, second)
    assert np.allclose(energies, [1, 2.5, 5], rtol=0.01)


def test_molecules_attract_as_published():
    """The water dimer of SPC/E is bound by 7.2 kcal/mol; benzene's T and stack by 2.3 and 1.7."""
    kcal = 23.0605
    wide = {"cutoff": 60.0}
    pair = MoleculePair(water(), published(water()).force_field, **wide)
    # Donor O–H along the line of O atoms, 2.75 Å, acceptor's plane across
    rng = np.random.default_rng(0)
    energy = jax.jit(jax.vmap(pair, (None, 0, 0, 0)))
    q = rng.normal(size=(2, 60_000, 4))
    q /= np.linalg.norm(q, axis=-1, keepdims=True)
    separations = np.zeros((60_000, 3))
    separations[:, 0] = rng.uniform(2.6, 3.0, 60_000)
    lowest = float(energy((), jnp.asarray(separations), *map(jnp.asarray, q)).min())
    assert -7.4 < lowest * kcal < -6.2
    ring = MoleculePair(benzene(), published(benzene()).force_field, **wide)
    r = np.linspace(3.2, 6.5, 200)
    line = jnp.asarray(np.stack([0 * r, 0 * r, r], 1))
    scan = jax.jit(jax.vmap(ring, (None, 0, None, None)))
    assert float(scan((), line, Q, about(0, 90)).min()) * kcal == pytest.approx(-2.3, abs=0.25)
    assert float(scan((), line, Q, about(2, 30)).min()) * kcal == pytest.approx(-0.6, abs=1.2)
    with pytest.raises(ConfigError, match="does not know the beads H of water"):
        MoleculePair(water(), {"O": (0.1, 3.0, 0.0)})


@pytest.mark.slow
def test_forces_and_torques_against_differences(beads, learned, weights, random_poses):
    """Central differences along each direction and turn, to 1e-7 of the largest."""
    poses = random_poses(3, seed=3)
    poses[:, :3] = [[0, 0, 0], [1.9, 0.4, 0.2], [-0.9, 1.6, 1.2]]

    for term, parameters in ((beads, ()), (learned, weights)):
        energy = sum_over_pairs(term, Spring(3.0, 2.0))
        field = jax.jit(pair_force_field(term, Spring(3.0, 2.0)), static_argnums=(2, 3))

        def moved(change, energy=energy, parameters=parameters):
            turn = jnp.concatenate([jnp.ones((3, 1)), 0.5 * change[:, 3:]], 1)
            turn = turn / jnp.linalg.norm(turn, axis=1, keepdims=True)
            new = jnp.concatenate([poses[:, :3] + change[:, :3], multiply(poses[:, 3:], turn)], 1)
            return energy(parameters, new, None, None)

        h = 1e-5
        steps = h * np.eye(18).reshape(18, 3, 6)
        values = jax.jit(jax.vmap(moved))(jnp.asarray(np.concatenate([steps, -steps])))
        by_differences = -(values[:18] - values[18:]).reshape(3, 6) / (2 * h)
        _, forces = field(parameters, jnp.asarray(poses), None, None)
        assert np.abs(forces).max() > 0.1
        assert np.allclose(forces, by_differences, atol=1e-7 * float(np.abs(forces).max()))


@pytest.mark.slow
def test_the_learned_energy_is_invariant(learned, weights):
    keys = jax.random.split(jax.random.key(1), 4)
    n = 40
    r = jax.random.uniform(keys[0], (n, 1), minval=1.0, maxval=3.0)
    direction = jax.random.normal(keys[1], (n, 3))
    r = r * direction / jnp.linalg.norm(direction, axis=1, keepdims=True)
    q1, q2 = random_quaternions(keys[2], (2, n))
    energy = jax.jit(jax.vmap(learned, (None, 0, 0, 0)))
    plain = np.asarray(energy(weights, r, q1, q2))
    assert np.ptp(plain) > 0.3
    turn = random_quaternions(keys[3])
    for other in (
        energy(weights, rotate(turn, r), multiply(turn, q1), multiply(turn, q2)),
        energy(weights, -r, q2, q1),  # exchanged
        energy(weights, r, -q1, q2),
        *(energy(weights, r, multiply(q1, s), q2) for s in jnp.asarray(learned.body.symmetry)),
    ):
        assert np.allclose(other, plain, atol=1e-12)
    assert np.abs(energy(weights, r, multiply(q1, about(2, 30)), q2) - plain).max() > 0.01


@pytest.mark.parametrize("body, n", [(hexagon(), 2), (water(), 2)])
def test_what_the_network_sees_tells_arrangements_apart(body, n):
    """The features of two arrangements agree only if the beads' distances do."""
    pair = LearnedPair(body, cutoff=4.0)
    rng = np.random.default_rng(7)
    q = rng.normal(size=(2, 400, 4))
    q = jnp.asarray(q / np.linalg.norm(q, axis=-1, keepdims=True))
    line = jnp.tile(jnp.array([2.5, 0, 0]), (400, 1))
    features = np.asarray(jax.jit(jax.vmap(pair.features))(line, *q))
    assert np.isfinite(features).all() and np.abs(features).mean() < 4

    # 5 angles: the features span at least five independent directions at a generic arrangement
    def of(angles):
        turns = jnp.concatenate([jnp.ones((2, 1)), angles.reshape(2, 3)], 1)
        turns = turns / jnp.linalg.norm(turns, axis=1, keepdims=True)
        return pair.features(line[0], *(multiply(q[:, 0], turns)))

    slopes = np.asarray(jax.jit(jax.jacobian(of))(jnp.zeros(6)))
    assert (np.linalg.svd(slopes, compute_uv=False) > 1e-2).sum() == 5


def test_the_wall_between_sites_grows_without_end(hexagons):
    """Where no trajectory was the network levels off; two centers at one place must cost most."""
    pair = LearnedPair(hexagons, cutoff=3.1, width=4, core=0.9)
    weights = pair.initialize(jax.random.key(0))
    line = jnp.asarray([[0.0, 0.0, z] for z in (1.0, 0.6, 0.3, 0.05)])
    values = np.asarray(jax.vmap(pair, (None, 0, None, None))(weights, line, Q, Q))
    assert np.isfinite(values).all() and (np.diff(values) > 10).all()


@pytest.mark.slow
def test_smooth_to_zero_at_the_cutoff(learned, weights):
    at = jnp.asarray(learned.cutoff + np.array([-1e-3, -1e-5, 0.0, 0.5]))
    energy = jax.jit(jax.vmap(lambda x: learned(weights, x * jnp.array([1.0, 0, 0]), Q, Q)))
    values = np.asarray(energy(at))
    assert abs(values[0]) < 1e-6 and (values[2:] == 0).all()
    blind = LearnedPair(learned.body, cutoff=3.0, orientations=False)
    assert blind.n_features == 2


@pytest.mark.slow
def test_many_bodies_with_and_without_lists(beads, random_poses):
    """Lists give what all pairs give; a list without room gives NaN, a small cell is refused."""
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3), -1).reshape(-1, 3) * 2.6
    poses = random_poses(27, seed=8)
    poses[:, :3] = grid + 0.1 * poses[:, :3]
    cell = np.diag([7.8] * 3)
    energy = jax.jit(sum_over_pairs(beads))
    whole = float(energy((), jnp.asarray(poses), jnp.asarray(cell), None))
    lists = BodyLists(beads.cutoff, skin=0.4)
    pairs = lists.build(poses, cell)
    assert float(energy((), jnp.asarray(poses), jnp.asarray(cell), pairs)) == pytest.approx(whole)
    assert whole > 1
    images = poses.copy()
    images[5, :3] += cell[0] - 2 * cell[2]
    assert float(energy((), jnp.asarray(images), jnp.asarray(cell), None)) == pytest.approx(whole)
    short = lists.build(poses, cell, capacity=10)
    assert np.isnan(energy((), jnp.asarray(poses), jnp.asarray(cell), short))
    with pytest.raises(ConfigError, match="cell is too small"):
        lists.build(poses, 0.8 * cell)


def test_bad_settings_of_potentials(hexagons):
    with pytest.raises(ConfigError, match="inner=1.2 cannot be used"):
        SmoothRepulsion(1.2, 1.1)
    with pytest.raises(ConfigError, match="activation='relu' cannot be used"):
        LearnedPair(hexagons, 3.0, activation="relu")
    with pytest.raises(ConfigError, match="depth=0"):
        LearnedPair(hexagons, 3.0, depth=0)
    with pytest.raises(ConfigError, match="stiffness=-1"):
        Spring(-1, 2)
    with pytest.raises(ConfigError, match="body='hexagon' cannot be used"):
        published(hexagons)
