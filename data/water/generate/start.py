"""Make starting frames of liquid water from nothing, with a cheap force field.

Each frame has a run of its own: 16 molecules on a body-centered cubic lattice, turned at random,
then Langevin dynamics with a flexible force field, then a small random displacement of every atom,
which widens the bond lengths and angles beyond what the force field knows. A frame depends on the
seed and its number only, so a run that was stopped goes on to the same file.

Example, 62 frames in about 3 minutes:
    python data/water/generate/start.py --n-frames 62 --seed 1 --output results/water/start.xyz
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from force_field import WaterForceField
from frame_files import frames_done, write_frames
from geometry import CELL_A, broken_rule
from scipy.spatial.transform import Rotation

from helpers.checks import number as checked_number
from helpers.checks import seed, whole
from helpers.errors import DataError
from helpers.files import check_writable
from helpers.terminal import progress_bar, teaching_script

TEMPERATURES_K = (300, 330, 360, 400, 450)  # frame i has the temperature number i modulo 5
TIMESTEP_FS = 0.5
FRICTION_PER_FS = 0.02
ATTEMPTS = 5


def lattice_of_molecules(rng: np.random.Generator) -> Atoms:
    """Return 16 molecules on a body-centered cubic lattice, turned at random (O-O 3.4 Å apart)."""
    corners = np.stack(np.meshgrid(*[range(2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    sites = np.concatenate([corners, corners + 0.5]) * CELL_A / 2
    return molecules_at(sites, CELL_A, rng)


def molecules_at(sites: np.ndarray, cell_A: float, rng: np.random.Generator) -> Atoms:
    """Return molecules with their O atoms at given places, shape (n, 3), in Å, turned at random."""
    bond_A, half = WaterForceField.bond_A, WaterForceField.angle_rad / 2
    h_x, h_y = bond_A * np.cos(half), bond_A * np.sin(half)
    molecule = np.array([[0, 0, 0], [h_x, h_y, 0], [h_x, -h_y, 0]])
    turns = Rotation.from_quat(rng.normal(size=(len(sites), 4))).as_matrix()
    positions = sites[:, None, :] + np.einsum("ka,mba->mkb", molecule, turns)
    return Atoms("OHH" * len(sites), positions.reshape(-1, 3), cell=[cell_A] * 3, pbc=True)


def starting_frame(number: int, *, seed: int, n_steps: int, rattle_A: float) -> Atoms:
    """Return one frame of liquid water that keeps the rule of geometry.py.

    Parameters
    ----------
    number : int
        Number of the frame; with `seed` it decides all random numbers.
    n_steps : int
        Steps of 0.5 fs away from the lattice.
    rattle_A : float
        Standard deviation of the last displacement of every coordinate, Å.

    Raises
    ------
    DataError
        If five attempts all break the rule.
    """
    temperature_K = TEMPERATURES_K[number % len(TEMPERATURES_K)]
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([seed, number, attempt])
        atoms = lattice_of_molecules(rng)
        atoms.calc = WaterForceField()
        dynamics = Langevin(
            atoms,
            TIMESTEP_FS * units.fs,
            temperature_K=temperature_K,
            friction=FRICTION_PER_FS / units.fs,
            fixcm=False,
            rng=rng,
        )
        dynamics.run(n_steps)
        atoms.positions += rng.normal(scale=rattle_A, size=atoms.positions.shape)
        problem = broken_rule(atoms)
        if problem is None:
            atoms.wrap()
            atoms.info = {"temperature_K": temperature_K, "trajectory": number, "frame": 0}
            return atoms
    raise DataError(
        f"Frame {number} broke the rule {ATTEMPTS} times",
        found=problem,
        fix="use a smaller --rattle-A or more --n-steps",
    )


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n-frames", type=int, default=62, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--n-steps", type=int, default=4000, help="of 0.5 fs; default %(default)s")
    parser.add_argument("--rattle-A", type=float, default=0.02, help="in Å; default: %(default)s")
    parser.add_argument("--output", type=Path, required=True, help="extended XYZ to write")
    return parser


def main(options: argparse.Namespace) -> int:
    whole("n_frames", options.n_frames, 1)
    whole("n_steps", options.n_steps, 0)
    checked_number("rattle_A", options.rattle_A, positive=False)
    check_writable(options.output)
    done = frames_done(options.output, key=lambda atoms: int(atoms.info["trajectory"]))
    frames = [done[number] for number in range(options.n_frames) if number in done]
    with progress_bar(options.n_frames, "starting", "frame", initial=len(frames)) as bar:
        for number in range(options.n_frames):
            if number in done:
                continue
            frame = starting_frame(
                number,
                seed=seed(options.seed),
                n_steps=options.n_steps,
                rattle_A=options.rattle_A,
            )
            frames.append(frame)
            write_frames(options.output, frames)
            bar.update()
    print(f"{len(frames)} frames in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
