#!/usr/bin/env python
"""What a label costs: processor seconds of CP2K for ten training frames, one after the other.

Energies and forces of the first training frames that have no polarizability are computed anew, as
data/water/generate labels them, on one core. A row per frame goes into dft_cost.csv beside this
file; a frame that is there already is not computed again. What the labels were recorded with, on a
machine that did other work at times, stands beside it, and by how much the new energy differs from
the label.

    python benchmarks/dft_cost.py              # five minutes of one core; needs CP2K
    python benchmarks/dft_cost.py --frames 2
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import pandas as pd

from helpers import load_frames
from helpers.files import write_atomic
from helpers.frames import data_folder

sys.path.insert(0, str(data_folder() / "water" / "generate"))
from cp2k_files import read_labels, stages_of  # noqa: E402
from cp2k_run import Cp2k  # noqa: E402
from label import Job  # noqa: E402

TABLE = Path(__file__).with_suffix(".csv")


def processor_seconds() -> float:
    """Return what all child processes that have ended have used so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Label frames that the table does not hold; print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10)
    options = parser.parse_args()
    rows = pd.read_csv(TABLE).to_dict("records") if TABLE.exists() else []
    frames = [one for one in load_frames("water", "train") if "Polarizability" not in one.info]
    for number, atoms in enumerate(frames[: options.frames]):
        if any(row["frame"] == number for row in rows):
            continue
        job = Job(f"frame {number}", atoms, stages_of(atoms, polarizability=False))
        before, clock = processor_seconds(), time.monotonic()
        outputs = Cp2k().run(job.inputs())
        rows.append(
            {
                "frame": number,
                "cpu_seconds": round(processor_seconds() - before, 1),
                "wall_seconds": round(time.monotonic() - clock, 1),
                "recorded_seconds": atoms.info["dft_seconds"],
                "energy_difference_meV": round(
                    1000 * (read_labels(outputs, len(atoms)).energy - atoms.info["dft_energy"]), 4
                ),
            }
        )
        write_atomic(TABLE, pd.DataFrame(rows).to_csv(index=False))
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    print(f"median: {table['cpu_seconds'].median():.1f} CPU s a frame")


if __name__ == "__main__":
    main()
