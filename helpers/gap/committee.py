"""A committee of potentials: where its members disagree, none of them should be trusted.

The members see the same frames and the same settings; what differs is the seed, and with it the
sparse points. Their mean is the prediction, their standard deviation a measure of its uncertainty,
up to a factor that labeled frames give (`calibration_factor`). What all members have in common
(the labels, the descriptors, missing data of which each makes the same) it does not show.

Source: Musil, Willatt, Langovoy, Ceriotti, J. Chem. Theory Comput. 15, 906 (2019).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers import checks
from helpers.errors import ConfigError, DataError
from helpers.files import make_folder
from helpers.gap.config import GapConfig
from helpers.gap.fit import fit_gap
from helpers.gap.potential import load_potential
from helpers.terminal import progress_bar


@dataclass(frozen=True)
class Committee:
    """Several potentials for the same system.

    Attributes
    ----------
    members : tuple of calculators
        What `load_potential` returns; at least two.

    Raises
    ------
    ConfigError
        If there are fewer than two members.
    """

    members: tuple[Any, ...]

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise ConfigError(
                "A committee of one cannot disagree",
                expected="two members at least",
                found=str(len(self.members)),
            )

    def predict_members(self, frames: Sequence[Atoms]) -> tuple[np.ndarray, np.ndarray]:
        """Return energies (n_members, n_frames) in eV and forces (n_members, n_frames, n_atoms, 3).

        Forces are in eV/Å.

        Raises
        ------
        DataError
            If there are no frames, or they have different numbers of atoms.
        """
        frames = list(frames)
        if len({len(atoms) for atoms in frames}) != 1:
            raise DataError(
                "A committee cannot be asked about these frames",
                expected="at least one frame, all with the same number of atoms",
                found=f"{len(frames)} frames",
            )
        predictions = [member.predict_frames(frames) for member in self.members]
        energies = np.array([[energy for energy, _ in each] for each in predictions])
        forces = np.array([[force for _, force in each] for each in predictions])
        return energies, forces

    def predict_frames(self, frames: Sequence[Atoms]) -> list[tuple[float, np.ndarray]]:
        """Return the mean energy (eV) and mean forces (eV/Å) of each frame, as `evaluate` asks."""
        energies, forces = self.predict_members(frames)
        return [
            (float(energy), force)
            for energy, force in zip(energies.mean(0), forces.mean(0), strict=True)
        ]

    def disagreement(self, frames: Sequence[Atoms]) -> pd.DataFrame:
        """Return how far the members disagree about each frame.

        Returns
        -------
        DataFrame
            Columns ``energy_meV_per_atom``, the standard deviation of the energy;
            ``forces_meV_per_A``, that of a force component (root mean square over the frame); and
            ``largest_meV_per_A``, the same of the atom with the largest.
        """
        energies, forces = self.predict_members(frames)
        atomic = np.sqrt(forces.var(0, ddof=1).mean(-1))  # (n_frames, n_atoms)
        return pd.DataFrame(
            {
                "energy_meV_per_atom": 1000 * energies.std(0, ddof=1) / forces.shape[2],
                "forces_meV_per_A": 1000 * np.sqrt((atomic**2).mean(1)),
                "largest_meV_per_A": 1000 * atomic.max(1),
            }
        )


def fit_committee(
    config: GapConfig,
    frames: Sequence[Atoms],
    *,
    folder: str | os.PathLike,
    seeds: Sequence[int] = (1, 2, 3),
    engine: str = "jax",
    progress: bool = True,
) -> Committee:
    """Train one potential for each seed, on the same frames with the same settings.

    Parameters
    ----------
    config : GapConfig
        Its ``rnd_seed`` is replaced, and with it the choice of sparse points.
    frames : sequence of ase.Atoms
        Labeled training frames.
    folder : path
        Where the models are written, as ``member_SEED.xml``.
    seeds : sequence of int
        At least two, all different.
    engine : str
        As in `fit_gap`.
    progress : bool
        Show a bar.

    Raises
    ------
    ConfigError
        If seeds repeat, or there are fewer than two. The others are those of `fit_gap`.
    """
    seeds = [checks.seed(seed) for seed in seeds]
    if len(set(seeds)) < max(2, len(seeds)):
        raise ConfigError(f"seeds={seeds} make no committee", expected="two or more, all different")
    folder, members = make_folder(Path(folder)), []
    with progress_bar(len(seeds), "training", "member", show=progress) as bar:
        for seed in seeds:
            own = config.replace(rnd_seed=seed)
            output = folder / f"member_{seed}.xml"
            fit = fit_gap(own, frames, output=output, engine=engine, progress=False)
            members.append(load_potential(fit.model_path, engine="jax"))
            bar.update(1)
    return Committee(tuple(members))


def calibration_factor(errors: np.ndarray, disagreements: np.ndarray) -> float:
    """Return the factor by which disagreements must be multiplied to match errors, on average.

    √(Σ error² / Σ disagreement²): 1 for a committee that knows how wrong it is, above 1 for one
    that is too sure of itself. Both of the same shape, in the same unit.

    Raises
    ------
    DataError
        If the shapes differ, or all members agree.
    """
    errors, disagreements = np.asarray(errors, float), np.asarray(disagreements, float)
    if errors.shape != disagreements.shape or not np.sum(disagreements**2) > 0:
        raise DataError(
            "There is nothing to calibrate",
            expected="one disagreement above 0 for each error",
            found=f"shapes {errors.shape} and {disagreements.shape}",
        )
    return float(np.sqrt(np.sum(errors**2) / np.sum(disagreements**2)))


def carried_into_average(
    observable: np.ndarray, deviation_eV: np.ndarray, temperature_K: float
) -> np.ndarray:
    """Return the average of an observable that each member would have found in a run of its own.

    To first order in the deviation of its energy from that of the potential that drove the run,
    ⟨a⟩ₖ = ⟨a⟩ − cov(a, Vₖ − V) / k_B T: one run is enough for all members.

    Parameters
    ----------
    observable : ndarray of shape (n_frames, …)
        Its value in each frame, such as g(r) on a grid.
    deviation_eV : ndarray of shape (n_members, n_frames)
        Energy of each member less that of the potential of the run; a constant does not matter.
    temperature_K : float

    Returns
    -------
    ndarray of shape (n_members, …)

    Raises
    ------
    DataError
        If the numbers of frames differ.

    References
    ----------
    Imbalzano, Zhuang, Kapil, Rossi, Engel, Grasselli, Ceriotti, J. Chem. Phys. 154, 074102 (2021).
    """
    from ase.units import kB

    checks.number("temperature_K", temperature_K, unit="K")
    observable, deviation = np.asarray(observable, float), np.asarray(deviation_eV, float)
    if deviation.ndim != 2 or len(observable) != deviation.shape[1]:
        raise DataError(
            "Observable and energies are not of the same frames",
            expected=f"deviations of shape (n_members, {len(observable)})",
            found=str(deviation.shape),
        )
    centered = deviation - deviation.mean(1, keepdims=True)
    covariance = np.tensordot(centered, observable - observable.mean(0), 1) / len(observable)
    return observable.mean(0) - covariance / (kB * temperature_K)
