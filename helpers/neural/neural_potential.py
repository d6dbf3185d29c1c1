"""`NeuralPotential`: any of the networks behind one interface, with one way out, in eV and eV/Å.

Training, the ASE calculator and the dynamics all call `NeuralPotential.energy`: there is no other
place where outputs are scaled.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from helpers import checks
from helpers.errors import ConfigError, ModelFileError, WorkshopError, nearest
from helpers.jax_setup import double_precision
from helpers.neural.array_files import filled, read_arrays, write_arrays
from helpers.neural.behler_parrinello import BehlerParrinello, BehlerParrinelloSettings
from helpers.neural.graphs import Graph, batch_of, edge_vectors
from helpers.neural.painn import PaiNN, PaiNNSettings
from helpers.neural.schnet import SchNet, SchNetSettings

# Name → class of the settings and of the network
ARCHITECTURES: dict[str, tuple[Any, Any]] = {
    "schnet": (SchNetSettings, SchNet),
    "painn": (PaiNNSettings, PaiNN),
    "behler_parrinello": (BehlerParrinelloSettings, BehlerParrinello),
}
DTYPES = ("float32", "float64")


class Network(Protocol):
    """What an architecture has to be: an equinox module whose leaves are arrays only."""

    def __call__(self, vectors: Any, graph: Graph) -> tuple[Any, dict[str, Any]]:
        """Return atomic energies (n_atoms,), without unit, and the values of each layer by name.

        Parameters
        ----------
        vectors : array of shape (n_atoms, capacity, 3), Å
            To the neighbors. Those beyond the cutoff, and padding, must not matter.
        graph : Graph
        """


@dataclass(frozen=True)
class PotentialSettings(checks.Settings):
    """What a potential is, besides its weights.

    Attributes
    ----------
    architecture : str
        One of `ARCHITECTURES`.
    network : settings of that architecture
    elements : tuple of str
        Those that it knows.
    atomic_energies_eV : tuple of float
        What an atom of each element has, before the network adds something.
    energy_scale_eV : float
        Energy that belongs to an output of 1.
    dtype : str
        ``"float32"`` or ``"float64"``, of the weights.
    """

    architecture: str
    network: Any
    elements: tuple[str, ...]
    atomic_energies_eV: tuple[float, ...]
    energy_scale_eV: float = 1.0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        expected = architecture(self.architecture)[0]
        if not isinstance(self.network, expected):
            checks.refuse("network", self.network, f"{expected.__name__}(…)")
        if not self.elements or not set(self.elements) <= set(chemical_symbols):
            checks.refuse("elements", self.elements, "chemical symbols")
        if len(self.atomic_energies_eV) != len(self.elements):
            checks.refuse("atomic_energies_eV", self.atomic_energies_eV, "one for each element")
        checks.number("energy_scale_eV", self.energy_scale_eV)
        checks.one_of("dtype", self.dtype, DTYPES)


class NeuralPotential(eqx.Module):
    """A network with the settings that make a potential of it.

    In JAX it is a pytree whose leaves are the weights; settings are part of its structure.

    Attributes
    ----------
    network : Network
    settings : PotentialSettings
    """

    network: Any
    settings: PotentialSettings = eqx.field(static=True)

    @property
    def cutoff_A(self) -> float:
        """Distance from which on atoms are no neighbors."""
        return float(self.settings.network.cutoff_A)

    def energy(self, positions: Any, cell: Any, graph: Graph) -> Any:
        """Return the energy of one frame relative to its atoms (see `atoms_energy`), eV.

        Differences of positions are taken in the precision of the positions, and so is the sum of
        the atomic energies; the network computes in that of its weights.
        """
        return self.layers(positions, cell, graph)[0]

    def layers(self, positions: Any, cell: Any, graph: Graph) -> tuple[Any, dict[str, Any]]:
        """Return the energy as `energy` does, and the values of each layer by name."""
        vectors = edge_vectors(positions, cell, graph, 2 * self.cutoff_A)
        atomic, layers = self.network(vectors.astype(self.settings.dtype), graph)
        atomic = jnp.where(graph.present, atomic.astype(positions.dtype), 0.0)
        return self.settings.energy_scale_eV * atomic.sum(), layers

    def atomic_energies(self, positions: Any, cell: Any, graph: Graph) -> Any:
        """Return what each atom contributes to `energy`, shape (n_atoms,), eV; 0 for padding.

        Only the sum was trained: how it is shared out is the network's choice.
        """
        atomic = self.layers(positions, cell, graph)[1]["atomic_energy"][:, 0]
        atomic = jnp.where(graph.present, atomic.astype(positions.dtype), 0.0)
        return self.settings.energy_scale_eV * atomic

    def atoms_energy(self, atoms: Atoms) -> float:
        """Return the sum of the energies of the atoms alone, eV: what `energy` leaves out."""
        table = dict(zip(self.settings.elements, self.settings.atomic_energies_eV, strict=True))
        return float(sum(table[symbol] for symbol in atoms.symbols))

    def with_dtype(self, dtype: str) -> NeuralPotential:
        """Return the same potential with weights of another precision."""
        settings = self.settings.replace(dtype=dtype)
        with double_precision():
            network = jax.tree.map(lambda x: jnp.asarray(x, dtype), self.network)
        return NeuralPotential(network, settings)


def neural_force_field(
    parameters: NeuralPotential, positions: Any, cell: Any, neighbors: Graph
) -> tuple[Any, Any]:
    """Return energy and forces of one system: a force field for `helpers.md.simulate`.

    Parameters
    ----------
    parameters : NeuralPotential
    positions : array of shape (n_atoms, 3), Å
    cell : array of shape (3, 3), Å, or None
    neighbors : Graph

    Returns
    -------
    energy : scalar, eV
        Relative to the atoms, see `NeuralPotential.atoms_energy`.
    forces : array of shape (n_atoms, 3), eV/Å
        Its negative gradient.
    """
    energy, slope = jax.value_and_grad(parameters.energy)(positions, cell, neighbors)
    return energy, -slope


def architecture(name: Any) -> tuple[Any, Any]:
    """Return the classes of settings and network of an architecture.

    Raises
    ------
    ConfigError
        If there is none of this name.
    """
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise ConfigError(
            f"There is no architecture {name!r}", fix=nearest(str(name), ARCHITECTURES)
        )
    return ARCHITECTURES[name]


def new_potential(
    settings: PotentialSettings, seed: int = 0, frames: Sequence[Atoms] = ()
) -> NeuralPotential:
    """Return a potential with random weights.

    Parameters
    ----------
    settings : PotentialSettings
    seed : int
    frames : sequence of ase.Atoms
        Frames to standardize the inputs of Behler–Parrinello networks with; their labels are not
        looked at.
    """
    _, network_class = architecture(settings.architecture)
    with double_precision():
        rng = np.random.default_rng(checks.seed(seed))
        network = network_class(settings.network, len(settings.elements), rng)
        network = jax.tree.map(lambda x: jnp.asarray(x, settings.dtype), network)
        if frames and isinstance(network, BehlerParrinello):
            batch = batch_of(frames, settings.elements, settings.network.cutoff_A)
            far_A = 2 * settings.network.cutoff_A

            def functions_of(positions: Any, cell: Any, graph: Graph) -> Any:
                vectors = edge_vectors(positions, cell, graph, far_A)
                return network.symmetry_functions(vectors, graph)

            functions = np.asarray(jax.jit(jax.vmap(functions_of))(*batch))
            present = batch.graphs.present
            network = network.standardized(functions[present], batch.graphs.species[present])
    return NeuralPotential(network, settings)


def save_neural(path: str | os.PathLike, potential: NeuralPotential) -> Path:
    """Write a potential as one ``.npz``, completely or not at all."""
    return write_arrays(Path(path), potential, {"settings": asdict(potential.settings)})


def load_neural(path: str | os.PathLike) -> NeuralPotential:
    """Return a potential that `save_neural` wrote.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, or no such model.
    """
    path = Path(path)
    arrays, facts = read_arrays(path, ModelFileError)
    try:
        values = facts["settings"]
        network = architecture(values["architecture"])[0](**values.pop("network"))
        for name in ("elements", "atomic_energies_eV"):
            values[name] = tuple(values[name])  # lists of JSON cannot be hashed
        settings = PotentialSettings(network=network, **values)
    except (KeyError, TypeError, WorkshopError) as error:
        raise ModelFileError(
            f"{path} is no neural potential of this kit ({error})", expected="a model.npz"
        ) from error
    with double_precision():
        return filled(new_potential(settings), arrays, path, ModelFileError)
