"""`JaxCalculator`: a GAP evaluated by compiled JAX functions, as an ASE calculator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.stress import full_3x3_to_voigt_6_stress

from helpers.boundaries import with_boundaries
from helpers.errors import PredictionError
from helpers.gap.calculator import PotentialCalculator
from helpers.gap.jax.frames_together import group_frames
from helpers.gap.jax.layout import Layout, model_parameters, model_structure
from helpers.gap.jax.verlet_list import VerletList
from helpers.gap.model import GapModel
from helpers.jax_setup import double_precision, enable_compilation_cache

if TYPE_CHECKING:
    from helpers.gap.jax.force_field import GapReplicas

SKIN_A = 0.5  # how much further than the cutoffs the neighbor lists reach
MOST_COMPOSITIONS = 2  # for which `predict_frames` compiles functions of their own
N_LISTS = 16  # neighbor lists kept, one for each order of elements


class JaxCalculator(PotentialCalculator):
    """ASE calculator that evaluates a GAP with JAX, in 64 bit.

    Parameters
    ----------
    model : GapModel
        The potential.
    path : Path, optional
        Where it came from, for messages.

    Attributes
    ----------
    engine : str
        ``"jax"``.
    model, path
        As given.
    structure : ModelStructure
        The terms of the model.
    layouts : dict
        Layouts that were large enough so far, by composition and skin; shared with the lists of
        the dynamics.

    Raises
    ------
    UnsupportedModelError
        If a term cannot be evaluated here; it is named.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]
    engine = "jax"
    model: GapModel

    def __init__(self, model: GapModel, path: Path | None = None) -> None:
        super().__init__(path, model)
        self.structure = model_structure(model)
        self.layouts: dict[Any, Layout] = {}
        self._lists: dict[tuple[int, ...], VerletList] = {}
        self._parameters: Any = None
        self._factors: dict[float, Any] = {}  # for variances, which are asked for frame by frame

    def __reduce__(self) -> tuple:
        return JaxCalculator, (self.model, self.path)

    def __repr__(self) -> str:
        name = self.path.name if self.path else self.model.label
        return f"JaxCalculator({name}, engine='jax')"

    def predict_frames(self, frames: Sequence[Atoms]) -> list[tuple[float, np.ndarray]]:
        """Return energy (eV) and forces (eV/Å) of many frames, compiling once or twice.

        Frames of at most two compositions are computed one by one; the neighbor lists of all
        are built first, because the largest decides the capacity. Frames of more compositions
        are put together (see `frames_together`).
        """
        frames = list(frames)
        with self._lock:
            self.check_frames(frames)
            frames = [with_boundaries(atoms, error=PredictionError) for atoms in frames]
            if len({tuple(np.sort(atoms.numbers)) for atoms in frames}) > MOST_COMPOSITIONS:
                return self._predict_together(frames)
            for atoms in frames:
                lists = self._list_for(atoms)
                lists.build(atoms.positions[lists.order], atoms.cell.array, atoms.pbc)
            results = [self._predict(atoms) for atoms in frames]
        return [(float(result["energy"]), result["forces"]) for result in results]

    def get_variances(self, atoms: Atoms, *, regularization: float = 0.001) -> np.ndarray:
        """Return the GAP variance of each atom's energy, shape (n_atoms,), eV².

        See `covariance.atomic_variances`; quippy calls it ``local_gap_variance``.
        """
        from helpers.gap.jax.covariance import atomic_variances, cholesky_factors

        self._check(atoms)
        atoms = with_boundaries(atoms, error=PredictionError)
        if regularization not in self._factors:
            factors = cholesky_factors(self.model, regularization=regularization)
            self._factors = {regularization: factors}
        return atomic_variances(
            self.model,
            atoms,
            regularization=regularization,
            factors=self._factors[regularization],
        )

    def replicas(self, numbers: np.ndarray, n_replicas: int, skin_A: float) -> GapReplicas:
        """Return what the compiled engine of molecular dynamics asks of a potential."""
        from helpers.gap.jax.force_field import GapReplicas

        return GapReplicas(self, numbers, n_replicas, skin_A)

    def device_parameters(self) -> Any:
        """Return the model's `ModelParameters` where JAX computes."""
        if self._parameters is None:
            import jax

            enable_compilation_cache()
            with double_precision():
                self._parameters = jax.device_put(model_parameters(self.model))
        return self._parameters

    def _predict(self, atoms: Atoms, properties: Sequence[str] = ()) -> dict[str, Any]:
        """Return all properties, whatever is asked for: they come out of one compiled function."""
        lists = self._list_for(atoms)
        positions, cell = atoms.positions[lists.order], atoms.cell.array
        with double_precision():
            layout, neighbors = lists.get(positions, cell, atoms.pbc)
            parameters = self.device_parameters()
            try:
                prediction = _compiled(layout)(parameters, positions, cell, neighbors)
                energy, energies, forces, virial = map(np.asarray, prediction)
            except (RuntimeError, MemoryError) as error:  # XLA's own are RuntimeErrors
                raise PredictionError(
                    f"JAX cannot evaluate {len(atoms)} atoms with this model",
                    expected="enough memory for their neighbors within "
                    f"{self.structure.cutoff_A:g} Å",
                    found=" ".join(str(error).split())[:150],
                    fix="use fewer atoms, a smaller cutoff, or engine='quippy'",
                ) from error
        e0 = self.model.isolated_energies(atoms.numbers)
        results = {
            "energy": float(energy) + float(e0.sum()),
            "energies": e0 + _unsorted(energies, lists.order),
            "forces": _unsorted(forces, lists.order),
        }
        if atoms.cell.rank == 3:
            results["stress"] = full_3x3_to_voigt_6_stress(virial / atoms.get_volume())
        _check_finite(results.values())
        return {**results, "free_energy": results["energy"]}

    def _predict_together(self, frames: list[Atoms]) -> list[tuple[float, np.ndarray]]:
        groups, layout = group_frames(self.structure, frames, self.layouts)
        results = []
        for group in groups:
            with double_precision():
                prediction = _compiled(layout)(
                    self.device_parameters(), group.positions(), np.eye(3), group.neighbors(layout)
                )
            parts = group.split(np.asarray(prediction.energies), np.asarray(prediction.forces))
            for atoms, (energy, forces) in zip(group.frames, parts, strict=True):
                energy += float(self.model.isolated_energies(atoms.numbers).sum())
                _check_finite([energy, forces])
                results.append((energy, forces))
        return results

    def _list_for(self, atoms: Atoms) -> VerletList:
        """Return the neighbor list of atoms with these elements in this order."""
        key = tuple(atoms.numbers.tolist())
        if key not in self._lists:
            while len(self._lists) >= N_LISTS:
                self._lists.pop(next(iter(self._lists)))
            self._lists[key] = VerletList(self.structure, atoms.numbers, SKIN_A, self.layouts)
        return self._lists[key]


@lru_cache(maxsize=64)
def _compiled(layout: Layout) -> Any:
    """Return the compiled `predict` for one layout; models with the same layout share it."""
    import jax

    from helpers.gap.jax.energy import predict

    return jax.jit(partial(predict, layout))


def _unsorted(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    result = np.empty_like(values)
    result[order] = values
    return result


def _check_finite(values: Iterable[Any]) -> None:
    """Raise `PredictionError` if a result is not a number."""
    if not all(np.isfinite(value).all() for value in values):
        raise PredictionError(
            "The potential gives no finite energy for these atoms",
            fix="check the distances between them",
        )
