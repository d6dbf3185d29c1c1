"""Local descriptors with a network for each element (Behler, Parrinello, PRL 98, 146401 (2007)).

Symmetry functions count the neighbors of an atom by distance, and pairs of them by angle, for each
element apart (G2 and G4 of Behler, J. Chem. Phys. 134, 074106 (2011)). They stay the same when the
molecule turns. A small network of the atom's own element makes an energy of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.errors import ConfigError
from helpers.neural.graphs import Graph
from helpers.neural.layers import ElementDense, Standardization, cosine_cutoff

SMALLEST_DEVIATION = 1e-3  # functions that hardly change are not blown up


@dataclass(frozen=True)
class BehlerParrinelloSettings(checks.Settings):
    """Symmetry functions and size of a `BehlerParrinello`.

    Attributes
    ----------
    cutoff_A : float
        Distance from which on atoms are no neighbors.
    radial_etas : tuple of float, 1/Å²
        η of G2 = Σⱼ exp(−η (r − s)²) f(r).
    radial_shifts_A : tuple of float
        s of G2; all pairs of η and s are taken.
    angular_etas : tuple of float, 1/Å²
        η of G4 = 2^(1−ζ) Σⱼₖ (1 + λ cos θ)^ζ exp(−η (r² + r'² + r''²)) f(r) f(r') f(r''), each pair
        of neighbors once, for λ = 1 and −1.
    angular_zetas : tuple of float
        ζ of G4; all pairs of η and ζ are taken. None at all: no G4.
    hidden : tuple of int
        Units in each hidden layer.
    """

    cutoff_A: float = 5.0
    radial_etas: tuple[float, ...] = (4.0,)
    radial_shifts_A: tuple[float, ...] = (0.8, 1.1, 1.4, 1.7, 2.0, 2.4, 2.8, 3.2, 3.6, 4.0)
    angular_etas: tuple[float, ...] = (0.01, 0.1)
    angular_zetas: tuple[float, ...] = (1.0, 4.0, 16.0)
    hidden: tuple[int, ...] = (50, 50)

    def __post_init__(self) -> None:
        checks.number("cutoff_A", self.cutoff_A)
        for name in ("radial_etas", "radial_shifts_A", "angular_etas", "angular_zetas", "hidden"):
            values = getattr(self, name)
            if not isinstance(values, (list, tuple)):
                checks.refuse(name, values, "a list of numbers")
            for value in values:
                if name == "hidden":
                    checks.whole(name, value, 1)
                else:
                    checks.number(name, value, positive=name == "angular_zetas")
            object.__setattr__(self, name, tuple(values))  # lists of a file cannot be hashed
        if not self.radial_etas or not self.radial_shifts_A or not self.hidden:
            raise ConfigError(
                "A Behler–Parrinello network needs radial functions and a hidden layer",
                expected="radial_etas, radial_shifts_A and hidden with one number at least",
            )


class BehlerParrinello(eqx.Module):
    """The network (see `neural_potential.Network`)."""

    standardization: Standardization
    layers: tuple[ElementDense, ...]
    settings: BehlerParrinelloSettings = eqx.field(static=True)
    n_elements: int = eqx.field(static=True)

    def __init__(
        self, settings: BehlerParrinelloSettings, n_elements: int, rng: np.random.Generator
    ) -> None:
        self.settings, self.n_elements = settings, n_elements
        pairs = n_elements * (n_elements + 1) // 2
        n_radial = len(settings.radial_etas) * len(settings.radial_shifts_A)
        n_angular = 2 * len(settings.angular_etas) * len(settings.angular_zetas)
        n_functions = n_elements * n_radial + pairs * n_angular
        shape = (n_elements, n_functions)
        self.standardization = Standardization(np.zeros(shape), np.ones(shape))
        sizes = [n_functions, *settings.hidden, 1]
        self.layers = tuple(
            ElementDense(n_elements, n_in, n_out, rng)
            for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True)
        )

    def __call__(self, vectors: Any, graph: Graph) -> tuple[Any, dict[str, Any]]:
        """Return the atomic energies (n_atoms,) and what every layer computes."""
        one_hot = jax.nn.one_hot(graph.species, self.n_elements, dtype=vectors.dtype)
        x = self.standardization(self.symmetry_functions(vectors, graph), graph.species)
        layers = {"input": x}
        for number, layer in enumerate(self.layers[:-1], start=1):
            x = jnp.tanh(layer(x, one_hot))
            layers[f"hidden_{number}"] = x
        energies = self.layers[-1](x, one_hot)
        return energies[:, 0], layers | {"atomic_energy": energies}

    def symmetry_functions(self, vectors: Any, graph: Graph) -> Any:
        """Return G2 and G4 of each atom, shape (n_atoms, n_functions)."""
        settings, dtype = self.settings, vectors.dtype
        distances = jnp.sqrt((vectors**2).sum(-1))
        envelope = cosine_cutoff(distances, settings.cutoff_A)
        elements = jax.nn.one_hot(graph.species[graph.neighbors], self.n_elements, dtype=dtype)
        eta, shift = _grid(settings.radial_etas, settings.radial_shifts_A, dtype)
        radial = jnp.exp(-eta * (distances[..., None] - shift) ** 2) * envelope[..., None]
        functions = jnp.einsum("nke,nkf->nef", elements, radial).reshape(len(vectors), -1)
        if not settings.angular_etas or not settings.angular_zetas:
            return functions
        between = vectors[:, :, None] - vectors[:, None]
        pairs = graph.connected[:, :, None] & graph.connected[:, None]
        pairs = pairs & ~jnp.eye(vectors.shape[1], dtype=bool)
        squares = jnp.where(pairs, (between**2).sum(-1), 1.0)
        cosines = jnp.einsum("njd,nkd->njk", vectors, vectors)
        cosines = cosines / (distances[:, :, None] * distances[:, None])
        total = distances[:, :, None] ** 2 + distances[:, None] ** 2 + squares
        triple = envelope[:, :, None] * envelope[:, None]
        triple = triple * cosine_cutoff(jnp.sqrt(squares), settings.cutoff_A) * pairs
        by_angle = jnp.stack(
            [
                2.0 ** (1 - zeta) * jnp.maximum(1 + sign * cosines, 0.0) ** _exact(zeta)
                for zeta in settings.angular_zetas
                for sign in (1.0, -1.0)
            ],
            -1,
        )
        by_distance = jnp.stack([jnp.exp(-one * total) for one in settings.angular_etas], -1)
        by_distance = by_distance * triple[..., None]
        sums = jnp.einsum(
            "nja,nkb,njkf,njkg->nabfg",
            elements,
            elements,
            by_distance,
            by_angle,
            optimize="optimal",
        )
        # Both orders of two neighbors were summed: halved for one element, once for two
        first, second = np.triu_indices(self.n_elements)
        halves = np.where(first == second, 0.5, 1.0)[:, None, None]
        angular = sums[:, first, second] * jnp.asarray(halves, dtype)
        return jnp.concatenate([functions, angular.reshape(len(vectors), -1)], -1)

    def standardized(self, functions: np.ndarray, species: np.ndarray) -> BehlerParrinello:
        """Return the network with inputs of mean 0 and deviation 1 on these atoms.

        Parameters
        ----------
        functions : ndarray of shape (n, n_functions)
        species : int ndarray of shape (n,)
        """
        mean = np.zeros((self.n_elements, functions.shape[1]))
        deviation = np.ones_like(mean)
        for k in range(self.n_elements):
            of_element = functions[species == k]
            if len(of_element):
                mean[k] = of_element.mean(0)
                deviation[k] = np.maximum(of_element.std(0), SMALLEST_DEVIATION)
        dtype = self.layers[0].weight.dtype
        new = Standardization(jnp.asarray(mean, dtype), jnp.asarray(deviation, dtype))
        return eqx.tree_at(lambda network: network.standardization, self, new)


def _grid(first: tuple[float, ...], second: tuple[float, ...], dtype: Any) -> tuple[Any, Any]:
    """Return all pairs of two lists of numbers, as two arrays."""
    a, b = np.meshgrid(first, second, indexing="ij")
    return jnp.asarray(a.ravel(), dtype), jnp.asarray(b.ravel(), dtype)


def _exact(exponent: float) -> float:
    """Return a whole exponent as an int, whose power has all derivatives at zero, too."""
    return int(exponent) if float(exponent).is_integer() else exponent
