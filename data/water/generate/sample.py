"""Sample liquid water with a preliminary GAP: Langevin dynamics, a few frames of each trajectory.

Trajectory number t starts from one of the given frames, drawn at random, at 300, 350 or 400 K
(t modulo 3), and gives 8 frames, 30 fs apart, after 150 fs. One that breaks the rule of geometry.py
on its way is thrown away and started again from another frame. All random numbers of a trajectory
come from the seed and its number, so a run that was stopped goes on to the same frames.

Example, 25 trajectories (three quarters of a minute each):
    python data/water/generate/sample.py results/water/start.xyz \\
        --model results/water/preliminary.xml --n-trajectories 25 --first-trajectory 1000 \\
        --seed 1 --output results/water/a.xyz
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from frame_files import frames_done, write_frames
from geometry import broken_rule, check_water
from script import Progress, run

from helpers.errors import DataError, PredictionError
from helpers.files import check_writable
from helpers.frames import read_frames

TEMPERATURES_K = (300, 350, 400)
ATTEMPTS = 5


class BrokenTrajectoryError(DataError):
    """A trajectory that left the region in which the model knows water."""


@dataclass(frozen=True)
class Settings:
    """How a trajectory is run; the defaults are those of the shipped data."""

    timestep_fs: float = 0.5
    friction_per_fs: float = 0.02
    equilibration_steps: int = 300
    n_frames: int = 8
    stride_steps: int = 60


def run_trajectory(
    start: Atoms,
    calculator: Calculator,
    *,
    temperature_K: float,
    rng: np.random.Generator,
    settings: Settings,
) -> list[Atoms]:
    """Run Langevin dynamics and return its frames, wrapped into the cell, without labels.

    Raises
    ------
    BrokenTrajectoryError
        If the atoms break the rule at the start, every `stride_steps` steps, or at the end of the
        equilibration, or if the potential gives no finite energy.
    """
    atoms = Atoms(start.numbers, start.positions, cell=start.cell, pbc=start.pbc)
    atoms.calc = calculator
    spread = np.sqrt(atoms.get_masses()[:, None] * units.kB * temperature_K)  # Maxwell-Boltzmann
    atoms.set_momenta(spread * rng.normal(size=(len(atoms), 3)))
    dynamics = Langevin(
        atoms,
        settings.timestep_fs * units.fs,
        temperature_K=temperature_K,
        friction=settings.friction_per_fs / units.fs,
        fixcm=False,
        rng=rng,
    )
    whole, rest = divmod(settings.equilibration_steps, settings.stride_steps)
    equilibration = [rest] * (rest > 0) + [settings.stride_steps] * whole
    n_before = len(equilibration)
    frames: list[Atoms] = []
    for number, n_steps in enumerate(
        [0, *equilibration, *[settings.stride_steps] * settings.n_frames]
    ):
        try:
            dynamics.run(n_steps)
            problem = broken_rule(atoms)
        except PredictionError as error:
            problem = str(error)
        if problem:
            raise BrokenTrajectoryError(f"The trajectory broke at {temperature_K} K", found=problem)
        if number > n_before:
            frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
            frame.wrap()
            frame.info = {"temperature_K": temperature_K}
            frames.append(frame)
    return frames


def sample(
    number: int,
    starts: Sequence[Atoms],
    calculator: Calculator,
    *,
    seed: int,
    settings: Settings,
    temperatures_K: Sequence[int] = TEMPERATURES_K,
) -> list[Atoms]:
    """Return the frames of trajectory `number`: a pure function of its arguments.

    Raises
    ------
    DataError
        If five attempts, each from another random start, all break.
    """
    temperature_K = temperatures_K[number % len(temperatures_K)]
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([seed, number, attempt])
        start = starts[rng.integers(len(starts))]
        try:
            frames = run_trajectory(
                start, calculator, temperature_K=temperature_K, rng=rng, settings=settings
            )
        except BrokenTrajectoryError as error:
            print(f"trajectory {number}, attempt {attempt + 1}: {error}", file=sys.stderr)
            last = error
            continue
        for place, frame in enumerate(frames):
            frame.info |= {"trajectory": number, "frame": place}
        return frames
    raise DataError(
        f"Trajectory {number} broke {ATTEMPTS} times at {temperature_K} K",
        found=last.found,
        fix="train the model on more frames, or sample at lower --temperatures-K first, label "
        "those frames and train again",
    )


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("starts", type=Path, help="extended XYZ with frames to start from")
    parser.add_argument("--model", type=Path, required=True, help="gap.xml of the preliminary GAP")
    parser.add_argument("--output", type=Path, required=True, help="extended XYZ to write")
    parser.add_argument("--n-trajectories", type=int, default=25, help="default: %(default)s")
    parser.add_argument("--first-trajectory", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--engine", default="auto", help="of helpers.load_potential; default: auto")
    parser.add_argument(
        "--temperatures-K",
        type=int,
        nargs="+",
        default=TEMPERATURES_K,
        metavar="T",
        help="default: 300 350 400",
    )
    for field in fields(Settings):
        option = "--" + field.name.replace("_", "-")
        kind = type(field.default)
        parser.add_argument(option, type=kind, default=field.default, help="default: %(default)s")
    options = parser.parse_args(arguments)
    positive = ("n_trajectories", "timestep_fs", "n_frames", "stride_steps")
    if any(getattr(options, name) <= 0 for name in positive) or min(options.temperatures_K) <= 0:
        parser.error("numbers of trajectories, frames and steps, and temperatures must be above 0")
    if min(options.seed, options.first_trajectory, options.equilibration_steps) < 0:
        parser.error("--seed, --first-trajectory, --equilibration-steps must not be negative")
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments(arguments)
    check_writable(options.output)
    settings = Settings(**{field.name: getattr(options, field.name) for field in fields(Settings)})
    starts = read_frames(options.starts)
    for atoms in starts:
        check_water(atoms)
    numbers = range(options.first_trajectory, options.first_trajectory + options.n_trajectories)
    done: dict[int, list[Atoms]] = defaultdict(list)
    for (number, _), atoms in frames_done(options.output, _trajectory_and_frame).items():
        done[number].append(atoms)
    if set(done) - set(numbers) or any(len(done[n]) != settings.n_frames for n in done):
        raise DataError(
            f"{options.output} holds other trajectories than these",
            expected=f"{settings.n_frames} frames of each of {numbers[0]} to {numbers[-1]}",
            found=", ".join(f"{len(frames)} of {n}" for n, frames in sorted(done.items())[:6]),
            fix="give another --output, or remove that file",
        )
    progress = Progress(len(numbers), len(done), "trajectories")
    to_do = [number for number in numbers if number not in done]
    if to_do:
        from helpers.gap.potential import load_potential

        calculator = load_potential(options.model, engine=options.engine)
    for number in to_do:
        done[number] = sample(
            number,
            starts,
            calculator,
            seed=options.seed,
            settings=settings,
            temperatures_K=options.temperatures_K,
        )
        write_frames(options.output, [atoms for n in numbers if n in done for atoms in done[n]])
        progress.advance(f"number {number} at {done[number][0].info['temperature_K']} K")
    print(f"{sum(map(len, done.values()))} frames in {options.output}")


def _trajectory_and_frame(atoms: Atoms) -> tuple[int, int]:
    return int(atoms.info["trajectory"]), int(atoms.info["frame"])


if __name__ == "__main__":
    sys.exit(run(main))
