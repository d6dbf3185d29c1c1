#!/usr/bin/env python
"""Learn the potential of two rigid hexagons from their trajectories, and use it.

    python run_example.py

Makes a small dataset (hexagons/), trains for about a minute with the settings of config.json
(results/: model.npz, history.csv, training.png), and runs molecular dynamics with the learned
potential. The same in single commands: mlmd coarse-data, mlmd coarse --config config.json.
"""

import argparse
import sys
from pathlib import Path

from helpers.terminal import teaching_script

HERE = Path(__file__).parent


def main(options: argparse.Namespace) -> int:
    """Dataset, training, dynamics; each command has a comment that explains it."""
    from helpers.coarse_grained import (
        DatasetSettings,
        LiveLoss,
        Trainer,
        load_dataset,
        load_pair,
        make_dataset,
        pair_force_field,
        read_config,
        run_bodies,
    )

    # Pairs of hexagons of seven beads, held together by a spring: bead by bead, in the same
    # Lennard-Jones units as the published set, but shorter and fewer, and with a softer spring, so
    # that the pair also parts.
    data = options.output / "hexagons"
    if not data.exists():
        settings = DatasetSettings(
            n_runs=24, duration=20.0, interval=0.02, timestep=0.005, spring_stiffness=3.0
        )
        make_dataset(data, settings)

    # The network learns from motion alone: it never sees an energy or a force.
    changes = {"epochs": options.epochs} if options.epochs else {}
    config = read_config(HERE / "config.json", folder=data, **changes)
    results = options.output / "results"
    trainer = Trainer(config, results, resume=True)
    training = trainer.train(draw=LiveLoss(results / "training.png"))
    print(f"loss of the test runs: {training.test_loss:.4f} (epoch {training.best_epoch})")

    # Dynamics with what was learned, from the start of a run that was not used for training.
    pair, parameters = load_pair(training.model_path)
    dataset = load_dataset(data)
    start = dataset.splits["test"]
    run = run_bodies(
        pair_force_field(pair, dataset.settings.spring),
        pair.body,
        start.poses[0, 0],
        start.momenta[0, 0],
        timestep=0.005,
        steps=2000,
        record_every=20,
        parameters=parameters,
    )
    print(f"{run.times[-1]:g} τ of dynamics with the learned potential")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="default: those of config.json")
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for results")
    sys.exit(teaching_script(parser, main))
