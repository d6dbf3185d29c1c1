"""Compiled molecular dynamics: physics, reproducible runs, and replicas that blow up alone."""

import numpy as np
import pytest

from helpers import load_potential
from helpers.errors import ConfigError
from helpers.gap.jax.verlet_list import VerletList
from helpers.md.compiled_engine import CompiledEngine
from helpers.md.integrators import maxwell_boltzmann
from helpers.md.lennard_jones import LennardJones
from helpers.md.monitor import Monitor
from helpers.md.runs import run_nve, run_nvt, run_replicas
from helpers.md.settings import THERMOSTATS
from helpers.md.trajectory import A_PER_FS

pytestmark = pytest.mark.usefixtures("quickly_compiled")

# The tiny model is good enough for mechanics, not for water: only numbers and heat stop it.
LOOSE = Monitor(0.1, 9, 0.1, 2000, 1e6)
QUIET = {"progress": False, "monitor": LOOSE}


@pytest.fixture(scope="module")
def potential(tiny_fit):
    return load_potential(tiny_fit.model_path, engine="jax")


@pytest.fixture
def water(frames10):
    return frames10[5]


@pytest.mark.slow
def test_energy_is_conserved_and_records_are_where_they_should_be(potential, water):
    before = water.positions.copy()
    run = run_nve(potential, water, steps=205, temperature_K=200, seed=4, record_every=10, **QUIET)
    np.testing.assert_allclose(run.times_fs, 5.0 * np.arange(21))
    assert run.positions_A.shape == (21, 48, 3)
    np.testing.assert_array_equal(run.positions_A[0], water.positions)
    np.testing.assert_array_equal(water.positions, before)
    assert run.stable and not run.interrupted and run.engine == "compiled"
    assert np.ptp(run.total_eV) < 0.02 * np.ptp(run.kinetic_eV) + 1e-3
    momentum = np.einsum("a,tax->tx", water.get_masses(), run.velocities_A_per_fs)
    assert np.abs(momentum).max() < 1e-10
    for time, atoms in zip((0, 20), (run.frames()[0], run.frames()[20]), strict=True):
        atoms.calc = potential
        assert atoms.get_potential_energy() == pytest.approx(run.potential_eV[time], abs=1e-7)
        assert atoms.get_kinetic_energy() == pytest.approx(run.kinetic_eV[time], abs=1e-9)


@pytest.mark.slow
def test_a_run_is_that_of_ase(potential, water):
    from ase import units
    from ase.md.verlet import VelocityVerlet

    run = run_nve(potential, water, steps=20, temperature_K=300, record_every=20, **QUIET)
    atoms = run.frames()[0]
    atoms.calc = potential
    VelocityVerlet(atoms, 0.5 * units.fs).run(20)
    np.testing.assert_allclose(run.positions_A[-1], atoms.positions, atol=1e-9)


@pytest.mark.slow
def test_old_lists_are_never_used(potential, water, monkeypatch):
    options = {"steps": 60, "temperature_K": 300, "record_every": 20, **QUIET}
    build, builds = VerletList.build, []
    monkeypatch.setattr(VerletList, "build", lambda *what: (builds.append(1), build(*what)))
    often = run_nve(potential, water, skin_A=0.1, **options)
    n_often = len(builds)
    seldom = run_nve(potential, water, skin_A=0.6, **options)
    assert n_often > 2 * (len(builds) - n_often)
    np.testing.assert_allclose(often.positions_A, seldom.positions_A, atol=1e-9)


@pytest.mark.slow
def test_the_same_seed_is_the_same_run_and_a_replica_is_the_single_run(potential, water):
    options = {"steps": 40, "temperature_K": 300, "thermostat": "langevin", "relaxation_fs": 20}
    options |= QUIET
    one, same = (run_nvt(potential, water, seed=7, **options) for _ in range(2))
    np.testing.assert_array_equal(one.positions_A, same.positions_A)
    np.testing.assert_array_equal(one.velocities_A_per_fs, same.velocities_A_per_fs)
    batch = run_replicas(potential, water, seeds=[3, 7], **options)
    assert len(batch) == 2 and batch.stable.all()
    np.testing.assert_allclose(batch[1].positions_A, one.positions_A, atol=1e-10)
    assert np.abs(batch[0].positions_A[-1] - one.positions_A[-1]).max() > 1e-3


@pytest.mark.slow
def test_a_thermostat_heats_to_its_temperature(potential, water):
    batch = run_replicas(
        potential,
        water,
        seeds=[1, 2],
        steps=150,
        temperature_K=300,
        thermostat="bussi",
        relaxation_fs=5,
        record_every=1,
        **QUIET,
    )
    temperatures = [run.temperature_K[30:] for run in batch.runs]
    assert np.mean(temperatures) == pytest.approx(300, rel=0.1)


@pytest.mark.slow
def test_a_replica_that_blows_up_is_frozen_and_the_others_go_on(potential, water):
    hit = water.copy()  # one atom at 1 Å/fs: some 8000 K
    thermal = maxwell_boltzmann(
        water.get_masses(), 300, np.random.default_rng(0).standard_normal((len(water), 3))
    )
    for atoms in (water, hit):
        atoms.set_velocities(thermal * A_PER_FS)
    velocities = hit.get_velocities()
    velocities[1] = [A_PER_FS, 0, 0]
    hit.set_velocities(velocities)
    options = {"steps": 30, "record_every": 10, "seeds": [1, 2], **QUIET}
    options |= {"keep_velocities": True}
    batch = run_replicas(potential, [water, hit], **options)
    assert batch.stable.tolist() == [True, False]
    assert batch[1].stopped.startswith("it blew up at") and "2000 K" in batch[1].stopped
    assert len(batch[0].times_fs) == 4 and len(batch[1].times_fs) < 4
    assert np.isfinite(batch[1].positions_A).all()
    calm = run_replicas(potential, [water, water], **options)
    np.testing.assert_allclose(batch[0].positions_A, calm[0].positions_A, atol=1e-10)


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_computed(potential, water, monkeypatch):
    run = CompiledEngine.run

    def stop_later(self, end):
        if self.step >= 100:
            raise KeyboardInterrupt
        run(self, end)

    monkeypatch.setattr(CompiledEngine, "run", stop_later)
    kept = run_nve(potential, water, steps=400, temperature_K=100, record_every=25, **QUIET)
    assert kept.interrupted
    np.testing.assert_allclose(kept.times_fs, 12.5 * np.arange(len(kept.times_fs)))
    assert 4 <= len(kept.times_fs) < 17


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps=0 cannot be used"),
        ({"seeds": []}, "0 seeds for 0 atoms"),
        ({"seeds": [-1]}, "seed=-1 cannot be used.*at least 0"),
        ({"step": 5}, "RunSettings has no 'step'.*did you mean 'steps'"),
    ],
)
def test_options_that_cannot_be_used(options, message, potential, water):
    with pytest.raises(ConfigError, match=message):
        run_replicas(potential, water, **{"seeds": [1], "steps": 5, **QUIET, **options})


@pytest.mark.slow
@pytest.mark.parametrize("thermostat", THERMOSTATS)
def test_a_potential_of_our_own_runs_with_every_thermostat(thermostat, lj_everywhere, argon):
    """Where no random numbers are drawn the run is that of ASE, with new lists on the way."""
    settings = {"steps": 60, "temperature_K": 60, "timestep_fs": 4.0, "skin_A": 0.2, "seed": 2}
    settings |= {"progress": False}
    if thermostat != "none":
        settings |= {"thermostat": thermostat, "relaxation_fs": 40}
    run_one = run_nve if thermostat == "none" else run_nvt
    run = run_one(lj_everywhere, argon, **settings)
    assert run.stable and run.engine == "compiled" and run.thermostat == thermostat
    assert np.abs(run.positions_A - argon.positions).max() > 0.2  # twice what lists bear
    n_dof = 96 if thermostat in ("langevin", "andersen") else 93
    assert run.degrees_of_freedom == n_dof
    log = run.log()
    assert ("conserved_eV" in log) == (thermostat == "nose_hoover")
    if thermostat in ("none", "nose_hoover", "rescaling"):
        read_along = run_one(lj_everywhere, argon, engine="ase", **settings)
        np.testing.assert_allclose(read_along.positions_A, run.positions_A, atol=1e-8)
        later = slice(1, None) if thermostat == "rescaling" else slice(None)
        np.testing.assert_allclose(read_along.log()[later], log[later], atol=1e-6)
    if thermostat == "nose_hoover":
        assert np.ptp(log["conserved_eV"]) < 0.05 * np.ptp(log["total_eV"])


@pytest.mark.slow
@pytest.mark.parametrize("thermostat", ["nose_hoover", "bussi"])
def test_the_thermostat_goes_on_after_an_interruption(
    thermostat, lj_everywhere, argon, tmp_path, monkeypatch
):
    settings = {"steps": 250, "temperature_K": 60, "timestep_fs": 4.0, "skin_A": 0.2}
    settings |= {"thermostat": thermostat, "relaxation_fs": 40, "progress": False}
    whole = run_nvt(lj_everywhere, argon, **settings)
    run = CompiledEngine.run

    def interrupt(self, end):
        if self.step >= 100:
            raise KeyboardInterrupt
        run(self, end)

    monkeypatch.setattr(CompiledEngine, "run", interrupt)
    monkeypatch.setattr("helpers.md.checkpoint.CALLS_PER_PIECE", 1)
    broken = run_nvt(lj_everywhere, argon, output=tmp_path / "run", **settings)
    assert broken.interrupted
    monkeypatch.setattr(CompiledEngine, "run", run)
    resumed = run_nvt(lj_everywhere, argon, output=tmp_path / "run", resume=True, **settings)
    np.testing.assert_allclose(resumed.positions_A, whole.positions_A, atol=1e-8)
    np.testing.assert_allclose(resumed.log(), whole.log(), atol=1e-6)


@pytest.mark.slow
def test_all_segments_of_all_runs_are_compiled_once(lj_everywhere, argon, monkeypatch):
    evaluate, traces = LennardJones.__call__, []
    monkeypatch.setattr(
        LennardJones, "__call__", lambda *what: (traces.append(1), evaluate(*what))[1]
    )
    options = {"timestep_fs": 4.0, "skin_A": 0.2, "record_every": 7, **QUIET}
    run_nve(lj_everywhere, argon, steps=1, **options)
    n_traces = len(traces)  # of the step that finds the first forces
    assert n_traces > 0
    run_nvt(lj_everywhere, argon, steps=1, thermostat="langevin", **options)
    assert len(traces) == 2 * n_traces
    run_nve(lj_everywhere, argon, steps=230, temperature_K=50, **options)
    run_nvt(lj_everywhere, argon, steps=1, thermostat="langevin", relaxation_fs=7, **options)
    assert len(traces) == 2 * n_traces
