"""``mlmd pretrain``: train a neural potential on energies and forces."""

from __future__ import annotations

import argparse
from pathlib import Path

from helpers.errors import ConfigError
from helpers.files import make_folder
from helpers.frames import load_frames, read_frames
from helpers.neural.plots import write_training_curve
from helpers.neural.pretrain_config import read_pretrain_config
from helpers.neural.pretraining import Pretraining
from helpers.neural.training_frames import training_frames


def pretrain_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd pretrain``."""
    parser.epilog = (
        "Example: mlmd pretrain --config configs/pretraining/ethanol/schnet.yml "
        "--molecule ethanol --size 100 --output results"
    )
    parser.add_argument("--config", type=Path, required=True, help="settings, as YAML")
    parser.add_argument("--molecule", help="a shipped data set, such as aspirin, ethanol, water")
    parser.add_argument("--size", help="number of training frames, such as 100 or 1k; default: all")
    parser.add_argument(
        "--contiguous", action="store_true", help="consecutive frames in place of a random sample"
    )
    parser.add_argument("--train", type=Path, help="your own training frames, extended XYZ")
    parser.add_argument("--validate", type=Path, help="your own validation frames")
    parser.add_argument("--epochs", type=int, help="in place of the number in the config")
    parser.add_argument("--seed", type=int, help="in place of the seed in the config")
    parser.add_argument(
        "--output", type=Path, default=Path("results"), help="folder for results; default: results"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in the output folder"
    )
    parser.set_defaults(run=_pretrain)


def _pretrain(options: argparse.Namespace) -> int:
    changes = {
        name: getattr(options, name)
        for name in ("epochs", "seed")
        if getattr(options, name) is not None
    }
    config = read_pretrain_config(options.config, **changes)
    own = options.train is not None or options.validate is not None
    if own == (options.molecule is not None) or (own and None in (options.train, options.validate)):
        raise ConfigError("What to train on?", expected="--molecule, or --train and --validate")
    if own and (options.size is not None or options.contiguous):
        raise ConfigError("--size and --contiguous choose among shipped frames", fix="cut the file")
    if own:
        train, validation = read_frames(options.train), read_frames(options.validate)
    else:
        train = training_frames(options.molecule, options.size, contiguous=options.contiguous)
        validation = load_frames(options.molecule, "validate")
    output = make_folder(options.output)
    training = Pretraining(config, train, validation, output, resume=options.resume)
    result = training.run(progress=not options.no_progress)
    print(f"stopped: {result.stopped}")
    if len(result.history):
        write_training_curve(output / "training.png", result.history)
        best = result.history.set_index("epoch").loc[result.best_epoch]
        print(
            f"best epoch: {result.best_epoch}; validation RMSE "
            f"{best['validation_rmse_energy_meV_per_atom']:.2f} meV/atom, "
            f"{best['validation_rmse_forces_meV_per_A']:.1f} meV/Å"
        )
    print(f"The potential is {result.model_path.absolute()}")
    return 0
