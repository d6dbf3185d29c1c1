"""An ASE calculator around the compiled functions, with the same checks as quippy's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.stress import full_3x3_to_voigt_6_stress

from helpers.errors import PredictionError
from helpers.gap.calculator import PotentialCalculator
from helpers.gap.jax.layout import Plan, model_arrays, plan_terms
from helpers.gap.jax.verlet_list import VerletList
from helpers.gap.model import GapModel
from helpers.jax_setup import double_precision, enable_compilation_cache

if TYPE_CHECKING:
    from helpers.gap.jax.force_field import GapReplicas

PRECISIONS = {"double": 64, "mixed": 32}  # bits of the descriptors


class JaxCalculator(PotentialCalculator):
    """ASE calculator that evaluates a GAP with JAX.

    Parameters
    ----------
    model : GapModel
        The potential.
    path : Path, optional
        Where it came from, for messages.
    precision : str
        ``"double"``, or ``"mixed"``: descriptors with 32 bits, all else with 64. What that costs
        in accuracy, `precision.precision_error` measures.
    skin_A : float
        How much further than the cutoffs the neighbor lists reach.

    Attributes
    ----------
    engine : str
        ``"jax"``.
    model, path
        As given.
    plans : dict
        Room for neighbors that was enough so far, by composition and skin.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]
    engine = "jax"
    model: GapModel

    def __init__(
        self,
        model: GapModel,
        path: Path | None = None,
        *,
        precision: str = "double",
        skin_A: float = 0.5,
    ) -> None:
        super().__init__(path, model)
        if precision not in PRECISIONS:
            raise PredictionError(
                f"There is no precision {precision!r}", expected=" or ".join(PRECISIONS)
            )
        self.precision, self.skin_A = precision, skin_A
        self.terms = plan_terms(model, descriptor_bits=PRECISIONS[precision])
        self._lists: dict[tuple[int, ...], VerletList] = {}
        self.plans: dict[Any, Plan] = {}  # room that was enough so far, by composition and skin
        self._arrays: Any = None
        self._factors: dict[float, Any] = {}  # for variances, which are asked for frame by frame

    def __reduce__(self) -> tuple:
        return _rebuild, (self.model, self.path, self.precision, self.skin_A)

    def __repr__(self) -> str:
        name = self.path.name if self.path else self.model.label
        return f"JaxCalculator({name}, engine='jax', precision={self.precision!r})"

    def predict_frames(self, frames: Sequence[Atoms]) -> list[tuple[float, np.ndarray]]:
        """Return energy (eV) and forces (eV/Å) of many frames, compiling once per composition.

        Room for the neighbors of all frames is made first.
        """
        frames = list(frames)
        with self._lock:
            for atoms in frames:
                self._check(atoms)
                lists = self._list_for(atoms)
                lists.build(atoms.positions[lists.order], atoms.cell.array, atoms.pbc)
            found = [self._predict(atoms) for atoms in frames]
        return [(float(result["energy"]), result["forces"]) for result in found]

    def get_variances(self, atoms: Atoms, *, regularization: float = 0.001) -> np.ndarray:
        """Return the GAP variance of each atom's energy, shape (n_atoms,), eV².

        See `covariance.atomic_variances`; quippy calls it ``local_gap_variance``.
        """
        from helpers.gap.jax.covariance import atomic_variances, factorized

        self._check(atoms)
        if regularization not in self._factors:
            self._factors = {regularization: factorized(self.model, regularization=regularization)}
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

    def _predict(self, atoms: Atoms, wanted: Sequence[str] = ()) -> dict[str, Any]:
        """Return everything, whatever is wanted: it comes out of one compiled function."""
        lists = self._list_for(atoms)
        positions, cell = atoms.positions[lists.order], atoms.cell.array
        with double_precision():
            plan, neighbors = lists.get(positions, cell, atoms.pbc)
            found = _compiled(plan)(self.device_arrays(), positions, cell, neighbors)
            energy, energies, forces, virial = (np.asarray(value) for value in found)
        e0 = self.model.isolated_energies(atoms.numbers)
        results = {
            "energy": float(energy) + float(e0.sum()),
            "energies": e0 + _unsorted(energies, lists.order),
            "forces": _unsorted(forces, lists.order),
        }
        if atoms.cell.rank == 3:
            results["stress"] = full_3x3_to_voigt_6_stress(virial / atoms.get_volume())
        if not all(np.isfinite(value).all() for value in results.values()):
            raise PredictionError(
                "The potential gives no finite energy for these atoms",
                fix="check the distances between them",
            )
        return {**results, "free_energy": results["energy"]}

    def _list_for(self, atoms: Atoms) -> VerletList:
        """Return the neighbor list of atoms with these elements in this order."""
        key = tuple(atoms.numbers.tolist())
        if key not in self._lists:
            while len(self._lists) >= 16:
                self._lists.pop(next(iter(self._lists)))
            lists = VerletList(self.terms, atoms.numbers, self.skin_A, self.plans)
            self._lists[key] = lists
        return self._lists[key]

    def device_arrays(self) -> Any:
        """Return the model's numbers where JAX computes (see `plan.ModelArrays`)."""
        if self._arrays is None:
            import jax

            enable_compilation_cache()
            with double_precision():
                numbers = model_arrays(self.model)
                self._arrays = jax.device_put(numbers)
        return self._arrays


@lru_cache(maxsize=64)
def _compiled(plan: Plan) -> Any:
    """Return the compiled `predict` for one plan; models with the same plan share it."""
    import jax

    from helpers.gap.jax.energy import predict

    return jax.jit(partial(predict, plan))


def _unsorted(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    result = np.empty_like(values)
    result[order] = values
    return result


def _rebuild(model: GapModel, path: Path | None, precision: str, skin_A: float) -> JaxCalculator:
    return JaxCalculator(model, path, precision=precision, skin_A=skin_A)
