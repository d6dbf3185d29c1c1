"""Put labels and frames together: the files of the data set, checksums, a manifest.

The folder of the labels holds, for each set, its frames as ``SET.xyz`` and its labels as
``SET.jsonl`` or as a folder ``SET`` (see label_store.py); labels with PBE-D3 stand in
``SET_PBE.jsonl`` or ``SET_PBE``. The training sets are the first 50, 100, 200 and 400 frames of
train_gap1 and then train_gap0, in the order of those files; the first 200 carry a polarizability.

Nothing is written unless every file that was asked for is complete: what lacks labels is listed,
with the numbers of the frames. --sizes and --also ask for fewer files.

Example, what the labels that are there give already:
    python data/water/generate/assemble.py --labels data/water/generate/labels \\
        --sizes 50 100 200 --also pool --output results/water/new/water
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from ase import Atoms
from frame_files import write_frames
from label_store import read_labels, with_label
from manifest import VALIDATION_FILE, build_manifest, checksums, training_file

from helpers.checks import whole
from helpers.errors import DataError
from helpers.files import write_atomic
from helpers.frames import read_frames
from helpers.terminal import teaching_script

SIZES = (50, 100, 200, 400)
TRAINING_SETS = ("train_gap1", "train_gap0")
N_POLARIZABILITIES = 200  # of the first training frames
ALSO = ("pool", "isolated_atoms", "dimer", "frozen", "liquid", "start_64")


class MissingLabelsError(DataError):
    """Files that cannot be written yet."""


def read_set(folder: Path, name: str, *, functional: str = "revPBE") -> list[Atoms]:
    """Return the frames of a set; those that have a label carry it."""
    frames = read_frames(folder / f"{name}.xyz")
    stem = name if functional == "revPBE" else f"{name}_{functional}"
    file = folder / f"{stem}.jsonl"
    labels = read_labels(file if file.is_file() else folder / stem, frames)
    return [
        with_label(atoms, labels[number]) if number in labels else atoms
        for number, atoms in enumerate(frames)
    ]


def missing(frames: Sequence[Atoms], *, n_polarizabilities: int = 0) -> list[int]:
    """Return the numbers of the frames whose labels are not there, or not complete."""
    return [
        number
        for number, atoms in enumerate(frames)
        if "dft_energy" not in atoms.info
        or (number < n_polarizabilities and "Polarizability" not in atoms.info)
    ]


def ranges(numbers: Sequence[int]) -> str:
    """Return sorted numbers as a text such as ``3, 7-9``."""
    runs = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in run] for _, run in runs]
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in ends)


def data_set(folder: Path, *, sizes: Sequence[int], also: Sequence[str]) -> dict[str, list[Atoms]]:
    """Return the frames of each file of the data set.

    Raises
    ------
    MissingLabelsError
        If labels are missing; all that are, are named.
    DataError
        If a trajectory is in training and in validation.
    """
    train = [atoms for name in TRAINING_SETS for atoms in read_set(folder, name)]
    if len(train) < max(sizes):
        raise DataError(
            "There are too few training frames",
            expected=f"at least {max(sizes)}",
            found=str(len(train)),
            fix="sample more, or choose other --sizes",
        )
    files = {training_file(size): train[:size] for size in sizes}
    validate = read_set(folder, "validate")
    shared = _trajectories(train) & _trajectories(validate)
    if shared:
        raise DataError(
            f"Trajectory {min(shared)} is in training and in validation",
            expected="validation frames from trajectories of their own",
            fix="sample them with another --first-trajectory",
        )
    files[VALIDATION_FILE] = validate
    lacking = {
        name: _lacking(
            frames, missing(frames, n_polarizabilities=_n_polarizabilities(name, frames))
        )
        for name, frames in files.items()
    }
    for name in also:
        if not (folder / f"{name}.xyz").is_file():
            lacking[f"{name}.xyz"] = "no frames"
            continue
        frames, numbers = SPECIAL.get(name, _plain)(folder, name)
        files[f"{name}.xyz"] = frames
        lacking[f"{name}.xyz"] = _lacking(frames, numbers)
    incomplete = {name: text for name, text in lacking.items() if text}
    if incomplete:
        raise MissingLabelsError(
            f"{len(incomplete)} of {len(lacking)} files are not complete: nothing was written",
            found="; ".join(f"{name}: {text}" for name, text in incomplete.items()),
            fix="label those frames, or ask for fewer files with --sizes and --also",
        )
    return files


def _n_polarizabilities(file: str, frames: Sequence[Atoms]) -> int:
    return len(frames) if file == VALIDATION_FILE else N_POLARIZABILITIES


def _lacking(frames: Sequence[Atoms], numbers: Sequence[int]) -> str:
    return f"{len(numbers)} of {len(frames)} without labels ({ranges(numbers)})" if numbers else ""


def _trajectories(frames: Sequence[Atoms]) -> set[int]:
    return {int(atoms.info["trajectory"]) for atoms in frames}


def _plain(folder: Path, name: str) -> tuple[list[Atoms], list[int]]:
    frames = read_set(folder, name)
    return frames, missing(frames)


def _dimer(folder: Path, name: str) -> tuple[list[Atoms], list[int]]:
    """Return dimers with what they bind: their energy less that of two single molecules."""
    (monomer,) = read_set(folder, "monomer")
    frames = read_set(folder, name)
    if missing([monomer]):
        return frames, list(range(len(frames)))
    for atoms in frames:
        if "dft_energy" in atoms.info:
            pair, single = atoms.info["dft_energy"], monomer.info["dft_energy"]
            atoms.info["interaction_energy"] = round(pair - 2 * single, 6)
    return frames, missing(frames)


def _both_functionals(folder: Path, name: str) -> tuple[list[Atoms], list[int]]:
    """Return frames that carry the labels of PBE-D3, too."""
    frames = read_set(folder, name)
    others = read_set(folder, name, functional="PBE")
    for atoms, other in zip(frames, others, strict=True):
        if "dft_energy" in other.info:
            atoms.info["pbe_energy"] = other.info["dft_energy"]
            atoms.set_array("pbe_forces", other.arrays["dft_forces"])
    return frames, sorted({*missing(frames), *missing(others)})


def _unlabeled(folder: Path, name: str) -> tuple[list[Atoms], list[int]]:
    return read_frames(folder / f"{name}.xyz"), []


SPECIAL: dict[str, Callable[[Path, str], tuple[list[Atoms], list[int]]]] = {
    "dimer": _dimer,
    "frozen": _both_functionals,
    "liquid": _both_functionals,
    "start_64": _unlabeled,
}


def write_data_set(
    folder: Path, files: dict[str, list[Atoms]], *, dataset: str, force: bool = False
) -> list[str]:
    """Write all files aside, then move them to `folder`; return their names.

    Raises
    ------
    DataError
        If `folder` holds other files of these names.
    """
    with tempfile.TemporaryDirectory(prefix="assemble-") as name:
        aside = Path(name)
        for file, frames in files.items():
            write_frames(aside / file, frames)
        (aside / "SHA256SUMS").write_text(checksums(aside), encoding="utf-8")
        manifest = json.dumps(build_manifest(aside, dataset=dataset), indent=2, ensure_ascii=False)
        (aside / "manifest.json").write_text(manifest + "\n", encoding="utf-8")
        new = {path.name: path.read_bytes() for path in sorted(aside.iterdir())}
    changed = [
        file
        for file, content in new.items()
        if (folder / file).exists() and (folder / file).read_bytes() != content
    ]
    if changed and not force:
        raise DataError(
            f"{folder} holds other files of these names: {', '.join(changed)}",
            fix="choose a new --output, or add --force to replace them",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(new, key=lambda file: file == "manifest.json"):
        write_atomic(folder / file, new[file])  # the manifest last: what it describes is there
    return list(new)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--labels", type=Path, required=True, help="folder of frames and labels")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--name", help="of the data set; default: that of the folder")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--also", nargs="*", choices=ALSO, default=ALSO, help="other files")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    return parser


def main(options: argparse.Namespace) -> int:
    for size in options.sizes:
        whole("sizes", size, 1)
    files = data_set(options.labels, sizes=sorted(set(options.sizes)), also=options.also)
    dataset = options.name or options.output.resolve().name
    names = write_data_set(options.output, files, dataset=dataset, force=options.force)
    print(f"{', '.join(names)} in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
