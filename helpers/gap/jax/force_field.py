"""A GAP as a force field for molecular dynamics: neighbor lists for replicas of the same atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.gap.jax.energy import energy_and_forces
from helpers.gap.jax.layout import Layout
from helpers.gap.jax.verlet_list import VerletList


@dataclass(frozen=True)
class GapForceField:
    """Energy and forces of a GAP (see `md.simulation.ForceField`).

    Parameters
    ----------
    layout : Layout
        The terms of the model and the sizes of its neighbor lists.
    """

    layout: Layout

    def __call__(
        self, parameters: Any, positions: Any, cell: Any, neighbors: Any
    ) -> tuple[Any, Any]:
        """Return the energy without isolated atoms, eV, and the forces (n_atoms, 3), eV/Å.

        `parameters` are the model's numbers (`layout.ModelParameters`), `neighbors` are
        `neighbors.Neighbors`; atoms stand sorted by element.
        """
        return energy_and_forces(self.layout, parameters, positions, cell, neighbors)


class GapReplicas:
    """A GAP for R replicas of the same atoms (see `md.compiled_engine.ReplicaPotential`).

    Parameters
    ----------
    calculator : JaxCalculator
    numbers : ndarray of shape (n_atoms,)
        Atomic numbers.
    n_replicas : int
    skin_A : float
        How much further than the cutoffs the lists reach.
    """

    def __init__(
        self, calculator: Any, numbers: np.ndarray, n_replicas: int, skin_A: float
    ) -> None:
        self.parameters = calculator.device_parameters()
        self.energy_offset_eV = float(calculator.model.isolated_energies(numbers).sum())
        self._lists = [
            VerletList(calculator.structure, numbers, skin_A, calculator.layouts)
            for _ in range(n_replicas)
        ]
        self.order = self._lists[0].order

    @property
    def room(self) -> np.ndarray:
        """Sizes of the lists (see `md.compiled_engine.ReplicaPotential`)."""
        return self._lists[0].room

    @room.setter
    def room(self, sizes: np.ndarray) -> None:
        for one in self._lists:
            one.room = sizes

    def build(self, replica: int, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
        """Build the neighbor lists of one replica."""
        self._lists[replica].build(positions, cell, pbc)

    def stack(self) -> tuple[GapForceField, Any]:
        """Return the force field, with room for the lists of all replicas, and the lists."""
        layout, neighbors = VerletList.stack(self._lists)
        return GapForceField(layout), neighbors
