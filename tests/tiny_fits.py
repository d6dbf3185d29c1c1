"""Frames so small that gap_fit trains on them in a fifth of a second."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms


def small_frames() -> list[Atoms]:
    """Two water molecules in a skewed cell, slightly displaced, with invented labels."""
    rng = np.random.default_rng(3)
    start = [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0], [2.9, 0.3, 0.2], [3.5, 0.9, 0.5]]
    start = np.array([*start, [3.1, -0.6, -0.1]])
    cell = [[6.1, 0, 0], [0.6, 5.8, 0], [0.2, -0.4, 6.3]]
    frames = []
    for _ in range(3):
        moved = start + rng.normal(scale=0.08, size=(6, 3))
        atoms = Atoms("OH2OH2", positions=moved, cell=cell, pbc=True)
        atoms.info["dft_energy"] = -28.0 + rng.normal(scale=0.1)
        atoms.arrays["dft_forces"] = rng.normal(size=(6, 3))
        frames.append(atoms)
    return frames


def write_frames(path: Path, frames: list[Atoms]) -> None:
    """Write frames with their labels under the kit's names and under gap_fit's default names."""
    lines = []
    for atoms in frames:
        lattice = " ".join(map(repr, atoms.cell.array.ravel().tolist()))
        energy = f"dft_energy={atoms.info['dft_energy']!r} energy={atoms.info['dft_energy']!r}"
        columns = "species:S:1:pos:R:3:dft_forces:R:3:force:R:3"
        lines += [str(len(atoms)), f'Lattice="{lattice}" Properties={columns} {energy} pbc="T T T"']
        forces = atoms.arrays["dft_forces"]
        for symbol, *numbers in zip(atoms.symbols, atoms.positions, forces, forces, strict=True):
            lines.append(" ".join([symbol, *(repr(float(x)) for x in np.concatenate(numbers))]))
    path.write_text("\n".join(lines) + "\n")


def train_as_written(text: str, folder: Path, frames: list[Atoms] | None = None) -> Path:
    """Let gap_fit train with a config as it stands; frames.xyz is beside it. Return the model."""
    from helpers.gap.process import find_gap_fit

    folder.mkdir(exist_ok=True)
    write_frames(folder / "frames.xyz", frames or small_frames())
    (folder / "gap.cfg").write_text(text)
    command = [find_gap_fit(), "config_file=gap.cfg"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (text, done.stdout[-500:], done.stderr[-1000:])
    name = re.findall(r"(?:gap_file|gp_file) = (?!gap_new|//)(\S+)", done.stdout)
    return folder / (name[-1] if name else "gap_new.xml")


def quippys_answers(path: Path, frames: list[Atoms]) -> list[tuple[float, np.ndarray]]:
    """Return energies and forces from quippy itself, without the kit."""
    from quippy.potential import Potential

    potential, answers = Potential("", param_filename=str(path)), []
    for atoms in frames:
        bare = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        bare.calc = potential
        answers.append((bare.get_potential_energy(), bare.get_forces()))
    return answers


def check_engines(path: Path, frames: list[Atoms], engines: tuple[str, ...]) -> None:
    """Assert that the kit's engines give quippy's numbers: 1e-8 eV/atom, 1e-6 eV/Å."""
    from helpers import load_potential

    truth = quippys_answers(path, frames)
    for engine in engines:
        potential = load_potential(path, engine=engine)
        for atoms, (energy, forces) in zip(frames, truth, strict=True):
            found = potential.get_potential_energy(atoms)
            assert found == pytest.approx(energy, abs=1e-8 * len(atoms), rel=1e-13), engine
            assert np.abs(potential.get_forces(atoms) - forces).max() < 1e-6, engine
