"""Train a GAP: sparse points, K_NM frame by frame, and least squares by QR as the rows come.

The weights α of the sparse points minimize

    Σ (K_E α − y_E)² / (σ_E² N) + Σ (K_F α − y_F)² / σ_F² + αᵀ K_MM α

(N atoms in a frame; y_E less the energies of isolated atoms; sparse_jitter on the diagonal of
K_MM). The rows K_E and K_F of a frame are made, divided by the errors that are expected of its
labels, and folded into the triangle R of a QR decomposition; then they are forgotten. The number of
frames decides how long it takes, not how much memory. Normal equations, which would square the
condition number, appear nowhere.

Source: Bartók, Csányi, Int. J. Quantum Chem. 115, 1051 (2015), on sparse GAP; Demmel, Grigori,
Hoemmen, Langou, SIAM J. Sci. Comput. 34, A206 (2012), on QR in pieces.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from scipy.linalg import solve_triangular

from helpers.errors import ConfigError
from helpers.files import digest
from helpers.frames import label_arrays
from helpers.gap.config import GapConfig
from helpers.gap.jax.covariance import covariance_factor
from helpers.gap.jax.design_matrix import pair_rows, pair_strain_rows
from helpers.gap.jax.least_squares import N_PARTS, Triangle, check_memory, fold_triangle
from helpers.gap.jax.soap_rows import (
    Expansion,
    SparseTensors,
    expand,
    power_spectra,
    soap_rows,
    sparse_tensors,
)
from helpers.gap.jax.sparse_points import leverage_points, random_points, uniform_points
from helpers.gap.jax.terms import PairSettings, SoapSettings, term_settings
from helpers.gap.model import GapModel, GapTerm
from helpers.jax_setup import enable_compilation_cache, one_thread
from helpers.neighbors import PairList, find_pairs
from helpers.terminal import progress_bar

SPECTRA_MB = 256  # up to which power spectra are kept between the two passes over the frames
VOIGT = [0, 4, 8, 5, 2, 1]  # xx yy zz yz xz xy among xx xy xz yx …
# What gap_fit reads from a frame, if it is there, in place of default_sigma.
OWN_SIGMAS = (
    *("energy_sigma", "force_sigma", "virial_sigma", "force_atom_sigma"),
    *("force_component_sigma", "virial_component_sigma", "force_mask", "local_property"),
)
SELECTION = {"cur_points": leverage_points, "random": random_points, "uniform": uniform_points}


@dataclass(frozen=True)
class Training:
    """A trained model, and what it took.

    Attributes
    ----------
    model : GapModel
    n_energies, n_force_components : int
        Labels that it was trained on.
    """

    model: GapModel
    n_energies: int
    n_force_components: int


@one_thread
def train(config: GapConfig, frames: Sequence[Atoms], *, progress: bool = False) -> Training:
    """Train a potential as gap_fit would with the same settings.

    The sparse points are chosen at random with gap_fit's probabilities, by other random numbers.

    Parameters
    ----------
    config : GapConfig
    frames : sequence of ase.Atoms
        With the labels that the config names, checked.
    progress : bool
        Show a bar.

    Returns
    -------
    Training

    Raises
    ------
    ConfigError
        If a setting is one that only gap_fit knows, or virials have no expected error.
    FitError
        If there is not enough memory.
    """
    enable_compilation_cache()
    frames = list(frames)
    _check(config, frames)
    with progress_bar(2 * len(frames), "training", "frame", show=progress) as bar:
        template = new_terms(config, frames, on_frame=lambda: bar.update(1))
        check_memory(template.n_sparse)
        weights = solve(template, frames, config, on_frame=lambda: bar.update(1))
    parts = zip(template.terms, template.split(weights), strict=True)
    model = replace(template, terms=tuple(replace(term, alpha=alpha) for term, alpha in parts))
    return Training(model, len(frames), 3 * sum(len(atoms) for atoms in frames))


def new_terms(
    config: GapConfig, frames: Sequence[Atoms], *, on_frame: Callable[[], Any] = lambda: None
) -> GapModel:
    """Return a model without weights: its terms, with sparse points chosen from frames."""
    rng = np.random.default_rng(config.rnd_seed)
    elements = _elements(frames)
    terms: list[GapTerm] = []
    if config.two_body is not None:
        pair = vars(config.two_body)
        distances = _pair_distances(elements, frames, pair["cutoff"])
        for (one, other), lists in distances.items():
            if any(map(len, lists)):  # otherwise there is nothing to choose sparse points from
                options = {**_texts(pair), "Z1": str(one), "Z2": str(other)}
                terms.append(_pair_term(options, pair, lists, rng))
    soap = {
        name: getattr(config, name)
        for name in (
            *("atom_sigma", "l_max", "n_max", "cutoff", "cutoff_transition_width", "delta"),
            *("covariance_type", "zeta", "n_sparse", "sparse_method"),
        )
    }
    species = "{" + " ".join(map(str, elements)) + "}"
    shared: dict[Any, list[np.ndarray]] = {}
    for number in elements:
        options = {
            **_texts(soap),
            "n_species": str(len(elements)),
            "Z": str(number),
            "species_Z": species,
        }
        terms.append(_soap_term(options, soap, number, frames, rng, shared, on_frame))
    return GapModel(
        label=f"GAP_{digest(config.to_cfg(), *(atoms.positions for atoms in frames))[:16]}",
        e0=isolated_atoms(config, frames),
        terms=tuple(terms),
        command_line=" ".join(config.to_cfg().split()),
    )


def isolated_atoms(config: GapConfig, frames: Sequence[Atoms]) -> dict[int, float]:
    """Return the energy of one isolated atom of each element, eV, by atomic number."""
    elements = _elements(frames)
    if isinstance(config.e0, Mapping):
        return {atomic_numbers[symbol]: energy for symbol, energy in config.e0.items()}
    if config.e0 is not None:
        return dict.fromkeys(elements, float(config.e0))
    names = config.energy_parameter_name, config.force_parameter_name
    if config.e0_method == "isolated":
        alone = [atoms for atoms in frames if len(atoms) == 1]
        _, energies, _ = label_arrays(alone, *names)
        return {int(a.numbers[0]): float(e) for a, e in zip(alone, energies, strict=True)}
    n_atoms, energies, _ = label_arrays(frames, *names)
    return dict.fromkeys(elements, float(np.mean(energies / n_atoms)))


def solve(
    template: GapModel,
    frames: Sequence[Atoms],
    config: GapConfig,
    *,
    on_frame: Callable[[], Any] = lambda: None,
) -> np.ndarray:
    """Return the weights α of the sparse points of a model, (n_sparse,).

    Parameters
    ----------
    template : GapModel
        Its descriptors and sparse points are used, its weights are not.
    frames : sequence of ase.Atoms
        The training frames.
    config : GapConfig
        Expected errors, jitter, names of the labels.
    on_frame : function
        Called when a frame is done, from any thread.

    Raises
    ------
    ConfigError
        If the kernel matrix of the sparse points is not positive: the jitter is too small.
    """
    n_sparse = template.n_sparse
    rows = FrameRows(template, config)
    stop = threading.Event()

    def fold(part: Sequence[Atoms]) -> np.ndarray:
        triangle = Triangle(n_sparse + 1)
        for atoms in part:
            if stop.is_set():
                break
            triangle.add(rows(atoms))
            on_frame()
        return triangle.finish()

    parts = [frames[k::N_PARTS] for k in range(N_PARTS)]
    with ThreadPoolExecutor(N_PARTS) as pool:
        futures = [pool.submit(fold, part) for part in parts]
        try:
            triangles = [future.result() for future in futures]
        finally:
            stop.set()
    upper = triangles[0]
    for other in triangles[1:]:
        upper = fold_triangle(upper, other)
    prior = np.zeros((n_sparse, n_sparse + 1), order="F")
    prior[:, :-1] = covariance_factor(template, config.sparse_jitter)
    upper = fold_triangle(upper, prior)
    weights: np.ndarray = solve_triangular(upper[:n_sparse, :n_sparse], upper[:n_sparse, -1])
    return weights


class FrameRows:
    """Makes the weighted rows of K_NM, and the labels beside them, of one frame after the other.

    Parameters
    ----------
    model : GapModel
        Descriptors and sparse points.
    config : GapConfig
        Expected errors, names of the labels.
    """

    def __init__(self, model: GapModel, config: GapConfig) -> None:
        self.model, self.config = model, config
        self._settings = [term_settings(term) for term in model.terms]
        self._reach = max(each.cutoff_A for each in self._settings)
        self._tensors: list[SparseTensors | None] = [
            sparse_tensors(
                settings,
                term.sparse_points[:, :-1],
                term.delta**2 * term.sparse_cutoff,
                float(term.zeta or 1.0),
            )
            if isinstance(settings, SoapSettings)
            else None
            for term, settings in zip(model.terms, self._settings, strict=True)
        ]

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Return rows (n_labels, n_sparse + 1); the last column holds the labels.

        Labels are the energy, all forces, and six components of the virial where there is one.
        """
        config, n_atoms = self.config, len(atoms)
        virial = virial_label(atoms)
        with_virial = virial is not None and config.default_sigma[2] > 0
        rows = np.empty((1 + 3 * n_atoms + 6 * with_virial, self.model.n_sparse + 1))
        of_forces, of_virial = slice(1, 1 + 3 * n_atoms), slice(1 + 3 * n_atoms, None)
        pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, self._reach)
        expansions: dict[SoapSettings, tuple[Expansion, np.ndarray, np.ndarray]] = {}
        start = 0
        for term, settings, tensors in zip(
            self.model.terms, self._settings, self._tensors, strict=True
        ):
            columns = slice(start, start + len(term.alpha))
            start = columns.stop
            if isinstance(settings, PairSettings):
                energy, forces = pair_rows(term, settings, atoms, pairs)
                if with_virial:
                    strain = pair_strain_rows(term, settings, atoms, pairs)
            else:
                if settings not in expansions:
                    expansion = _expanded(settings, atoms, pairs, gradients=True)
                    spectra = power_spectra(settings, expansion.coefficients)
                    expansions[settings] = (expansion, *spectra)
                centers = np.flatnonzero(atoms.numbers == int(term.number("Z")))
                assert tensors is not None
                energy, forces, strain = soap_rows(
                    settings, tensors, *expansions[settings], centers, with_strain=with_virial
                )
            rows[0, columns], rows[of_forces, columns] = energy, forces
            if with_virial:
                rows[of_virial, columns] = -strain[VOIGT]
        names = config.energy_parameter_name, config.force_parameter_name
        _, (energy_label,), force_labels = label_arrays([atoms], *names)
        rows[0, -1] = energy_label - self.model.isolated_energies(atoms.numbers).sum()
        rows[of_forces, -1] = force_labels
        rows[0] /= config.sigma_energy_eV_per_atom * math.sqrt(n_atoms)
        rows[of_forces] /= config.sigma_force_eV_per_A
        if virial is not None and with_virial:
            rows[of_virial, -1] = virial[VOIGT]
            rows[of_virial] /= config.default_sigma[2] * math.sqrt(n_atoms)
        return rows


def virial_label(atoms: Atoms) -> np.ndarray | None:
    """Return the virial of a frame, −dE/dε, as (9,) in eV, or None where it has none."""
    if "virial" in atoms.info:
        return np.asarray(atoms.info["virial"], float).ravel()
    return None


def check_config(config: GapConfig) -> None:
    """Raise `ConfigError` if the config holds something that only gap_fit trains."""
    only_gap_fit = config.only_gap_fit
    if not only_gap_fit and (config.more_terms or config.config_type_sigma):
        only_gap_fit = "more_terms" if config.more_terms else "config_type_sigma"
    if only_gap_fit:
        raise ConfigError(
            f"The config holds what only gap_fit trains: {only_gap_fit}",
            fix="leave it out, or use engine='gap_fit'",
        )


def _check(config: GapConfig, frames: Sequence[Atoms]) -> None:
    check_config(config)
    for atoms in frames:
        own = [name for name in OWN_SIGMAS if name in atoms.info or name in atoms.arrays]
        if own:
            raise ConfigError(
                f"The frames hold {own[0]}, an expected error of their own",
                expected="frames without: this engine uses default_sigma only",
                fix="use engine='gap_fit', or delete it from the frames",
            )
    sigma = config.default_sigma[2]
    if sigma <= 0 and any(virial_label(atoms) is not None for atoms in frames):
        raise ConfigError(
            f"The frames hold virials, and default_sigma={config.default_sigma} has none for them",
            expected="a third number above 0: the expected error of virials, eV per atom",
            fix="give one, such as 0.05, or delete 'virial' from the frames",
        )


def _elements(frames: Sequence[Atoms]) -> list[int]:
    """Return atomic numbers in the order in which they appear, as gap_fit lists them."""
    return list(dict.fromkeys(int(z) for atoms in frames for z in atoms.numbers))


def _texts(options: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items()}


def _choose(method: str, blocks: Any, n_sparse: int, rng: np.random.Generator) -> np.ndarray:
    if method not in SELECTION:
        raise ConfigError(
            f"sparse_method={method!r} is known to gap_fit only",
            expected=" or ".join(map(repr, SELECTION)),
            fix="use engine='gap_fit'",
        )
    return SELECTION[method](blocks, n_sparse, rng)


def _pair_distances(
    elements: Sequence[int], frames: Sequence[Atoms], cutoff_A: float
) -> dict[tuple[int, int], list[np.ndarray]]:
    """Return for each pair of elements the distances (n, 1) within the cutoff, frame by frame."""
    distances: dict[tuple[int, int], list[np.ndarray]] = {
        (one, other): [] for k, one in enumerate(elements) for other in elements[k:]
    }
    for atoms in frames:
        pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, cutoff_A)
        for (one, other), lists in distances.items():
            low, high = sorted((one, other))
            near = pairs.between((low, high), atoms.numbers, cutoff_A)
            lists.append(near.distance[:, None])
    return distances


def _pair_term(
    options: dict[str, str],
    pair: dict[str, Any],
    distances: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> GapTerm:
    """Return a pair term without weights, its sparse points chosen from distances."""
    points = _choose(pair["sparse_method"], lambda: iter(distances), pair["n_sparse"], rng)
    descriptor = " ".join(["distance_2b", *map("=".join, options.items())])
    term = GapTerm(
        kind="distance_2b",
        options=options,
        descriptor=descriptor,
        delta=float(pair["delta"]),
        zeta=None,
        theta=float(pair["theta_uniform"]),
        alpha=np.zeros(len(points)),
        sparse_cutoff=np.ones(len(points)),
        sparse_points=points,
    )
    settings = term_settings(term)
    assert isinstance(settings, PairSettings)
    cutoff, _ = settings.cutoff_factor(points[:, 0])
    return replace(term, sparse_cutoff=cutoff)


def _soap_term(
    options: dict[str, str],
    soap: dict[str, Any],
    number: int,
    frames: Sequence[Atoms],
    rng: np.random.Generator,
    shared: dict[Any, list[np.ndarray]],
    on_frame: Callable[[], Any],
) -> GapTerm:
    settings = SoapSettings(
        n_max=soap["n_max"],
        l_max=soap["l_max"],
        cutoff_A=float(soap["cutoff"]),
        transition_A=float(soap["cutoff_transition_width"]),
        sigma_A=float(soap["atom_sigma"]),
        central_weight=1.0,
        basis_error_exponent=10.0,
        species=tuple(map(int, options["species_Z"].strip("{}").split())),
    )
    n_centers = sum(len(atoms) for atoms in frames)
    keep = 8e-6 * n_centers * settings.n_components < SPECTRA_MB

    def spectra() -> Iterator[np.ndarray]:
        if keep and settings in shared:
            yield from shared[settings]
            return
        for atoms in frames:
            pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, settings.cutoff_A)
            expansion = _expanded(settings, atoms, pairs, gradients=False)
            spectrum, _ = power_spectra(settings, expansion.coefficients)
            if keep:
                collected.append(spectrum)
            on_frame()
            yield spectrum
        if keep:
            shared[settings] = collected

    collected: list[np.ndarray] = []

    def of_element() -> Iterator[np.ndarray]:
        for atoms, spectrum in zip(frames, spectra(), strict=True):
            yield spectrum[atoms.numbers == number]

    points = _choose(soap["sparse_method"], of_element, soap["n_sparse"], rng)
    descriptor = " ".join(["soap", *map("=".join, options.items())])
    return GapTerm(
        kind="soap",
        options=options,
        descriptor=descriptor,
        delta=float(soap["delta"]),
        zeta=float(soap["zeta"]),
        theta=None,
        alpha=np.zeros(len(points)),
        sparse_cutoff=np.ones(len(points)),
        sparse_points=np.column_stack([points, np.zeros(len(points))]),
    )


def _expanded(
    settings: SoapSettings, atoms: Atoms, pairs: PairList, *, gradients: bool
) -> Expansion:
    near = pairs.select(pairs.distance < settings.cutoff_A)
    return expand(
        settings,
        atoms,
        near,
        pair_capacity=_capacity(len(near.first), 64),
        atom_capacity=_capacity(len(atoms), 4),
        gradients=gradients,
    )


def _capacity(number: int, step: int) -> int:
    """Return a size for arrays that holds `number`: few sizes, so that little is compiled."""
    while step * 4 < number:
        step *= 2
    return step * math.ceil(max(number, 1) / step)
