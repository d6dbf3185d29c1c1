"""Datasets on disk, settings by their published names, and trainings that go on after a stop."""

import itertools
import json
import os
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from helpers.coarse_grained.dataset import DatasetSettings, load_dataset, make_dataset
from helpers.coarse_grained.plots import LiveLoss
from helpers.coarse_grained.trainer import Trainer, _optimizer, load_pair
from helpers.coarse_grained.trainer_config import TrainerConfig, read_config
from helpers.coarse_grained.windows import Windows
from helpers.errors import CheckpointError, ConfigError, DataError, ModelFileError

pytestmark = pytest.mark.usefixtures("quickly_compiled")

SMALL = {"nn_depth": 1, "nn_width": 4, "orientations": False, "batch_length": 3, "batch_size": 8}
SMALL |= {"eval_batch_length": 3, "steps_per_record": 1, "epochs": 4, "epoch_windows": 16}
SMALL |= {"evaluation_freq": 1, "checkpoint_freq": 2, "stopping_freq": 1000, "core": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    settings = DatasetSettings(n_runs=4, duration=0.6, interval=0.02, timestep=0.01)
    return make_dataset(tmp_path_factory.mktemp("coarse") / "data", settings, progress=False)


@pytest.fixture(scope="module")
def straight(folder, tmp_path_factory):
    """A training of four epochs without a stop, its Trainer and its folder."""
    output = tmp_path_factory.mktemp("straight")
    trainer = Trainer(TrainerConfig(folder, **SMALL), output)
    return trainer, trainer.train(progress=False), output


def losses(training):
    return training.history[["epoch", "train_loss", "validation_loss"]].to_numpy()


@pytest.mark.slow
def test_dataset_on_disk(folder, tmp_path):
    dataset = load_dataset(folder)
    shapes = {split: runs.poses.shape for split, runs in dataset.splits.items()}
    assert shapes == {
        "train": (2, 31, 2, 7),
        "validation": (1, 31, 2, 7),
        "test": (1, 31, 2, 7),
    }
    runs = dataset.splits["train"]
    assert np.allclose(runs.times, 0.02 * np.arange(31))
    assert np.allclose(runs.momenta[..., :3].sum(2), 0, atol=1e-9)
    facts = json.loads((folder / "dataset.json").read_text())
    assert len(facts["sha256"]) == 4 and facts["body"]["inertia"] == pytest.approx([3, 3, 6])
    again = make_dataset(tmp_path / "again", dataset.settings, progress=False)
    assert (again / "dataset.json").read_text() == (folder / "dataset.json").read_text()
    with pytest.raises(DataError, match="holds a dataset already"):
        make_dataset(folder, progress=False)
    run = again / "test" / "run_0003.npz"
    run.write_bytes(run.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"run_0003.npz is not what dataset.json says"):
        load_dataset(again)
    run.unlink()
    with pytest.raises(DataError, match=r"run_0003.npz is missing"):
        load_dataset(again)
    with pytest.raises(DataError, match="no dataset.*mlmd coarse-data"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"interval": 0.015, "timestep": 0.01}, "a multiple of timestep=0.01"),
        ({"n_runs": 2}, "at least 3"),
        ({"duration": 0.001}, "at least one interval"),
        ({"temperature": 1}, "no 'temperature'"),
    ],
)
def test_bad_datasets(settings, message):
    with pytest.raises(ConfigError, match=message):
        DatasetSettings(**settings)


@pytest.mark.slow
def test_windows(folder):
    dataset = load_dataset(folder)
    windows = Windows(dataset.splits["train"], dataset.settings.spring, "float64")
    assert len(windows.starts(3)) == 2 * 29
    poses, momenta = windows.cut(np.array([[1, 4]]), 3)
    assert np.array_equal(poses[0], dataset.splits["train"].poses[1, 4:7])
    assert momenta.shape == (1, 3, 2, 6)
    at = np.random.default_rng
    drawn = windows.draw(at(0), 3, shuffle=False, n_windows=5, contact_fraction=0)
    assert np.array_equal(drawn, [[0, k] for k in range(5)])
    drawn = windows.draw(at(0), 3, shuffle=True, n_windows=0, contact_fraction=0)
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, windows.starts(3)))
    touching = windows.touch(windows.starts(3), 3)
    assert 0 < touching.sum() < len(touching)
    n = int(touching.sum())
    drawn = windows.draw(at(0), 3, shuffle=True, n_windows=n, contact_fraction=1)
    assert windows.touch(drawn, 3).all()
    with pytest.raises(DataError, match="batch_length asks for windows of 32 points.*at most 31"):
        windows.check_length(32, "batch_length")


# ---------------------------------------------------------------------------------------------
# Settings


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("folder", 3, "the path of a dataset"),
        ("load_folder", 3, "a path, or None"),
        ("start_epoch", 5, "needs a load_folder"),
        ("device", "cuda", "'cpu' or 'gpu'"),
        ("dtype", "float16", "'float32' or 'float64'"),
        ("epochs", 0, "at least 1"),
        ("nn_depth", 1.5, "whole number"),
        ("nn_width", -1, "at least 1"),
        ("batch_length", 1, "at least 2"),
        ("eval_batch_length", 1, "at least 2"),
        ("batch_size", 0, "at least 1"),
        ("shuffle", 1, "True or False"),
        ("num_workers", -1, "at least 0"),
        ("optimizer", "adam", "'Adam' or 'AdamW'"),
        ("learning_rate", 0, "above 0"),
        ("scheduler", "Cosine", "'LambdaLR'"),
        ("scheduling_factor", 1.5, "at most 1"),
        ("scheduling_freq", 0, "at least 1"),
        ("loss_func", "energy", "'all' or 'final'"),
        ("itr_printing_freq", 0, "at least 1"),
        ("printing_freq", 0, "at least 1"),
        ("plotting_freq", 0, "at least 1"),
        ("stopping_freq", 0, "at least 1"),
        ("evaluation_freq", 0, "at least 1"),
        ("checkpoint_freq", 0, "at least 1"),
        ("activation_function", "relu", "'tanh' or"),
        ("contact_fraction", 2, "at most 1"),
        ("energy_scale", 0, "above 0"),
        ("gradient", "adjoint", "'checkpoint' or 'reversible'"),
        ("batchlength", 20, "did you mean 'batch_length'"),
    ],
)
def test_settings_that_cannot_be_used(key, value, message):
    with pytest.raises(ConfigError, match=message):
        TrainerConfig(**({"folder": "data"} | {key: value}))


def test_schedules():
    config = TrainerConfig("data", learning_rate=1.0, scheduling_factor=0.5, scheduling_freq=10)
    rates = [config.rate(epoch) for epoch in (1, 10, 11, 21)]
    assert rates == [1, 1, 0.5, 0.25]
    assert [config.replace(scheduler="ExponentialLR").rate(k) for k in (10, 11)] == [1, 0.5]
    assert config.replace(scheduler="None").rate(1000) == 1
    cyclic = config.replace(scheduler="CyclicLR")
    assert [cyclic.rate(k) for k in (1, 6, 11, 16, 21)] == [0.5, 0.75, 1, 0.75, 0.5]
    growing = config.replace(batch_length=5, batch_length_step=2, batch_length_freq=3)
    assert [growing.window_length(k) for k in (1, 3, 4, 7)] == [5, 5, 7, 9]


def test_settings_in_a_file(tmp_path):
    path = tmp_path / "config.json"
    config = TrainerConfig("data", nn_width=7)
    path.write_text(config.as_json())
    assert read_config(path) == config
    assert read_config(path, epochs=3).epochs == 3
    path.write_text('{"folder": "x", "learningrate": 1}')
    with pytest.raises(ConfigError, match="did you mean 'learning_rate'"):
        read_config(path)
    for text in ("[]", "{}", "{"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="is no configuration|is not JSON"):
            read_config(path)


# ---------------------------------------------------------------------------------------------
# Training


@pytest.mark.slow
def test_the_best_model_is_kept(straight):
    trainer, training, output = straight
    validation = training.history["validation_loss"]
    assert training.best_epoch == validation.idxmin() + 1
    pair, parameters = load_pair(training.model_path)
    assert pair.width == 4 and pair.core == 0.5 and not pair.orientations
    assert trainer.evaluate("validation", parameters) == pytest.approx(validation.min())
    assert training.test_loss == pytest.approx(trainer.evaluate("test", parameters))
    assert json.loads((output / "config.json").read_text())["nn_width"] == 4
    poses, momenta = trainer.predict("test", 0, 0, 3)
    true = trainer.dataset.splits["test"].poses[0, :3]
    assert np.array_equal(poses[0], true[0]) and np.abs(poses - true).max() < 0.1


@pytest.mark.slow
def test_going_on_gives_the_curve_of_one_training(straight, folder, tmp_path):
    """From load_folder and start_epoch, and with resume in the folder itself."""
    _, whole, output = straight
    config = TrainerConfig(folder, **SMALL | {"epochs": 2})
    later = Trainer(config.replace(load_folder=output, start_epoch=2), tmp_path / "later")
    assert np.array_equal(losses(later.train(progress=False)), losses(whole))
    Trainer(config, tmp_path / "own").train(progress=False)
    resumed = Trainer(config.replace(epochs=4), tmp_path / "own", resume=True)
    assert resumed.epoch == 2
    assert np.array_equal(losses(resumed.train(progress=False)), losses(whole))


def test_weights_alone_are_the_start_of_a_new_training(straight, folder, tmp_path):
    trainer, _, output = straight
    new = Trainer(TrainerConfig(folder, load_folder=output, **SMALL), tmp_path / "new")
    assert new.epoch == 0 and not new.history
    assert np.array_equal(new.parameters[0][0], trainer.best_parameters[0][0])


@pytest.mark.slow
def test_checkpoints_of_something_else(straight, folder, tmp_path):
    _, _, output = straight
    wide = SMALL | {"nn_width": 5, "load_folder": output}
    with pytest.raises(CheckpointError, match="another network.*nn_width=5.*nn_width=4"):
        Trainer(TrainerConfig(folder, start_epoch=2, **wide), tmp_path / "a")
    with pytest.raises(CheckpointError, match="2 → 5.*2 → 4"):
        Trainer(TrainerConfig(folder, **wide), tmp_path / "a")
    with pytest.raises(CheckpointError, match="no checkpoint of epoch 3.*one of the epochs 2, 4"):
        Trainer(TrainerConfig(folder, load_folder=output, start_epoch=3, **SMALL), tmp_path / "a")
    with pytest.raises(ModelFileError, match="no learned pair potential"):
        load_pair(output / "history.csv")


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"shuffle": False},
        {"seed": 1},
        {"learning_rate": 1e-4},
        {"contact_fraction": 1.0},
        {"scheduling_factor": 0.5, "scheduling_freq": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_settings_that_change_the_curve(straight, folder, tmp_path, changes):
    _, whole, _ = straight
    other = Trainer(TrainerConfig(folder, **SMALL | {"epochs": 2} | changes), tmp_path / "out")
    assert not np.allclose(losses(other.train(progress=False))[:2, 1], losses(whole)[:2, 1])


@pytest.mark.slow  # each is compiled for itself
@pytest.mark.parametrize(
    "changes",
    [
        {"loss_func": "final"},
        {"nn_depth": 2},
        {"activation_function": "sigmoid"},
        {"orientations": True},
        {"steps_per_record": 2},
        {"core": 1.8},
        {"energy_scale": 3.0},
        {"dtype": "float32"},
    ],
    ids=str,
)
def test_settings_that_change_the_program(straight, folder, tmp_path, changes):
    """The loss before any training is another one; so no gradient has to be compiled."""
    trainer, _, _ = straight
    other = Trainer(TrainerConfig(folder, **SMALL | changes), tmp_path / "out")
    loss, untrained = other.evaluate(), Trainer(trainer.config, tmp_path / "same").evaluate()
    assert np.isfinite(loss) and loss != untrained
    if "dtype" in changes:
        assert other.parameters[0][0].dtype == np.float32
        assert loss == pytest.approx(untrained, rel=0.3)  # other random weights


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "LBFGS"},
        {
            "dtype": "float32",
            "loss_func": "final",
            "activation_function": "sigmoid",
            "orientations": True,
        },
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_settings_train(folder, tmp_path, changes):
    config = TrainerConfig(folder, **SMALL | {"epochs": 1, "batch_length": 4} | changes)
    training = Trainer(config, tmp_path).train(progress=False)
    assert np.isfinite(losses(training)).all() and list(training.history["batch_length"]) == [4]


def test_optimizers():
    """Each goes downhill by steps of its own, along gradients that are clipped."""
    place, slopes, steps = np.array([0.3, -0.2]), np.array([[0.5, -0.1], [2.0, -0.5]]), {}
    for name in ("Adam", "AdamW", "SGD", "RMSProp", "NAdam", "RAdam"):
        optimizer = _optimizer(TrainerConfig("data", optimizer=name, gradient_clip=1.0))
        state, update = optimizer.init(place), jax.jit(optimizer.update)
        for slope in slopes:
            change, state = update(slope, state, place)
        steps[name] = np.asarray(change)
        assert (steps[name] * slopes[1] < 0).all(), name
    for one, other in itertools.combinations(steps.values(), 2):
        assert not np.allclose(one, other, rtol=1e-6)
    assert steps["SGD"] == pytest.approx(-slopes[1] / np.linalg.norm(slopes[1]))  # clipped
    assert steps["AdamW"] - steps["Adam"] == pytest.approx(-0.01 * place)


@pytest.mark.slow
def test_how_often(straight, folder, tmp_path, capsys):
    """Printing, evaluation, checkpoints, plots; and what has no effect is said."""
    often = {"itr_printing_freq": 1, "printing_freq": 2, "plotting_freq": 2, "num_workers": 2}
    with pytest.warns(UserWarning, match="num_workers has no effect"):
        trainer = Trainer(
            TrainerConfig(folder, **SMALL | often | {"evaluation_freq": 3, "checkpoint_freq": 3}),
            tmp_path / "out",
        )
    drawn = []
    live = LiveLoss(tmp_path / "loss.png")
    training = trainer.train(draw=lambda trainer: (drawn.append(trainer.epoch), live(trainer)))
    text = capsys.readouterr().out
    assert text.count("batch 1 of 2") == 4 and text.count("points a window") == 2
    assert drawn == [2, 4] and (tmp_path / "loss.png").stat().st_size > 10_000
    checked = training.history["validation_loss"].notna()
    assert list(training.history["epoch"][checked]) == [3, 4]
    names = sorted(path.name for path in (tmp_path / "out" / "checkpoints").iterdir())
    assert names == ["epoch_000003.npz", "epoch_000004.npz"]


@pytest.mark.slow
def test_it_stops_when_the_loss_grows_or_is_no_number(straight, folder, tmp_path):
    config = TrainerConfig(folder, **SMALL | {"stopping_freq": 1, "learning_rate": 0.3})
    rising = Trainer(config, tmp_path / "rising")
    rising._last_check = 1e-9
    training = rising.train(progress=False)
    assert "grew until epoch 1" in training.stopped and training.best_epoch == 1
    broken = Trainer(config.replace(learning_rate=1e300), tmp_path / "broken")
    training = broken.train(progress=False)
    assert training.stopped.startswith("NaN: the loss of batch")
    _, parameters = load_pair(training.model_path)
    assert all(np.isfinite(x).all() for layer in parameters for x in layer)


def test_windows_longer_than_the_runs(folder, tmp_path):
    with pytest.raises(DataError, match="batch_length asks for windows of 41"):
        config = {"batch_length": 5, "batch_length_step": 12, "epochs": 4}
        Trainer(TrainerConfig(folder, **SMALL | config), tmp_path / "out")
    with pytest.raises(DataError, match="eval_batch_length asks for windows of 99"):
        Trainer(TrainerConfig(folder, **SMALL | {"eval_batch_length": 99}), tmp_path / "out")


@pytest.mark.slow  # a process of its own, which is killed
def test_a_killed_training_goes_on(straight, folder, tmp_path):
    _, whole, _ = straight
    config = tmp_path / "config.json"
    config.write_text(TrainerConfig(folder, **SMALL | {"checkpoint_freq": 1}).as_json())
    command = [sys.executable, "-m", "helpers.cli", "coarse", "--config", config, "--no-progress"]
    command += ["--output", tmp_path / "out"]
    process = subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE)
    while not list(tmp_path.glob("out/checkpoints/*.npz")) and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.wait()
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    assert done.returncode == 0 and "best epoch" in done.stdout, done.stderr
    table = np.genfromtxt(tmp_path / "out" / "history.csv", delimiter=",", names=True)
    assert np.allclose(table["train_loss"], whole.history["train_loss"], rtol=1e-5)
