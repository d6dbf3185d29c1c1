"""Time and memory of each stage of ``mlmd run``: ``python benchmarks/main_job.py [PRESET …]``.

Runs the handout with the presets (fast and accurate by default), each into a folder of its own
under ``--folder``, and writes a row for each stage into ``main_job.csv`` beside this file: seconds
on the clock and of the processor, memory of all processes. ``overhead_percent`` is what the command
takes beyond its stages (reading, comparing with records, pages), relative to them. A run that was
stopped goes on where it was: stages that are finished keep their numbers; their overhead is that of
the last start.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import pandas as pd

from helpers.pipeline import run_handout
from helpers.pipeline.stages import COSTS

TABLE = Path(__file__).with_name("main_job.csv")


def measure(preset: str, folder: Path) -> list[dict[str, object]]:
    """Run the handout and return a row for each stage, and one for the whole."""
    start = time.perf_counter()
    outcomes = run_handout(folder, preset=preset, progress=False).found
    here = time.perf_counter() - start
    rows: list[dict[str, object]] = [
        {"preset": preset, "stage": one.stage, "state": one.state}
        | {name: round(getattr(one, name), 1) for name in COSTS}
        for one in outcomes
    ]
    now = sum(one.seconds for one in outcomes if one.state == "done")
    rows.append(
        {
            "preset": preset,
            "stage": "all",
            "state": "done" if all(one.ok for one in outcomes) else "failed",
            "seconds": round(sum(one.seconds for one in outcomes), 1),
            "cpu_seconds": round(sum(one.cpu_seconds for one in outcomes), 1),
            "peak_memory_MB": round(max(one.peak_memory_MB for one in outcomes), 1),
            "overhead_percent": round(100 * (here - now) / now, 2) if now else None,
        }
    )
    return rows


def main() -> int:
    """Measure the presets that are asked for, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("presets", nargs="*", default=["fast", "accurate"])
    parser.add_argument("--folder", type=Path, default=Path("results"))
    given = parser.parse_args()
    given.folder.mkdir(exist_ok=True)
    load = os.getloadavg()[0]
    for preset in given.presets:
        rows = measure(preset, given.folder / f"main_job_{preset}")
        known = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame(columns=["preset"])
        table = pd.concat([known[known["preset"] != preset], pd.DataFrame(rows)])
        table.to_csv(TABLE, index=False)
        print(table[table["preset"] == preset].to_string(index=False, na_rep="–"))
    print(f"{os.cpu_count()} cores, on which {load:.1f} processes wanted to run at the start")
    return 0


if __name__ == "__main__":
    sys.exit(main())
