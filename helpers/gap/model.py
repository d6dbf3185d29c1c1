"""`GapModel`: the numbers of a Gaussian approximation potential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from ase.data import chemical_symbols

from helpers.errors import ModelFileError


@dataclass(frozen=True)
class GapTerm:
    """One ``gpCoordinates`` element: a descriptor, its kernel and its sparse points.

    Attributes
    ----------
    kind : str
        ``"soap"`` or ``"distance_2b"``.
    options : dict of str
        The descriptor's keys and values, as texts.
    descriptor : str
        The descriptor as it stands in the file.
    delta : float
        Energy scale of the kernel, eV (the attribute ``signal_variance`` holds it unsquared).
    zeta : float or None
        Power of the SOAP kernel.
    theta : float or None
        Length scale of the pair kernel, Å.
    alpha : ndarray of shape (n_sparse,)
        Weights of the sparse points.
    sparse_cutoff : ndarray of shape (n_sparse,)
        Cutoff factor of each sparse point.
    sparse_points : ndarray of shape (n_sparse, n_dimensions)
        Descriptors of the sparse points; distances in Å for pairs.
    """

    kind: str
    options: Mapping[str, str]
    descriptor: str
    delta: float
    zeta: float | None
    theta: float | None
    alpha: np.ndarray = field(repr=False)
    sparse_cutoff: np.ndarray = field(repr=False)
    sparse_points: np.ndarray = field(repr=False)

    def number(self, *names: str, default: float | None = None) -> float:
        """Return the option called by the first of `names` that is there, as a number."""
        for name in names:
            if name in self.options:
                return float(self.options[name])
        if default is None:
            raise ModelFileError(
                f"The {self.kind} term has no {names[0]}", fix="train the model again"
            )
        return default

    @property
    def atomic_numbers(self) -> tuple[int, ...]:
        """Elements that the term knows."""
        words = [
            self.options[k].strip("{}") for k in ("species_Z", "Z", "Z1", "Z2") if k in self.options
        ]
        return tuple(sorted({int(word) for text in words for word in text.split()}))


@dataclass(frozen=True)
class GapModel:
    """A Gaussian approximation potential: terms with sparse points and weights.

    Attributes
    ----------
    label : str
        The label that gap_fit gave it.
    e0 : dict
        Energy of one isolated atom by atomic number, eV (zeros left out).
    terms : tuple of GapTerm
        The terms whose energies add up.
    command_line : str
        What gap_fit was called with.
    """

    label: str
    e0: Mapping[int, float]
    terms: tuple[GapTerm, ...]
    command_line: str = ""

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the elements that the model was trained on."""
        numbers = {z for term in self.terms for z in term.atomic_numbers}
        return tuple(chemical_symbols[z] for z in sorted(numbers))

    @property
    def n_sparse(self) -> int:
        """Number of sparse points, all terms together."""
        return sum(len(term.alpha) for term in self.terms)

    @property
    def weights(self) -> np.ndarray:
        """Weights of all sparse points, in the order of the terms, shape (n_sparse,)."""
        return np.concatenate([term.alpha for term in self.terms])

    def split(self, weights: np.ndarray) -> list[np.ndarray]:
        """Return the rows (n_sparse, …) that belong to each term."""
        return np.split(weights, np.cumsum([len(term.alpha) for term in self.terms])[:-1])

    def isolated_energies(self, numbers: np.ndarray) -> np.ndarray:
        """Return the energy of each atom if it were alone, by atomic numbers, eV."""
        return np.array([self.e0.get(int(z), 0.0) for z in numbers])

    @property
    def cutoff_A(self) -> float:
        """Longest interaction range, Å."""
        return max(term.number("cutoff") for term in self.terms)
