"""What is compiled and what is passed in: a hashable `Plan` of sizes, and a model's arrays.

A plan says how many atoms of each element there are, which terms act on them and how much room
their neighbors have. Models with the same plan share one compiled function; the numbers of the
model travel as arguments, so that nothing large is baked into the code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from helpers.gap.jax.soap import component_order
from helpers.gap.jax.terms import PairSettings, SoapSettings, term_settings
from helpers.gap.model import GapModel


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
class Terms:
    """All terms of a model, without their numbers, and how precise its descriptors are (bits)."""

    blocks: tuple[SoapBlock, ...]
    pairs: tuple[PairSettings, ...]
    descriptor_bits: int = 64

    @property
    def cutoff_A(self) -> float:
        """Longest interaction range, Å."""
        soaps = [block.settings.cutoff_A for block in self.blocks]
        return max([*soaps, *(pair.cutoff_A for pair in self.pairs)])


@dataclass(frozen=True)
class Plan:
    """Everything that the compiled function depends on.

    Attributes
    ----------
    terms : Terms
        The terms of the model.
    counts : tuple of (int, int)
        Atomic number and number of atoms, ascending: the order in which the atoms stand.
    slots : tuple of tuple of int
        Room for neighbors of each species around one central atom, for each SOAP block.
    rooms : tuple of int
        Room for the pairs of each pair term.
    ends : int
        Room for the vectors that begin or end at one atom.
    """

    terms: Terms
    counts: tuple[tuple[int, int], ...]
    slots: tuple[tuple[int, ...], ...]
    rooms: tuple[int, ...]
    ends: int

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return sum(count for _, count in self.counts)

    def columns(self, block: SoapBlock) -> dict[int, slice]:
        """Return the place of each central element among the central atoms of a block."""
        places, start = {}, 0
        for number, count in self.counts:
            if number in block.centers:
                places[number] = slice(start, start + count)
                start += count
        return places


def with_room_for(plan: Plan, other: Plan) -> Plan:
    """Return a plan whose neighbor lists have room for those of both."""
    slots = zip(plan.slots, other.slots, strict=True)
    return replace(
        plan,
        slots=tuple(tuple(map(max, a, b)) for a, b in slots),
        rooms=tuple(map(max, plan.rooms, other.rooms)),
        ends=max(plan.ends, other.ends),
    )


class SoapArrays(NamedTuple):
    """Sparse points of one SOAP term, twice (the second transposed), and their weights, eV."""

    points: Any
    points_transposed: Any
    weights: Any


class QuadraticArrays(NamedTuple):
    """A SOAP term with ζ = 2: Σ_s w_s (p·p_s)² = pᵀ A p with A = Σ_s w_s p_s p_sᵀ, eV.

    The same sum in another order, and less work if there are more sparse points than half the
    components of p.
    """

    matrix: Any


class PairArrays(NamedTuple):
    """Sparse points of one pair term, Å, and their weights, eV."""

    points: Any
    weights: Any


class ModelArrays(NamedTuple):
    """The numbers of a model, in the order of `Terms`."""

    soaps: tuple[tuple[SoapArrays | QuadraticArrays, ...], ...]
    pairs: tuple[PairArrays, ...]


def plan_terms(model: GapModel, *, descriptor_bits: int = 64) -> Terms:
    """Sort the terms of a model; refuse, by name, what the formulas do not cover.

    Raises
    ------
    UnsupportedModelError
        If a term cannot be evaluated here (see `settings.term_settings`).
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
    return Terms(
        tuple(SoapBlock(settings, tuple(terms)) for settings, terms in blocks.items()),
        tuple(pairs),
        descriptor_bits,
    )


def model_arrays(model: GapModel) -> ModelArrays:
    """Return the numbers of a model as 64-bit arrays, in the order of `plan_terms`.

    The weight of a sparse point is α_s c_s δ²; for pairs twice that, because gap_fit counts
    every pair from both ends and the lists here hold it once.
    """
    soaps: dict[SoapSettings, list[SoapArrays | QuadraticArrays]] = {}
    pairs = []
    for term in model.terms:
        settings = term_settings(term)
        weights = term.alpha * term.sparse_cutoff * term.delta**2
        if isinstance(settings, SoapSettings):
            points = term.sparse_points[:, component_order(settings)]
            soaps.setdefault(settings, []).append(_soap_arrays(term.zeta, points, weights))
        else:
            pairs.append(PairArrays(term.sparse_points[:, 0], 2 * weights))
    return ModelArrays(tuple(tuple(arrays) for arrays in soaps.values()), tuple(pairs))


def _soap_arrays(
    zeta: float | None, points: np.ndarray, weights: np.ndarray
) -> SoapArrays | QuadraticArrays:
    n_sparse, n_components = points.shape
    if zeta == 2 and 2 * n_sparse > n_components:
        return QuadraticArrays((points.T * weights) @ points)
    return SoapArrays(points, np.ascontiguousarray(points.T), weights)
