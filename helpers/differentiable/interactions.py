"""Interactions as force fields for `simulate`: what they share, their sums, their parameters.

An interaction is an energy as a pure function of parameters, positions, cell and neighbor lists;
its forces are the negative gradient. What decides about formulas and sizes (atoms of a bond, a
cutoff) belongs to the interaction; numbers that may be fitted are in its parameters, a dict of
arrays. The interactions of a `Sum` have names, and so has each of its parameters, such as
``"bonds.length_A"``: `choose` picks the ones to be differentiated.

Units: Å, eV, elementary charges, radians. Work inside ``with double_precision():``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from helpers import checks
from helpers.errors import ConfigError, nearest
from helpers.md.simulation import ForceField


class Interaction:
    """Base class: an energy, and the forces that follow from it.

    Attributes
    ----------
    parameter_names : tuple of str
        The keys of its parameters.
    """

    parameter_names: ClassVar[tuple[str, ...]]

    def energy(self, parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        """Return the energy in eV; arguments as in `simulate.ForceField`."""
        raise NotImplementedError

    def __call__(
        self, parameters: Any, positions: Any, cell: Any, neighbors: Any
    ) -> tuple[Any, Any]:
        """Return the energy in eV and the forces (n_atoms, 3) in eV/Å."""
        energy, gradient = jax.value_and_grad(self.energy, argnums=1)(
            parameters, positions, cell, neighbors
        )
        return energy, -gradient

    def take(self, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the parameters in the order of `parameter_names`.

        Raises
        ------
        ConfigError
            If one is missing, or unknown.
        """
        for name in parameters:
            if name not in self.parameter_names:
                raise ConfigError(
                    f"{type(self).__name__} has no parameter {name!r}",
                    fix=nearest(str(name), self.parameter_names),
                )
        missing = [name for name in self.parameter_names if name not in parameters]
        if missing:
            raise ConfigError(
                f"{type(self).__name__} lacks {', '.join(missing)}",
                expected=", ".join(self.parameter_names),
                found=", ".join(parameters) or "nothing",
            )
        return tuple(parameters[name] for name in self.parameter_names)


@dataclass(frozen=True, eq=False)
class Sum:
    """A force field whose energy and forces are sums over others.

    Parameters
    ----------
    terms : mapping of str to ForceField
        By name. Interactions of this room, a `LennardJones`, a GAP, a function: whatever follows
        the protocol.

    Notes
    -----
    Its parameters are a dict with the parameters of each term under its name. Neighbor lists: a
    dict with those of each term under its name (None where one is missing), or one list for all.
    """

    terms: Mapping[str, ForceField]

    def __post_init__(self) -> None:
        for name in self.terms:
            if "." in name:
                checks.refuse("name", name, "a name without a dot")

    def __call__(
        self, parameters: Mapping[str, Any], positions: Any, cell: Any, neighbors: Any
    ) -> tuple[Any, Any]:
        """Return the energy in eV and the forces (n_atoms, 3) in eV/Å."""
        for name in parameters:
            if name not in self.terms:
                raise ConfigError(f"There is no term {name!r}", fix=nearest(str(name), self.terms))
        energies, forces = [], []
        for name, term in self.terms.items():
            if name not in parameters:
                raise ConfigError(
                    f"Term {name!r} has no parameters", expected="() if it needs none"
                )
            lists = neighbors.get(name) if isinstance(neighbors, dict) else neighbors
            energy, force = term(parameters[name], positions, cell, lists)
            energies.append(energy)
            forces.append(force)
        return sum(energies), sum(forces)


@dataclass(frozen=True, eq=False)
class Reparametrized:
    """A force field whose parameters are computed from fewer.

    Parameters
    ----------
    field : ForceField
    expand : function of parameters → parameters of `field`
        For example charges of water from that of oxygen, which keeps molecules neutral.
    """

    field: ForceField
    expand: Callable[[Any], Any]

    def __call__(
        self, parameters: Any, positions: Any, cell: Any, neighbors: Any
    ) -> tuple[Any, Any]:
        """Return the energy in eV and the forces (n_atoms, 3) in eV/Å."""
        return self.field(self.expand(parameters), positions, cell, neighbors)


def from_network(network: Any, energy: Callable[..., Any]) -> tuple[ForceField, Any]:
    """Return a force field and its parameters, the arrays of an equinox module.

    Parameters
    ----------
    network : equinox.Module
    energy : function (network, positions, cell, neighbors) → energy, eV
        It calls the network as it likes.

    Returns
    -------
    ForceField
    pytree of arrays
        Its parameters: the network with nothing but floating-point arrays in it.
    """
    import equinox

    arrays, rest = equinox.partition(network, equinox.is_inexact_array)

    def of_arrays(parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        return energy(equinox.combine(parameters, rest), positions, cell, neighbors)

    gradient = jax.value_and_grad(of_arrays, argnums=1)

    def field(parameters: Any, positions: Any, cell: Any, neighbors: Any) -> tuple[Any, Any]:
        value, slope = gradient(parameters, positions, cell, neighbors)
        return value, -slope

    return field, arrays


# ---------------------------------------------------------------------------------------------
# Parameters by name


def parameter_names(parameters: Any) -> list[str]:
    """Return the names of all arrays of a pytree, such as ``"bonds.length_A"``."""
    return [_name(path) for path, _ in jax.tree_util.tree_flatten_with_path(parameters)[0]]


def choose(
    parameters: Any, names: Sequence[str]
) -> tuple[dict[str, Any], Callable[[Mapping[str, Any]], Any]]:
    """Pick parameters by name; the others stay as they are.

    Parameters
    ----------
    parameters : pytree of arrays
    names : sequence of str
        Of `parameter_names`, or of a whole branch, such as ``"bonds"``.

    Returns
    -------
    dict of str to array
        The picked ones.
    function of such a dict → pytree
        Puts them back: returns `parameters` with these values.

    Raises
    ------
    ConfigError
        If there is no such parameter.

    Examples
    --------
    ::

        picked, put_back = choose(parameters, ["argon.sigma_A"])
        gradient = jax.grad(lambda picked: loss(put_back(picked)))(picked)
    """
    paths, tree = jax.tree_util.tree_flatten_with_path(parameters)
    values = {_name(path): jnp.asarray(value) for path, value in paths}
    known = [_name(path) for path, _ in paths]
    picked: dict[str, Any] = {}
    for name in names:
        below = [one for one in known if one == name or one.startswith(f"{name}.")]
        if not below:
            raise ConfigError(f"There is no parameter {name!r}", fix=nearest(str(name), known))
        picked |= {one: values[one] for one in below}

    def put_back(changed: Mapping[str, Any]) -> Any:
        merged = {**values, **changed}
        return jax.tree_util.tree_unflatten(tree, [merged[one] for one in known])

    return picked, put_back


def _name(path: Any) -> str:
    return ".".join(
        str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path
    )


# ---------------------------------------------------------------------------------------------
# What several interactions need


def atom_indices(name: str, indices: Any, n_columns: int) -> np.ndarray:
    """Return indices of atoms as an int array (n, n_columns); raise `ConfigError` if they are not.

    Parameters
    ----------
    name : str
        What they are, for the message.
    indices : array-like of int
    n_columns : int
        Atoms of each.
    """
    rows = np.asarray(indices)
    if rows.size == 0:
        return np.zeros((0, n_columns), int)
    if rows.ndim != 2 or rows.shape[1] != n_columns or not np.issubdtype(rows.dtype, np.integer):
        checks.refuse(name, indices, f"rows of {n_columns} whole numbers")
    if rows.min() < 0 or any(len(set(row)) < n_columns for row in rows.tolist()):
        checks.refuse(name, indices, "different atoms, counted from 0, in each row")
    return rows


def pair_scaling(n_atoms: int, bonds: Any, *, one_four: float = 1.0) -> np.ndarray:
    """Return by what pair interactions are multiplied: 0 for atoms one or two bonds apart.

    Parameters
    ----------
    n_atoms : int
    bonds : array-like of int, shape (n_bonds, 2)
    one_four : float
        For atoms that are three bonds apart.

    Returns
    -------
    ndarray of shape (n_atoms, n_atoms)
    """
    bonds = atom_indices("bonds", bonds, 2)
    if bonds.size and bonds.max() >= n_atoms:
        checks.refuse("bonds", bonds.max(), f"atoms below {n_atoms}")
    linked = np.zeros((n_atoms, n_atoms), int)
    linked[bonds[:, 0], bonds[:, 1]] = linked[bonds[:, 1], bonds[:, 0]] = 1
    two, three = linked @ linked, linked @ linked @ linked
    scaling = np.where(three > 0, one_four, 1.0)
    scaling[(linked > 0) | (two > 0)] = 0.0
    return scaling
