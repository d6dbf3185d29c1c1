#!/usr/bin/env python
"""The study behind the two presets: candidates judged on trajectories held out of the training set.

The validation frames are not touched. Of the 400 training frames, those of every fifth trajectory
are held out; candidates for the default train on the first 100 of the others, candidates for
GapConfig.accurate() on all of them. One row per fit goes into choose_presets.csv; a fit that is
there already is not done again, so a run that was stopped goes on with the same command.

    python benchmarks/choose_presets.py            # all candidates
    python benchmarks/choose_presets.py --only default
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from helpers import GapConfig, TwoBody, evaluate, fit_gap, load_frames
from helpers.files import write_atomic

TABLE = Path(__file__).with_name("choose_presets.csv")
# Where the study began; then one change at a time, then changes that belong together.
START = GapConfig(
    cutoff=3.2,
    cutoff_transition_width=0.5,
    zeta=4,
    l_max=4,
    n_sparse=500,
    default_sigma=(0.001, 0.02, 0.0, 0.0),
    two_body=TwoBody(cutoff=4.0, n_sparse=15),
)
PAIRS_6, PAIRS_7 = TwoBody(cutoff=6.0, n_sparse=25), TwoBody(cutoff=7.5, n_sparse=35)
BETTER = START.replace(zeta=2, two_body=PAIRS_6)
CANDIDATES = {
    "default": {
        "start": START,
        "pairs to 6 A": START.replace(two_body=PAIRS_6),
        "zeta 2": START.replace(zeta=2),
        "zeta 6": START.replace(zeta=6),
        "zeta 2, pairs to 7.5 A": START.replace(zeta=2, two_body=PAIRS_7),
        "zeta 2, pairs to 6 A, sigma_F 0.04": BETTER.replace(default_sigma=(0.001, 0.04, 0.0, 0.0)),
        "zeta 2, pairs to 6 A, atom_sigma 0.3": BETTER.replace(atom_sigma=0.3),
        "zeta 2, pairs to 6 A, 900 sparse points": BETTER.replace(n_sparse=900),
        "… cutoff 2.8": BETTER.replace(n_sparse=900, cutoff=2.8),
        "… n_max 5, 1000 sparse points": BETTER.replace(n_sparse=1000, n_max=5),
        "… n_max 5, cutoff 3.5": BETTER.replace(n_sparse=900, n_max=5, cutoff=3.5),
        "… n_max 8, l_max 2": BETTER.replace(n_sparse=900, n_max=8, l_max=2),
        "… n_max 7, l_max 3, 850 sparse points": BETTER.replace(n_sparse=850, n_max=7, l_max=3),
        "… l_max 3, 1000 sparse points": BETTER.replace(n_sparse=1000, l_max=3),
        "… l_max 2, cutoff 3.5": GapConfig(
            cutoff_transition_width=0.5, default_sigma=START.default_sigma
        ),
        "… that sets in at 2.5": GapConfig(
            cutoff_transition_width=1.0, default_sigma=START.default_sigma
        ),
        "… that sets in at 1.5": GapConfig(default_sigma=START.default_sigma),
        "the default: sigma_F 0.012 with that": GapConfig(),
        "… n_max 9, l_max 2, cutoff 3.6, pairs to 7.5 A (too much memory)": BETTER.replace(
            n_sparse=900, n_max=9, l_max=2, cutoff=3.6, two_body=PAIRS_7
        ),
        "… n_max 9, l_max 2, cutoff 3.7 (too much memory)": BETTER.replace(
            n_sparse=900, n_max=9, l_max=2, cutoff=3.7
        ),
        "… n_max 9, l_max 2, cutoff 3.6, atom_sigma 0.35 (too much memory)": BETTER.replace(
            n_sparse=900, n_max=9, l_max=2, cutoff=3.6, atom_sigma=0.35
        ),
        "… n_max 9, l_max 2, cutoff 3.6, atom_sigma 0.3 (too much memory)": BETTER.replace(
            n_sparse=900, n_max=9, l_max=2, cutoff=3.6, atom_sigma=0.3
        ),
        "… n_max 10, l_max 2, cutoff 4.0, pairs to 7.5 A (too much memory)": BETTER.replace(
            n_sparse=900, n_max=10, l_max=2, cutoff=4.0, two_body=PAIRS_7
        ),
    },
    "accurate": {
        "n_max 8, l_max 3, 1500 sparse points, pairs to 7.5 A": BETTER.replace(
            n_sparse=1500, n_max=8, l_max=3, two_body=PAIRS_7
        ),
        "n_max 9, l_max 2, cutoff 3.6, 1200 sparse points, pairs to 7.5 A": BETTER.replace(
            n_sparse=1200, n_max=9, l_max=2, cutoff=3.6, two_body=PAIRS_7
        ),
        "… n_max 8, cutoff 4.0 that sets in at 1.5": GapConfig.accurate().replace(n_sparse=1200),
        "the accurate preset: that with 800 sparse points": GapConfig.accurate(),
    },
}


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
        fit = fit_gap(config, training, output=Path(folder, "gap.xml"))
        train, test = (evaluate(fit.model_path, frames) for frames in (training, held_out))
    return {
        "n_frames": fit.n_frames,
        "cpu_seconds": round(fit.cpu_seconds, 1),
        "peak_memory_MB": round(fit.peak_memory_MB),
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
    parser.add_argument("--only", choices=CANDIDATES, help="default: both groups")
    parser.add_argument("--seed", type=int, default=0, help="which trajectories are held out")
    parser.add_argument("--output", type=Path, default=TABLE, help="default: %(default)s")
    options = parser.parse_args()
    training, held_out = split_trajectories(load_frames("water", "train"), options.seed)
    rows = pd.read_csv(options.output).to_dict("records") if options.output.exists() else []
    for group, candidates in CANDIDATES.items():
        if options.only not in (None, group):
            continue
        for name, config in candidates.items():
            key = {"group": group, "seed": options.seed, "settings": config.to_cfg()}
            if any(all(row[k] == v for k, v in key.items()) for row in rows):
                continue
            frames = training[:100] if group == "default" else training
            rows.append({"candidate": name, **key, **judge(config, frames, held_out)})
            write_atomic(options.output, pd.DataFrame(rows).to_csv(index=False))
    print(pd.DataFrame(rows).drop(columns="settings").to_string(index=False))


if __name__ == "__main__":
    main()
