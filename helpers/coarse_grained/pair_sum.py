"""Energies of many bodies as sums over pairs, with neighbor lists; and a spring between two.

A *pair energy* is a function (parameters, separation, q1, q2) → energy of one pair of bodies, where
``separation`` (3,) is the second center minus the first. What computes beads and what was learned
both have this form, so they run in the same dynamics.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.coarse_grained.rigid_dynamics import rigid_force_field
from helpers.jax_setup import double_precision
from helpers.md.lennard_jones import LennardJones
from helpers.md.pairs import PairList
from helpers.neighbors import find_pairs


class PairEnergy(Protocol):
    """Energy of a pair of bodies, zero from a distance of centers on; JAX can trace it."""

    @property
    def cutoff(self) -> float:
        """Distance of mass centers from which on the energy is zero; may be infinite."""

    def __call__(self, parameters: Any, separation: Any, q1: Any, q2: Any) -> Any:
        """Return the energy of one pair."""


@dataclass(frozen=True)
class Spring:
    """½ K (‖r‖ − r₀)² between the mass centers of two bodies: it holds a pair together.

    Attributes
    ----------
    stiffness, length : float
        K and r₀.
    """

    stiffness: float
    length: float

    cutoff = float("inf")

    def __post_init__(self) -> None:
        checks.number("stiffness", self.stiffness)
        checks.number("length", self.length, positive=False)

    def __call__(self, parameters: Any, separation: Any, q1: Any, q2: Any) -> Any:
        """Return the energy; `parameters` and orientations are not used."""
        distance = jnp.sqrt(jnp.maximum((separation**2).sum(), 1e-30))
        return 0.5 * self.stiffness * (distance - self.length) ** 2


def sum_over_pairs(*terms: PairEnergy) -> Callable[..., Any]:
    """Return a function (parameters, poses, cell, neighbors) → energy of all pairs.

    Parameters
    ----------
    *terms : PairEnergy
        Their energies are added; all get the same parameters. Without neighbor lists all pairs are
        computed; lists (see `body_lists`) must reach as far as every term.
    """

    def energy(parameters: Any, poses: Any, cell: Any, neighbors: Any) -> Any:
        separations, first, second, present, complete = _pairs(poses, cell, neighbors)
        squares = (separations**2).sum(-1)
        total = jnp.zeros((), poses.dtype)
        for term in terms:
            reach = min(float(term.cutoff), 1e6)
            inside = present & (squares < reach**2)
            aside = jnp.array([reach, 0.0, 0.0], poses.dtype)  # nothing is divided by zero there
            safe = jnp.where(inside[:, None], separations, aside)
            energies = jax.vmap(term, (None, 0, 0, 0))(
                parameters, safe, poses[first, 3:], poses[second, 3:]
            )
            total = total + jnp.where(inside, energies, 0.0).sum()
        return jnp.where(complete, total, jnp.nan)

    return energy


def pair_force_field(*terms: PairEnergy) -> Callable[..., tuple[Any, Any]]:
    """Return forces and torques of `sum_over_pairs` by automatic differentiation."""
    return rigid_force_field(sum_over_pairs(*terms))


def in_double(parameters: Any) -> Any:
    """Return parameters as arrays of 64 bits."""
    return jax.tree.map(lambda x: np.asarray(x, float), parameters)


def lists_with_images(poses: Any, cell: Any, cutoff: float) -> PairList:
    """Return neighbor lists of frames in which bodies see more than one image of each other.

    For frames that stay as they are; dynamics needs a cell that is large enough for `BodyLists`.

    Parameters
    ----------
    poses : array of shape (n_frames, n_bodies, 7)
    cell : array of shape (3, 3)
        Of all frames.
    cutoff : float

    Returns
    -------
    PairList
        With an axis for the frames in front of each array, for ``jax.vmap``.
    """
    poses = np.asarray(poses, float)
    frames = []
    for frame in poses:
        pairs = find_pairs(frame[:, :3], np.asarray(cell, float), np.ones(3, bool), cutoff)
        shift = pairs.shift
        leading = np.where(shift[:, 0] != 0, shift[:, 0], shift[:, 1])
        leading = np.where(leading != 0, leading, shift[:, 2])
        once = (pairs.first < pairs.second) | ((pairs.first == pairs.second) & (leading > 0))
        frames.append(pairs.select(once))
    capacity = max(len(pairs.first) for pairs in frames)

    def padded(values: np.ndarray) -> np.ndarray:
        room = [(0, capacity - len(values))] + [(0, 0)] * (values.ndim - 1)
        return np.pad(values, room)

    return PairList(
        np.stack([padded(pairs.first) for pairs in frames]),
        np.stack([padded(pairs.second) for pairs in frames]),
        np.stack([padded(pairs.shift).T for pairs in frames]).astype(float),
        np.array([len(pairs.first) for pairs in frames]),
        poses[..., :3],
    )


def energies_and_forces(
    pair: PairEnergy, parameters: Any, poses: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return energies, (n,), and forces (in space) with torques (in the body's frame), (n, 2, 6).

    Of single pairs, poses (n, 2, 7), in 64 bits. Of a `BeadSum`, ``parameters=()``.
    """
    with double_precision():
        field = jax.jit(jax.vmap(pair_force_field(pair), (None, 0, None, None)))
        energies, forces = field(in_double(parameters), jnp.asarray(poses), None, None)
        return np.asarray(energies), np.asarray(forces)


@dataclass(frozen=True)
class BodyLists:
    """Neighbor lists of bodies, which `update` renews when a center moved by half the skin.

    Attributes
    ----------
    cutoff, skin : float
    """

    cutoff: float
    skin: float = 0.6

    def _finder(self) -> LennardJones:
        return LennardJones(cutoff_A=self.cutoff, skin_A=self.skin)  # its pair search only

    def build(self, poses: Any, cell: Any, capacity: int | None = None) -> PairList:
        """Return the pairs whose centers are nearer than cutoff and skin.

        Raises
        ------
        ConfigError
            If the cell is too small for nearest images.
        """
        with double_precision():
            if cell is not None:
                self._finder().check_cell(cell)
                cell = jnp.asarray(cell)
            centers = jnp.asarray(poses)[:, :3]
            pairs = self._finder().neighbors(centers, cell, capacity)
            if capacity is None:  # bodies crowd together as a run goes on
                pairs = self._finder().neighbors(centers, cell, int(1.5 * int(pairs.n_pairs)) + 20)
        return pairs

    def update(self, neighbors: PairList, poses: Any, cell: Any) -> PairList:
        """Return a new list if one is needed; for ``run_bodies(..., update_neighbors=…)``."""
        return self._finder().update(neighbors, poses[:, :3], cell)


def _pairs(poses: Any, cell: Any, neighbors: Any) -> tuple[Any, ...]:
    """Return separations (n_pairs, 3), both indices, which pairs count, and if none is missing."""
    centers = poses[:, :3]
    if neighbors is None:
        first, second = np.triu_indices(len(poses), 1)
        separations = centers[second] - centers[first]
        if cell is not None:
            shift = -jnp.round(separations @ jnp.linalg.inv(cell))
            separations = separations + _combine(shift, cell)
        return separations, first, second, np.ones(len(first), bool), True
    first, second = neighbors.first, neighbors.second
    separations = centers[second] - centers[first]
    if cell is not None:
        separations = separations + _combine(neighbors.shift.T, cell)
    present = jnp.arange(len(first)) < neighbors.n_pairs
    return separations, first, second, present, neighbors.n_pairs <= len(first)


def _combine(factors: Any, cell: Any) -> Any:
    """Return Σₖ factorsₖ cellₖ for factors (n, 3)."""
    return sum(factors[:, k, None] * cell[k] for k in range(3))
