"""What the elements alone tell: energies of atoms by least squares, and molecules by bonds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.formula import Formula
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from helpers.neighbors import find_pairs

BOND_FACTOR = 1.25  # two atoms are bonded up to this multiple of the sum of their covalent radii


def composition(frames: Sequence[Atoms]) -> tuple[list[int], np.ndarray]:
    """Return the elements (atomic numbers) and their fraction in each frame."""
    elements = sorted({int(z) for atoms in frames for z in atoms.numbers})
    return elements, np.array([[np.mean(atoms.numbers == z) for z in elements] for atoms in frames])


def varies(fractions: np.ndarray) -> bool:
    """Tell whether frames differ in composition."""
    return bool(np.linalg.matrix_rank(fractions, tol=1e-6 * len(fractions)) > 1)


def least_squares_e0(frames: Sequence[Atoms], energies: Sequence[float]) -> dict[str, float]:
    """Return the energy of one atom of each element that explains total energies best, eV.

    Energies are weighted as a fit does, per atom. Where elements always come in the same ratio,
    as in water, the smallest energies that fit are returned: they are as good as any others.

    Parameters
    ----------
    frames : sequence of ase.Atoms
    energies : sequence of float
        Total energies, eV.

    Returns
    -------
    dict of str to float
        Energies by element.
    """
    elements, fractions = composition(frames)
    per_atom = np.asarray(energies, float) / [len(atoms) for atoms in frames]
    solution, *_ = np.linalg.lstsq(fractions, per_atom, rcond=1e-8)
    return {chemical_symbols[z]: float(e) for z, e in zip(elements, solution, strict=True)}


def unexplained_energies(frames: Sequence[Atoms], energies: Sequence[float]) -> np.ndarray:
    """Return energies per atom less what the elements alone explain, (n_frames,), eV."""
    e0 = least_squares_e0(frames, energies)
    of_atoms = [sum(e0[symbol] for symbol in atoms.symbols) for atoms in frames]
    n_atoms = [len(atoms) for atoms in frames]
    return np.asarray((np.asarray(energies, float) - of_atoms) / n_atoms)


def find_molecules(atoms: Atoms) -> list[np.ndarray]:
    """Return the indices of the atoms of each molecule: what bonds connect.

    Two atoms are bonded if they are closer than 1.25 times the sum of their covalent radii
    (Cordero et al., Dalton Trans. 2832 (2008)).

    Parameters
    ----------
    atoms : ase.Atoms
        Its periodicity counts.

    Returns
    -------
    list of int arrays
        A metal or a network solid is one molecule.
    """
    radii = covalent_radii[atoms.numbers]
    reach = 2 * BOND_FACTOR * float(radii.max())
    pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, reach)
    bonded = pairs.distance < BOND_FACTOR * (radii[pairs.first] + radii[pairs.second])
    ones = np.ones(int(bonded.sum()))
    graph = coo_matrix((ones, (pairs.first[bonded], pairs.second[bonded])), (len(atoms),) * 2)
    _, labels = connected_components(graph, directed=False)
    return [np.flatnonzero(labels == k) for k in range(labels.max() + 1)]


def molecule_counts(atoms: Atoms) -> dict[str, int]:
    """Return how many molecules of each kind a frame holds, such as ``{"H2O": 16}``."""
    names = [
        str(Formula.from_list(list(atoms.symbols[indices])).format("hill"))
        for indices in find_molecules(atoms)
    ]
    return dict(Counter(names).most_common())


def is_water(atoms: Atoms) -> bool:
    """Tell whether atoms are water: two molecules or more, by their bonds, and all of them H2O."""
    counts = molecule_counts(atoms)
    return set(counts) == {"H2O"} and counts["H2O"] > 1
