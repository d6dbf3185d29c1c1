#!/usr/bin/env python
"""The study behind the two presets: candidates judged on trajectories held out of the training set.

The validation frames are not touched. Of the 400 training frames, those of every fifth trajectory
are held out; candidates for the default train on the first 100 of the others, candidates for
GapConfig.accurate() on all of them. Around the preset that was chosen, one setting at a time is
changed: what helps most is what limits the rest. The kit's own engine fits. One row per fit goes
into choose_presets.csv; a fit that is there already is not done again, so a run that was stopped
goes on with the same command.

    python benchmarks/choose_presets.py            # all candidates
    python benchmarks/choose_presets.py --only default
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers import GapConfig, TwoBody, evaluate, fit_gap, load_frames, load_potential
from helpers.files import write_atomic

TABLE = Path(__file__).with_name("choose_presets.csv")
# The presets of the first edition of the water data, where the study began.
FORMER = GapConfig(
    cutoff=3.5,
    cutoff_transition_width=2.0,
    n_max=6,
    n_sparse=1000,
    two_body=TwoBody(cutoff=6.0, n_sparse=25),
)
FORMER_ACCURATE = GapConfig(n_max=8)
# Changes of one setting, or of two that belong together.
CHANGES: dict[str, dict[str, Any]] = {
    "n_max 6": {"n_max": 6},
    "n_max 8": {"n_max": 8},
    "n_max 10": {"n_max": 10},
    "n_max 12": {"n_max": 12},
    "l_max 1": {"l_max": 1},
    "l_max 2": {"l_max": 2},
    "l_max 3": {"l_max": 3},
    "l_max 4": {"l_max": 4},
    "400 sparse points": {"n_sparse": 400},
    "500 sparse points": {"n_sparse": 500},
    "1600 sparse points": {"n_sparse": 1600},
    "cutoff 3.5, from 1.5": {"cutoff": 3.5, "cutoff_transition_width": 2.0},
    "cutoff 4.5, from 1.5": {"cutoff": 4.5, "cutoff_transition_width": 3.0},
    "cutoff 5, from 1.5": {"cutoff": 5.0, "cutoff_transition_width": 3.5},
    "transition 0.5": {"cutoff_transition_width": 0.5},
    "transition 1.5": {"cutoff_transition_width": 1.5},
    "transition 3": {"cutoff_transition_width": 3.0},
    "pairs to 6": {"two_body": TwoBody(cutoff=6.0, n_sparse=25)},
    "no pairs": {"two_body": None},
    "sigma_F 0.006": {"default_sigma": (0.001, 0.006, 0.0, 0.0)},
    "sigma_F 0.024": {"default_sigma": (0.001, 0.024, 0.0, 0.0)},
    "sigma_E 0.0005": {"default_sigma": (0.0005, 0.012, 0.0, 0.0)},
    "sigma_E 0.002": {"default_sigma": (0.002, 0.012, 0.0, 0.0)},
    "zeta 1": {"zeta": 1},
    "zeta 3": {"zeta": 3},
    "delta 0.1": {"delta": 0.1},
    "delta 0.5": {"delta": 0.5},
    "atom_sigma 0.3": {"atom_sigma": 0.3},
    "atom_sigma 0.5": {"atom_sigma": 0.5},
}
FOR_ACCURATE = (
    "n_max 8",
    "n_max 12",
    "l_max 2",
    "l_max 4",
    "500 sparse points",
    "1600 sparse points",
    "cutoff 4.5, from 1.5",
    "cutoff 5, from 1.5",
    "transition 3",
    "pairs to 6",
    "sigma_F 0.006",
)
SIZES = (50, 200, 400)  # of the default, to see what more data would do
N_FRAMES = 100  # for which the default is meant


def candidates() -> dict[str, dict[str, tuple[GapConfig, int]]]:
    """Settings and numbers of training frames, by group and name."""
    default, accurate = GapConfig(), GapConfig.accurate()
    groups = {
        "default": {
            "the first edition's": (FORMER, N_FRAMES),
            "chosen": (default, N_FRAMES),
            **{f"{n} frames": (default, n) for n in SIZES},
        },
        "accurate": {
            "the first edition's": (FORMER_ACCURATE, 400),
            "chosen": (accurate, 400),
        },
    }
    for name, change in CHANGES.items():
        groups["default"][name] = (default.replace(**change), N_FRAMES)
        if name in FOR_ACCURATE:
            groups["accurate"][name] = (accurate.replace(**change), 400)
    return groups


def split_trajectories(frames: list[Atoms], seed: int) -> tuple[list[Atoms], list[Atoms]]:
    """Return the frames of four fifths of the trajectories, and of the fifth that is held out."""
    names = sorted({int(atoms.info["trajectory"]) for atoms in frames})
    held_out = set(np.random.default_rng(seed).permutation(names)[: len(names) // 5].tolist())
    return (
        [atoms for atoms in frames if atoms.info["trajectory"] not in held_out],
        [atoms for atoms in frames if atoms.info["trajectory"] in held_out],
    )


def judge(config: GapConfig, training: list[Atoms], held_out: list[Atoms]) -> dict[str, float]:
    """Train and evaluate one candidate."""
    with tempfile.TemporaryDirectory() as folder:
        fit = fit_gap(
            config, training, output=Path(folder, "gap.xml"), engine="jax", progress=False
        )
        potential = load_potential(fit.model_path, engine="jax")
        train, test = (evaluate(potential, frames) for frames in (training[:100], held_out))
    return {
        "cpu_seconds": round(fit.cpu_seconds, 1),
        "train_meV_per_atom": round(train.rmse_energy_meV_per_atom, 3),
        "train_meV_per_A": round(train.rmse_forces_meV_per_A, 2),
        "held_out_meV_per_atom": round(test.rmse_energy_meV_per_atom, 3),
        "held_out_meV_per_A": round(test.rmse_forces_meV_per_A, 2),
    }


def main() -> None:
    """Judge the candidates that are not in the table yet, and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=candidates(), help="default: both groups")
    parser.add_argument("--seed", type=int, default=0, help="which trajectories are held out")
    parser.add_argument("--output", type=Path, default=TABLE, help="default: %(default)s")
    options = parser.parse_args()
    training, held_out = split_trajectories(load_frames("water", "train"), options.seed)
    rows = pd.read_csv(options.output).to_dict("records") if options.output.exists() else []
    for group, members in candidates().items():
        if options.only not in (None, group):
            continue
        for name, (config, n_frames) in members.items():
            key = {"group": group, "seed": options.seed, "settings": config.to_cfg()}
            key["n_frames"] = min(n_frames, len(training))
            if any(all(row[k] == v for k, v in key.items()) for row in rows):
                continue
            row = {"candidate": name, **key, **judge(config, training[:n_frames], held_out)}
            rows.append(row)
            write_atomic(options.output, pd.DataFrame(rows).to_csv(index=False))
            print({name: value for name, value in row.items() if name != "settings"}, flush=True)
    print(pd.DataFrame(rows).drop(columns="settings").to_string(index=False))


if __name__ == "__main__":
    main()
