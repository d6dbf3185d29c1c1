#!/usr/bin/env python
"""Where the water data is the limit, and where the model is: errors against the number of frames.

Two models, the default and a richer one, learn the first 5 to 400 training frames and are judged
twice: on the validation frames, and, after a fit without every fifth trajectory, on the frames of
those trajectories. One row per fit goes into water_data.csv; a fit that is there already is not
done again, so a run that was stopped goes on with the same command. The kit's own engine fits.

    python benchmarks/water_data.py                  # all: about half an hour of one core
    python benchmarks/water_data.py --largest 50     # try it
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd
from ase import Atoms

from helpers import GapConfig, evaluate, fit_gap, load_frames, load_potential
from helpers.files import write_atomic

TABLE = Path(__file__).with_name("water_data.csv")
SIZES = (5, 10, 25, 50, 100, 200, 400)
MODELS = {"default": GapConfig(), "richer": GapConfig.accurate()}
EVERY = 5  # trajectory is held out
KEY = ["model", "judged_on", "n_frames"]


def split_trajectories(frames: list[Atoms]) -> tuple[list[Atoms], list[Atoms]]:
    """Return the frames of most trajectories, in their order, and those of every fifth."""
    names = sorted({int(atoms.info["trajectory"]) for atoms in frames})
    held_out = {*names[::EVERY]}
    parts: tuple[list[Atoms], list[Atoms]] = ([], [])
    for atoms in frames:
        parts[int(atoms.info["trajectory"]) in held_out].append(atoms)
    return parts


def main() -> None:
    """Fit and judge what is not in the table yet, and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--largest", type=int, default=400, help="number of frames; default 400")
    options = parser.parse_args()
    everything = load_frames("water", "train")
    kept, held_out = split_trajectories(everything)
    sets = {
        "validation": (everything, load_frames("water", "validate")),
        "trajectories held out": (kept, held_out),
    }
    rows = pd.read_csv(TABLE).to_dict("records") if TABLE.exists() else []
    known = {tuple(row[name] for name in KEY) for row in rows}
    for size in SIZES:
        for model, config in MODELS.items():
            for judged_on, (training, unseen) in sets.items():
                n_frames = min(size, len(training))
                key = (model, judged_on, n_frames)
                if size > options.largest or key in known:
                    continue
                row = measure(config, training[:n_frames], unseen)
                rows.append(dict(zip(KEY, key, strict=True)) | row)
                write_atomic(TABLE, pd.DataFrame(rows).to_csv(index=False))
                print(rows[-1], flush=True)


def measure(config: GapConfig, training: list[Atoms], unseen: list[Atoms]) -> dict[str, float]:
    """Train, and evaluate on the frames of other trajectories."""
    with tempfile.TemporaryDirectory() as folder:
        fit = fit_gap(
            config, training, output=Path(folder, "gap.xml"), engine="jax", progress=False
        )
        potential = load_potential(fit.model_path, engine="jax")
        found = evaluate(potential, unseen)
    return {
        "rmse_energy_meV_per_atom": round(found.rmse_energy_meV_per_atom, 4),
        "rmse_forces_meV_per_A": round(found.rmse_forces_meV_per_A, 3),
    }


if __name__ == "__main__":
    main()
