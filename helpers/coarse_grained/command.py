"""``mlmd coarse`` and ``mlmd coarse-data``: learn the potential of rigid bodies."""

from __future__ import annotations

import argparse
from pathlib import Path

from helpers.coarse_grained.dataset import DatasetSettings, make_dataset
from helpers.coarse_grained.plots import LiveLoss
from helpers.coarse_grained.trainer import Trainer
from helpers.coarse_grained.trainer_config import read_config


def coarse_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd coarse``."""
    parser.epilog = (
        "Example: mlmd coarse-data hexagons --runs 16 --duration 10; "
        'echo \'{"folder": "hexagons"}\' > config.json; mlmd coarse --config config.json'
    )
    parser.add_argument("--config", type=Path, required=True, help="settings, as JSON")
    parser.add_argument(
        "--output", type=Path, default=Path("results"), help="folder for results; default: results"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the newest checkpoint in the output"
    )
    parser.set_defaults(run=_coarse)


def coarse_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd coarse-data``."""
    defaults = DatasetSettings()
    parser.epilog = "Example: mlmd coarse-data hexagons --runs 16 --duration 10"
    parser.add_argument("folder", type=Path, help="a new folder")
    for name, kind, attribute, text in (
        ("--runs", int, "n_runs", "number of runs"),
        ("--duration", float, "duration", "length of a run, τ"),
        ("--interval", float, "interval", "time between frames, τ"),
        ("--timestep", float, "timestep", "τ"),
        ("--temperature", float, "kT", "kT, ε"),
        ("--seed", int, "seed", "seed of the random numbers"),
    ):
        parser.add_argument(
            name,
            type=kind,
            dest=attribute,
            default=getattr(defaults, attribute),
            help=f"{text}; default: %(default)s",
        )
    parser.set_defaults(run=_coarse_data)


def _coarse(options: argparse.Namespace) -> int:
    config = read_config(options.config)
    trainer = Trainer(config, options.output, resume=options.resume)
    training = trainer.train(
        progress=not options.no_progress, draw=LiveLoss(options.output / "training.png")
    )
    if training.stopped:
        print(f"stopped: {training.stopped}")
    print(f"best epoch: {training.best_epoch}; loss of the test runs: {training.test_loss:.5f}")
    print(f"The model is {training.model_path.absolute()}")
    return 0


def _coarse_data(options: argparse.Namespace) -> int:
    names = ("n_runs", "duration", "interval", "timestep", "kT", "seed")
    settings = DatasetSettings(**{name: getattr(options, name) for name in names})
    make_dataset(options.folder, settings, progress=not options.no_progress)
    print(f"The dataset is {options.folder.absolute()}")
    return 0
