"""λ-SOAP: what an atom sees, in numbers that rotate like spherical harmonics of order λ.

featomic expands the density of neighbors (Grisafi, Wilkins, Csányi, Ceriotti, *Phys. Rev. Lett.*
**120**, 036002 (2018)). The coupling with Clebsch–Gordan coefficients is done here by batched
matrix products: the numbers of featomic's EquivariantPowerSpectrum in less than half the time,
without the copies of a pair (q, q′) and (q′, q) that its columns hold, and only for the columns
that are asked for.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from helpers import checks
from helpers.errors import DataError


@dataclass(frozen=True)
class LambdaSoap(checks.Settings):
    """Settings of the features.

    Attributes
    ----------
    cutoff_A : float
        How far an atom sees, Å.
    smoothing_A : float
        Over which range before the cutoff a neighbor fades out, Å.
    sigma_A : float
        How blurred it sees the neighbors, Å.
    n_max, l_max : int
        Number of radial functions; largest angular momentum.
    scaling_A, scaling_exponent : float
        Neighbors count 1/(1 + (r/scaling_A)^exponent) (Willatt, Musil, Ceriotti,
        *Phys. Chem. Chem. Phys.* **20**, 29661 (2018)). An exponent of 0 means no scaling.
    elements : tuple of str
        That are seen as neighbors.
    centers : tuple of str
        Whose surroundings are described.
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

    def pairs(self, lambda_: int, sigma: int = 1) -> list[tuple[int, int]]:
        """Return the pairs l₁ ≤ l₂ that couple to λ with the parity σ·(−1)^λ."""
        checks.whole("lambda_", lambda_, 0, 2 * self.l_max)
        if sigma not in (1, -1):
            checks.refuse("sigma", sigma, "1 (a true tensor) or -1 (a pseudotensor)")
        return [
            (l1, l2)
            for l1 in range(self.l_max + 1)
            for l2 in range(l1, self.l_max + 1)
            if l2 - l1 <= lambda_ <= l1 + l2 and (-1) ** (l1 + l2 + lambda_) == sigma
        ]

    def n_features(self, lambda_: int, sigma: int = 1) -> int:
        """Return how many features an environment has (of each m)."""
        return sum(len(self.columns(l1, l2, sigma)[0]) for l1, l2 in self.pairs(lambda_, sigma))

    def columns(self, l1: int, l2: int, sigma: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which (q, q′) of a pair are kept, and their weights.

        For l₁ = l₂ the pairs (q, q′) and (q′, q) are equal, or opposite for σ = −1: one stands for
        both. Likewise l₁ < l₂ stands for l₁ > l₂. So scalar products are those of all.
        """
        q = self.n_max * len(self.elements)
        first, second = np.indices((q, q)).reshape(2, -1)
        if l1 < l2:
            return np.arange(q * q), np.full(q * q, np.sqrt(2))
        kept = np.flatnonzero(first <= second if sigma == 1 else first < second)
        return kept, np.where(first[kept] == second[kept], 1, np.sqrt(2))


def check_frames(frames: Sequence[Atoms], settings: LambdaSoap) -> None:
    """Raise `DataError` unless each frame can be described with these settings.

    Refused are no frames at all, unknown elements, none of the centers, positions or cells that are
    not finite numbers, and a periodic frame without a whole cell.
    """
    if len(frames) == 0:
        raise DataError("There are no frames", expected="at least one")
    for number, atoms in enumerate(frames, start=1):
        if not isinstance(atoms, Atoms):
            raise DataError(
                f"Frame {number} is {type(atoms).__name__}", expected="ase.Atoms", fix="load_frames"
            )
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
        if atoms.pbc.any() and not (atoms.pbc.all() and abs(atoms.cell.volume) > 0):
            raise DataError(
                f"Frame {number} is periodic without a whole cell",
                expected="three cell vectors and pbc along all of them, or pbc=False",
                found=f"cell {atoms.cell.lengths().round(3).tolist()}, pbc {atoms.pbc.tolist()}",
            )


def expansion_settings(settings: LambdaSoap) -> dict[str, Any]:
    """Return the settings in featomic's words."""
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


@dataclass(frozen=True)
class Environments:
    """Features of atoms of one element.

    Attributes
    ----------
    values : ndarray of shape (n_atoms, 2λ + 1, n_features)
    frame : ndarray of shape (n_atoms,)
        Number of the frame that each atom belongs to.
    """

    values: np.ndarray
    frame: np.ndarray


Selection = Mapping[tuple[str, int], np.ndarray]


_idle: dict[LambdaSoap, list[Any]] = {}  # calculators of the last few settings


def environments(
    frames: Sequence[Atoms],
    settings: LambdaSoap,
    lambdas: Sequence[int],
    *,
    sigma: int = 1,
    selection: Selection | None = None,
) -> dict[tuple[str, int], Environments]:
    """Return the features of all centers, by element and λ.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        Held in memory at once: `batches` cuts a long list into pieces.
    settings : LambdaSoap
    lambdas : sequence of int
    sigma : int
        1 for tensors, −1 for pseudotensors, whose sign changes under inversion.
    selection : mapping of (element, λ) to ndarray of int, optional
        Columns to keep.

    Raises
    ------
    DataError
        If a frame cannot be described; see `soap.check_frames`.
    ConfigError
        If λ or σ cannot be used.
    """
    check_frames(frames, settings)
    expansion = _expand(frames, settings)
    return {
        (element, lambda_): Environments(
            _couple(
                coefficients,
                settings,
                lambda_,
                sigma,
                None if selection is None else selection.get((element, lambda_)),
            ),
            frame,
        )
        for lambda_ in lambdas
        for element, (coefficients, frame) in expansion.items()
    }


def batches(frames: Sequence[Atoms], size: int = 25) -> Iterator[Sequence[Atoms]]:
    """Cut frames into pieces whose features fit into memory together."""
    for start in range(0, len(frames), size):
        yield frames[start : start + size]


def _expand(
    frames: Sequence[Atoms], settings: LambdaSoap
) -> dict[str, tuple[list[np.ndarray], np.ndarray]]:
    """Return, for each center, c of shape (n_atoms, 2l + 1, q) for all l, and frame numbers."""
    from metatensor import Labels

    kinds = np.array([atomic_numbers[symbol] for symbol in settings.elements], np.int32)
    with _calculator(settings) as calculator:
        found = calculator.compute(list(frames))
    found = found.keys_to_properties(Labels(["neighbor_type"], kinds[:, None]))
    expansion = {}
    for element in settings.centers:
        blocks = [
            found.block({"o3_lambda": l, "center_type": atomic_numbers[element]})
            for l in range(settings.l_max + 1)
            if any(found.keys.column("center_type") == atomic_numbers[element])
        ]
        if blocks:
            frame = np.asarray(blocks[0].samples.column("system"))
            expansion[element] = [np.asarray(block.values) for block in blocks], frame
        else:  # none of this element in these frames: no rows, but all columns
            q = settings.n_max * len(kinds)
            empty = [np.zeros((0, 2 * l + 1, q)) for l in range(settings.l_max + 1)]
            expansion[element] = empty, np.zeros(0, int)
    return expansion


def _couple(
    coefficients: list[np.ndarray],
    settings: LambdaSoap,
    lambda_: int,
    sigma: int,
    columns: np.ndarray | None,
) -> np.ndarray:
    """Return Σ C c_{l₁m₁q} c_{l₂m₂q′} of shape (n_atoms, 2λ + 1, n_features)."""
    n_atoms, q = len(coefficients[0]), coefficients[0].shape[2]
    if columns is None:
        columns = np.arange(settings.n_features(lambda_, sigma))
    values = np.empty((n_atoms, 2 * lambda_ + 1, len(columns)))
    end = 0
    for l1, l2 in settings.pairs(lambda_, sigma):
        kept, weights = settings.columns(l1, l2, sigma)
        start, end = end, end + len(kept)
        place = np.flatnonzero((columns >= start) & (columns < end))
        if len(place) == 0:
            continue
        here = columns[place] - start
        coupling = _clebsch_gordan(l1, l2, lambda_)
        right = np.einsum("abm,nbq->nmaq", coupling, coefficients[l2], optimize=True)
        left = coefficients[l1].transpose(0, 2, 1)[:, None]
        products = (left @ right).reshape(n_atoms, 2 * lambda_ + 1, q * q)
        values[:, :, place] = products[:, :, kept[here]] * weights[here]
    return values


@contextlib.contextmanager
def _calculator(settings: LambdaSoap) -> Iterator[Any]:
    """Lend a calculator of featomic, which changes as it computes: to one thread at a time."""
    from featomic import SphericalExpansion

    if len(_idle) > 8:
        _idle.clear()
    others = _idle.setdefault(settings, [])
    try:
        calculator = others.pop()
    except IndexError:
        calculator = SphericalExpansion(**expansion_settings(settings))
    yield calculator
    others.append(calculator)


@functools.lru_cache(maxsize=512)
def _clebsch_gordan(l1: int, l2: int, lambda_: int) -> np.ndarray:
    """Return the real coefficients, shape (2l₁ + 1, 2l₂ + 1, 2λ + 1), all m from −l to l."""
    block = _all_coefficients(max(l1, l2, lambda_)).block({"l1": l1, "l2": l2, "lambda": lambda_})
    return np.asarray(block.values)[0, ..., 0]


@functools.lru_cache(maxsize=16)
def _all_coefficients(l_max: int) -> Any:
    from featomic.clebsch_gordan import calculate_cg_coefficients

    return calculate_cg_coefficients(l_max, "python-dense", "numpy", np.float64, "cpu")
