"""A neural potential for ASE, for `helpers.evaluate`, and for the compiled engine of dynamics."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ase import Atoms

from helpers.errors import PredictionError
from helpers.gap.calculator import PotentialCalculator, check_atoms
from helpers.jax_setup import double_precision, enable_compilation_cache
from helpers.neural.graphs import (
    Graph,
    batch_of,
    build_graph,
    rounded,
    species_of,
    stack_graphs,
)
from helpers.neural.neural_potential import NeuralPotential, neural_force_field

FRAMES_PER_BATCH = 16
ROOM = 1.15  # neighbor lists of dynamics grow: some places are left free


class NeuralCalculator(PotentialCalculator):
    """ASE calculator of a neural potential.

    Distances are computed in 64 bit, the network in the precision of its weights. With 32 bit,
    energies of tens of eV differ by about 1e-6 eV between batches of different shapes.

    Parameters
    ----------
    potential : NeuralPotential
    path : Path, optional
        Where it came from, for messages.

    Attributes
    ----------
    engine : str
        ``"neural"``.
    potential, path
        As given. Another potential for the same elements may be put in place: runs of the
        compiled engine go on with it.
    """

    implemented_properties = ["energy", "free_energy", "forces"]
    engine = "neural"

    def __init__(self, potential: NeuralPotential, path: Path | None = None) -> None:
        super().__init__(path, None)
        self.potential = potential
        enable_compilation_cache()

    def predict_frames(self, frames: Sequence[Atoms]) -> list[tuple[float, np.ndarray]]:
        """Return energy (eV) and forces (eV/Å) of frames of any sizes, in batches.

        Raises
        ------
        PredictionError
            If the potential cannot be asked about one of the frames.
        """
        frames = list(frames)
        self.check_frames(frames)
        order = np.argsort([len(atoms) for atoms in frames], kind="stable")  # alike ones together
        results: dict[int, tuple[float, np.ndarray]] = {}
        for start in range(0, len(frames), FRAMES_PER_BATCH):
            indices = order[start : start + FRAMES_PER_BATCH]
            chunk = [frames[k] for k in indices]
            if len(frames) > 1:  # one size of batches
                chunk += chunk[-1:] * (FRAMES_PER_BATCH - len(chunk))
            for k, result in zip(indices, self._predict_batch(chunk), strict=False):
                results[int(k)] = result
        return [results[k] for k in range(len(frames))]

    def replicas(self, numbers: np.ndarray, n_replicas: int, skin_A: float) -> NeuralReplicas:
        """Return what the compiled engine of molecular dynamics asks of a potential."""
        return NeuralReplicas(self, numbers, n_replicas, skin_A)

    def _predict(self, atoms: Atoms, properties: Sequence[str] = ()) -> dict[str, Any]:
        energy, forces = self._predict_batch([atoms])[0]
        return {"energy": energy, "free_energy": energy, "forces": forces}

    def _predict_batch(self, frames: list[Atoms]) -> list[tuple[float, np.ndarray]]:
        elements, cutoff_A = self.potential.settings.elements, self.potential.cutoff_A
        with double_precision():
            batch = batch_of(frames, elements, cutoff_A)
            energies, forces = _predict_together(self.potential, *batch)
        results = []
        for atoms, energy, force in zip(
            frames, np.asarray(energies), np.asarray(forces), strict=True
        ):
            force = force[: len(atoms)]
            if not (np.isfinite(energy) and np.isfinite(force).all()):
                raise PredictionError(
                    "The neural potential gives a number that is not finite",
                    found=atoms.get_chemical_formula(),
                    fix="look at the smallest distance between the atoms",
                )
            results.append((float(energy) + self.potential.atoms_energy(atoms), force))
        return results

    def _check(self, atoms: Atoms) -> None:
        name = self.path.name if self.path else "the neural potential"
        check_atoms(atoms, None, name)
        species_of(atoms, self.potential.settings.elements)


class NeuralReplicas:
    """Neighbor lists of R replicas of the same atoms (see `helpers.md.compiled_engine`).

    Parameters
    ----------
    calculator : NeuralCalculator
        Whose potential is used: the one that it has at the time.
    numbers : int ndarray of shape (n_atoms,)
        Atomic numbers.
    n_replicas : int
    skin_A : float
        How much further than the cutoff the lists reach.

    Attributes
    ----------
    order : int ndarray of shape (n_atoms,)
        The atoms stay as they are.
    """

    def __init__(
        self, calculator: NeuralCalculator, numbers: np.ndarray, n_replicas: int, skin_A: float
    ) -> None:
        self._calculator, self._atoms = calculator, Atoms(numbers)
        self.order = np.arange(len(numbers))
        self._species = species_of(self._atoms, self.parameters.settings.elements)
        self._reach_A = self.parameters.cutoff_A + skin_A
        self._graphs: list[Graph | None] = [None] * n_replicas
        self._capacity = 0

    @property
    def room(self) -> np.ndarray:
        """Length of the lists (see `helpers.md.compiled_engine.ReplicaPotential`)."""
        return np.array([self._capacity])

    @room.setter
    def room(self, sizes: np.ndarray) -> None:
        self._capacity = int(sizes[0])

    @property
    def parameters(self) -> NeuralPotential:
        """The potential."""
        return self._calculator.potential

    @property
    def energy_offset_eV(self) -> float:
        """Energy of the atoms alone."""
        return self.parameters.atoms_energy(self._atoms)

    def build(self, replica: int, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
        """Build the list of one replica; see `helpers.md.compiled_engine.ReplicaPotential`."""
        self._graphs[replica] = build_graph(self._species, positions, cell, pbc, self._reach_A)

    def stack(self) -> tuple[Any, Graph]:
        """Return the force field and the lists of all replicas."""
        graphs = [graph for graph in self._graphs if graph is not None]
        longest = max(graph.neighbors.shape[1] for graph in graphs)
        if longest > self._capacity:  # compiles anew
            others, room = len(self._species) - 1, rounded(int(ROOM * longest))
            self._capacity = min(room, others) if longest <= others else room
        return neural_force_field, stack_graphs(graphs, capacity=self._capacity)


@partial(jax.jit)
def _predict_together(potential: NeuralPotential, positions: Any, cells: Any, graphs: Graph) -> Any:
    return jax.vmap(neural_force_field, (None, 0, 0, 0))(potential, positions, cells, graphs)
