"""Make a box of 64 water molecules at 1.0 g/cm³ to start runs from, and verify that it is a liquid.

The molecules begin on a simple cubic lattice, turned at random, so that the box is not copies of a
smaller one. A force field melts the lattice (2 ps at 450 K); then the GAP takes over: 1 ps at 400 K
against what the force field left behind, 10 ps of equilibration at 300 K, and a further run whose
tetrahedral order, g(OO) and diffusion must be those of the liquid (`helpers.md.judge_phase`). Its
last frame is written, with those numbers in its comment line.

Example (a quarter of an hour; --equilibration-ps 0.1 --verification-ps 0.1 --unverified tries it):
    python data/water/generate/start_64.py --model results/water/gap_400.xml --seed 1 \\
        --output results/water/start_64.xyz
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from force_field import WaterForceField
from frame_files import write_frames
from geometry import CELL_A, N_MOLECULES
from sample import potential_with_wall
from start import molecules_at

from helpers.checks import number, seed
from helpers.errors import DataError
from helpers.files import check_writable
from helpers.md import Trajectory, judge_phase, run_replicas
from helpers.terminal import progress_bar, teaching_script

PER_EDGE = 4
SIDE_A = CELL_A * (PER_EDGE**3 / N_MOLECULES) ** (1 / 3)  # the density of the data
TIMESTEP_FS = 0.5


def melted_lattice(rng: np.random.Generator, *, melting_ps: float, show: bool = True) -> Atoms:
    """Return 64 molecules that the force field has taken far from their lattice."""
    edge = range(PER_EDGE)
    sites = np.stack(np.meshgrid(edge, edge, edge, indexing="ij"), axis=-1).reshape(-1, 3)
    atoms = molecules_at(sites * SIDE_A / PER_EDGE, SIDE_A, rng)
    atoms.calc = WaterForceField()
    dynamics = Langevin(
        atoms,
        TIMESTEP_FS * units.fs,
        temperature_K=450,
        friction=0.02 / units.fs,
        fixcm=False,
        rng=rng,
    )
    n_steps = round(1000 * melting_ps / TIMESTEP_FS)
    with progress_bar(n_steps, "melting", "step", show=show) as bar:
        dynamics.attach(lambda: bar.update(min(50, n_steps - bar.n)), interval=50)
        dynamics.run(n_steps)
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)


def run_at(
    potential: Any, atoms: Atoms, *, temperature_K: float, length_ps: float, first_seed: int
) -> Trajectory:
    """Run with Bussi's thermostat, a record every 20 fs.

    Raises
    ------
    DataError
        If the run breaks.
    """
    (run,) = run_replicas(
        potential,
        atoms,
        seeds=[first_seed],
        steps=max(40, round(1000 * length_ps / TIMESTEP_FS)),
        timestep_fs=TIMESTEP_FS,
        temperature_K=temperature_K,
        thermostat="bussi",
        keep_velocities=atoms.has("momenta"),
        record_every=40,
    )
    if run.stopped:
        raise DataError("The run broke", found=run.stopped, fix="try another --seed or model")
    return run


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="gap.xml of all 400 frames")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--melting-ps", type=float, default=2.0, help="default: %(default)s")
    parser.add_argument("--equilibration-ps", type=float, default=10.0, help="default %(default)s")
    parser.add_argument("--verification-ps", type=float, default=20.0, help="default %(default)s")
    parser.add_argument("--unverified", action="store_true", help="write it even if no liquid")
    parser.add_argument("--output", type=Path, required=True, help="extended XYZ to write")
    return parser


def main(options: argparse.Namespace) -> int:
    check_writable(options.output)
    for name in ("melting_ps", "equilibration_ps", "verification_ps"):
        number(name, getattr(options, name))
    first_seed = seed(options.seed)
    potential = potential_with_wall(options.model)
    rng = np.random.default_rng(first_seed)
    atoms = melted_lattice(rng, melting_ps=options.melting_ps)
    parts = (
        (400.0, min(1.0, options.equilibration_ps)),
        (300.0, options.equilibration_ps),
        (300.0, options.verification_ps),
    )
    for place, (temperature_K, length_ps) in enumerate(parts):
        run = run_at(
            potential,
            atoms,
            temperature_K=temperature_K,
            length_ps=length_ps,
            first_seed=first_seed + place,
        )
        atoms = run.frames()[-1]
    measured = judge_phase(run)
    print(measured)
    verified = measured.is_liquid and np.isfinite(measured.diffusion_A2_per_ps)
    if not (verified or options.unverified):
        raise DataError(
            "The box is not known to be a liquid",
            expected="q 0.55 to 0.75, first minimum of g(OO) above 0.5, D above 0.08 Å²/ps",
            found=str(measured),
            fix="verify for 10 ps or more, equilibrate longer, or look at the model",
        )
    start = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    start.wrap()
    start.info = {"temperature_K": 300}
    names = ("tetrahedral_order", "first_minimum_OO", "diffusion_A2_per_ps")
    start.info |= {name: round(getattr(measured, name), 3) for name in names}
    write_frames(options.output, [start])
    print(f"{len(start) // 3} molecules in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
