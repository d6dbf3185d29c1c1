"""`GapConfig`: the hyperparameters of a fit, read from and written to a ``gap_config.cfg``."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Real
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.data import atomic_numbers

from helpers import checks
from helpers.errors import ConfigError, nearest
from helpers.files import write_atomic
from helpers.gap import cfg

# Units of the fields of `GapConfig` and `TwoBody` that have one, for tables and figures.
UNITS = {
    "cutoff": "Å",
    "atom_sigma": "Å",
    "cutoff_transition_width": "Å",
    "delta": "eV",
    "theta_uniform": "Å",
    "default_sigma": "eV/atom, eV/Å, –, –",
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
    covariance_type, sparse_method : str
        Kernel and choice of sparse points; ``"ard_se"`` and ``"uniform"``.
    """

    cutoff: float = 6.0
    n_sparse: int = 25
    delta: float = 0.5
    theta_uniform: float = 0.5
    covariance_type: str = "ard_se"
    sparse_method: str = "uniform"

    def __post_init__(self) -> None:
        checks.number("cutoff", self.cutoff, unit="Å")
        checks.whole("n_sparse", self.n_sparse, 1)
        checks.number("delta", self.delta, unit="eV")
        checks.number("theta_uniform", self.theta_uniform, unit="Å")
        checks.one_of("covariance_type", self.covariance_type, ("ard_se",))
        checks.one_of("sparse_method", self.sparse_method, ("uniform",))


# Field names by the place that gap_fit reads them from, in the order in which they are written.
TOP_KEYS = (
    "atoms_filename",
    "default_sigma",
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
SOAP_KEYS = (
    "atom_sigma",
    "l_max",
    "n_max",
    "cutoff",
    "cutoff_transition_width",
    "delta",
    "covariance_type",
    "zeta",
    "n_sparse",
    "sparse_method",
)
PAIR_KEYS = tuple(f.name for f in fields(TwoBody))

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
    zeta : int
        Power of the SOAP kernel; higher tells environments apart more sharply.
    default_sigma : tuple of float
        Expected errors of the labels: energies (eV per atom), forces (eV/Å), virials (eV per
        atom), Hessians. Only the first two are used here; they regularize the fit.
    two_body : TwoBody or None
        The optional pair term.
    e0_method : str or None
        ``"average"``: every element gets the mean energy per atom of the training frames.
        ``"isolated"``: energies of frames with one atom. None where `e0` is given.
    e0 : dict, optional
        Energy of each isolated atom by element, eV.
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
    cutoff: float = 3.5
    atom_sigma: float = 0.4
    n_max: int = 6
    l_max: int = 2
    n_sparse: int = 1000
    delta: float = 0.2
    zeta: int = 2
    default_sigma: tuple[float, float, float, float] = (0.001, 0.012, 0.0, 0.0)
    two_body: TwoBody | None = field(default_factory=TwoBody)
    e0_method: str | None = "average"
    e0: Mapping[str, float] | None = None
    sparse_jitter: float = 1e-8
    cutoff_transition_width: float = 2.0
    covariance_type: str = "dot_product"
    sparse_method: str = "cur_points"
    energy_parameter_name: str = "dft_energy"
    force_parameter_name: str = "dft_forces"
    gap_file: str = "gap.xml"
    sparse_separate_file: bool = False
    do_copy_atoms_file: bool = False
    rnd_seed: int = 1

    def __post_init__(self) -> None:
        for key in ("cutoff", "atom_sigma", "cutoff_transition_width"):
            checks.number(key, getattr(self, key), unit="Å")
        if self.cutoff_transition_width >= self.cutoff:
            checks.refuse(
                "cutoff_transition_width",
                self.cutoff_transition_width,
                f"less than the cutoff, {self.cutoff} Å",
            )
        checks.whole("n_max", self.n_max, 1, 20)
        checks.whole("l_max", self.l_max, 0, 20)
        checks.whole("n_sparse", self.n_sparse, 1)
        checks.whole("zeta", self.zeta, 1)
        checks.whole("rnd_seed", self.rnd_seed, 0)
        checks.number("delta", self.delta, unit="eV")
        checks.number("sparse_jitter", self.sparse_jitter, positive=False)
        checks.one_of("covariance_type", self.covariance_type, ("dot_product",))
        checks.one_of("sparse_method", self.sparse_method, ("cur_points", "random", "covariance"))
        for key in ("sparse_separate_file", "do_copy_atoms_file"):
            if not isinstance(getattr(self, key), bool):
                checks.refuse(key, getattr(self, key), "True or False")
        for key in ("atoms_filename", "gap_file", "energy_parameter_name", "force_parameter_name"):
            cfg.check_word(key, getattr(self, key))
        if self.two_body is not None and not isinstance(self.two_body, TwoBody):
            checks.refuse("two_body", self.two_body, "TwoBody(...) or None")
        self._check_sigma()
        self._check_e0()

    @classmethod
    def accurate(cls) -> GapConfig:
        """Return the preset for accuracy: 400 frames, more sparse points, minutes instead."""
        return cls(
            atoms_filename="gap_input_400.xyz",
            cutoff=4.0,
            cutoff_transition_width=2.5,
            n_max=8,
            n_sparse=800,
            two_body=TwoBody(cutoff=7.5, n_sparse=35),
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

    def to_cfg(self, *, pairs: Mapping[tuple[int, int], Mapping[str, Any]] | None = None) -> str:
        """Return the text of a config file that ``gap_fit config_file=…`` accepts as it is.

        Parameters
        ----------
        pairs : mapping of (int, int) to mapping, optional
            Atomic numbers of the pairs of elements that get a pair term, and the settings in which
            each differs; by default gap_fit makes one for every pair in the training frames.
        """
        top = {name: getattr(self, name) for name in TOP_KEYS if getattr(self, name) is not None}
        soap = {name: getattr(self, name) for name in SOAP_KEYS}
        terms: list[tuple[str, dict[str, Any]]] = []
        if self.two_body is not None:
            each: list[dict[str, Any]] = [{}]
            if pairs is not None:
                each = [{**changes, "Z1": i, "Z2": j} for (i, j), changes in pairs.items()]
            terms = [("distance_2b", {**vars(self.two_body), **changes}) for changes in each]
        return cfg.format_config(top, [*terms, ("soap", soap)])

    def write(self, path: str | os.PathLike) -> Path:
        """Write the config file, whole or not at all, and return its path."""
        return write_atomic(path, self.to_cfg())

    @classmethod
    def read(cls, path: str | os.PathLike) -> GapConfig:
        """Read a config file in gap_fit's own form.

        Raises
        ------
        ConfigError
            If the file is missing, uses a form that gap_fit rejects (such as comments), holds a
            misspelled key, inside ``gap={}`` too, or a value that cannot be used.
        """
        return cls.from_cfg(cfg.read_text(path), source=str(path))

    @classmethod
    def from_cfg(cls, text: str, *, source: str = "the config") -> GapConfig:
        """Like `read`, from a text. Keys that are absent take gap_fit's value or ours."""
        top, terms = cfg.parse_config(text, source)
        values = cfg.typed(top, TOP_KEYS, cls, source)
        if "atoms_filename" not in values:
            raise ConfigError(f"{source} has no atoms_filename", fix="name the training frames")
        soap = [options for kind, options in terms if kind == "soap"]
        pairs = [options for kind, options in terms if kind == "distance_2b"]
        others = [kind for kind, _ in terms if kind not in ("soap", "distance_2b")]
        if others:
            raise ConfigError(
                f"{source}: gap={{}} holds the descriptor {others[0]!r}",
                expected="'soap' and, if you like, 'distance_2b'",
                fix=nearest(others[0], ("soap", "distance_2b")),
            )
        if len(soap) != 1 or len(pairs) > 1:
            raise ConfigError(
                f"{source}: gap={{}} holds {len(soap)} soap and {len(pairs)} distance_2b terms",
                expected="one soap term and at most one distance_2b term, joined by ':'",
            )
        values |= cfg.typed(soap[0], SOAP_KEYS, cls, f"{source}, soap term")
        two_body = None
        if pairs:
            two_body = TwoBody(
                **cfg.typed(pairs[0], PAIR_KEYS, TwoBody, f"{source}, distance_2b term")
            )
        if "e0" in values:
            values.setdefault("e0_method", None)
        return cls(**values, two_body=two_body)

    def _check_sigma(self) -> None:
        sigma = self.default_sigma
        if not isinstance(sigma, (tuple, list)) or len(sigma) != 4:
            checks.refuse("default_sigma", sigma, "4 numbers: energy, force, virial, Hessian")
        for value, unit in zip(sigma[:2], ("eV per atom", "eV/Å"), strict=True):
            checks.number("default_sigma", value, unit=f"{unit} for energies and forces")
        for value in sigma[2:]:
            checks.number("default_sigma", value, positive=False)
        object.__setattr__(self, "default_sigma", tuple(float(value) for value in sigma))

    def _check_e0(self) -> None:
        if self.e0 is None:
            checks.one_of("e0_method", self.e0_method, ("average", "isolated"))
            return
        if self.e0_method is not None:
            raise ConfigError(
                "Both e0 and e0_method are given", fix="keep one; e0 needs e0_method=None"
            )
        for element, energy in dict(self.e0).items():
            if element not in _ELEMENTS:
                checks.refuse("e0", element, "symbols of elements, as in {'H': -13.6, 'O': -432.0}")
            if not isinstance(energy, Real) or not math.isfinite(energy):
                checks.refuse("e0", energy, f"an energy in eV for {element}")
        energies = {element: float(self.e0[element]) for element in sorted(self.e0)}
        object.__setattr__(self, "e0", energies)


# The third preset, beside `GapConfig()` and `GapConfig.accurate()`: the small potential of the
# lessons, which a class fits many times.
CLASSROOM = GapConfig(n_sparse=100)
