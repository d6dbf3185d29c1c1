"""Run water with a GAP and keep a few frames, if it is what it should be: liquid, or frozen.

The frames of "what happened to my water?": 16 molecules driven by a GAP of PBE-D3 freeze at 300 K
within picoseconds, driven by one of revPBE-D3(0) they stay liquid. Bussi's thermostat, 0.8 fs
steps; frames are taken evenly from the second half. Tetrahedral order and g(OO) of that half decide
which phase it is; they are printed and stored in the comment lines.

Example (half a minute):
    python data/water/generate/phase_frames.py data/water_pbe/gap_validate.xyz --phase frozen \\
        --model results/water/gap_pbe.xml --seed 1 --output results/water/frozen.xyz
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from frame_files import write_frames
from sample import potential_with_wall

from helpers.checks import number, seed, whole
from helpers.errors import DataError
from helpers.files import check_writable
from helpers.frames import read_frames
from helpers.md import judge_phase, run_replicas
from helpers.terminal import teaching_script

TIMESTEP_FS = 0.8
RECORD_EVERY = 25  # steps: 20 fs


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("start", type=Path, help="extended XYZ")
    parser.add_argument("--start-frame", type=int, default=0, help="of START; default 0")
    parser.add_argument("--model", type=Path, required=True, help="gap.xml")
    parser.add_argument("--phase", choices=("liquid", "frozen"), required=True)
    parser.add_argument("--temperature-K", type=float, default=300.0, help="default: %(default)s")
    parser.add_argument("--length-ps", type=float, default=10.0, help="default: %(default)s")
    parser.add_argument("--n-frames", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--output", type=Path, required=True, help="extended XYZ to write")
    return parser


def main(options: argparse.Namespace) -> int:
    check_writable(options.output)
    number("length_ps", options.length_ps)
    whole("n_frames", options.n_frames, 1)
    start = read_frames(options.start)[options.start_frame]
    (run,) = run_replicas(
        potential_with_wall(options.model),
        Atoms(start.numbers, start.positions, cell=start.cell, pbc=start.pbc),
        seeds=[seed(options.seed)],
        steps=round(1000 * options.length_ps / TIMESTEP_FS),
        timestep_fs=TIMESTEP_FS,
        temperature_K=options.temperature_K,
        thermostat="bussi",
        record_every=RECORD_EVERY,
    )
    if run.stopped:
        raise DataError("The run broke", found=run.stopped, fix="try another --seed")
    half = run.after(run.times_fs[-1] / 2)
    measured = judge_phase(half)
    print(measured)
    if not (measured.is_frozen if options.phase == "frozen" else measured.is_liquid):
        raise DataError(
            f"The run is not {options.phase}", found=str(measured), fix="run it longer, or again"
        )
    records = half.frames()
    chosen = np.linspace(0, len(records) - 1, options.n_frames).round().astype(int)
    frames = []
    for place, record in enumerate(chosen):
        atoms = Atoms(start.numbers, records[record].positions, cell=start.cell, pbc=True)
        atoms.wrap()
        atoms.info = {
            "temperature_K": options.temperature_K,
            "phase": options.phase,
            "frame": place,
            "tetrahedral_order": round(measured.tetrahedral_order, 3),
            "first_minimum_OO": round(measured.first_minimum_OO, 3),
        }
        frames.append(atoms)
    write_frames(options.output, frames)
    print(f"{len(frames)} frames in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
