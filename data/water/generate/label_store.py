"""Labels on disk: a folder with one JSON file per frame while they are made, one JSON Lines file to
keep; either way numbered as the frames of the extended XYZ file beside it.

A label is a dictionary with ``energy`` (eV), ``forces`` (eV/Å), ``seconds`` (wall time) and, where
they are known, ``polarizability`` (Å³), ``dispersion_energy`` (eV), ``scf`` (SCF steps),
``functional`` and ``positions``, a digest of the positions that it belongs to.

Example, labels of a working folder into the file that is kept, and back:
    python data/water/generate/label_store.py store results/water/a.xyz results/water/a \\
        --output results/water/a.jsonl
    python data/water/generate/label_store.py restore results/water/a.xyz results/water/a.jsonl \\
        --output results/water/a
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from frame_files import position_key

from helpers.errors import DataError
from helpers.files import digest, write_atomic
from helpers.frames import read_frames
from helpers.terminal import teaching_script

Label = dict[str, Any]
FORCE_DIGITS = 8  # of eV/Å, as in extended XYZ; CP2K prints forces to 2.6e-7 eV/Å


def position_digest(atoms: Atoms) -> str:
    """Return 16 hexadecimal digits that belong to the positions of a frame (to 1e-6 Å)."""
    return digest(position_key(atoms))[:16]


def read_labels(path: Path, frames: Sequence[Atoms]) -> dict[int, Label]:
    """Return the labels in a folder or a JSON Lines file, by number of the frame.

    Raises
    ------
    DataError
        If a label cannot be read, or belongs to another frame.
    """
    if path.is_dir():
        files = sorted(path.glob("*.json"), key=lambda file: int(file.stem))
        texts = {int(file.stem): file.read_text(encoding="utf-8") for file in files}
    elif path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        texts = {int(json.loads(line)["frame"]): line for line in lines}
    else:
        texts = {}
    labels = {}
    for number, text in texts.items():
        try:
            label = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(
                f"The label of frame {number} in {path} cannot be read ({error})",
                fix="remove it and label that frame again",
            ) from error
        label.pop("frame", None)
        check_label(label, frames, number, str(path))
        labels[number] = label
    return labels


def check_label(label: Label, frames: Sequence[Atoms], number: int, source: str) -> None:
    """Raise `DataError` unless a label fits the frame of that number."""
    if number >= len(frames):
        raise DataError(f"{source} has a label of frame {number}, of {len(frames)} frames")
    known = label.get("positions")
    if known is not None and known != position_digest(frames[number]):
        raise DataError(
            f"The label of frame {number} in {source} belongs to other positions",
            fix="give the frames that were labeled, or another folder for the labels",
        )
    shape = np.shape(label["forces"])
    if shape != (len(frames[number]), 3):
        raise DataError(
            f"The label of frame {number} in {source} belongs to another frame",
            expected=f"forces of {len(frames[number])} atoms",
            found=f"shape {shape}",
        )


def write_label(folder: Path, name: str, label: Label) -> None:
    """Write one label as ``FOLDER/NAME.json``, whole or not at all."""
    write_atomic(folder / f"{name}.json", json.dumps(label))


def write_lines(path: Path, labels: Mapping[int, Label]) -> None:
    """Write labels as JSON Lines, in the order of the frames."""
    lines = [json.dumps({"frame": number, **labels[number]}) for number in sorted(labels)]
    write_atomic(path, "".join(line + "\n" for line in lines))


def compact(label: Label, atoms: Atoms) -> Label:
    """Return a label with forces of 8 digits and with the digest of its positions."""
    forces = np.round(np.asarray(label["forces"], float), FORCE_DIGITS) + 0.0
    short = {**label, "forces": forces.tolist(), "positions": position_digest(atoms)}
    return {**short, "seconds": round(float(label["seconds"]), 1)}


def with_label(atoms: Atoms, label: Label) -> Atoms:
    """Return a copy of a frame, wrapped into its cell, with its label as in the shipped data."""
    labeled = Atoms(atoms.numbers, atoms.get_positions(wrap=True), cell=atoms.cell, pbc=atoms.pbc)
    labeled.info = {
        {"index": "frame"}.get(key, key): value
        for key, value in atoms.info.items()
        if key not in ("split", "dft_energy", "Polarizability", "dft_seconds")
    }
    labeled.info["dft_energy"] = label["energy"]
    if "polarizability" in label:
        labeled.info["Polarizability"] = np.array(label["polarizability"])
    labeled.info["dft_seconds"] = round(float(label["seconds"]), 1)
    labeled.set_array("dft_forces", np.array(label["forces"]))
    return labeled


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("store", "restore"))
    parser.add_argument("frames", type=Path, help="extended XYZ that was labeled")
    parser.add_argument("labels", type=Path, help="folder to store, or JSON Lines to restore")
    parser.add_argument("--output", type=Path, required=True, help="JSON Lines file, or folder")
    return parser


def main(options: argparse.Namespace) -> int:
    frames = read_frames(options.frames)
    labels = read_labels(options.labels, frames)
    if options.task == "store":
        earlier = read_labels(options.output, frames)
        labels = {n: compact(label, frames[n]) for n, label in labels.items()}
        write_lines(options.output, {**earlier, **labels})
        n_labels = len({**earlier, **labels})
    else:
        options.output.mkdir(parents=True, exist_ok=True)
        there = read_labels(options.output, frames)
        for number, label in labels.items():
            if number not in there:
                write_label(options.output, str(number), label)
        n_labels = len({**there, **labels})
    print(f"{n_labels} labels of {len(frames)} frames in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
