"""How far molecules get: mean square displacement and diffusion coefficient."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ase import units

from helpers.errors import DataError
from helpers.md.quality import Estimate, blocks
from helpers.md.trajectory import Trajectory

# ASE's DiffusionCoefficient fits through the ballistic part and uses one origin per segment; a test
# compares with it on a random walk, where both are right.


def mean_square_displacement(
    run: Trajectory, element: str = "O", *, longest_fs: float | None = None, n_lags: int = 100
) -> pd.DataFrame:
    """Return ⟨(r(t₀ + t) − r(t₀))²⟩ over atoms of an element and over all origins t₀.

    The drift of the center of mass is taken out.

    Parameters
    ----------
    run : Trajectory
        Its positions are not wrapped into the cell, as this needs.
    element : str
    longest_fs : float, optional
        Longest lag, by default a quarter of the run.
    n_lags : int
        How many lags at most, evenly spread.

    Returns
    -------
    DataFrame
        Columns ``lag_fs`` and ``msd_A2``.
    """
    positions = _relative_positions(run, element)
    longest = len(positions) // 4 if longest_fs is None else int(longest_fs / run.interval_fs)
    if not 1 <= longest < len(positions):
        raise DataError(
            "The run is too short for this displacement",
            expected=f"more than {longest_fs or 4 * run.interval_fs:g} fs",
            found=f"{run.times_fs[-1]:g} fs",
        )
    lags = np.unique(np.linspace(0, longest, n_lags + 1).astype(int))
    return pd.DataFrame(
        {"lag_fs": lags * run.interval_fs, "msd_A2": [_displacement(positions, n) for n in lags]}
    )


def diffusion_coefficient(
    run: Trajectory,
    element: str = "O",
    *,
    fit_from_fs: float = 1000.0,
    n_blocks: int = 4,
) -> Estimate:
    """Return the self-diffusion coefficient, in 10⁻⁹ m²/s, with an error from blocks.

    One sixth of the slope of the mean square displacement between `fit_from_fs` and half of a
    block (Einstein). In a small cell the molecules diffuse more slowly: see `of_infinite_box`.

    Raises
    ------
    DataError
        If the run is too short: half of a block must be longer than `fit_from_fs`.
    """
    positions = _relative_positions(run, element)
    parts = blocks(positions, n_blocks)
    first, last = round(fit_from_fs / run.interval_fs), len(parts[0]) // 2
    if last < first + 2:
        needed = 2 * n_blocks * (fit_from_fs + 2 * run.interval_fs)
        raise DataError(
            "The run is too short for a diffusion coefficient",
            expected=f"{needed / 1000:g} ps or more",
            found=f"{run.times_fs[-1] / 1000:g} ps",
            fix="run longer, or look at the mean square displacement itself",
        )
    lags = np.unique(np.linspace(first, last, 20).astype(int))
    slopes = []
    for part in parts:
        values = [_displacement(part, n) for n in lags]
        slopes.append(np.polyfit(lags * run.interval_fs, values, 1)[0])
    found = 1e4 * np.array(slopes) / 6  # 1 Å²/fs = 1e-5 m²/s
    return Estimate(float(found.mean()), float(found.std(ddof=1) / np.sqrt(n_blocks)))


def of_infinite_box(diffusion: float, volume_A3: float, temperature_K: float) -> float:
    """Return the diffusion coefficient of water in an infinite box, in the unit of `diffusion`.

    The periodic images drag the molecules: D∞ = D + 2.837297 kB T/(6 π η L) in a cube of edge L
    (Yeh, Hummer, J. Phys. Chem. B 108, 15873 (2004)). The viscosity η is that of the model, which
    is not known; water that diffuses twice as fast is half as viscous, so η D∞ is taken from
    experiment. The correction is then a factor, and ice, which does not diffuse, stays ice.

    Parameters
    ----------
    diffusion : float
    volume_A3 : float
    temperature_K : float
        Between 240 and 600 K, where the formulas for experiment hold.

    Raises
    ------
    DataError
        If the box is so small that the factor has no meaning.
    """
    edge_m = 1e-10 * volume_A3 ** (1 / 3)
    drag = 2.837297 * units._k * temperature_K / (6 * np.pi * edge_m)  # ΔD η, N
    product = water_diffusion_m2_per_s(temperature_K) * water_viscosity_Pa_s(temperature_K)
    if not drag < product:
        raise DataError(
            "The box is too small to correct its diffusion coefficient",
            found=f"{volume_A3:.0f} Å³ at {temperature_K:.0f} K",
            fix="use a larger box",
        )
    return diffusion / (1 - drag / product)


def water_diffusion_m2_per_s(temperature_K: float) -> float:
    """Return the measured self-diffusion coefficient of liquid water (Holz, Heil, Sacco, 2000).

    Phys. Chem. Chem. Phys. 2, 4740 (2000): 2.41e-9 m²/s at 300 K.
    """
    return 1.635e-8 * max(temperature_K / 215.05 - 1, 0.0) ** 2.063


def water_viscosity_Pa_s(temperature_K: float) -> float:
    """Return the measured viscosity of liquid water, within 2.5 % from 273 to 643 K.

    Al-Shemmeri, Engineering Fluid Mechanics (2012), Vogel's formula: 0.85 mPa s at 300 K.
    """
    return 2.414e-5 * 10 ** (247.8 / (temperature_K - 140))


def _relative_positions(run: Trajectory, element: str) -> np.ndarray:
    masses = run.start.get_masses()
    center = np.einsum("a,tax->tx", masses, run.positions_A) / masses.sum()
    chosen = run.start.symbols == element
    if not chosen.any():
        raise DataError(f"The run has no {element}", expected="one of its elements")
    return run.positions_A[:, chosen] - center[:, None]


def _displacement(positions: np.ndarray, lag: int) -> float:
    moved = positions[lag:] - positions[: len(positions) - lag]
    return float((moved**2).sum(2).mean())
