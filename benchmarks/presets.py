#!/usr/bin/env python
"""What the two presets reach on the released validation frames, and what they cost.

One row per fit goes into presets.csv, which the README quotes; rows that are there already for the
same settings are not measured again. The accurate preset is also trained on 50 frames, since a test
can repeat that.

    python benchmarks/presets.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from helpers import GapConfig, evaluate, fit_gap, load_frames
from helpers.files import write_atomic

TABLE = Path(__file__).with_name("presets.csv")
PRESETS = {
    "GapConfig()": GapConfig(),
    "GapConfig.accurate(), 50 frames": GapConfig.accurate().replace(
        atoms_filename="gap_input_50.xyz"
    ),
    "GapConfig.accurate()": GapConfig.accurate(),
}


def measure(config: GapConfig) -> dict[str, float]:
    """Train, and evaluate on the 100 validation frames."""
    with tempfile.TemporaryDirectory() as folder:
        fit = fit_gap(config, output=Path(folder, "gap.xml"))
        found = evaluate(fit.model_path, load_frames("water", "validate"))
    return {
        "n_frames": fit.n_frames,
        "cpu_seconds": round(fit.cpu_seconds, 1),
        "peak_memory_MB": round(fit.peak_memory_MB),
        "rmse_energy_meV_per_atom": round(found.rmse_energy_meV_per_atom, 4),
        "rmse_forces_meV_per_A": round(found.rmse_forces_meV_per_A, 3),
    }


def main() -> None:
    """Measure what is not in the table yet, and print it."""
    rows = pd.read_csv(TABLE).to_dict("records") if TABLE.exists() else []
    known = {(row["preset"], row["settings"]): row for row in rows}
    rows = []
    for preset, config in PRESETS.items():
        key = (preset, config.to_cfg())
        row = known.get(key) or {"preset": preset, **measure(config), "settings": key[1]}
        rows.append(row)
        write_atomic(TABLE, pd.DataFrame(rows).to_csv(index=False))
    print(pd.DataFrame(rows).drop(columns="settings").to_string(index=False))


if __name__ == "__main__":
    main()
