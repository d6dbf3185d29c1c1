"""The settings of a training, by the names of the published design and a few more."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from helpers import checks
from helpers.coarse_grained.learned_potential import ACTIVATIONS
from helpers.coarse_grained.neural_ode import Solver
from helpers.errors import ConfigError

OPTIMIZERS = ("Adam", "AdamW", "LBFGS", "SGD", "RMSProp", "NAdam", "RAdam")
SCHEDULERS = ("LambdaLR", "ExponentialLR", "CyclicLR", "None")
LOSSES = ("all", "final")
DTYPES = ("float32", "float64")
DEVICES = ("cpu", "gpu")


@dataclass(frozen=True)
class TrainerConfig(checks.Settings):
    """Settings of `trainer.Trainer`.

    Attributes
    ----------
    folder : path
        The dataset (see `dataset.make_dataset`).
    load_folder : path, optional
        Folder of an earlier training. With ``start_epoch`` 0 its best weights are the start of a
        new training; with ``start_epoch`` n everything is restored as it was after epoch n.
    start_epoch : int
        Epochs that were done before; needs ``load_folder``.
    device : str
        ``"cpu"`` or ``"gpu"``.
    dtype : str
        ``"float32"`` or ``"float64"``.
    epochs : int
        Epochs to do: start_epoch + 1 … start_epoch + epochs.
    nn_depth, nn_width : int
        Hidden layers, and units in each.
    batch_length : int
        Points of a training window, its start included. Windows start at every frame.
    eval_batch_length : int
        Points of a window for validation and test.
    batch_size : int
        Windows in a batch.
    epoch_windows : int
        Windows in an epoch, drawn anew for each; 0: all there are.
    shuffle : bool
        Draw the windows of each epoch in a new order, which depends on seed and epoch alone.
    num_workers : int
        Without effect: windows are cut from arrays in memory.
    optimizer : str
        One of `OPTIMIZERS`. ``"LBFGS"`` finds the length of its steps itself; learning rate and
        scheduler have no effect on it.
    learning_rate : float
    scheduler : str
        ``"LambdaLR"``, ``"ExponentialLR"``: the rate is multiplied by ``scheduling_factor`` every
        ``scheduling_freq`` epochs. ``"CyclicLR"``: it rises and falls in straight lines between
        scheduling_factor · learning_rate and learning_rate, with scheduling_freq epochs for half
        a period. ``"None"``: constant.
    scheduling_factor : float
    scheduling_freq : int
    loss_func : str
        ``"all"``: mean absolute deviation over all times, bodies and the 13 numbers of v, ω, x
        and q. ``"final"``: at the last time only.
    itr_printing_freq, printing_freq : int
        Batches and epochs between two lines of output.
    plotting_freq : int
        Epochs between two drawings of the loss and of a predicted window.
    stopping_freq : int
        Every so many epochs: stop if the running mean of the loss (momentum 0.99) has grown since
        the last check.
    evaluation_freq : int
        Epochs between two evaluations on the validation windows; the best model is kept.
    checkpoint_freq : int
        Epochs between two checkpoints.
    batch_length_step, batch_length_freq : int
        Curriculum: windows grow by ``batch_length_step`` points every ``batch_length_freq`` epochs.
    activation_function : str
        One of `learned_potential.ACTIVATIONS`.
    orientations : bool
        If False, the network sees the distance of the centers only.
    core : float
        Distance of the fixed wall between sites, see `LearnedPair`.
    energy_scale : float
        The unit of the network's energies, see `LearnedPair`.
    contact_fraction : float
        Share of the windows of an epoch that must hold a contact of beads; 0: as they come.
    gradient_clip : float
        Largest norm of a gradient; longer ones are shortened.
    solver, gradient : str
    steps_per_record : int
        See `neural_ode.Solver`.
    seed : int

    Raises
    ------
    ConfigError
        If a name is unknown or a value cannot be used.
    """

    folder: str | os.PathLike
    load_folder: str | os.PathLike | None = None
    start_epoch: int = 0
    device: str = "cpu"
    dtype: str = "float64"
    epochs: int = 100
    nn_depth: int = 2
    nn_width: int = 64
    batch_length: int = 20
    eval_batch_length: int = 50
    batch_size: int = 64
    epoch_windows: int = 0
    shuffle: bool = True
    num_workers: int = 0
    optimizer: str = "Adam"
    learning_rate: float = 3e-3
    scheduler: str = "LambdaLR"
    scheduling_factor: float = 0.95
    scheduling_freq: int = 25
    loss_func: str = "all"
    itr_printing_freq: int = 100
    printing_freq: int = 20
    plotting_freq: int = 20
    stopping_freq: int = 20
    evaluation_freq: int = 20
    checkpoint_freq: int = 20
    batch_length_step: int = 0
    batch_length_freq: int = 1
    activation_function: str = "tanh"
    orientations: bool = True
    core: float = 0.0
    energy_scale: float = 1.0
    contact_fraction: float = 0.0
    gradient_clip: float = 1.0
    solver: str = "symplectic"
    gradient: str = "checkpoint"
    steps_per_record: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.folder, (str, os.PathLike)):
            checks.refuse("folder", self.folder, "the path of a dataset")
        if self.load_folder is not None and not isinstance(self.load_folder, (str, os.PathLike)):
            checks.refuse("load_folder", self.load_folder, "a path, or None")
        checks.whole("start_epoch", self.start_epoch, 0)
        if self.start_epoch and self.load_folder is None:
            raise ConfigError(
                f"start_epoch={self.start_epoch} needs a load_folder",
                fix="name the folder of the training that did these epochs",
            )
        checks.one_of("device", self.device, DEVICES)
        checks.one_of("dtype", self.dtype, DTYPES)
        least = {"batch_length": 2, "eval_batch_length": 2}
        least |= dict.fromkeys(("num_workers", "batch_length_step", "epoch_windows"), 0)
        for name in (
            "epochs",
            "nn_depth",
            "nn_width",
            "batch_length",
            "eval_batch_length",
            "batch_size",
            "epoch_windows",
            "num_workers",
            "scheduling_freq",
            "itr_printing_freq",
            "printing_freq",
            "plotting_freq",
            "stopping_freq",
            "evaluation_freq",
            "checkpoint_freq",
            "batch_length_step",
            "batch_length_freq",
            "steps_per_record",
        ):
            checks.whole(name, getattr(self, name), least.get(name, 1))
        for name in ("shuffle", "orientations"):
            if not isinstance(getattr(self, name), bool):
                checks.refuse(name, getattr(self, name), "True or False")
        checks.one_of("optimizer", self.optimizer, OPTIMIZERS)
        checks.one_of("scheduler", self.scheduler, SCHEDULERS)
        checks.one_of("loss_func", self.loss_func, LOSSES)
        checks.one_of("activation_function", self.activation_function, tuple(ACTIVATIONS))
        checks.number("learning_rate", self.learning_rate)
        checks.number("gradient_clip", self.gradient_clip)
        checks.number("energy_scale", self.energy_scale)
        checks.number("core", self.core, positive=False)
        for name in ("scheduling_factor", "contact_fraction"):
            value = getattr(self, name)
            checks.number(name, value, positive=name == "scheduling_factor")
            if value > 1:
                checks.refuse(name, value, "a number of at most 1")
        checks.seed(self.seed)
        self.ode_solver()

    def ode_solver(self) -> Solver:
        """Return how trajectories and gradients are computed."""
        return Solver(self.solver, self.gradient, self.steps_per_record)

    def window_length(self, epoch: int) -> int:
        """Return the points of a training window in an epoch (from 1): the curriculum."""
        return self.batch_length + self.batch_length_step * ((epoch - 1) // self.batch_length_freq)

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch (from 1)."""
        done = epoch - 1
        if self.scheduler == "None":
            return self.learning_rate
        if self.scheduler == "CyclicLR":
            share = abs(done / self.scheduling_freq % 2 - 1)  # 1 → 0 → 1
            lowest = self.scheduling_factor
            return self.learning_rate * (1 + (lowest - 1) * share)
        return self.learning_rate * self.scheduling_factor ** (done // self.scheduling_freq)

    def as_json(self) -> str:
        """Return the settings as JSON, which `read_config` reads."""
        values = asdict(self)
        for name in ("folder", "load_folder"):
            values[name] = None if values[name] is None else os.fspath(values[name])
        return json.dumps(values, indent=1) + "\n"


def read_config(path: str | os.PathLike, **changes: Any) -> TrainerConfig:
    """Return the settings of a JSON file; paths in it are relative to where the process runs.

    Raises
    ------
    ConfigError
        If it cannot be read, a name is unknown, or a value cannot be used.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON ({error})") from error
    if not isinstance(values, dict) or "folder" not in values | changes:
        raise ConfigError(
            f"{path} is no configuration", expected='an object such as {"folder": "dataset"}'
        )
    return TrainerConfig(**(values | changes))
