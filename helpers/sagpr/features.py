"""λ-SOAP: what an atom sees, in numbers that rotate like spherical harmonics of order λ.

featomic expands the density of neighbours (Grisafi, Wilkins, Csányi, Ceriotti, *Phys. Rev. Lett.*
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

from helpers.sagpr.soap import LambdaSoap, check_frames, expansion_settings


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
    """Return the features of all centres, by element and λ.

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
    """Return, for each centre, c of shape (n_atoms, 2l + 1, q) for all l, and frame numbers."""
    from metatensor import Labels

    kinds = np.array([atomic_numbers[symbol] for symbol in settings.elements], np.int32)
    with _calculator(settings) as calculator:
        found = calculator.compute(list(frames))
    found = found.keys_to_properties(Labels(["neighbor_type"], kinds[:, None]))
    expansion = {}
    for element in settings.centres:
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
