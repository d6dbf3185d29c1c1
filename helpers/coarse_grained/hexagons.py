"""The lab's own system: pairs of hexagons, what is learned from them, and boxes of many.

The spring of the published set is so stiff that a pair never parts, and the height of the learned
energy against parted bodies stays unknown. Here it is softer: pairs touch for a sixth of the time
and part beyond the cutoff in between, as bodies of a fluid do.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers import checks
from helpers.coarse_grained.bead_potential import BeadSum
from helpers.coarse_grained.bodies import RigidTrajectory, hexagon
from helpers.coarse_grained.dataset import Dataset, DatasetSettings, load_dataset, make_dataset
from helpers.coarse_grained.learned_potential import LearnedPair
from helpers.coarse_grained.many_bodies import diffusion, fill_box, run_box, structure
from helpers.coarse_grained.pair_sum import PairEnergy
from helpers.coarse_grained.rigid_dynamics import kinetic_energies, make_rigid_integrator
from helpers.coarse_grained.trainer import Trainer, Training, load_pair
from helpers.coarse_grained.trainer_config import TrainerConfig
from helpers.frames import data_folder

PAIRS = DatasetSettings(
    n_runs=24, duration=20.0, interval=0.02, timestep=0.005, spring_stiffness=3.0
)
# Windows of three points are nearly pieces of acceleration: many, cheap, and with tame gradients.
# The wall keeps sites apart where no pair ever was.
TRAINING: dict[str, Any] = {
    "dtype": "float32",
    "epochs": 25,
    "batch_length": 3,
    "eval_batch_length": 20,
    "batch_size": 128,
    "epoch_windows": 5120,
    "contact_fraction": 0.8,
    "nn_depth": 2,
    "nn_width": 32,
    "core": 0.9,
    "learning_rate": 0.005,
    "scheduling_factor": 0.88,
    "scheduling_freq": 1,
    "evaluation_freq": 5,
    "checkpoint_freq": 25,
    "stopping_freq": 1000,
    "steps_per_record": 2,
}
# Held-out runs for the stored potentials: another seed.
FRESH = PAIRS.replace(n_runs=10, duration=5.0, seed=2026)
STORED_FILES = ("hexagons.npz", "hexagons_blind.npz")
DENSITY, KT, TIMESTEP = 0.03, 2.5, 0.01


@dataclass(frozen=True)
class BoxComparison:
    """A box of bodies driven by beads and by a learned potential.

    Attributes
    ----------
    structures : dict of str to DataFrame
        ``"beads"``, ``"beads, another run"``, ``"learned"`` → `structure`. What the two runs of
        beads differ by is noise.
    summary : DataFrame
        A row for each run: run, energy (mean potential energy of a body), temperature (mean over
        all degrees of freedom), diffusion.
    run : RigidTrajectory
        With the learned potential.
    """

    structures: dict[str, pd.DataFrame]
    summary: pd.DataFrame
    run: RigidTrajectory

    def difference(
        self, column: str, *, of: str = "learned", least_pairs_from: float = 1.0
    ) -> float:
        """Return the mean absolute difference from the beads of ``"g"`` or ``"orientation"``.

        Parameters
        ----------
        column : str
        of : str
            A key of `structures`.
        least_pairs_from : float
            Distances from here on count; nearer ones are hardly ever visited.
        """
        checks.one_of("of", of, tuple(self.structures))
        true, other = self.structures["beads"], self.structures[of]
        rows = true["r"] >= least_pairs_from
        return float((true[column] - other[column])[rows].abs().mean())


def train_hexagons(
    folder: str | os.PathLike,
    *,
    orientations: bool = True,
    epochs: int | None = None,
    seed: int = 0,
    pairs: DatasetSettings = PAIRS,
    progress: bool = True,
    draw: Callable[[Trainer], None] | None = None,
) -> tuple[Trainer, Training]:
    """Train the lab's potential; trajectories are made once in ``folder/hexagons``.

    Parameters
    ----------
    folder : path
        Exists. Results go to ``folder/coarse`` or ``folder/coarse_without_orientations``.
    orientations : bool
    epochs : int, optional
        By default those of `TRAINING`.
    seed : int
        Of weights and windows.
    pairs : DatasetSettings
    progress : bool
    draw : function of the Trainer, optional
        See `Trainer.train`.
    """
    folder = Path(folder)
    data = folder / "hexagons"
    if not (data / "dataset.json").is_file():
        make_dataset(data, pairs, progress=progress)
    changes: dict[str, Any] = {"orientations": orientations, "seed": seed}
    if epochs is not None:
        changes["epochs"] = epochs
    config = TrainerConfig(data, **TRAINING | changes)
    name = "coarse" if orientations else "coarse_without_orientations"
    trainer = Trainer(config, folder / name)
    return trainer, trainer.train(progress=progress, draw=draw)


def stored_pairs() -> tuple[tuple[LearnedPair, Any], tuple[LearnedPair, Any]]:
    """Return the stored potentials with and without orientations, each with its weights."""
    stored = data_folder() / "stored"
    first, second = (load_pair(stored / name) for name in STORED_FILES)
    return first, second


def fresh_runs(folder: str | os.PathLike, *, progress: bool = True) -> Dataset:
    """Return runs that the stored potentials have not seen, made once; take split "train"."""
    folder = Path(folder)
    if not (folder / "dataset.json").is_file():
        make_dataset(folder, FRESH, progress=progress)
    return load_dataset(folder)


def compare_boxes(
    pair: PairEnergy,
    parameters: Any,
    *,
    n_bodies: int = 64,
    steps: int = 4000,
    record_every: int = 20,
    seed: int = 0,
) -> BoxComparison:
    """Run a box with beads (twice) and with a learned potential, in a heat bath, from one start.

    Parameters
    ----------
    pair, parameters
        The learned pair energy.
    n_bodies, steps, record_every, seed : int
        The first fifth of each run is left out.

    Raises
    ------
    ConfigError
        If a number cannot be used.
    DataError
        If energies do not stay finite.
    """
    checks.whole("steps", steps, 100)
    body = hexagon()
    beads = BeadSum(body)
    box = fill_box(body, n_bodies, density=DENSITY, kT=KT, reach=beads.cutoff, seed=seed)
    common: dict[str, Any] = {"method": "langevin", "timestep": TIMESTEP, "friction": 0.2}
    energies = {
        "beads": (beads, (), seed),
        "beads, another run": (beads, (), seed + 1),
        "learned": (pair, parameters, seed + 2),
    }
    runs = {
        name: _late(
            run_box(
                energy, weights, box, steps=steps, record_every=record_every, seed=one, **common
            )
        )
        for name, (energy, weights, one) in energies.items()
    }
    inertia = make_rigid_integrator("nve", body, timestep=TIMESTEP).inertia
    summary = pd.DataFrame(
        [
            {
                "run": name,
                "energy": float(np.mean(run.energies)) / n_bodies,
                "temperature": 2 * float(kinetic_energies(run.momenta, inertia).mean()),
                "diffusion": diffusion(run),
            }
            for name, run in runs.items()
        ]
    )
    structures = {name: structure(run, box, bin_width=0.25) for name, run in runs.items()}
    return BoxComparison(structures, summary, runs["learned"])


def _late(run: RigidTrajectory) -> RigidTrajectory:
    """Return a run without its first fifth."""
    first = len(run.times) // 5
    parts = (run.times, run.poses, run.momenta, run.energies)
    return RigidTrajectory(*(part[first:] for part in parts))
