"""λ-SOAP: equivariant features of atomic environments.

The features of order λ have 2λ + 1 components, which a rotation mixes like spherical harmonics Yλm;
λ = 0 is the SOAP power spectrum. featomic expands the density of neighbors (Grisafi, Wilkins,
Csányi, Ceriotti, *Phys. Rev. Lett.* **120**, 036002 (2018)). The coupling with Clebsch–Gordan
coefficients is done here by batched matrix products: the numbers of featomic's
EquivariantPowerSpectrum in less than half the time, without the copies of a pair (q, q′) and
(q′, q) that its columns hold, and only for the columns that are asked for.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from helpers import checks
from helpers.boundaries import periodic_directions
from helpers.errors import ConfigError, DataError
from helpers.sagpr.frame_input import all_or_none_periodic, as_frames
from helpers.terminal import dropped_if_it_fails

BATCH_SIZE = 25  # frames whose features are in memory at the same time


@dataclass(frozen=True)
class LambdaSoap(checks.Settings):
    """Settings of the features.

    Attributes
    ----------
    cutoff_A : float
        Radius of an environment, Å.
    smoothing_A : float
        Width of the range before the cutoff in which a neighbor fades out, Å.
    sigma_A : float
        Width of the Gaussian that stands for a neighbor, Å.
    n_max, l_max : int
        Number of radial functions; largest angular momentum.
    scaling_A, scaling_exponent : float
        Neighbors count 1/(1 + (r/scaling_A)^exponent) (Willatt, Musil, Ceriotti,
        *Phys. Chem. Chem. Phys.* **20**, 29661 (2018)). An exponent of 0 means no scaling.
    elements : tuple of str
        Elements of the neighbors.
    centers : tuple of str
        Elements of the atoms whose environments are described.
    """

    cutoff_A: float = 5.0
    smoothing_A: float = 0.5
    sigma_A: float = 0.4
    n_max: int = 6
    l_max: int = 5
    scaling_A: float = 2.0
    scaling_exponent: float = 4.0
    elements: tuple[str, ...] = ("H", "O")
    centers: tuple[str, ...] = ("O",)

    def __post_init__(self) -> None:
        for name in ("cutoff_A", "smoothing_A", "sigma_A", "scaling_A"):
            checks.number(name, getattr(self, name), unit="Å")
        checks.number("scaling_exponent", self.scaling_exponent, positive=False)
        checks.whole("n_max", self.n_max, 1, 20)
        checks.whole("l_max", self.l_max, 0, 20)
        if self.smoothing_A > self.cutoff_A:
            checks.refuse("smoothing_A", self.smoothing_A, "at most cutoff_A")
        for name in ("elements", "centers"):
            symbols = tuple(getattr(self, name))
            if (
                not symbols
                or len(set(symbols)) < len(symbols)
                or set(symbols) - set(atomic_numbers)
            ):
                checks.refuse(name, symbols, "chemical symbols, each once, such as ('H', 'O')")
            object.__setattr__(self, name, symbols)
        if set(self.centers) - set(self.elements):
            checks.refuse("centers", self.centers, f"some of the elements {self.elements}")

    def pairs(self, lambda_: int) -> list[tuple[int, int]]:
        """Return the pairs l₁ ≤ l₂ that couple to a true tensor of order λ: even l₁ + l₂ + λ."""
        checks.whole("lambda_", lambda_, 0)
        if lambda_ > 2 * self.l_max:
            raise ConfigError(
                f"l_max={self.l_max} cannot describe tensors of lambda_={lambda_}",
                expected=f"l_max of at least {(lambda_ + 1) // 2}",
            )
        return [
            (l1, l2)
            for l1 in range(self.l_max + 1)
            for l2 in range(l1, self.l_max + 1)
            if l2 - l1 <= lambda_ <= l1 + l2 and (l1 + l2 + lambda_) % 2 == 0
        ]

    def n_features(self, lambda_: int) -> int:
        """Return how many features an environment has (of each m)."""
        return sum(len(self.columns(l1, l2)[0]) for l1, l2 in self.pairs(lambda_))

    def columns(self, l1: int, l2: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which products (q, q′) of a pair are features, and their weights.

        For l₁ = l₂ the products (q, q′) and (q′, q) are equal: one stands for both. Likewise
        l₁ < l₂ stands for l₁ > l₂. With the weights, scalar products are those of all.
        """
        q = self.n_max * len(self.elements)
        first, second = np.indices((q, q)).reshape(2, -1)
        if l1 < l2:
            return np.arange(q * q), np.full(q * q, np.sqrt(2))
        unique = np.flatnonzero(first <= second)
        return unique, np.where(first[unique] == second[unique], 1, np.sqrt(2))


@dataclass(frozen=True)
class Environments:
    """Features of atoms of one element.

    Attributes
    ----------
    values : ndarray of shape (n_atoms, 2λ + 1, n_features)
    frame : ndarray of shape (n_atoms,)
        Number of the frame that each atom belongs to, ascending.
    """

    values: np.ndarray
    frame: np.ndarray


Selection = Mapping[tuple[str, int], np.ndarray]  # columns by (element, λ)


def environments(
    frames: Any,
    settings: LambdaSoap,
    lambdas: Sequence[int],
    *,
    selection: Selection | None = None,
) -> dict[tuple[str, int], Environments]:
    """Return the features of all centers, by element and λ.

    Parameters
    ----------
    frames : iterable of ase.Atoms, or one of them
        Their features are in memory at once: cut long lists with `batches`.
    settings : LambdaSoap
    lambdas : sequence of int
    selection : mapping of (element, λ) to ndarray of int, optional
        Columns to compute; by default all.

    Raises
    ------
    DataError
        If a frame cannot be described; see `check_frames`.
    ConfigError
        If a λ cannot be used.
    """
    frames = as_frames(frames)
    check_frames(frames, settings)
    expansion = _expand(frames, settings)
    return {
        (element, lambda_): Environments(
            _couple(
                coefficients,
                settings,
                lambda_,
                None if selection is None else selection.get((element, lambda_)),
            ),
            frame,
        )
        for lambda_ in lambdas
        for element, (coefficients, frame) in expansion.items()
    }


def check_frames(frames: Sequence[Atoms], settings: LambdaSoap) -> None:
    """Raise `DataError` unless each frame can be described with these settings.

    Refused are no frames at all, unknown elements, none of the centers, positions or cells that are
    not finite numbers, and boundary conditions that `boundaries.periodic_directions` refuses.
    """
    if len(frames) == 0:
        raise DataError("There are no frames", expected="at least one")
    for number, atoms in enumerate(as_frames(frames), start=1):
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise DataError(
                f"Frame {number} has a position or a cell vector that is not a finite number",
                fix="remove the frame, or look for what spoilt it: a run that became unstable?",
            )
        unknown = sorted(set(atoms.symbols) - set(settings.elements))
        if unknown:
            raise DataError(
                f"Frame {number} holds {', '.join(unknown)}",
                expected="only " + " and ".join(settings.elements),
                fix="use other frames, or name these elements in the settings and train anew",
            )
        if not set(atoms.symbols) & set(settings.centers):
            raise DataError(
                f"Frame {number} holds none of the centers", expected=", ".join(settings.centers)
            )
        try:
            periodic_directions(atoms.cell.array, atoms.pbc)
        except DataError as error:
            raise DataError(
                f"Frame {number}: {error.problem}", found=error.found, fix=error.fix
            ) from None


def batches(n_frames: int) -> list[slice]:
    """Return slices of frames whose features fit into memory together."""
    return [slice(start, start + BATCH_SIZE) for start in range(0, n_frames, BATCH_SIZE)]


def expansion_settings(settings: LambdaSoap) -> dict[str, Any]:
    """Return the settings as keyword arguments of featomic's `SphericalExpansion`."""
    density: dict[str, Any] = {"type": "Gaussian", "width": settings.sigma_A}
    if settings.scaling_exponent > 0:
        density["scaling"] = {
            "type": "Willatt2018",
            "scale": settings.scaling_A,
            "rate": 1.0,
            "exponent": settings.scaling_exponent,
        }
    smoothing = {"type": "ShiftedCosine", "width": settings.smoothing_A}
    return {
        "cutoff": {"radius": settings.cutoff_A, "smoothing": smoothing},
        "density": density,
        "basis": {
            "type": "TensorProduct",
            "max_angular": settings.l_max,
            # featomic counts radial functions from 0
            "radial": {"type": "Gto", "max_radial": settings.n_max - 1},
        },
    }


def _expand(
    frames: Sequence[Atoms], settings: LambdaSoap
) -> dict[str, tuple[list[np.ndarray], np.ndarray]]:
    """Return, for each center, c of shape (n_atoms, 2l + 1, q) for all l, and frame numbers."""
    from metatensor import Labels

    neighbor_types = np.array([atomic_numbers[x] for x in settings.elements], np.int32)
    with _calculator(settings) as calculator:
        try:
            coefficients = calculator.compute(
                [all_or_none_periodic(atoms, settings.cutoff_A) for atoms in frames]
            )
        except Exception as error:  # featomic tells no kinds apart
            raise _refusal(settings, error) from error
    coefficients = coefficients.keys_to_properties(
        Labels(["neighbor_type"], neighbor_types[:, None])
    )
    center_types = coefficients.keys.column("center_type")
    expansion = {}
    for element in settings.centers:
        if atomic_numbers[element] in center_types:
            blocks = [
                coefficients.block({"o3_lambda": l, "center_type": atomic_numbers[element]})
                for l in range(settings.l_max + 1)
            ]
            frame = np.asarray(blocks[0].samples.column("system"))
            expansion[element] = [np.asarray(block.values) for block in blocks], frame
        else:  # none of this element in these frames: no atoms, but all columns
            q = settings.n_max * len(neighbor_types)
            empty = [np.zeros((0, 2 * l + 1, q)) for l in range(settings.l_max + 1)]
            expansion[element] = empty, np.zeros(0, int)
    return expansion


def _couple(
    coefficients: list[np.ndarray],
    settings: LambdaSoap,
    lambda_: int,
    columns: np.ndarray | None,
) -> np.ndarray:
    """Return Σ C c_{l₁m₁q} c_{l₂m₂q′} of shape (n_atoms, 2λ + 1, n_features)."""
    n_atoms, q = len(coefficients[0]), coefficients[0].shape[2]
    if columns is None:
        columns = np.arange(settings.n_features(lambda_))
    values = np.empty((n_atoms, 2 * lambda_ + 1, len(columns)))
    end = 0
    for l1, l2 in settings.pairs(lambda_):
        pair_columns, weights = settings.columns(l1, l2)
        start, end = end, end + len(pair_columns)
        targets = np.flatnonzero((columns >= start) & (columns < end))
        if len(targets) == 0:
            continue
        sources = columns[targets] - start
        coupling = _clebsch_gordan(l1, l2, lambda_)
        right = np.einsum("abm,nbq->nmaq", coupling, coefficients[l2], optimize=True)
        left = coefficients[l1].transpose(0, 2, 1)[:, None]
        products = (left @ right).reshape(n_atoms, 2 * lambda_ + 1, q * q)
        values[:, :, targets] = products[:, :, pair_columns[sources]] * weights[sources]
    return values


_idle_calculators: dict[LambdaSoap, list[Any]] = {}  # of the last few settings


@contextlib.contextmanager
def _calculator(settings: LambdaSoap) -> Iterator[Any]:
    """Lend a calculator of featomic, which changes as it computes: to one thread at a time."""
    from featomic import SphericalExpansion

    _try_settings(settings)
    if len(_idle_calculators) > 8:
        _idle_calculators.clear()
    idle = _idle_calculators.setdefault(settings, [])
    try:
        calculator = idle.pop()
    except IndexError:
        calculator = SphericalExpansion(**expansion_settings(settings))
    yield calculator
    idle.append(calculator)


_one_at_a_time = threading.Lock()


@functools.lru_cache(maxsize=64)
def _try_settings(settings: LambdaSoap) -> None:
    """Let featomic compute one environment, or raise `ConfigError`: settings fail at the first."""
    from featomic import SphericalExpansion

    pair = Atoms(settings.centers[:1] * 2, [[0, 0, 0], [0, 0, min(1.0, settings.cutoff_A / 2)]])
    with _one_at_a_time, dropped_if_it_fails():
        try:
            SphericalExpansion(**expansion_settings(settings)).compute([pair])
        except Exception as error:  # featomic tells no kinds apart
            raise _refusal(settings, error) from error


def _refusal(settings: LambdaSoap, error: Exception) -> ConfigError:
    """Return the error for settings that featomic cannot compute with."""
    names = (
        "cutoff_A",
        "smoothing_A",
        "sigma_A",
        "n_max",
        "l_max",
        "scaling_A",
        "scaling_exponent",
    )
    return ConfigError(
        "featomic cannot compute features with "
        + ", ".join(f"{name}={getattr(settings, name):g}" for name in names),
        found=" ".join(str(error).split())[:200],
        fix="take a larger sigma_A, or a smaller cutoff_A, n_max or l_max",
    )


@functools.lru_cache(maxsize=512)
def _clebsch_gordan(l1: int, l2: int, lambda_: int) -> np.ndarray:
    """Return the real coefficients, shape (2l₁ + 1, 2l₂ + 1, 2λ + 1), all m from −l to l."""
    block = _all_coefficients(max(l1, l2, lambda_)).block({"l1": l1, "l2": l2, "lambda": lambda_})
    return np.asarray(block.values)[0, ..., 0]


@functools.lru_cache(maxsize=16)
def _all_coefficients(l_max: int) -> Any:
    from featomic.clebsch_gordan import calculate_cg_coefficients

    return calculate_cg_coefficients(l_max, "python-dense", "numpy", np.float64, "cpu")
