"""Is a run of water a liquid? Tetrahedral order, g(OO) and diffusion, and limits that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from helpers.md import Trajectory, radial_distributions
from helpers.md.diffusion import diffusion_coefficient

A2_PER_PS = 0.1  # 10⁻⁹ m²/s in Å²/ps
LIQUID_ORDER = (0.55, 0.75)  # tetrahedral order of liquid water near 300 K
LEAST_MINIMUM = 0.5  # of g(OO) after its first peak
LEAST_DIFFUSION_A2_PER_PS = 0.08
ICE_ORDER = 0.8
MINIMUM_BETWEEN_A = (3.0, 4.0)  # where that minimum is looked for


@dataclass(frozen=True)
class Structure:
    """How ordered a run is.

    Attributes
    ----------
    tetrahedral_order : float
        Mean of `tetrahedral_order` over molecules and frames.
    first_minimum_OO : float
        Lowest g(OO) between 3 and 4 Å, in bins of 0.1 Å.
    diffusion_A2_per_ps : float
        Of the oxygens; NaN for frames that are no trajectory.
    """

    tetrahedral_order: float
    first_minimum_OO: float
    diffusion_A2_per_ps: float = float("nan")

    @property
    def is_liquid(self) -> bool:
        """Whether all numbers that are known lie where those of the liquid do."""
        slow = self.diffusion_A2_per_ps < LEAST_DIFFUSION_A2_PER_PS  # False for NaN
        ordered = LIQUID_ORDER[0] <= self.tetrahedral_order <= LIQUID_ORDER[1]
        return ordered and self.first_minimum_OO > LEAST_MINIMUM and not slow

    @property
    def is_frozen(self) -> bool:
        """Whether the molecules are ordered as in ice and the shells hardly exchange."""
        return self.tetrahedral_order > ICE_ORDER and self.first_minimum_OO < LEAST_MINIMUM

    def __str__(self) -> str:
        text = f"q {self.tetrahedral_order:.3f}, first minimum of g(OO) {self.first_minimum_OO:.2f}"
        if np.isnan(self.diffusion_A2_per_ps):
            return text
        return f"{text}, D {self.diffusion_A2_per_ps:.3f} Å²/ps"


def tetrahedral_order(atoms: Atoms) -> np.ndarray:
    """Return the order parameter q of each oxygen, shape (n_molecules,).

    1 − 3/8 Σ (cos ψ + 1/3)² over the six angles ψ between the four nearest oxygens: 1 for a perfect
    tetrahedron, 0 on average for neighbors at random (Errington and Debenedetti, Nature 409, 318,
    2001). The nearest image of each oxygen counts.
    """
    oxygens = np.flatnonzero(atoms.numbers == 8)
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


def structure(source: Trajectory | Sequence[Atoms], *, n_frames: int = 200) -> Structure:
    """Return how ordered a run, or a set of frames, is.

    Parameters
    ----------
    source : Trajectory or sequence of ase.Atoms
        A trajectory of more than 10 ps gives a diffusion coefficient, too.
    n_frames : int
        How many frames are looked at, at most, evenly spread.
    """
    is_run = isinstance(source, Trajectory)
    frames = source.frames() if is_run else list(source)
    frames = frames[:: max(1, len(frames) // n_frames)]
    table = radial_distributions(frames, [("O", "O")], bin_A=0.1)
    near = table["r_A"].between(*MINIMUM_BETWEEN_A)
    diffusion = float("nan")
    if is_run and source.times_fs[-1] >= 10_000:
        diffusion = diffusion_coefficient(source).value * A2_PER_PS
    return Structure(
        tetrahedral_order=float(np.mean([tetrahedral_order(atoms) for atoms in frames])),
        first_minimum_OO=float(table["OO"][near].min()),
        diffusion_A2_per_ps=diffusion,
    )
