"""Pairs of atoms in compiled loops: their vectors, lists of those that are near, and truncation.

Every pair interaction needs these three. Nearest periodic images only: cutoff and skin together
must be less than half of the smallest distance between opposite faces of the cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.errors import ConfigError

TRUNCATIONS = ("truncated", "shifted", "shifted_force", "switched")
SWITCH_FROM = 0.8  # of the cutoff


class PairList(NamedTuple):
    """Pairs of atoms, each once, in arrays with room for `capacity` pairs.

    Attributes
    ----------
    first, second : int array of shape (capacity,)
        The atoms. Where there is no pair, both are 0.
    shift : array of shape (3, capacity)
        Cell vectors to add to the second atom's position.
    n_pairs : int
        How many there are. If more than `capacity`, some are missing: the energy is NaN.
    reference : array of shape (n_atoms, 3), Å
        Positions for which the list was built.
    """

    first: Any
    second: Any
    shift: Any
    n_pairs: Any
    reference: Any


class Pairs(NamedTuple):
    """The pairs whose energies are summed: those of a list, or all, as a matrix.

    Attributes
    ----------
    squares : array of shape (capacity,) or (n_atoms, n_atoms), Å²
        Squared distances.
    present : bool array of the same shape
        Where there is a pair: each stands once.
    first, second : int arrays of shape (capacity,), or None
        The atoms; None for the matrix of all pairs.
    complete : bool
        False if the list had no room for all pairs.
    """

    squares: Any
    present: Any
    first: Any
    second: Any
    complete: Any

    def of_atoms(self, values: Any) -> tuple[Any, Any]:
        """Return the values of the first and the second atoms; `values` (n_atoms,) or a scalar."""
        if jnp.ndim(values) == 0:
            return values, values
        if self.first is None:
            return values[:, None], values[None, :]
        return values[self.first], values[self.second]

    def of_pairs(self, matrix: Any) -> Any:
        """Return the elements of a symmetric (n_atoms, n_atoms) matrix."""
        return matrix if self.first is None else matrix[self.first, self.second]

    def sum(self, energies: Any) -> Any:
        """Return the sum over all pairs; NaN if the list lacks some."""
        return jnp.where(self.complete, jnp.where(self.present, energies, 0.0).sum(), jnp.nan)


@dataclass(frozen=True)
class PairSearch:
    """Lists of all pairs within cutoff and skin.

    Parameters
    ----------
    cutoff_A : float
        Pairs further apart do not interact.
    skin_A : float
        How much further the lists reach.
    """

    cutoff_A: float
    skin_A: float

    def check_cell(self, cell: Any) -> None:
        """Raise `ConfigError` if more than one image of an atom is within reach."""
        limit = 0.5 * float(_heights(np.asarray(cell)).min())
        if self.cutoff_A + self.skin_A > limit:
            raise ConfigError(
                "The cell is too small for nearest images",
                expected=f"a cutoff with skin of at most {limit:.2f} Å",
                found=f"{self.cutoff_A + self.skin_A:.2f} Å",
                fix="shorten the cutoff, or repeat the cell",
            )

    def build(self, positions: Any, cell: Any, capacity: int | None = None) -> PairList:
        """Return all pairs within cutoff and skin; by default with 20 % more room than needed."""
        vectors, shift = nearest_vectors(positions, cell)
        reach = self.cutoff_A + self.skin_A
        near = ((vectors**2).sum(0) < reach**2) & _each_once(positions)
        if capacity is None:
            capacity = max(1, math.ceil(1.2 * int(near.sum())))
        first, second = jnp.nonzero(near, size=capacity, fill_value=0)
        return PairList(first, second, shift[:, first, second], near.sum(), positions)

    def update(self, neighbors: PairList, positions: Any, cell: Any) -> PairList:
        """Return a new list if an atom moved by half the skin, otherwise the old one.

        For ``simulate(..., update_neighbors=search.update)``. A list that lacked room stays, so
        that the end of a simulation tells of it: see `run_with_room`.
        """
        moved = ((positions - neighbors.reference) ** 2).sum(-1).max()
        complete = neighbors.n_pairs <= len(neighbors.first)
        return jax.lax.cond(
            complete & (moved >= (self.skin_A / 2) ** 2),
            lambda: self.build(positions, cell, len(neighbors.first)),
            lambda: neighbors,
        )


def run_with_room(
    run: Callable[[PairList], tuple[Any, PairList]],
    build: Callable[[int | None], PairList],
    capacity: int | None = None,
) -> Any:
    """Run a simulation, again and with longer lists if they had no room for all pairs.

    Parameters
    ----------
    run : function of PairList → (result, PairList at the end)
        A compiled simulation, or its gradient.
    build : function of the capacity → PairList
        Of the start; None: its own choice.
    capacity : int, optional
        Pairs to begin with.

    Returns
    -------
    result
        Of the first run whose lists were complete all the way.
    """
    lists = build(capacity)
    while True:
        result, end = run(lists)
        room = lists.first.shape[-1]
        needed = max(int(jnp.max(lists.n_pairs)), int(jnp.max(end.n_pairs)))
        if needed <= room:
            return result
        lists = build(math.ceil(1.2 * needed))


def pairs_of(positions: Any, cell: Any, neighbors: PairList | None) -> Pairs:
    """Return the pairs of a list, or without a list all pairs, with their squared distances."""
    if neighbors is None:
        vectors, _ = nearest_vectors(positions, cell)
        return Pairs((vectors**2).sum(0), _each_once(positions), None, None, True)
    first, second, shift, n_pairs, _ = neighbors
    vectors = (positions[second] - positions[first]).T
    if cell is not None:
        vectors = vectors + combine(shift, cell)
    present = jnp.arange(len(first)) < n_pairs
    return Pairs((vectors**2).sum(0), present, first, second, n_pairs <= len(first))


def truncate(
    energy: Callable[[Any], Any],
    pairs: Pairs,
    cutoff_A: float | None,
    truncation: str = "truncated",
    switch_from_A: float | None = None,
) -> Any:
    """Return the sum of pair energies up to a cutoff.

    Parameters
    ----------
    energy : function of squared distances (Å²) → energies (eV)
    pairs : Pairs
    cutoff_A : float or None
        None: no cutoff.
    truncation : str
        One of `TRUNCATIONS`. With V(r) the energy and F(r) = −dV/dr, at the cutoff R:
        ``"truncated"`` is V(r), which jumps to zero; ``"shifted"`` V(r) − V(R), of which the force
        jumps; ``"shifted_force"`` V(r) − V(R) + (r − R) F(R), of which the force is continuous;
        ``"switched"`` V(r) S(t), S = 1 − 10 t³ + 15 t⁴ − 6 t⁵, of which the slope of the force is
        continuous, too.
    switch_from_A : float, optional
        Where the switch begins (t = 0; at the cutoff t = 1); 80 % of the cutoff by default.
    """
    if cutoff_A is None:
        return pairs.sum(energy(jnp.where(pairs.present, pairs.squares, 1.0)))
    inside = pairs.present & (pairs.squares < cutoff_A**2)
    squares = jnp.where(inside, pairs.squares, cutoff_A**2)  # no 0/0 in the gradient
    energies = energy(squares)
    if truncation in ("shifted", "shifted_force"):
        edge = jnp.full_like(squares, cutoff_A)
        at_edge, slope = jax.jvp(lambda r: energy(r**2), (edge,), (jnp.ones_like(edge),))
        energies = energies - at_edge
        if truncation == "shifted_force":
            energies = energies - (jnp.sqrt(squares) - cutoff_A) * slope
    elif truncation == "switched":
        onset = SWITCH_FROM * cutoff_A if switch_from_A is None else switch_from_A
        t = jnp.clip((jnp.sqrt(squares) - onset) / (cutoff_A - onset), 0.0, 1.0)
        energies = energies * (1 - t**3 * (10 - 15 * t + 6 * t**2))
    return pairs._replace(present=inside).sum(energies)


def check_truncation(truncation: str, cutoff_A: float, skin_A: float) -> None:
    """Raise `ConfigError` if a truncation is unknown or a length is not positive."""
    checks.one_of("truncation", truncation, TRUNCATIONS)
    checks.number("cutoff_A", cutoff_A)
    checks.number("skin_A", skin_A)


def nearest_vectors(positions: Any, cell: Any) -> tuple[Any, Any]:
    """Return the vectors between all atoms, (3, n_atoms, n_atoms), and their shifts."""
    vectors = positions.T[:, None, :] - positions.T[:, :, None]
    if cell is None:
        return vectors, jnp.zeros_like(vectors)
    return to_nearest_image(vectors, cell)


def to_nearest_image(vectors: Any, cell: Any) -> tuple[Any, Any]:
    """Return vectors (3, ...) to the nearest periodic images, and how many cell vectors that adds.

    Rounding finds the nearest image of all that are shorter than half the height of the cell.
    """
    normals = jnp.stack([jnp.cross(cell[(k + 1) % 3], cell[(k + 2) % 3]) for k in range(3)])
    reciprocal = normals / jnp.dot(cell[0], normals[0])
    shift = -jnp.round(combine(vectors, reciprocal.T))
    return vectors + combine(shift, cell), shift


def combine(factors: Any, rows: Any) -> Any:
    """Return Σₖ factorsₖ rowsₖ, shape (3, ...), for factors (3, ...) and three vectors.

    Written out: as a product of matrices it is miscomputed by some versions of JAX on processors
    (jax issue 39103).
    """
    return sum(jnp.multiply.outer(rows[k], factors[k]) for k in range(3))


def _each_once(positions: Any) -> Any:
    """Return a mask (n_atoms, n_atoms) with one place for each pair."""
    return np.triu(np.ones((len(positions), len(positions)), bool), 1)


def _heights(cell: np.ndarray) -> np.ndarray:
    """Return the distances between opposite faces, Å."""
    return 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
