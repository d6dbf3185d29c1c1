"""Write data sets in the formats of other programs; `read_dataset` reads them back equal."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import write

from helpers.datasets.labels import POLARIZABILITY, VIRIAL
from helpers.errors import ConfigError, DataError, OutputError, nearest
from helpers.files import check_writable, write_array, write_atomic
from helpers.frames import ENERGY_NAME, FORCES_NAME

# Formats of extended XYZ: names of energy, forces and virial or stress.
XYZ_NAMES = {
    "extxyz": (ENERGY_NAME, FORCES_NAME, VIRIAL),
    "mace": ("REF_energy", "REF_forces", "REF_virials"),
}


def write_dataset(frames: Sequence[Atoms], path: str | os.PathLike, format: str = "extxyz") -> Path:
    """Write frames with their labels.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        With labels under the kit's names, such as a `Dataset`.
    path : path
        The file, or for ``"deepmd"`` the folder, to write. It must not exist for ``"db"`` and
        ``"deepmd"``, to which one could only add.
    format : str
        ``"extxyz"`` (the kit's names), ``"mace"`` (extended XYZ with REF_energy, REF_forces,
        REF_virials), ``"traj"`` and ``"db"`` (ASE; labels in a calculator), ``"deepmd"``
        (a folder with one system for each composition and periodicity).

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        If there is no such format.
    DataError
        If the format cannot hold the frames.
    OutputError
        If the path is taken or cannot be written.
    """
    if format not in WRITERS:
        raise ConfigError(f"There is no format {format!r}", fix=nearest(format, WRITERS))
    path = check_writable(Path(path).absolute()) if format != "deepmd" else Path(path).absolute()
    if format in ("db", "deepmd") and path.exists():
        raise OutputError(f"{path} is there already", fix="choose another name, or delete it")
    frames = list(frames)
    if not frames:
        raise DataError("There are no frames to write", expected="at least one")
    return WRITERS[format](frames, path)


def _write_xyz(names: tuple[str, str, str]) -> Callable[[list[Atoms], Path], Path]:
    def write_xyz(frames: list[Atoms], path: Path) -> Path:
        lines: list[str] = []
        for atoms in frames:
            words = [f'Lattice="{_numbers(atoms.cell.array)}"'] if atoms.cell.rank == 3 else []
            columns = "species:S:1:pos:R:3"
            rows = atoms.positions
            if FORCES_NAME in atoms.arrays:
                columns += f":{names[1]}:R:3"
                rows = np.hstack([rows, atoms.arrays[FORCES_NAME]])
            words.append(f"Properties={columns}")
            for name, key in ((names[0], ENERGY_NAME), (names[2], VIRIAL)):
                if key in atoms.info:
                    words.append(f'{name}="{_numbers(atoms.info[key])}"')
            if POLARIZABILITY in atoms.info:
                words.append(f'{POLARIZABILITY}="{_numbers(atoms.info[POLARIZABILITY])}"')
            words += [
                f"{key}={atoms.info[key]}"
                for key in ("trajectory", "config_type")
                if key in atoms.info
            ]
            words.append(f'pbc="{" ".join("T" if axis else "F" for axis in atoms.pbc)}"')
            lines += [str(len(atoms)), " ".join(words)]
            lines += [f"{s} {_numbers(row)}" for s, row in zip(atoms.symbols, rows, strict=True)]
        return write_atomic(path, "\n".join(lines) + "\n")

    return write_xyz


def _write_traj(frames: list[Atoms], path: Path) -> Path:
    aside = path.with_name(f".{path.name}.part")
    try:
        write(aside, [_with_calculator(atoms) for atoms in frames], format="traj")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def _write_db(frames: list[Atoms], path: Path) -> Path:
    aside = path.with_name(f".{path.name}.part")
    try:
        with connect(aside, type="db") as database:
            for atoms in frames:
                data = {
                    key: np.asarray(atoms.info[key]).tolist()
                    for key in (VIRIAL, POLARIZABILITY)
                    if key in atoms.info
                }
                database.write(_with_calculator(atoms), data=data)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def _write_deepmd(frames: list[Atoms], path: Path) -> Path:
    groups: dict[tuple, list[Atoms]] = defaultdict(list)
    for k, atoms in enumerate(frames, start=1):
        if 0 < atoms.pbc.sum() < 3:
            raise DataError(
                f"Frame {k} is periodic along some axes, which DeePMD cannot say",
                found=f"pbc {atoms.pbc.tolist()}",
            )
        if ENERGY_NAME not in atoms.info or FORCES_NAME not in atoms.arrays:
            raise DataError(f"Frame {k} lacks energy or forces, which DeePMD requires")
        key = (atoms.numbers.tobytes(), bool(atoms.pbc.all()), VIRIAL in atoms.info)
        groups[key].append(atoms)
    aside = path.with_name(f".{path.name}.part")
    for number, group in enumerate(groups.values()):
        first = group[0]
        folder = aside / f"{first.get_chemical_formula()}-{number}"
        part = folder / "set.000"
        part.mkdir(parents=True)
        elements = list(dict.fromkeys(first.symbols))
        write_atomic(folder / "type_map.raw", "\n".join(elements) + "\n")
        types = "\n".join(str(elements.index(symbol)) for symbol in first.symbols)
        write_atomic(folder / "type.raw", types + "\n")
        periodic = first.pbc.all()
        if not periodic:
            write_atomic(folder / "nopbc", "")
        arrays = {
            "coord": [atoms.positions.ravel() for atoms in group],
            "energy": [atoms.info[ENERGY_NAME] for atoms in group],
            "force": [atoms.arrays[FORCES_NAME].ravel() for atoms in group],
            "box": [(atoms.cell.array if periodic else 100 * np.eye(3)).ravel() for atoms in group],
        }
        if VIRIAL in first.info:
            arrays["virial"] = [np.ravel(atoms.info[VIRIAL]) for atoms in group]
        for name, rows in arrays.items():
            write_array(part / f"{name}.npy", np.array(rows, float))
    os.replace(aside, path)
    return path


def _with_calculator(atoms: Atoms) -> Atoms:
    """Return a copy whose labels stand where ASE's own formats keep them."""
    result = atoms.copy()
    results = {}
    if ENERGY_NAME in atoms.info:
        results["energy"] = result.info.pop(ENERGY_NAME)
    if FORCES_NAME in atoms.arrays:
        results["forces"] = atoms.arrays[FORCES_NAME]
        del result.arrays[FORCES_NAME]
    result.calc = SinglePointCalculator(result, **results)
    return result


def _numbers(values: object) -> str:
    return " ".join(map(repr, np.ravel(np.asarray(values, float)).tolist()))


WRITERS: dict[str, Callable[[list[Atoms], Path], Path]] = {
    **{name: _write_xyz(names) for name, names in XYZ_NAMES.items()},
    "traj": _write_traj,
    "db": _write_db,
    "deepmd": _write_deepmd,
}
