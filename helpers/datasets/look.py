"""A look at frames before anything is trained on them: what is there, and what looks wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.geometry import find_mic

from helpers.datasets.composition import molecule_counts, unexplained_energies
from helpers.datasets.labels import ENERGY_UNITS, POLARIZABILITY, VIRIAL
from helpers.datasets.reading import Dataset
from helpers.frames import ENERGY_NAME, FORCES_NAME
from helpers.neighbors import find_pairs

OUTLIER = 8.0  # distances from the median beyond which a value is an outlier, in robust deviations
TOO_CLOSE = 0.6  # of the sum of covalent radii; the O–H bonds of water at 400 K reach 0.9
FARTHEST_STEP_A = 0.2  # frames further apart say nothing about forces against energies
FEWEST_STEPS = 3
USUAL_SLOPE = 1.4  # long steps make it differ from 1; the nearest mistake, Å for Bohr, gives 1.9
VACUUM_A = 8.0
NEAR_A = 4.0  # how far nearest neighbors are looked for
LARGEST_NET_FORCE = 0.05  # part of the mean force; DFT on a grid gives 0.01
USUAL_FORCES_eV_PER_A = (0.005, 15.0)
NOBLE_GASES = {"He", "Ne", "Ar", "Kr", "Xe", "Rn"}  # their nearest atoms are no bond away


@dataclass(frozen=True)
class Remark:
    """One thing that was seen.

    Attributes
    ----------
    about : str
        ``"labels"``, ``"duplicates"``, ``"outliers"``, ``"units"``, ``"periodicity"``, …
    text : str
        What was seen and what to do about it.
    problem : bool
        Whether it should be mended before training.
    frames : tuple of str
        Where: file and number.
    """

    about: str
    text: str
    problem: bool = False
    frames: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """What frames hold.

    Attributes
    ----------
    dataset : Dataset
    per_frame : DataFrame, one row per frame
        ``frame`` (file and number), ``formula``, ``n_atoms``, ``pbc`` (such as ``"T T F"``),
        ``volume_A3_per_atom`` (periodic frames), ``energy_eV_per_atom``,
        ``unexplained_eV_per_atom`` (energy less what the elements alone explain),
        ``mean_force_eV_per_A`` (root mean square of components), ``largest_force_eV_per_A``,
        ``net_force_eV_per_A``, ``closest_A``, ``closest_ratio`` (to the sum of covalent radii),
        ``virial``, ``polarizability``, ``constraints`` (True or False).
    kinds : DataFrame
        Frames by formula and periodicity.
    spreads : DataFrame
        Smallest, mean and largest value and standard deviation of each quantity.
    nearest : DataFrame
        ``pair``, ``shortest_A``, ``median_A`` of nearest neighbors, by pair of elements.
    slope : float or None
        ΔE against −F·Δr between frames that follow each other; 1 where energies, forces and
        positions belong together. None where frames are too different.
    molecules : dict
        Of the first frame, by formula.
    remarks : tuple of Remark
        Problems first.
    """

    dataset: Dataset = field(repr=False)
    per_frame: pd.DataFrame = field(repr=False)
    kinds: pd.DataFrame = field(repr=False)
    spreads: pd.DataFrame = field(repr=False)
    nearest: pd.DataFrame = field(repr=False)
    slope: float | None
    molecules: dict[str, int]
    remarks: tuple[Remark, ...] = field(repr=False)

    @property
    def problems(self) -> tuple[Remark, ...]:
        """Remarks about what should be mended before training."""
        return tuple(remark for remark in self.remarks if remark.problem)


def look_at(dataset: Dataset) -> Look:
    """Look at frames: counts, spreads, outliers, duplicates, units, periodicity, missing labels.

    Parameters
    ----------
    dataset : Dataset
        Of `read_dataset` or `from_atoms`.

    Returns
    -------
    Look
    """
    pairs = [_nearest_pairs(atoms) for atoms in dataset]
    table = _frame_table(dataset, pairs)
    slope, n_steps = _slope(dataset)
    remarks = [
        *_labels(dataset, table),
        *_duplicates(dataset),
        *_outliers(table),
        *_forces(table),
        *_slope_remarks(slope, n_steps),
        *_distances(dataset, table),
        *_periodicity(dataset, table),
        *(Remark("reading", note) for note in dataset.notes),
    ]
    kinds = table.groupby(["formula", "pbc"], sort=False).size().rename("frames").reset_index()
    return Look(
        dataset=dataset,
        per_frame=table,
        kinds=kinds.sort_values("frames", ascending=False, ignore_index=True),
        spreads=_spreads(table),
        nearest=_nearest_table(pairs),
        slope=slope,
        molecules=molecule_counts(dataset[0]),
        remarks=tuple(sorted(remarks, key=lambda remark: not remark.problem)),
    )


class _Nearest(NamedTuple):
    """The nearest neighbors of the atoms of a frame: elements in ascending order, distance."""

    low: np.ndarray
    high: np.ndarray
    distance_A: np.ndarray


def _nearest_pairs(atoms: Atoms) -> _Nearest:
    """Return the nearest neighbor of each atom within reach: elements and distance."""
    found = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, NEAR_A)
    if len(atoms) > 1 and len(np.unique(found.first)) < len(atoms):
        found = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, 2.5 * NEAR_A)
    order = np.lexsort((found.distance, found.first))
    _, first = np.unique(found.first[order], return_index=True)
    one, other = (atoms.numbers[ends[order][first]] for ends in (found.first, found.second))
    distance_A = found.distance[order][first]
    return _Nearest(np.minimum(one, other), np.maximum(one, other), distance_A)


def _frame_table(dataset: Dataset, pairs: Sequence[_Nearest]) -> pd.DataFrame:
    rows = []
    for atoms, source, near in zip(dataset, dataset.sources, pairs, strict=True):
        volume = atoms.get_volume() if atoms.pbc.all() else np.nan
        forces = atoms.arrays.get(FORCES_NAME)
        ratio = near.distance_A / (covalent_radii[near.low] + covalent_radii[near.high])
        rows.append(
            {
                "frame": source,
                "formula": atoms.get_chemical_formula(),
                "n_atoms": len(atoms),
                "pbc": " ".join("T" if axis else "F" for axis in atoms.pbc),
                "volume_A3_per_atom": volume / len(atoms),
                "energy_eV_per_atom": atoms.info.get(ENERGY_NAME, np.nan) / len(atoms),
                "unexplained_eV_per_atom": np.nan,
                "mean_force_eV_per_A": _rms(forces),
                "largest_force_eV_per_A": np.nan
                if forces is None
                else np.linalg.norm(forces, axis=1).max(),
                "net_force_eV_per_A": np.nan
                if forces is None
                else np.linalg.norm(forces.sum(0)) / np.sqrt(len(atoms)),
                "closest_A": near.distance_A.min() if len(ratio) else np.nan,
                "closest_ratio": ratio.min() if len(ratio) else np.nan,
                "virial": VIRIAL in atoms.info,
                "polarizability": POLARIZABILITY in atoms.info,
                "constraints": bool(atoms.constraints),
            }
        )
    table = pd.DataFrame(rows)
    known = np.flatnonzero(table["energy_eV_per_atom"].notna() & (table["n_atoms"] > 1))
    if len(known):
        frames = [dataset[int(k)] for k in known]
        energies = [atoms.info[ENERGY_NAME] for atoms in frames]
        table.loc[known, "unexplained_eV_per_atom"] = unexplained_energies(frames, energies)
    return table


def _rms(values: np.ndarray | None) -> float:
    return float("nan") if values is None else float(np.sqrt(np.mean(np.square(values))))


def _spreads(table: pd.DataFrame) -> pd.DataFrame:
    names = [
        *("n_atoms", "energy_eV_per_atom", "unexplained_eV_per_atom", "mean_force_eV_per_A"),
        *("largest_force_eV_per_A", "volume_A3_per_atom", "closest_A"),
    ]
    described = table[names].astype(float).describe().T[["min", "mean", "max", "std"]]
    described = described.rename_axis("quantity").reset_index().dropna(subset=["mean"])
    return described.rename(
        columns={"min": "smallest", "max": "largest", "std": "standard_deviation"}
    )


def _nearest_table(pairs: Sequence[_Nearest]) -> pd.DataFrame:
    columns = [np.concatenate(values) for values in zip(*pairs, strict=True)]
    together = pd.DataFrame(dict(zip(("low", "high", "distance"), columns, strict=True)))
    rows = [
        {
            "pair": f"{chemical_symbols[low]}–{chemical_symbols[high]}",
            "shortest_A": group["distance"].min(),
            "median_A": group["distance"].median(),
        }
        for (low, high), group in together.groupby(["low", "high"])
    ]
    return pd.DataFrame(rows, columns=["pair", "shortest_A", "median_A"])


def _slope(dataset: Dataset) -> tuple[float | None, int]:
    """Return ΔE against −F·Δr over steps between neighboring frames, and the number of steps.

    The force is the mean of both ends, which is exact for harmonic motion; steps along which the
    force changes much count less, because there the mean says little.
    """
    changes, works = [], []
    for before, after in zip(dataset[:-1], dataset[1:], strict=True):
        if any(ENERGY_NAME not in a.info or FORCES_NAME not in a.arrays for a in (before, after)):
            continue
        if not np.array_equal(before.numbers, after.numbers):
            continue
        if np.abs(before.cell.array - after.cell.array).max() > 1e-4:
            continue
        step = after.positions - before.positions
        if after.pbc.any():
            step = find_mic(step, after.cell, after.pbc)[0]
        if not 1e-6 < np.abs(step).max() < FARTHEST_STEP_A:
            continue
        changes.append(after.info[ENERGY_NAME] - before.info[ENERGY_NAME])
        works.append([-np.sum(a.arrays[FORCES_NAME] * step) for a in (before, after)])
    if len(works) < FEWEST_STEPS:
        return None, len(works)
    at_ends_eV = np.array(works)
    difference_eV = np.abs(np.diff(at_ends_eV, axis=1)[:, 0])
    weights = 1 / (difference_eV + 0.1 * difference_eV.mean() + 1e-12)
    changes_eV, works_eV = np.array(changes), at_ends_eV.mean(1)
    correlation = np.sum(changes_eV * works_eV) / np.sqrt(
        np.sum(changes_eV**2) * np.sum(works_eV**2) + 1e-300
    )
    if abs(correlation) < 0.8:  # clearly none, or steps that are too long to tell
        return (0.0 if abs(correlation) < 0.3 and len(works) >= 10 else None), len(works)
    weighted_eV = weights**2 * works_eV
    return float(np.sum(weighted_eV * changes_eV) / np.sum(weighted_eV * works_eV)), len(works)


def _slope_remarks(slope: float | None, n_steps: int) -> Iterator[Remark]:
    if slope is None:
        yield Remark(
            "forces and energies",
            "Frames that follow each other are too different to compare forces with energies.",
        )
    elif slope == 0.0:
        yield Remark(
            "forces and energies",
            f"Over {n_steps} steps between frames, energies do not change as the forces say. Do "
            "energies and forces belong to the same frames, in the same order?",
            problem=True,
        )
    elif 1 / USUAL_SLOPE < slope < USUAL_SLOPE:
        yield Remark(
            "forces and energies",
            f"Energies change as the forces say: ΔE = {slope:.2f} × (−F·Δr) over {n_steps} steps.",
        )
    else:
        sign = "The sign of the forces is wrong: these are gradients. " if slope < 0 else ""
        units = ", or ".join(_explaining(abs(slope)))
        cause = f"That is so if they are {units}. " if units else ""
        right = abs(slope + 1) < 0.2
        yield Remark(
            "units",
            f"Energies and forces do not belong together: ΔE = {slope:.3g} × (−F·Δr) over "
            f"{n_steps} steps. {sign}{'' if right else cause}"
            "Give the units of the file, or mend it.",
            problem=True,
        )


def _explaining(slope: float) -> list[str]:
    """Return the units of energies and forces, taken for eV and eV/Å, that explain a slope."""
    energy_units = {u: f for u, f in ENERGY_UNITS.items() if u != "meV"}
    force_units = {f"{u}/Å": f for u, f in energy_units.items()}
    force_units["Hartree/Bohr"] = ENERGY_UNITS["Hartree"] / 0.529177
    force_units["Ry/Bohr"] = ENERGY_UNITS["Ry"] / 0.529177
    return [
        f"in {energy} and {force}"
        for energy, e in energy_units.items()
        for force, f in force_units.items()
        if abs(slope / (f / e) - 1) < 0.05
    ][:3]


def _labels(dataset: Dataset, table: pd.DataFrame) -> Iterator[Remark]:
    no_energy = table["energy_eV_per_atom"].isna()
    no_forces = table["mean_force_eV_per_A"].isna()
    for missing, what, needed in ((no_energy, "energy", True), (no_forces, "forces", False)):
        if missing.all():
            yield Remark("labels", f"No frame has {'an ' if needed else ''}{what}.", problem=True)
        elif missing.any():
            use = "cannot be trained on" if needed else "are used for their energies only"
            yield Remark(
                "labels",
                f"{missing.sum()} of {len(table)} frames have no {what}; they {use}.",
                needed,
                tuple(table["frame"][missing]),
            )
    alone = {
        str(atoms.symbols[0])
        for atoms in dataset
        if len(atoms) == 1
        and not len(_nearest_pairs(atoms).distance_A)
        and ENERGY_NAME in atoms.info
    }
    elements = {symbol for atoms in dataset for symbol in atoms.symbols}
    missing_atoms = ", ".join(sorted(elements - alone))
    if alone and not missing_atoms:
        yield Remark("isolated atoms", "There is an isolated atom of each element.")
    elif alone:
        yield Remark("isolated atoms", f"There are isolated atoms, but none of {missing_atoms}.")
    else:
        yield Remark("isolated atoms", "There are no isolated atoms.")
    for column, what in (("virial", "virials"), ("polarizability", "polarizabilities")):
        count = int(table[column].sum())
        yield Remark("labels", f"{count} of {len(table)} frames have {what}.")
    if table["constraints"].any():
        yield Remark(
            "labels",
            f"{table['constraints'].sum()} frames have constraints; the forces of fixed atoms are "
            "taken as they are in the file.",
        )


def _duplicates(dataset: Dataset) -> Iterator[Remark]:
    """Compare frames atom by atom, whatever their place: the same geometry twice, or otherwise."""
    seen: dict[bytes, int] = {}
    same: list[int] = []
    contradicting: list[int] = []
    for k, atoms in enumerate(dataset):
        relative = atoms.positions - atoms.positions[0]
        parts = (atoms.numbers, np.round(relative, 3) + 0.0, np.round(atoms.cell.array, 3) + 0.0)
        key = b"".join(np.ascontiguousarray(part, float).tobytes() for part in parts)
        before = seen.setdefault(key, k)
        if before == k:
            continue
        energies = [dataset[i].info.get(ENERGY_NAME, np.nan) for i in (before, k)]
        differ = abs(energies[1] - energies[0]) > 1e-3 * len(atoms)
        (contradicting if differ else same).append(k)
    if same:
        yield Remark(
            "duplicates",
            f"{len(same)} frames are there twice or more. If one is in the training set and the "
            "other validates it, the error looks too small: remove them.",
            True,
            tuple(dataset.sources[k] for k in same),
        )
    energies = [(len(a), a.info[ENERGY_NAME]) for a in dataset if ENERGY_NAME in a.info]
    again = len(energies) - len(set(energies)) - len(same)
    if again > 0.1 * len(energies):
        yield Remark(
            "labels",
            f"{again} frames have the energy of another one to the last digit, and other "
            "positions: labels that were kept when atoms were moved, or of one calculator for all?",
            problem=True,
        )
    if contradicting:
        yield Remark(
            "duplicates",
            f"{len(contradicting)} frames have the positions of another one and another energy: "
            "mixed settings of the calculation, or stale labels.",
            True,
            tuple(dataset.sources[k] for k in contradicting),
        )


def _outliers(table: pd.DataFrame) -> Iterator[Remark]:
    for column, what in (
        ("unexplained_eV_per_atom", "energy"),
        ("largest_force_eV_per_A", "largest force"),
        ("volume_A3_per_atom", "volume per atom"),
    ):
        values = table[column].to_numpy(float)
        known = np.isfinite(values)
        if known.sum() < 5:
            continue
        if column == "largest_force_eV_per_A":
            values = np.log(np.maximum(values, 1e-12))
        center = np.median(values[known])
        width = 1.4826 * np.median(np.abs(values[known] - center))
        far = known & (np.abs(values - center) > OUTLIER * max(width, 1e-6))
        if far.any() and far.sum() <= 0.1 * known.sum():
            yield Remark(
                "outliers",
                f"{far.sum()} frames lie far from the others in their {what}: look at them.",
                True,
                tuple(table["frame"][far]),
            )


def _forces(table: pd.DataFrame) -> Iterator[Remark]:
    known = table["mean_force_eV_per_A"].dropna().to_numpy()
    if not len(known):
        return
    mean = _rms(known)
    low, high = USUAL_FORCES_eV_PER_A
    if not low < mean < high:
        yield Remark(
            "units",
            f"The mean force is {mean:.3g} eV/Å, which is unusual"
            + (" (kcal/mol/Å or kJ/mol?)." if mean >= high else " (Hartree/Bohr, or relaxed?)."),
            problem=True,
        )
    net = table["net_force_eV_per_A"] > LARGEST_NET_FORCE * mean + 0.01
    if net.any():
        yield Remark(
            "forces",
            f"In {net.sum()} frames the forces do not add up to zero: an external potential, or "
            "forces that are not converged (in CP2K: a finer grid).",
            bool(net.mean() > 0.1),
            tuple(table["frame"][net]),
        )


def _distances(dataset: Dataset, table: pd.DataFrame) -> Iterator[Remark]:
    ratio = table["closest_ratio"].to_numpy(float)
    close = ratio < TOO_CLOSE
    bonded = np.array([not NOBLE_GASES.issuperset(atoms.symbols) for atoms in dataset])
    bonded &= np.isfinite(ratio)
    typical = np.median(ratio[bonded]) if bonded.any() else np.nan
    if typical > 1.7 or typical < 0.3:
        unit = "Bohr" if typical > 1.7 else "nm"
        yield Remark(
            "units",
            f"Nearest atoms are {typical:.2g} times as far apart as bonds are long. Are the "
            f"positions in {unit}?",
            problem=True,
        )
    elif close.any():
        yield Remark(
            "outliers",
            f"In {close.sum()} frames two atoms are closer than {TOO_CLOSE} of a bond length.",
            True,
            tuple(table["frame"][close]),
        )


def _periodicity(dataset: Dataset, table: pd.DataFrame) -> Iterator[Remark]:
    kinds = Counter(table["pbc"])
    if len(kinds) > 1:
        counts = ", ".join(f"{count} frames {pbc}" for pbc, count in kinds.most_common())
        yield Remark("periodicity", f"Frames differ in periodicity: {counts}.")
    empty = [k for k, atoms in enumerate(dataset) if len(atoms) > 1 and _has_vacuum(atoms)]
    if empty:
        yield Remark(
            "periodicity",
            f"{len(empty)} frames are periodic across more than {VACUUM_A:g} Å of vacuum. That is "
            "right if they were computed so; a molecule or slab may be pbc F along that axis.",
            frames=tuple(dataset.sources[k] for k in empty),
        )


def _has_vacuum(atoms: Atoms) -> bool:
    """Tell whether a periodic axis crosses an empty layer."""
    if atoms.cell.rank < 3:
        return False
    scaled = np.sort(atoms.get_scaled_positions(wrap=True), axis=0)
    gaps = np.diff(np.vstack([scaled, scaled[:1] + 1]), axis=0).max(0)
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    return bool((atoms.pbc & (gaps * heights > VACUUM_A)).any())
