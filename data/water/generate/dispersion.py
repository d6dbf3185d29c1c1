"""D3(0) of water: the dispersion energy of Grimme's third model, as CP2K and as dftd3 compute it.

The two differ in their coordination numbers. D3 counts a neighbor by a function of the distance
that falls from 1 to 0 beyond a bond; CP2K multiplies it by a second step at twice the bond, which
ends it (``cnparam_d3`` of its source). A bond then counts 0.3 % less, C6 is a little higher, and
the energy of 16 molecules 1.4 meV lower. CP2K also lets the last Bohr of the range fade, and its
R_CUTOFF is half the range. The tests compare each program's energy with its own rule.

Method and parameters: Grimme, Antony, Ehrlich, Krieg, J. Chem. Phys. 132, 154104 (2010), without
three-body terms; revPBE.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms, units

from helpers.neighbors import PairList, find_pairs

RANGE_A = 24.0  # twice R_CUTOFF
COORDINATION_RANGE_A = 6.0  # beyond, a neighbor counts less than 1e-6
FADE_BOHR = 1.0
STEEPNESS, WIDTH = 16.0, 4.0  # k1 and -k3 of the paper
S8, RADIUS_6, RADIUS_8 = 1.010, 0.923, 1.0  # s8, s_r,6 and s_r,8 of revPBE
# By atomic number: 4/3 of the covalent radius (Å), sqrt of <r4>/<r2> (Bohr).
COVALENT_A = {1: 4 / 3 * 0.32, 8: 4 / 3 * 0.63}
MOMENTS = {1: 2.00734898, 8: 2.59361680}
CUTOFF_RADIUS_A = {(1, 1): 2.1823, (1, 8): 2.1768, (8, 8): 2.4817}
# C6 (Hartree Bohr⁶) of two atoms in molecules where their coordination numbers are those given.
REFERENCES = {
    (1, 1): ((3.0267, 0.9118, 0.9118), (4.7379, 0.0, 0.9118), (7.5916, 0.0, 0.0)),
    (1, 8): (
        *((5.3717, 0.9118, 1.9887), (6.0575, 0.9118, 0.9925), (6.7180, 0.9118, 0.0)),
        *((8.0848, 0.0, 1.9887), (9.1812, 0.0, 0.9925), (10.2371, 0.0, 0.0)),
    ),
    (8, 8): (
        *((10.3708, 1.9887, 1.9887), (11.5009, 0.9925, 1.9887), (12.6277, 0.0, 1.9887)),
        *((12.8161, 0.9925, 0.9925), (14.0764, 0.0, 0.9925), (15.5059, 0.0, 0.0)),
    ),
}


def dispersion_energy(atoms: Atoms, *, rule: str) -> float:
    """Return the energy of D3(0) of a frame of H and O, in eV.

    Parameters
    ----------
    atoms : ase.Atoms
    rule : str
        ``"CP2K"``, or ``"dftd3"`` as the paper has it, with the same range.
    """
    cp2k = rule == "CP2K"
    pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, RANGE_A)
    near = pairs.select(pairs.distance < COORDINATION_RANGE_A)
    counts = coordination_numbers(atoms, near, second_step=cp2k)
    energy = 0.0
    for first, second in REFERENCES:
        chosen = pairs.select(
            (atoms.numbers[pairs.first] == first) & (atoms.numbers[pairs.second] == second)
        )
        both = 1 if first == second else 2  # each pair stands in the list from both ends
        c6 = _interpolated_c6(counts[chosen.first], counts[chosen.second], (first, second))
        c8 = 3 * c6 * MOMENTS[first] * MOMENTS[second]
        radius = CUTOFF_RADIUS_A[first, second]
        r = chosen.distance / units.Bohr
        terms = c6 / r**6 * _damping(chosen.distance, RADIUS_6 * radius, 14)
        terms += S8 * c8 / r**8 * _damping(chosen.distance, RADIUS_8 * radius, 16)
        energy -= 0.5 * both * float(np.sum(terms * (_fading(r) if cp2k else 1.0)))
    return energy * units.Hartree


def coordination_numbers(atoms: Atoms, near: PairList, *, second_step: bool) -> np.ndarray:
    """Return the coordination number of each atom, shape (n_atoms,)."""
    radii = np.array([COVALENT_A[z] for z in atoms.numbers])
    bond = radii[near.first] + radii[near.second]
    counted = 1 / (1 + np.exp(-STEEPNESS * (bond / near.distance - 1)))
    if second_step:
        counted *= (1 - np.tanh((near.distance - 2 * bond) / units.Bohr)) / 2
    return np.bincount(near.first, counted, minlength=len(atoms))


def _interpolated_c6(
    first: np.ndarray, second: np.ndarray, elements: tuple[int, int]
) -> np.ndarray:
    weights, weighted = np.zeros_like(first), np.zeros_like(first)
    rows = {*REFERENCES[elements]}
    if elements[0] == elements[1]:
        rows |= {(c6, b, a) for c6, a, b in rows}
    for c6, a, b in sorted(rows):
        weight = np.exp(-WIDTH * ((first - a) ** 2 + (second - b) ** 2))
        weights += weight
        weighted += weight * c6
    return weighted / weights


def _damping(distance_A: np.ndarray, radius_A: float, power: int) -> np.ndarray:
    return 1 / (1 + 6 * (distance_A / radius_A) ** -power)


def _fading(r: np.ndarray) -> np.ndarray:
    """Return 1 inside the range and 0 at its end, with two continuous derivatives; r in Bohr."""
    end = RANGE_A / units.Bohr
    s = np.clip((r**2 - (end - FADE_BOHR) ** 2) / (end**2 - (end - FADE_BOHR) ** 2), 0, 1)
    return 1 - 10 * s**3 + 15 * s**4 - 6 * s**5
