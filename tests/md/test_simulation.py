"""Simulations with any force field: gradients in both directions, records, lists, replicas."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase.build import bulk

from helpers.errors import ConfigError
from helpers.jax_setup import double_precision
from helpers.md.integrators import METHODS, kinetic_energy, make_integrator, maxwell_boltzmann
from helpers.md.lennard_jones import ARGON, LennardJones
from helpers.md.pairs import run_with_room
from helpers.md.simulation import (
    Limits,
    Segment,
    from_energy,
    initialize,
    new_state,
    simulate,
    simulate_segment,
)

FIELD = LennardJones(cutoff_A=5.2, skin_A=0.05)
CLUSTER = LennardJones(cutoff_A=20.0)  # no cell, no atom near the cutoff: smooth


@pytest.fixture(autouse=True)
def _double_precision():
    with double_precision():
        yield


@pytest.fixture
def argon():
    """Positions, velocities, masses and cell of 32 argon atoms."""
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True).repeat(2)
    noise = np.random.default_rng(0).standard_normal((32, 3))
    masses = atoms.get_masses()
    return atoms.positions, maxwell_boltzmann(masses, 80.0, noise), masses, atoms.cell.array


def start_of(argon, integrator, field=FIELD, seed=0):
    positions, velocities, masses, cell = argon
    key = jax.random.key(seed)
    return initialize(
        field, integrator, positions, velocities, masses, key, parameters=ARGON, cell=cell
    )


@pytest.fixture
def cluster_energy():
    """A function: (ε, σ, temperature, one position, one velocity), name → a final energy."""
    start = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * 3.9
    masses = np.linspace(20.0, 60.0, 8)
    noise = np.random.default_rng(1).standard_normal((8, 3))
    thermal = maxwell_boltzmann(masses, 40.0, noise)

    def energy(numbers, name, **options):
        epsilon, sigma, kelvin, x, v = numbers
        integrator = make_integrator(
            name, 8, timestep_fs=4.0, temperature_K=kelvin, relaxation_fs=60.0
        )
        parameters = type(ARGON)(epsilon, sigma)
        positions = jnp.asarray(start).at[0, 1].add(x)
        velocities = jnp.asarray(thermal).at[2, 0].add(v)
        state = initialize(
            CLUSTER, integrator, positions, velocities, masses, jax.random.key(0),
            parameters=parameters,
        )  # fmt: skip
        run = simulate(
            CLUSTER, state, integrator, 40, parameters=parameters, record_every=10, **options
        )
        kinetic = kinetic_energy(run.records.velocities, masses)
        return 1000 * (run.records.energy + 0.3 * kinetic).sum()

    return energy


NUMBERS = np.array([ARGON.epsilon_eV, ARGON.sigma_A, 50.0, 0.1, 1e-3])


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_gradients_in_both_directions_are_those_of_finite_differences(name, cluster_energy):
    """With respect to parameters, temperature of the bath, and the state at the start."""
    energies = jax.jit(jax.vmap(lambda numbers: cluster_energy(numbers, name)))
    reverse = jax.jit(jax.grad(lambda numbers: cluster_energy(numbers, name)))
    steps = np.array([1e-6, 1e-5, 1e-3, 1e-5, 1e-7])
    gradient = np.array(reverse(NUMBERS))
    plus, minus = energies(NUMBERS + np.diag(steps)), energies(NUMBERS - np.diag(steps))
    np.testing.assert_allclose(gradient, (plus - minus) / (2 * steps), rtol=1e-6, atol=1e-8)
    direction = np.array([1e-4, 0.02, 3.0, 0.1, 1e-3])
    _, slope = jax.jit(
        lambda d: jax.jvp(lambda numbers: cluster_energy(numbers, name), (NUMBERS,), (d,))
    )(direction)
    np.testing.assert_allclose(slope, gradient @ direction, rtol=1e-9)
    assert (gradient[2] == 0) == (name == "none")
    assert np.abs(gradient[[0, 1, 3, 4]]).min() > 0


@pytest.mark.slow
def test_checkpoints_change_memory_but_no_number(cluster_energy):
    def compiled(**options):
        gradient = jax.grad(lambda numbers: cluster_energy(numbers, "langevin", **options))
        return jax.jit(gradient).lower(NUMBERS).compile()

    plain, saving = compiled(), compiled(checkpoint_every=5)
    np.testing.assert_allclose(plain(NUMBERS), saving(NUMBERS), rtol=1e-12)
    bytes_of = [one.memory_analysis().temp_size_in_bytes for one in (plain, saving)]
    assert bytes_of[1] < 0.5 * bytes_of[0]


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint_every", [None, 3, 9])
def test_records_are_the_states_at_their_steps(argon, checkpoint_every):
    integrator = make_integrator("langevin", 32, timestep_fs=4.0, temperature_K=80.0)
    start = start_of(argon, integrator)
    options = {"parameters": ARGON, "cell": argon[3]}
    run = simulate(
        FIELD, start, integrator, 14, record_every=4, checkpoint_every=checkpoint_every, **options
    )
    assert run.state.step == 14 and run.records.positions.shape == (3, 32, 3)
    state = start
    take_step = jax.jit(lambda state: simulate(FIELD, state, integrator, 1, **options).state)
    for step in range(1, 15):
        state = take_step(state)
        if step % 4 == 0:
            frame = run.records
            np.testing.assert_allclose(frame.positions[step // 4 - 1], state.positions, atol=1e-12)
            np.testing.assert_allclose(frame.energy[step // 4 - 1], state.energy, rtol=1e-12)
    np.testing.assert_allclose(run.state.positions, state.positions, atol=1e-12)


@pytest.mark.slow
def test_a_window_is_the_gradient_of_runs_that_begin_where_it_begins(argon):
    """The same trajectory, but of each record only what its last three steps contribute."""
    integrator = make_integrator("langevin", 32, timestep_fs=4.0, temperature_K=80.0)
    at = {"cell": argon[3]}
    start = start_of(argon, integrator)
    energies = lambda run: run.records.energy.sum()  # noqa: E731

    def windowed(sigma):
        parameters = ARGON._replace(sigma_A=sigma)
        options = {"parameters": parameters, "record_every": 5, "window": 3, **at}
        return energies(simulate(FIELD, start, integrator, 10, **options))

    def piecewise(sigma):
        """Two steps with σ as it is, three with σ to be differentiated; twice."""
        state, total = start, 0.0
        for _ in range(2):
            state = simulate(FIELD, state, integrator, 2, parameters=ARGON, **at).state
            parameters = ARGON._replace(sigma_A=sigma)
            _, forces = FIELD(parameters, state.positions, at["cell"], None)
            state = state._replace(forces=forces)  # they depend on σ, too
            options = {"parameters": parameters, "record_every": 3, **at}
            run = simulate(FIELD, state, integrator, 3, **options)
            total, state = total + energies(run), jax.lax.stop_gradient(run.state)
        return total

    (value, slope), (expected, reference) = (
        jax.jit(jax.value_and_grad(f))(ARGON.sigma_A) for f in (windowed, piecewise)
    )
    assert value == pytest.approx(float(expected), rel=1e-12)
    assert slope == pytest.approx(float(reference), rel=1e-9) and slope != 0
    for name in ("steps", "record_every", "checkpoint_every"):
        options = {"steps": 10, name: -1}
        with pytest.raises(ConfigError, match=f"{name}=-1"):
            simulate(FIELD, start, integrator, parameters=ARGON, **options, **at)
    with pytest.raises(ConfigError, match="window=6.*at most 5"):
        simulate(FIELD, start, integrator, 10, record_every=5, window=6, parameters=ARGON, **at)


def test_anything_can_be_recorded_and_any_energy_is_a_force_field():
    bond = from_energy(
        lambda k, positions, *_: 0.5 * k * ((positions[1] - positions[0]) ** 2).sum()
    )
    integrator = make_integrator("none", 2, timestep_fs=1.0)
    positions = jnp.array([[0.0, 0, 0], [1.0, 0, 0]])
    start = initialize(
        bond, integrator, positions, 0 * positions, np.array([1.0, 3.0]), None, parameters=2.0
    )
    np.testing.assert_allclose(start.forces, [[2.0, 0, 0], [-2.0, 0, 0]])
    length = lambda state: {"length": jnp.linalg.norm(state.positions[1] - state.positions[0])}  # noqa: E731
    run = simulate(bond, start, integrator, 20, parameters=2.0, record=length)
    assert run.records["length"].shape == (20,) and run.records["length"][0] < 1


@pytest.mark.slow
@pytest.mark.parametrize("vectorize", [True, False])
def test_replicas_have_cells_and_lists_of_their_own(argon, vectorize):
    integrator = make_integrator("bussi", 32, timestep_fs=4.0, temperature_K=80.0)
    positions, velocities, masses, cell = argon
    stretched = [(1.0 + 0.01 * k) for k in range(2)]
    single = [
        simulate(
            FIELD,
            start_of((s * positions, velocities, masses, s * cell), integrator, seed=k),
            integrator, 30, parameters=ARGON, cell=jnp.asarray(s * cell),
        ) for k, s in enumerate(stretched)
    ]  # fmt: skip
    xs = jnp.stack([s * positions for s in stretched])
    vs = jnp.stack([velocities] * 2)
    cells = jnp.stack([s * cell for s in stretched])
    lists = jax.vmap(lambda x, c: FIELD.neighbors(x, c, 600))(xs, cells)
    keys = jnp.stack([jax.random.key(0), jax.random.key(1)])
    options = {"parameters": ARGON, "cell": cells, "neighbors": lists, "vectorize": vectorize}
    start = initialize(FIELD, integrator, xs, vs, masses, keys, **options)
    run = simulate(FIELD, start, integrator, 30, update_neighbors=FIELD.update, **options)
    for k in range(2):
        np.testing.assert_allclose(run.state.positions[k], single[k].state.positions, atol=1e-11)


@pytest.mark.slow
def test_lists_are_renewed_inside_the_loop_before_they_are_too_old(argon):
    field = LennardJones(cutoff_A=4.8, skin_A=0.3)
    integrator = make_integrator("none", 32, timestep_fs=4.0)
    positions, _, _, cell = argon
    lists = field.neighbors(positions, cell)
    at = {"parameters": ARGON, "cell": cell}
    start = start_of(argon, integrator, field)

    def run(**options):
        return jax.jit(lambda: simulate(field, start, integrator, 300, **at, **options))()

    all_pairs = run()
    renewed = run(neighbors=lists, update_neighbors=field.update)
    assert np.abs(renewed.neighbors.reference - positions).max() > 0.15
    np.testing.assert_allclose(renewed.state.positions, all_pairs.state.positions, atol=1e-9)
    fixed = run(neighbors=lists)
    assert np.abs(fixed.state.positions - all_pairs.state.positions).max() > 1e-6
    short = field.neighbors(positions, cell, capacity=20)
    overflow = run(neighbors=short, update_neighbors=field.update)
    assert overflow.neighbors.n_pairs > 20 and np.isnan(overflow.state.energy)

    capacities = []

    def go(lists):
        capacities.append(len(lists.first))
        done = run(neighbors=lists, update_neighbors=field.update)
        return done.state.positions, done.neighbors

    repeated = run_with_room(go, lambda n: field.neighbors(positions, cell, n), 20)
    assert len(capacities) == 2 and capacities[1] > int(lists.n_pairs)
    np.testing.assert_allclose(repeated, all_pairs.state.positions, atol=1e-9)


def replicas_of(argon, integrator, field, n=3):
    """Replicas at step −1, and what a segment needs to know of them."""
    positions, velocities, masses, cell = argon
    xs = jnp.broadcast_to(positions, (n, 32, 3))
    vs = jnp.stack([(0.6 + 0.2 * k) * velocities for k in range(n)])
    keys = jax.random.split(jax.random.key(0), n)
    state = new_state(integrator, xs, vs, masses, keys)
    return Segment(state, jnp.ones(n, bool), jnp.full(n, -1)), jnp.broadcast_to(cell, (n, 3, 3))


def go_on(field, segment, integrator, cells, last_step, record_every=5, reference=None):
    """Build lists, and run a segment with them; return it with its true number of records."""
    state = segment.state
    lists = jax.vmap(lambda x, c: field.neighbors(x, c, 700))(state.positions, cells)
    first = int(state.step) // record_every
    limits = Limits(last_step, state.positions, field.skin_A / 2, 2000.0)
    run = jax.jit(
        lambda segment, integrator, limits: simulate_segment(
            field, segment, integrator, 200, parameters=ARGON, cell=cells, neighbors=lists,
            limits=limits, record_every=record_every,
        )
    )  # fmt: skip
    segment, records, stale = run(segment, integrator, limits)
    n_records = int(segment.state.step) // record_every - first
    return segment, jax.tree.map(lambda rows: np.asarray(rows[:n_records]), records), bool(stale)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["langevin", "nose_hoover"])
def test_segments_with_new_lists_in_between_are_the_simulation(name, argon):
    field = LennardJones(cutoff_A=4.8, skin_A=0.3)
    integrator = make_integrator(name, 32, timestep_fs=4.0, temperature_K=80.0, relaxation_fs=80.0)
    segment, cells = replicas_of(argon, integrator, field)
    zero = make_integrator(name, 32, timestep_fs=0.0, temperature_K=80.0, relaxation_fs=80.0)
    segment, records, stale = go_on(field, segment, zero, cells, 0)
    assert segment.state.step == 0 and not stale and len(records.energy) == 1
    expected = simulate(
        field, segment.state, integrator, 100, parameters=ARGON, cell=cells, record_every=5
    )
    n_calls, parts = 0, []
    while segment.state.step < 100:
        before = int(segment.state.step)
        segment, records, stale = go_on(field, segment, integrator, cells, 100)
        assert stale == (segment.state.step < 100) and segment.state.step > before
        parts.append(records)
        n_calls += 1
    assert n_calls > 2 and segment.alive.all() and (segment.failed_step == -1).all()
    np.testing.assert_allclose(segment.state.positions, expected.state.positions, atol=1e-10)
    joined = jax.tree.map(lambda *rows: np.concatenate(rows), *parts)
    for new, old in zip(joined, expected.records, strict=True):
        np.testing.assert_allclose(new, old, atol=1e-9)
    baths = (jax.tree.leaves(run.state.thermostat) for run in (segment, expected))
    for new, old in zip(*baths, strict=True):
        np.testing.assert_allclose(new, old, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil",
    [
        lambda velocities: velocities.at[1].multiply(8.0),  # above 2000 K
        lambda velocities: velocities.at[1, 3, 0].set(1.0),  # 4 Å in one step
        lambda velocities: velocities.at[1, 3, 0].set(np.nan),
    ],
)
def test_a_replica_that_blows_up_stands_still_and_the_others_do_not_notice(spoil, argon):
    field = LennardJones(cutoff_A=4.8, skin_A=0.4)
    integrator = make_integrator("none", 32, timestep_fs=4.0)
    zero = make_integrator("none", 32, timestep_fs=0.0)
    calm, cells = replicas_of(argon, integrator, field)
    calm, _, _ = go_on(field, calm, zero, cells, 0)
    spoiled = calm.state._replace(velocities=spoil(calm.state.velocities))
    after, records, stale = go_on(
        field, calm._replace(state=spoiled), integrator, cells, 5, record_every=1
    )
    _, expected, _ = go_on(field, calm, integrator, cells, 5, record_every=1)
    assert after.alive.tolist() == [True, False, True] and not stale
    assert after.failed_step.tolist() == [-1, 1, -1] and after.state.step == 5
    np.testing.assert_array_equal(after.state.positions[1], calm.state.positions[1])
    for k in (0, 2):
        np.testing.assert_allclose(records.positions[:, k], expected.positions[:, k], atol=1e-12)
    assert np.isfinite(records.positions).all()
