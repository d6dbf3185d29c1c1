"""The training set of a fit: what a GAP is trained on, made of frames that were read and checked.

QUIP and ASE read the same file differently. gap_fit takes every cell for fully periodic, finds no
energy where there is no cell, obeys keys in a frame (``energy_sigma``, ``force_mask``, …), and
stops at columns that it does not expect. So it is never given the user's file, but one that is
written here: elements, positions, the labels in use, and a cell in which all atoms have the
neighbors that they have in the frame with its own periodicity.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.stress import voigt_6_to_full_3x3_stress

from helpers.datasets.composition import (
    composition,
    least_squares_e0,
    unexplained_energies,
    varies,
)
from helpers.errors import ConfigError, DataError, nearest
from helpers.frames import check_labels, forces_label, label
from helpers.gap.config import GapConfig, PairSettings, TwoBody
from helpers.gap.gap_fit_keys import IN_FRAMES
from helpers.neighbors import find_pairs, periodic_box

VIRIAL = "virial"
# One energy per atom cannot stand for several elements whose energies differ by more than this;
# bonds and structures make energies per atom differ by less.
LARGEST_SPREAD_eV_PER_ATOM = 2.0


@dataclass(frozen=True)
class TrainingSet:
    """Frames that hold what a potential is trained on, and nothing else.

    Attributes
    ----------
    frames : list of ase.Atoms
        Periodic along all axes. The energy stands in ``info`` and the forces in ``arrays`` under
        the names of the config; ``info["virial"]``, (3, 3), eV, only where it is in use.
    pairs : tuple of (dict or None)
        For each pair term of the config, where gap_fit cannot make one for every pair of elements:
        atomic numbers of those that get one, each with the settings in which it differs.
    e0 : dict
        Energies of isolated atoms by element, eV; empty unless ``e0_method="isolated"``.
    n_energies, n_force_components, n_virial_components : int
        Labels.
    """

    frames: list[Atoms] = field(repr=False)
    pairs: tuple[PairSettings | None, ...]
    e0: dict[str, float]
    n_energies: int
    n_force_components: int
    n_virial_components: int

    def settings(self, config: GapConfig) -> GapConfig:
        """Return the config with the energies of isolated atoms that were found, if it asks so."""
        if config.e0_method != "isolated":
            return config
        return config.replace(e0_method=None, e0=self.e0)


def training_set(
    config: GapConfig, frames: Sequence[Atoms], *, source: str = "the frames"
) -> TrainingSet:
    """Check frames, and return what a GAP is trained on.

    Parameters
    ----------
    config : GapConfig
        Names of the labels, cutoffs, whether virials are used (third number of
        ``default_sigma``), `e0`.
    frames : sequence of ase.Atoms
        With energies and forces. Frames with energies only are allowed beside others, and a
        single atom needs no forces.
    source : str
        Name of the frames in messages.

    Raises
    ------
    DataError
        If a label is missing, damaged, or belongs to other atoms.
    ConfigError
        If the energies of isolated atoms are missing, or cannot be one mean energy.
    """
    names = config.energy_parameter_name, config.force_parameter_name
    check_labels(frames, *names, source=source, energies_suffice=True)
    _check_config_types(config, frames, source)
    cutoff_A = config.longest_cutoff_A
    bare = [
        _bare(atoms, config, cutoff_A, f"Frame {k} of {source}")
        for k, atoms in enumerate(frames, start=1)
    ]
    without = sum(names[1] not in atoms.arrays for atoms in bare)
    if without:
        warnings.warn(
            f"{without} of the {len(bare)} frames of {source} have no {names[1]!r}: the potential "
            "is trained on their energies only",
            stacklevel=3,
        )
    unused = sum(
        VIRIAL not in atoms.info and (VIRIAL in given.info or label(given, "stress") is not None)
        for atoms, given in zip(bare, frames, strict=True)
    )
    if unused:
        warnings.warn(
            f"{unused} of the {len(bare)} frames of {source} have virials that are not used: give "
            "their expected error, eV per atom, as the third number of default_sigma to train on "
            "them",
            stacklevel=3,
        )
    return TrainingSet(
        frames=bare,
        pairs=tuple(
            _pair_terms(bare, term.cutoff) for term in config.terms if isinstance(term, TwoBody)
        ),
        e0=_check_e0(config, bare, cutoff_A, source),
        n_energies=len(bare),
        n_force_components=sum(
            atoms.arrays[names[1]].size for atoms in bare if names[1] in atoms.arrays
        ),
        n_virial_components=6 * sum(VIRIAL in atoms.info for atoms in bare),
    )


def virial_label(atoms: Atoms, where: str = "The frame") -> np.ndarray | None:
    """Return the virial of a frame, −dE/dε = −V·stress, shape (3, 3), eV; None if it has none.

    It stands in ``info["virial"]``, or follows from ASE's ``stress`` (in eV/Å³, positive where the
    crystal is stretched) if the frame is periodic along all axes.

    Raises
    ------
    DataError
        If it is not a symmetric matrix of finite numbers, or the two contradict each other.
    """
    found = {}
    if "virial" in atoms.info:
        found["virial"] = atoms.info["virial"]
    stress = label(atoms, "stress")
    if stress is not None and atoms.pbc.all() and atoms.cell.rank == 3:
        found["stress"] = stress
    virials = []
    for name, value in found.items():
        values = np.asarray(value)
        if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            raise DataError(f"{where}: {name!r} is not a finite number everywhere")
        if values.shape == (6,) and name == "stress":
            matrix = voigt_6_to_full_3x3_stress(values)
        elif values.size == 9:
            matrix = values.reshape(3, 3).astype(float)
        else:
            raise DataError(
                f"{where}: {name!r} has the wrong shape",
                expected="(3, 3) or (9,)",
                found=str(values.shape),
            )
        if not np.allclose(matrix, matrix.T, rtol=1e-3, atol=1e-5 * max(1.0, np.abs(matrix).max())):
            raise DataError(
                f"{where}: {name!r} is not symmetric",
                found=str(matrix.round(4).tolist()),
                fix="check the order of its components",
            )
        symmetric = (matrix + matrix.T) / 2
        virials.append(symmetric if name == "virial" else -atoms.get_volume() * symmetric)
    if not virials:
        return None
    largest = max(np.abs(virials[0]).max(), 1e-3)
    if len(virials) == 2 and np.abs(virials[0] - virials[1]).max() > 0.01 * largest:
        raise DataError(
            f"{where}: its virial and its stress contradict each other",
            expected="virial = −V·stress (eV), with the stress as ASE has it",
            found=f"traces {np.trace(virials[0]):.4g} and {np.trace(virials[1]):.4g} eV",
            fix="remove one of them",
        )
    return virials[0]


def virial_in_use(config: GapConfig, atoms: Atoms, where: str = "The frame") -> np.ndarray | None:
    """Return the virial of a frame as `virial_label` does, if the config has an error for it."""
    has_error = config.sigmas_of(config.config_type_of(atoms))[2] > 0
    return virial_label(atoms, where) if has_error else None


def format_frames(training: Iterable[Atoms]) -> str:
    """Return frames of a `TrainingSet` as extended XYZ for gap_fit, with all digits."""
    lines = []
    for atoms in training:
        columns = {n: a for n, a in atoms.arrays.items() if n not in ("numbers", "positions")}
        kinds = {"f": "R", "i": "I", "u": "I", "b": "L"}
        words = [
            f'Lattice="{_numbers(atoms.cell.array)}"',
            "Properties=species:S:1:pos:R:3"
            + "".join(f":{n}:{kinds[a.dtype.kind]}:{a[0].size}" for n, a in columns.items()),
            *(f"{name}={_value(value)}" for name, value in atoms.info.items()),
            'pbc="T T T"',
        ]
        lines += [str(len(atoms)), " ".join(words)]
        for k, symbol in enumerate(atoms.symbols):
            row = [_numbers(atoms.positions[k])]
            row += [_value(array[k]).strip('"') for array in columns.values()]
            lines.append(" ".join([symbol, *row]))
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """Return a value of extended XYZ, which gap_fit reads as it was."""
    array = np.asarray(value)
    if array.dtype.kind == "b":
        words = ["T" if each else "F" for each in array.ravel()]
    elif array.dtype.kind in "iu":
        words = [str(each) for each in array.ravel().tolist()]
    elif array.dtype.kind == "f":
        words = _numbers(array).split()
    else:
        words = str(value).split()
    text = " ".join(words)
    return text if len(words) == 1 else f'"{text}"'


def _numbers(values: np.ndarray) -> str:
    return " ".join(map(repr, np.ravel(np.asarray(values, float)).tolist()))


def _bare(atoms: Atoms, config: GapConfig, cutoff_A: float, where: str) -> Atoms:
    """Return a frame with what gap_fit reads only, in a cell that is periodic along all axes."""
    names = config.energy_parameter_name, config.force_parameter_name
    lengths = atoms.cell.lengths()
    if (atoms.pbc & (lengths == 0)).any():
        raise DataError(
            f"{where} is periodic along an axis on which its cell has no length",
            found=f"pbc {atoms.pbc.tolist()}, lengths {lengths.round(3).tolist()} Å",
            fix="set the cell, or pbc=False for a molecule",
        )
    box = periodic_box(atoms.positions, atoms.cell.array, atoms.pbc, cutoff_A)
    result = Atoms(atoms.numbers, atoms.positions, cell=box, pbc=True)
    result.info[names[0]] = float(label(atoms, names[0]))
    forces = forces_label(atoms, names[1])
    if forces is not None:
        result.arrays[names[1]] = np.array(forces, float)
    virial = virial_in_use(config, atoms, where)
    if virial is not None:
        result.info[VIRIAL] = virial
    named = set((config.further_keys or {}).values())  # what the config asks gap_fit to read
    for name in IN_FRAMES - named:
        if name in atoms.info or name in atoms.arrays:
            raise DataError(
                f"{where} holds {name!r}, which gap_fit would obey and the kit does not",
                fix="delete it from the frames; expected errors of their own for some frames are "
                "told by config_type and config_type_sigma",
            )
    further = named | ({"config_type"} if config.config_type_sigma else set())
    further -= {VIRIAL, *names}
    result.info |= {name: atoms.info[name] for name in further if name in atoms.info}
    for name in further & set(atoms.arrays):
        result.arrays[name] = atoms.arrays[name].copy()
    return result


def _check_config_types(config: GapConfig, frames: Sequence[Atoms], source: str) -> None:
    """Refuse expected errors of config types that no frame has, which gap_fit would ignore."""
    if config.config_type_sigma is None:
        return
    types = [atoms.info["config_type"] for atoms in frames if "config_type" in atoms.info]
    for config_type in types:
        if not isinstance(config_type, str):
            raise DataError(
                f"A frame of {source} has config_type={config_type!r}",
                expected="a word: gap_fit takes numbers and logicals for no config type at all",
                fix="rename it, in the frames and in config_type_sigma",
            )
    for name in set(config.config_type_sigma) - {*types, "default"}:
        raise ConfigError(
            f"config_type_sigma names {name!r}, and no frame of {source} has this config_type",
            found=", ".join(sorted(set(types))) or "no config_type at all",
            fix=nearest(name, types),
        )


def _pair_terms(
    frames: Sequence[Atoms], cutoff_A: float
) -> dict[tuple[int, int], dict[str, Any]] | None:
    """Return the pairs of elements that meet within a distance, with settings of their own.

    gap_fit stops at a pair that never meets, and at one of which all distances are the same, for
    which it cannot choose sparse points in equal steps. None if there is no such pair.
    """
    elements = list(dict.fromkeys(int(z) for atoms in frames for z in atoms.numbers))
    shortest = dict.fromkeys(combinations_with_replacement(elements, 2), np.inf)
    longest = dict.fromkeys(shortest, 0.0)
    settled: set[tuple[int, int]] = set()
    for atoms in frames:
        if len(settled) == len(shortest):
            return None
        pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, cutoff_A)
        for pair in shortest.keys() - settled:
            low, high = sorted(pair)
            distances = pairs.between((low, high), atoms.numbers, cutoff_A).distance
            shortest[pair] = min(shortest[pair], distances.min(initial=np.inf))
            longest[pair] = max(longest[pair], distances.max(initial=0.0))
            if longest[pair] - shortest[pair] > 1e-6:
                settled.add(pair)
    if len(settled) == len(shortest):
        return None
    once = {"sparse_method": "random", "n_sparse": 1}
    return {pair: {} if pair in settled else once for pair in shortest if shortest[pair] < np.inf}


def _check_e0(
    config: GapConfig, frames: Sequence[Atoms], cutoff_A: float, source: str
) -> dict[str, float]:
    """Refuse missing or contradictory energies of isolated atoms, and a mean that means nothing."""
    name = config.energy_parameter_name
    elements = {symbol for atoms in frames for symbol in atoms.symbols}
    if config.e0 is not None:
        if isinstance(config.e0, Mapping) and elements - set(config.e0):
            missing = ", ".join(sorted(elements - set(config.e0)))
            raise ConfigError(f"e0 has no energy for {missing}", fix="add it, in eV")
        return {}
    if config.e0_method == "isolated":
        return _isolated_energies(frames, name, cutoff_A, elements, source)
    energies = [atoms.info[name] for atoms in frames]
    if varies(composition(frames)[1]):
        fitted = least_squares_e0(frames, energies)
        spread = float(np.std([e / len(atoms) for e, atoms in zip(energies, frames, strict=True)]))
        unexplained = float(np.sqrt(np.mean(unexplained_energies(frames, energies) ** 2)))
        if spread > LARGEST_SPREAD_eV_PER_ATOM and unexplained < 0.5 * spread:
            numbers = ", ".join(f"{s!r}: {e:.4f}" for s, e in fitted.items())
            raise ConfigError(
                "e0_method='average' gives all elements the same energy, and the frames of "
                f"{source} differ in composition",
                found=f"energies that spread by {spread:.3g} eV per atom, of which the numbers of "
                f"atoms explain all but {unexplained:.3g}",
                fix=f"e0_method=None with e0={{{numbers}}} (least squares over these frames), or "
                "the energies of isolated atoms",
            )
    return {}


def _isolated_energies(
    frames: Sequence[Atoms], name: str, cutoff_A: float, elements: set[str], source: str
) -> dict[str, float]:
    found: dict[str, float] = {}
    for atoms in frames:
        if len(atoms) != 1:
            continue
        pairs = find_pairs(atoms.positions, atoms.cell.array, atoms.pbc, cutoff_A)
        if len(pairs.first):  # a crystal with one atom in its cell
            continue
        symbol, energy = str(atoms.symbols[0]), atoms.info[name]
        if not math.isclose(found.setdefault(symbol, energy), energy, abs_tol=1e-6):
            raise DataError(
                f"{source} has two isolated {symbol} atoms with different energies",
                found=f"{found[symbol]:.6f} and {energy:.6f} eV",
                fix="keep one of them",
            )
    if elements - set(found):
        raise ConfigError(
            "e0_method='isolated' needs a frame with one atom of each element",
            found=f"none for {', '.join(sorted(elements - set(found)))} in {source}",
            fix="add such frames, give e0, or use e0_method='average' where all frames have the "
            "same composition",
        )
    return {symbol: found[symbol] for symbol in sorted(found, key=atomic_numbers.__getitem__)}
