"""Judging a run: energy, temperature, and how sure the model is of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from ase import units
from scipy.stats import linregress

from helpers.errors import DataError
from helpers.md.trajectory import Trajectory

N_BLOCKS = 10


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        digits = max(0, 1 - int(np.floor(np.log10(self.error)))) if self.error > 0 else 3
        return f"{self.value:.{digits}f} ± {self.error:.{digits}f}"


def block_mean(values: np.ndarray, n_blocks: int = N_BLOCKS) -> Estimate:
    """Return the mean of a correlated series, with an error from means of blocks.

    Blocks longer than the memory of the series are independent: the error of the mean is the spread
    of their means over √n_blocks (Flyvbjerg, Petersen, J. Chem. Phys. 91, 461 (1989)).

    Raises
    ------
    DataError
        If there are fewer than two values per block.
    """
    means = np.array([part.mean() for part in blocks(values, n_blocks)])
    return Estimate(float(np.mean(values)), float(means.std(ddof=1) / np.sqrt(n_blocks)))


def blocks(values: np.ndarray, n_blocks: int = N_BLOCKS) -> list[np.ndarray]:
    """Return a series as blocks of the same length; the rest at the end is left out."""
    length = len(values) // n_blocks
    if length < 2:
        raise DataError(
            "The run is too short to tell its errors",
            expected=f"at least {2 * n_blocks} records",
            found=str(len(values)),
            fix="run longer, or record more often",
        )
    return [values[k * length : (k + 1) * length] for k in range(n_blocks)]


def energy_drift(run: Trajectory, n_blocks: int = N_BLOCKS) -> Estimate:
    """Return the drift of the total energy, meV/atom/ps.

    The slope of a straight line through the means of blocks: within a block the fast, harmless
    oscillation of velocity Verlet averages out, and what is left tells the error of the slope.
    """
    return _drift(run, run.total_eV, n_blocks)


def conserved_energy_drift(run: Trajectory, n_blocks: int = N_BLOCKS) -> Estimate:
    """Return the drift of the energy of atoms and bath, meV/atom/ps (see `energy_drift`)."""
    return _drift(run, run.conserved_eV, n_blocks)


def _drift(run: Trajectory, series_eV: np.ndarray, n_blocks: int) -> Estimate:
    energies = 1000 * (series_eV - series_eV[0]) / len(run.start)
    times = [part.mean() / 1000 for part in blocks(run.times_fs, n_blocks)]
    line = linregress(times, [part.mean() for part in blocks(energies, n_blocks)])
    return Estimate(float(line.slope), float(line.stderr))


def energy_fluctuation_meV_per_atom(run: Trajectory) -> float:
    """Return the standard deviation of the total energy; it falls as the square of the time step.

    What drifts is taken out first, with a straight line.
    """
    energies = 1000 * (run.total_eV - run.total_eV[0]) / len(run.start)
    line = np.polyval(np.polyfit(run.times_fs, energies, 1), run.times_fs)
    return float(np.std(energies - line))


def canonical_fluctuation(run: Trajectory) -> float:
    """Return √(2/n): σ(T)/⟨T⟩ in the canonical ensemble, n degrees of freedom (about 3 N)."""
    return float(np.sqrt(2 / run.degrees_of_freedom))


def temperature_fluctuation(run: Trajectory) -> float:
    """Return σ(T)/⟨T⟩ of the run. At constant energy it is smaller than the canonical value."""
    return float(np.std(run.temperature_K) / np.mean(run.temperature_K))


def equipartition(run: Trajectory, n_blocks: int = N_BLOCKS) -> pd.DataFrame:
    """Return the temperature of each element, with its error: all are the same in equilibrium.

    Returns
    -------
    DataFrame
        Columns ``element``, ``n_atoms``, ``temperature_K``, ``error_K``; the last row is ``all``.

    Notes
    -----
    With the center of mass at rest an atom of mass m has 3 (1 − m/M) degrees of freedom.
    """
    masses = run.start.get_masses()
    at_rest = run.degrees_of_freedom < 3 * len(masses)
    n_dof = 3 * (1 - masses / masses.sum()) if at_rest else np.full(len(masses), 3)
    squares = (run.velocities_A_per_fs**2).sum(2) * masses / units.fs**2  # m v², eV
    symbols = np.array(run.start.get_chemical_symbols())
    rows = []
    for element in [*sorted(set(symbols)), "all"]:
        members = np.ones(len(symbols), bool) if element == "all" else symbols == element
        kelvin = squares[:, members].sum(1) / (n_dof[members].sum() * units.kB)
        mean = block_mean(kelvin, n_blocks)
        rows.append((element, int(members.sum()), mean.value, mean.error))
    return pd.DataFrame(rows, columns=["element", "n_atoms", "temperature_K", "error_K"])


def summarize_run(run: Trajectory, n_blocks: int = N_BLOCKS) -> pd.DataFrame:
    """Return a table of what a run says about its potential.

    Returns
    -------
    DataFrame
        Columns ``quantity``, ``value``, ``error``, ``expected``, ``unit``; NaN where there is none.
    """
    drift, kelvin = energy_drift(run, n_blocks), block_mean(run.temperature_K, n_blocks)
    nve = run.thermostat == "none"
    rows: list[tuple] = [
        ("length", run.times_fs[-1] / 1000, np.nan, np.nan, "ps"),
        ("drift of the energy", drift.value, drift.error, 0.0 if nve else np.nan, "meV/atom/ps"),
        (
            "fluctuation of the energy",
            energy_fluctuation_meV_per_atom(run),
            np.nan,
            np.nan,
            "meV/atom",
        ),
        (
            "mean temperature",
            kelvin.value,
            kelvin.error,
            np.nan if nve else run.target_temperature_K,
            "K",
        ),
        (
            "relative fluctuation of the temperature",
            temperature_fluctuation(run),
            np.nan,
            canonical_fluctuation(run),
            "1",
        ),
    ]
    if run.conserves_with_bath:
        bath = conserved_energy_drift(run, n_blocks)
        rows.insert(
            2, ("drift of the conserved energy", bath.value, bath.error, 0.0, "meV/atom/ps")
        )
    rows += [
        (f"temperature of {row.element}", row.temperature_K, row.error_K, kelvin.value, "K")
        for row in equipartition(run, n_blocks).itertuples()
        if row.element != "all"
    ]
    return pd.DataFrame(rows, columns=["quantity", "value", "error", "expected", "unit"])


def uncertainty_along(run: Trajectory, potential: Any, n_times: int = 50) -> pd.DataFrame:
    """Return the GAP's own standard deviation of atomic energies along a run.

    Far from the training data it grows: a run that goes there shows it before it breaks. On
    ordinary configurations it says little about the size of errors.

    Parameters
    ----------
    run : Trajectory
    potential : path or calculator
        The model of the run, which JAX must be able to evaluate.
    n_times : int
        At how many times, evenly spread.

    Returns
    -------
    DataFrame
        Columns ``time_fs``, ``mean_meV`` and ``largest_meV`` (over the atoms).
    """
    from helpers.gap.potential import jax_calculator

    calculator = jax_calculator(potential)
    chosen = np.unique(np.linspace(0, len(run.times_fs) - 1, n_times).astype(int))
    rows = []
    for k in chosen:
        atoms = run.start.copy()
        atoms.positions = run.positions_A[k]
        sigmas = 1000 * np.sqrt(np.maximum(calculator.get_variances(atoms), 0.0))
        rows.append((run.times_fs[k], sigmas.mean(), sigmas.max()))
    return pd.DataFrame(rows, columns=["time_fs", "mean_meV", "largest_meV"])


def training_uncertainty(frames: Sequence[Any], potential: Any) -> float:
    """Return the largest standard deviation of an atomic energy in `frames`, meV: a yardstick."""
    from helpers.gap.potential import jax_calculator

    calculator = jax_calculator(potential)
    largest = [np.max(calculator.get_variances(atoms)) for atoms in frames]
    return float(1000 * np.sqrt(max(0.0, *largest)))
