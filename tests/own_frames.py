"""Small data sets as a researcher may have them, labeled by effective medium theory (EMT)."""

import html
import re

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc111
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms

from helpers import GapConfig, TwoBody

# What the kit says of water, and must not say of anything else.
WATER = re.compile(r"water|\bice\b|H2O|O–H|O–O|oxygen|revPBE|\bliquid", re.IGNORECASE)

SMALL = GapConfig(  # trained on these sets within a second or two
    n_max=3,
    l_max=1,
    n_sparse=20,
    cutoff=4.0,
    cutoff_transition_width=1.0,
    default_sigma=(0.001, 0.05, 0.0, 0.0),
    two_body=TwoBody(cutoff=5.0, n_sparse=10),
)


def text_of(page):
    """Return what a reader sees or hears of a page: words, captions, alternative texts."""
    page = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL)
    alternatives = re.findall(r'alt="([^"]*)"', page)
    return html.unescape(" ".join([*alternatives, re.sub(r"<[^>]+>", " ", page)]))


def labeled(atoms, *, virial=False, energy="dft_energy", forces="dft_forces"):
    """Return atoms with EMT labels under these names, and without a calculator."""
    twin = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    twin.calc = EMT()
    result = atoms.copy()
    result.info[energy] = twin.get_potential_energy()
    result.arrays[forces] = twin.get_forces()
    if virial:
        result.info["virial"] = -twin.get_volume() * twin.get_stress(voigt=False)
    return result


def alloy(n_frames, *, seed=0, **names):
    """Crystals of 8 to 16 atoms of Cu and Al, of all compositions, strained and rattled."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(n_frames):
        atoms = bulk("Cu", a=3.75, cubic=True) * (2, 1 + k % 2, 1)
        numbers = atoms.numbers
        numbers[rng.random(len(atoms)) < rng.uniform(0.2, 0.8)] = 13
        atoms.numbers = numbers
        strain = np.eye(3) + rng.normal(0, 0.02, (3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.rattle(0.08, rng=rng)
        frames.append(labeled(atoms, **names))
    return frames


def crystals(n_frames, *, seed=3, **names):
    """Crystals of Cu3Al with four atoms in the cell, strained and rattled: one composition."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n_frames):
        atoms = bulk("Cu", a=3.75, cubic=True)
        atoms.symbols[0] = "Al"
        strain = np.eye(3) + rng.normal(0, 0.02, (3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.rattle(0.08, rng=rng)
        frames.append(labeled(atoms, **names))
    return frames


def slabs(n_frames, *, vacuum=6.0, seed=1, **names):
    """Slabs of Cu with an Al atom on top, periodic in the plane; the lowest layer is fixed."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n_frames):
        atoms = fcc111("Cu", (2, 2, 2), a=3.75, vacuum=vacuum)
        add_adsorbate(atoms, "Al", 2.0, "fcc")
        atoms.center(vacuum=vacuum, axis=2)
        atoms.pbc = (True, True, False)
        atoms.info.clear()
        fixed = atoms.arrays.pop("tags") == 2
        atoms.positions[~fixed] += rng.normal(0, 0.06, (int((~fixed).sum()), 3))
        frame = labeled(atoms, **names)
        frame.set_constraint(FixAtoms(mask=fixed))
        frames.append(frame)
    return frames


def clusters(n_frames, *, vacuum=None, seed=2, **names):
    """Clusters of 2 to 7 atoms of Cu and Al, without a cell or in a box."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(n_frames):
        crystal = bulk("Cu", a=3.75, cubic=True) * (2, 2, 2)
        near = np.argsort(np.linalg.norm(crystal.positions - crystal.positions.mean(0), axis=1))
        atoms = Atoms("Cu" * (2 + k % 6), crystal.positions[near[: 2 + k % 6]])
        atoms.symbols[0] = "Al"
        atoms.rattle(0.1, rng=rng)
        if vacuum is not None:
            atoms.center(vacuum=vacuum)
            atoms.pbc = False
        frames.append(labeled(atoms, **names))
    return frames


def trimers(n_frames, *, seed=5, energy="dft_energy", forces="dft_forces"):
    """Three argon atoms without a cell, as many frames as you like: Lennard-Jones, all at once."""
    rng = np.random.default_rng(seed)
    corners = np.array([[0, 0, 0], [3.8, 0, 0], [1.9, 3.3, 0]])
    positions = corners + rng.normal(0, 0.08, (n_frames, 3, 3))
    vectors = positions[:, :, None] - positions[:, None]
    distances = np.linalg.norm(vectors, axis=-1) + 1e9 * np.eye(3)
    power = (3.4 / distances) ** 6
    energies = 4 * 0.0103 * (power**2 - power).sum((1, 2)) / 2
    slopes = 4 * 0.0103 * (12 * power**2 - 6 * power) / distances**2
    components = (slopes[..., None] * vectors).sum(2)
    frames = [Atoms("Ar3", one) for one in positions]
    for atoms, value, force in zip(frames, energies, components, strict=True):
        atoms.info[energy], atoms.arrays[forces] = value, force
    return frames
