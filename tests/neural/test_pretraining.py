"""Pretraining: it learns, goes on where it was, stops where it must; settings are checked."""

from pathlib import Path

import equinox as eqx
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.morse import MorsePotential
from conftest import NETWORKS

from helpers.cli import main
from helpers.errors import CheckpointError, ConfigError, DataError
from helpers.evaluation import evaluate
from helpers.neural import (
    NeuralCalculator,
    PretrainConfig,
    Pretraining,
    load_neural,
    read_pretrain_config,
)

pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.fixture(scope="session")
def labeled_frames():
    """Two molecules of different sizes, distorted, labeled by a Morse potential."""
    rng = np.random.default_rng(3)
    frames = []
    for k in range(24):
        atoms = molecule(("H2O", "CH3OH")[k % 2])
        atoms.positions += 0.08 * rng.standard_normal(atoms.positions.shape)
        atoms.calc = MorsePotential(epsilon=2.0, r0=1.2, rho0=3.0, rcut1=3.0, rcut2=3.8)
        atoms.info["dft_energy"] = atoms.get_potential_energy() - 20.0 * len(atoms)
        atoms.arrays["dft_forces"] = atoms.get_forces()
        atoms.calc = None
        frames.append(atoms)
    return frames


def config_of(name="schnet", **changes):
    settings = {"epochs": 3, "batch_size": 8, "learning_rate": 5e-3, "dtype": "float64"}
    return PretrainConfig(name, NETWORKS[name], **(settings | changes))


def pretrain(config, frames, folder, **options):
    return Pretraining(config, frames[:20], frames[20:], folder, **options).run(progress=False)


@pytest.fixture(scope="module")
def result(labeled_frames, tmp_path_factory):
    return pretrain(config_of(epochs=60), labeled_frames, tmp_path_factory.mktemp("pretrained"))


def test_it_learns_frames_of_different_sizes(result, labeled_frames):
    loss = result.history["validation_loss"]
    assert loss.min() < 0.1 * loss.iloc[0]
    assert result.best_epoch == loss.idxmin() + 1


def test_errors_are_those_of_the_written_potential(result, labeled_frames):
    """Training, file, calculator and evaluation agree: there is one way out, in eV."""
    calculator = NeuralCalculator(load_neural(result.model_path), result.model_path)
    evaluation = evaluate(calculator, labeled_frames[20:])
    best = result.history.set_index("epoch").loc[result.best_epoch]
    errors = evaluation.rmse_energy_meV_per_atom, evaluation.rmse_forces_meV_per_A
    assert errors[0] == pytest.approx(best["validation_rmse_energy_meV_per_atom"], rel=1e-6)
    assert errors[1] == pytest.approx(best["validation_rmse_forces_meV_per_A"], rel=1e-6)


def test_a_resumed_training_ends_with_the_same_weights(labeled_frames, tmp_path):
    whole = pretrain(config_of(epochs=4), labeled_frames, tmp_path / "whole")
    pretrain(config_of(epochs=2), labeled_frames, tmp_path / "parts")
    resumed = pretrain(config_of(epochs=4), labeled_frames, tmp_path / "parts", resume=True)
    assert eqx.tree_equal(whole.potential, resumed.potential)
    assert whole.history.equals(resumed.history)
    with pytest.raises(CheckpointError, match="other settings.*batch_size: 8.*batch_size: 4"):
        pretrain(config_of(batch_size=4), labeled_frames, tmp_path / "parts", resume=True)
    with pytest.raises(CheckpointError, match="architecture: schnet.*architecture: painn"):
        pretrain(config_of("painn"), labeled_frames, tmp_path / "parts", resume=True)
    checkpoint = tmp_path / "parts" / "checkpoint.npz"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="checkpoint.npz is damaged"):
        pretrain(config_of(), labeled_frames, tmp_path / "parts", resume=True)


def test_numbers_that_are_not_finite_stop_it_and_the_state_is_kept(labeled_frames, tmp_path):
    config = config_of(learning_rate=1e200)
    result = pretrain(config, labeled_frames, tmp_path)
    assert result.stopped.startswith("not finite: the loss of step 2 of epoch 1")
    again = Pretraining(config, labeled_frames[:20], labeled_frames[20:], tmp_path, resume=True)
    weights = np.concatenate([np.ravel(x) for x in again._state.potential.network.embedding])
    assert np.isfinite(weights).all() and again.epoch == 0


@pytest.mark.slow  # a second architecture is compiled
def test_weights_of_the_standardization_are_not_trained(labeled_frames, tmp_path):
    config = config_of("behler_parrinello", optimizer="adamw", weight_decay=0.1, epochs=2)
    training = Pretraining(config, labeled_frames[:20], labeled_frames[20:], tmp_path)
    before = np.array(training._state.potential.network.standardization.mean)
    weights = np.array(training._state.potential.network.layers[0].weight)
    network = training.run(progress=False).potential.network
    np.testing.assert_array_equal(network.standardization.mean, before)
    assert np.abs(np.asarray(network.layers[0].weight) - weights).max() > 1e-3


def test_early_stopping_and_the_smallest_rate(labeled_frames, tmp_path):
    still = config_of(epochs=50, learning_rate=1e-300, minimum_learning_rate=1e-305)
    result = pretrain(still.replace(early_stopping=3), labeled_frames, tmp_path)
    assert result.stopped == "no better validation loss in 3 epochs"
    slow = still.replace(minimum_learning_rate=9e-301)
    stopped = pretrain(slow, labeled_frames, tmp_path).stopped
    assert stopped == "the learning rate fell below 9e-301"


def test_frames_that_cannot_be_learned_are_refused(labeled_frames, tmp_path):
    with pytest.raises(DataError, match="There are no training frames"):
        Pretraining(config_of(), [], labeled_frames, tmp_path)
    nitrogen = Atoms("N", info={"dft_energy": 0.0})
    with pytest.raises(DataError, match="No training frame holds N"):
        Pretraining(config_of(), labeled_frames, [nitrogen], tmp_path)
    with pytest.raises(DataError, match="Frame 1 of the training frames has no 'dft_energy'"):
        Pretraining(config_of(), [molecule("H2O")], labeled_frames, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("architecture: schnet\nepoch: 3", "no 'epoch'.*did you mean 'epochs'"),
        ("architecture: schnett", "There is no architecture 'schnett'.*mean 'schnet'"),
        ("architecture: painn\nnetwork: {chanels: 3}", "no 'chanels'.*mean 'channels'"),
        ("architecture: schnet\nepochs: 3\nepochs: 4", "'epochs' stands twice"),
        ("architecture: schnet\nepochs: many", "epochs='many'.*whole number"),
        ("architecture: schnet\nema: 1.0", "ema=1.0.*below 1"),
        ("architecture: schnet\nweight_decay: 1e-3", "'adam' has no weight_decay"),
        ("architecture: [schnet]", r"no architecture .*mean 'schnet'"),
        ("architecture: schnet\nnetwork: {1: 2}", "network={1: 2}.*settings of 'schnet'"),
        ("epochs: 3", "names no architecture"),
        ("- schnet", "no configuration"),
        ("a: [", "is not YAML"),
    ],
)
def test_every_key_is_checked(text, message, tmp_path):
    path = tmp_path / "config.yml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_pretrain_config(path)


def test_shipped_configs_can_be_used():
    paths = sorted((Path(__file__).parents[2] / "configs").rglob("*.yml"))
    assert {path.stem for path in paths} == set(NETWORKS)
    for path in paths:
        assert read_pretrain_config(path).architecture == path.stem


def test_a_written_config_is_read_again(tmp_path):
    path = tmp_path / "config.yml"
    for name in NETWORKS:
        config = config_of(name, learning_rate=1e-5)
        path.write_text(config.as_yaml())
        assert read_pretrain_config(path) == config
    path.write_text("architecture: schnet\nlearning_rate: 1e-3")
    assert read_pretrain_config(path, epochs=7) == PretrainConfig("schnet", epochs=7)


@pytest.mark.slow  # compiled anew for frames that went through a file
def test_the_command_trains_on_frames_of_a_file(labeled_frames, tmp_path, capsys):
    from ase.io import write

    files = [str(tmp_path / "train.xyz"), str(tmp_path / "validate.xyz")]
    write(files[0], labeled_frames[:20], format="extxyz")
    write(files[1], labeled_frames[20:], format="extxyz")
    config = config_of(epochs=1)
    (tmp_path / "config.yml").write_text(config.as_yaml())
    command = ["pretrain", "--config", str(tmp_path / "config.yml"), "--no-progress"]
    output = tmp_path / "results"
    frames = ["--train", files[0], "--validate", files[1]]
    assert main([*command, *frames, "--output", str(output)]) == 0
    assert "best epoch: 1; validation RMSE" in capsys.readouterr().out
    assert {"model.npz", "training.png", "history.csv", "checkpoint.npz", "config.yml"} == {
        path.name for path in output.iterdir()
    }
    assert main([*command, "--output", str(output)]) == 1
    assert "What to train on? Expected: --molecule" in capsys.readouterr().err
