"""Equivariant message passing, after PaiNN (Schütt, Unke, Gastegger, ICML 2021, arXiv 2102.03150).

Each atom carries numbers, which do not change when the molecule turns, and vectors, which turn with
it. Numbers decide how much of which vector is added; only lengths and products of vectors go back
into the numbers. So the energy is invariant, also under inversion, and layers know directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.neural.graphs import Graph
from helpers.neural.layers import Dense, Perceptron, bessel_functions, cosine_cutoff

SMALL = 1e-8  # added to squares: the length of a vector has a slope at zero, too


@dataclass(frozen=True)
class PaiNNSettings(checks.Settings):
    """Size of a `PaiNN`.

    Attributes
    ----------
    cutoff_A : float
        Distance from which on atoms are no neighbors.
    channels : int
        Numbers that each atom carries, and as many vectors.
    interactions : int
        How often they are exchanged.
    n_bessel : int
        Functions of the distance that the filters are made of.
    """

    cutoff_A: float = 5.0
    channels: int = 32
    interactions: int = 3
    n_bessel: int = 20

    def __post_init__(self) -> None:
        checks.number("cutoff_A", self.cutoff_A)
        checks.whole("channels", self.channels, 2)
        checks.whole("interactions", self.interactions, 1)
        checks.whole("n_bessel", self.n_bessel, 1)


class PaiNN(eqx.Module):
    """The network (see `neural_potential.Network`)."""

    embedding: Any
    interactions: tuple[_Interaction, ...]
    readout: Perceptron
    settings: PaiNNSettings = eqx.field(static=True)

    def __init__(self, settings: PaiNNSettings, n_elements: int, rng: np.random.Generator) -> None:
        width = settings.channels
        self.embedding = rng.standard_normal((n_elements, width))
        self.interactions = tuple(_Interaction(settings, rng) for _ in range(settings.interactions))
        self.readout = Perceptron([width, width // 2, 1], jax.nn.silu, rng)
        self.settings = settings

    def __call__(self, vectors: Any, graph: Graph) -> tuple[Any, dict[str, Any]]:
        """Return the atomic energies (n_atoms,) and what every layer computes.

        Layers ``"vectors_1"`` … have the shape (n_atoms, 3, channels) and turn with the atoms.
        """
        cutoff = self.settings.cutoff_A
        distances = jnp.sqrt((vectors**2).sum(-1))
        envelope = cosine_cutoff(distances, cutoff)[..., None]
        functions = bessel_functions(distances, cutoff, self.settings.n_bessel)
        directions = vectors / distances[..., None]
        numbers = self.embedding[graph.species]
        turning = jnp.zeros((len(numbers), 3, self.settings.channels), numbers.dtype)
        layers = {"embedding": numbers}
        for k, interaction in enumerate(self.interactions, start=1):
            edges = functions, envelope, directions, graph.neighbors
            numbers, turning = interaction(numbers, turning, *edges)
            lengths = jnp.sqrt((turning**2).sum(1) + SMALL)
            layers |= {
                f"interaction_{k}": numbers,
                f"lengths_{k}": lengths,
                f"vectors_{k}": turning,
            }
        hidden, energies = self.readout.values(numbers)
        return energies[:, 0], layers | {"readout": hidden, "atomic_energy": energies}


class _Interaction(eqx.Module):
    """One exchange between neighbors, and one between the numbers and vectors of an atom."""

    message: Perceptron
    filters: Dense
    mix_vectors: Dense
    update: Perceptron

    def __init__(self, settings: PaiNNSettings, rng: np.random.Generator) -> None:
        width, silu = settings.channels, jax.nn.silu
        self.message = Perceptron([width, width, 3 * width], silu, rng)
        self.filters = Dense(settings.n_bessel, 3 * width, rng)
        self.mix_vectors = Dense(width, 2 * width, rng, bias=False)
        self.update = Perceptron([2 * width, width, 3 * width], silu, rng)

    def __call__(
        self,
        numbers: Any,
        turning: Any,
        functions: Any,
        envelope: Any,
        directions: Any,
        neighbors: Any,
    ) -> tuple[Any, Any]:
        messages = self.message(numbers)[neighbors] * (self.filters(functions) * envelope)
        add, along_vectors, along_edge = jnp.split(messages, 3, -1)
        numbers = numbers + add.sum(1)
        turning = turning + (
            turning[neighbors] * along_vectors[..., None, :]
            + directions[..., None] * along_edge[..., None, :]
        ).sum(1)
        left, right = jnp.split(self.mix_vectors(turning), 2, -1)
        lengths = jnp.sqrt((right**2).sum(1) + SMALL)
        gates = self.update(jnp.concatenate([numbers, lengths], -1))
        of_vectors, of_products, alone = jnp.split(gates, 3, -1)
        numbers = numbers + of_products * (left * right).sum(1) + alone
        return numbers, turning + of_vectors[:, None] * left
