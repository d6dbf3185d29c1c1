#!/usr/bin/env python
"""The study behind the two presets: candidates judged on trajectories held out of the training set.

The validation frames are not touched. Of the 400 training frames, those of every fifth trajectory
are held out; candidates for the default train on the first 100 of the others, candidates for
GapConfig.accurate() on all of them. Around the preset that was chosen, one setting at a time is
changed: what helps most is what limits the rest. Errors do not tell whether a run lasts, since no
frame holds an O–H bond that is about to break: so the study also stretches the bonds of held-out
frames to 1.4 Å, and notes the lowest energy that this costs. The kit's own engine fits. One row per
fit goes into choose_presets.csv; a fit that is there already is not done again, so a run that was
stopped goes on with the same command.

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
# Where the study began: the presets of the first edition of the water data.
FORMER = GapConfig(
    cutoff=3.5,
    cutoff_transition_width=2.0,
    n_max=6,
    delta=0.2,
    two_body=TwoBody(cutoff=6.0, n_sparse=25, delta=0.5),
)
FORMER_ACCURATE = FORMER.replace(
    cutoff=4.0, cutoff_transition_width=2.5, n_max=8, two_body=TwoBody(delta=0.5)
)
# The default before this one, with which an O–H bond broke in one of six runs of 20 ps.
BREAKS = GapConfig(
    cutoff=4.0,
    cutoff_transition_width=2.5,
    delta=0.2,
    n_sparse=800,
    two_body=TwoBody(delta=0.5),
)
# Changes of one setting, or of two that belong together.
CHANGES: dict[str, dict[str, Any]] = {
    "n_max 6": {"n_max": 6},
    "n_max 8": {"n_max": 8},
    "n_max 10": {"n_max": 10},
    "l_max 1": {"l_max": 1},
    "l_max 3": {"l_max": 3},
    "500 sparse points": {"n_sparse": 500},
    "2000 sparse points": {"n_sparse": 2000},
    "cutoff 3.5, from 1": {"cutoff": 3.5, "cutoff_transition_width": 2.5},
    "cutoff 4, from 1.1": {"cutoff": 4.0, "cutoff_transition_width": 2.9},
    "cutoff 4.5, from 0.5": {"cutoff": 4.5, "cutoff_transition_width": 4.0},
    "cutoff 5, from 0.5": {"cutoff": 5.0, "cutoff_transition_width": 4.5},
    "transition 1": {"cutoff_transition_width": 1.0},
    "transition 2": {"cutoff_transition_width": 2.0},
    "transition 3.75": {"cutoff_transition_width": 3.75},
    "pairs to 6": {"two_body": TwoBody(cutoff=6.0, n_sparse=25)},
    "no pairs": {"two_body": None},
    "sigma_F 0.006": {"default_sigma": (0.001, 0.006, 0.0, 0.0)},
    "sigma_F 0.024": {"default_sigma": (0.001, 0.024, 0.0, 0.0)},
    "sigma_E 0.0005": {"default_sigma": (0.0005, 0.012, 0.0, 0.0)},
    "sigma_E 0.002": {"default_sigma": (0.002, 0.012, 0.0, 0.0)},
    "zeta 1": {"zeta": 1},
    "zeta 3": {"zeta": 3},
    "delta 0.2": {"delta": 0.2},
    "delta 0.5": {"delta": 0.5},
    "delta 5": {"delta": 5.0},
    "delta of pairs 0.5": {"two_body": TwoBody(delta=0.5)},
    "atom_sigma 0.3": {"atom_sigma": 0.3},
    "atom_sigma 0.5": {"atom_sigma": 0.5},
}
FOR_ACCURATE = (
    "n_max 10",
    "l_max 3",
    "500 sparse points",
    "2000 sparse points",
    "cutoff 5, from 0.5",
    "pairs to 6",
    "sigma_F 0.006",
)
SIZES = (50, 200, 400)  # of the default, to see what more data would do
N_FRAMES = 100  # for which the default is meant
BOND_A, STRETCHED_A = 0.97, 1.4
N_STRETCHED = 16  # frames, eight bonds in each


def candidates() -> dict[str, dict[str, tuple[GapConfig, int]]]:
    """Settings and numbers of training frames, by group and name."""
    default, accurate = GapConfig(), GapConfig.accurate()
    groups = {
        "default": {
            "the first edition's": (FORMER, N_FRAMES),
            "whose bonds broke": (BREAKS, N_FRAMES),
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


def cost_of_stretching(potential: Any, frames: list[Atoms]) -> float:
    """Return what it costs to stretch an O–H bond to `STRETCHED_A`, eV: the lowest of many."""
    pairs = []
    for atoms in frames[:N_STRETCHED]:
        for oxygen in np.flatnonzero(atoms.numbers == 8)[::4]:
            distances = atoms.get_distances(oxygen, np.arange(len(atoms)), mic=True)
            hydrogens = np.flatnonzero(atoms.numbers == 1)
            for hydrogen in hydrogens[np.argsort(distances[hydrogens])[:2]]:
                for length_A in (BOND_A, STRETCHED_A):
                    moved = atoms.copy()
                    moved.set_distance(int(oxygen), int(hydrogen), length_A, fix=0, mic=True)
                    pairs.append(moved)
    energies = np.array([energy for energy, *_ in potential.predict_frames(pairs)])
    return float((energies[1::2] - energies[::2]).min())


def judge(config: GapConfig, training: list[Atoms], held_out: list[Atoms]) -> dict[str, float]:
    """Train and evaluate one candidate."""
    with tempfile.TemporaryDirectory() as folder:
        fit = fit_gap(
            config, training, output=Path(folder, "gap.xml"), engine="jax", progress=False
        )
        potential = load_potential(fit.model_path, engine="jax")
        train, test = (evaluate(potential, frames) for frames in (training[:100], held_out))
        stretching_eV = cost_of_stretching(potential, held_out)
    return {
        "cpu_seconds": round(fit.cpu_seconds, 1),
        "train_meV_per_atom": round(train.rmse_energy_meV_per_atom, 3),
        "train_meV_per_A": round(train.rmse_forces_meV_per_A, 2),
        "held_out_meV_per_atom": round(test.rmse_energy_meV_per_atom, 3),
        "held_out_meV_per_A": round(test.rmse_forces_meV_per_A, 2),
        "stretching_eV": round(stretching_eV, 3),
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
