"""What a GAP sees of an atom: its neighbors as a smooth density, and the SOAP vector of it.

Source: Bartók, Kondor, Csányi, Phys. Rev. B 87, 184115 (2013), https://doi.org/10.1103/PhysRevB.87.184115.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from helpers import checks
from helpers.gap.config import GapConfig
from helpers.neighbors import find_pairs, pair_vectors


def soap_vectors(atoms: Atoms, config: GapConfig | None = None) -> np.ndarray:
    """Return the SOAP vector of the neighborhood of every atom.

    The kernel of two atoms of one element is the dot product of their vectors, to the power
    ``config.zeta``: 1 for neighborhoods that are the same, whichever way they are turned.

    Parameters
    ----------
    atoms : ase.Atoms
        A frame.
    config : GapConfig, optional
        Its ``cutoff``, ``cutoff_transition_width``, ``atom_sigma``, ``n_max`` and ``l_max`` are
        used; by default those of the default preset.

    Returns
    -------
    ndarray of shape (n_atoms, n_components)
        Vectors of length 1, without unit, in the order of components of gap_fit.
    """
    from helpers.gap.config import Soap
    from helpers.gap.jax.frame_rows import describe
    from helpers.gap.jax.sparsification import elements_of, soap_settings
    from helpers.jax_setup import enable_compilation_cache

    config = GapConfig() if config is None else config
    names = ("cutoff", "cutoff_transition_width", "atom_sigma", "n_max", "l_max")
    soap = Soap(**{name: getattr(config, name) for name in names})
    enable_compilation_cache()
    settings = soap_settings(soap, elements_of([atoms]))
    pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, settings.cutoff_A)
    return describe(settings, atoms, pairs, gradients=False).spectra


@dataclass(frozen=True)
class Neighborhood:
    """The neighbors of one atom, each as a Gaussian, seen along z.

    Attributes
    ----------
    cutoff_A : float
        Where the neighborhood ends.
    axis_A : ndarray of shape (n,)
        Positions along x and along y, from the central atom.
    density : dict of ndarray of shape (n, n), by element
        Sum of the Gaussians, without unit; rows are y, columns x.
    positions_A : dict of ndarray of shape (n_neighbors, 2), by element
        Where their centers are.
    """

    cutoff_A: float
    axis_A: np.ndarray
    density: dict[str, np.ndarray]
    positions_A: dict[str, np.ndarray]


def neighborhood(atoms: Atoms, index: int, config: GapConfig | None = None) -> Neighborhood:
    """Return what SOAP sees around one atom, as a map.

    Each atom within the cutoff is a Gaussian of width ``config.atom_sigma``, whose height fades
    out over the last ``config.cutoff_transition_width`` before the cutoff; the map adds them up
    along z. The central atom is among them.

    Parameters
    ----------
    atoms : ase.Atoms
        A frame.
    index : int
        The central atom.
    config : GapConfig, optional
        By default the default preset.

    Raises
    ------
    ConfigError
        If there is no such atom.
    """
    config = GapConfig() if config is None else config
    checks.whole("index", index, 0, len(atoms) - 1)
    cutoff, width = config.cutoff, config.cutoff_transition_width
    pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)
    near = pairs.select(pairs.first == index)
    vectors = np.vstack([np.zeros(3), pair_vectors(atoms, near)])
    symbols = np.array([atoms.symbols[index], *(atoms.symbols[j] for j in near.second)])
    inside = np.clip((np.linalg.norm(vectors, axis=1) - cutoff + width) / max(width, 1e-9), 0, 1)
    heights = 0.5 + 0.5 * np.cos(np.pi * inside)
    axis = np.linspace(-cutoff, cutoff, 161)
    # (n_neighbors, n): a Gaussian in the plane is a product of one along x and one along y.
    along_x, along_y = (
        np.exp(-((axis - vectors[:, k, None]) ** 2) / (2 * config.atom_sigma**2)) for k in (0, 1)
    )
    density, positions = {}, {}
    for element in sorted(set(symbols)):
        of = symbols == element
        density[str(element)] = np.einsum("j,jy,jx->yx", heights[of], along_y[of], along_x[of])
        positions[str(element)] = vectors[of, :2]
    return Neighborhood(cutoff, axis, density, positions)
