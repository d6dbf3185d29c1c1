"""How atoms are arranged: radial distribution functions and coordination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.geometry.rdf import get_rdf
from scipy.interpolate import make_smoothing_spline
from scipy.signal import find_peaks

from helpers.boundaries import require_bulk
from helpers.errors import DataError
from helpers.md.trajectory import Trajectory
from helpers.neighbors import find_pairs

PAIRS = (("O", "O"), ("O", "H"), ("H", "H"))
# Beyond these distances two atoms of water belong to different molecules.
BETWEEN_MOLECULES_A = {"OO": 2.0, "OH": 1.4, "HH": 1.9}


def radial_distributions(
    source: Trajectory | Sequence[Atoms],
    pairs: Sequence[tuple[str, str]] = PAIRS,
    *,
    bin_A: float = 0.05,
    n_frames: int = 500,
) -> pd.DataFrame:
    """Return g(r) of pairs of elements, computed by ASE and averaged over frames.

    Parameters
    ----------
    source : Trajectory or sequence of ase.Atoms
        Frames with the same elements, periodic along all axes; their cells may differ.
    pairs : sequence of (str, str)
        Elements.
    bin_A : float
        Width of the bins.
    n_frames : int
        How many frames are used at most, evenly spread.

    Returns
    -------
    DataFrame
        Columns ``r_A`` (middle of the bin), one per pair such as ``OO`` with g(r), and one such as
        ``OO_count``: neighbors of the second element within the outer edge of the bin. r goes up
        to half of the smallest cell.

    Raises
    ------
    DataError
        If there are no frames, one is not periodic along all axes, or lacks an element.
    """
    frames = _frames(source, n_frames)
    for atoms in frames:
        require_bulk(atoms, "A radial distribution function")
        lacking = {symbol for pair in pairs for symbol in pair} - set(atoms.symbols)
        if lacking:
            raise DataError(
                f"There is no g(r) of {', '.join(sorted(lacking))} in {atoms.symbols}",
                fix="name pairs of elements that the frames hold",
            )
    longest = min(_half_of_cell_A(atoms) for atoms in frames)
    n_bins = int(longest / bin_A)
    sums = {pair: np.zeros(n_bins) for pair in pairs}
    for atoms in frames:
        distances = atoms.get_all_distances(mic=True)
        for pair in pairs:
            g, r = get_rdf(atoms, n_bins * bin_A, n_bins, distance_matrix=distances, elements=pair)
            sums[pair] += g / len(frames)
    table = {"r_A": r}
    shells = 4 * np.pi * bin_A * (r**2 + bin_A**2 / 12)  # exact volumes of the shells
    for pair, g in sums.items():
        density = np.mean([a.symbols.count(pair[1]) / a.get_volume() for a in frames])
        table["".join(pair)] = g
        table["".join(pair) + "_count"] = np.cumsum(g * shells) * density
    return pd.DataFrame(table)


def _half_of_cell_A(atoms: Atoms) -> float:
    """Return nearly half of the smallest height of the cell; ASE recommends no more than 5 Å."""
    return float(0.99 / 2 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0).max())


def first_peak_A(table: pd.DataFrame, pair: str = "OO", *, above_A: float = 2.0) -> float:
    """Return where the first peak of g(r) beyond `above_A` is, between the bins.

    A smoothing spline with its strength from cross-validation takes the noise out.
    """
    return _first_shell(table, pair, above_A)[0]


def coordination(table: pd.DataFrame, pair: str = "OO", *, above_A: float = 2.0) -> float:
    """Return the number of neighbors up to the first minimum after the first peak of g(r)."""
    return _first_shell(table, pair, above_A)[1]


def compare_structure(mine: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Return first peaks between molecules and numbers of neighbors, for a run and DFT frames.

    Returns
    -------
    DataFrame
        Columns ``pair``, ``peak_A``, ``peak_DFT_A``, ``neighbors`` and ``neighbors_DFT`` (of
        O–H and H–H with those in the same molecule).

    Raises
    ------
    DataError
        If a peak cannot be made out.
    """
    rows = []
    for pair, above_A in BETWEEN_MOLECULES_A.items():
        (peak, count), (peak_DFT, count_DFT) = (
            _first_shell(table, pair, above_A) for table in (mine, theirs)
        )
        rows.append((pair, peak, peak_DFT, count, count_DFT))
    columns = ["pair", "peak_A", "peak_DFT_A", "neighbors", "neighbors_DFT"]
    return pd.DataFrame(rows, columns=columns)


def closest_distances(run: Trajectory, *, n_times: int = 200) -> pd.DataFrame:
    """Return the shortest distance of two atoms along a run, with periodic images.

    Returns
    -------
    DataFrame
        Columns ``time_fs`` and ``closest_A``.

    Raises
    ------
    DataError
        If at some time no two atoms are within 10 Å.
    """
    rows = []
    for k in np.unique(np.linspace(0, len(run.times_fs) - 1, n_times).astype(int)):
        for reach_A in (3.0, 10.0):
            pairs = find_pairs(run.positions_A[k], run.start.cell.array, run.start.pbc, reach_A)
            if len(pairs.distance):
                break
        else:
            raise DataError("No two atoms are near each other", expected="some within 10 Å")
        rows.append((run.times_fs[k], pairs.distance.min()))
    return pd.DataFrame(rows, columns=["time_fs", "closest_A"])


def _first_shell(table: pd.DataFrame, pair: str, above_A: float) -> tuple[float, float]:
    """Return where the first peak beyond `above_A` is, and the neighbors up to its end.

    The end is the lowest point after the peak.
    """
    if pair not in table:
        raise DataError(f"There is no g(r) of {pair!r}", expected=" or ".join(_pairs(table)))
    r, g = table["r_A"].to_numpy(), table[pair].to_numpy()
    chosen = r > above_A
    spline = make_smoothing_spline(r[chosen], g[chosen])
    fine = np.linspace(r[chosen][0], r[chosen][-1], 4000)
    smooth = spline(fine)
    # A peak rises over its surroundings by a tenth of the highest: the rest is noise.
    peaks, _ = find_peaks(smooth, prominence=0.1 * smooth.max())
    if len(peaks) == 0:
        raise DataError(
            f"g(r) of {pair!r} has no peak beyond {above_A:g} Å",
            fix="average over more frames",
        )
    peak = int(peaks[0])
    minimum = fine[peak:][smooth[peak:].argmin()]
    outer_edges = r + (r[1] - r[0]) / 2
    return float(fine[peak]), float(np.interp(minimum, outer_edges, table[f"{pair}_count"]))


def _pairs(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name != "r_A" and not name.endswith("_count")]


def _frames(source: Any, n_frames: int) -> list[Atoms]:
    n_all = len(source.times_fs) if isinstance(source, Trajectory) else len(source)
    if n_all == 0:
        raise DataError("There are no frames")
    every = max(1, n_all // n_frames)
    return source.frames(every) if isinstance(source, Trajectory) else list(source)[::every]
