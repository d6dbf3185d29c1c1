"""Invariant message passing, after SchNet (Schütt et al., J. Chem. Phys. 148, 241722 (2018)).

Each atom carries numbers that do not change when the molecule turns. In each interaction it adds up
those of its neighbors, each multiplied by a filter that depends on the distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.neural.graphs import Graph
from helpers.neural.layers import (
    Dense,
    Perceptron,
    cosine_cutoff,
    gaussians,
    shifted_softplus,
)


@dataclass(frozen=True)
class SchNetSettings(checks.Settings):
    """Size of a `SchNet`.

    Attributes
    ----------
    cutoff_A : float
        Distance from which on atoms are no neighbors.
    channels : int
        Numbers that each atom carries; as many filters.
    interactions : int
        How often they are exchanged.
    n_gaussians : int
        Functions of the distance that the filters are made of.
    """

    cutoff_A: float = 5.0
    channels: int = 64
    interactions: int = 3
    n_gaussians: int = 25

    def __post_init__(self) -> None:
        checks.number("cutoff_A", self.cutoff_A)
        checks.whole("channels", self.channels, 2)
        checks.whole("interactions", self.interactions, 1)
        checks.whole("n_gaussians", self.n_gaussians, 2)


class SchNet(eqx.Module):
    """The network (see `neural_potential.Network`)."""

    embedding: Any
    interactions: tuple[_Interaction, ...]
    readout: Perceptron
    settings: SchNetSettings = eqx.field(static=True)

    def __init__(self, settings: SchNetSettings, n_elements: int, rng: np.random.Generator) -> None:
        width = settings.channels
        self.embedding = rng.standard_normal((n_elements, width))
        self.interactions = tuple(_Interaction(settings, rng) for _ in range(settings.interactions))
        self.readout = Perceptron([width, width // 2, 1], shifted_softplus, rng)
        self.settings = settings

    def __call__(self, vectors: Any, graph: Graph) -> tuple[Any, dict[str, Any]]:
        """Return the atomic energies (n_atoms,) and what every layer computes."""
        cutoff = self.settings.cutoff_A
        distances = jnp.sqrt((vectors**2).sum(-1))
        envelope = cosine_cutoff(distances, cutoff)
        functions = gaussians(distances, cutoff, self.settings.n_gaussians)
        x = self.embedding[graph.species]
        layers = {"embedding": x}
        for number, interaction in enumerate(self.interactions, start=1):
            update = interaction(x, functions, envelope, graph.neighbors)
            x = x + update
            layers |= {f"update_{number}": update, f"interaction_{number}": x}
        hidden, energies = self.readout.values(x)
        return energies[:, 0], layers | {"readout": hidden, "atomic_energy": energies}


class _Interaction(eqx.Module):
    """One exchange of numbers between neighbors."""

    filters: Perceptron
    project: Dense
    mix: Perceptron

    def __init__(self, settings: SchNetSettings, rng: np.random.Generator) -> None:
        width = settings.channels
        self.filters = Perceptron([settings.n_gaussians, width, width], shifted_softplus, rng)
        self.project = Dense(width, width, rng, bias=False)
        self.mix = Perceptron([width, width, width], shifted_softplus, rng)

    def __call__(self, x: Any, functions: Any, envelope: Any, neighbors: Any) -> Any:
        filters = self.filters(functions) * envelope[..., None]
        return self.mix((self.project(x)[neighbors] * filters).sum(1))
