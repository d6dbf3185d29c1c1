"""Judging a run: made-up runs whose answer is known."""

import numpy as np
import pytest

from helpers.errors import DataError
from helpers.md import quality
from helpers.md.integrators import maxwell_boltzmann


@pytest.fixture
def thermal(frames10, made_up):
    """A run of 400 records whose velocities are drawn anew each time, at 300 K."""
    start, rng = frames10[0], np.random.default_rng(0)
    masses = start.get_masses()
    velocities = np.array(
        [maxwell_boltzmann(masses, 300, rng.standard_normal((len(masses), 3))) for _ in range(400)]
    )
    positions = np.repeat(start.positions[None], 400, 0)
    return made_up(start, positions, velocities, 10.0)


def with_energy(run, per_atom_meV):
    """Let the total energy be what is given, meV/atom."""
    from dataclasses import replace

    total = np.asarray(per_atom_meV) * len(run.start) / 1000
    return replace(run, potential_eV=total - run.kinetic_eV)


def test_the_error_of_a_mean_is_right_for_what_has_no_memory():
    values = np.random.default_rng(1).normal(5.0, 2.0, 4000)
    found = quality.block_mean(values, 40)
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(2.0 / np.sqrt(4000), rel=0.3)


def test_memory_makes_the_error_larger():
    rng = np.random.default_rng(2)
    values = np.zeros(20000)
    for k in range(1, len(values)):  # memory of some 50 values
        values[k] = 0.98 * values[k - 1] + rng.normal()
    naive = values.std() / np.sqrt(len(values))
    assert quality.block_mean(values, 20).error > 4 * naive


def test_the_drift_is_found_through_an_oscillation(thermal):
    times_ps = thermal.times_fs / 1000
    energy = 0.7 * times_ps + 0.3 * np.sin(2 * np.pi * times_ps / 0.11)
    drift = quality.energy_drift(with_energy(thermal, energy))
    assert abs(drift.value - 0.7) < 3 * drift.error and drift.error < 0.05
    still = quality.energy_drift(with_energy(thermal, energy - 0.7 * times_ps))
    assert abs(still.value) < 3 * still.error


def test_the_fluctuation_of_the_energy_leaves_the_drift_out(thermal):
    rng = np.random.default_rng(3)
    energy = 5.0 * thermal.times_fs / 1000 + rng.normal(0, 0.2, 400)
    found = quality.energy_fluctuation_meV_per_atom(with_energy(thermal, energy))
    assert found == pytest.approx(0.2, rel=0.1)


def test_temperature_of_elements_and_canonical_fluctuation(thermal):
    table = quality.equipartition(thermal).set_index("element")
    assert table.index.tolist() == ["H", "O", "all"]
    assert table["n_atoms"].tolist() == [32, 16, 48]
    assert (abs(table["temperature_K"] - 300) < 3 * table["error_K"]).all()
    assert (table["error_K"] < 5).all()
    assert quality.canonical_fluctuation(thermal) == pytest.approx(np.sqrt(2 / 141))
    assert quality.temperature_fluctuation(thermal) == pytest.approx(np.sqrt(2 / 141), rel=0.15)


def test_elements_at_different_temperatures_are_told_apart(thermal):
    from dataclasses import replace

    velocities = thermal.velocities_A_per_fs.copy()
    velocities[:, thermal.start.symbols == "H"] *= np.sqrt(1.2)
    table = quality.equipartition(replace(thermal, velocities_A_per_fs=velocities))
    table = table.set_index("element")
    assert table.loc["H", "temperature_K"] == pytest.approx(360, rel=0.03)
    assert table.loc["O", "temperature_K"] == pytest.approx(300, rel=0.03)


def test_the_judgement_is_a_table_with_units(thermal):
    table = quality.summarize_run(with_energy(thermal, np.zeros(400))).set_index("quantity")
    assert table.loc["length", "value"] == pytest.approx(3.99)
    assert table.loc["drift of the energy", "value"] == pytest.approx(0, abs=1e-9)
    assert table.loc["mean temperature", "value"] == pytest.approx(300, rel=0.02)
    assert set(table["unit"]) == {"ps", "meV/atom/ps", "meV/atom", "K", "1"}


def test_a_short_run_has_no_errors(thermal):
    with pytest.raises(DataError, match="too short.*at least 20 records.*Found: 15"):
        quality.summarize_run(thermal.after(3850))


def test_an_estimate_shows_as_many_digits_as_it_knows():
    assert str(quality.Estimate(0.01742, 0.0039)) == "0.0174 ± 0.0039"
    assert str(quality.Estimate(301.26, 4.2)) == "301.3 ± 4.2"
    assert str(quality.Estimate(301.26, 42.0)) == "301 ± 42"


def test_uncertainty_grows_where_the_model_was_never_trained(tiny_fit, frames10, made_up):
    start = frames10[0]
    rattled = start.positions + np.random.default_rng(4).normal(0, 0.3, start.positions.shape)
    positions = np.array([start.positions, start.positions, rattled])
    run = made_up(start, positions, np.zeros_like(positions), 10.0)
    table = quality.uncertainty_along(run, tiny_fit.model_path, 3)
    assert table["time_fs"].tolist() == [0, 10, 20]
    mean, largest = table["mean_meV"].to_numpy(), table["largest_meV"].to_numpy()
    assert (largest >= mean).all() and mean[2] > 2 * mean[0]
    assert largest[0] == pytest.approx(quality.training_uncertainty([start], tiny_fit.model_path))
