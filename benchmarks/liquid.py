#!/usr/bin/env python
"""Does the default potential keep water liquid? Ten runs of 20 ps at 300 K, 16 and 64 molecules.

The default preset is trained with the kit's own engine. Runs of 16 molecules start from validation
snapshots, those of 64 from data/water/start_64.xyz with ten seeds: 2 ps with Langevin's thermostat,
20 ps with that of Bussi, which acts on all velocities alike and slowly, so that diffusion and
vibrations are those of the atoms, then 2 ps at constant energy for the drift. What each run shows
is a row of liquid.csv: phase, structure, vibrations, drift, beside what experiment says. A run that
is there already is not done again.

    python benchmarks/liquid.py                       # half an hour of one core
    python benchmarks/liquid.py --only 16
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from helpers import GapConfig, fit_gap, load_frames, load_potential, run_nve, run_nvt
from helpers.files import write_atomic
from helpers.md import (
    band_maximum_per_cm,
    energy_drift,
    first_peak_A,
    judge_phase,
    radial_distributions,
    vibrational_density_of_states,
)
from helpers.md.quality import block_mean

TABLE = Path(__file__).with_suffix(".csv")
MODEL = Path("results/liquid/gap.xml")
N_RUNS = 10
WARM_STEPS, STEPS, NVE_STEPS = 4_000, 40_000, 4_000  # of 0.5 fs


def default_potential():
    """Return the default potential, trained once."""
    if not MODEL.exists():
        MODEL.parent.mkdir(parents=True, exist_ok=True)
        fit_gap(GapConfig(), output=MODEL, engine="jax")
    return load_potential(MODEL, engine="jax")


def start(n_molecules: int, seed: int):
    """Return the frame that a run starts from."""
    if n_molecules == 64:
        return load_frames("water", "start_64")[0]
    frames = [a for a in load_frames("water", "validate") if a.info["temperature_K"] == 300]
    return frames[seed % len(frames)]


def measure(potential, n_molecules: int, seed: int) -> dict[str, float | int | str]:
    """Run, and return what the run shows."""
    bath = {"temperature_K": 300.0, "seed": seed, "progress": False}
    warm = run_nvt(potential, start(n_molecules, seed), steps=WARM_STEPS, **bath)
    gentle = {"thermostat": "bussi", "relaxation_fs": 1000.0, "keep_velocities": True}
    run = run_nvt(potential, warm.frames()[-1], steps=STEPS, record_every=4, **bath, **gentle)
    last = run.frames()[-1]
    free = run_nve(potential, last, steps=NVE_STEPS, keep_velocities=True, progress=False)
    phase = judge_phase(run)
    vibrations = vibrational_density_of_states(run)
    structure = radial_distributions(run.frames(every=25), n_frames=400)
    row = {
        "n_molecules": n_molecules,
        "seed": seed,
        "stopped": warm.stopped or run.stopped or free.stopped,
        "picoseconds": run.times_fs[-1] / 1000,
        "verdict": phase.verdict,
        "tetrahedral_order": phase.tetrahedral_order,
        "first_minimum_OO": phase.first_minimum_OO,
        "diffusion_A2_per_ps": phase.diffusion_A2_per_ps,
        "diffusion_infinite_A2_per_ps": phase.diffusion_infinite_A2_per_ps,
        "first_peak_OO_A": first_peak_A(structure, "OO"),
        "bend_per_cm": band_maximum_per_cm(vibrations, "bend"),
        "stretch_per_cm": band_maximum_per_cm(vibrations, "stretch"),
        "temperature_K": block_mean(run.temperature_K).value,
        "drift_meV_per_atom_per_ps": energy_drift(free).value,
    }
    return {key: round(x, 4) if isinstance(x, float) else x for key, x in row.items()}


def main() -> None:
    """Do the runs that are not in the table yet, and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=int, choices=(16, 64), help="molecules; default: both")
    options = parser.parse_args()
    potential = default_potential()
    rows = pd.read_csv(TABLE, keep_default_na=False).to_dict("records") if TABLE.exists() else []
    for n_molecules in (16, 64):
        for seed in range(1, N_RUNS + 1):
            known = any((r["n_molecules"], r["seed"]) == (n_molecules, seed) for r in rows)
            if known or options.only not in (None, n_molecules):
                continue
            rows.append(measure(potential, n_molecules, seed))
            print(rows[-1], flush=True)
            write_atomic(TABLE, pd.DataFrame(rows).to_csv(index=False))
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
