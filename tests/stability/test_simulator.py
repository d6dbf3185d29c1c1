"""The simulator: replicas persist, unstable ones are rewound, failures count once."""

import numpy as np
import pytest
from ase.build import molecule

from helpers.errors import CheckpointError, ConfigError, PredictionError
from helpers.md import Monitor, RunSettings
from helpers.neural import NeuralCalculator, PotentialSettings, SchNetSettings, new_potential
from helpers.stability import BondStretch, Simulator

N_REPLICAS = 6
NETWORK = SchNetSettings(cutoff_A=4.0, channels=4, interactions=1, n_gaussians=6)
KIND = PotentialSettings("schnet", NETWORK, ("H", "O"), (-13.0, -400.0), 1.0, "float64")
LOOSE = Monitor(0.01, 100.0, 0.01, 1e6, 1e9)
SETTINGS = RunSettings(
    steps=20,
    timestep_fs=1.0,
    temperature_K=800.0,
    thermostat="langevin",
    relaxation_fs=20.0,
    record_every=5,
    monitor=LOOSE,
)
STRETCH = BondStretch.of_frames([molecule("H2O")], limit=2.3)


def simulator(criteria=(STRETCH,), settings=SETTINGS, seed=1):
    """Water with a network that never learned anything: some molecules break soon."""
    calculator = NeuralCalculator(new_potential(KIND, seed))
    starts = [molecule("H2O")] * N_REPLICAS
    return Simulator(calculator, starts, range(N_REPLICAS), criteria, settings)


@pytest.fixture(scope="module")
def runs():
    """Five windows with a criterion, and the same without."""
    judged, free = simulator(), simulator(())
    states = [judged._engine.state()]
    windows, without = [], []
    for _ in range(5):
        windows.append(judged.run_window())
        states.append(judged._engine.state())
        without.append(free.run_window())
    return judged, windows, states, without


def test_unstable_replicas_are_rewound_and_the_others_are_not_disturbed(runs):
    _, windows, states, without = runs
    always = np.all([window.stable[-1] for window in windows], axis=0)
    assert always.any() and not always.all()  # both kinds are there
    for window, before, after, free in zip(windows, states, states[1:], without, strict=False):
        for replica, stable in enumerate(window.stable[-1]):
            end = after["positions"][replica]
            expected = window.records.positions_A[-1] if stable else before["positions"]
            np.testing.assert_array_equal(end, expected[replica])
        np.testing.assert_array_equal(
            window.records.positions_A[:, always], free.records.positions_A[:, always]
        )
        stretch = STRETCH(window.records)
        assert (stretch[window.stable] <= STRETCH.limit).all()
        for replica in window.failures["replica"]:
            first = np.argmin(window.stable[:, replica])
            assert stretch[first, replica] > STRETCH.limit


def test_the_first_failure_counts_and_stays(runs):
    judged, windows, _, _ = runs
    survival = judged.survival().set_index("replica")
    for replica in range(N_REPLICAS):
        times = [
            float(time_fs)
            for window in windows
            for number, time_fs in zip(
                window.failures["replica"], window.failures["time_fs"], strict=True
            )
            if number == replica
        ]
        row = survival.loc[replica]
        assert row["failed"] == bool(times)
        assert row["time_fs"] == (times[0] if times else 100.0)
    assert set(survival.loc[survival["failed"], "criterion"]) == {"bond_stretch_A"}
    assert [row["unstable"] for row in judged.log] == [len(w.failures) for w in windows]


def test_a_rewound_replica_goes_another_way(runs):
    _, windows, _, _ = runs
    number = next(k for k, window in enumerate(windows) if len(window.failures))
    once, again = windows[number : number + 2]
    for replica in once.failures["replica"]:
        first, second = (w.records.positions_A[-1, replica] for w in (once, again))
        assert np.abs(first - second).max() > 1e-3


def test_the_temperature_is_what_was_asked_for():
    judged = simulator(())
    for _ in range(6):
        judged.run_window()
    rows = judged.log[1:]
    mean = np.mean([row["temperature_K"] for row in rows])
    error = np.mean([row["temperature_error_K"] for row in rows]) / np.sqrt(len(rows))
    assert error < 0.2 * SETTINGS.temperature_K
    assert mean == pytest.approx(SETTINGS.temperature_K, abs=4 * error)


def test_going_on_from_a_file_gives_the_unbroken_run(runs, tmp_path):
    judged, windows, _, _ = runs
    first = simulator()
    for _ in range(2):
        first.run_window()
    path = first.save(tmp_path / "replicas.npz")
    second = simulator()
    second.restore(path)
    for window in windows[2:]:
        np.testing.assert_array_equal(
            second.run_window().records.positions_A, window.records.positions_A
        )
    assert second.survival().equals(judged.survival()) and second.log == judged.log
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="replicas.npz is damaged"):
        second.restore(path)


def test_another_potential_acts_from_the_next_step_on():
    judged, other = simulator(()), new_potential(KIND, 2)
    judged.run_window()
    judged.set_potential(other)
    state = judged._engine.state()
    atoms = molecule("H2O")
    atoms.positions = state["positions"][3]
    energy, forces = NeuralCalculator(other).predict_frames([atoms])[0]
    np.testing.assert_allclose(state["forces"][3], forces, atol=1e-10)
    records = judged.run_window().records
    atoms.positions = records.positions_A[-1, 3]
    energy, _ = NeuralCalculator(other).predict_frames([atoms])[0]
    assert records.potential_eV[-1, 3] == pytest.approx(energy, abs=1e-9)


def test_replicas_that_the_engine_gives_up_are_rewound_too():
    hot = SETTINGS.replace(monitor=Monitor(0.01, 100.0, 0.01, 1200.0, 1e9))
    judged = simulator((), hot)
    window = judged.run_window()
    assert set(window.failures["criterion"]) == {"blown_up"}
    assert judged._engine.state()["alive"].all()
    judged.run_window()
    assert judged.time_fs == 40.0


def test_what_cannot_be_run_is_refused():
    calculator = NeuralCalculator(new_potential(KIND))
    with pytest.raises(ConfigError, match="2 seeds for 1 starts"):
        Simulator(calculator, [molecule("H2O")], [1, 2], (), SETTINGS)
    with pytest.raises(ConfigError, match="A window of 20 steps has no record at its end"):
        Simulator(calculator, [molecule("H2O")], [1], (), SETTINGS.replace(record_every=7))
    with pytest.raises(PredictionError, match="knows nothing about C"):
        Simulator(calculator, [molecule("CH4")], [1], (), SETTINGS)
