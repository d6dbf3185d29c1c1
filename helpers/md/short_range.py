"""GAP below its shortest training distance, and a repulsive core against what happens there.

A GAP falls back to its mean, zero, where it has no data. The energy of two O atoms that approach
each other turns over near 2 Å, and an atom that gets there falls in. Three means against it: a
monitor that stops the run before (`Monitor`), the model's own uncertainty, which rises on the
way (`quality.uncertainty_along`), and a wall in front of the hole (`with_core_repulsion`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import atomic_numbers

from helpers.boundaries import with_boundaries
from helpers.errors import PredictionError
from helpers.gap.jax.terms import PairSettings
from helpers.gap.model import GapModel, GapTerm
from helpers.water import bonds

WALL_WIDTH_A = 0.1  # of its Gaussians


WALL_POINTS = 40


TRANSITION_A = 0.5  # over which gap_fit's pair terms fade out, unless told otherwise


CONTACT_A = 2.5  # O–O distance of a short hydrogen bond


def scan_close_contact(
    potential: Any,
    atoms: Atoms,
    distances_A: Sequence[float] | None = None,
    *,
    uncertain: bool = False,
) -> pd.DataFrame:
    """Return what a potential predicts while two neighboring molecules are pushed together.

    The two molecules whose O atoms are closest are moved rigidly along the line between them.

    Parameters
    ----------
    potential : path or calculator
        What `load_potential` takes or returns, for a model that JAX can evaluate.
    atoms : ase.Atoms
        Liquid water, not changed.
    distances_A : sequence of float, optional
        O–O distances; by default from 3 Å to 1.2 Å.
    uncertain : bool
        Ask for the uncertainty, too, which takes a second per distance.

    Returns
    -------
    DataFrame
        Columns ``distance_A``, ``energy_eV`` (relative to the largest distance) and, if asked for,
        ``sigma_meV``, the largest standard deviation of an atomic energy that the GAP expects.
    """
    from helpers.gap.potential import jax_calculator

    calculator = jax_calculator(potential)
    chosen = np.linspace(3.0, 1.2, 37) if distances_A is None else np.asarray(distances_A)
    first, second, along, before = _closest_molecules(atoms)
    frames = []
    for distance in chosen:
        pushed = atoms.copy()
        pushed.positions[first] += 0.5 * (before - distance) * along
        pushed.positions[second] -= 0.5 * (before - distance) * along
        frames.append(pushed)
    energy = np.array([value for value, _ in calculator.predict_frames(frames)])
    table = pd.DataFrame({"distance_A": chosen, "energy_eV": energy - energy[chosen.argmax()]})
    if uncertain:
        largest = np.array([calculator.get_variances(pushed).max() for pushed in frames])
        table["sigma_meV"] = 1000 * np.sqrt(np.maximum(largest, 0.0))
    return table


@dataclass(frozen=True)
class PesHole:
    """Where the energy falls although two molecules are pushed together.

    Attributes
    ----------
    edge_A : float
        O–O distance at which the fall begins, or NaN.
    depth_eV : float
        How far the energy falls from there; 0 if it only rises.
    """

    edge_A: float
    depth_eV: float


def find_pes_hole(table: pd.DataFrame) -> PesHole:
    """Return the deepest fall of the energy of a `scan_close_contact`, from 2.5 Å inwards."""
    inwards = table[table["distance_A"] <= CONTACT_A].sort_values("distance_A", ascending=False)
    energy = inwards["energy_eV"].to_numpy()
    falls = np.maximum.accumulate(energy) - energy
    end = int(falls.argmax())
    if falls[end] <= 0:
        return PesHole(float("nan"), 0.0)
    edge = inwards["distance_A"].to_numpy()[energy[: end + 1].argmax()]
    return PesHole(float(edge), float(falls[end]))


def with_core_repulsion(
    model: GapModel,
    *,
    pair: tuple[str, str] = ("O", "O"),
    from_A: float = 2.35,
    height_eV: float = 60.0,
) -> GapModel:
    """Return a model with a repulsive wall, which is nothing beyond `from_A`.

    The wall is one more pair term of the same kind that gap_fit makes, with weights that we choose:
    so the model stays an ordinary GAP, for both engines and for quippy, and can be written with
    `gap.xml.write_model`. It keeps runs out of the hole; inside it is no chemistry.

    Parameters
    ----------
    model : GapModel
    pair : (str, str)
        Elements.
    from_A : float
        Where the wall begins: less than any distance that the model was trained on.
    height_eV : float
        Of the wall at half of `from_A`; below it goes on rising to 0 Å.
    """
    numbers = sorted(atomic_numbers[element] for element in pair)
    if not from_A > 2 * TRANSITION_A:
        raise PredictionError(f"from_A={from_A!r} cannot be used", expected="some 2 Å")
    distance = np.linspace(0.0, from_A, 400)
    height = height_eV * np.clip(2 * (1 - distance / from_A), 0, None) ** 3
    points = np.linspace(0.0, from_A, WALL_POINTS)
    basis = np.exp(-0.5 * ((distance[:, None] - points) / WALL_WIDTH_A) ** 2)
    same = PairSettings((numbers[0], numbers[1]), from_A, TRANSITION_A, WALL_WIDTH_A)
    basis *= same.cutoff_factor(distance)[0][:, None]
    weights = np.linalg.lstsq(basis, height, rcond=1e-8)[0]
    options = {"cutoff": repr(from_A), "Z1": str(numbers[0]), "Z2": str(numbers[1])}
    term = GapTerm(
        kind="distance_2b",
        options=options,
        descriptor="distance_2b " + " ".join(f"{name}={value}" for name, value in options.items()),
        delta=1.0,
        zeta=None,
        theta=WALL_WIDTH_A,
        alpha=weights,
        sparse_cutoff=np.ones(WALL_POINTS),
        sparse_points=points[:, None],
    )
    return replace(model, terms=(*model.terms, term))


def _closest_molecules(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return the atoms of two molecules, the unit vector from O to O, and its length."""
    atoms = with_boundaries(atoms, error=PredictionError)
    oxygens = np.flatnonzero(atoms.numbers == 8)
    if len(oxygens) < 2:
        raise PredictionError("There are no two O atoms to push together", expected="liquid water")
    distances = atoms.get_all_distances(mic=True)[np.ix_(oxygens, oxygens)]
    np.fill_diagonal(distances, np.inf)
    i, j = np.unravel_index(distances.argmin(), distances.shape)
    vector = atoms.get_distance(oxygens[i], oxygens[j], mic=True, vector=True)
    pairs = bonds(atoms)
    first, second = (np.append(pairs[pairs[:, 0] == o, 1], o) for o in (oxygens[i], oxygens[j]))
    length = float(np.linalg.norm(vector))
    return first, second, vector / length, length
