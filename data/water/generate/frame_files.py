"""Frames to disk and back: whole files only, in the key order of the shipped ones."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write

from helpers.files import write_atomic
from helpers.frames import read_frames

INFO_ORDER = ("dft_energy", "Polarizability", "temperature_K", "trajectory", "frame")


def write_frames(path: Path, frames: Sequence[Atoms]) -> None:
    """Write frames as extended XYZ: energy first in the comment line, ``dft_seconds`` last.

    Forces (``dft_forces`` and others whose name ends so) are written where every frame has them.
    """
    names = [name for name in frames[0].arrays if name.endswith("_forces")] if frames else []
    shared = [name for name in names if all(name in atoms.arrays for atoms in frames)]
    ordered = []
    for atoms in frames:
        plain = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        known = [key for key in INFO_ORDER if key in atoms.info]
        others = [key for key in atoms.info if key not in (*INFO_ORDER, "dft_seconds")]
        last = [key for key in ("dft_seconds",) if key in atoms.info]
        plain.info = {key: atoms.info[key] for key in (*known, *others, *last)}
        for name in shared:
            plain.set_array(name, atoms.arrays[name])
        ordered.append(plain)
    text = io.StringIO()
    columns = ["symbols", "positions", *shared]
    write(text, ordered, format="extxyz", columns=columns, write_results=False)
    write_atomic(path, text.getvalue())


def frames_done(path: Path, key: Callable[[Atoms], object]) -> dict[object, Atoms]:
    """Return the frames that an earlier, interrupted run left in `path`, by their `key`."""
    return {key(atoms): atoms for atoms in read_frames(path)} if path.exists() else {}


def position_key(atoms: Atoms) -> bytes:
    """Return what identifies a frame: its positions to 1e-6 Å."""
    return (np.round(atoms.positions, 6) + 0.0).tobytes()
