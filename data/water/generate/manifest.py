"""``manifest.json`` and ``SHA256SUMS``: what a data set holds, in words a program can read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers.errors import DataError
from helpers.frames import read_frames

VALIDATION_FILE = "gap_validate.xyz"
CHECKS = Path(__file__).with_name("label_checks.csv")
# Files beside training and validation: their split is their name.
OTHER_FILES = (
    "pool.xyz",
    "isolated_atoms.xyz",
    "dimer.xyz",
    "frozen.xyz",
    "liquid.xyz",
    "start_64.xyz",
)
FUNCTIONALS = ("revPBE", "PBE")
TEMPERATURES = {"revPBE": "300, 330, 360, 400 and 450 K", "PBE": "300, 350 and 400 K"}
CITATION = (
    "Liquid water from DFT: energies, forces, polarizabilities. Data set of mlmd-workshop, a "
    "teaching kit for accelerating molecular dynamics with machine learning. CC-BY-4.0."
)
LABELS = {
    "dft_energy": {"stored_in": "info", "shape": [], "unit": "eV"},
    "dft_forces": {"stored_in": "arrays", "shape": ["n_atoms", 3], "unit": "eV/Å"},
    "Polarizability": {
        "stored_in": "info",
        "shape": [9],
        "order": "xx xy xz yx yy yz zx zy zz",
        "of": "the whole cell",
        "unit": "Å³",
    },
}
PBE_LABELS = {
    "pbe_energy": {"stored_in": "info", "shape": [], "unit": "eV", "of": "PBE-D3(0)"},
    "pbe_forces": {
        "stored_in": "arrays",
        "shape": ["n_atoms", 3],
        "unit": "eV/Å",
        "of": "PBE-D3(0)",
    },
}
UNITS = {
    "positions": "Å",
    "cell": "Å",
    "temperature_K": "K",
    "dft_seconds": "s",
    **{name: label["unit"] for name, label in LABELS.items()},
}
EXTRA_UNITS = {
    "distance_A": "Å",
    "interaction_energy": "eV",
    **{name: label["unit"] for name, label in PBE_LABELS.items()},
}


def training_file(size: int) -> str:
    """Return the name of the file with the first `size` training frames."""
    return f"gap_input_{size}.xyz"


def level_of_theory(functional: str) -> str:
    """Return what the labels were made with, in one sentence."""
    response = " at 360 Ry" if functional == "revPBE" else ""
    return (
        f"CP2K 2023.1, Quickstep GPW, {functional} with D3(0) (pairs up to 24 Å), GTH-PBE "
        "pseudopotentials, TZV2P-GTH basis, Γ point, plane-wave cutoff 900 Ry; polarizability from "
        f"linear response with the periodic (Berry-phase) dipole operator{response}"
    )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def data_files(folder: Path) -> list[str]:
    """Return the names of the frames files of a data set, training sets by size first."""
    sizes = [int(path.stem.rpartition("_")[2]) for path in folder.glob("gap_input_*.xyz")]
    names = [training_file(size) for size in sorted(sizes)]
    return names + [n for n in (VALIDATION_FILE, *OTHER_FILES) if (folder / n).is_file()]


def checksums(folder: Path) -> str:
    """Return the text of ``SHA256SUMS``, as ``sha256sum *.xyz`` prints it."""
    return "".join(f"{sha256(folder / name)}  {name}\n" for name in sorted(data_files(folder)))


def label_noise() -> dict[str, float]:
    """Return the error of labels of revPBE, RMS: forces of a component, meV/Å, energies, meV/atom.

    A frame that is moved against CP2K's grid is the same frame with another error, so the
    difference of its labels (label_checks.csv) is √2 times the error of one of them.
    """
    checks = pd.read_csv(CHECKS)
    shifts = checks[checks["check"] == "shift"].set_index("quantity")["value"]
    names = {"forces_meV_per_A": "forces_rms", "energy_meV_per_atom": "energy"}
    rms = {name: np.sqrt(np.mean(shifts[quantity] ** 2)) for name, quantity in names.items()}
    return {name: float(f"{value / np.sqrt(2):.2g}") for name, value in rms.items()}


def build_manifest(
    folder: Path, *, dataset: str = "water", functional: str = "revPBE"
) -> dict[str, Any]:
    """Describe the frames files in `folder`: what is counted is counted from the files.

    Parameters
    ----------
    folder : Path
    dataset : str
        Name of the data set: that of the folder in which it will stand.
    functional : str
        Of the labels, ``"revPBE"``, or ``"PBE"`` for the first edition.

    Raises
    ------
    DataError
        If there are no files, or a training set is not the first part of the next larger one.
    """
    names = data_files(folder)
    if not names:
        raise DataError(f"{folder} holds no frames files", expected="gap_input_<size>.xyz")
    training = [name for name in names if name.startswith("gap_input_")]
    files = []
    for name in names:
        path = folder / name
        frames = read_frames(path)
        position = training.index(name) if name in training else None
        larger = training[position + 1 :] if position is not None else []
        if larger and not (folder / larger[0]).read_bytes().startswith(path.read_bytes()):
            raise DataError(f"{name} is not the first part of {larger[0]}")
        numbers = {int(a.info["trajectory"]) for a in frames if "trajectory" in a.info}
        files.append(
            {
                "split": _split(name),
                "size": len(frames),
                "file": name,
                "sha256": sha256(path),
                "n_bytes": path.stat().st_size,
                "n_frames": len(frames),
                "n_energies": sum("dft_energy" in atoms.info for atoms in frames),
                "n_forces": sum("dft_forces" in atoms.arrays for atoms in frames),
                "n_polarizabilities": sum("Polarizability" in atoms.info for atoms in frames),
                "n_trajectories": len(numbers),
                "nested_in": larger,
            }
        )
    both = {"frozen.xyz", "liquid.xyz"} & set(names)
    special = both | ({"dimer.xyz"} & set(names))
    return {
        "dataset": dataset,
        "system": "liquid water: 16 H2O in a periodic cube of 7.8302 Å, at "
        + TEMPERATURES[functional],
        "license": "CC-BY-4.0",
        "citation": CITATION,
        "level_of_theory": level_of_theory(functional),
        "regenerate_with": "data/water/generate",
        "units": {**UNITS, **(EXTRA_UNITS if special else {})},
        "labels": {**LABELS, **(PBE_LABELS if both else {})},
        **({"label_noise": label_noise()} if functional == "revPBE" else {}),
        "files": files,
    }


def _split(name: str) -> str:
    if name == VALIDATION_FILE:
        return "validate"
    return "train" if name.startswith("gap_input_") else name.removesuffix(".xyz")
