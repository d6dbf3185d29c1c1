"""Hyperparameters of the terms of a `GapModel`, and which terms JAX can evaluate.

No JAX here: `load_potential` asks `unsupported_reason` before it imports anything heavy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import ModelFileError, UnsupportedModelError
from helpers.gap.descriptors import KINDS, NUMBERS, check_option
from helpers.gap.model import GapModel, GapTerm

_FIX = "use engine='quippy'"


@dataclass(frozen=True)
class SoapSettings:
    """Hyperparameters of one SOAP descriptor (lengths in Å).

    Attributes
    ----------
    n_max, l_max : int
        Number of radial functions, highest angular momentum.
    cutoff_A, transition_A : float
        Radius of the environment, and width of the shell in which neighbors fade out.
    sigma_A : float
        Width of the Gaussian that stands for each neighbor.
    central_weight : float
        Weight of the central atom in its own density.
    basis_error_exponent : float
        How far beyond the cutoff the radial grid reaches.
    species : tuple of int
        Atomic numbers of the neighbors that are told apart, in the order of the components.
    """

    n_max: int
    l_max: int
    cutoff_A: float
    transition_A: float
    sigma_A: float
    central_weight: float
    basis_error_exponent: float
    species: tuple[int, ...]

    @property
    def n_channels(self) -> int:
        """Number of (species, radial function) channels."""
        return len(self.species) * self.n_max

    @property
    def n_components(self) -> int:
        """Length of the power spectrum, without the last component, which is always 0."""
        return self.n_channels * (self.n_channels + 1) // 2 * (self.l_max + 1)


@dataclass(frozen=True)
class PairSettings:
    """Hyperparameters of one pair term (lengths in Å); `species` in ascending order."""

    species: tuple[int, int]
    cutoff_A: float
    transition_A: float
    theta_A: float

    def cutoff_factor(self, distance_A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the half cosine that ends the term at the cutoff, and its derivative, 1/Å."""
        width = max(self.transition_A, 1e-12)  # 0: a step
        phase = np.pi * np.clip((distance_A - self.cutoff_A) / width + 1, 0, 1)
        return 0.5 * (1 + np.cos(phase)), -0.5 * np.pi / width * np.sin(phase)


def unsupported_reason(model: GapModel | None) -> str:
    """Return why JAX cannot evaluate `model`, or an empty text if it can."""
    if model is None:
        return "it holds parts that the kit does not know"
    try:
        for term in model.terms:
            term_settings(term)
    except ModelFileError as error:
        return error.problem
    return ""


def term_settings(term: GapTerm) -> SoapSettings | PairSettings:
    """Return the checked hyperparameters of a term.

    Raises
    ------
    UnsupportedModelError
        If the term is of another kind or has an option that the formulas do not cover, by name.
    ModelFileError
        If the sparse points do not have as many components as the settings say.
    """
    if term.kind not in KINDS:
        raise UnsupportedModelError(
            f"JAX does not know the descriptor {term.kind!r}",
            expected=" or ".join(KINDS),
            fix=_FIX,
        )
    for name, value in term.options.items():
        check_option(term.kind, name, value)
    return _soap(term) if term.kind == "soap" else _pair(term)


def _soap(term: GapTerm) -> SoapSettings:
    species = tuple(int(word) for word in term.options.get("species_Z", "").strip("{}").split())
    center = int(term.number("Z"))
    if not species or 0 in species or center == 0 or len(set(species)) != len(species):
        raise UnsupportedModelError(
            "JAX does not know soap without a list of species (species_Z) and a center (Z)",
            fix=_FIX,
        )
    if len(species) == 1 and center != species[0]:
        raise UnsupportedModelError(
            f"JAX does not know soap around element {center} with neighbors of {species[0]} only",
            expected="a center that is among the species (QUIP adds it to their density)",
            fix=_FIX,
        )
    settings = SoapSettings(
        n_max=int(term.number("n_max")),
        l_max=int(term.number("l_max")),
        cutoff_A=term.number("cutoff"),
        transition_A=_number(term, "cutoff_transition_width"),
        sigma_A=term.number("atom_sigma"),
        central_weight=_number(term, "central_weight"),
        basis_error_exponent=_number(term, "basis_error_exponent"),
        species=species,
    )
    _positive(term, settings.n_max, settings.cutoff_A, settings.sigma_A)
    if term.sparse_points.shape[1] != settings.n_components + 1:
        raise ModelFileError(
            f"The sparse points of soap have {term.sparse_points.shape[1]} components",
            expected=f"{settings.n_components + 1}, from n_max, l_max and species_Z",
            fix="train the model again",
        )
    return settings


def _pair(term: GapTerm) -> PairSettings:
    species = sorted((int(term.number("Z1")), int(term.number("Z2"))))
    if 0 in species or term.sparse_points.shape[1] != 1:
        raise UnsupportedModelError(
            "JAX does not know distance_2b without two elements (Z1, Z2) and one distance",
            fix=_FIX,
        )
    settings = PairSettings(
        species=(species[0], species[1]),
        cutoff_A=term.number("cutoff"),
        transition_A=_number(term, "cutoff_transition_width"),
        theta_A=float(term.theta or 0.0),
    )
    _positive(term, settings.cutoff_A, settings.theta_A)
    return settings


def _number(term: GapTerm, name: str) -> float:
    return term.number(name, default=float(NUMBERS[term.kind][name] or "nan"))


def _positive(term: GapTerm, *values: float) -> None:
    if min(values) <= 0:
        raise ModelFileError(
            f"The {term.kind} term has a length or a number of functions that is 0",
            found=term.descriptor,
            fix="train the model again",
        )
