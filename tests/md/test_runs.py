"""run_nve and run_nvt: both engines, their files, going on after an interruption, bad input."""

from __future__ import annotations

import os
import resource

import numpy as np
import pandas as pd
import pytest
from ase.calculators.calculator import Calculator, all_changes
from ase.io import read

from helpers import load_potential, run_nve, run_nvt
from helpers.errors import (
    CheckpointError,
    ConfigError,
    ModelFileError,
    OutputError,
    PredictionError,
)
from helpers.md import checkpoint
from helpers.md.ase_engine import AseEngine
from helpers.md.compiled_engine import CompiledEngine
from helpers.md.settings import THERMOSTATS
from helpers.md.trajectory import LOG_COLUMNS

QUIET = {"progress": False}
BATHS = [name for name in THERMOSTATS if name != "none"]


@pytest.fixture(scope="module")
def potential(smallest_fit):
    return load_potential(smallest_fit.model_path, engine="jax")


@pytest.fixture
def water(frames10):
    return frames10[5]


@pytest.fixture
def interrupt(monkeypatch):
    """A function: let an engine be interrupted with Ctrl-C before it goes beyond a step."""

    def interrupt_at(engine, step):
        run = engine.run

        def stop(self, end):
            if self.step >= step:
                raise KeyboardInterrupt
            run(self, end)

        monkeypatch.setattr(engine, "run", stop)
        monkeypatch.setattr(checkpoint, "CALLS_PER_PIECE", 1)
        return lambda: monkeypatch.setattr(engine, "run", run)

    return interrupt_at


@pytest.mark.slow
def test_both_engines_go_the_same_way_and_log_the_same_columns(potential, water, loose):
    settings = {"steps": 24, "seed": 3, "monitor": loose, **QUIET}
    read_along = run_nve(potential, water, engine="ase", **settings)
    compiled = run_nve(potential, water, engine="compiled", **settings)
    assert list(read_along.log().columns) == list(LOG_COLUMNS)
    assert (read_along.engine, compiled.engine) == ("ase", "compiled")
    np.testing.assert_allclose(read_along.log(), compiled.log(), atol=1e-6)
    np.testing.assert_allclose(read_along.positions_A, compiled.positions_A, atol=1e-8)
    assert read_along.clock_s_per_step > 0 and compiled.clock_s_per_step > 0


@pytest.mark.slow
def test_a_number_is_a_validation_snapshot(potential, loose):
    from helpers import load_frames

    run = run_nve(potential, 7, steps=1, engine="ase", monitor=loose, **QUIET)
    assert np.array_equal(run.positions_A[0], load_frames("water", "validate")[7].positions)


def test_files_hold_what_was_recorded(argon, lj, tmp_path):
    run = run_nvt(
        lj, argon, steps=20, temperature_K=30, engine="ase", output=tmp_path / "r", **QUIET
    )
    assert sorted(os.listdir(tmp_path)) == ["r.log", "r.traj", "r.xyz"]
    table = pd.read_csv(tmp_path / "r.log", sep=r"\s+")
    assert list(table.columns) == list(LOG_COLUMNS)
    np.testing.assert_allclose(table, run.log(), atol=0.006)
    assert table["step"].tolist() == [0, 4, 8, 12, 16, 20]
    for name, digits in (("r.xyz", 1e-7), ("r.traj", 1e-12)):
        frames = read(tmp_path / name, ":")
        assert len(frames) == 6
        for k in (0, 5):
            np.testing.assert_allclose(frames[k].positions, run.positions_A[k], atol=digits)
            assert frames[k].info["time_fs"] == run.times_fs[k]
            kinetic = frames[k].get_kinetic_energy()
            assert kinetic == pytest.approx(run.kinetic_eV[k], rel=1e-5)
    assert frames[5].get_potential_energy() == pytest.approx(run.potential_eV[5])


@pytest.mark.parametrize("thermostat", BATHS)
def test_the_same_seed_is_the_same_run_with_ase(thermostat, argon, lj):
    settings = {
        "steps": 30,
        "temperature_K": 60,
        "engine": "ase",
        "thermostat": thermostat,
        **QUIET,
    }
    one, same, other = (run_nvt(lj, argon, seed=seed, **settings) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.positions_A, same.positions_A)
    assert np.abs(one.positions_A[-1] - other.positions_A[-1]).max() > 1e-3
    n_dof = 96 if thermostat in ("langevin", "andersen") else 93
    assert one.degrees_of_freedom == n_dof


@pytest.mark.parametrize("thermostat", BATHS)
def test_ase_reaches_the_temperature_of_the_bath(thermostat, argon, lj):
    settings = {"steps": 400, "timestep_fs": 2, "temperature_K": 40, "record_every": 2}
    settings |= {"thermostat": thermostat, "relaxation_fs": 30, "engine": "ase"}
    run = run_nvt(lj, argon, **settings, **QUIET)
    assert run.temperature_K[60:].mean() == pytest.approx(40, rel=0.1)


@pytest.mark.parametrize("thermostat", BATHS)
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened_ase(
    thermostat, argon, lj, tmp_path, interrupt
):
    settings = {
        "steps": 60,
        "temperature_K": 60,
        "engine": "ase",
        "thermostat": thermostat,
        **QUIET,
    }
    whole = run_nvt(lj, argon, output=tmp_path / "whole", **settings)
    go_on = interrupt(AseEngine, 30)
    broken = run_nvt(lj, argon, output=tmp_path / "broken", **settings)
    assert broken.interrupted and broken.times_fs[-1] == 14
    assert "broken.xyz" not in os.listdir(tmp_path) and "broken.parts" in os.listdir(tmp_path)
    go_on()
    resumed = run_nvt(lj, argon, output=tmp_path / "broken", resume=True, **settings)
    np.testing.assert_array_equal(resumed.positions_A, whole.positions_A)
    np.testing.assert_array_equal(resumed.log(), whole.log())
    assert (tmp_path / "broken.xyz").read_text() == (tmp_path / "whole.xyz").read_text()
    assert "broken.parts" not in os.listdir(tmp_path)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened_compiled(
    potential, smallest_fit, water, loose, tmp_path, interrupt
):
    settings = {"steps": 210, "monitor": loose, "temperature_K": 50, **QUIET}
    plain = run_nve(potential, water, **settings)
    go_on = interrupt(CompiledEngine, 100)
    run_nve(smallest_fit.model_path, water, output=tmp_path / "run", **settings)
    go_on()
    output = {"output": tmp_path / "run", **settings}  # another process would read the model anew
    resumed = run_nve(smallest_fit.model_path, water, resume=True, **output)
    whole = run_nve(smallest_fit.model_path, water, **output)
    np.testing.assert_array_equal(resumed.times_fs, whole.times_fs)
    np.testing.assert_array_equal(resumed.positions_A, whole.positions_A)
    np.testing.assert_array_equal(resumed.total_eV, whole.total_eV)
    np.testing.assert_allclose(plain.positions_A, whole.positions_A, atol=1e-7)


def test_another_run_is_not_taken_for_the_interrupted_one(argon, lj, tmp_path, interrupt):
    settings = {
        "steps": 60,
        "temperature_K": 60,
        "engine": "ase",
        "output": tmp_path / "r",
        **QUIET,
    }
    interrupt(AseEngine, 30)
    run_nvt(lj, argon, **settings)
    kept = sorted(os.listdir(tmp_path / "r.parts"))
    with pytest.raises(
        CheckpointError, match=r"r\.parts holds a run that was interrupted.*--resume"
    ):
        run_nvt(lj, argon, **settings)
    for change, words in (
        ({"seed": 9}, "Expected: seed = 0. Found: seed = 9"),
        ({"timestep_fs": 1.0}, "timestep_fs = 0.5"),
        ({"relaxation_fs": 50}, "relaxation_fs"),
    ):
        with pytest.raises(CheckpointError, match=f"holds another run.*{words}.*delete the folder"):
            run_nvt(lj, argon, resume=True, **{**settings, **change})
    (tmp_path / "r.parts" / kept[0]).write_bytes(b"PK half")
    with pytest.raises(CheckpointError, match="damaged.*delete"):
        run_nvt(lj, argon, resume=True, **settings)


def test_a_disk_that_fills_up_in_mid_run(argon, lj, small_disk, monkeypatch):
    monkeypatch.setattr(checkpoint, "CALLS_PER_PIECE", 1)
    disk = small_disk(100)
    settings = {"steps": 100, "temperature_K": 60, "engine": "ase", **QUIET}
    message = r"The run stopped at step \d+.*No space left.*free space.*resume=True.*are kept"
    with pytest.raises(OutputError, match=message):
        run_nvt(lj, argon, output=disk / "r", **settings)
    assert os.listdir(disk) == ["r.parts"] and len(os.listdir(disk / "r.parts")) >= 2


def test_after_a_disk_that_filled_up_the_run_goes_on(argon, lj, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "CALLS_PER_PIECE", 1)
    settings = {"steps": 100, "temperature_K": 60, "engine": "ase", **QUIET}
    whole = run_nvt(lj, argon, **settings)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    run, calls = AseEngine.run, []

    def fill_the_disk(self, end):
        calls.append(end)
        if len(calls) == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        run(self, end)

    monkeypatch.setattr(AseEngine, "run", fill_the_disk)
    try:
        with pytest.raises(
            OutputError, match="stopped at step 40.*File too large.*3 pieces so far"
        ):
            run_nvt(lj, argon, output=tmp_path / "r", **settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    resumed = run_nvt(lj, argon, output=tmp_path / "r", resume=True, **settings)
    np.testing.assert_array_equal(resumed.positions_A, whole.positions_A)
    assert sorted(os.listdir(tmp_path)) == ["r.log", "r.traj", "r.xyz"]


def test_a_run_that_leaves_the_limits_ends_there_and_is_kept(potential, water, tmp_path):
    run = run_nve(potential, water, steps=2000, temperature_K=900, output=tmp_path / "r", **QUIET)
    assert not run.stable and run.times_fs[-1] < 1000
    assert "two O atoms" in run.stopped or "O–H" in run.stopped or "blew up" in run.stopped
    assert len(read(tmp_path / "r.xyz", ":")) == len(run.times_fs)


def test_a_potential_that_gives_up_ends_the_run_with_its_words(argon):
    from ase.calculators.lj import LennardJones

    class Fragile(LennardJones):
        calls = 0

        def calculate(self, *what, **ever):
            Fragile.calls += 1
            if Fragile.calls > 5:
                raise PredictionError("no finite energy")
            super().calculate(*what, **ever)

    potential = Fragile(epsilon=0.0103, sigma=3.4, rc=5.0)
    run = run_nve(potential, argon, steps=20, engine="ase", record_every=1, **QUIET)
    assert run.stopped == "the potential gave up: no finite energy."
    assert len(run.times_fs) == 5


def overlap(atoms):
    atoms.positions[0] = atoms.positions[1] + [0, 0, 0.2]


def silicon(atoms):
    atoms.symbols[3] = "Si"


def not_a_number(atoms):
    atoms.positions[2, 1] = np.nan


@pytest.mark.parametrize("engine", ["ase", "compiled"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (overlap, "cannot start from these atoms.*move overlapping atoms apart"),
        (silicon, r"gap\.xml knows nothing about Si.*only H and O"),
        (not_a_number, "not finite numbers"),
    ],
)
def test_bad_atoms(engine, spoil, message, potential, water):
    spoil(water)
    with pytest.raises(PredictionError, match=message):
        run_nve(potential, water, steps=5, engine=engine, **QUIET)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps=0 cannot be used.*at least 1"),
        ({"steps": 10.5}, "steps=10.5"),
        ({"timestep_fs": 0}, "timestep_fs=0 cannot be used"),
        ({"timestep_fs": -0.5}, "timestep_fs=-0.5 cannot be used.*above 0"),
        ({"timestep_fs": 5.1}, "timestep_fs=5.1 is too long.*at most 5 fs.*femtoseconds"),
        ({"timestep_fs": float("nan")}, "timestep_fs=nan"),
        ({"temperature_K": 0}, "temperature_K=0 cannot be used"),
        ({"temperature_K": -300}, "temperature_K=-300 cannot be used"),
        ({"temperature_K": "warm"}, "temperature_K='warm'"),
        ({"record_every": 0}, "record_every=0"),
        ({"seed": -1}, "seed=-1 cannot be used.*at least 0"),
        ({"engine": "lammps"}, "no engine 'lammps'.*use one of ase, compiled"),
        ({"thermostat": "bussi"}, "no meaning at constant energy.*run_nvt"),
        ({"timestep": 1}, "RunSettings has no 'timestep'.*did you mean 'timestep_fs'"),
        ({"resume": True}, "nothing to resume.*give output"),
        ({"start": 60}, "no validation snapshot 60.*0 to 59"),
        ({"start": -1}, "no validation snapshot -1"),
    ],
)
def test_options_that_cannot_be_used(options, message, argon, lj):
    arguments = {"start": argon, "steps": 5, "engine": "ase", **QUIET, **options}
    with pytest.raises(ConfigError, match=message):
        run_nve(lj, arguments.pop("start"), **arguments)


def test_thermostats_that_do_not_exist(argon, lj):
    for name, message in (
        ("magic", "no thermostat 'magic'"),
        ("none", "no constant temp.*run_nve"),
    ):
        with pytest.raises(ConfigError, match=message):
            run_nvt(lj, argon, steps=5, thermostat=name, engine="ase", **QUIET)


def test_a_missing_model_or_folder(tmp_path, argon, lj):
    for engine in ("ase", "compiled"):
        with pytest.raises(ModelFileError, match="There is no model file .*train it first"):
            run_nve(tmp_path / "gap.xml", 0, steps=5, engine=engine, **QUIET)
    with pytest.raises(OutputError, match="no folder .*mkdir -p"):
        run_nve(lj, argon, steps=5, engine="ase", output=tmp_path / "none" / "r", **QUIET)


class Unsteady(Calculator):
    """A calculator of somebody else, which fails after some calls in a way of its own."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, good_calls):
        super().__init__()
        self.left = good_calls

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.left -= 1
        self.results = {"energy": 1 / max(self.left, 0), "forces": np.zeros((len(atoms), 3))}


def test_an_error_of_another_calculator_ends_the_run_with_a_reason(frames10):
    run = run_nve(Unsteady(4), frames10[0], steps=9, engine="ase", progress=False)
    assert "the potential gave up: ZeroDivisionError: division by zero" in run.stopped
    with pytest.raises(PredictionError, match="Unsteady gives no energy.*ZeroDivisionError"):
        run_nve(Unsteady(1), frames10[0], steps=9, engine="ase", progress=False)
