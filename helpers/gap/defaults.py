"""Settings of a fit that follow from the data, each with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers.datasets.composition import (
    composition,
    least_squares_e0,
    unexplained_energies,
    varies,
)
from helpers.errors import DataError
from helpers.frames import ENERGY_NAME, FORCES_NAME, check_labels, label
from helpers.gap.config import GapConfig, TwoBody
from helpers.gap.training_set import virial_label
from helpers.neighbors import PairList, find_pairs

N_NEIGHBORS = 25  # inside the cutoff: the first two shells of a close-packed metal hold 18
SHORTEST_CUTOFF_A, LONGEST_CUTOFF_A = 3.0, 6.0
BIN_A = 0.1
PART_OF_SPREAD = 0.02  # of the labels' spread that a fit need not reproduce
N_LOOK = 50  # frames whose distances are counted


@dataclass(frozen=True)
class Suggestion:
    """Settings, and why.

    Attributes
    ----------
    config : GapConfig
    reasons : DataFrame
        ``setting``, ``value``, ``reason``.
    """

    config: GapConfig
    reasons: pd.DataFrame = field(repr=False)


def suggest_config(
    frames: Sequence[Atoms],
    *,
    energy_name: str = ENERGY_NAME,
    forces_name: str = FORCES_NAME,
) -> Suggestion:
    """Return settings that suit frames: a start, from which a sweep may find better ones.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        The training frames, with labels.
    energy_name, forces_name : str
        Names of the labels.

    Returns
    -------
    Suggestion

    Raises
    ------
    DataError
        If labels are missing or damaged, or no atom has a neighbor.
    """
    check_labels(frames, energy_name, forces_name, energies_suffice=True)
    several = [atoms for atoms in frames if len(atoms) > 1 or len(_pairs(atoms, 4.0).first)]
    if not several:
        raise DataError("No atom of these frames has a neighbor", fix="give frames to train on")
    energies = [float(label(atoms, energy_name)) for atoms in several]
    e0, why_e0 = _e0(frames, several, energies, energy_name)
    cutoff_A, why_cutoff = _cutoff(several)
    spread = float(np.std(unexplained_energies(several, energies)))
    forces = [label(atoms, forces_name) for atoms in several]
    mean_force = float(
        np.sqrt(np.mean(np.concatenate([np.ravel(f) for f in forces if f is not None]) ** 2))
    )
    sigma_energy = _rounded(np.clip(PART_OF_SPREAD * spread, 0.0005, 0.01))
    sigma_force = _rounded(np.clip(PART_OF_SPREAD * mean_force, 0.005, 0.2))
    virials = [
        (virial, len(atoms))
        for atoms in several
        if (virial := virial_label(atoms)) is not None and len(atoms) > 0
    ]
    sigma_virial, why_virial = 0.0, "no frame has a virial or a stress"
    if virials:
        per_atom = float(np.sqrt(np.mean([np.mean((v / n) ** 2) for v, n in virials])))
        sigma_virial = _rounded(np.clip(PART_OF_SPREAD * per_atom, 0.002, 0.1))
        why_virial = (
            f"{len(virials)} frames have a virial, {per_atom:.3g} eV per atom in the mean; "
            f"{100 * PART_OF_SPREAD:g} % of it"
        )
    has_hydrogen = any(1 in atoms.numbers for atoms in several)
    counts = Counter(int(z) for atoms in several for z in atoms.numbers)
    n_sparse = int(np.clip(max(counts.values()) // 2, 20, 500))
    delta = _rounded(np.clip(10 * spread, 2.0, 10.0))
    settings: dict[str, tuple[Any, str]] = {
        "cutoff": (cutoff_A, why_cutoff),
        "cutoff_transition_width": (
            _rounded(cutoff_A / 3),
            "a third of the cutoff: neighbors come and go smoothly",
        ),
        "atom_sigma": (
            0.4 if has_hydrogen else 0.5,
            "bonds to hydrogen are short" if has_hydrogen else "no element has short bonds",
        ),
        "n_sparse": (
            n_sparse,
            f"half of the {max(counts.values())} environments of the commonest element, at most "
            "500; of a rare element all that there are",
        ),
        "delta": (
            delta,
            f"ten times {spread:.3g} eV, by which energies per atom spread beyond the elements' "
            "own, at least 2 eV: environments, of which they are means, vary by far more",
        ),
        "default_sigma": (
            (sigma_energy, sigma_force, sigma_virial, 0.0),
            f"{100 * PART_OF_SPREAD:g} % of the spread of energies ({spread:.3g} eV per atom) and "
            f"of the mean force ({mean_force:.3g} eV/Å), within bounds; {why_virial}",
        ),
        "two_body": (
            TwoBody(cutoff=_rounded(min(cutoff_A + 2.0, 7.5)), n_sparse=20, delta=delta),
            "pairs reach 2 Å further than environments",
        ),
        **({"e0": (e0, why_e0)} if isinstance(e0, dict) else {"e0_method": (e0, why_e0)}),
    }
    values = {name: value for name, (value, _) in settings.items()}
    if "e0" in values:
        values["e0_method"] = None
    values |= {"energy_parameter_name": energy_name, "force_parameter_name": forces_name}
    rows = [
        {"setting": name, "value": str(value), "reason": reason}
        for name, (value, reason) in settings.items()
    ]
    return Suggestion(GapConfig(**values), pd.DataFrame(rows))


def _pairs(atoms: Atoms, cutoff_A: float) -> PairList:
    return find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, cutoff_A)


def _cutoff(frames: Sequence[Atoms]) -> tuple[float, str]:
    """Return the distance that holds the first shells, moved to where few neighbors sit."""
    chosen = [frames[k] for k in np.unique(np.linspace(0, len(frames) - 1, N_LOOK).astype(int))]
    edges = np.arange(0, LONGEST_CUTOFF_A + 0.5 + BIN_A / 2, BIN_A)
    histogram = np.zeros(len(edges) - 1)
    for atoms in chosen:
        histogram += np.histogram(_pairs(atoms, edges[-1]).distance, edges)[0]
    neighbors = np.cumsum(histogram) / sum(len(atoms) for atoms in chosen)
    enough = int(np.searchsorted(neighbors, min(N_NEIGHBORS, 0.9 * neighbors[-1])))
    middle = float(np.clip(edges[enough + 1], SHORTEST_CUTOFF_A, LONGEST_CUTOFF_A))
    # Within 0.3 Å around it, the place where the pair distribution is lowest.
    density = histogram / np.maximum(edges[1:], BIN_A) ** 2
    near = np.flatnonzero(np.abs(edges[1:] - middle) < 0.35)
    cutoff = float(edges[1:][near[np.argmin(density[near])]])
    cutoff = round(float(np.clip(cutoff, SHORTEST_CUTOFF_A, LONGEST_CUTOFF_A)), 1)
    inside = neighbors[int(np.searchsorted(edges, cutoff - BIN_A / 2)) - 1]
    return cutoff, (
        f"it holds {inside:.0f} neighbors of an atom in the mean, and ends where few atoms sit"
    )


def _e0(
    frames: Sequence[Atoms], several: Sequence[Atoms], energies: Sequence[float], name: str
) -> tuple[str | dict[str, float], str]:
    elements = {symbol for atoms in several for symbol in atoms.symbols}
    alone = {
        str(atoms.symbols[0])
        for atoms in frames
        if len(atoms) == 1 and not len(_pairs(atoms, LONGEST_CUTOFF_A + 2).first)
    }
    if elements <= alone:
        return "isolated", "there is an isolated atom of each element"
    missing = ", ".join(sorted(elements - alone))
    if varies(composition(several)[1]):
        e0 = {symbol: round(e, 6) for symbol, e in least_squares_e0(several, energies).items()}
        return e0, f"least squares over the frames, as there is no isolated atom of {missing}"
    return "average", (
        f"all frames have one composition, and there is no isolated atom of {missing}"
    )


def _rounded(number: float) -> float:
    """Return a number with two significant digits."""
    return float(f"{number:.2g}")
