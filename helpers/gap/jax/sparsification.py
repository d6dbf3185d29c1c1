"""The terms of a new model, their sparse points chosen in two passes over the training frames.

The terms are those that gap_fit makes of the same settings: one for each pair of elements, one for
each element at the center of a SOAP environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from helpers.files import digest
from helpers.frames import label
from helpers.gap.config import GapConfig, Soap, TwoBody
from helpers.gap.jax.frame_rows import Described, describe
from helpers.gap.jax.sparse_points import LeveragePoints, RandomPoints, UniformPoints
from helpers.gap.jax.terms import PairSettings, SoapSettings, term_settings
from helpers.gap.model import GapModel, GapTerm
from helpers.jax_setup import enable_compilation_cache, one_thread
from helpers.neighbors import PairList, find_pairs

SELECTIONS = {"cur_points": LeveragePoints, "random": RandomPoints, "uniform": UniformPoints}


@one_thread
def new_terms(
    config: GapConfig, frames: Sequence[Atoms], *, on_frame: Callable[[], Any] = lambda: None
) -> GapModel:
    """Return a model without weights: its terms, with sparse points chosen from frames.

    Parameters
    ----------
    config : GapConfig
    frames : sequence of ase.Atoms
    on_frame : function
        Called when a frame is done, twice for each.
    """
    enable_compilation_cache()
    choices = _choices(config, frames)
    reach_A = max(choice.cutoff_A for choice in choices)
    soaps = dict.fromkeys(c.settings for c in choices if isinstance(c, _SoapChoice))
    for turn in ("look", "take"):
        for atoms in frames:
            pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, reach_A)
            described = {soap: describe(soap, atoms, pairs, gradients=False) for soap in soaps}
            for choice in choices:
                getattr(choice.selection, turn)(choice.candidates(atoms, pairs, described))
            on_frame()
    terms = (choice.term() for choice in choices)
    return GapModel(
        label=f"GAP_{digest(config.to_cfg(), *(digest(a.positions) for a in frames))[:16]}",
        e0=isolated_atoms(config, frames),
        terms=tuple(term for term in terms if len(term.alpha)),
        command_line=" ".join(config.to_cfg().split()),
    )


def isolated_atoms(config: GapConfig, frames: Sequence[Atoms]) -> dict[int, float]:
    """Return the energy of one isolated atom of each element, eV, by atomic number."""
    if isinstance(config.e0, Mapping):
        return {atomic_numbers[symbol]: energy for symbol, energy in config.e0.items()}
    if config.e0 is not None:
        return dict.fromkeys(elements_of(frames), float(config.e0))
    name = config.energy_parameter_name
    if config.e0_method == "isolated":
        return {int(a.numbers[0]): float(label(a, name)) for a in frames if len(a) == 1}
    mean = float(np.mean([float(label(atoms, name)) / len(atoms) for atoms in frames]))
    return dict.fromkeys(elements_of(frames), mean)


def elements_of(frames: Sequence[Atoms]) -> list[int]:
    """Return atomic numbers in the order in which they appear, as gap_fit lists them."""
    return list(dict.fromkeys(int(z) for atoms in frames for z in dict.fromkeys(atoms.numbers)))


def soap_settings(soap: Soap, elements: Sequence[int]) -> SoapSettings:
    """Return the descriptor of a SOAP term between atoms of these elements."""
    return SoapSettings(
        n_max=soap.n_max,
        l_max=soap.l_max,
        cutoff_A=float(soap.cutoff),
        transition_A=float(soap.cutoff_transition_width),
        sigma_A=float(soap.atom_sigma),
        central_weight=1.0,
        basis_error_exponent=10.0,
        species=tuple(elements),
    )


@dataclass(frozen=True)
class _PairChoice:
    """The pair term of two elements to be."""

    pair: TwoBody
    elements: tuple[int, int]
    selection: UniformPoints

    @property
    def cutoff_A(self) -> float:
        return self.pair.cutoff

    def candidates(self, atoms: Atoms, pairs: PairList, _: Any) -> np.ndarray:
        low, high = sorted(self.elements)
        return pairs.between((low, high), atoms.numbers, self.pair.cutoff).distance[:, None]

    def term(self) -> GapTerm:
        one, other = self.elements
        points = self.selection.points()
        term = _term("distance_2b", self.pair, {"Z1": str(one), "Z2": str(other)}, points)
        settings = term_settings(term)
        assert isinstance(settings, PairSettings)
        cutoff, _ = settings.cutoff_factor(points[:, 0])
        return replace(term, sparse_cutoff=cutoff)


@dataclass(frozen=True)
class _SoapChoice:
    """The SOAP term of one element to be."""

    soap: Soap
    element: int
    settings: SoapSettings
    selection: LeveragePoints | RandomPoints

    @property
    def cutoff_A(self) -> float:
        return self.settings.cutoff_A

    def candidates(
        self, atoms: Atoms, _: Any, described: dict[SoapSettings, Described]
    ) -> np.ndarray:
        return described[self.settings].spectra[atoms.numbers == self.element]

    def term(self) -> GapTerm:
        points = self.selection.points()
        species = self.settings.species
        options = {
            "n_species": str(len(species)),
            "Z": str(self.element),
            "species_Z": "{" + " ".join(map(str, species)) + "}",
        }
        return _term("soap", self.soap, options, np.pad(points, ((0, 0), (0, 1))))


def _choices(config: GapConfig, frames: Sequence[Atoms]) -> list[_PairChoice | _SoapChoice]:
    rng = np.random.default_rng(config.rnd_seed)
    elements = elements_of(frames)
    choices: list[_PairChoice | _SoapChoice] = []
    for term in config.terms:
        new: Any = SELECTIONS[term.sparse_method]
        if isinstance(term, TwoBody):
            for k, one in enumerate(elements):
                for other in elements[k:]:
                    (own,) = rng.spawn(1)
                    choices.append(_PairChoice(term, (one, other), new(term.n_sparse, own)))
        else:
            settings = soap_settings(term, elements)
            for element in elements:
                (own,) = rng.spawn(1)
                choices.append(_SoapChoice(term, element, settings, new(term.n_sparse, own)))
    return choices


def _term(kind: str, term: Soap | TwoBody, options: dict[str, str], points: np.ndarray) -> GapTerm:
    options = {**{name: str(value) for name, value in vars(term).items()}, **options}
    return GapTerm(
        kind=kind,
        options=options,
        descriptor=" ".join([kind, *map("=".join, options.items())]),
        delta=float(term.delta),
        zeta=float(term.zeta) if isinstance(term, Soap) else None,
        theta=None if isinstance(term, Soap) else float(term.theta_uniform),
        alpha=np.zeros(len(points)),
        sparse_cutoff=np.ones(len(points)),
        sparse_points=points,
    )
