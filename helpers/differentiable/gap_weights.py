"""A GAP whose weights are parameters: simulations can be differentiated with respect to them.

The energy of a GAP is linear in the weights of its sparse points, so that its gradient costs one
more contraction. Only the weights of the SOAP terms are parameters; those of pairs stay as they
were fitted, because they cancel each other to ten digits and are used as a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers.errors import PredictionError
from helpers.gap.jax.calculator import JaxCalculator
from helpers.gap.jax.layout import ModelParameters, QuadraticParameters
from helpers.gap.jax.soap import component_order
from helpers.gap.jax.terms import SoapSettings, term_settings


class GapWeights:
    """A force field for `simulate`, of which the weights of the SOAP terms are parameters.

    Parameters
    ----------
    potential : JaxCalculator
        What ``load_potential(path, engine="jax")`` returns.
    numbers : array of int, shape (n_atoms,)
        Atomic numbers.
    skin_A : float
        How much further than the cutoff neighbor lists reach: they stay as they are during a
        simulation, in which no atom may move by half of this.

    Attributes
    ----------
    weights : list of arrays of shape (n_sparse,), eV
        Of each SOAP term, in the order of the model.
    terms : list of GapTerm
        The SOAP terms themselves, as the potential has them.
    order : int array
        The order in which simulations take the atoms: sorted by element.
    field : ForceField
        Its parameters are what `expand` returns.
    """

    def __init__(self, potential: JaxCalculator, numbers: Any, *, skin_A: float = 1.0) -> None:
        self.model, self.skin_A = potential.model, skin_A
        self._replicas = potential.replicas(np.asarray(numbers), 1, skin_A)
        self.order = self._replicas.order
        self._is_soap = [isinstance(term_settings(term), SoapSettings) for term in self.model.terms]
        self.terms = [
            term for term, is_soap in zip(self.model.terms, self._is_soap, strict=True) if is_soap
        ]
        self._fixed = potential.device_parameters()
        self.weights = [
            jnp.asarray(term.alpha * term.sparse_cutoff * term.delta**2) for term in self.terms
        ]

    @property
    def field(self) -> Any:
        """Return the force field, with room for the lists made so far."""
        return self._replicas.stack()[0]

    def neighbors(self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> Any:
        """Return the neighbor lists of one system; positions in the order of `order`."""
        self._replicas.build(0, np.asarray(positions), np.asarray(cell), np.asarray(pbc))
        return jax.tree.map(lambda rows: jnp.asarray(rows[0]), self._replicas.stack()[1])

    def expand(self, weights: Sequence[Any]) -> ModelParameters:
        """Return the numbers of the model with these weights: call it once for each simulation."""
        by_settings: dict[Any, list[Any]] = {}
        for term, of_term in zip(self.terms, weights, strict=True):
            settings = term_settings(term)
            assert isinstance(settings, SoapSettings)
            rows = by_settings.setdefault(settings, [])
            fixed = self._fixed.soaps[list(by_settings).index(settings)][len(rows)]
            if isinstance(fixed, QuadraticParameters):
                points = term.sparse_points[:, component_order(settings)]
                rows.append(QuadraticParameters((points.T * of_term) @ points))
            else:
                rows.append(fixed._replace(weights=of_term))
        return ModelParameters(tuple(map(tuple, by_settings.values())), self._fixed.pairs)

    def check_moved(self, start: Any, positions: Any) -> None:
        """Raise `PredictionError` if an atom has moved by half the skin, or nowhere (NaN).

        Parameters
        ----------
        start : array of shape (n_atoms, 3), Å
            Where the lists were made.
        positions : array of shape (..., n_atoms, 3), Å
        """
        moved = float(np.sqrt(((np.asarray(positions) - np.asarray(start)) ** 2).sum(-1)).max())
        if not moved < self.skin_A / 2:
            raise PredictionError(
                "The neighbor lists do not reach far enough",
                expected=f"atoms that move by less than {self.skin_A / 2:g} Å",
                found=f"{moved:.3g} Å",
                fix="simulate fewer steps before new lists are made, or take a larger skin_A",
            )

    def calculator(self, weights: Sequence[Any]) -> JaxCalculator:
        """Return the potential with other weights, for `run_replicas` or `evaluate`."""
        changed = iter(
            replace(term, alpha=np.asarray(of_term) / (term.sparse_cutoff * term.delta**2))
            for term, of_term in zip(self.terms, weights, strict=True)
        )
        terms = tuple(
            next(changed) if is_soap else term
            for term, is_soap in zip(self.model.terms, self._is_soap, strict=True)
        )
        return JaxCalculator(replace(self.model, terms=terms))
