#!/usr/bin/env python
"""What the two presets reach on the released validation frames, and what they cost.

One row per fit goes into presets.csv, which the README quotes. The accurate preset is also trained
on 50 frames, since a test can repeat that. The kit's own engine finds the errors, which are those
of gap_fit within the luck of the sparse points. Processor time and memory are those of gap_fit:
they depend on the settings alone, and are measured where the table does not know them yet.

    python benchmarks/presets.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from helpers import GapConfig, evaluate, fit_gap, load_frames, load_potential
from helpers.files import write_atomic

TABLE = Path(__file__).with_name("presets.csv")
PRESETS = {
    "GapConfig()": GapConfig(),
    "GapConfig.accurate(), 50 frames": GapConfig.accurate().replace(
        atoms_filename="gap_input_50.xyz"
    ),
    "GapConfig.accurate()": GapConfig.accurate(),
}
COST = ["cpu_seconds", "peak_memory_MB"]


def cost(config: GapConfig) -> dict[str, float]:
    """Train with gap_fit."""
    with tempfile.TemporaryDirectory() as folder:
        fit = fit_gap(config, output=Path(folder, "gap.xml"))
    return {"cpu_seconds": round(fit.cpu_seconds, 1), "peak_memory_MB": round(fit.peak_memory_MB)}


def errors(config: GapConfig) -> dict[str, float]:
    """Train with the kit's engine, and evaluate on the validation frames."""
    with tempfile.TemporaryDirectory() as folder:
        fit = fit_gap(config, output=Path(folder, "gap.xml"), engine="jax")
        potential = load_potential(fit.model_path, engine="jax")
        found = evaluate(potential, load_frames("water", "validate"))
    return {
        "n_frames": fit.n_frames,
        "rmse_energy_meV_per_atom": round(found.rmse_energy_meV_per_atom, 4),
        "rmse_forces_meV_per_A": round(found.rmse_forces_meV_per_A, 3),
    }


def main() -> None:
    """Measure all errors, and what is not in the table yet of the cost; print both."""
    known = pd.read_csv(TABLE).to_dict("records") if TABLE.exists() else []
    costs = {row["settings"]: {name: row[name] for name in COST} for row in known}
    rows = []
    for preset, config in PRESETS.items():
        settings = config.to_cfg()
        found = errors(config)
        row = {"preset": preset, "n_frames": found["n_frames"]}
        row |= (costs[settings] if settings in costs else cost(config)) | found
        rows.append(row | {"settings": settings})
    write_atomic(TABLE, pd.DataFrame(rows).to_csv(index=False))
    print(pd.DataFrame(rows).drop(columns="settings").to_string(index=False))


if __name__ == "__main__":
    main()
