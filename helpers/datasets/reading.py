"""`read_dataset`: files of any known format → frames of one convention, and what was found."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from helpers.datasets.formats import LAMMPS_UNITS, WITH_UNITS, Options, file_format, read_file
from helpers.datasets.labels import (
    VIRIAL,
    energy_factor,
    find_names,
    forces_factor,
    length_factor,
    standard_frame,
)
from helpers.errors import ConfigError, DataError, nearest
from helpers.frames import ENERGY_NAME, FORCES_NAME

_UNITS = {"energy": energy_factor, "forces": forces_factor, "positions": length_factor}


@dataclass(frozen=True)
class Dataset(Sequence[Atoms]):
    """Frames of one convention: a sequence of `ase.Atoms`, which knows where they come from.

    Energies stand in ``info["dft_energy"]`` (eV), forces in ``arrays["dft_forces"]`` (eV/Å),
    virials in ``info["virial"]`` (−V·stress, (3, 3), eV), polarizabilities in
    ``info["Polarizability"]`` (9,).

    Attributes
    ----------
    frames : list of ase.Atoms
    sources : list of str
        File and number of each frame, such as ``"run1.xyz:12"``, counted from 1.
    names : dict
        Under which name each quantity stood in the files.
    notes : tuple of str
        What is to be told: what was taken for granted, chosen or left out.
    """

    frames: list[Atoms] = field(repr=False)
    sources: list[str] = field(repr=False)
    names: dict[str, str]
    notes: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Atoms: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...

    def __getitem__(self, index: int | slice) -> Atoms | Dataset:
        """Return a frame; for a slice, a data set."""
        if isinstance(index, slice):
            return replace(self, frames=self.frames[index], sources=self.sources[index])
        return self.frames[index]

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Atoms]:
        return iter(self.frames)

    def select(self, indices: Sequence[int]) -> Dataset:
        """Return the frames with these indices, in this order."""
        return replace(
            self,
            frames=[self.frames[i] for i in indices],
            sources=[self.sources[i] for i in indices],
        )

    def __str__(self) -> str:
        labels = Counter[str]()
        for atoms in self.frames:
            labels["energies"] += ENERGY_NAME in atoms.info
            labels["frames with forces"] += FORCES_NAME in atoms.arrays
            labels["virials"] += VIRIAL in atoms.info
        files = sorted({source.rpartition(":")[0] for source in self.sources})
        names = ", ".join(f"{quantity} from {name!r}" for quantity, name in self.names.items())
        lines = [
            f"{len(self)} frames of {len(files)} file{'s' * (len(files) != 1)} "
            f"({', '.join(files[:3])}{', …' * (len(files) > 3)}); {names or 'no labels'}",
            ", ".join(f"{count} {what}" for what, count in labels.items() if count),
            *self.notes,
        ]
        return "\n".join(line for line in lines if line)


def read_dataset(
    paths: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    elements: Sequence[str] = (),
    lammps_units: str | None = None,
) -> Dataset:
    """Read labeled frames of any known format.

    Extended XYZ (.gz too), ASE's .traj, .db and .json, VASP's OUTCAR and vasprun.xml, output of
    CP2K, Quantum ESPRESSO and FHI-aims, CP2K's -pos-1.xyz with -frc-1.xyz, LAMMPS dumps, DeePMD
    folders. docs/formats.md tells what is put right or refused in each of them.

    Parameters
    ----------
    paths : path or sequence of paths
        Files, patterns such as ``"runs/*/OUTCAR"``, or folders, of which all files with a known
        name are read.
    labels : mapping of str to str, optional
        Names of labels in the files: ``{"energy": "E0", "forces": "F"}``; also ``"virial"``,
        ``"stress"``, ``"polarizability"``. Others are found by common names.
    units : mapping of str to str, optional
        Units of ``"energy"``, ``"forces"`` and ``"positions"`` where they are not eV, eV/Å and Å,
        such as ``{"energy": "Hartree", "forces": "Hartree/Bohr"}``. The readers of programs'
        outputs convert by themselves.
    elements : sequence of str
        What types 1, 2, … of a LAMMPS dump are.
    lammps_units : str, optional
        ``"metal"`` or ``"real"``, for LAMMPS dumps.

    Returns
    -------
    Dataset
        Frames with the kit's label names, and what was found.

    Raises
    ------
    DataError
        If a file is missing, damaged or ambiguous, or a label is no finite number.
    ConfigError
        If an option cannot be used.
    """
    if lammps_units not in (None, *LAMMPS_UNITS):
        raise ConfigError(
            f"lammps_units={lammps_units!r} cannot be used",
            fix=nearest(str(lammps_units), LAMMPS_UNITS),
        )
    options = Options(tuple(elements), lammps_units)
    frames: list[Atoms] = []
    sources: list[str] = []
    notes: list[str] = []
    files = find_files(paths)
    formats = {file_format(path) for path in files}
    for name, value, wanted in (
        ("elements", tuple(elements), {"lammps-dump-text", "deepmd"}),
        ("lammps_units", lammps_units, {"lammps-dump-text"}),
    ):
        if value and not formats & wanted:
            raise ConfigError(
                f"{name}={value!r} has no meaning for these files",
                expected="a LAMMPS dump" + (" or a DeePMD folder" if len(wanted) > 1 else ""),
                found=", ".join(sorted(formats)),
                fix="leave it out",
            )
    if converted := [path for path in files if units and file_format(path) in WITH_UNITS]:
        raise ConfigError(
            f"units={dict(units or {})} cannot be used for {converted[0]}",
            found=f"{file_format(converted[0])}, whose reader converts to eV and Å",
        )
    for path in files:
        read, told = read_file(path, options)
        frames += read
        sources += [f"{path}:{k}" for k in range(1, len(read) + 1)]
        notes += told
    name = str(files[0]) if len(files) == 1 else f"the {len(files)} files"
    return from_atoms(frames, labels=labels, units=units, sources=sources, name=name, notes=notes)


def from_atoms(
    frames: Sequence[Atoms],
    *,
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    sources: Sequence[str] | None = None,
    name: str = "the frames",
    notes: Sequence[str] = (),
) -> Dataset:
    """Make a `Dataset` of frames that were read or made in another way.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        With labels in ``info``, ``arrays`` or a calculator. They are not changed.
    labels, units
        As for `read_dataset`.
    sources : sequence of str, optional
        Where each frame comes from.
    name : str
        What to call them in messages.
    notes : sequence of str
        What is to be told besides.

    Raises
    ------
    DataError, ConfigError
        As `read_dataset`.
    """
    frames = list(frames)
    if not frames or not all(isinstance(atoms, Atoms) for atoms in frames):
        raise DataError("There are no frames", expected="at least one ase.Atoms")
    sources = list(sources or (f"{name}:{k}" for k in range(1, len(frames) + 1)))
    factors = {quantity: 1.0 for quantity in _UNITS}
    for quantity, unit in (units or {}).items():
        if quantity not in _UNITS:
            raise ConfigError(f"{quantity!r} has no unit here", fix=nearest(quantity, _UNITS))
        factors[quantity] = _UNITS[quantity](unit)
    for atoms, source in zip(frames, sources, strict=True):
        _check_geometry(atoms, source)
    names, told = find_names(frames, labels or {}, name)
    standard = [
        standard_frame(atoms, names, factors, f"Frame {source}")
        for atoms, source in zip(frames, sources, strict=True)
    ]
    _check_labels_belong(standard, sources)
    unused = sorted(
        {
            column
            for atoms in standard
            for column in ("mass", "velo", "vel", "velocities")
            if column in atoms.arrays
        }
    )
    if unused:
        told.append(f"Columns without effect: {', '.join(unused)} (ASE knows masses and momenta)")
    return Dataset(standard, list(sources), names, (*notes, *told))


def find_files(paths: str | os.PathLike | Sequence[str | os.PathLike]) -> list[Path]:
    """Return the files that paths, patterns and folders stand for, in order.

    Raises
    ------
    DataError
        If one of them stands for nothing.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    files: list[Path] = []
    for one in given:
        path = Path(one)
        if path.is_dir() and not (path / "type.raw").is_file():
            inside = _files_in(path)
        elif path.exists():
            inside = [path]
        else:
            inside = [Path(name) for name in sorted(glob.glob(str(one), recursive=True))]
        if not inside:
            raise DataError(
                f"There is no file {one}" if not path.is_dir() else f"{one} holds no frames",
                fix="check the name and the folder",
            )
        files += inside
    if not files:
        raise DataError("No file is given", expected="at least one")
    return files


def _files_in(folder: Path) -> list[Path]:
    """Return the files of a folder that hold frames; of VASP's two outputs only one counts."""
    found = []
    for path in sorted(folder.rglob("*")):
        if (path / "type.raw").is_file():
            found.append(path)
            continue
        if not path.is_file() or path.name.startswith("."):
            continue
        if path.name.startswith("OUTCAR") and (path.parent / "vasprun.xml").is_file():
            continue
        if "-frc-" in path.name or any((above / "type.raw").is_file() for above in path.parents):
            continue
        try:
            file_format(path)
        except DataError:
            continue
        found.append(path)
    return found


def _check_geometry(atoms: Atoms, source: str) -> None:
    if (atoms.numbers == 0).any():
        raise DataError(
            f"Frame {source} holds dummy atoms (X), which no potential knows",
            fix="leave them out, with their forces",
        )
    if (atoms.pbc & (atoms.cell.lengths() == 0)).any():
        raise DataError(
            f"Frame {source} is periodic along an axis on which its cell has no length",
            found=f"pbc {atoms.pbc.tolist()}, lengths {atoms.cell.lengths().round(3).tolist()} Å",
            fix='write the Lattice, or pbc="F F F" for a molecule',
        )


def _check_labels_belong(frames: Sequence[Atoms], sources: Sequence[str]) -> None:
    """Refuse labels that were kept while the atoms were moved: the same forces twice."""
    seen: dict[bytes, int] = {}
    for k, atoms in enumerate(frames):
        forces = atoms.arrays.get(FORCES_NAME)
        if forces is None or not np.any(np.abs(forces) > 1e-4):
            continue
        before = seen.setdefault(forces.tobytes(), k)
        if before == k:
            continue
        other = frames[before]
        if not np.array_equal(atoms.numbers, other.numbers):
            raise DataError(
                f"{sources[k]} and {sources[before]} have the same forces to the last digit, but "
                "other elements",
                found=f"{atoms.symbols} and {other.symbols}",
                fix="compute the labels again, or remove the frames that were changed",
            )
        moved = atoms.positions - other.positions
        if atoms.pbc.any():
            moved = find_mic(moved, atoms.cell, atoms.pbc)[0]
        moved = moved - moved.mean(0)
        if np.abs(moved).max() > 1e-3 or np.abs(atoms.cell - other.cell).max() > 1e-3:
            raise DataError(
                f"{sources[k]} and {sources[before]} have the same forces to the last digit, but "
                "different positions or cells",
                found="labels that were kept when atoms were moved, as ASE's writer does",
                fix="compute the labels again, or remove the frames that were moved",
            )
