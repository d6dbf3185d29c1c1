"""``mlmd coarse``, ``mlmd coarse-data``, ``mlmd lab coarse-grained``: rigid bodies that learn."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers import checks
from helpers.coarse_grained.bodies import RigidTrajectory
from helpers.coarse_grained.dataset import DatasetSettings, make_dataset
from helpers.coarse_grained.learned_potential import LearnedPair
from helpers.coarse_grained.plots import LiveLoss
from helpers.coarse_grained.trainer import Trainer
from helpers.coarse_grained.trainer_config import read_config
from helpers.files import make_folder, write_table
from helpers.terminal import CommandResult


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


def coarse_grained_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd lab coarse-grained``."""
    parser.epilog = "Example: mlmd lab coarse-grained --bodies 64 --output results"
    parser.add_argument("--epochs", type=int, help="epochs of both trainings; default: the lab's")
    parser.add_argument(
        "--stored", action="store_true", help="take the stored potentials, train nothing"
    )
    parser.add_argument(
        "--bodies", type=int, default=64, help="bodies in the box; default: %(default)s"
    )
    parser.add_argument(
        "--steps", type=int, default=4000, help="steps of the box; default: %(default)s"
    )
    parser.set_defaults(run=_coarse_grained)


def _coarse_grained(options: argparse.Namespace) -> int:
    names = ("epochs", "stored", "bodies", "steps", "seed")
    result = run_coarse_grained_job(
        options.output,
        progress=not options.no_progress,
        **{name: getattr(options, name) for name in names},
    )
    print(f"\nThe report is {result.report_path.absolute()}" if result.report_path else "")
    return 0


def run_coarse_grained_job(
    folder: str | os.PathLike = "results",
    *,
    epochs: int | None = None,
    stored: bool = False,
    bodies: int = 64,
    steps: int = 4000,
    seed: int = 0,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> CommandResult:
    """Learn the potential of hexagons with and without orientations, and use it in a box.

    Parameters
    ----------
    folder : path
        Made if its parent exists.
    epochs : int, optional
        Of both trainings.
    stored : bool
        Take the potentials of ``data/stored``; the held-out runs are made anew.
    bodies, steps : int
        Of the box.
    seed : int
    progress : bool
    say : callable
        Takes one line of news at a time.

    Returns
    -------
    CommandResult
        What was found are `CoarseFindings`.

    Raises
    ------
    ConfigError
        If a number cannot be used, or `epochs` are given for stored potentials.
    """
    if epochs is not None:
        checks.whole("epochs", epochs, 1)
        if stored:
            checks.refuse("epochs", epochs, "nothing: the stored potentials are trained already")
    checks.whole("bodies", bodies, 2)
    checks.whole("steps", steps, 500)
    checks.seed(seed)
    folder = make_folder(folder)

    from helpers.coarse_grained import hexagons
    from helpers.coarse_grained.held_out import compare_with_beads, scan_arrangements, window_errors
    from helpers.coarse_grained.plots import animate_bodies
    from helpers.coarse_grained.report import CoarseFindings, coarse_section
    from helpers.report.sections import add_section

    names = ("with orientations", "without")
    history, split = None, "test"
    models: dict[str, tuple[LearnedPair, Any]] = {}
    if stored:
        models = dict(zip(names, hexagons.stored_pairs(), strict=True))
        dataset, split = hexagons.fresh_runs(folder / "hexagons_fresh", progress=progress), "train"
    else:
        for name in names:
            trainer, training = hexagons.train_hexagons(
                folder,
                orientations=name == names[0],
                epochs=epochs,
                seed=seed,
                progress=progress,
                draw=LiveLoss(folder / "coarse_training.png") if name == names[0] else None,
            )
            models[name], dataset = (trainer.pair, trainer.best_parameters), trainer.dataset
            history = training.history if history is None else history
            say(f"{name}: loss of the test runs {training.test_loss:.5f}")
    pair, weights = models[names[0]]
    errors = compare_with_beads(pair, weights, dataset, split, every=2)
    say(
        f"pair energies: RMSE {errors.share_of_range:.1%} of their range; forces "
        f"{errors.force_ratio:.0%}, torques {errors.torque_ratio:.0%} of their size"
    )
    windows = {
        name: window_errors(*model, dataset, split=split, length=26)
        for name, model in models.items()
    }
    box = hexagons.compare_boxes(pair, weights, n_bodies=bodies, steps=steps, seed=seed)
    found = CoarseFindings(
        history, errors, windows, scan_arrangements(pair, weights, dataset.body), box
    )
    say(
        f"separation after 0.5 τ: {found.ratio('separation'):.2f} of the error without orientations"
    )
    say(f"g(r) of {bodies} bodies: mean difference from the beads {box.difference('g'):.3f}")
    for name, table in windows.items():
        write_table(folder / f"coarse_windows_{name.replace(' ', '_')}.csv", table)
    write_table(folder / "coarse_box.csv", box.summary)
    runs = dataset.splits[split]
    pair_run = RigidTrajectory(
        runs.times[:200], runs.poses[0, :200], runs.momenta[0, :200], runs.energies[0, :200]
    )
    animate_bodies(pair_run, dataset.body, folder / "coarse_bodies.gif")
    return CommandResult(found, add_section(coarse_section(found), folder))
