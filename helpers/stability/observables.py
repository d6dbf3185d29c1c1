"""Differentiable observables and energies of samples, for `boltzmann.BoltzmannEstimator`.

A sample is a `helpers.neural.GraphBatch` of one frame (its rows are the samples), and for a local
estimator a pair of that and a mask of the atoms that belong to the neighborhood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from ase import Atoms

from helpers import checks
from helpers.errors import DataError
from helpers.jax_setup import double_precision
from helpers.neural.graphs import Graph, GraphBatch
from helpers.neural.neural_potential import NeuralPotential


def frame_energy(potential: NeuralPotential, sample: GraphBatch) -> Any:
    """Return the potential energy of a frame, eV: for global estimators."""
    return potential.energy(sample.positions, sample.cells, sample.graphs)


def neighborhood_energy(potential: NeuralPotential, sample: tuple[GraphBatch, Any]) -> Any:
    """Return the energy of some atoms in their frame, eV: for local estimators.

    Their atomic energies come from the whole frame, with all neighbors.

    Parameters
    ----------
    potential : NeuralPotential
    sample : (GraphBatch, bool array of shape (n_atoms,))
    """
    frame, members = sample
    atomic = potential.atomic_energies(frame.positions, frame.cells, frame.graphs)
    return jnp.where(members, atomic, 0.0).sum()


@dataclass(frozen=True, eq=False)
class DistanceDistribution:
    """h(r): how often two atoms of a molecule are at a distance, all pairs alike, 1/Å.

    Each pair is a Gaussian on a grid; the integral over the grid is the share of the pairs that
    are on it. References are made by the same function, so a set compared with itself gives 0.

    Attributes
    ----------
    n_atoms : int
    longest_A : float
        End of the grid.
    spacing_A, width_A : float
        Of the grid, and the standard deviation of the Gaussians: no narrower than the spacing.
    """

    n_atoms: int
    longest_A: float = 6.0
    spacing_A: float = 0.05
    width_A: float = 0.05

    def __post_init__(self) -> None:
        checks.whole("n_atoms", self.n_atoms, 2)
        for name in ("longest_A", "spacing_A", "width_A"):
            checks.number(name, getattr(self, name))
        if self.width_A < self.spacing_A:
            checks.refuse("width_A", self.width_A, f"at least spacing_A, {self.spacing_A:g} Å")

    @property
    def distances_A(self) -> np.ndarray:
        """The grid."""
        return np.arange(self.spacing_A, self.longest_A, self.spacing_A)

    def __call__(self, parameters: Any, sample: GraphBatch) -> Any:
        """Return h(r) of one frame on the grid; `parameters` do not matter."""
        first, second = np.triu_indices(self.n_atoms, 1)
        vectors = sample.positions[second] - sample.positions[first]
        distances = jnp.sqrt((vectors**2).sum(-1))
        deviations = (jnp.asarray(self.distances_A) - distances[:, None]) / self.width_A
        heights = jnp.exp(-0.5 * deviations**2).mean(0)
        return heights / (self.width_A * np.sqrt(2 * np.pi))

    def mean_error(self, first: np.ndarray, second: np.ndarray) -> float:
        """Return ∫ abs(h₁ − h₂) dr: 0 for the same distribution, 2 for two that share nothing."""
        return float(np.abs(np.asarray(first) - np.asarray(second)).sum() * self.spacing_A)


@dataclass(frozen=True, eq=False)
class BondLengths:
    """The lengths of some bonds, Å.

    Attributes
    ----------
    bonds : int ndarray of shape (n_bonds, 2)
        See `criteria.find_bonds`.
    """

    bonds: np.ndarray

    def __call__(self, parameters: Any, sample: GraphBatch) -> Any:
        """Return the lengths in one frame, (n_bonds,); `parameters` do not matter."""
        vectors = sample.positions[self.bonds[:, 1]] - sample.positions[self.bonds[:, 0]]
        return jnp.sqrt((vectors**2).sum(-1))


def reference_average(observable: Any, frames: Sequence[Atoms]) -> np.ndarray:
    """Return the mean of an observable of positions over frames of one molecule.

    Raises
    ------
    DataError
        If there are no frames, or the frames differ in their atoms.
    """
    if not frames or any(len(atoms) != len(frames[0]) for atoms in frames):
        raise DataError("A reference needs frames of the same atoms", expected="one at least")
    with double_precision():
        no_graph = Graph(*(None,) * 5)  # observables of positions need none
        values = [observable(None, GraphBatch(a.positions, None, no_graph)) for a in frames]
    return np.asarray(np.mean(np.asarray(values), axis=0))
