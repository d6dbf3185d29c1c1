"""Descents and the checks before them; the three examples against their published tables."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest

from helpers.differentiable import (
    Fluid,
    HarmonicBonds,
    MixedLennardJones,
    angle_gradients,
    check_memory,
    check_start,
    descend,
    fit_angle,
    fit_sigma,
    fit_triangle,
    memory_needed_MB,
)
from helpers.errors import ConfigError, DataError
from helpers.jax_setup import double_precision
from helpers.md.integrators import make_integrator
from helpers.md.simulation import initialize


@pytest.fixture(autouse=True)
def _double_precision():
    with double_precision():
        yield


# θ (degrees), final distance (nm), loss (nm), gradient (nm/radian) as Molly.jl's documentation
# ("Differentiable simulation", specific interaction gradients) prints them, 20 epochs.
PUBLISHED = """
110.0 1.16 0.155 0.41 | 107.7 1.14 0.138 0.43 | 105.2 1.12 0.119 0.45 | 102.6 1.10 0.099 0.47
100.0 1.08 0.077 0.49 | 97.2 1.05 0.049 0.71 | 93.1 1.01 0.012 0.52 | 90.1 0.98 0.015 -0.54
93.2 1.01 0.013 0.52 | 90.2 0.99 0.015 -0.54 | 93.3 1.01 0.014 0.52 | 90.3 0.99 0.014 -0.54
93.4 1.01 0.015 0.52 | 90.4 0.99 0.013 -0.54 | 93.5 1.02 0.016 0.52 | 90.5 0.99 0.012 -0.54
93.6 1.02 0.016 0.52 | 90.6 0.99 0.011 -0.53 | 93.7 1.02 0.017 0.52 | 90.7 0.99 0.010 -0.53
"""


@pytest.mark.slow  # compiles a simulation with its gradient: 5 s
def test_the_angle_follows_the_published_table_to_the_printed_digits():
    rows = [row.split() for row in PUBLISHED.replace("\n", "|").split("|") if row.strip()]
    published = np.array(rows, float)
    result = fit_angle()
    table = result.table
    ours = table[["angle_deg", "distance_nm", "loss", "gradient.angle"]].to_numpy()
    for column, digits in enumerate((1, 2, 3, 2)):
        np.testing.assert_array_equal(ours[:, column].round(digits), published[:, column])
    assert result.units["angle_deg"] == "degrees" and result.steps_per_second > 0


@pytest.mark.slow  # 60 angles at once: 4 s
def test_the_gradient_points_to_the_right_angle_from_both_sides():
    table = angle_gradients(np.arange(3, 181, 3)).set_index("angle_deg")
    slope = table["gradient_nm_per_radian"]
    assert (slope.loc[30:90] < 0).all() and (slope.loc[93:150] > 0).all()
    assert table["loss_nm"].idxmin() in (90, 93)


@pytest.mark.slow  # 5 s
def test_a_network_makes_a_triangle():
    """Ten seeds end within 0.952 and 1.050 (`benchmarks/differentiable.py --examples`)."""
    result = fit_triangle(seed=7, epochs=20)
    side = result.table["side_nm"]
    assert side.iloc[0] < 0.8 and abs(side.iloc[-1] - 1) < 0.05


@pytest.mark.slow  # 50 atoms, 500 steps: 6 s
def test_the_gradient_of_the_fluid_is_that_of_finite_differences():
    fluid = Fluid()
    draw = fluid.draw(0)
    loss = jax.jit(lambda sigma: fluid.loss(sigma, draw)[0])
    gradient = jax.jit(jax.grad(lambda sigma: fluid.loss(sigma, draw, checkpoint_every=1)[0]))(0.45)
    h = 1e-7  # larger steps meet atoms that cross the cutoff, where the energy jumps
    assert gradient == pytest.approx(float(loss(0.45 + h) - loss(0.45 - h)) / (2 * h), rel=1e-5)


@pytest.mark.slow
def test_what_cannot_go_well_is_told_before_the_run():
    field = MixedLennardJones(None)
    argon = {"epsilon_eV": 0.0103, "sigma_A": 3.4}
    x = jnp.array([[0.0, 0, 0], [3.8, 0, 0], [0, 3.8, 0]])

    def check(positions, velocities=0 * x, dt=4.0, parameters=argon):
        integrator = make_integrator("none", 3, timestep_fs=dt)
        masses = np.full(3, 39.9)
        start = initialize(
            field, integrator, positions, velocities, masses, None, parameters=parameters
        )
        return check_start(field, start, integrator, parameters=parameters)

    assert 0.005 < check(x) < 0.3
    with pytest.raises(DataError, match="Atoms 0 and 1 overlap.*0.1 Å"):
        check(x.at[1].set([0.1, 0, 0]))
    with pytest.raises(DataError, match="positions of atom 2 are not finite"):
        check(x.at[2, 1].set(jnp.nan))
    with pytest.raises(DataError, match="velocities of atom 1"):
        check(x, (0 * x).at[1, 0].set(jnp.inf))
    with pytest.raises(DataError, match="timestep_fs=900 is too long.*at most .* fs"):
        check(x, dt=900.0)
    with pytest.raises(DataError, match="Energy or forces"):
        check(x, parameters={"epsilon_eV": np.nan, "sigma_A": 3.4})


@pytest.mark.slow
def test_the_longest_time_step_is_right():
    """A bond: ω = √(k/μ), and velocity Verlet is stable up to ω Δt = 2."""
    field = HarmonicBonds([[0, 1]])
    parameters = {"stiffness_eV_per_A2": 30.0, "length_A": 1.0}
    integrator = make_integrator("none", 2, timestep_fs=1.0)
    masses = np.array([1.0, 16.0])
    x = jnp.array([[0.0, 0, 0], [1.0, 0, 0]])
    start = initialize(field, integrator, x, 0 * x, masses, None, parameters=parameters)
    from ase import units

    omega_dt = np.sqrt(30.0 / (16 / 17)) * units.fs
    assert check_start(field, start, integrator, parameters=parameters) == pytest.approx(omega_dt)


def test_a_descent_warns_of_parameters_that_do_not_matter_and_stops_at_nan():
    def loss(parameters, draw):
        return (parameters["a"] - draw) ** 2, {"a": parameters["a"]}

    start = {"a": 0.0, "b": 1.0}
    with pytest.warns(UserWarning, match="does not depend on b:"):
        result = descend(loss, start, optax.sgd(0.25), [1.0] * 6, steps=1, units={"a": "m"})
    assert result.table["a"].iloc[:2].tolist() == [0.0, 0.5]
    assert result.parameters["a"] == pytest.approx(1 - 0.5**6) and result.units["a"] == "m"
    with pytest.raises(DataError, match="Epoch 2.*nan.*shorter time step"):
        descend(loss, {"a": 0.0}, optax.sgd(0.25), [1.0, np.nan], steps=1)


@pytest.mark.slow  # compiles six gradients: 4 s
def test_memory_is_told_beforehand_with_the_interval_that_fits(monkeypatch):
    needed = memory_needed_MB(lambda x: jnp.sort(jnp.outer(x, x)).sum(0), jnp.ones(1000))
    assert 7 < needed < 40  # a million numbers, once or a few times
    fluid = Fluid(n_atoms=10)
    draw = fluid.draw(0)

    def gradient(every):
        return jax.grad(lambda sigma: fluid.loss(sigma, draw, checkpoint_every=every)[0])

    plain = check_memory(gradient, (0.45,), steps=500)
    saving = memory_needed_MB(gradient(22), 0.45)
    assert saving < 0.2 * plain
    with pytest.raises(ConfigError, match=r"checkpoint_every=22, which needs") as told:
        check_memory(gradient, (0.45,), steps=500, available_MB=0.5 * plain)
    assert f"{saving:.3g} MB" in str(told.value)
    with pytest.raises(ConfigError, match="simulate_reversibly"):
        check_memory(gradient, (0.45,), steps=500, available_MB=0.5 * saving)
    monkeypatch.setattr("helpers.differentiable.descent.free_memory_MB", lambda: 1e-6)
    with pytest.raises(ConfigError, match="MB of memory.*checkpoint_every=22"):
        descend(lambda p, d: (p * d, {}), 1.0, optax.sgd(0.1), [jnp.ones(())] * 2, steps=500)


def test_settings_of_the_fits_that_cannot_be_used():
    for settings, message in (
        ({"n_atoms": 1}, "n_atoms=1"),
        ({"timestep_fs": 0}, "timestep_fs=0"),
        ({"temperature_K": -1.0}, "temperature_K=-1"),
        ({"steps": 2.5}, "steps=2.5"),
    ):
        with pytest.raises(ConfigError, match=message):
            Fluid(**settings)
    with pytest.raises(ConfigError, match="no thermostat 'berendson'.*did you mean 'berendsen'"):
        fit_sigma(fluid=Fluid(thermostat="berendson"))
    with pytest.raises(ConfigError, match="starts_per_epoch=0"):
        fit_sigma(starts_per_epoch=0)
    with pytest.raises(DataError, match="atoms 20 Å apart do not fit"):
        fit_sigma(fluid=Fluid(apart_nm=2.0))
    with pytest.raises(DataError, match="timestep_fs=40000 is too long.*at most .* fs"):
        fit_sigma(fluid=Fluid(timestep_fs=40_000.0))


@pytest.mark.slow  # compiles a gradient for a batch: 5 s
def test_a_batch_of_seeds_follows_the_mean_of_their_gradients():
    fluid = Fluid(n_atoms=10, steps=40)
    batch = fit_sigma(epochs=2, starts_per_epoch=4, fluid=fluid)
    again = fit_sigma(epochs=2, starts_per_epoch=4, fluid=fluid)
    pd.testing.assert_frame_equal(batch.table, again.table)  # deterministic from its seed
    draws = [fluid.draw(2 * run) for run in range(4)]  # those of the first epoch
    slope = jax.jit(jax.grad(lambda sigma, draw: fluid.loss(sigma, draw)[0]))
    mean = np.mean([slope(0.6 / 2 ** (1 / 6), draw) for draw in draws])
    assert batch.table["gradient.sigma_nm"].iloc[0] == pytest.approx(mean, rel=1e-9)


EXAMPLES = Path(__file__).parents[2] / "benchmarks" / "differentiable_examples.csv"


def test_the_examples_arrive_from_all_seeds():
    """Stored by ``benchmarks/differentiable.py --examples``: ten seeds of each."""
    table = pd.read_csv(EXAMPLES)
    ends = {name: rows["end"].to_numpy() for name, rows in table.groupby("fit")}
    sigma = ends["σ, published"]
    assert len(sigma) == 10 and np.abs(sigma - 0.5 / 2 ** (1 / 6)).max() < 0.02
    for name in ("triangle, published", "triangle, decaying rate"):
        assert len(ends[name]) == 10 and np.abs(ends[name] - 1).max() < 0.05
    assert abs(ends["angle, decaying rate"][0] - 91.17) < 0.1
