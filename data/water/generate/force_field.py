"""A cheap flexible water model, good enough to place molecules before DFT takes over."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes

_KCAL = units.kcal / units.mol
_COULOMB = units.Hartree * units.Bohr  # e²/(4πε₀), eV Å


class WaterForceField(Calculator):
    """Harmonic bonds and angles, Lennard-Jones between oxygens, point charges.

    Force constants, charges and Lennard-Jones parameters of SPC/Fw (Wu, Tepper and Voth, J. Chem.
    Phys. 124, 024503, 2006); bond and angle are shortened so that the liquid has the mean O-H
    length and angle of PBE water. Charges act to half the box, shifted to a force of zero there.
    Atoms stand in the order O H H, O H H, … in a rectangular periodic cell.
    """

    implemented_properties = ["energy", "forces"]
    bond_A, bond_k = 0.98, 1059.162 * _KCAL  # eV/Å²
    angle_rad, angle_k = np.radians(108.0), 75.90 * _KCAL  # eV/rad²
    sigma_A, epsilon = 3.165492, 0.1554253 * _KCAL
    charge_h = 0.41

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: tuple[str, ...] = ("energy", "forces"),
        system_changes: list[str] = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        lengths = self.atoms.cell.lengths()
        energy, forces = self._inside_molecules(self.atoms.positions.reshape(-1, 3, 3), lengths)
        energy += self._between_molecules(self.atoms.positions, lengths, forces)
        self.results = {"energy": energy, "forces": forces}

    def _inside_molecules(self, xyz: np.ndarray, lengths: np.ndarray) -> tuple[float, np.ndarray]:
        bonds = xyz[:, 1:] - xyz[:, :1]
        bonds -= lengths * np.round(bonds / lengths)
        r = np.linalg.norm(bonds, axis=2, keepdims=True)
        unit = bonds / r
        cosine = (unit[:, 0] * unit[:, 1]).sum(axis=1, keepdims=True)
        bend = np.arccos(cosine) - self.angle_rad
        energy = 0.5 * self.bond_k * ((r - self.bond_A) ** 2).sum()
        energy += 0.5 * self.angle_k * (bend**2).sum()
        on_h = -self.bond_k * (r - self.bond_A) * unit
        pull = self.angle_k * bend / np.sqrt(1 - cosine**2)
        on_h[:, 0] += pull * (unit[:, 1] - cosine * unit[:, 0]) / r[:, 0]
        on_h[:, 1] += pull * (unit[:, 0] - cosine * unit[:, 1]) / r[:, 1]
        forces = np.concatenate([-on_h.sum(axis=1, keepdims=True), on_h], axis=1)
        return float(energy), forces.reshape(-1, 3)

    def _between_molecules(self, xyz: np.ndarray, lengths: np.ndarray, forces: np.ndarray) -> float:
        i, j = np.triu_indices(len(xyz), 1)
        vectors = xyz[j] - xyz[i]
        vectors -= lengths * np.round(vectors / lengths)
        r, cutoff_A = np.linalg.norm(vectors, axis=1), lengths.min() / 2
        near = (i // 3 != j // 3) & (r < cutoff_A)
        i, j, vectors, r = i[near], j[near], vectors[near], r[near]
        charge = np.where(np.arange(len(xyz)) % 3 == 0, -2, 1) * self.charge_h
        strength = charge[i] * charge[j] * _COULOMB
        energy = strength * (1 / r - 1 / cutoff_A + (r - cutoff_A) / cutoff_A**2)
        push = strength * (1 / r**2 - 1 / cutoff_A**2)
        six = np.where((i % 3 == 0) & (j % 3 == 0), (self.sigma_A / r) ** 6, 0.0)
        energy += 4 * self.epsilon * (six**2 - six)
        push += 24 * self.epsilon * (2 * six**2 - six) / r
        pair = (push / r)[:, None] * vectors
        np.add.at(forces, j, pair)
        np.add.at(forces, i, -pair)
        return float(energy.sum())
