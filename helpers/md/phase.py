"""Is a run of water a liquid? Tetrahedral order, g(OO) and diffusion, and a verdict in one word.

A box of 16 molecules can freeze within picoseconds and still have the right temperature, bonds and
energy drift. What changes is the order of the neighbors, the exchange between the first shell and
the second, and the motion of the molecules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from ase import Atoms

from helpers.errors import DataError
from helpers.md.diffusion import diffusion_coefficient, of_infinite_box
from helpers.md.quality import block_mean
from helpers.md.structure import radial_distributions
from helpers.md.trajectory import Trajectory

A2_PER_PS = 0.1  # 10⁻⁹ m²/s in Å²/ps
LIQUID_ORDER = (0.55, 0.75)  # tetrahedral order of liquid water near 300 K
ICE_ORDER = 0.8
LEAST_MINIMUM = 0.5  # of g(OO) after its first peak: molecules change from shell to shell
MINIMUM_BETWEEN_A = (3.0, 4.0)  # where that minimum is looked for
LEAST_DIFFUSION_A2_PER_PS = 0.08  # a third of the measured value at 300 K
FREEZING_CHANGE = 0.05  # of the order, from the first half of a run to the second
MEASURED_K = (240, 600)  # where the viscosity of water is known
LONG_ENOUGH_FS = 10_000  # of a run, for its diffusion

MEANING = {
    "liquid": "its molecules are ordered and move as those of liquid water",
    "liquid by structure": "it is ordered as liquid water; whether it flows, longer runs tell",
    "disordered": "it is less ordered than liquid water near 300 K: hot, or far from equilibrium",
    "supercooled": "it is ordered as liquid water, but its molecules hardly move",
    "freezing": "it is between liquid and ice: averages over it describe neither",
    "frozen": "its molecules are ordered as in ice and stay in their places",
}


@dataclass(frozen=True)
class Phase:
    """How ordered water is, and how fast its molecules move.

    Attributes
    ----------
    tetrahedral_order : float
        Mean of `tetrahedral_order` over molecules and frames.
    first_minimum_OO : float
        Lowest g(OO) between 3 and 4 Å, averaged over 0.3 Å: a single bin of few frames is noise.
    diffusion_A2_per_ps : float
        Of the oxygens in this box; NaN for frames that are no trajectory, and for short runs.
    diffusion_error_A2_per_ps : float
        Its standard error.
    diffusion_infinite_A2_per_ps : float
        The same, extrapolated to an infinite box (`diffusion.of_infinite_box`); NaN also if the
        run is colder than 240 K or hotter than 600 K.
    change_of_order, error_of_change : float
        Of the tetrahedral order from the first half of a run to the second, with its standard
        error from blocks; NaN for frames and short runs.
    """

    tetrahedral_order: float
    first_minimum_OO: float
    diffusion_A2_per_ps: float = float("nan")
    diffusion_error_A2_per_ps: float = float("nan")
    diffusion_infinite_A2_per_ps: float = float("nan")
    change_of_order: float = float("nan")
    error_of_change: float = float("nan")

    @property
    def verdict(self) -> str:
        """One of the words that `MEANING` explains. What is not known (NaN) does not count."""
        order, exchanging = self.tetrahedral_order, self.first_minimum_OO > LEAST_MINIMUM
        if order > ICE_ORDER and not exchanging:
            return "frozen"
        # A small box of liquid wanders within the order of liquids; it freezes when it leaves it.
        noise = 3 * self.error_of_change
        rises = self.change_of_order > FREEZING_CHANGE and not self.change_of_order < noise
        leaves = rises and order + self.change_of_order / 2 > LIQUID_ORDER[1]
        if order > LIQUID_ORDER[1] or not exchanging or leaves:
            return "freezing"
        if order < LIQUID_ORDER[0]:
            return "disordered"
        if np.isnan(self.diffusion_A2_per_ps):
            return "liquid by structure"
        # Experiment measures an infinite box; a run of ten picoseconds knows its value roughly.
        scale = self.diffusion_infinite_A2_per_ps / self.diffusion_A2_per_ps
        at_most = self.diffusion_A2_per_ps + 2 * np.nan_to_num(self.diffusion_error_A2_per_ps)
        at_most *= 1 if np.isnan(scale) else scale
        return "supercooled" if at_most < LEAST_DIFFUSION_A2_PER_PS else "liquid"

    @property
    def is_liquid(self) -> bool:
        """Whether all numbers that are known lie where those of the liquid do."""
        return self.verdict in ("liquid", "liquid by structure")

    @property
    def is_frozen(self) -> bool:
        """Whether the molecules are ordered as in ice and the shells hardly exchange."""
        return self.verdict == "frozen"

    @property
    def sentence(self) -> str:
        """The verdict, its meaning and the numbers."""
        return f"This water is {self.verdict}: {MEANING[self.verdict]} ({self})."

    def __str__(self) -> str:
        text = f"q {self.tetrahedral_order:.3f}, first minimum of g(OO) {self.first_minimum_OO:.2f}"
        if np.isnan(self.diffusion_A2_per_ps):
            return text
        text += f", D {self.diffusion_A2_per_ps:.3f} Å²/ps"
        if np.isnan(self.diffusion_infinite_A2_per_ps):
            return text
        return f"{text} ({self.diffusion_infinite_A2_per_ps:.3f} in an infinite box)"


def tetrahedral_order(atoms: Atoms) -> np.ndarray:
    """Return the order parameter q of each oxygen, shape (n_molecules,).

    1 − 3/8 Σ (cos ψ + 1/3)² over the six angles ψ between the four nearest oxygens: 1 for a perfect
    tetrahedron, 0 on average for neighbors at random (Errington, Debenedetti, Nature 409, 318
    (2001)). The nearest image of each oxygen counts.

    Raises
    ------
    DataError
        If there are fewer than five oxygens.
    """
    oxygens = np.flatnonzero(atoms.numbers == 8)
    if len(oxygens) < 5:
        raise DataError(
            "There is no tetrahedral order",
            expected="five water molecules",
            found=str(len(oxygens)),
        )
    order = []
    for oxygen in oxygens:
        others = oxygens[oxygens != oxygen]
        vectors = atoms.get_distances(oxygen, others, mic=True, vector=True)
        lengths = np.linalg.norm(vectors, axis=1)
        nearest = np.argsort(lengths)[:4]
        units = vectors[nearest] / lengths[nearest, None]
        cosines = (units @ units.T)[np.triu_indices(4, 1)]
        order.append(1 - 3 / 8 * ((cosines + 1 / 3) ** 2).sum())
    return np.array(order)


def order_along(run: Trajectory, *, n_times: int = 100) -> pd.DataFrame:
    """Return the tetrahedral order along a run, averaged over molecules and over short windows.

    Parameters
    ----------
    run : Trajectory
    n_times : int
        At how many times at most, evenly spread. Each number is a mean over up to five of them:
        the order of 16 molecules at one time is noise.

    Returns
    -------
    DataFrame
        Columns ``time_fs`` and ``order``.
    """
    every = max(1, len(run.times_fs) // n_times)
    order = [tetrahedral_order(atoms).mean() for atoms in run.frames(every)]
    smooth = pd.Series(order).rolling(5, center=True, min_periods=1).mean()
    return pd.DataFrame({"time_fs": run.times_fs[::every], "order": smooth})


def judge_phase(source: Trajectory | Sequence[Atoms], *, n_frames: int = 200) -> Phase:
    """Return how ordered a run or a set of frames of water is, and how fast its molecules move.

    Parameters
    ----------
    source : Trajectory or sequence of ase.Atoms
        A trajectory of more than 10 ps gives a diffusion coefficient, too.
    n_frames : int
        How many frames are looked at, at most, evenly spread.

    Raises
    ------
    DataError
        If these are no frames of periodic water.
    """
    frames = source.frames() if isinstance(source, Trajectory) else list(source)
    frames = frames[:: max(1, len(frames) // n_frames)]
    if not frames:
        raise DataError("There are no frames")
    formula = frames[0].symbols.formula.count()
    if set(formula) != {"H", "O"} or formula["H"] != 2 * formula["O"] or not frames[0].pbc.all():
        raise DataError(
            "Only water can be judged to be liquid or frozen",
            expected="two H for each O, in a cell that is periodic in all directions",
            found=f"{frames[0].symbols}, pbc={frames[0].pbc.tolist()}",
        )
    table = radial_distributions(frames, [("O", "O")], bin_A=0.1)
    shell = table["OO"].rolling(3, center=True).mean()[table["r_A"].between(*MINIMUM_BETWEEN_A)]
    order = np.array([tetrahedral_order(atoms).mean() for atoms in frames])
    phase = Phase(tetrahedral_order=float(order.mean()), first_minimum_OO=float(shell.min()))
    if not isinstance(source, Trajectory) or source.times_fs[-1] < LONG_ENOUGH_FS:
        return phase
    first, second = (block_mean(half, 5) for half in np.array_split(order, 2))
    phase = replace(
        phase,
        change_of_order=second.value - first.value,
        error_of_change=float(np.hypot(first.error, second.error)),
    )
    estimate = diffusion_coefficient(source)
    diffusion = A2_PER_PS * estimate.value
    phase = replace(
        phase,
        diffusion_A2_per_ps=diffusion,
        diffusion_error_A2_per_ps=A2_PER_PS * estimate.error,
    )
    kelvin = float(source.temperature_K.mean())
    if not MEASURED_K[0] <= kelvin <= MEASURED_K[1]:
        return phase
    infinite = of_infinite_box(diffusion, frames[0].get_volume(), kelvin)
    return replace(phase, diffusion_infinite_A2_per_ps=infinite)
