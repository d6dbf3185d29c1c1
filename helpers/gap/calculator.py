"""`PotentialCalculator`: what the ASE calculators of all engines share; and checks of atoms."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from helpers.boundaries import periodic_directions, with_boundaries
from helpers.errors import PredictionError
from helpers.gap.model import GapModel

FARTHEST_A = 1e5  # beyond it quippy is slow, wrong, or ends the process


class PotentialCalculator(Calculator):
    """Base of the calculators of all engines: checks of atoms, and a lock for threads.

    Attributes
    ----------
    engine : str
        ``"jax"`` or ``"quippy"``.
    path : Path or None
        The model file, where it came from one.
    model : GapModel or None
        Its numbers, where the kit could read them.
    """

    engine: str

    def __init__(self, path: Path | None, model: GapModel | None) -> None:
        super().__init__()
        self.path, self.model = path, model
        # ASE's results (and quippy) are one state, which threads would mix up.
        self._lock = threading.RLock()

    def get_property(
        self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True
    ) -> Any:
        """Return a property, as every ASE calculator does; safe to call from several threads."""
        with self._lock:
            return super().get_property(name, atoms, allow_calculation)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute energy (eV), forces (eV/Å) and, where asked for, stress (eV/Å³).

        Raises
        ------
        PredictionError
            If the atoms hold an element that the model was not trained on, positions that are
            not finite, or atoms so close that the result is not a finite number.
        """
        super().calculate(atoms, properties, system_changes)
        self._check(self.atoms)
        atoms = with_boundaries(self.atoms, error=PredictionError)
        self.results = self._predict(atoms, properties or ())

    def _predict(self, atoms: Atoms, properties: Sequence[str] = ()) -> dict[str, Any]:
        """Return results by ASE's names for atoms that were checked."""
        raise NotImplementedError

    def check_frames(self, frames: Iterable[Atoms]) -> None:
        """Raise `PredictionError` if the potential cannot be asked about one of the frames."""
        for atoms in frames:
            self._check(atoms)

    def _check(self, atoms: Atoms) -> None:
        name = self.path.name if self.path else self.model.label if self.model else "the potential"
        check_atoms(atoms, self.model, name)


def check_atoms(atoms: Atoms, model: GapModel | None, name: str) -> None:
    """Refuse atoms for which there is no meaningful answer.

    Parameters
    ----------
    atoms : ase.Atoms
        What the potential is asked about.
    model : GapModel or None
        The potential, where its numbers are known.
    name : str
        What to call it.

    Raises
    ------
    PredictionError
        If there are no atoms, positions or cell are not finite, the atoms have flown apart, the
        cell is flat, or an element is unknown to the model.
    """
    if len(atoms) == 0:
        raise PredictionError("There are no atoms", expected="at least one atom")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise PredictionError(
            "Positions or cell are not finite numbers", fix="check how the atoms were made"
        )
    if np.abs(atoms.positions).max() > FARTHEST_A:  # quippy would take all memory
        raise PredictionError(
            "The atoms have flown apart",
            expected=f"positions within {FARTHEST_A:g} Å",
            found=f"{np.abs(atoms.positions).max():.3g} Å",
            fix="check the unit (Å), or take a shorter time step",
        )
    periodic_directions(atoms.cell.array, atoms.pbc, error=PredictionError)
    if model is None:
        return
    unknown = sorted(set(atoms.symbols) - set(model.elements))
    if unknown:
        raise PredictionError(
            f"{name} knows nothing about {', '.join(unknown)}",
            expected=f"only {' and '.join(model.elements)}",
            fix="use other atoms, or train on frames with these elements",
        )
