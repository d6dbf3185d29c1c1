"""`GapConfig`: the hyperparameters of a fit, read from and written to a ``gap_config.cfg``."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Real
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.data import atomic_numbers

from helpers import checks
from helpers.errors import ConfigError
from helpers.files import write_atomic
from helpers.gap import cfg
from helpers.gap.descriptors import known_options
from helpers.gap.gap_fit_keys import FURTHER_KEYS, GAP_FIT_DEFAULTS, SPARSE_METHODS

# Units of the fields of `GapConfig` and `TwoBody` that have one, for tables and figures.
UNITS = {
    "cutoff": "Å",
    "atom_sigma": "Å",
    "cutoff_transition_width": "Å",
    "delta": "eV",
    "theta_uniform": "Å",
    "default_sigma": "eV/atom, eV/Å, –, –",
    "config_type_sigma": "eV/atom, eV/Å, –, –",
    "sparse_jitter": "eV²",
    "e0": "eV",
}


@dataclass(frozen=True)
class TwoBody(checks.Settings):
    """The pair term (``distance_2b``): a smooth function of each interatomic distance.

    Parameters
    ----------
    cutoff : float
        Å; pairs further apart do not interact.
    n_sparse : int
        Sparse points (distances) per pair of elements.
    delta : float
        eV; how much energy one pair is expected to vary by.
    theta_uniform : float
        Å; length scale of the squared-exponential kernel.
    covariance_type : str
        Kernel: ``"ard_se"``.
    sparse_method : str
        How the sparse points are chosen: ``"uniform"``, ``"random"``, …
    cutoff_transition_width : float
        Å; range over which the term fades out before the cutoff.
    """

    cutoff: float = 7.5
    n_sparse: int = 35
    delta: float = 2.0
    theta_uniform: float = 0.5
    covariance_type: str = "ard_se"
    sparse_method: str = "uniform"
    cutoff_transition_width: float = 0.5

    def __post_init__(self) -> None:
        checks.number("cutoff", self.cutoff, unit="Å")
        checks.number(
            "cutoff_transition_width", self.cutoff_transition_width, positive=False, unit="Å"
        )
        checks.whole("n_sparse", self.n_sparse, 1)
        checks.number("delta", self.delta, unit="eV")
        checks.number("theta_uniform", self.theta_uniform, unit="Å")
        checks.one_of("covariance_type", self.covariance_type, ("ard_se",))
        checks.one_of("sparse_method", self.sparse_method, SPARSE_METHODS)


@dataclass(frozen=True)
class Soap(checks.Settings):
    """A further SOAP term, beside the one whose settings are fields of `GapConfig`.

    Parameters
    ----------
    atom_sigma, l_max, n_max, cutoff, cutoff_transition_width, delta, zeta, n_sparse
        As in `GapConfig`.
    covariance_type, sparse_method : str
        As in `GapConfig`.
    """

    atom_sigma: float = 0.4
    l_max: int = 2
    n_max: int = 7
    cutoff: float = 4.25
    cutoff_transition_width: float = 2.9
    delta: float = 2.0
    covariance_type: str = "dot_product"
    zeta: float = 2
    n_sparse: int = 1000
    sparse_method: str = "cur_points"

    def __post_init__(self) -> None:
        for key in ("cutoff", "atom_sigma"):
            checks.number(key, getattr(self, key), unit="Å")
        checks.number(
            "cutoff_transition_width", self.cutoff_transition_width, positive=False, unit="Å"
        )
        if self.cutoff_transition_width >= self.cutoff:
            checks.refuse(
                "cutoff_transition_width",
                self.cutoff_transition_width,
                f"less than the cutoff, {self.cutoff} Å",
            )
        checks.whole("n_max", self.n_max, 1, 20)
        checks.whole("l_max", self.l_max, 0, 20)
        checks.whole("n_sparse", self.n_sparse, 1)
        checks.number("zeta", self.zeta)
        if self.zeta == int(self.zeta):
            object.__setattr__(self, "zeta", int(self.zeta))
        checks.number("delta", self.delta, unit="eV")
        checks.one_of("covariance_type", self.covariance_type, ("dot_product",))
        checks.one_of("sparse_method", self.sparse_method, SPARSE_METHODS)


# Field names by the place that gap_fit reads them from, in the order in which they are written.
TOP_KEYS = (
    "atoms_filename",
    "default_sigma",
    "config_type_sigma",
    "e0_method",
    "e0",
    "energy_parameter_name",
    "force_parameter_name",
    "sparse_jitter",
    "do_copy_atoms_file",
    "sparse_separate_file",
    "gap_file",
    "rnd_seed",
)
SOAP_KEYS = tuple(f.name for f in fields(Soap))
PAIR_KEYS = tuple(f.name for f in fields(TwoBody))
# Options of the first soap term that the kit passes on as they are.
FURTHER_SOAP_KEYS = known_options("soap") - {*SOAP_KEYS, "add_species", "theta_fac"}
FURTHER_SOAP_KEYS -= {"theta_uniform", "species_Z", "Z", "n_species", "config_type_n_sparse"}

# Atomic numbers of two elements → the settings in which their pair term differs.
PairSettings = Mapping[tuple[int, int], Mapping[str, Any]]

_ELEMENTS = set(atomic_numbers) - {"X"}


@dataclass(frozen=True)
class GapConfig(checks.Settings):
    """All settings of a fit: a typed, checked ``gap_config.cfg``.

    ``GapConfig()`` is the default preset (100 frames), ``GapConfig.accurate()`` the one for
    accuracy (400 frames). Names are gap_fit's own keys; a config never changes, use `replace`.

    Parameters
    ----------
    atoms_filename : str
        Training frames (extended XYZ). The bare name of a shipped file works from any folder.
    cutoff : float
        Å; radius of the SOAP environment.
    atom_sigma : float
        Å; width of the Gaussian that stands for each neighbor.
    n_max, l_max : int
        Number of radial functions and highest angular momentum of SOAP.
    n_sparse : int
        Sparse points (representative environments) per element.
    delta : float
        eV; how much energy one environment is expected to vary by.
    zeta : float
        Power of the SOAP kernel; higher tells environments apart more sharply.
    default_sigma : tuple of float
        Expected errors of the labels: energies (eV per atom), forces (eV/Å), virials (eV per
        atom), Hessians. Only the first two are used here; they regularize the fit.
    config_type_sigma : dict, optional
        Expected errors of frames whose ``info["config_type"]`` is the key, four numbers as in
        `default_sigma`: ``{"liquid": (0.002, 0.05, 0, 0)}``. The type ``"default"`` stands for all
        others.
    two_body : TwoBody or None
        The optional pair term.
    more_terms : tuple of Soap and TwoBody
        Further terms, such as a second SOAP with a longer cutoff.
    e0_method : str or None
        ``"average"``: every element gets the mean energy per atom of the training frames.
        ``"isolated"``: energies of frames with one atom. None where `e0` is given.
    e0 : dict or float, optional
        Energy of each isolated atom by element, or one for all elements, eV.
    sparse_jitter : float
        Added to the diagonal of the kernel matrix for numerical stability, eV².
    cutoff_transition_width : float
        Å; range over which a neighbor fades out before the cutoff. A wide one makes near
        neighbors count more than far ones, which water likes.
    covariance_type, sparse_method : str
        SOAP kernel (``"dot_product"``) and how sparse points are chosen (``"cur_points"``,
        ``"random"``, …).
    energy_parameter_name, force_parameter_name : str
        Names of the labels in the frames file.
    gap_file : str
        The model file to write.
    sparse_separate_file : bool
        Write sparse points into files beside the model, which must then travel together.
    do_copy_atoms_file : bool
        Store the training frames in the model file, too.
    rnd_seed : int
        Seed of gap_fit's random choices.
    soap : bool
        Whether there is a SOAP term with the settings above.
    further_soap_keys : dict, optional
        Other options of that SOAP term, as texts, such as ``{"central_weight": "0.5"}``.
    other_terms : tuple of str
        Terms of other kinds, or for chosen elements, as gap_fit's own texts, such as
        ``"angle_3b cutoff=3.0 …"``; only gap_fit trains them.
    further_keys : dict, optional
        Other keys of gap_fit outside ``gap={}``, as texts, such as
        ``{"virial_parameter_name": "dft_virial"}``.

    Raises
    ------
    ConfigError
        If a name is misspelled (with the nearest right one) or a value cannot be used.

    Examples
    --------
    >>> GapConfig(cutoff=3.5).replace(n_max=8).n_max
    8

    References
    ----------
    Bartók, Payne, Kondor, Csányi, Phys. Rev. Lett. 104, 136403 (2010) (GAP);
    Bartók, Kondor, Csányi, Phys. Rev. B 87, 184115 (2013) (SOAP).
    """

    atoms_filename: str = "gap_input_100.xyz"
    cutoff: float = 4.25
    atom_sigma: float = 0.4
    n_max: int = 7
    l_max: int = 2
    n_sparse: int = 1000
    delta: float = 2.0
    zeta: float = 2
    default_sigma: tuple[float, float, float, float] = (0.001, 0.012, 0.0, 0.0)
    config_type_sigma: Mapping[str, tuple[float, float, float, float]] | None = None
    two_body: TwoBody | None = field(default_factory=TwoBody)
    more_terms: tuple[Soap | TwoBody, ...] = ()
    e0_method: str | None = "average"
    e0: Mapping[str, float] | float | None = None
    sparse_jitter: float = 1e-8
    cutoff_transition_width: float = 2.9
    covariance_type: str = "dot_product"
    sparse_method: str = "cur_points"
    energy_parameter_name: str = "dft_energy"
    force_parameter_name: str = "dft_forces"
    gap_file: str = "gap.xml"
    sparse_separate_file: bool = False
    do_copy_atoms_file: bool = False
    rnd_seed: int = 1
    soap: bool = True
    further_soap_keys: Mapping[str, str] | None = None
    other_terms: tuple[str, ...] = ()
    further_keys: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        soap = Soap(**{name: getattr(self, name) for name in SOAP_KEYS})
        object.__setattr__(self, "zeta", soap.zeta)
        checks.whole("rnd_seed", self.rnd_seed, 0)
        checks.number("sparse_jitter", self.sparse_jitter, positive=False)
        for key in ("sparse_separate_file", "do_copy_atoms_file", "soap"):
            if not isinstance(getattr(self, key), bool):
                checks.refuse(key, getattr(self, key), "True or False")
        for key in ("atoms_filename", "gap_file", "energy_parameter_name", "force_parameter_name"):
            cfg.check_word(key, getattr(self, key))
        if self.two_body is not None and not isinstance(self.two_body, TwoBody):
            checks.refuse("two_body", self.two_body, "TwoBody(...) or None")
        if not isinstance(self.more_terms, (tuple, list)) or not all(
            isinstance(term, (Soap, TwoBody)) for term in self.more_terms
        ):
            checks.refuse("more_terms", self.more_terms, "a tuple of Soap(...) and TwoBody(...)")
        object.__setattr__(self, "more_terms", tuple(self.more_terms))
        if self.two_body is None and any(isinstance(term, TwoBody) for term in self.more_terms):
            raise ConfigError("more_terms holds a TwoBody", fix="give the first one as two_body")
        self._check_sigma()
        self._check_e0()
        self._check_terms()

    @classmethod
    def accurate(cls) -> GapConfig:
        """Return the preset for accuracy: 400 frames, a finer SOAP that sees farther."""
        return cls(
            atoms_filename="gap_input_400.xyz",
            cutoff=4.5,
            cutoff_transition_width=4.0,
            n_max=8,
            n_sparse=1500,
        )

    @classmethod
    def from_data(cls, frames: Sequence[Atoms], **names: str) -> GapConfig:
        """Return settings that suit frames; `helpers.gap.suggest_config` also gives the reasons.

        Parameters
        ----------
        frames : sequence of ase.Atoms
            The training frames, with labels.
        **names
            ``energy_name`` and ``forces_name``, if the labels have other names than the kit's.
        """
        from helpers.gap.defaults import suggest_config

        return suggest_config(frames, **names).config

    @property
    def sigma_energy_eV_per_atom(self) -> float:
        """Expected error of the energies, eV per atom."""
        return self.default_sigma[0]

    @property
    def sigma_force_eV_per_A(self) -> float:
        """Expected error of each force component, eV/Å."""
        return self.default_sigma[1]

    @property
    def label_names(self) -> dict[str, Any]:
        """Names of the labels, as `evaluate` and others take them."""
        return {
            "energy_name": self.energy_parameter_name,
            "forces_name": self.force_parameter_name,
        }

    @property
    def terms(self) -> tuple[Soap | TwoBody, ...]:
        """All terms but `other_terms`, in the order in which gap_fit is given them."""
        first: list[Soap | TwoBody] = [] if self.two_body is None else [self.two_body]
        if self.soap:
            first.append(Soap(**{name: getattr(self, name) for name in SOAP_KEYS}))
        return (*first, *self.more_terms)

    @property
    def only_gap_fit(self) -> str:
        """What the kit's own engine cannot train, in words; empty if there is nothing."""
        words = [*(self.further_keys or {}), *(self.further_soap_keys or {})]
        words += [text.split()[0] for text in self.other_terms]
        if not self.soap:
            words.append("a model without soap")
        return ", ".join(words)

    def config_type_of(self, atoms: Atoms) -> str:
        """Return the config type of a frame that has expected errors of its own, or "default"."""
        config_type = str(atoms.info.get("config_type", "default"))
        return config_type if config_type in (self.config_type_sigma or {}) else "default"

    def sigmas_of(self, config_type: str) -> tuple[float, float, float, float]:
        """Return the expected errors of frames of a config type."""
        return (self.config_type_sigma or {}).get(config_type, self.default_sigma)

    @property
    def longest_cutoff_A(self) -> float:
        """The cutoff of the term that looks furthest."""
        texts = [
            cfg.parse_config(f"gap={{{{{text}}}}}", "other_terms") for text in self.other_terms
        ]
        others = [term.options.get("cutoff", "0") for _, terms in texts for term in terms]
        return max([*(term.cutoff for term in self.terms), *map(float, others)])

    def to_cfg(self, *, pairs: Sequence[PairSettings | None] = ()) -> str:
        """Return the text of a config file that ``gap_fit config_file=…`` accepts as it is.

        Parameters
        ----------
        pairs : sequence, optional
            For each pair term: atomic numbers of the pairs of elements that get one, with the
            settings in which each differs. None: gap_fit makes one for every pair in the frames.
        """
        top = {name: getattr(self, name) for name in TOP_KEYS if getattr(self, name) is not None}
        terms: list[Any] = []
        pairs_of = iter(pairs)
        for term in self.terms:
            kind, options = "distance_2b", dict(vars(term))
            if isinstance(term, Soap):
                kind = "soap"
                if not any(other[0] == "soap" for other in terms):
                    terms += self.other_terms
                    options |= self.further_soap_keys or {}
            elif options["cutoff_transition_width"] == GAP_FIT_DEFAULTS["cutoff_transition_width"]:
                del options["cutoff_transition_width"]
            chosen = next(pairs_of, None) if isinstance(term, TwoBody) else None
            if chosen is None:
                terms.append((kind, options))
            else:
                terms += [
                    (kind, {**options, **changes, "Z1": i, "Z2": j})
                    for (i, j), changes in chosen.items()
                ]
        if not self.soap:
            terms += self.other_terms
        return cfg.format_config({**top, **(self.further_keys or {})}, terms)

    def write(self, path: str | os.PathLike) -> Path:
        """Write the config file, whole or not at all, and return its path."""
        return write_atomic(path, self.to_cfg())

    @classmethod
    def read(cls, path: str | os.PathLike) -> GapConfig:
        """Read a config file in gap_fit's own form.

        Raises
        ------
        ConfigError
            If the file is missing, uses a form that gap_fit rejects (such as comments outside of
            ``gap={}``), holds a misspelled key, inside ``gap={}`` too, or a value that cannot be
            used.
        """
        return cls.from_cfg(cfg.read_text(path), source=str(path))

    @classmethod
    def from_cfg(cls, text: str, *, source: str = "the config") -> GapConfig:
        """Like `read`, from a text. Keys that are absent take gap_fit's own value.

        The first term of soap and the first of distance_2b for all elements become settings of
        their own; terms that the settings cannot hold are kept as texts.
        """
        top, terms = cfg.parse_config(text, source)
        cfg.check_names(top, {*TOP_KEYS, *FURTHER_KEYS}, source)
        if "e0" in top and top.pop("e0_method", ""):
            warnings.warn(f"{source}: e0 counts, not e0_method, as in gap_fit", stacklevel=2)
        if "atoms_filename" not in top:
            raise ConfigError(f"{source} has no atoms_filename", fix="name the training frames")
        values = cfg.typed(top, TOP_KEYS, cls, source)
        values["further_keys"] = {k: v for k, v in top.items() if k in FURTHER_KEYS} or None
        if "e0" in values:
            values["e0_method"] = None
        values["soap"], two_body = False, None
        more: list[Soap | TwoBody] = []
        others = []
        for term in terms:
            where = f"{source}, {term.kind} term"
            if _is_plain(term, "soap", {*SOAP_KEYS, *FURTHER_SOAP_KEYS}) and not values["soap"]:
                further = {k: v for k, v in term.options.items() if k in FURTHER_SOAP_KEYS}
                values |= cfg.typed(term.options, SOAP_KEYS, cls, where)
                values |= {"soap": True, "further_soap_keys": further or None}
            elif _is_plain(term, "soap", set(SOAP_KEYS)):
                more.append(Soap(**cfg.typed(term.options, SOAP_KEYS, Soap, where)))
            elif _is_plain(term, "distance_2b", set(PAIR_KEYS)):
                pair = TwoBody(**cfg.typed(term.options, PAIR_KEYS, TwoBody, where))
                if two_body is None:
                    two_body = pair
                else:
                    more.append(pair)
            else:
                others.append(term.text)
        values |= {"more_terms": tuple(more), "other_terms": tuple(others)}
        return cls(**values, two_body=two_body)

    def _check_terms(self) -> None:
        cfg.check_texts("further_soap_keys", self.further_soap_keys, FURTHER_SOAP_KEYS)
        cfg.check_texts("further_keys", self.further_keys, FURTHER_KEYS)
        if not isinstance(self.other_terms, tuple):
            checks.refuse("other_terms", self.other_terms, "a tuple of texts")
        for text in self.other_terms:
            cfg.parse_config(f"gap={{{{{text}}}}}", "other_terms")
        if not self.soap:
            defaults = {f.name: f.default for f in fields(self)}
            changed = [name for name in SOAP_KEYS if getattr(self, name) != defaults[name]]
            if changed or self.further_soap_keys:
                name = (*changed, "further_soap_keys")[0]
                checks.refuse(name, getattr(self, name), "no setting of SOAP beside soap=False")
        if not (self.terms or self.other_terms):
            checks.refuse("soap", self.soap, "at least one term")

    def _check_sigma(self) -> None:
        object.__setattr__(self, "default_sigma", _sigmas("default_sigma", self.default_sigma))
        if self.config_type_sigma is None:
            return
        if not isinstance(self.config_type_sigma, Mapping) or not self.config_type_sigma:
            expected = "names with 4 numbers each, as in {'liquid': (0.002, 0.05, 0, 0)}"
            checks.refuse("config_type_sigma", self.config_type_sigma, expected)
        for name in self.config_type_sigma:
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][^\s:;{}\"'=]+", name):
                expected = "names that begin with a letter, without spaces, colons and braces"
                checks.refuse("config_type_sigma", name, expected)
        sigmas = {
            name: _sigmas(f"config_type_sigma[{name!r}]", sigma)
            for name, sigma in self.config_type_sigma.items()
        }
        object.__setattr__(self, "config_type_sigma", sigmas)

    def _check_e0(self) -> None:
        if self.e0 is None:
            checks.one_of("e0_method", self.e0_method, ("average", "isolated"))
            return
        if self.e0_method is not None:
            raise ConfigError(
                "Both e0 and e0_method are given", fix="keep one; e0 needs e0_method=None"
            )
        if not isinstance(self.e0, Mapping):
            if not isinstance(self.e0, Real) or not math.isfinite(self.e0):
                checks.refuse("e0", self.e0, "energies in eV by element, or one for all")
            object.__setattr__(self, "e0", float(self.e0))
            return
        for element, energy in dict(self.e0).items():
            if element not in _ELEMENTS:
                checks.refuse("e0", element, "symbols of elements, as in {'H': -13.6, 'O': -432.0}")
            if not isinstance(energy, Real) or not math.isfinite(energy):
                checks.refuse("e0", energy, f"an energy in eV for {element}")
        energies = {element: float(self.e0[element]) for element in sorted(self.e0)}
        object.__setattr__(self, "e0", energies)


def _is_plain(term: cfg.Term, kind: str, names: set[str]) -> bool:
    """Tell whether the settings of a term can hold all that the text of one says."""
    kernel = term.options.get("covariance_type", "").casefold()
    usual = {"soap": ("dot_product",), "distance_2b": ("ard_se", "gaussian")}[kind]
    is_usual = term.kind == kind and term.add_species and kernel in usual
    return is_usual and set(term.options) <= names


def _sigmas(key: str, sigma: Any) -> tuple[float, float, float, float]:
    """Return four expected errors, checked."""
    if not isinstance(sigma, (tuple, list)) or len(sigma) != 4:
        checks.refuse(key, sigma, "4 numbers: energy, force, virial, Hessian")
    for value, unit in zip(sigma[:2], ("eV per atom", "eV/Å"), strict=True):
        checks.number(key, value, unit=f"{unit} for energies and forces")
    for value in sigma[2:]:
        checks.number(key, value, positive=False)
    energy, force, virial, hessian = map(float, sigma)
    return energy, force, virial, hessian


# The third preset, beside `GapConfig()` and `GapConfig.accurate()`: the small potential of the
# lessons, which a class fits many times.
CLASSROOM = GapConfig(n_sparse=100)
