"""Training of a pair potential by the trajectories that it produces: a neural ODE.

Start from the first frame of a window, run the dynamics with the network as the potential (and the
spring, which is known), and compare with the frames that follow. The gradient goes through the
dynamics (`neural_ode`). No energy and no force is ever shown to the network.

Everything random in an epoch depends on the seed and the number of the epoch alone, so a training
that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from helpers.coarse_grained.bodies import BODIES
from helpers.coarse_grained.dataset import load_dataset
from helpers.coarse_grained.learned_potential import LearnedPair
from helpers.coarse_grained.neural_ode import integrate
from helpers.coarse_grained.pair_sum import pair_force_field
from helpers.coarse_grained.rigid_dynamics import make_rigid_integrator
from helpers.coarse_grained.trainer_config import TrainerConfig
from helpers.coarse_grained.windows import Windows
from helpers.errors import CheckpointError, ConfigError, ModelFileError
from helpers.files import make_folder, write_atomic, write_table
from helpers.jax_setup import double_precision, enable_compilation_cache
from helpers.terminal import progress_bar

EVALUATION_CHUNK = 256
MOMENTUM = 0.99  # of the running mean of the loss


@dataclass(frozen=True)
class Training:
    """What a training found.

    Attributes
    ----------
    history : DataFrame
        A row for each epoch: epoch, batch_length, learning_rate, train_loss, validation_loss (NaN
        where it was not computed).
    best_epoch : int
        That of the model that was kept: the one with the least validation loss.
    test_loss : float
        Of the kept model, on the windows of the test runs.
    stopped : str
        Why it ended before the last epoch; empty otherwise.
    model_path : Path
        The kept model, for `load_pair`.
    """

    history: pd.DataFrame
    best_epoch: int
    test_loss: float
    stopped: str
    model_path: Path


class Trainer:
    """Trains the potential of two bodies by their trajectories.

    Parameters
    ----------
    config : TrainerConfig
    output : path
        Folder for results, made if its parent exists: ``model.npz`` (the best model),
        ``history.csv``, ``config.json``, ``checkpoints/``.
    resume : bool
        Go on from the newest checkpoint in `output`, if there is one.

    Attributes
    ----------
    config : TrainerConfig
    dataset : Dataset
    pair : LearnedPair
    parameters : list of (weights, biases)
        Those of the last epoch.
    best_parameters : the same
        Those with the least validation loss.
    epoch : int
        Epochs that are complete.
    history : list of dict
        See `Training`.

    Raises
    ------
    ConfigError
        If there is no such device.
    DataError
        If there is no dataset, or a window is longer than its runs.
    CheckpointError
        If a checkpoint is missing, damaged, or of another network.
    """

    def __init__(
        self, config: TrainerConfig, output: str | os.PathLike, *, resume: bool = False
    ) -> None:
        self.config, self.output = config, make_folder(output)
        if config.num_workers:
            warnings.warn(
                "num_workers has no effect: windows are cut from arrays in memory", stacklevel=2
            )
        self._device = _device(config.device)
        self.dataset = load_dataset(config.folder)
        spring = self.dataset.settings.spring
        self._windows = {
            split: Windows(runs, spring, config.dtype)
            for split, runs in self.dataset.splits.items()
        }
        last = config.start_epoch + config.epochs
        self._windows["train"].check_length(config.window_length(last), "batch_length")
        for split in ("validation", "test"):
            self._windows[split].check_length(config.eval_batch_length, "eval_batch_length")
        body = self.dataset.body
        self.pair = LearnedPair(
            body,
            cutoff=self.dataset.cutoff,
            depth=config.nn_depth,
            width=config.nn_width,
            activation=config.activation_function,
            orientations=config.orientations,
            core=config.core,
            energy_scale=config.energy_scale,
        )
        enable_compilation_cache()
        self._compile(pair_force_field(self.pair, spring))
        self.epoch = config.start_epoch
        self.history: list[dict[str, float]] = []
        self._best_epoch, self._best_loss = 0, float("inf")
        self._running, self._last_check = float("nan"), float("inf")
        with self._precision():
            self.parameters = self.pair.initialize(jax.random.key(config.seed), config.dtype)
            self.best_parameters = self.parameters
            self._optimizer_state = self._optimizer.init(self.parameters)
        self._restore(resume)

    def train(
        self, *, progress: bool = True, draw: Callable[[Trainer], None] | None = None
    ) -> Training:
        """Do the epochs that are missing and return what was found.

        Parameters
        ----------
        progress : bool
            Show a bar, and lines as often as the settings say.
        draw : function of the Trainer, optional
            Called every ``plotting_freq`` epochs, such as `plots.LiveLoss`.

        Returns
        -------
        Training
            If a loss is not finite the training stops; the best model until then is kept.
        """
        config, stopped = self.config, ""
        last = config.start_epoch + config.epochs
        write_atomic(self.output / "config.json", config.as_json())
        with (
            self._precision(),
            jax.default_device(self._device),
            progress_bar(last, "training", "epochs", show=progress, initial=self.epoch) as bar,
        ):
            while self.epoch < last and not stopped:
                stopped = self._one_epoch(bar.write if progress else None)
                bar.update(1)
                if stopped.startswith("NaN"):
                    break
                self._after_epoch(last, draw)
                if not stopped and self.epoch % config.stopping_freq == 0:
                    if self._running > self._last_check:
                        stopped = f"the running mean of the loss grew until epoch {self.epoch}"
                    self._last_check = self._running
                if self.epoch % config.checkpoint_freq == 0 or self.epoch == last:
                    self._save_checkpoint()
            if not self._best_epoch:  # stopped before the first evaluation
                self.best_parameters, self._best_epoch = self.parameters, self.epoch
            model_path = save_pair(self.output / "model.npz", self.pair, self.best_parameters)
            test_loss = self.evaluate("test", self.best_parameters)
        history = pd.DataFrame(self.history)
        write_table(self.output / "history.csv", history)
        return Training(history, self._best_epoch, test_loss, stopped, model_path)

    def evaluate(self, split: str = "validation", parameters: Any = None) -> float:
        """Return the mean loss over windows of ``eval_batch_length`` points of a split."""
        length = self.config.eval_batch_length
        windows = self._windows[split]
        starts = windows.apart(length)
        parameters = self.parameters if parameters is None else parameters
        total = 0.0
        with self._precision():
            for first in range(0, len(starts), EVALUATION_CHUNK):
                chunk = starts[first : first + EVALUATION_CHUNK]
                losses = self._losses(parameters, *windows.cut(chunk, length))
                total += float(losses.sum())
        return total / len(starts)

    def predict(self, split: str, run: int, frame: int, length: int) -> tuple[Any, Any]:
        """Return poses and momenta (length, 2, ...) that the best model makes of a frame."""
        windows = self._windows[split]
        windows.check_length(length, "length")
        poses, momenta = windows.cut(np.array([[run, frame]]), length)
        with self._precision():
            path = self._paths(self.best_parameters, poses[0, 0], momenta[0, 0], length)
        return np.asarray(path[0]), np.asarray(path[1])

    # -----------------------------------------------------------------------------------------

    def _precision(self) -> Any:
        return double_precision() if self.config.dtype == "float64" else contextlib.nullcontext()

    def _compile(self, force_field: Any) -> None:
        config, body = self.config, self.dataset.body
        interval, solver = self.dataset.settings.interval, config.ode_solver()
        integrator = jax.tree.map(
            lambda number: np.asarray(number, config.dtype),
            make_rigid_integrator("nve", body, timestep=interval),
        )
        self._optimizer = _optimizer(config)

        def paths(parameters: Any, poses: Any, momenta: Any, length: int) -> tuple[Any, Any]:
            return integrate(
                force_field, integrator, parameters, poses, momenta, length - 1, interval, solver
            )

        def window_loss(parameters: Any, poses: Any, momenta: Any) -> Any:
            predicted = paths(parameters, poses[0], momenta[0], len(poses))
            shown = slice(-1, None) if config.loss_func == "final" else slice(None)
            # v and ω are momenta divided by mass and inertia
            turns_and_places = jnp.abs(predicted[0] - poses)[shown]
            speeds = (jnp.abs(predicted[1] - momenta) / integrator.inertia)[shown]
            return jnp.concatenate([turns_and_places, speeds], -1).mean()

        def losses(parameters: Any, poses: Any, momenta: Any) -> Any:
            return jax.vmap(window_loss, (None, 0, 0))(parameters, poses, momenta)

        def update(
            parameters: Any, optimizer_state: Any, rate: Any, poses: Any, momenta: Any
        ) -> tuple[Any, Any, Any]:
            def mean_loss(parameters: Any) -> Any:
                return losses(parameters, poses, momenta).mean()

            value, slopes = jax.value_and_grad(mean_loss)(parameters)
            extra = {}
            if config.optimizer == "LBFGS":
                extra, rate = {"value": value, "grad": slopes, "value_fn": mean_loss}, 1.0
            changes, new_state = self._optimizer.update(
                slopes, optimizer_state, parameters, **extra
            )
            new = jax.tree.map(lambda old, change: old + rate * change, parameters, changes)
            return value, new, new_state

        self._paths = jax.jit(paths, static_argnums=3)
        self._losses = jax.jit(losses)
        self._update = jax.jit(update)

    def _one_epoch(self, write: Callable[[str], None] | None) -> str:
        """Do one epoch; return why the training has to stop, or nothing."""
        config, epoch = self.config, self.epoch + 1
        length, rate = config.window_length(epoch), config.rate(epoch)
        starts = self._windows["train"].draw(
            np.random.default_rng([config.seed, epoch]),
            length,
            shuffle=config.shuffle,
            n_windows=config.epoch_windows,
            contact_fraction=config.contact_fraction,
        )
        size = min(config.batch_size, len(starts))
        total, n_batches = 0.0, len(starts) // size
        for k in range(n_batches):  # windows that do not fill a batch wait for another epoch
            batch = self._windows["train"].cut(starts[k * size : (k + 1) * size], length)
            value, parameters, optimizer_state = self._update(
                self.parameters, self._optimizer_state, rate, *batch
            )
            value = float(value)
            if not np.isfinite(value) or not _all_finite(parameters):
                return f"NaN: the loss of batch {k + 1} of epoch {epoch} is {value}"
            self.parameters, self._optimizer_state = parameters, optimizer_state
            first = np.isnan(self._running)
            self._running = value if first else MOMENTUM * self._running + (1 - MOMENTUM) * value
            total += value
            if write and (k + 1) % config.itr_printing_freq == 0:
                write(f"epoch {epoch}, batch {k + 1} of {n_batches}: loss {value:.5f}")
        self.epoch = epoch
        self.history.append(
            {
                "epoch": epoch,
                "batch_length": length,
                "learning_rate": rate,
                "train_loss": total / n_batches,
                "validation_loss": float("nan"),
            }
        )
        if write and epoch % config.printing_freq == 0:
            write(f"epoch {epoch}: loss {total / n_batches:.5f}, {length} points a window")
        return ""

    def _after_epoch(self, last: int, draw: Callable[[Trainer], None] | None) -> None:
        """Evaluate, keep the best model, draw: as often as the settings say."""
        if self.epoch % self.config.evaluation_freq == 0 or self.epoch == last:
            loss = self.evaluate("validation")
            self.history[-1]["validation_loss"] = loss
            if loss < self._best_loss:
                self._best_loss, self._best_epoch = loss, self.epoch
                self.best_parameters = self.parameters
                save_pair(self.output / "model.npz", self.pair, self.best_parameters)
        if draw and (self.epoch % self.config.plotting_freq == 0 or self.epoch == last):
            draw(self)

    # -----------------------------------------------------------------------------------------

    def _state(self) -> Any:
        return self.parameters, self.best_parameters, self._optimizer_state

    def _save_checkpoint(self) -> None:
        """Write all that the next epoch depends on, whole or not at all."""
        folder = self.output / "checkpoints"
        folder.mkdir(exist_ok=True)
        facts = {
            "epoch": self.epoch,
            "history": self.history,
            "best_epoch": self._best_epoch,
            "best_loss": self._best_loss,
            "running": self._running,
            "last_check": self._last_check,
            "config": json.loads(self.config.as_json()),
            "time": time.time(),
        }
        leaves: dict[str, Any] = {
            f"leaf_{k}": np.asarray(x) for k, x in enumerate(jax.tree.leaves(self._state()))
        }
        buffer = io.BytesIO()
        np.savez(buffer, facts=np.array(json.dumps(facts)), **leaves)
        write_atomic(folder / f"epoch_{self.epoch:06d}.npz", buffer.getvalue())

    def _restore(self, resume: bool) -> None:
        config = self.config
        own = sorted((self.output / "checkpoints").glob("epoch_*.npz"))
        if resume and own:
            self._read_checkpoint(own[-1])
        elif config.load_folder is not None and config.start_epoch:
            folder = Path(config.load_folder) / "checkpoints"
            path = folder / f"epoch_{config.start_epoch:06d}.npz"
            if not path.exists():
                there = [int(p.stem.removeprefix("epoch_")) for p in sorted(folder.glob("e*.npz"))]
                raise CheckpointError(
                    f"There is no checkpoint of epoch {config.start_epoch} in {folder}",
                    expected="one of the epochs " + (", ".join(map(str, there)) or "(none)"),
                )
            self._read_checkpoint(path)
        elif config.load_folder is not None:
            pair, parameters = load_pair(Path(config.load_folder) / "model.npz")
            mine, theirs = _shapes(self.parameters), _shapes(parameters)
            if mine != theirs:
                raise _other_network(Path(config.load_folder) / "model.npz", mine, theirs)
            with self._precision():
                self.parameters = jax.tree.map(lambda x: jnp.asarray(x, config.dtype), parameters)
                self.best_parameters = self.parameters
                self._optimizer_state = self._optimizer.init(self.parameters)

    def _read_checkpoint(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
            facts = json.loads(str(arrays.pop("facts")))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise CheckpointError(f"{path} is damaged ({error})") from error
        leaves, structure = jax.tree.flatten(self._state())
        stored = [np.asarray(arrays.get(f"leaf_{k}")) for k in range(len(arrays))]
        mine = [(np.shape(x), str(np.asarray(x).dtype)) for x in leaves]
        theirs = [(x.shape, str(x.dtype)) for x in stored]
        if mine != theirs:
            raise _other_network(path, _description(self.config), _description(facts["config"]))
        with self._precision():
            state = jax.tree.unflatten(structure, [jnp.asarray(x) for x in stored])
        self.parameters, self.best_parameters, self._optimizer_state = state
        self.epoch, self.history = facts["epoch"], facts["history"]
        self._best_epoch, self._best_loss = facts["best_epoch"], facts["best_loss"]
        self._running, self._last_check = facts["running"], facts["last_check"]


def save_pair(path: Path, pair: LearnedPair, parameters: Any) -> Path:
    """Write a learned pair potential, completely or not at all."""
    settings = {
        "body": pair.body.name,
        "cutoff": pair.cutoff,
        "depth": pair.depth,
        "width": pair.width,
        "activation": pair.activation,
        "orientations": pair.orientations,
        "core": pair.core,
        "energy_scale": pair.energy_scale,
    }
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {
        f"leaf_{k}": np.asarray(x) for k, x in enumerate(jax.tree.leaves(parameters))
    }
    np.savez(buffer, settings=np.array(json.dumps(settings)), **arrays)
    return write_atomic(path, buffer.getvalue())


def load_pair(path: str | os.PathLike) -> tuple[LearnedPair, list[tuple[np.ndarray, np.ndarray]]]:
    """Return a learned pair potential and its weights.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged or no such model.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        settings = json.loads(str(arrays.pop("settings")))
        pair = LearnedPair(BODIES[settings.pop("body")](), **settings)
        leaves = [arrays[f"leaf_{k}"] for k in range(len(arrays))]
    except (OSError, ValueError, KeyError, EOFError, TypeError) as error:
        raise ModelFileError(
            f"{path} is no learned pair potential ({error})", expected="a model.npz of a training"
        ) from error
    return pair, list(zip(leaves[::2], leaves[1::2], strict=True))


def _device(name: str) -> Any:
    try:
        return jax.devices(name)[0]
    except RuntimeError as error:
        raise ConfigError(
            f"device={name!r} cannot be used: JAX has no such device here",
            fix="use device='cpu', or install JAX for the accelerator",
        ) from error


def _optimizer(config: TrainerConfig) -> Any:
    """Return the optimizer for a rate of 1: its changes are multiplied by the rate."""
    import optax

    if config.optimizer == "LBFGS":
        return optax.lbfgs()
    makers = {
        "Adam": optax.adam,
        "AdamW": lambda rate: optax.adamw(rate, weight_decay=0.01),
        "SGD": optax.sgd,
        "RMSProp": optax.rmsprop,
        "NAdam": optax.nadam,
        "RAdam": optax.radam,
    }
    clip = optax.clip_by_global_norm(config.gradient_clip)
    return optax.chain(clip, makers[config.optimizer](1.0))


def _all_finite(tree: Any) -> bool:
    return all(bool(np.isfinite(np.asarray(x)).all()) for x in jax.tree.leaves(tree))


def _shapes(parameters: Any) -> str:
    return " → ".join(str(weights.shape[0]) for weights, _ in parameters)


def _description(config: Any) -> str:
    values = config if isinstance(config, dict) else json.loads(config.as_json())
    names = ("nn_depth", "nn_width", "orientations", "optimizer", "dtype")
    return ", ".join(f"{name}={values.get(name)}" for name in names)


def _other_network(path: Path, mine: str, theirs: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is of another network or optimizer",
        expected=mine,
        found=theirs,
        fix="use the settings that it was made with",
    )
