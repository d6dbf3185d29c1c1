#!/usr/bin/env python
"""Is a box of 16 molecules liquid or solid at 300 K? Runs from liquid and from frozen frames.

The runs of liquid.py show that some of ten boxes of 16 molecules freeze within 20 ps. This study
tells whether the potential or the small box is behind it: the default potential starts from liquid
and from frozen frames, at several temperatures, 2 ps with Langevin's thermostat and 20 ps with that
of Bussi. Where frozen frames stay frozen, the crystal is stable, and whether a liquid freezes is a
matter of time; where they melt, the liquid is. The table also holds the energy of the frozen frames
below the liquid ones, by DFT and by the potential: it tells whether the potential favors ice. One
row per run goes into melting.csv; a run that is there already is not done again.

    python benchmarks/melting.py        # a quarter of an hour of one core
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from liquid import STEPS, WARM_STEPS, default_potential

from helpers import load_frames, run_nvt
from helpers.files import write_atomic
from helpers.md import judge_phase
from helpers.md.quality import block_mean

TABLE = Path(__file__).with_suffix(".csv")
TEMPERATURES_K = (300, 330, 360)
SEEDS = (1, 2)
PHASES = ("liquid", "frozen")


def run_from(potential, phase: str, temperature_K: float, seed: int) -> dict[str, float | str]:
    """Run, and return what became of the box."""
    bath = {"temperature_K": temperature_K, "seed": seed, "progress": False}
    warm = run_nvt(potential, load_frames("water", phase)[seed], steps=WARM_STEPS, **bath)
    gentle = {"thermostat": "bussi", "relaxation_fs": 1000.0, "keep_velocities": True}
    run = run_nvt(potential, warm.frames()[-1], steps=STEPS, record_every=4, **bath, **gentle)
    state = judge_phase(run)
    return {
        "start": phase,
        "bath_K": temperature_K,
        "seed": seed,
        "stopped": warm.stopped or run.stopped,
        "picoseconds": round(float(run.times_fs[-1]) / 1000, 2),
        "verdict": state.verdict,
        "tetrahedral_order": round(state.tetrahedral_order, 3),
        "first_minimum_OO": round(state.first_minimum_OO, 3),
        "diffusion_A2_per_ps": round(state.diffusion_A2_per_ps, 4),
        "temperature_K": round(block_mean(run.temperature_K).value, 1),
    }


def frozen_below_liquid(potential) -> tuple[float, float]:
    """Return the mean energy of frozen minus liquid frames, meV a molecule: DFT, potential."""
    dft, model = {}, {}
    for phase in PHASES:
        frames = load_frames("water", phase)
        molecules = len(frames[0]) / 3
        dft[phase] = 1000 * np.mean([a.info["dft_energy"] for a in frames]) / molecules
        energies = [energy for energy, *_ in potential.predict_frames(frames)]
        model[phase] = 1000 * np.mean(energies) / molecules
    return dft["frozen"] - dft["liquid"], model["frozen"] - model["liquid"]


def main() -> None:
    """Do the runs that are not in the table yet, and print it."""
    potential = default_potential()
    rows = pd.read_csv(TABLE, keep_default_na=False).to_dict("records") if TABLE.exists() else []
    done = {(row["start"], row["bath_K"], row["seed"]) for row in rows}
    dft, model = (round(value, 2) for value in frozen_below_liquid(potential))
    for temperature_K in TEMPERATURES_K:
        for phase in PHASES:
            for seed in SEEDS:
                if (phase, temperature_K, seed) in done:
                    continue
                row = run_from(potential, phase, temperature_K, seed)
                energies = {"frozen_minus_liquid_dft_meV": dft, "by_model_meV": model}
                rows.append(row | energies)
                print(rows[-1], flush=True)
                write_atomic(TABLE, pd.DataFrame(rows).to_csv(index=False))
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
