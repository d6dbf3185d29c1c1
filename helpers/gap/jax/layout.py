"""What is compiled and what is passed in: a hashable `Layout` of sizes, and a model's parameters.

A layout says how many atoms of each element there are, which terms act on them and the capacity
of their neighbor lists. Models with the same layout share one compiled function; the numbers of
the model travel as arguments, so that nothing large is baked into the code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from helpers.gap.jax.soap import component_order
from helpers.gap.jax.terms import PairSettings, SoapSettings, term_settings
from helpers.gap.model import GapModel

N_COEFFICIENTS = 10  # of each polynomial in the table of a pair term
TABLE_SIZES = (128, 256, 512)  # numbers of its intervals, few: models share compiled functions


@dataclass(frozen=True)
class SoapTerm:
    """The central element and the power ζ of the kernel of one SOAP term."""

    center: int
    zeta: float


@dataclass(frozen=True)
class SoapBlock:
    """SOAP terms with the same hyperparameters: their descriptors are computed once."""

    settings: SoapSettings
    terms: tuple[SoapTerm, ...]

    @property
    def centers(self) -> tuple[int, ...]:
        """Atomic numbers of the central atoms, ascending."""
        return tuple(sorted({term.center for term in self.terms}))


@dataclass(frozen=True)
class ModelStructure:
    """The terms of a model with their hyperparameters, without sparse points and weights."""

    blocks: tuple[SoapBlock, ...]
    pairs: tuple[PairSettings, ...]

    @property
    def cutoff_A(self) -> float:
        """Longest interaction range, Å."""
        soaps = [block.settings.cutoff_A for block in self.blocks]
        return max([*soaps, *(pair.cutoff_A for pair in self.pairs)])


def model_structure(model: GapModel) -> ModelStructure:
    """Group the terms of a model into SOAP blocks and pair terms.

    Raises
    ------
    UnsupportedModelError
        If a term cannot be evaluated here; it is named (see `terms.term_settings`).
    """
    blocks: dict[SoapSettings, list[SoapTerm]] = {}
    pairs = []
    for term in model.terms:
        settings = term_settings(term)
        if isinstance(settings, SoapSettings):
            soap = SoapTerm(int(term.number("Z")), float(term.zeta or 1.0))
            blocks.setdefault(settings, []).append(soap)
        else:
            pairs.append(settings)
    return ModelStructure(
        tuple(SoapBlock(settings, tuple(terms)) for settings, terms in blocks.items()),
        tuple(pairs),
    )


@dataclass(frozen=True)
class Layout:
    """Everything that the compiled function depends on: static, hashable.

    Attributes
    ----------
    structure : ModelStructure
        The terms of the model.
    counts : tuple of (int, int)
        Atomic number and number of atoms, ascending: the order in which the atoms stand.
    neighbor_capacity : tuple of tuple of int
        Most neighbors of each species around one central atom, for each SOAP block.
    pair_capacity : tuple of int
        Most pairs of each pair term.
    edge_capacity : int
        Most edges (vectors between neighbors) that begin or end at one atom.
    """

    structure: ModelStructure
    counts: tuple[tuple[int, int], ...]
    neighbor_capacity: tuple[tuple[int, ...], ...]
    pair_capacity: tuple[int, ...]
    edge_capacity: int

    @classmethod
    def empty(cls, structure: ModelStructure, counts: tuple[tuple[int, int], ...]) -> Layout:
        """Return a layout of atoms without any neighbors."""
        neighbors = tuple((0,) * len(block.settings.species) for block in structure.blocks)
        return cls(structure, counts, neighbors, (0,) * len(structure.pairs), 0)

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return sum(count for _, count in self.counts)

    @property
    def numbers(self) -> np.ndarray:
        """Atomic number of each atom, shape (n_atoms,)."""
        return np.repeat([z for z, _ in self.counts], [n for _, n in self.counts])

    def columns(self, block: SoapBlock) -> dict[int, slice]:
        """Return where the atoms of each central element stand among the centers of a block."""
        slices, start = {}, 0
        for number, count in self.counts:
            if number in block.centers:
                slices[number] = slice(start, start + count)
                start += count
        return slices

    @property
    def sizes(self) -> np.ndarray:
        """All capacities in a row."""
        neighbors = [size for block in self.neighbor_capacity for size in block]
        return np.array([*neighbors, *self.pair_capacity, self.edge_capacity], int)

    def with_sizes(self, sizes: np.ndarray) -> Layout:
        """Return a layout with these capacities, as `sizes` gives them."""
        numbers = iter(sizes.tolist())
        return replace(
            self,
            neighbor_capacity=tuple(
                tuple(next(numbers) for _ in block) for block in self.neighbor_capacity
            ),
            pair_capacity=tuple(next(numbers) for _ in self.pair_capacity),
            edge_capacity=next(numbers),
        )

    def grow(
        self,
        n_neighbors: Sequence[Sequence[int]],
        n_pairs: Sequence[int],
        n_edges: int,
    ) -> Layout:
        """Return a layout with capacity for these numbers, with some to spare where it grows.

        Where the layout is large enough an equal one is returned: nothing is compiled again.
        """
        return replace(
            self,
            neighbor_capacity=tuple(
                tuple(
                    _enough(capacity, needed, 1.2, 4)
                    for capacity, needed in zip(capacities, needs, strict=True)
                )
                for capacities, needs in zip(self.neighbor_capacity, n_neighbors, strict=True)
            ),
            pair_capacity=tuple(
                _enough(capacity, needed, 1.1, 32)
                for capacity, needed in zip(self.pair_capacity, n_pairs, strict=True)
            ),
            edge_capacity=_enough(self.edge_capacity, n_edges, 1.1, 8),
        )


def merge(layout: Layout, other: Layout) -> Layout:
    """Return a layout with capacity for the neighbor lists of both."""
    capacities = zip(layout.neighbor_capacity, other.neighbor_capacity, strict=True)
    return replace(
        layout,
        neighbor_capacity=tuple(tuple(map(max, a, b)) for a, b in capacities),
        pair_capacity=tuple(map(max, layout.pair_capacity, other.pair_capacity)),
        edge_capacity=max(layout.edge_capacity, other.edge_capacity),
    )


def round_up(size: float, step: int) -> int:
    """Return the next multiple of `step`, so that similar lists have the same size."""
    return math.ceil(size / step) * step


def _enough(capacity: int, needed: int, spare: float, step: int) -> int:
    return capacity if needed <= capacity else round_up(spare * needed, step)


class SoapParameters(NamedTuple):
    """Sparse points of one SOAP term, twice (the second transposed), and their weights, eV."""

    points: Any
    points_transposed: Any
    weights: Any


class QuadraticParameters(NamedTuple):
    """A SOAP term with ζ = 2: Σ_s w_s (p·p_s)² = pᵀ A p with A = Σ_s w_s p_s p_sᵀ, eV.

    The same sum in another order, and less work if there are more sparse points than half the
    components of p.
    """

    matrix: Any


class PairParameters(NamedTuple):
    """Sparse points of one pair term, Å, and their weights, eV."""

    points: Any
    weights: Any


class PairTable(NamedTuple):
    """The sum over the sparse points of one pair term as piecewise polynomials of the distance.

    A sum of Gaussians is smooth: short polynomials reproduce it to rounding, and need a tenth of
    the time.

    Attributes
    ----------
    coefficients : array of shape (n_intervals, N_COEFFICIENTS), eV
        One row for each of the equal intervals between 0 and the cutoff: coefficients, highest
        power first, of a coordinate that goes from −1 to 1 within the interval.
    """

    coefficients: Any


class ModelParameters(NamedTuple):
    """The numbers of a model, in the order of `ModelStructure`: a pytree of arrays."""

    soaps: tuple[tuple[SoapParameters | QuadraticParameters, ...], ...]
    pairs: tuple[PairParameters | PairTable, ...]


def model_parameters(model: GapModel) -> ModelParameters:
    """Return sparse points and weights of a model as 64-bit arrays, in the order of its structure.

    The weight of a sparse point is α_s c_s δ²; for pairs twice that, because gap_fit counts
    every pair from both ends and the lists here hold it once.
    """
    soaps: dict[SoapSettings, list[SoapParameters | QuadraticParameters]] = {}
    pairs = []
    for term in model.terms:
        settings = term_settings(term)
        weights = term.alpha * term.sparse_cutoff * term.delta**2
        if isinstance(settings, SoapSettings):
            points = term.sparse_points[:, component_order(settings)]
            soaps.setdefault(settings, []).append(_soap_parameters(term.zeta, points, weights))
        else:
            pairs.append(pair_parameters(settings, term.sparse_points[:, 0], 2 * weights))
    return ModelParameters(tuple(tuple(terms) for terms in soaps.values()), tuple(pairs))


def _soap_parameters(
    zeta: float | None, points: np.ndarray, weights: np.ndarray
) -> SoapParameters | QuadraticParameters:
    n_sparse, n_components = points.shape
    if zeta == 2 and 2 * n_sparse > n_components:
        return QuadraticParameters((points.T * weights) @ points)
    return SoapParameters(points, np.ascontiguousarray(points.T), weights)


def pair_parameters(
    settings: PairSettings, points: np.ndarray, weights: np.ndarray
) -> PairParameters | PairTable:
    """Return a table if it reproduces the sum of Gaussians to rounding, otherwise the Gaussians.

    Weights are large and cancel: the table is computed in extended precision where the machine
    has it, and is then closer to the exact sum than the sum in 64 bit.
    """

    def exact(distance: np.ndarray) -> np.ndarray:
        scaled = (distance[..., None] - points) / np.longdouble(settings.theta_A)
        return np.exp(-(scaled**2) / 2) @ weights.astype(np.longdouble)

    nodes = np.cos(np.pi * (np.arange(N_COEFFICIENTS, dtype=np.longdouble) + 0.5) / N_COEFFICIENTS)
    powers = np.vander(nodes, N_COEFFICIENTS)
    inverse = np.linalg.inv(powers.astype(float)).astype(np.longdouble)
    for _ in range(2):  # to extended precision, by Newton's iteration
        inverse = inverse @ (2 * np.eye(N_COEFFICIENTS) - powers @ inverse)
    between = np.linspace(-1, 1, 7, dtype=np.longdouble)
    for n_intervals in TABLE_SIZES:
        start = np.arange(n_intervals, dtype=np.longdouble)[:, None]
        width = np.longdouble(settings.cutoff_A) / n_intervals
        values = exact((start + (nodes + 1) / 2) * width)
        table = values @ inverse.T
        error = table @ np.vander(between, N_COEFFICIENTS).T - exact(
            (start + (between + 1) / 2) * width
        )
        rounding = 4 * np.finfo(np.longdouble).eps * np.abs(weights).sum()
        if np.abs(error).max() <= max(rounding, 1e-15 * np.abs(values).max()):
            return PairTable(table.astype(float))
    return PairParameters(points, weights)
