"""Parts of the networks: dense layers, functions of distances, networks for each element."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


class Dense(eqx.Module):
    """x → x W + b on the last axis (Glorot, Bengio 2010, uniform weights; zero biases)."""

    weight: Any
    bias: Any

    def __init__(
        self, n_in: int, n_out: int, rng: np.random.Generator, *, bias: bool = True
    ) -> None:
        bound = math.sqrt(6 / (n_in + n_out))
        self.weight = rng.uniform(-bound, bound, (n_in, n_out))
        self.bias = np.zeros(n_out) if bias else None

    def __call__(self, x: Any) -> Any:
        """Return the values of the layer, without activation."""
        y = x @ self.weight
        return y if self.bias is None else y + self.bias


class Perceptron(eqx.Module):
    """Dense layers with an activation between them."""

    layers: tuple[Dense, ...]
    activation: Callable[[Any], Any] = eqx.field(static=True)

    def __init__(
        self, sizes: Sequence[int], activation: Callable[[Any], Any], rng: np.random.Generator
    ) -> None:
        pairs = zip(sizes[:-1], sizes[1:], strict=True)
        self.layers = tuple(Dense(n_in, n_out, rng) for n_in, n_out in pairs)
        self.activation = activation

    def __call__(self, x: Any) -> Any:
        """Return the values of the last layer."""
        return self.values(x)[-1]

    def values(self, x: Any) -> list[Any]:
        """Return the values of all layers: those of hidden ones after the activation."""
        values = []
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
            values.append(x)
        return [*values, self.layers[-1](x)]


class ElementDense(eqx.Module):
    """A dense layer of its own for the atoms of each element."""

    weight: Any
    bias: Any

    def __init__(self, n_elements: int, n_in: int, n_out: int, rng: np.random.Generator) -> None:
        bound = math.sqrt(6 / (n_in + n_out))
        shape = (n_elements, n_in, n_out)
        self.weight = rng.uniform(-bound, bound, shape)
        self.bias = np.zeros((n_elements, n_out))

    def __call__(self, x: Any, one_hot: Any) -> Any:
        """Return the values (n_atoms, n_out) for x (n_atoms, n_in) and (n_atoms, n_elements)."""
        of_all = jnp.einsum("ni,eio->neo", x, self.weight) + self.bias
        return (of_all * one_hot[..., None]).sum(1)


class Standardization(eqx.Module):
    """(x − mean)/deviation for each element: numbers of the data, not trained."""

    mean: Any
    deviation: Any

    def __call__(self, x: Any, species: Any) -> Any:
        """Return standardized values of x (n_atoms, n_features)."""
        return (x - self.mean[species]) / self.deviation[species]


def trainable(tree: Any) -> Any:
    """Return the tree with True in place of the arrays that are trained, False for others."""

    def mark(part: Any) -> Any:
        if isinstance(part, Standardization):
            return jax.tree.map(lambda _: False, part)
        return True

    return jax.tree.map(mark, tree, is_leaf=lambda part: isinstance(part, Standardization))


def shifted_softplus(x: Any) -> Any:
    """Return ln(½ eˣ + ½): zero at zero, with all derivatives."""
    return jax.nn.softplus(x) - math.log(2.0)


def cosine_cutoff(distances: Any, cutoff_A: float) -> Any:
    """Return ½ (1 + cos π r/R), and 0 beyond R (Behler, Parrinello 2007)."""
    inside = distances < cutoff_A
    scaled = jnp.where(inside, distances, cutoff_A) / cutoff_A
    return jnp.where(inside, 0.5 * (1 + jnp.cos(jnp.pi * scaled)), 0.0)


def gaussians(distances: Any, cutoff_A: float, n_gaussians: int) -> Any:
    """Return n Gaussians, evenly spaced from 0 to the cutoff, as wide as their spacing."""
    centers, spacing = jnp.linspace(0, cutoff_A, n_gaussians, retstep=True, dtype=distances.dtype)
    return jnp.exp(-0.5 * ((distances[..., None] - centers) / spacing) ** 2)


def bessel_functions(distances: Any, cutoff_A: float, n_functions: int) -> Any:
    """Return √(2/R) sin(nπ r/R)/r for n = 1 … (Gasteiger et al., ICLR 2020)."""
    n = jnp.arange(1, n_functions + 1, dtype=distances.dtype)
    scaled = distances[..., None] / cutoff_A
    return math.sqrt(2 / cutoff_A) * jnp.sin(n * jnp.pi * scaled) / distances[..., None]
