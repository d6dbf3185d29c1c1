"""Sample liquid water with a GAP: many trajectories at once, a few frames of each.

Trajectory number t starts from one of the given frames, drawn at random, is heated for 0.5 ps at
500 K, so that it forgets where it began, runs 1.5 ps at its own temperature (300, 330, 360, 400 or
450 K: t modulo 5), and then gives a frame every half picosecond. Langevin dynamics, 0.8 fs steps. A
wall in front of the GAP's short-range hole keeps molecules apart; a trajectory that breaks all the
same is thrown away and started again from another frame. The random numbers of a trajectory come
from the seed and its number only, so a run that was stopped goes on to the same frames.

The frames are written in the order in which they shall be used: one of every trajectory, shuffled,
then the next of every trajectory, and so on, so that the first n are as independent as n can be.

Example, the 360 training frames of the shipped data (about ten minutes):
    python data/water/generate/sample.py results/water/start_labeled.xyz \\
        --model results/water/gap_1.xml --first-trajectory 1000 --n-trajectories 45 \\
        --n-frames 8 --seed 1 --output results/water/a.xyz
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from frame_files import frames_done, write_frames
from geometry import check_water

from helpers.checks import Settings, number, seed, whole
from helpers.errors import DataError
from helpers.files import check_writable
from helpers.frames import read_frames
from helpers.md import Monitor, run_replicas
from helpers.md.short_range import with_core_repulsion
from helpers.terminal import progress_bar, teaching_script

TEMPERATURES_K = (300, 330, 360, 400, 450)
ATTEMPTS = 6
HEATED_SEEDS = 1_000_000_000  # added to a seed, so that the two parts of a run differ
# Wider limits than those of a run that shall be trusted: DFT labels what is odd but no wreck.
MONITOR = Monitor(longest_OH_A=1.6, largest_jump_meV_per_atom=300.0)


@dataclass(frozen=True)
class Sampling(Settings):
    """How a trajectory is run; the defaults are those of the shipped training frames.

    Attributes
    ----------
    timestep_fs, relaxation_fs : float
        Of Langevin dynamics; the friction is one over the relaxation time.
    heat_ps, heat_K : float
        How long and at which temperature a trajectory forgets its start.
    equilibration_ps : float
        At its own temperature, before the first frame.
    n_frames : int
    interval_ps : float
        Between frames.
    """

    timestep_fs: float = 0.8
    relaxation_fs: float = 100.0
    heat_ps: float = 0.5
    heat_K: float = 500.0
    equilibration_ps: float = 1.5
    n_frames: int = 8
    interval_ps: float = 0.5

    def __post_init__(self) -> None:
        whole("n_frames", self.n_frames, 1)
        for field in fields(self):
            if field.name != "n_frames":
                number(field.name, getattr(self, field.name))

    def steps(self, time_ps: float) -> int:
        """Return how many steps a time takes."""
        return max(1, round(1000 * time_ps / self.timestep_fs))


def potential_with_wall(path: Path) -> Any:
    """Return a `JaxCalculator` of a GAP with a wall in front of its short-range hole."""
    from helpers.gap.jax.calculator import JaxCalculator
    from helpers.gap.xml import read_model

    return JaxCalculator(with_core_repulsion(read_model(path)))


def sample(
    numbers: Sequence[int],
    starts: Sequence[Atoms],
    potential: Any,
    *,
    temperature_K: float,
    first_seed: int,
    sampling: Sampling,
    show: bool = True,
) -> dict[int, list[Atoms]]:
    """Return the frames of trajectories of one temperature, by number; wrapped, without labels.

    Raises
    ------
    DataError
        If a trajectory breaks six times, each time from another start.
    """
    done: dict[int, list[Atoms]] = {}
    reasons: dict[int, str] = {}
    for attempt in range(ATTEMPTS):
        left = [n for n in numbers if n not in done]
        if not left:
            break
        draws = {n: np.random.default_rng([first_seed, n, attempt]) for n in left}
        begin = {n: _bare(starts[int(rng.integers(len(starts)))]) for n, rng in draws.items()}
        seeds = {n: int(rng.integers(HEATED_SEEDS)) for n, rng in draws.items()}
        settings = {
            "timestep_fs": sampling.timestep_fs,
            "thermostat": "langevin",
            "relaxation_fs": sampling.relaxation_fs,
            "monitor": MONITOR,
            "progress": show,
        }
        n_heat, every = sampling.steps(sampling.heat_ps), sampling.steps(sampling.interval_ps)
        heated = run_replicas(
            potential,
            [begin[n] for n in left],
            seeds=[seeds[n] for n in left],
            steps=n_heat,
            record_every=n_heat,
            temperature_K=sampling.heat_K,
            **settings,
        )
        reasons |= {n: run.stopped for n, run in zip(left, heated, strict=True) if run.stopped}
        alive = {n: run.frames()[-1] for n, run in zip(left, heated, strict=True) if run.stable}
        if not alive:
            continue
        n_before = -(-sampling.steps(sampling.equilibration_ps) // every)
        runs = run_replicas(
            potential,
            list(alive.values()),
            seeds=[HEATED_SEEDS + seeds[n] for n in alive],
            steps=every * (n_before + sampling.n_frames - 1),
            record_every=every,
            temperature_K=temperature_K,
            keep_velocities=True,
            **settings,
        )
        for n, run in zip(alive, runs, strict=True):
            if run.stopped:
                reasons[n] = run.stopped
                continue
            frames = [_bare(atoms) for atoms in run.frames()[-sampling.n_frames :]]
            for place, atoms in enumerate(frames):
                atoms.wrap()
                atoms.info = {"temperature_K": temperature_K, "trajectory": n, "frame": place}
            done[n] = frames
    broken = [n for n in numbers if n not in done]
    if broken:
        raise DataError(
            f"Trajectory {broken[0]} broke {ATTEMPTS} times at {temperature_K} K",
            found=reasons[broken[0]],
            fix="train the model on more frames, or sample at lower --temperatures-K first, label "
            "those frames and train again",
        )
    return done


def _bare(atoms: Atoms) -> Atoms:
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if atoms.has("momenta"):
        bare.set_momenta(atoms.get_momenta())
    return bare


def in_order_of_use(
    trajectories: Mapping[int, Sequence[Atoms]], rng: np.random.Generator
) -> list[Atoms]:
    """Return one frame of each trajectory in random order, then the next of each, and so on.

    Which frame of a trajectory comes first is random, too, so that the first n frames are not all
    early ones.
    """
    shuffled = {
        n: [frames[i] for i in rng.permutation(len(frames))] for n, frames in trajectories.items()
    }
    n_rounds = max(map(len, shuffled.values()), default=0)
    ordered = []
    for place in range(n_rounds):
        there = [n for n in sorted(shuffled) if place < len(shuffled[n])]
        ordered += [shuffled[there[i]][place] for i in rng.permutation(len(there))]
    return ordered


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("starts", type=Path, help="extended XYZ with frames to start from")
    parser.add_argument("--model", type=Path, required=True, help="gap.xml of the GAP")
    parser.add_argument("--output", type=Path, required=True, help="extended XYZ to write")
    parser.add_argument("--n-trajectories", type=int, default=45, help="default: %(default)s")
    parser.add_argument("--first-trajectory", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument(
        "--temperatures-K",
        type=int,
        nargs="+",
        default=TEMPERATURES_K,
        metavar="T",
        help="default: " + " ".join(map(str, TEMPERATURES_K)),
    )
    for field in fields(Sampling):
        option = "--" + field.name.replace("_", "-")
        kind = int if field.name == "n_frames" else float
        parser.add_argument(option, type=kind, default=field.default, help="default: %(default)s")
    return parser


def main(options: argparse.Namespace) -> int:
    check_writable(options.output)
    sampling = Sampling(**{field.name: getattr(options, field.name) for field in fields(Sampling)})
    seed(options.seed)
    whole("n_trajectories", options.n_trajectories, 1)
    whole("first_trajectory", options.first_trajectory, 0)
    for temperature_K in options.temperatures_K:
        number("temperatures_K", temperature_K)
    starts = read_frames(options.starts)
    for atoms in starts:
        check_water(atoms)
    numbers = range(options.first_trajectory, options.first_trajectory + options.n_trajectories)
    done: dict[int, list[Atoms]] = defaultdict(list)
    for (trajectory, _), atoms in sorted(frames_done(options.output, _place).items()):
        done[trajectory].append(atoms)
    if set(done) - set(numbers) or any(len(done[n]) != sampling.n_frames for n in done):
        raise DataError(
            f"{options.output} holds other trajectories than these",
            expected=f"{sampling.n_frames} frames of each of {numbers[0]} to {numbers[-1]}",
            found=", ".join(f"{len(frames)} of {n}" for n, frames in sorted(done.items())[:6]),
            fix="give another --output, or remove that file",
        )
    to_do: dict[int, list[int]] = defaultdict(list)
    for n in numbers:
        if n not in done:
            to_do[options.temperatures_K[n % len(options.temperatures_K)]].append(n)
    with progress_bar(len(numbers), "sampling", "trajectory", initial=len(done)) as bar:
        potential = potential_with_wall(options.model) if to_do else None
        for temperature_K, batch in to_do.items():
            done |= sample(
                batch,
                starts,
                potential,
                temperature_K=temperature_K,
                first_seed=options.seed,
                sampling=sampling,
                show=False,
            )
            rng = np.random.default_rng([options.seed, options.first_trajectory])
            write_frames(options.output, in_order_of_use(done, rng))
            bar.update(len(batch))
    print(f"{sum(map(len, done.values()))} frames in {options.output}")
    return 0


def _place(atoms: Atoms) -> tuple[int, int]:
    return int(atoms.info["trajectory"]), int(atoms.info["frame"])


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
