"""The settings of a pretraining, and how they are read from YAML: every key is checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from helpers import checks
from helpers.errors import ConfigError
from helpers.frames import ENERGY_NAME, FORCES_NAME
from helpers.neural.neural_potential import DTYPES, architecture

OPTIMIZERS = ("adam", "adamw", "amsgrad", "sgd")


@dataclass(frozen=True)
class PretrainConfig(checks.Settings):
    """Settings of `pretraining.Pretraining`.

    Attributes
    ----------
    architecture : str
        One of `neural_potential.ARCHITECTURES`.
    network : mapping or settings
        The settings of that architecture, such as ``{"channels": 64}``.
    dtype : str
        ``"float32"`` or ``"float64"``.
    epochs : int
        At most so many passes over the training frames.
    batch_size : int
        Frames in a step; the last step of an epoch may have fewer.
    optimizer : str
        One of `OPTIMIZERS`.
    learning_rate : float
    weight_decay : float
        Of ``"adamw"`` only.
    gradient_clip : float
        Largest norm of a gradient; longer ones are shortened.
    energy_weight, force_weight : float
        Weights in the loss: of the mean squared error of the energy per atom, (eV/atom)², and that
        of the components of forces, (eV/Å)².
    ema : float
        Decay of the exponential moving average of the weights, per step; the averaged weights
        are validated and kept. 0: no average.
    plateau_factor, plateau_patience : float, int
        The rate is multiplied by the factor after so many epochs without a better validation loss.
    minimum_learning_rate : float
        The training ends when the rate falls below it.
    early_stopping : int
        The training ends after so many epochs without a better validation loss.
    checkpoint_every : int
        Epochs between two checkpoints.
    energy_name, forces_name : str
        Names of the labels (eV; eV/Å).
    seed : int

    Raises
    ------
    ConfigError
        If a name is unknown or a value cannot be used.
    """

    architecture: str
    network: Any = field(default_factory=dict)
    dtype: str = "float32"
    epochs: int = 200
    batch_size: int = 16
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    gradient_clip: float = 10.0
    energy_weight: float = 1.0
    force_weight: float = 1.0
    ema: float = 0.99
    plateau_factor: float = 0.8
    plateau_patience: int = 5
    minimum_learning_rate: float = 1e-6
    early_stopping: int = 50
    checkpoint_every: int = 10
    energy_name: str = ENERGY_NAME
    forces_name: str = FORCES_NAME
    seed: int = 0

    def __post_init__(self) -> None:
        settings_class = architecture(self.architecture)[0]
        if isinstance(self.network, Mapping) and all(isinstance(k, str) for k in self.network):
            object.__setattr__(self, "network", settings_class(**self.network))
        if not isinstance(self.network, settings_class):
            checks.refuse("network", self.network, f"settings of {self.architecture!r}")
        checks.one_of("dtype", self.dtype, DTYPES)
        checks.one_of("optimizer", self.optimizer, OPTIMIZERS)
        for name in ("epochs", "batch_size", "plateau_patience", "early_stopping"):
            checks.whole(name, getattr(self, name), 1)
        checks.whole("checkpoint_every", self.checkpoint_every, 1)
        for name in ("learning_rate", "gradient_clip", "plateau_factor", "minimum_learning_rate"):
            checks.number(name, getattr(self, name))
        for name in ("weight_decay", "energy_weight", "force_weight", "ema"):
            checks.number(name, getattr(self, name), positive=False)
        if self.weight_decay and self.optimizer != "adamw":
            raise ConfigError(
                f"optimizer={self.optimizer!r} has no weight_decay", fix="optimizer: adamw"
            )
        if not self.energy_weight + self.force_weight:
            raise ConfigError("energy_weight and force_weight are both 0: nothing is learned")
        if self.ema >= 1:
            checks.refuse("ema", self.ema, "a number below 1")
        if self.plateau_factor >= 1:
            checks.refuse("plateau_factor", self.plateau_factor, "a number below 1")
        for name in ("energy_name", "forces_name"):
            if not isinstance(getattr(self, name), str):
                checks.refuse(name, getattr(self, name), "the name of a label")
        checks.seed(self.seed)

    def as_yaml(self) -> str:
        """Return all settings as YAML, which `read_pretrain_config` reads."""
        values = asdict(self)
        network = {k: list(v) if isinstance(v, tuple) else v for k, v in values["network"].items()}
        return yaml.safe_dump(values | {"network": network}, sort_keys=False)


def read_pretrain_config(path: str | os.PathLike, **changes: Any) -> PretrainConfig:
    """Return the settings of a YAML file, some of them replaced by `changes`.

    Raises
    ------
    ConfigError
        If the file cannot be read, a key is unknown or stands there twice, or a value cannot be
        used.
    """
    values = read_yaml(path)
    if "architecture" not in values | changes:
        raise ConfigError(
            f"{path} names no architecture", fix="add a line such as: architecture: schnet"
        )
    return PretrainConfig(**(values | changes))


def read_yaml(path: str | os.PathLike) -> dict[str, Any]:
    """Return the mapping in a YAML file; ``1e-3`` is a number in it, as everybody expects.

    Raises
    ------
    ConfigError
        If it cannot be read, is no mapping, or a key stands there twice.
    """
    try:
        values = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{path} is no configuration", expected="lines such as: epochs: 100")
    return values


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, except that keys may not be repeated and 1e-3 is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigError(
                    f"{key!r} stands twice in the configuration, near line "
                    f"{node.start_mark.line + 1}",
                    fix="delete one of the lines",
                )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)
