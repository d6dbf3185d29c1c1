"""Reading and checking frames (snapshots with DFT labels), the shipped ones and those of users."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import compare_atoms
from ase.io import read

from helpers import checks
from helpers.boundaries import with_boundaries
from helpers.errors import DataError, nearest

ENERGY_NAME = "dft_energy"
FORCES_NAME = "dft_forces"


def data_folder() -> Path:
    """Return the folder of the shipped data: ``$MLMD_DATA`` or ``data/`` of the checkout."""
    return Path(os.environ.get("MLMD_DATA") or Path(__file__).resolve().parents[1] / "data")


@dataclass(frozen=True)
class DataFile:
    """One file of a shipped data set, as described in its manifest."""

    path: Path
    split: str
    size: int
    sha256: str

    def check(self) -> None:
        """Raise `DataError` unless the file is there, whole and unchanged (SHA-256)."""
        fix = f"restore it with 'git checkout -- {self.path.name}' in {self.path.parent}"
        if not self.path.is_file():
            raise DataError(f"{self.path} is missing", fix=fix)
        found = hashlib.sha256(self.path.read_bytes()).hexdigest()
        if found != self.sha256:
            raise DataError(
                f"{self.path} is damaged or was changed",
                expected=f"SHA-256 {self.sha256[:12]}…",
                found=f"{found[:12]}… ({self.path.stat().st_size} bytes)",
                fix=fix,
            )


def data_files(dataset: str) -> list[DataFile]:
    """Return the files of a shipped data set, read from its ``manifest.json``.

    Raises
    ------
    DataError
        If no data set has that name.
    """
    folder, manifest = _manifest(dataset)
    return [
        DataFile(folder / row["file"], row["split"], row["size"], row["sha256"])
        for row in manifest["files"]
    ]


def label_noise(dataset: str) -> dict[str, float]:
    """Return the error of a data set's labels themselves, where it was measured (else nothing).

    ``forces_meV_per_A`` and ``energy_meV_per_atom``, root mean squares: below them no model's
    error against such labels can fall. How they were measured: ``data/water/generate/README.md``.

    Raises
    ------
    DataError
        If no data set has that name.
    """
    _, manifest = _manifest(dataset)
    noise: dict[str, float] = manifest.get("label_noise", {})
    return noise


def _manifest(dataset: str) -> tuple[Path, dict[str, Any]]:
    """Return a data set's folder and what its ``manifest.json`` says."""
    manifests = {path.parent.name: path for path in data_folder().glob("*/manifest.json")}
    if dataset not in manifests:
        raise DataError(
            f"There is no data set {dataset!r} in {data_folder()}", fix=nearest(dataset, manifests)
        )
    path = manifests[dataset]
    return path.parent, json.loads(path.read_text(encoding="utf-8"))


def load_frames(dataset: str, split: str, size: int | None = None) -> list[Atoms]:
    """Return a shipped set of frames, after checking its SHA-256.

    Parameters
    ----------
    dataset : str
        Name of the data set: ``"water"``, or ``"water_pbe"`` (labeled with PBE-D3).
    split : str
        ``"train"`` or ``"validate"``, which never share a trajectory, or the name of another file
        of the data set without ``.xyz``, such as ``"pool"``.
    size : int, optional
        Number of frames; by default the largest set.
        The training sets are nested: the first 50 of 100 frames are the set of 50, and so on.

    Returns
    -------
    list of ase.Atoms
        ``info["dft_energy"]`` in eV, ``arrays["dft_forces"]`` of shape (n_atoms, 3) in eV/Å and,
        where it was computed, ``info["Polarizability"]`` of shape (9,) in Å³.

    Raises
    ------
    DataError
        If the name, split or size does not exist, or the file fails its SHA-256.
    """
    files = data_files(dataset)
    splits = sorted({file.split for file in files})
    if split not in splits:
        raise DataError(f"{dataset!r} has no split {split!r}", fix=nearest(str(split), splits))
    by_size = {file.size: file for file in files if file.split == split}
    size = max(by_size) if size is None else size
    if size not in by_size:
        raise DataError(
            f"{dataset!r} has no {split!r} set of {size!r} frames",
            expected="one of " + ", ".join(str(n) for n in sorted(by_size)),
            fix="choose one of them, or slice a larger set: its first frames are a fair sample",
        )
    by_size[size].check()
    return read_frames(by_size[size].path)


def read_frames(path: str | os.PathLike) -> list[Atoms]:
    """Read every frame of an extended XYZ file (plain or .gz), or raise a `DataError`.

    Files that are missing, empty, truncated or malformed are refused, and so are positions or
    cells that are not finite, and cells that do not fit to ``pbc``; frames with a Lattice of zeros
    are molecules. (gap_fit silently ignores a truncated last frame.)
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no file {path}", fix="check the name and the folder")
    if path.suffix != ".gz":
        _check_structure(path)
    try:
        frames = read(path, ":", format="extxyz")
    except Exception as error:  # whatever ASE's reader meets in a file that is none
        raise DataError(
            f"{path} cannot be read as extended XYZ ({type(error).__name__}: {error})",
            fix="write it with ase.io.write(name, frames, format='extxyz')",
        ) from error
    if not frames:
        raise DataError(f"{path} holds no frames", fix="copy or write the file again")
    for number, atoms in enumerate(frames, start=1):
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise DataError(
                f"Frame {number} of {path} has positions or a cell that are not finite numbers",
                fix="remove the frame or write it again",
            )
    return [with_boundaries(atoms) for atoms in frames]


def _check_structure(path: Path) -> None:
    """Raise `DataError`, naming frame and line, where an XYZ file has too few or too many lines."""
    lines = enumerate(_text_lines(path), start=1)
    n_frames = 0
    for line_number, line in lines:
        if not line.strip():
            if any(rest.strip() for _, rest in lines):
                raise DataError(
                    f"Line {line_number} of {path} is empty inside the file", fix="delete it"
                )
            break
        if not re.fullmatch(r"\s*[1-9]\d*\s*", line):
            raise DataError(
                f"Line {line_number} of {path} does not start a frame",
                expected="a line with the number of atoms",
                found=repr(line.strip()[:40]),
                fix="check that the file is extended XYZ and that no line is missing above",
            )
        n_atoms = int(line)
        n_frames += 1
        body = [text for _, (_, text) in zip(range(n_atoms + 1), lines, strict=False)]
        if len(body) < n_atoms + 1 or not all(text.strip() for text in body):
            raise DataError(
                f"{path} is truncated in frame {n_frames}",
                expected=f"a comment line and {n_atoms} atoms after line {line_number}",
                found=f"{max(0, len(body) - 1)} atoms",
                fix="copy the file again, or cut it after the last whole frame",
            )
        if not body[-1].endswith("\n"):
            raise DataError(
                f"{path} ends inside a line, in frame {n_frames}",
                found=repr(body[-1][-40:]),
                fix="copy the file again; if it is whole, add the missing line end",
            )
    if n_frames == 0:
        raise DataError(f"{path} is empty", fix="copy or write the file again")


def _text_lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as lines:
            yield from lines
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not a text file",
            expected="extended XYZ in UTF-8",
            fix="check that you chose the right file",
        ) from error


def check_labels(
    frames: Sequence[Atoms],
    energy_name: str = ENERGY_NAME,
    forces_name: str = FORCES_NAME,
    *,
    source: str = "the frames",
    energies_suffice: bool = False,
) -> None:
    """Raise `DataError` unless every frame carries a finite energy and finite forces.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        Energies in ``info[energy_name]`` (eV), forces in ``arrays[forces_name]``,
        shape (n_atoms, 3), eV/Å.
    source : str
        Name of the frames in the message, such as a file name.
    energies_suffice : bool
        Also take frames without forces, as long as others have some.
    """
    no_forces = energies_suffice and any(
        len(atoms) > 1 and label(atoms, forces_name) is not None for atoms in frames
    )
    for number, atoms in enumerate(frames, start=1):
        where = f"Frame {number} of {source}"
        for name, value, shape in (
            (energy_name, label(atoms, energy_name), ()),
            (forces_name, forces_label(atoms, forces_name), (len(atoms), 3)),
        ):
            if value is None and name == forces_name and no_forces:
                continue
            if value is None:
                known = {*atoms.info, *atoms.arrays} - {"numbers", "positions"}
                known |= set(atoms.calc.results) if atoms.calc is not None else set()
                raise DataError(
                    f"{where} has no {name!r}",
                    found=", ".join(sorted(known)) or "no labels at all",
                    fix="name the labels that the file has, or compute them",
                )
            kind = "a number" if shape == () else "three numbers for each atom"
            try:
                values = checks.real_numbers(value, name, kind)
            except DataError as error:
                raise DataError(
                    f"{where}: {name!r} is not a finite number everywhere",
                    expected=kind,
                    found=error.found,
                    fix="remove the frame or compute it again; a GAP trained on NaN predicts NaN",
                ) from error
            if values.shape != shape:
                raise DataError(
                    f"{where}: {name!r} has the wrong shape",
                    expected=str(shape),
                    found=str(values.shape),
                    fix="check how the file was written",
                )
            if name == forces_name and np.asarray(value).dtype.kind in "iu":
                raise DataError(
                    f"{where}: {name!r} are whole numbers",
                    expected="numbers with a point: gap_fit finds no forces in a column :I:3",
                    fix="write them as real numbers (:R:3), after asking where the digits are",
                )


def label(atoms: Atoms, name: str) -> Any:
    """Return a label of a frame (energy, forces, …) by name, or None if it has none.

    ASE moves labels with its own names, such as ``energy``, to ``atoms.calc`` when it reads a file.

    Raises
    ------
    DataError
        If the results of the calculator belong to other atoms: these were moved since, or share
        their calculator with the next frame. If the frame itself holds another value.
    """
    held = [holder[name] for holder in (atoms.info, atoms.arrays) if name in holder]
    if atoms.calc is None or name not in atoms.calc.results:
        return held[0] if held else None
    if held:
        if not np.array_equal(np.ravel(held[0]), np.ravel(atoms.calc.results[name])):
            raise DataError(
                f"{atoms.get_chemical_formula()} holds two different labels {name!r}",
                found="one of its own (info or arrays), and one in its calculator",
                fix="delete one of them",
            )
        return held[0]
    computed_for = getattr(atoms.calc, "atoms", None)
    changed = [] if computed_for is None else compare_atoms(computed_for, atoms)
    if changed:
        raise DataError(
            f"The label {name!r} of {atoms.get_chemical_formula()} was computed for other atoms",
            found=f"its calculator's atoms differ in {', '.join(changed)}",
            fix="give each frame a calculator of its own (SinglePointCalculator), or compute "
            "the label again after the atoms were changed",
        )
    return atoms.calc.results[name]


def forces_label(atoms: Atoms, name: str) -> Any:
    """Return the forces of a frame as `label` does; on a single atom they are zero by symmetry."""
    forces = label(atoms, name)
    return np.zeros((1, 3)) if forces is None and len(atoms) == 1 else forces


def label_arrays(
    frames: Sequence[Atoms], energy_name: str = ENERGY_NAME, forces_name: str = FORCES_NAME
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the labels of all frames as arrays.

    Returns
    -------
    n_atoms : ndarray of shape (n_frames,)
    energies : ndarray of shape (n_frames,), eV
    forces : ndarray, eV/Å
        All components of all atoms of all frames, one after the other.
    """
    n_atoms = np.array([len(atoms) for atoms in frames])
    energies = np.array([float(label(atoms, energy_name)) for atoms in frames])
    forces = np.concatenate([np.ravel(forces_label(atoms, forces_name)) for atoms in frames])
    return n_atoms, energies, forces


def trajectories_of(frames: Sequence[Atoms]) -> list[str]:
    """Return the trajectory of each frame, or a name of its own where a frame tells none."""
    return [str(a.info.get("trajectory", f"frame {k}")) for k, a in enumerate(frames)]


def frames_by_trajectory(frames: Sequence[Atoms]) -> dict[str, list[Atoms]]:
    """Return the frames of each trajectory (``info["trajectory"]``).

    Raises
    ------
    DataError
        If a frame does not say where it comes from, or all come from one trajectory.
    """
    groups: dict[str, list[Atoms]] = {}
    for number, atoms in enumerate(frames, start=1):
        if "trajectory" not in atoms.info:
            raise DataError(
                f"Frame {number} does not tell its trajectory",
                expected="info['trajectory'], a number or a name",
                fix="judge by validation frames, or add it",
            )
        groups.setdefault(str(atoms.info["trajectory"]), []).append(atoms)
    if len(groups) < 2:
        raise DataError(
            "All frames come from one trajectory",
            expected="two trajectories at least: one is left out at a time",
        )
    return groups


def names_shipped_frames(name: str | os.PathLike) -> bool:
    """Tell whether a config that names these frames means the shipped water, or a copy of it."""
    return re.fullmatch(r"gap_input_\d+\.xyz", Path(name).name) is not None


def find_frames_file(name: str | os.PathLike, near: Path | None = None) -> Path:
    """Return the path of a frames file: in the folder `near`, as given, or in the shipped data.

    A file that a config names is looked for beside the config first, whatever the current folder.
    """
    path = Path(name)
    data = data_folder()
    shipped = sorted(data.glob(f"*/{path.name}"))  # "water" comes before "water_…"
    places = [*([near / path] if near else []), path, *shipped]
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        f"There is no file {path}",
        found="looked in " + ", ".join(str(p.parent) for p in [*places, data / "*" / path.name]),
        fix="check the name and the folder you are in",
    )
