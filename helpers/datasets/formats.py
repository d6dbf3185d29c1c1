"""Readers: a file → ASE atoms, with what each format loses, invents or turns put right or refused.

ASE's readers are used where they are right. CP2K's output and its ``-pos``/``-frc`` files, and
DeePMD folders, have readers here: ASE takes the first for another program's output.
"""

from __future__ import annotations

import gzip
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers

from helpers.errors import DataError
from helpers.frames import read_frames

LAMMPS_UNITS = ("metal", "real")
# Formats whose readers convert to eV and Å.
WITH_UNITS = (
    *("cp2k-xyz", "cp2k-output", "vasp-out", "vasp-xml", "espresso-out", "aims-output"),
    "lammps-dump-text",
)
TEXT_FORMATS = {  # what the head of an output says → ASE's name of the format
    "Program PWSCF": "espresso-out",
    "Invoking FHI-aims": "aims-output",
    "vasp.": "vasp-out",
}


@dataclass(frozen=True)
class Options:
    """What a reader may have to be told.

    Attributes
    ----------
    elements : tuple of str
        Elements of the types 1, 2, … of a LAMMPS dump, or 0, 1, … of a DeePMD folder.
    lammps_units : str or None
        ``"metal"`` or ``"real"``.
    """

    elements: tuple[str, ...] = ()
    lammps_units: str | None = None


def file_format(path: Path) -> str:
    """Return the name of the format of a file or folder: the kit's own, or ASE's.

    Raises
    ------
    DataError
        If it is none that is known.
    """
    name = path.name.removesuffix(".gz").casefold()
    if path.is_dir():
        return "deepmd"
    if name.endswith((".traj", ".db", ".json")):
        return name.rpartition(".")[2]
    head = _head(path)
    if head.startswith("ITEM: "):
        return "lammps-dump-text"
    if name.endswith((".xyz", ".extxyz")):
        comment = head.partition("\n")[2].partition("\n")[0]
        return "cp2k-xyz" if re.match(r"\s*i =\s+\d+,", comment) else "extxyz"
    if "CP2K|" in head or "DBCSR|" in head:  # ASE would take it for Quantum ESPRESSO
        return "cp2k-output"
    if "<modeling>" in head:
        return "vasp-xml"
    if name.startswith("outcar"):
        return "vasp-out"
    for mark, ase_name in TEXT_FORMATS.items():
        if mark in head:
            return ase_name
    raise DataError(
        f"{path} is in no format that is known here",
        expected="extended XYZ, ASE's .traj, .db and .json, OUTCAR, vasprun.xml, output of CP2K, "
        "Quantum ESPRESSO or FHI-aims, CP2K's -pos-1.xyz, a LAMMPS dump, or a DeePMD folder",
        fix="read it with ASE and give the frames: helpers.datasets.from_atoms(frames)",
    )


def read_file(path: Path, options: Options) -> tuple[list[Atoms], list[str]]:
    """Read all frames of a file; return them, and what is to be told.

    Raises
    ------
    DataError
        If the file is damaged, or says too little to be read rightly.
    """
    kind = file_format(path)
    if kind == "extxyz":
        notes = _check_comments(path)
        return read_frames(path), notes
    if kind in OWN_READERS:
        return OWN_READERS[kind](path, options)
    frames, notes = _by_ase(path, kind), []
    labels = {name for atoms in frames if atoms.calc for name in atoms.calc.results}
    if kind == "traj" and "forces" not in labels:
        notes = [
            f"{path.name} holds no forces: ASE's .traj has room for those of a calculator, and "
            "drops columns of one's own when it is written"
        ]
    return frames, notes


def _by_ase(path: Path, kind: str, **options: Any) -> list[Atoms]:
    from ase.io import read

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frames = read(path, ":", format=kind, **options)
    except Exception as error:  # whatever a parser meets in a damaged file
        raise DataError(
            f"{path} cannot be read as {kind} ({type(error).__name__}: {error})",
            fix="check that the run ended and the file is whole",
        ) from error
    if not frames:
        raise DataError(f"{path} holds no frames", fix="check that the run ended")
    return list(frames)


def _read_database(path: Path, options: Options) -> tuple[list[Atoms], list[str]]:
    """Read ASE's .db or .json, with what `ase.io.read` leaves out: key-value pairs and data."""
    from ase.db import connect

    frames = []
    try:
        for row in connect(path).select():
            atoms = row.toatoms()
            atoms.info |= {**row.data, **row.key_value_pairs}
            frames.append(atoms)
    except Exception as error:
        raise DataError(f"{path} cannot be read as a database of ASE ({error})") from error
    if not frames:
        raise DataError(f"{path} holds no frames", fix="check the name")
    return frames, []


def _read_lammps_dump(path: Path, options: Options) -> tuple[list[Atoms], list[str]]:
    columns = re.search(r"^ITEM: ATOMS (.*)$", _head(path), re.MULTILINE)
    names = columns[1].split() if columns else []
    if "element" not in names and not options.elements:
        raise DataError(
            f"{path} holds types of atoms, not elements",
            found=f"columns {' '.join(names)}; ASE would take type 1 for hydrogen",
            fix="say what types 1, 2, … are: elements=['O', 'H'] (--elements O,H)",
        )
    if options.lammps_units not in LAMMPS_UNITS:
        raise DataError(
            f"{path} does not say its units",
            expected=" or ".join(map(repr, LAMMPS_UNITS)),
            fix="give those of the LAMMPS run: lammps_units='metal' (--lammps-units metal)",
        )
    frames = _by_ase(
        path,
        "lammps-dump-text",
        units=options.lammps_units,
        **({"specorder": list(options.elements)} if "element" not in names else {}),
    )
    for atoms in frames:
        forces = None if atoms.calc is None else atoms.calc.results.get("forces")
        # ASE adds an energy of 0.0, which no dump holds.
        atoms.calc = None if forces is None else SinglePointCalculator(atoms, forces=forces)
    told = [f"{path.name}: a LAMMPS dump holds no energies"]
    wrapped = {"x", "xs"} & set(names)
    passed_over = [
        name
        for name in names
        if name == "mass" or (wrapped and name in ("ix", "iy", "iz", "xu", "yu", "zu"))
    ]
    if passed_over:
        told.append(
            f"{path.name}: {', '.join(passed_over)} not read: positions lie in the box, masses are "
            "those of the elements"
        )
    return frames, told


def _read_cp2k_xyz(path: Path, options: Options) -> tuple[list[Atoms], list[str]]:
    """Read a trajectory of CP2K: PROJECT-pos-1.xyz with PROJECT-frc-1.xyz and PROJECT-1.cell."""
    if "-pos-" not in path.name:
        raise DataError(
            f"{path} is a file of CP2K, but not the one with the positions",
            expected="PROJECT-pos-1.xyz; -frc-1.xyz and -1.cell beside it are found",
            fix="give the -pos- file",
        )
    steps = _cp2k_steps(path)
    forces_path = path.with_name(path.name.replace("-pos-", "-frc-"))
    forces = _cp2k_steps(forces_path) if forces_path.is_file() else {}
    cells, pbc = _cp2k_cells(path, list(steps))
    notes = [] if forces else [f"{path.name}: there is no {forces_path.name}, so no forces"]
    frames = []
    for step, (symbols, positions, energy) in steps.items():
        atoms = Atoms(symbols, positions, cell=cells[step], pbc=pbc)
        results: dict[str, Any] = {"energy": energy * units.Hartree}
        if step in forces:
            if forces[step][0] != symbols:
                raise DataError(f"{forces_path} has other atoms than {path.name} at step {step}")
            results["forces"] = forces[step][1] * (units.Hartree / units.Bohr)
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info["step"] = step
        frames.append(atoms)
    return frames, notes


def _cp2k_steps(path: Path) -> dict[int, tuple[list[str], np.ndarray, float]]:
    """Return symbols, three columns of numbers, and the energy, by step.

    A repeated step counts as it was written last: after a restart CP2K writes it again.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    steps, start = {}, 0
    while start < len(lines):
        head = (
            re.match(r"\s*i =\s+(\d+),.*?E =\s+(\S+)", lines[start + 1 : start + 2][0])
            if (lines[start].strip().isdigit() and start + 1 < len(lines))
            else None
        )
        if head is None:
            raise DataError(f"Line {start + 1} of {path} does not start a frame of CP2K")
        n_atoms = int(lines[start])
        rows = [line.split() for line in lines[start + 2 : start + 2 + n_atoms]]
        if len(rows) < n_atoms or any(len(row) < 4 for row in rows):
            raise DataError(f"{path} is truncated at step {head[1]}", fix="copy it again")
        symbols = [re.sub(r"\d.*", "", row[0]).capitalize() for row in rows]
        if unknown := set(symbols) - set(atomic_numbers):
            raise DataError(f"{path} has atoms that are no elements: {', '.join(sorted(unknown))}")
        numbers = np.array([row[1:4] for row in rows], float)
        steps[int(head[1])] = symbols, numbers, float(head[2])
        start += 2 + n_atoms
    return steps


def _cp2k_cells(path: Path, steps: list[int]) -> tuple[dict[int, np.ndarray], Any]:
    """Return the cell at each step, and along which axes it is periodic."""
    project = path.name.partition("-pos-")[0]
    cell_path, restart_path = (path.with_name(f"{project}-1.{end}") for end in ("cell", "restart"))
    restart = restart_path.read_text(encoding="utf-8") if restart_path.is_file() else ""
    periodic = re.search(r"^\s*PERIODIC +(\w+)", restart, re.MULTILINE)
    axes = periodic[1].upper() if periodic else "XYZ"
    pbc = [axis in axes and axes != "NONE" for axis in "XYZ"]
    if cell_path.is_file():
        rows = np.loadtxt(cell_path, ndmin=2)
        cells = {int(row[0]): row[2:11].reshape(3, 3) for row in rows}
        if missing := [step for step in steps if step not in cells]:
            raise DataError(f"{cell_path} has no cell for step {missing[0]}")
        return cells, pbc
    vectors = re.search(r"&CELL\s+A +(.*?)\n\s*B +(.*?)\n\s*C +(.*?)\n", restart)
    if vectors and "NPT" not in restart:
        cell = np.array([line.split() for line in vectors.groups()], float)
        return dict.fromkeys(steps, cell), pbc
    raise DataError(
        f"There is no cell for {path}",
        expected=f"{cell_path.name}, or {restart_path.name} of a run with a fixed cell",
        fix="put it into the same folder",
    )


def _read_cp2k_output(path: Path, options: Options) -> tuple[list[Atoms], list[str]]:
    """Read the output of a single-point run of CP2K."""
    text = path.read_text(encoding="utf-8", errors="replace")
    energies = re.findall(r"ENERGY\| Total FORCE_EVAL \( \w+ \) energy \[.*?\]:? +(\S+)", text)
    if len(energies) != 1:
        raise DataError(
            f"{path} is not the output of a finished single-point run of CP2K",
            expected="one line 'ENERGY| Total FORCE_EVAL'",
            found=f"{len(energies)}",
            fix="of a run of many steps give the PROJECT-pos-1.xyz",
        )
    if "SCF run NOT converged" in text:
        raise DataError(f"{path}: the SCF of CP2K did not converge", fix="leave this frame out")
    rows = re.findall(
        r"^ +\d+ +\d+ +([A-Z][a-z]?)\S* +(?:\d+ +)?(-?\d+\.\d+) +(-?\d+\.\d+) +(-?\d+\.\d+) ",
        text.rpartition("ATOMIC COORDINATES IN")[2].partition("ATOMIC FORCES")[0],
        re.MULTILINE,
    )
    vectors = re.findall(
        r"CELL\| Vector [abc] \[angstrom\]: +(\S+) +(\S+) +(\S+) +\|[abc]\| += +(\S+)", text
    )[:3]
    if "ATOMIC COORDINATES IN" not in text or len(vectors) < 3:
        raise DataError(
            f"{path} holds neither coordinates nor cell",
            fix="run CP2K with PRINT_LEVEL MEDIUM, or give the PROJECT-pos-1.xyz",
        )
    cell = np.array(vectors, float)
    # CP2K prints three digits of the vectors, and six of their lengths.
    cell = cell[:, :3] * (cell[:, 3] / np.linalg.norm(cell[:, :3], axis=1))[:, None]
    axes = (re.search(r"CELL\| Periodicity +(\w+)", text) or ["", "XYZ"])[1]
    atoms = Atoms(
        [row[0] for row in rows],
        np.array([row[1:] for row in rows], float),
        cell=cell,
        pbc=[axis in axes and axes != "NONE" for axis in "XYZ"],
    )
    results: dict[str, Any] = {"energy": float(energies[0]) * units.Hartree}
    notes = [f"{path.name}: CP2K prints positions and cell with few digits (six; three of vectors)"]
    block = re.search(r"ATOMIC FORCES in \[a\.u\.\](.*?)SUM OF ATOMIC FORCES", text, re.DOTALL)
    if block is not None:
        forces = re.findall(
            r"^ +\d+ +\d+ +[A-Z][a-z]?\S* +(\S+) +(\S+) +(\S+)$", block[1], re.MULTILINE
        )
        if len(forces) != len(atoms):
            raise DataError(f"{path}: {len(forces)} forces for {len(atoms)} atoms")
        results["forces"] = np.array(forces, float) * (units.Hartree / units.Bohr)
    tensor = re.search(r"STRESS\| Analytical stress tensor \[GPa\](.*?)1/3 Trace", text, re.DOTALL)
    if tensor is not None:
        values = re.findall(r"STRESS\| +[xyz] +(\S+) +(\S+) +(\S+)", tensor[1])
        # CP2K counts a compressed cell as positive, ASE a stretched one.
        results["stress"] = _voigt(-np.array(values, float) * units.GPa)
    total = re.findall(r"^ +Total energy: +(\S+)", text, re.MULTILINE)
    if total and abs(float(total[-1]) - float(energies[0])) * units.Hartree > 1e-3:
        notes.append(f"{path.name}: 'Total energy' is not that of 'ENERGY|', which is taken")
    atoms.calc = SinglePointCalculator(atoms, **results)
    return [atoms], notes


def _read_deepmd(path: Path, options: Options) -> tuple[list[Atoms], list[str]]:
    """Read a folder of DeePMD: type.raw, type_map.raw, arrays in set.000 and so on."""
    if not (path / "type.raw").is_file():
        raise DataError(f"{path} is a folder, but none of DeePMD: there is no type.raw")
    types = np.loadtxt(path / "type.raw", int, ndmin=1)
    table = path / "type_map.raw"
    elements = options.elements or (tuple(table.read_text().split()) if table.is_file() else ())
    if types.max() >= len(elements):
        raise DataError(
            f"{path} does not say which elements its types are",
            expected="type_map.raw",
            fix="elements=['O', 'H']",
        )
    symbols = [elements[k] for k in types]
    periodic = not (path / "nopbc").is_file()
    frames = []
    for part in sorted(path.glob("set.*")):
        arrays = {file.stem: np.load(file) for file in part.glob("*.npy")}
        for k, positions in enumerate(arrays["coord"].reshape(-1, len(symbols), 3)):
            atoms = Atoms(symbols, positions.astype(float), pbc=periodic)
            if periodic:
                atoms.cell = arrays["box"][k].reshape(3, 3).astype(float)
            results = {}
            if "energy" in arrays:
                results["energy"] = float(arrays["energy"].ravel()[k])
            if "force" in arrays:
                results["forces"] = arrays["force"][k].reshape(-1, 3).astype(float)
            atoms.calc = SinglePointCalculator(atoms, **results)
            if "virial" in arrays:
                atoms.info["virial"] = arrays["virial"][k].reshape(3, 3).astype(float)
            frames.append(atoms)
    if not frames:
        raise DataError(f"{path} holds no frames", expected="folders set.000, set.001, …")
    return frames, []


OWN_READERS = {
    "db": _read_database,
    "json": _read_database,
    "lammps-dump-text": _read_lammps_dump,
    "cp2k-xyz": _read_cp2k_xyz,
    "cp2k-output": _read_cp2k_output,
    "deepmd": _read_deepmd,
}


def _check_comments(path: Path) -> list[str]:
    """Refuse comment lines of extended XYZ that ASE reads as something else than they say."""
    no_pbc = 0
    for number, comment in _comments(path):
        where = f"The comment of frame {number} of {path}"
        if comment.lstrip().startswith("# CELL"):
            raise DataError(
                f"{where} is that of i-PI, whose positions and cell ASE would misread",
                expected="extended XYZ",
                fix="let i-PI write <trajectory format='ase'>",
            )
        bare = re.sub(r'"[^"]*"|\'[^\']*\'|\{[^{}]*\}', '""', comment)
        if match := re.search(r"(?:^|\s)([^\s=\"]+)=(?=\s|$)", bare):
            raise DataError(
                f"{where} has an empty value, and ASE would take the next key for it",
                found=f"{match[1]}= followed by a space",
                fix=f'write {match[1]}="none", or leave the key out',
            )
        if match := re.search(r"(\S+?)=\[\s*\[", bare):
            raise DataError(
                f"{where} holds a tensor in a form that ASE tears to pieces",
                found=f"{match[1]}=[[…",
                fix=f'write it as nine numbers, row by row: {match[1]}="1.0 0.0 …"',
            )
        for key in re.findall(r"(?:^|\s)([^\s=\"]+)=", bare):
            for right in ("Lattice", "Properties", "pbc"):
                if key.casefold() == right.casefold() and key != right:
                    raise DataError(
                        f"{where} has a key that ASE overlooks",
                        found=repr(key),
                        fix=f"write {right!r}",
                    )
        _check_stress(comment, where)
        no_pbc += "Lattice=" in bare and "pbc=" not in bare
    if no_pbc:
        return [
            f"{path.name}: {no_pbc} frames have a cell and do not say whether it is periodic; they "
            "are taken for periodic along all axes"
        ]
    return []


def _check_stress(comment: str, where: str) -> None:
    """Refuse a stress of nine numbers that is not symmetric: ASE keeps six of them."""
    match = re.search(r"""(?:^|\s)stress=["']([^"']+)["']""", comment)
    numbers = match[1].split() if match else []
    if len(numbers) != 9:
        return
    try:
        matrix = np.array(numbers, float).reshape(3, 3)
    except ValueError:
        return  # ASE says what is wrong
    if np.abs(matrix - matrix.T).max() > 0.05 * np.abs(matrix).max():
        raise DataError(
            f"{where} holds a stress that is not symmetric, of which ASE would keep six numbers",
            found=match[1] if match else "",
            fix="check the order of its components",
        )


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                if not line.strip().isdigit():
                    return  # read_frames says what is wrong
                number += 1
                yield number, next(lines, "")
                for _ in range(int(line)):
                    next(lines, "")
    except (OSError, EOFError, UnicodeDecodeError):
        return


def _head(path: Path) -> str:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            return file.read(200_000).decode("utf-8", errors="replace")
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error})", fix="check the name") from error


def _voigt(matrix: np.ndarray) -> np.ndarray:
    return matrix.ravel()[[0, 4, 8, 5, 2, 1]]
